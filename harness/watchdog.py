"""How much a tree of processes uses, seen from outside, and how to end it; sees nothing but on Linux.

Orphans of a fold become children of its first process (pid 1 of its namespace, or a subreaper), so the tree
below that process holds everything the fold started, daemons included.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

__all__ = ["descendants", "end_tree", "folder_bytes", "kernel_kills", "memory"]

KIB = 1024
MOST_ENTRIES = 200_000
ROUNDS, PAUSE_SECONDS = 400, 0.005


def children(pid: int) -> tuple[list[int], int]:
    """Return the children of a process and the number of its threads; nothing once it is gone."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return [], 0
    for task in tasks:
        with suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:
            found += map(int, file.read().split())
    return found, len(tasks)


def descendants(root: int) -> tuple[list[int], int]:
    """Return a process and all below it, and the number of their threads."""
    pids, tasks, following = [root], 0, 0
    while following < len(pids):
        below, threads = children(pids[following])
        pids += below
        tasks += threads
        following += 1
    return pids, tasks


def memory(pid: int) -> int:
    """Return a process's Pss in bytes; its own pages where Pss may not be read, 0 once it is gone."""
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        return _field(file.read(), b"Pss:")
    with suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        text = file.read()
        return _field(text, b"RssAnon:") + _field(text, b"RssShmem:")
    return 0


def _field(text: bytes, name: bytes) -> int:
    """Return a field of a /proc file in bytes, 0 if it is not there."""
    start = text.find(b"\n" + name)
    return int(text[start + 1 + len(name) :].split(None, 1)[0]) * KIB if start >= 0 else 0


def end_tree(root: int, *, and_root: bool = False) -> bool:
    """Kill what lies below a process until nothing is left; False if it would not end.

    Each round first stops and then kills, so that a fork bomb cannot outrun it.
    """
    below: list[int] = []
    for _ in range(ROUNDS):
        below = [pid for pid in descendants(root)[0][1:] if _is_alive(pid)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in below:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if not below:
            break
        time.sleep(PAUSE_SECONDS)
    if and_root:
        with suppress(ProcessLookupError):
            os.kill(root, signal.SIGKILL)
    return not below


def _is_alive(pid: int) -> bool:
    """Tell a process from a zombie, which only waits for its parent."""
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    return False


def kernel_kills() -> int:
    """Return how many processes the kernel has ended for want of memory, 0 where it does not say."""
    with suppress(OSError), open("/proc/vmstat", "rb") as file:
        found = file.read().partition(b"\noom_kill ")[2].split(b"\n")[0]
        return int(found or b"0")
    return 0


def folder_bytes(folder: str) -> int:
    """Return the bytes on disk below a folder, counting 4 KiB an entry, and no further than is sensible."""
    total, entries, left = 0, 0, [folder]
    while left and entries < MOST_ENTRIES:
        with suppress(OSError), os.scandir(left.pop()) as inside:
            for entry in inside:
                entries += 1
                with suppress(OSError):
                    total += 4 * KIB + entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
    return total
