"""What an entry can read, write and leave behind: nothing but its inputs, nowhere but its own temporary folder."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import harness

if TYPE_CHECKING:
    from .conftest import Arena

SECRET = "token-of-the-parent-0xC0FFEE"
SEALED = "sealed labels: 0 1 1 0"


def test_sealed_labels_cannot_be_read_by_any_path(arena: Arena) -> None:
    """No path leads to the sealed labels: absolute, with dots, or through another process's root or cwd."""
    dotted = str(arena.inputs / ".." / "sealed" / "labels.txt")
    outcome = arena.attack("read_files", [str(arena.sealed / "labels.txt"), dotted])
    assert outcome.failure is None
    assert outcome.events == ()


def test_the_same_attack_reads_the_labels_where_nothing_holds_it(unconfined: Arena) -> None:
    """Without isolation the attack on the sealed labels succeeds, so it is a real one."""
    outcome = unconfined.attack("read_files", [str(unconfined.sealed / "labels.txt")])
    assert any(event["got"] == SEALED for event in outcome.events)


def test_inputs_can_be_read(arena: Arena) -> None:
    """The folders of the spec are visible at their own place, also below /tmp."""
    outcome = arena.attack("read_files", [str(arena.inputs / "image.txt")])
    assert {event["got"] for event in outcome.events} == {"an input"}


def test_the_machine_s_own_files_cannot_be_read(arena: Arena) -> None:
    """Accounts, keys, the rest of the working folder and of the home folder are out of sight."""
    home, root = Path.home(), Path(harness.__file__).parents[1]
    paths = [
        "/etc/shadow",
        "/etc/hostname",
        "/etc/fstab",
        "/root/.bashrc",
        str(home / ".bashrc"),
        "/var/log/dpkg.log",
    ]
    paths += [
        str(root / "pyproject.toml"),
        str(root / "README.md"),
        str(root / ".git" / "HEAD"),
        "/proc/kcore",
    ]
    outcome = arena.attack("read_files", paths)
    assert [event["path"] for event in outcome.events] == []


def test_a_planted_link_leads_nowhere(arena: Arena) -> None:
    """A symbolic link to the sealed labels does not return them as predictions."""
    outcome = arena.attack("read_by_symlink", str(arena.sealed / "labels.npy"), {"score": ((3,), "float")})
    assert outcome.arrays is None
    assert outcome.failure is not None
    assert "Error" in outcome.failure.reason


def test_files_cannot_be_opened_by_handle(arena: Arena) -> None:
    """Opening by inode, which passes every mount, is refused."""
    outcome = arena.attack("read_by_handle")
    assert outcome.events[0]["got"] == -1
    assert outcome.events[0]["errno"] == 1


def test_the_parent_s_environment_is_unknown(arena: Arena) -> None:
    """A secret in the parent's environment is in no environment that a fold can see."""
    assert os.environ.get("MEDAL_SECRET") == SECRET
    outcome = arena.attack("environments")
    assert len(outcome.events) == 1
    assert SECRET not in outcome.events[0]["got"]
    assert "NO_ALBUMENTATIONS_UPDATE" in outcome.events[0]["got"]


def test_no_descriptor_is_inherited(arena: Arena, tmp_path: Path) -> None:
    """A fold has its three standard descriptors, the pipes for its result and events, and nothing to read in them."""
    secret = tmp_path / "open.txt"
    secret.write_text(SEALED)
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        outcome = arena.attack("descriptors")
    assert outcome.failure is None
    listed = [event for event in outcome.events if isinstance(event["fd"], int)]
    assert len(listed) <= 5
    assert {event["target"].split(":")[0] for event in listed} == {"/dev/null", "pipe"}
    assert {event["got"] for event in outcome.events} == {""}


def test_other_processes_memory_is_closed(arena: Arena) -> None:
    """Neither memory, maps nor environment of another process can be opened."""
    outcome = arena.attack("others_memory")
    assert outcome.failure is None
    assert outcome.events == ()


def test_a_fold_s_payload_is_not_in_the_next_fold_s_memory(arena: Arena) -> None:
    """Training labels that one fold got are nowhere in the memory of a later fold."""
    secret = f"LABELS:{secrets.token_hex(16)}".encode()
    digest = hashlib.sha256(secret).hexdigest().encode()
    own = arena.attack("scan_memory", digest + secret)
    assert any("found" in event for event in own.events)  # the scanner finds what is there
    assert arena.attack("keep_payload", secret).failure is None
    later = arena.attack("scan_memory", digest)
    assert [event for event in later.events if "found" in event] == []
    assert later.events[-1]["scanned"] > 10 << 20


def test_nothing_survives_between_folds(arena: Arena) -> None:
    """Files, shared memory, module attributes and variables of one fold are unknown to the next."""
    assert any("wrote" in event for event in arena.attack("leave_state").events)
    assert arena.attack("find_state").events == ({"found": []},)


def test_nothing_can_be_written(arena: Arena) -> None:
    """No file outside the private temporary folders can be opened to write or created."""
    own = [
        str(arena.inputs / "image.txt"),
        str(arena.inputs / "loose" / "image.txt"),
        harness.__file__,
        sys.executable,
        os.__file__,
        sysconfig.__file__,
    ]
    kernel = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sysrq-trigger",
        "/proc/1/mem",
    ]
    kernel += [
        "/proc/sys/kernel/hostname",
        "/proc/sys/user/max_user_namespaces",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/vda",
    ]
    outcome = arena.attack("write_everywhere", [*own, *kernel])
    assert outcome.failure is None
    assert [event["opened"] for event in outcome.events if "opened" in event] == []
    made = {event["created"] for event in outcome.events if "created" in event}
    assert all(folder.startswith(("/tmp", "/dev/shm")) for folder in made), made
    assert made
    assert not list(arena.inputs.parent.rglob("medal-was-here"))


def test_inputs_cannot_be_changed(arena: Arena) -> None:
    """Mode, owner, times, name and size of an input stay as they are."""
    target = arena.inputs / "image.txt"
    before = target.stat()
    loose = arena.inputs / "loose" / "image.txt"
    outcome = arena.attack("change_modes", [str(target), str(loose), str(arena.inputs), harness.__file__])
    assert outcome.events == ()
    assert loose.read_text() == "an input that anybody may write"
    after = target.stat()
    assert (before.st_mode, before.st_mtime, before.st_uid, before.st_size) == (
        after.st_mode, after.st_mtime, after.st_uid, after.st_size,
    )  # fmt: skip
