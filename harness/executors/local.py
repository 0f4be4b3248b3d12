"""Threads that supervise isolated processes: the work is in the processes."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor

SHARES_MEMORY = True


def open(jobs: int) -> Executor:
    """Return an executor that supervises up to `jobs` folds at once."""
    return ThreadPoolExecutor(jobs, thread_name_prefix="fold")
