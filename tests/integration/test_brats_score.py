"""`harness score` of BraTS on real volumes: with a board and without, folders, zips and single files."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from tests.conftest import Workplace
from tests.real import real_data

PATIENT = "TCGA-DU-7294"
ALGORITHMS = ("hnfnetv1", "isen", "sanet0", "scan", "yixinmpl")
RANKED = ("dice_wt", "dice_tc", "dice_et", "hd95_wt", "hd95_tc", "hd95_et")
SCORE = ("score", "challenge=brats")


def lay_out(source: Path, images: str, words: tuple[str, ...], labels: str, folder: Path) -> None:
    """Copy a real case into a folder of the layout of 2020."""
    folder.mkdir(parents=True)
    for word, part in zip(words, ("t1", "t1ce", "t2", "flair"), strict=True):
        shutil.copy(source / images.format(word), folder / f"{folder.name}_{part}.nii.gz")
    shutil.copy(source / labels, folder / f"{folder.name}_seg.nii.gz")


def write_data(root: Path) -> None:
    """Write a data set of two real patients: the glioma of 2023 to develop with, TCGA-DU-7294 as the test set."""
    glioma = real_data("brats") / "BraTS-GLI-00001-000"
    names = ("t1n", "t1c", "t2w", "t2f")
    lay_out(
        glioma,
        f"{glioma.name}-{{}}.nii.gz",
        names,
        "seg-bratstoolkit_isen.nii.gz",
        root / "train" / glioma.name,
    )
    tcga = real_data("brats") / PATIENT
    names = ("t1", "t1c", "t2", "fla")
    lay_out(tcga, f"{PATIENT}_{{}}_bet.nii.gz", names, "fusion_mav.nii.gz", root / "test" / PATIENT)


def algorithm(name: str) -> Path:
    """Return the mask of one of the five algorithms."""
    return real_data("brats") / PATIENT / f"seg_{name}-20.nii.gz"


def text_value(text: str, key: str) -> float:
    """Return one printed metric."""
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{key} ")))


def printed(text: str) -> dict[str, float | None]:
    """Return the metrics that `harness score` prints without a board."""
    rows = [line.split() for line in text.splitlines() if line[:1].islower() and "_" in line.split()[0]]
    return {row[0]: None if row[1] == "undefined" else float(row[1]) for row in rows}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A board of the five algorithms: one as a single file, one as a folder, the others as zips."""
    place = Workplace(tmp_path_factory.mktemp("board"))
    write_data(place.root / "data")
    for k, name in enumerate(ALGORITHMS):
        path = place.root / f"{name}.nii.gz"
        if k == 0:
            shutil.copy(algorithm(name), path)
        elif k == 1:
            path = place.root / name
            path.mkdir()
            shutil.copy(algorithm(name), path / f"{PATIENT}.nii.gz")
        else:
            path = place.root / f"{name}.zip"
            with zipfile.ZipFile(path, "w") as file:
                file.write(algorithm(name), f"{PATIENT}_seg.nii.gz")
        place.harness(*SCORE, "data=data", f"predictions={path.name}")
    return place


def newest(place: Workplace, name: str) -> dict[str, Any]:
    """Return the newest record of an entry."""
    return [record for record in place.records("brats") if record["entry"]["name"] == name][-1]


def standings(place: Workplace) -> list[dict[str, Any]]:
    """Return the rows of the only board, as the site offers them."""
    path = next((place.root / "site" / "brats").glob("*/standings.json"))
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return rows


def columns_of(place: Workplace, record: dict[str, Any]) -> list[float]:
    """Return what one entry has in the ranked columns, higher is better, on the one test case."""
    frame = pd.read_parquet(place.root / "runs" / "brats" / record["run_id"] / "cases.parquet")
    row = frame[frame["half"] == "test"].iloc[0]
    assert row["case"] == PATIENT
    return [row[key] if key.startswith("dice") else -row[key] for key in RANKED]


def test_the_five_real_algorithms_are_ranked_case_by_case(board: Workplace) -> None:
    """Against the consensus, which has no enhancing tumour: the two that see some come last."""
    records = {record["entry"]["name"]: record for record in board.records("brats")}
    found = {name: records[name]["test"]["metrics"] for name in ALGORITHMS}
    seeing = {name for name in ALGORITHMS if found[name]["dice_et"]["value"] == 0}
    by_rank = [row["entry"] for row in standings(board) if row["section"] == "ranked"]

    assert seeing == {"hnfnetv1", "sanet0"}
    for name in ALGORITHMS:
        expected = (0.0, 373.1286641361127) if name in seeing else (1.0, 0.0)
        assert (found[name]["dice_et"]["value"], found[name]["hd95_et"]["value"]) == expected
    assert set(by_rank[3:]) == seeing
    assert by_rank[0] == "isen"


def test_the_rank_scores_are_those_of_the_rule(board: Workplace) -> None:
    """The mean of the entries' ranks in six columns, ties shared, divided by their number."""
    records = {record["entry"]["name"]: record for record in board.records("brats")}
    table = np.array([columns_of(board, records[name]) for name in ALGORITHMS])
    expected = rankdata(-table, axis=0).mean(axis=1) / len(ALGORITHMS)
    shown = {row["entry"]: row["test_rank_score"] for row in standings(board) if row["section"] == "ranked"}

    assert [shown[name] for name in ALGORITHMS] == pytest.approx(expected, abs=1e-12)


def test_a_board_and_a_pair_of_files_give_the_same_numbers(board: Workplace) -> None:
    """Every metric, bit for bit, of a file, a folder and a zip."""
    truth = real_data("brats") / PATIENT / "fusion_mav.nii.gz"
    for record in board.records("brats"):
        if (name := record["entry"]["name"]) not in ("hnfnetv1", "isen", "scan"):
            continue
        words = (f"predictions={algorithm(name)}", f"truth={truth}", "edition=2020")
        text = board.harness(*SCORE, *words)
        on_board = {key: interval["value"] for key, interval in record["test"]["metrics"].items()}
        assert {"dice": text_value(text, "dice"), **printed(text)} == on_board
        assert (
            "HD95 (edition 2020): 95th percentile (linear) of the distances of both directions pooled" in text
        )


def test_a_folder_that_was_scored_stands(board: Workplace) -> None:
    """Its content decides, not the name or the time."""
    before = len(board.records("brats"))
    shutil.copytree(board.root / "isen", board.root / "again")
    words = ("data=data", "predictions=again", "team=isen", "name=isen", "title=Prediction folder isen")
    assert "Already scored" in board.harness(*SCORE, *words)
    assert len(board.records("brats")) == before


def test_what_is_written_beside_the_record_is_scored_as_the_same(board: Workplace) -> None:
    """output_test.zip of a run has the numbers of the file that it was made from."""
    record = newest(board, "hnfnetv1")
    path = board.root / "runs" / "brats" / record["run_id"] / "predictions" / "output_test.zip"
    truth = board.root / "truth"
    truth.mkdir()
    shutil.copy(real_data("brats") / PATIENT / "fusion_mav.nii.gz", truth / f"{PATIENT}_seg.nii.gz")
    text = board.harness(*SCORE, f"predictions={path}", "truth=truth")

    found = {"dice": text_value(text, "dice"), **printed(text)}
    assert found == {key: interval["value"] for key, interval in record["test"]["metrics"].items()}


def test_the_test_half_shows_no_case(board: Workplace) -> None:
    """A sealed half has no panel; the reference's out-of-fold half names its worst case."""
    for name in ALGORITHMS:
        assert newest(board, name)["test"]["panel"] == {}
    reference = newest(board, "no_tumour")
    assert reference["cv"]["panel"]["worst"]["rows"][0][0] == "BraTS-GLI-00001-000"


def test_the_mask_under_another_header_is_refused(board: Workplace) -> None:
    """With a sentence that says what differs and what to do; nothing is written."""
    glioma = real_data("brats") / "BraTS-GLI-00001-000"
    before = len(board.records("brats"))
    words = (f"predictions={glioma / 'seg-BraTS23_1_mapped.nii.gz'}", "edition=2020")
    text = board.harness(*SCORE, *words, f"truth={glioma / 'seg-bratstoolkit_isen.nii.gz'}", code=2)

    assert "has the orientation RAS, case seg-bratstoolkit_isen LPS: reorient it" in text
    assert "Traceback" not in text
    assert len(board.records("brats")) == before
    text = board.harness(*SCORE, "data=data", words[0], code=2)
    assert f"has the orientation RAS, case {PATIENT} LPS" in text


@pytest.mark.parametrize(
    ("edition", "prediction", "truth", "said"),
    [
        (
            "2020",
            "seg-BraTS23_1",
            "seg-bratstoolkit_isen",
            "holds the label 3; edition=2020 knows 0, 1, 2, 4",
        ),
        (
            "2023",
            "seg-bratstoolkit_isen",
            "seg-BraTS23_1",
            "holds the label 4; edition=2023 knows 0, 1, 2, 3",
        ),
    ],
)
def test_the_edition_decides_the_coding(
    workplace: Workplace, edition: str, prediction: str, truth: str, said: str
) -> None:
    """A real mask of the other coding is refused, on either side."""
    glioma = real_data("brats") / "BraTS-GLI-00001-000"
    paths = [glioma / f"{name}.nii.gz" for name in (prediction, truth)]
    words = (f"predictions={paths[0]}", f"truth={paths[1]}", f"edition={edition}")
    assert f"{paths[0]} {said}" in workplace.harness(*SCORE, *words, code=2)
    turned = (f"predictions={paths[1]}", f"truth={paths[0]}", f"edition={edition}")
    assert f"{paths[0]} {said}" in workplace.harness(*SCORE, *turned, code=2)
