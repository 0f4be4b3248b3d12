"""What an entry may use: time, memory, processes, disk and output end it with a typed reason, and harm nobody."""

from __future__ import annotations

import glob
import os
import secrets
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import mounts
from harness.contracts import FailureKind, Isolation

if TYPE_CHECKING:
    from .conftest import Arena


def running(token: str) -> list[str]:
    """Return the processes of this machine whose command line holds a token."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with suppress(OSError), open(path, "rb") as file:
            if token.encode() in file.read():
                found.append(path)
    return found


def gone(token: str, seconds: float = 2.0) -> bool:
    """Wait until no process with a token is left."""
    until = time.monotonic() + seconds
    while running(token):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make private folders in a place that nobody else uses."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_hang_times_out_with_its_children(arena: Arena) -> None:
    """A fold that ignores every signal and has sleeping children is gone when its time is over."""
    token = f"medal-hang-{secrets.token_hex(4)}"
    outcome = arena.attack("hang", token.encode(), wall_seconds=1.0)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.TIMEOUT
    assert outcome.failure.reason == "it ran longer than 1 s"
    assert outcome.seconds < 3.0
    assert gone(token)


def test_a_daemon_does_not_outlive_its_fold(arena: Arena) -> None:
    """A daemon with a session of its own and no descriptors ends with the fold that left it."""
    token = f"medal-daemon-{secrets.token_hex(4)}"
    assert arena.attack("daemon", token.encode()).failure is None
    assert gone(token)


def test_a_huge_array_is_a_memory_failure(arena: Arena) -> None:
    """Asking for 100 GB fails at once, as want of memory."""
    outcome = arena.attack("huge_array", expected={"score": ((1,), "float")})
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.MEMORY
    assert "attacks.py" in outcome.failure.reason


@pytest.mark.parametrize("name", ["many_arrays", "shared_memory"])
def test_memory_of_the_whole_tree_is_limited(arena: Arena, name: str) -> None:
    """Private memory of several processes together, and shared memory, end the fold near the limit."""
    limit = 500 << 20
    outcome = arena.attack(name, memory_bytes=limit)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.MEMORY
    assert outcome.failure.reason == "it used more than 500 MiB of memory"
    assert limit < outcome.peak_memory_bytes < 3 * limit


def test_memory_that_is_nobodys_cannot_be_had(arena: Arena) -> None:
    """Files in memory and System V segments, which no process's size shows, do not exist."""
    if mounts.gpu_nodes():
        pytest.skip("files in memory are allowed where a GPU's driver may need them")
    outcome = arena.attack("hidden_memory")
    assert outcome.failure is None
    assert outcome.events == ()


@pytest.mark.parametrize("name", ["fork_bomb", "patient_fork_bomb", "thread_bomb"])
def test_bombs_are_a_processes_failure(arena: Arena, name: str) -> None:
    """Forks and threads without end are stopped, and the machine can still start processes."""
    outcome = arena.attack(name, processes=32)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.PROCESSES, outcome
    assert outcome.seconds < 15
    assert os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1] == 0


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_a_full_temporary_folder_is_a_disk_failure(jail: Arena, folder: str) -> None:
    """Writing without end to a temporary folder fails at its size."""
    outcome = jail.attack("fill_disk", folder.encode())
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.DISK
    assert "No space left" in outcome.failure.reason


def test_both_temporary_folders_share_one_limit(jail: Arena) -> None:
    """/tmp and /dev/shm together hold no more than the limit."""
    outcome = jail.attack("fill_both", disk_bytes=32 << 20)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.DISK
    assert 28 << 20 <= outcome.events[0]["written"] <= 32 << 20


def test_inodes_are_limited(jail: Arena) -> None:
    """Empty files without end are stopped as well."""
    outcome = jail.attack("fill_inodes")
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.DISK


@pytest.mark.parametrize("name", ["fill_disk", "fill_inodes"])
def test_without_a_tmpfs_the_supervisor_limits_the_disk(reduced: Arena, temporary: Path, name: str) -> None:
    """What a fold writes to its private folder is measured, ended, and removed."""
    outcome = reduced.attack(name)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.DISK
    assert list(temporary.iterdir()) == []


def test_any_tree_is_removed(reduced: Arena, temporary: Path) -> None:
    """A private folder with 1200 levels and closed folders is removed all the same."""
    assert reduced.attack("deep_tree").failure is None
    assert list(temporary.iterdir()) == []
    reduced.honest()


def test_a_flood_of_text_is_an_output_failure(arena: Arena) -> None:
    """Printing without end is ended, and the log keeps no more than the limit."""
    outcome = arena.attack("flood")
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.OUTPUT
    assert 0 < len(outcome.log) <= 1 << 20


def test_a_flood_of_events_is_an_output_failure(arena: Arena) -> None:
    """Events count at least 256 bytes each, so that empty ones are limited too."""
    outcome = arena.attack("flood_events")
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.OUTPUT
    assert len(outcome.events) <= (1 << 20) // 256


@pytest.mark.parametrize(("name", "payload", "signal_name"), [
    ("segfault", b"", "SIGSEGV"), ("abort", b"", "SIGABRT"),
    ("end_by_signal", b"%d" % signal.SIGKILL, "SIGKILL"), ("end_by_signal", b"%d" % signal.SIGBUS, "SIGBUS"),
    ("end_by_signal", b"%d" % signal.SIGTERM, "SIGTERM"),
])  # fmt: skip
def test_a_death_by_signal_is_named(arena: Arena, name: str, payload: bytes, signal_name: str) -> None:
    """A fold that a signal ended says which."""
    outcome = arena.attack(name, payload)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.KILLED
    assert signal_name in outcome.failure.reason


@pytest.mark.parametrize("code", [0, 3])
def test_leaving_without_predictions_is_an_error(arena: Arena, code: int) -> None:
    """A fold that exits by itself before it returned anything failed, whatever its code."""
    outcome = arena.attack("leave", b"%d" % code)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.ERROR
    assert outcome.failure.reason == f"it exited with code {code} before it returned predictions"


@pytest.mark.parametrize(("error", "kind"), [
    (ValueError("bad\x1b[31m value\nsecond line"), FailureKind.ERROR),
    (MemoryError(), FailureKind.MEMORY),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), FailureKind.MEMORY),
    (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), FailureKind.MEMORY),
    (OSError(28, "No space left on device"), FailureKind.DISK),
    (BlockingIOError(11, "Resource temporarily unavailable"), FailureKind.PROCESSES),
    (RuntimeError("can't start new thread"), FailureKind.PROCESSES),
    (KeyboardInterrupt(), FailureKind.ERROR),
])  # fmt: skip
def test_what_was_raised_has_a_kind(jail: Arena, error: BaseException, kind: FailureKind) -> None:
    """An exception becomes one plain sentence with its type, message, file and line; the log has the traceback."""
    import pickle

    outcome = jail.attack("raise_error", pickle.dumps(error))
    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert outcome.failure.reason.startswith(type(error).__name__)
    assert "(attacks.py:" in outcome.failure.reason
    assert "\n" not in outcome.failure.reason
    assert "\x1b" not in outcome.failure.reason + outcome.log
    assert "Traceback" in outcome.log


def test_a_wrapped_memory_error_is_still_one(jail: Arena) -> None:
    """An exception raised from want of memory counts as want of memory."""
    outcome = jail.attack("raise_from", MemoryError())
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.MEMORY


def test_sys_exit_is_an_error(arena: Arena) -> None:
    """Leaving with sys.exit(0) does not count as a result."""
    outcome = arena.attack("system_exit", expected={"score": ((1,), "float")})
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.ERROR
    assert outcome.failure.reason.startswith("SystemExit: 0")


def test_the_modes_are_what_they_say(jailed: Arena, reduced: Arena) -> None:
    """The two arenas run under different isolations."""
    assert (jailed.mode, reduced.mode) == (Isolation.BUBBLEWRAP, Isolation.REDUCED)
