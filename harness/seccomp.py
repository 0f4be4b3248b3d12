"""The system calls that a fold may not make: a classic BPF program, built by hand for two machines.

Mounts, namespaces and capabilities are already out of reach when the filter is loaded; it closes what
they leave open (vsock, io_uring, keyrings, nested user namespaces) and the kernel's rarely used corners.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

__all__ = ["ALWAYS", "MACHINES", "REDUCED", "Machine", "machine", "program"]

LOAD, JUMP_EQUAL, JUMP_ABOVE, JUMP_ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
X32 = 0x40000000
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
TIOCSTI, TIOCLINUX = 0x5412, 0x541C


@dataclass(frozen=True, slots=True)
class Machine:
    """What the filter needs to know of a processor."""

    audit: int
    """AUDIT_ARCH_*."""
    column: int
    """Of the table of numbers."""


MACHINES = {"x86_64": Machine(0xC000003E, 0), "aarch64": Machine(0xC00000B7, 1)}

ALWAYS: dict[str, tuple[int | None, int | None]] = {
    # another process's memory and descriptors
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    # large attack surfaces that training needs none of
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "memfd_secret": (447, 447), "modify_ldt": (154, None), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "lookup_dcookie": (212, 18), "nfsservctl": (180, 42),
    "uselib": (134, None), "sysfs": (139, None), "_sysctl": (156, None), "personality": (135, 92),
    # memory and queues that belong to no process, so that nobody's limit counts them
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190),
    "semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # files by handle pass every mount
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "move_mount": (429, 429), "open_tree": (428, 428), "open_tree_attr": (467, 467),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    # the machine
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "create_module": (174, None),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "acct": (163, 89), "syslog": (103, 116), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, None),
    "ioperm": (173, None), "vhangup": (153, 58),
}  # fmt: skip
"""Name -> number on (x86_64, aarch64); None where the machine has no such call."""

REDUCED: dict[str, tuple[int | None, int | None]] = {
    # no network namespace: nothing may connect, nor send to an address
    "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    # Landlock does not cover a file's mode, owner, times and attributes
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "setxattrat": (463, 463),
    "removexattrat": (466, 466), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "file_setattr": (469, 469),
}  # fmt: skip
"""Denied as well where no namespace holds the fold."""

CLONE, CLONE3, SOCKET, SOCKETPAIR = (56, 220), (435, 435), (41, 198), (53, 199)
IOCTL, SIGNAL_ONE, MEMORY_FILE = (16, 29), (62, 129), (319, 279)


def machine() -> Machine | None:
    """Return this computer's machine, None if the filter does not know it."""
    return MACHINES.get(platform.machine())


def program(processor: Machine, *, reduced: bool = False, memory_files: bool = False) -> bytes:
    """Return the filter as an array of struct sock_filter, 8 bytes each.

    Files in memory are nobody's memory either; they are allowed only where a GPU's driver may need them.
    """
    column = processor.column
    blocks = [_denied(numbers[column], errno.EPERM) for numbers in ALWAYS.values()]
    if reduced:
        blocks += [_denied(numbers[column], errno.EACCES) for numbers in REDUCED.values()]
        blocks += [_denied(SOCKET[column], errno.EACCES), _no_broadcast(SIGNAL_ONE[column])]
    if not memory_files:
        blocks.append(_denied(MEMORY_FILE[column], errno.ENOSYS))
    blocks += [
        _denied(CLONE3[column], errno.ENOSYS),  # its flags lie in memory; glibc falls back to clone
        _no_namespaces(CLONE[column]),
        _no_typing(IOCTL[column]),
        _families(SOCKET[column]),
        _families(SOCKETPAIR[column]),
    ]
    return b"".join([_opening(processor), *blocks, _do(RETURN, ALLOW)])


def _do(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Encode one instruction; jumps count the instructions to leave out."""
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _argument(index: int) -> bytes:
    """Load the low half of an argument (both machines are little-endian)."""
    return _do(LOAD, 16 + 8 * index)


def _refuse(number: int) -> bytes:
    return _do(RETURN, ERRNO | number)


def _opening(processor: Machine) -> bytes:
    """Kill a call of another architecture, refuse x32, leave the call's number loaded."""
    start = [_do(LOAD, ARCHITECTURE), _do(JUMP_EQUAL, processor.audit, 1, 0), _do(RETURN, KILL)]
    start += [_do(LOAD, NUMBER), _do(JUMP_ABOVE, X32, 0, 1), _refuse(errno.ENOSYS)]
    return b"".join(start)


def _block(number: int, *body: bytes) -> bytes:
    """Run the body for one call only; it ends by loading the number again."""
    steps = b"".join([*body, _do(LOAD, NUMBER)])
    return _do(JUMP_EQUAL, number, 0, len(steps) // 8) + steps


def _denied(number: int | None, error: int) -> bytes:
    if number is None:
        return b""
    return _do(JUMP_EQUAL, number, 0, 1) + _refuse(error)


def _no_namespaces(number: int) -> bytes:
    check = _do(JUMP_ANY_BIT, NEW_NAMESPACES, 0, 1)
    return _block(number, _argument(0), check, _refuse(errno.EPERM))


def _no_typing(number: int) -> bytes:
    """Refuse ioctls that type into a terminal."""
    checks = [_do(JUMP_EQUAL, TIOCSTI, 1, 0), _do(JUMP_EQUAL, TIOCLINUX, 0, 1)]
    return _block(number, _argument(1), *checks, _refuse(errno.EPERM))


def _no_broadcast(number: int) -> bytes:
    """Refuse kill(-1) and kill(-group), which would reach the user's other processes."""
    check = _do(JUMP_ANY_BIT, 0x80000000, 0, 1)
    return _block(number, _argument(0), check, _refuse(errno.EPERM))


def _families(number: int) -> bytes:
    """Allow UNIX, INET, INET6 and routing netlink sockets; vsock, packet and the rest do not exist."""
    body = [
        _argument(0),
        _do(JUMP_EQUAL, AF_UNIX, 6, 0),
        _do(JUMP_EQUAL, AF_INET, 5, 0),
        _do(JUMP_EQUAL, AF_INET6, 4, 0),
        _do(JUMP_EQUAL, AF_NETLINK, 0, 2),
        _argument(2),
        _do(JUMP_EQUAL, 0, 1, 0),
        _refuse(errno.EAFNOSUPPORT),
    ]
    return _block(number, *body)
