"""A named file is read only if it is plain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.safe_open import read_bytes, read_text


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    """The bytes come back, up to exactly the limit."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"12345")
    assert read_bytes(path, limit=5) == b"12345"


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """One byte over the limit is an error."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"123456")
    with pytest.raises(UserError, match=r"a\.csv is larger than 5 bytes"):
        read_bytes(path, limit=5)


def test_a_file_that_lies_about_its_size_is_refused() -> None:
    """A file that reports no size but gives bytes is held to the limit all the same."""
    with pytest.raises(UserError, match="larger than 10 bytes"):
        read_bytes(Path("/proc/self/status"), limit=10)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    """A link to the sealed truth is not followed."""
    (tmp_path / "groundtruth.csv").write_text("secret")
    (tmp_path / "output.csv").symlink_to("groundtruth.csv")
    with pytest.raises(UserError, match="symbolic link"):
        read_bytes(tmp_path / "output.csv")


def test_a_hard_link_is_refused(tmp_path: Path) -> None:
    """A second name of the sealed truth is not read."""
    (tmp_path / "groundtruth.csv").write_text("secret")
    os.link(tmp_path / "groundtruth.csv", tmp_path / "output.csv")
    with pytest.raises(UserError, match="2 hard links"):
        read_bytes(tmp_path / "output.csv")


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """A pipe that nobody writes to does not block."""
    os.mkfifo(tmp_path / "output.csv")
    with pytest.raises(UserError, match="not a regular file"):
        read_bytes(tmp_path / "output.csv")


@pytest.mark.parametrize("name", [".", "missing.csv"])
def test_a_folder_or_nothing_is_refused(tmp_path: Path, name: str) -> None:
    """What is no file is an error in one sentence."""
    with pytest.raises(UserError, match=r"not a regular file|does not exist"):
        read_bytes(tmp_path / name)


def test_a_device_is_refused() -> None:
    """A device that never ends is not read."""
    with pytest.raises(UserError, match="not a regular file"):
        read_bytes(Path("/dev/zero"))


def test_text_is_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    """A byte order mark is dropped; other encodings are refused with the place."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfIndex")
    assert read_text(path) == "Index"
    path.write_bytes("Index;é".encode("latin-1"))
    with pytest.raises(UserError, match=r"not UTF-8 text \(byte 6\)"):
        read_text(path)
