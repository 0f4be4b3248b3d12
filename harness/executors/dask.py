"""Folds on the workers of a Dask cluster: SLURM, PBS or Kubernetes through Dask's own deployers.

The scheduler's address is read from DASK_SCHEDULER_ADDRESS (or Dask's configuration); without one, a
cluster of processes on this machine is started. Workers need the same files at the same paths.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from harness.errors import UserError

SHARES_MEMORY = False


class DaskExecutor(Executor):
    """Dask's own executor, which ends its client and a cluster of our own with it."""

    def __init__(self, jobs: int) -> None:
        import dask
        import distributed

        untyped: Any = distributed  # it ships no complete type hints
        address = dask.config.get("scheduler-address", None)
        self._closing: list[Any] = []
        if address is None:
            address = untyped.LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
            self._closing.append(address)
        client = untyped.Client(address)
        self._closing.insert(0, client)
        self._executor = client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401  as in Executor
        """Submit an idempotent task; a lost worker's task is run again on another."""
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the client and the cluster."""
        self._executor.shutdown(wait=wait)
        for part in self._closing:
            part.close()


def open(jobs: int) -> Executor:
    """Return an executor over a Dask cluster with room for `jobs` folds at once.

    Raises:
        UserError: if Dask is not installed.
    """
    try:
        return DaskExecutor(jobs)
    except ImportError:
        raise UserError("executor=dask needs Dask. Type: pip install 'medal-harness[dask]'") from None
