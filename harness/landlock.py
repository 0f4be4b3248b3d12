"""Landlock by ctypes: the files that a process may still read, and the one folder where it may write.

Source: https://docs.kernel.org/userspace-api/landlock.html (ABI 1 to 7).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable

from harness.confine import check, libc

__all__ = ["abi", "restrict"]

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every machine
ASK_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, IOCTL_DEVICE = 1 << 14, 1 << 15
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
RIGHTS_BY_ABI = ((1, (1 << 13) - 1), (2, 1 << 13), (3, TRUNCATE), (5, IOCTL_DEVICE))
NETWORK = 3  # bind and connect of TCP, since ABI 4
SCOPES = 3  # abstract sockets and signals, since ABI 6


def abi() -> int:
    """Return the version of Landlock's interface that this kernel offers, 0 for none."""
    if sys.platform != "linux":
        return 0
    found = libc().syscall(
        ctypes.c_long(CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(ASK_VERSION)
    )
    return max(0, int(found))


def restrict(readable: Iterable[str], devices: Iterable[str], writable: Iterable[str]) -> None:
    """Give up every file that lies under none of the paths; needs `no_new_privileges` first.

    Devices may be read, written and controlled; what does not exist is left out.
    """
    version = abi()
    handled = sum(bits for since, bits in RIGHTS_BY_ABI if version >= since)
    attributes = struct.pack("=QQQ", handled, NETWORK * (version >= 4), SCOPES * (version >= 6))
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = check(
        libc().syscall(ctypes.c_long(CREATE_RULESET), attributes, ctypes.c_size_t(size), ctypes.c_uint(0)),
        "landlock_create_ruleset",
    )
    read, device = READ_FILE | READ_DIR | EXECUTE, READ_FILE | WRITE_FILE | IOCTL_DEVICE
    for paths, rights in ((readable, read), (devices, device), (writable, handled)):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    check(
        libc().syscall(ctypes.c_long(RESTRICT_SELF), ctypes.c_int(ruleset), ctypes.c_uint(0)),
        "landlock_restrict_self",
    )
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Allow rights on a file, or on all that lies under a folder."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= FILE_RIGHTS
        rule = struct.pack("=Qi", rights, handle)
        arguments = (ctypes.c_long(ADD_RULE), ctypes.c_int(ruleset), ctypes.c_int(PATH_BENEATH), rule)
        check(libc().syscall(*arguments, ctypes.c_uint(0)), f"landlock_add_rule {path}")
    finally:
        os.close(handle)
