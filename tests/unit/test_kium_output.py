"""output.csv: read by Index, written with every digit, scored by position as the organisers did."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from challenges.kium import scorer
from challenges.kium.columns import HEADER, LOCATIONS
from harness.contracts import Case, CaseSet
from harness.errors import UserError

IDS = ("1003", "1009", "1012", "1040")


def cases_of(ids: Iterable[str]) -> CaseSet:
    """Return cases without files."""
    return CaseSet(tuple(Case(i, i, ()) for i in ids), None)


CASES = cases_of(IDS)


def write(path: Path, rows: list[list[str]], header: tuple[str, ...] = HEADER) -> Path:
    """Write a prediction file as it is given."""
    path.write_text("\n".join(",".join(cells) for cells in [list(header), *rows]) + "\n")
    return path


def rows(ids: tuple[str, ...] = IDS) -> list[list[str]]:
    """Return well-formed rows, to spoil."""
    return [[index, f"0.{k + 1}", *["0"] * 20, str(k % 2)] for k, index in enumerate(ids)]


def problems(path: Path) -> str:
    """Read what must be refused and return the words."""
    with pytest.raises(UserError) as error:
        scorer.read_predictions(path, CASES)
    return str(error.value)


def test_rows_are_matched_by_index(tmp_path: Path) -> None:
    """A file in any order gives the predictions in the order of the cases."""
    shuffled = [rows()[k] for k in (2, 0, 3, 1)]
    found = scorer.read_predictions(write(tmp_path / "output.csv", shuffled), CASES)
    assert found["aneurysm"].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert found["locations"][:, -1].tolist() == [0, 1, 0, 1]
    assert (found["locations"].dtype, found["locations"].shape) == (np.uint8, (4, 21))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12))
def test_what_is_written_is_read_back_bit_by_bit(seed: int, n: int, tmp_path_factory: Any) -> None:
    """No digit of a probability is lost, and integers stay integers."""
    rng = np.random.default_rng(seed)
    ids = tuple(str(1000 + i) for i in rng.permutation(n))
    predictions = {"aneurysm": rng.random(n) ** 9, "locations": rng.integers(0, 2, (n, 21))}
    path = tmp_path_factory.mktemp("out") / "output.csv"
    scorer.write_predictions(path, cases_of(ids), predictions)
    found = scorer.read_predictions(path, cases_of(ids))
    assert (found["aneurysm"] == predictions["aneurysm"]).all()
    assert (found["locations"] == predictions["locations"]).all()


def test_the_file_has_the_organisers_form(tmp_path: Path) -> None:
    """23 columns, plain numbers, integer locations, one line feed a row."""
    predictions = {"aneurysm": np.array([0.1 + 0.2], dtype=np.float64), "locations": np.eye(21)[:1]}
    scorer.write_predictions(tmp_path / "output.csv", cases_of(["1003"]), predictions)
    assert (tmp_path / "output.csv").read_bytes() == (
        f"{','.join(HEADER)}\n1003,0.30000000000000004,1{',0' * 20}\n".encode()
    )


@pytest.mark.parametrize("cell", ["0", "1", "0.0", "1.0", "1.", " 1", "1e-5", "1e0", ".25", "+0.5", "-0.0"])
def test_ordinary_spellings_of_a_probability_are_read(tmp_path: Path, cell: str) -> None:
    """Whatever a spreadsheet or pandas writes for a number in [0, 1] is read."""
    table = rows()
    table[1][1] = cell
    found = scorer.read_predictions(write(tmp_path / "output.csv", table), CASES)
    assert found["aneurysm"][1] == float(cell)


@pytest.mark.parametrize("cell", ["0.0", "1.0"])
def test_a_location_may_be_written_as_a_float(tmp_path: Path, cell: str) -> None:
    """0.0 and 1.0 are 0 and 1."""
    table = rows()
    table[1][2] = cell
    found = scorer.read_predictions(write(tmp_path / "output.csv", table), CASES)
    assert found["locations"][1, 0] == float(cell)


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        (1, "1.01", "line 3, column Aneurysm: '1.01' is not a number from 0 to 1"),
        (1, "-0.1", "line 3, column Aneurysm"),
        (1, "nan", "line 3, column Aneurysm: 'nan'"),
        (1, "inf", "line 3, column Aneurysm"),
        (1, "1e999", "line 3, column Aneurysm"),
        (1, "", "line 3, column Aneurysm: ''"),
        (1, "0,5", "line 3: 24 values instead of 23"),
        (2, "0.5", "line 3, column L_ICA: '0.5' is not 0 or 1"),
        (22, "2", "line 3, column R_PCA: '2' is not 0 or 1"),
        (20, "True", "line 3, column BA: 'True' is not 0 or 1"),
        (0, "1003", "line 3: Index 1003 was given before, in line 2"),
        (0, "1777", "line 3: Index 1777 is not asked for"),
        (0, "1777", "Index 1009 is missing"),
        (0, "../x", "line 3, column Index: '../x' is not four digits"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, column: int, cell: str, problem: str) -> None:
    """Every wrong, doubled, extra and missing value is named by line and column."""
    table = rows()
    table[1][column] = cell
    assert problem in problems(write(tmp_path / "output.csv", table))


def test_missing_rows_are_all_named(tmp_path: Path) -> None:
    """A file that leaves cases out is refused, never scored on the rest."""
    text = problems(write(tmp_path / "output.csv", rows()[:2]))
    assert "(2 found)" in text
    assert "Index 1012 is missing" in text
    assert "Index 1040 is missing" in text


def test_a_header_alone_misses_everything(tmp_path: Path) -> None:
    """A file without rows names every case."""
    assert "(4 found)" in problems(write(tmp_path / "output.csv", []))


def test_other_columns_are_refused(tmp_path: Path) -> None:
    """The 23 columns in their order, and nothing else."""
    swapped = ("Index", "Aneurysm", LOCATIONS[1], LOCATIONS[0], *LOCATIONS[2:])
    assert "column 3 is R_ICA and must be L_ICA" in problems(write(tmp_path / "output.csv", rows(), swapped))


def test_a_link_to_the_truth_is_not_read(tmp_path: Path) -> None:
    """A prediction file that is a link to the sealed truth is refused."""
    write(tmp_path / "groundtruth.csv", rows())
    (tmp_path / "output.csv").symlink_to(tmp_path / "groundtruth.csv")
    assert "symbolic link" in problems(tmp_path / "output.csv")


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    """A file beyond 16 MB is refused by its size."""
    with (tmp_path / "output.csv").open("wb") as file:
        file.truncate((16 << 20) + 1)
    assert "larger than 16 MB" in problems(tmp_path / "output.csv")


def organisers(truth: Path, output: Path) -> tuple[float, float]:
    """Return the organisers' pair from their two published formulas."""
    gt, out = pd.read_csv(truth), pd.read_csv(output)
    wrong = np.abs(gt[list(LOCATIONS)].to_numpy() - out[list(LOCATIONS)].to_numpy()).sum()
    return float(roc_auc_score(gt["Aneurysm"], out["Aneurysm"])), 1 - wrong / (len(gt) * 21)


@pytest.mark.parametrize("seed", range(5))
def test_the_positional_pair_is_the_organisers(tmp_path: Path, seed: int) -> None:
    """Row k is compared with row k, whatever its Index; in the truth's order it is the official pair."""
    rng = np.random.default_rng(seed)
    ids = [str(1001 + i) for i in range(50)]
    places = rng.integers(0, 12, (50, 21)) == 0
    truth = {"aneurysm": places.any(axis=1).astype(int), "locations": places.astype(np.uint8)}
    guess = {"aneurysm": np.round(rng.random(50), 2), "locations": (rng.random((50, 21)) < 0.1).astype(int)}
    answer, output, moved = (tmp_path / name for name in ("groundtruth.csv", "output.csv", "moved.csv"))
    scorer.write_predictions(answer, cases_of(ids), truth)
    scorer.write_predictions(output, cases_of(ids), guess)
    order = rng.permutation(50)
    scorer.write_predictions(
        moved, cases_of(ids[i] for i in order), {key: array[order] for key, array in guess.items()}
    )

    official = scorer.score(scorer.read_truth(answer, ids), scorer.read_predictions(output, cases_of(ids)))
    pair = (float(official["auroc_aneurysm"]), float(official["location_accuracy"]))
    np.testing.assert_allclose(pair, organisers(answer, output), rtol=0, atol=1e-15)
    assert scorer.positional(answer, output) == pair
    np.testing.assert_allclose(
        scorer.positional(answer, moved), organisers(answer, moved), rtol=0, atol=1e-15
    )
    assert scorer.positional(answer, moved) != pair
    by_index = scorer.score(scorer.read_truth(answer, ids), scorer.read_predictions(moved, cases_of(ids)))
    assert float(by_index["auroc_aneurysm"]) == pair[0]


def test_tables_of_different_length_have_no_positional_pair(tmp_path: Path) -> None:
    """Row against row needs as many rows."""
    truth = {"aneurysm": np.array([0, 1]), "locations": np.eye(21, dtype=int)[[0, 1]] * [[0], [1]]}
    scorer.write_predictions(tmp_path / "groundtruth.csv", cases_of(["1001", "1002"]), truth)
    write(tmp_path / "output.csv", rows())
    with pytest.raises(UserError, match="has 4 rows; the truth has 2"):
        scorer.positional(tmp_path / "groundtruth.csv", tmp_path / "output.csv")
