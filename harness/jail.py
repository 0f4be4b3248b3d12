"""The order in which a fold gives up its rights, between the fork and the first line of a submission."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from harness import confine, landlock
from harness.contracts import Isolation

__all__ = ["FOLD_NAMESPACES", "Rights", "confine_in_place", "enter_namespaces", "give_up_rights"]

FOLD_NAMESPACES = confine.NEWNS | confine.NEWPID | confine.NEWIPC | confine.NEWUTS | confine.NEWNET
QUIET = confine.MS_NOSUID | confine.MS_NODEV
BYTES_PER_INODE = 16384
MEMORY_SLACK = 2 << 30
"""Of a process's writable address space over its memory: thread stacks, arenas, what the zygote holds."""
OPEN_FILES = 2048
OUT_OF_MEMORY_SCORE = 800
FOLD_GROUP = 65534
SHARED_USER_FACTOR, LEAST_SHARED_PROCESSES = 8, 1024


@dataclass(frozen=True, slots=True)
class Rights:
    """What one fold keeps."""

    isolation: Isolation
    user: int | None
    """To become; None keeps the caller's, who is not root."""
    read_only: Sequence[str]
    devices: Sequence[str]
    scratch: str
    """Its private folder, without namespaces."""
    memory_bytes: int
    processes: int
    disk_bytes: int
    has_gpu: bool


def enter_namespaces(rights: Rights) -> None:
    """Give the fold, pid 1 of its own namespaces, its own /proc, /tmp and /dev/shm; the rest is read-only."""
    confine.mount("none", "/", flags=confine.MS_REC | 1 << 19)  # MS_SLAVE: nothing travels back
    confine.sethostname("fold")
    confine.mount("proc", "/proc", "proc", QUIET | confine.MS_NOEXEC)
    _forbid_user_namespaces(rights)
    for path in ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"):
        if os.path.exists(path):
            _read_only_bind(path)
    _fresh_temporary_folders(rights)


def _forbid_user_namespaces(rights: Rights) -> None:
    """Forbid nested user namespaces; root would do it for the whole machine, so there seccomp alone holds."""
    if rights.user is None:
        with suppress(OSError), open("/proc/sys/user/max_user_namespaces", "w") as file:
            file.write("0")


def _read_only_bind(path: str) -> None:
    confine.mount(path, path, flags=confine.MS_BIND | confine.MS_REC)
    confine.mount("none", path, flags=confine.MS_REMOUNT | confine.MS_BIND | confine.MS_RDONLY | QUIET)


def _fresh_temporary_folders(rights: Rights) -> None:
    """Cover /tmp and /dev/shm with two folders of one tmpfs, so that one size limits both."""
    shown = [path for path in rights.read_only if path.startswith(("/tmp/", "/dev/shm/"))]  # noqa: S108
    kept = {path: os.open(path, os.O_PATH) for path in shown}
    inodes = max(4096, rights.disk_bytes // BYTES_PER_INODE)
    options = f"size={rights.disk_bytes},nr_inodes={inodes},mode=0755"
    confine.mount("tmpfs", "/tmp", "tmpfs", QUIET, options)  # noqa: S108
    halves = {}
    for name, target in (("shm", "/dev/shm"), ("tmp", "/tmp")):  # noqa: S108
        os.mkdir(f"/tmp/{name}")  # noqa: S108
        os.chmod(f"/tmp/{name}", 0o1777)  # noqa: S103, S108 - private to the fold
        halves[target] = os.open(f"/tmp/{name}", os.O_PATH)  # noqa: S108
    for target, handle in halves.items():
        _bind(handle, target)
    for path, handle in kept.items():
        _mount_point(path, handle)
        _bind(handle, path)


def _bind(handle: int, target: str) -> None:
    """Bind what an O_PATH descriptor holds, wherever it was covered, to a path."""
    confine.mount(f"/proc/self/fd/{handle}", target, flags=confine.MS_BIND | confine.MS_REC)
    os.close(handle)


def _mount_point(path: str, handle: int) -> None:
    """Make an empty file or folder to bind to."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if os.path.isdir(f"/proc/self/fd/{handle}"):
        os.makedirs(path, exist_ok=True)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))


def give_up_rights(rights: Rights) -> None:
    """Drop limits, user, capabilities and system calls; last step before untrusted code."""
    _lower_limits(rights)
    confine.drop_bounding()
    confine.no_new_privileges()
    if rights.user is not None:
        confine.change_user(rights.user, FOLD_GROUP)
    confine.drop_capabilities()
    confine.die_with_parent()
    confine.filter_calls(reduced=False, memory_files=rights.has_gpu)


def confine_in_place(rights: Rights) -> None:
    """Confine without namespaces, as far as Landlock and seccomp go.

    Root keeps the one capability to read past folder permissions, since Python may lie below a closed home;
    Landlock decides what is readable, and opening by handle is not a call that the filter lets through.
    """
    _lower_limits(rights)
    confine.drop_bounding()
    confine.no_new_privileges()
    if rights.user is not None:
        confine.change_user(rights.user, FOLD_GROUP, keep_capabilities=True)
        confine.drop_capabilities(confine.DAC_READ_SEARCH)
    else:
        confine.drop_capabilities()
    confine.die_with_parent()
    landlock.restrict((*rights.read_only, "/proc"), rights.devices, (rights.scratch,))
    confine.filter_calls(reduced=True, memory_files=rights.has_gpu)


def _lower_limits(rights: Rights) -> None:
    """Set the limits that the kernel enforces by itself, behind the supervisor's."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(OUT_OF_MEMORY_SCORE))
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: rights.disk_bytes,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: _most_processes(rights),
    }
    if not rights.has_gpu:  # CUDA reserves far more address space than memory
        wanted[resource.RLIMIT_DATA] = rights.memory_bytes + MEMORY_SLACK
    confine.limit(wanted)


def _most_processes(rights: Rights) -> int:
    """Return RLIMIT_NPROC, a backstop behind the supervisor's count; loose where folds share a user."""
    if rights.user is not None:
        return 2 * rights.processes + 16
    return max(LEAST_SHARED_PROCESSES, SHARED_USER_FACTOR * rights.processes) + _own_processes()


def _own_processes() -> int:
    """Return how many processes are visible: on older kernels the user's others count as well."""
    return sum(name.isdigit() for name in os.listdir("/proc"))
