"""The truth of survival: how long each case was observed, and whether the event ended it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Bools, Counts, Floats, as_truth, same_shape

__all__ = ["FollowUp", "as_horizon", "as_times", "censored_at", "choose_tau", "covered"]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Time > 0 (days, or any one unit) and event (True: dead; False: censored, alive then), both (n,)."""

    time: Floats
    event: Bools

    @classmethod
    def of(cls, time: ArrayLike, event: ArrayLike) -> FollowUp:
        """Return the follow-up of n cases; none is allowed.

        Raises:
            ValueError: a time is not positive and finite, an event neither 0 nor 1, or the shapes differ.
        """
        times, events = np.array(time, dtype=np.float64), as_truth(event)
        same_shape(times, events, 1)
        wrong = ~(np.isfinite(times) & (times > 0))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(f"time is {times[first]} at index {first}: it must be positive and finite")
        return cls(times, events)

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: NDArray[Any]) -> FollowUp:
        """Return the cases of an index or a mask, a subgroup for example."""
        return FollowUp(self.time[rows], self.event[rows])


def censored_at(truth: FollowUp, horizon: float) -> FollowUp:
    """Return the follow-up as it was known at the horizon: later events and times are not seen.

    Who lived beyond the horizon is censored at the next float64 above it. So everything that depends
    on what happened until the horizon is as before, and who was alive at it is told apart from who was
    lost on that very day: Brier score and AUC at the horizon itself need that.
    """
    end = as_horizon(horizon)
    return FollowUp(np.minimum(truth.time, np.nextafter(end, np.inf)), truth.event & (truth.time <= end))


def choose_tau(training: FollowUp, percent: float = 80) -> float:
    """Return a truncation time for Uno's C and the last time of a grid: a percentile of the training times.

    It is a time that was observed, the `percent` percentile rounded down, and less than the longest one,
    for beyond that the censoring distribution is unknown. Few cases are at risk in the tail and their
    weights are large; the choice depends on the training follow-up only, so that sets stay comparable.

    Raises:
        ValueError: fewer than two distinct training times.
    """
    times = np.unique(training.time)
    if len(times) < 2:
        raise ValueError(f"no tau can be chosen from {len(times)} distinct training times")
    wanted = np.quantile(training.time, percent / 100, method="lower")
    return float(min(wanted, times[-2]))


def as_horizon(at: float) -> float:
    """Return a time.

    Raises:
        ValueError: it is not one positive, finite number.
    """
    return float(as_times([at])[0])


def as_times(at: ArrayLike) -> Floats:
    """Return a grid of times.

    Raises:
        ValueError: there is none, or they are not positive, finite and rising.
    """
    times = np.asarray(at, dtype=np.float64)
    rising = times.ndim == 1 and len(times) > 0 and bool((np.diff(times, prepend=0.0) > 0).all())
    if not (rising and np.isfinite(times).all()):
        raise ValueError(f"times must be positive, finite and rising, got {np.asarray(at).tolist()}")
    return times


def covered(truth: FollowUp, at: float, counts: Counts) -> Bools:
    """Return whether anyone in each resample was observed beyond a time, (resamples,)."""
    return np.asarray(counts[:, truth.time > at].any(axis=1))
