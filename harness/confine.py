"""What the kernel offers to take rights away, by ctypes: namespaces, mounts, capabilities, limits.

Each function raises OSError with the call's name if the kernel refuses; none works on macOS.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import struct
from collections.abc import Mapping

from harness import seccomp

__all__ = [
    "DAC_READ_SEARCH",
    "change_user",
    "die_with_parent",
    "drop_capabilities",
    "filter_calls",
    "limit",
    "mount",
    "no_new_privileges",
    "set_dumpable",
    "sethostname",
    "subreaper",
    "unshare",
]

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_KEEP_CAPABILITIES, SET_SECCOMP = 1, 4, 8, 22
DROP_BOUNDING, SET_CHILD_SUBREAPER, SET_NO_NEW_PRIVILEGES, AMBIENT = 24, 36, 38, 47
SECCOMP_FILTER, AMBIENT_CLEAR = 2, 4
CAPABILITY_VERSION, LAST_CAPABILITY = 0x20080522, 63
DAC_READ_SEARCH = 2


@functools.cache
def libc() -> ctypes.CDLL:
    """Return the C library with errno kept."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> int:
    """Return the result of a C call, raising OSError where it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave namespaces behind for fresh ones."""
    check(libc().unshare(ctypes.c_int(flags)), "unshare")


def sethostname(name: str) -> None:
    """Name the uts namespace."""
    raw = name.encode()
    check(libc().sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system; the arguments are those of the system call."""
    raw = [text.encode() if text else None for text in (source, target, kind)]
    data = options.encode() or None
    done = libc().mount(*raw, ctypes.c_ulong(flags), data)
    check(done, f"mount {kind or 'bind'} on {target}")


def prctl(option: int, *arguments: int, what: str = "prctl") -> int:
    """Set a property of this process; the arguments are unsigned long."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return check(libc().prctl(ctypes.c_int(option), *padded), what)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask for a signal when the parent dies; a change of user clears it, so ask again after one."""
    prctl(SET_DEATH_SIGNAL, number, what="PR_SET_PDEATHSIG")


def subreaper() -> None:
    """Become the parent of all orphaned descendants."""
    prctl(SET_CHILD_SUBREAPER, 1, what="PR_SET_CHILD_SUBREAPER")


def set_dumpable(*, on: bool) -> None:
    """Let processes of the same user look into this one, or not."""
    prctl(SET_DUMPABLE, int(on), what="PR_SET_DUMPABLE")


def no_new_privileges() -> None:
    """Make setuid programs ordinary ones, for this process and its descendants."""
    prctl(SET_NO_NEW_PRIVILEGES, 1, what="PR_SET_NO_NEW_PRIVS")


def change_user(user: int, group: int, *, keep_capabilities: bool = False) -> None:
    """Become an ordinary user for good, without supplementary groups."""
    if keep_capabilities:
        prctl(SET_KEEP_CAPABILITIES, 1, what="PR_SET_KEEPCAPS")
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def drop_capabilities(*keep: int) -> None:
    """Drop every capability but those to keep, from the ambient and bounding sets as well."""
    prctl(AMBIENT, AMBIENT_CLEAR, what="PR_CAP_AMBIENT")
    mask = sum(1 << number for number in keep)
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    sets = struct.pack("=6I", low, low, 0, high, high, 0)
    check(libc().capset(header, sets), "capset")


def drop_bounding() -> None:
    """Empty the bounding set, as far as this process may."""
    for number in range(LAST_CAPABILITY + 1):
        if libc().prctl(ctypes.c_int(DROP_BOUNDING), *[ctypes.c_ulong(n) for n in (number, 0, 0, 0)]) < 0:
            return  # past the last capability, or an ordinary user, who has none to lose


def filter_calls(*, reduced: bool, memory_files: bool) -> None:
    """Load the seccomp filter; needs `no_new_privileges` first."""
    processor = seccomp.machine()
    if processor is None:
        raise OSError(0, "seccomp: no filter is known for this processor")
    raw = seccomp.program(processor, reduced=reduced, memory_files=memory_files)
    lines = ctypes.create_string_buffer(raw, len(raw))
    header = struct.pack("@HP", len(raw) // 8, ctypes.addressof(lines))
    holder = ctypes.create_string_buffer(header, len(header))
    prctl(SET_SECCOMP, SECCOMP_FILTER, ctypes.addressof(holder), what="PR_SET_SECCOMP")


def limit(limits: Mapping[int, int]) -> None:
    """Lower resource limits, soft and hard; never raises one that is lower already."""
    for which, wanted in limits.items():
        hard = resource.getrlimit(which)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (value, value))
