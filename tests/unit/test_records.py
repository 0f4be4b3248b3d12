"""Records are whole or absent, at full precision, and never change."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.atomic import atomic_folder, write_atomic
from harness.errors import UserError
from harness.records import dump, load, parse, plain
from tests.leaderboard_fakes import record


def test_a_record_reads_back_equal() -> None:
    """parse(dump(record)) is the record, to the last digit."""
    original = dataclasses.replace(record(), seconds=0.1 + 0.2)

    assert dump(original) == dump(parse(dump(original)))
    assert parse(dump(original)).seconds == 0.1 + 0.2


def test_nan_is_null_and_never_a_token_that_browsers_refuse() -> None:
    """NaN and infinities become null, also inside arrays."""
    assert plain({"a": math.nan, "b": np.array([1.0, np.inf])}) == {"a": None, "b": [1.0, None]}


def test_a_lone_surrogate_does_not_stop_a_record() -> None:
    """Hostile text is written as text that can be read back."""
    hostile = dataclasses.replace(record(), command="\ud800", provenance={"\ud800": 1})

    found = parse(dump(hostile).encode())

    assert (found.command, found.provenance) == ("?", {"?": 1})


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """An error inside the block leaves nothing behind."""
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "run") as folder:
        (folder / "part").write_text("x")
        raise RuntimeError

    assert [] == list(tmp_path.iterdir())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """No temporary file stays."""
    write_atomic(tmp_path / "a", b"1")
    write_atomic(tmp_path / "a", b"2")

    assert [b"2"] == [path.read_bytes() for path in tmp_path.iterdir()]


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"schema": 999}), "[]"])
def test_what_is_no_record_is_refused_by_path(tmp_path: Path, content: str) -> None:
    """The sentence says which file and what to do."""
    (tmp_path / "record.json").write_text(content)
    with pytest.raises(UserError, match="record.json is not a run record"):
        load(tmp_path)


def at(path: str, value: object) -> str:
    """Return a record's JSON with one field, named by a dotted path, set to a value."""
    content = json.loads(dump(record()))
    place: Any = content
    *outer, last = path.split(".")
    for key in outer:
        place = place[int(key) if isinstance(place, list) else key]
    place[last] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("entry.route", "Code"),
        ("entry.team", 7),
        ("entry.name", None),
        ("entry.title", ["a"]),
        ("entry.parameters", 1.5),
        ("entry.settings", []),
        ("state", "done"),
        ("state", ["complete"]),
        ("isolation", "firejail"),
        ("isolation", None),
        ("seconds", None),
        ("seconds", True),
        ("seconds", 10**400),
        ("n_folds", "10"),
        ("finished", 20261120),
        ("failures", [1]),
        ("entry.overrides", "seed=1"),
        ("test.metrics", ["auroc_aneurysm"]),
        ("test.metrics.auroc_aneurysm.value", "0.99"),
        ("test.metrics.auroc_aneurysm.value", math.nan),
        ("test.metrics.auroc_aneurysm.low", math.inf),
        ("test.metrics.auroc_aneurysm", 0.99),
        ("test.n_scored", 50.0),
        ("test.panel", "x"),
        ("test.positional", {"auroc_aneurysm": "x"}),
        ("test", 3),
        ("cells.0.metrics", None),
        ("cells.0.metrics", {"auroc_aneurysm": math.inf}),
        ("cells.0.state", "complete"),
        ("cells", {}),
        ("data.phantom", 1),
        ("data.truth_digest", None),
        ("challenge", "kium"),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(tmp_path: Path, path: str, value: object) -> None:
    """Whatever was edited in a record, the sentence names the file, and nothing ends in a traceback."""
    (tmp_path / "record.json").write_text(at(path, value))
    with pytest.raises(UserError, match=r"record\.json is not a run record \(.+\)\. Move the folder out"):
        load(tmp_path)


def test_what_a_record_may_leave_undefined_is_read() -> None:
    """None is a value of a metric, whole numbers are numbers, old records name no truth, later ones more."""
    for path, value in (("test.metrics.auroc_aneurysm.value", None), ("seconds", 3), ("cv", None)):
        assert parse(at(path, value)).run_id == record().run_id
    assert parse(at("test.positional", {"auroc_aneurysm": None})).test is not None
    old = json.loads(dump(record()))
    del old["data"]["truth_digest"]
    assert parse(json.dumps(old)).data.truth_digest == ""
    assert parse(at("of_a_later_harness", 1)).run_id == record().run_id


def test_a_record_nested_too_deep_is_refused(tmp_path: Path) -> None:
    """A file made to exhaust the reader is a user error."""
    (tmp_path / "record.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not a run record"):
        load(tmp_path)
