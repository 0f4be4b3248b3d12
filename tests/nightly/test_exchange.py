"""A run reproduced, its challenge archived and read back elsewhere, then scored again by another scorer."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from tests.conftest import Workplace
from tests.toy import write_toy


def site(place: Workplace) -> dict[str, bytes]:
    """Return every visible file of a site."""
    root = place.root / "site"
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("[!.]*") if p.is_file()}


def toy_place(root: Path) -> Workplace:
    """Return a working folder with the toy challenge."""
    root.mkdir(exist_ok=True)
    write_toy(root)
    return Workplace(root)


def test_reproduce_export_import_rescore(tmp_path: Path) -> None:
    """The badge comes from a comparison, the archive gives the same site, a new scorer keeps the old board."""
    place = toy_place(tmp_path / "one")
    place.harness("run", "challenge=toy", "folds=2", "model.noise=1.0", "sandbox=off")
    run = next(r for r in place.records("toy") if r["entry"]["route"] == "code")
    run_id = run["run_id"]
    folder = place.root / "runs/toy" / run_id

    one_fold = place.harness("reproduce", run_id, "challenge=toy", "fold=1", "sandbox=off")
    assert "Reproduced exactly, 1 of 2 folds" in one_fold
    printed = place.harness("reproduce", run_id, "challenge=toy", "sandbox=off")
    assert "400 predictions compared" in printed
    assert "Reproduced exactly." in printed
    board = next(path for path in (place.root / "site/toy").glob("phantom-*/index.html"))
    assert "reproduced exactly" in board.read_text()
    assert not list((place.root / "runs/toy").glob(".reproducing-*"))

    place.harness("export", "challenge=toy", "to=toy.zip", "private=true")
    with zipfile.ZipFile(place.root / "toy.zip") as archive:
        names = archive.namelist()
    assert f"runs/{run_id}/predictions/test.npz" in names
    assert not [name for name in names if "log/" in name or "truth" in name]
    other = toy_place(tmp_path / "two")
    assert "3 runs" not in other.harness("import", str(place.root / "toy.zip"))
    assert site(place) == site(other)
    assert "were there already" in other.harness("import", str(place.root / "toy.zip"))

    # Another number in the record: no badge, by the board at once, and by a comparison.
    record = json.loads((folder / "record.json").read_text())
    record["test"]["metrics"]["auroc"]["value"] = 0.999
    (folder / "record.json").write_text(json.dumps(record))
    place.harness("leaderboard", "challenge=toy")
    assert "reproduced" not in board.read_text()
    assert "it was altered" in place.harness("reproduce", run_id, "challenge=toy", "sandbox=off", code=1)
    assert "reproduced" not in board.read_text()
    refused = place.harness("import", "toy.zip", code=2)
    assert "Nothing was imported" in refused

    # Another scorer: the same predictions, scored again; the board of before stays.
    scorer = other.root / "challenges/toy/scorer.py"
    scorer.write_text(scorer.read_text().replace('["label"], counts)}', '["label"], counts) * 0.5}'))
    assert "Scored again: 1." in other.harness("rescore", "challenge=toy")
    assert "Scored again: 0. Already scored so: 1." in other.harness("rescore", "challenge=toy")
    again = [r for r in other.records("toy") if r["origin"] == run_id]
    assert len(again) == 1
    assert again[0]["test"]["metrics"]["auroc"]["value"] == run["test"]["metrics"]["auroc"]["value"] / 2
    assert again[0]["cells"][0]["metrics"]["auroc"] == run["cells"][0]["metrics"]["auroc"] / 2
    assert len(list((other.root / "site/toy").glob("*-before-*/index.html"))) == 1
    assert (other.root / "runs/toy" / again[0]["run_id"] / "folds.csv").is_file()
    changed = other.root / "challenges/toy/baseline.py"
    changed.write_text(changed.read_text() + "\n")
    said = other.harness("reproduce", again[0]["run_id"], "challenge=toy", "sandbox=off", code=2)
    assert "are not those of run" in said
