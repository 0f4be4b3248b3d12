"""A sealed challenge from the command line: CV ranks, looks are written down, nothing sealed is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Workplace
from tests.toy import CARD, write_toy

LIMITS = "deadline: {deadline}\nsealed: {{until: {until}, looks: 1}}\n"
WORDS = ("challenge=toy", "folds=2", "jobs=1", "sandbox=off")


def limit(place: Workplace, deadline: str, until: str) -> None:
    """Give the toy challenge its limits."""
    text = CARD + LIMITS.format(deadline=deadline, until=until)
    (place.root / "challenges/toy/challenge.yaml").write_text(text)


@pytest.fixture
def real(workplace: Workplace) -> tuple[Workplace, str]:
    """The toy challenge with phantom patients handed in as the organiser's own data."""
    write_toy(workplace.root)
    workplace.harness("run", *WORDS)
    folder = Path(
        shutil.copytree(next((workplace.root / "prepared/toy").glob("phantom-*")), workplace.root / "real")
    )
    (folder / "test/test000.txt").write_text("1.5")
    return workplace, f"data={folder}"


def test_a_sealed_challenge_from_the_first_run_to_the_opening(real: tuple[Workplace, str]) -> None:
    """Before the date the score is in the record alone, and in the one look; after it, on the board."""
    place, data = real
    limit(place, "2199-01-01T00:00Z", "2199-01-01T09:00+09:00")
    printed = place.harness("run", *WORDS, data)
    (record,) = [
        r for r in place.records("toy") if r["entry"]["route"] == "code" and not r["data"]["phantom"]
    ]
    value = repr(record["test"]["metrics"]["auroc"]["value"])

    assert "sealed until 1 Jan 2199, 09:00 UTC+09:00" in " ".join(printed.split())
    assert "The clock here: " in printed
    assert holders(place.root / "site", value) == []
    refused = place.harness("export", "challenge=toy", code=2)
    assert "Type private=true" in refused
    assert "1 files" not in refused
    place.harness("export", "challenge=toy", "private=true")

    look = place.harness("look", record["run_id"], "challenge=toy")
    assert value in look
    assert "Look 1 of 1 of team T." in look
    assert holders(place.root / "site", value) == []
    second = place.harness("run", *WORDS, data, "model.strength=2.0")
    assert value not in second
    newest = sorted(place.records("toy"), key=lambda r: r["finished"])[-1]
    assert "has taken 1 of 1 looks" in place.harness("look", newest["run_id"], "challenge=toy", code=2)
    lines = (place.root / "runs/toy/looks.jsonl").read_text().splitlines()
    assert [json.loads(line)["run_id"] for line in lines] == [record["run_id"]]

    limit(place, "2020-01-01T00:00Z", "2020-01-01T00:00Z")
    opened = place.harness("leaderboard", "challenge=toy")
    assert "Late: handed in" in " ".join(opened.split())
    assert holders(place.root / "site", value) != []


def holders(site: Path, value: str) -> list[str]:
    """Return the files of a site that hold a number."""
    return [str(p) for p in site.rglob("*") if p.is_file() and value.encode() in p.read_bytes()]
