"""Log-rank test: whether groups die alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Counts, Floats, as_counts, shaped
from harness.survival.followup import FollowUp
from harness.survival.kaplan_meier import blocks

__all__ = ["LogRank", "logrank", "logrank_test"]


@dataclass(frozen=True, slots=True)
class LogRank:
    """The test's result; `observed` and `expected` events by group, (groups,), in the order of `groups`."""

    statistic: float
    df: int
    p: float
    groups: tuple[object, ...]
    observed: NDArray[np.int64]
    expected: Floats


def logrank(truth: FollowUp, group: ArrayLike, counts: ArrayLike | None = None) -> Floats:
    """Return the log-rank chi-square statistic of the groups (n,), any labels that sort.

    With k groups in which an event could happen it has k - 1 degrees of freedom; a group whose cases all
    leave before the first event tells nothing and is left out. NaN with fewer than two such groups, and
    where nothing is left to chance (all at risk die at once). Equals sksurv.compare.compare_survival.
    Source: Peto and Peto, Journal of the Royal Statistical Society A 135 (1972).
    """
    found = [_statistic(*parts)[0] for parts in _all(truth, group, as_counts(counts, len(truth)))]
    return shaped(np.array(found, dtype=np.float64), counts)


def logrank_test(truth: FollowUp, group: ArrayLike) -> LogRank:
    """Return the statistic of `logrank` with its p and what was observed and expected."""
    from scipy.special import chdtrc

    names = tuple(np.unique(np.asarray(group)).tolist())
    ((observed, expected, covariance),) = _all(truth, group, as_counts(None, len(truth)))
    statistic, df = _statistic(observed, expected, covariance)
    p = float(chdtrc(df, statistic)) if df else float("nan")
    return LogRank(statistic, df, p, names, observed, expected)


Parts = tuple[NDArray[np.int64], Floats, Floats]


def _all(truth: FollowUp, group: ArrayLike, counts: Counts) -> list[Parts]:
    """Return observed and expected events and their covariance in each resample."""
    labels = np.asarray(group)
    if labels.shape != truth.time.shape:
        raise ValueError(f"group has shape {labels.shape}, truth {truth.time.shape}")
    _, member = np.unique(labels, return_inverse=True)
    order = np.argsort(truth.time, kind="stable")
    ordered = FollowUp(truth.time[order], truth.event[order])
    inside = member[order] == np.arange(member.max(initial=-1) + 1)[:, None]
    return [
        parts for block in blocks(counts) for parts in _block(ordered, inside, np.take(block, order, axis=1))
    ]


def _block(ordered: FollowUp, inside: NDArray[np.bool_], counts: Counts) -> list[Parts]:
    starts = np.flatnonzero(np.diff(ordered.time, prepend=0.0) > 0)
    if not len(starts):
        nothing = np.zeros(0)
        return [(nothing.astype(np.int64), nothing, np.zeros((0, 0))) for _ in counts]
    leaving = np.add.reduceat(counts[:, None, :] * inside, starts, axis=2, dtype=np.int64)
    dying = np.add.reduceat(counts[:, None, :] * (inside & ordered.event), starts, axis=2, dtype=np.int64)
    at_risk = leaving[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    everyone, deaths = at_risk.sum(axis=1), dying.sum(axis=1)
    share = at_risk / np.maximum(everyone, 1)[:, None, :]
    spread = deaths * (everyone - deaths) / np.maximum(everyone - 1, 1)
    own = np.einsum("rt,rgt->rg", spread, share)
    covariance = own[:, :, None] * np.eye(len(inside)) - np.einsum("rt,rgt,rht->rgh", spread, share, share)
    return list(zip(dying.sum(axis=2), np.einsum("rt,rgt->rg", deaths, share), covariance, strict=True))


def _statistic(observed: NDArray[np.int64], expected: Floats, covariance: Floats) -> tuple[float, int]:
    """Return the statistic and its degrees of freedom; (NaN, 0) where it is undefined."""
    told = np.flatnonzero(expected > 0)[:-1]
    variance = covariance[np.ix_(told, told)]
    if not len(told) or np.linalg.matrix_rank(variance, hermitian=True) < len(told):
        return float("nan"), 0
    excess = (observed - expected)[told]
    return float(excess @ np.linalg.solve(variance, excess)), len(told)
