"""What the metrics and the panel look at: truth and predictions of one half, as an endpoint sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from challenges.glioma.columns import TIMES, YEAR
from challenges.glioma.truth import ONE_YEAR
from harness.metrics._inputs import divide
from harness.survival.concordance import TIED
from harness.survival.followup import FollowUp, censored_at, choose_tau

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays

__all__ = ["View", "shares"]

YEAR_COLUMN = TIMES.index(YEAR)


@dataclass(frozen=True, slots=True)
class View:
    """One half: n cases."""

    follow_up: FollowUp
    risk: Array
    survival: Array | None
    """(n, 20); None where no curve was predicted."""
    gbm: NDArray[np.bool_]
    """Whether a case is a glioblastoma, IDH-wildtype."""
    tau: float | None
    """Where Uno's C and the integrated Brier score end; None where too few times were observed."""
    end: float
    """The last day that the endpoint asks for."""

    @classmethod
    def of(cls, truth: Arrays, predictions: Arrays, endpoint: str) -> View:
        """Return the view of a truth and its predictions."""
        follow_up = FollowUp.of(truth["time"], truth["event"])
        end = YEAR if endpoint == ONE_YEAR else TIMES[-1]
        gbm = np.asarray(truth.get("gbm", np.zeros(len(follow_up))) == 1)
        risk = np.asarray(predictions["risk"], dtype=np.float64)
        return cls(follow_up, risk, predictions.get("survival"), gbm, _tau(follow_up, end), end)

    @property
    def truth(self) -> Array:
        """Time and event, (n, 2), as the metrics take them."""
        return np.column_stack([self.follow_up.time, self.follow_up.event])

    @property
    def truncated(self) -> Array | None:
        """The truth until tau, (n, 2): deaths from tau on do not count."""
        if self.tau is None:
            return None
        seen = censored_at(self.follow_up, float(np.nextafter(self.tau, 0)))
        return np.column_stack([seen.time, seen.event])

    @property
    def year(self) -> int:
        """The column of the survival curve at one year."""
        return YEAR_COLUMN

    @property
    def until_tau(self) -> int:
        """How many columns of the survival curve lie before tau, or at it."""
        return int(np.searchsorted(TIMES, self.tau or 0.0, side="right"))

    @property
    def until_end(self) -> int:
        """How many columns of the survival curve the endpoint asks for."""
        return int(np.searchsorted(TIMES, self.end, side="right"))

    def reaches(self, at: float) -> bool:
        """Return whether anyone was observed beyond a time."""
        return bool((self.follow_up.time > at).any())


def _tau(follow_up: FollowUp, end: float) -> float | None:
    """Return the 80 % percentile of the follow-up, or the endpoint's end where some are seen beyond it."""
    if len(np.unique(follow_up.time)) < 2:
        return None
    if end == YEAR and (follow_up.time > end).any():
        return float(np.nextafter(end, np.inf))
    return min(choose_tau(follow_up), float(np.nextafter(end, np.inf)))


def shares(follow_up: FollowUp, risk: Array) -> Array:
    """Return the share of each case's comparable pairs that are concordant, ties half, (n,); NaN without one.

    Pairs are those of `harness.survival.concordance.harrell`, whose C is the mean of the shares weighted by
    the pairs.
    """
    time, event = follow_up.time, follow_up.event
    later = (time[None, :] > time[:, None]) | ((time[None, :] == time[:, None]) & ~event[None, :])
    pairs = event[:, None] & later
    gap = risk[:, None] - risk[None, :]
    points = np.where(np.abs(gap) <= TIED, 0.5, gap > 0) * pairs
    number = pairs.sum(axis=0) + pairs.sum(axis=1)
    won = points.sum(axis=0) + points.sum(axis=1)
    return divide(won, number)
