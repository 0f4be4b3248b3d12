"""Predicted survival curves, known at some times and read between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Floats, as_probabilities
from harness.survival.followup import as_times

__all__ = ["Curves"]


class Curves:
    """The survival curves of n cases: 1 at time 0, `survival` (n, times) at rising `times`, linear between.

    Beyond the last time a curve is unknown (NaN).

    Raises:
        ValueError: times that do not rise from above 0, a probability that is NaN or outside [0, 1], or
            shapes that do not fit.
    """

    def __init__(self, times: ArrayLike, survival: ArrayLike) -> None:
        given, values = as_times(times), as_probabilities(survival)
        if values.ndim != 2 or values.shape[1] != len(given):
            raise ValueError(f"survival must have shape (n, {len(given)}), got {values.shape}")
        self.times = np.concatenate([[0.0], given])
        self.survival = np.concatenate([np.ones((len(values), 1)), values], axis=1)

    def __len__(self) -> int:
        return len(self.survival)

    @property
    def end(self) -> float:
        """The last time at which the curves are known."""
        return float(self.times[-1])

    def at(self, at: ArrayLike) -> Floats:
        """Return every case's survival at the given times, (n, m)."""
        wanted = np.asarray(at, dtype=np.float64)
        left, share = self._between(wanted)
        low, high = self.survival[:, left], self.survival[:, left + 1]
        return self._mixed(low, high, share, wanted)

    def at_own(self, at: ArrayLike) -> Floats:
        """Return each case's survival at a time of its own, (n,)."""
        wanted = np.asarray(at, dtype=np.float64)
        left, share = self._between(wanted)
        rows = np.arange(len(self))
        return self._mixed(self.survival[rows, left], self.survival[rows, left + 1], share, wanted)

    def _between(self, wanted: Floats) -> tuple[NDArray[np.intp], Floats]:
        left = np.clip(np.searchsorted(self.times, wanted) - 1, 0, len(self.times) - 2)
        begin, end = self.times[left], self.times[left + 1]
        return left, np.asarray((wanted - begin) / (end - begin))

    def _mixed(self, low: Floats, high: Floats, share: Floats, wanted: Floats) -> Floats:
        """Return the values between, and at the given times exactly what was given."""
        between = np.where(share == 1, high, low + (high - low) * share)
        return np.asarray(np.where(wanted > self.end, np.nan, between))
