"""Records are whole or absent, at full precision, and never change."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UserError
from harness.records import atomic_folder, dump, load, parse, plain, write_atomic
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
    hostile = dataclasses.replace(record(), command="\ud800")

    assert parse(dump(hostile).encode("utf-8").decode()).command == "?"


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
