"""Cox's proportional hazards model: ridge or elastic net, Efron's ties, Breslow's baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.metrics._inputs import Floats
from harness.survival.followup import FollowUp, as_times

__all__ = ["Cox", "Deaths", "elastic_net", "path", "ridge"]

STEPS = 50
"""Newton's; some five are usual."""
TOLERANCE = 1e-9
LONGEST = 3000
"""Steps of the elastic net."""
FLAT = 1e-7
"""Change of a coefficient below which the elastic net ends."""


@dataclass(frozen=True, slots=True)
class Cox:
    """A fitted model: log hazard = (x - mean) . coefficients, over a baseline.

    `hazard` is the cumulative baseline hazard after each of `times`.
    """

    coefficients: Floats
    mean: Floats
    times: Floats
    hazard: Floats

    @classmethod
    def of(cls, x: ArrayLike, truth: FollowUp, coefficients: Floats) -> Cox:
        """Return the model with Breslow's baseline of the cases it was fitted on. Source: Breslow, 1972."""
        table = np.asarray(x, dtype=np.float64)
        mean = table.mean(axis=0)
        weights = np.exp((table - mean) @ coefficients)
        times = np.unique(truth.time[truth.event])
        at_risk = (truth.time[None, :] >= times[:, None]) @ weights
        dead = (truth.time[truth.event][None, :] == times[:, None]).sum(axis=1)
        return cls(coefficients, mean, times, np.cumsum(dead / at_risk))

    def risk(self, x: ArrayLike) -> Floats:
        """Return the log hazard ratio of cases (n, features) against the mean case, (n,)."""
        return np.asarray((np.asarray(x, dtype=np.float64) - self.mean) @ self.coefficients)

    def survival(self, x: ArrayLike, at: ArrayLike) -> Floats:
        """Return the probability of living beyond each time, (n, times); flat after the last known death."""
        wanted = as_times(at)
        steps = np.concatenate([[0.0], self.hazard])
        baseline = steps[np.searchsorted(self.times, wanted, side="right")]
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(-np.exp(self.risk(x))[:, None] * baseline))


@dataclass(frozen=True, slots=True)
class Deaths:
    """The partial likelihood's terms, one for each death, by rising day.

    With ties, Efron's way: of d deaths on one day the k-th leaves (k - 1)/d of each of them out of those at
    risk. Source: Efron, Journal of the American Statistical Association 72 (1977).
    """

    case: NDArray[np.intp]
    """Who died, (deaths,)."""
    day: NDArray[np.intp]
    """On which of the days, (deaths,)."""
    left_out: Floats
    """(k - 1)/d, (deaths,)."""
    days: NDArray[np.intp]
    """On how many days each case was at risk, (n,)."""

    @classmethod
    def of(cls, truth: FollowUp) -> Deaths:
        """Return the terms of a follow-up."""
        case = np.flatnonzero(truth.event)
        case = case[np.argsort(truth.time[case], kind="stable")]
        days, first, day, number = np.unique(
            truth.time[case], return_index=True, return_inverse=True, return_counts=True
        )
        left_out = (np.arange(len(case)) - first[day]) / number[day]
        return cls(case, day, left_out, np.searchsorted(days, truth.time, side="right"))

    def likelihood(self, risk: Floats) -> float:
        """Return the partial log-likelihood of log hazards (n,)."""
        top = risk.max(initial=0.0)
        return float((risk[self.case] - top - np.log(self._at_risk(np.exp(risk - top)))).sum())

    def expected(self, risk: Floats) -> Floats:
        """Return how many deaths each case had to expect, (n,); all add up to the deaths."""
        weights = np.exp(risk - risk.max(initial=0.0))
        rates = 1 / self._at_risk(weights)
        until = np.concatenate([[0.0], np.cumsum(np.bincount(self.day, rates))])
        exposure = until[self.days]
        exposure[self.case] -= np.bincount(self.day, rates * self.left_out)[self.day]
        return np.asarray(weights * exposure)

    def shares(self, risk: Floats) -> Floats:
        """Return the probability that each death was that of each case, (deaths, n); rows add up to 1."""
        weighted = (self.days > self.day[:, None]) * np.exp(risk - risk.max(initial=0.0))
        together = self.day[:, None] == self.day
        weighted[:, self.case] *= 1 - together * self.left_out[:, None]
        return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))

    def gradient(self, x: Floats, risk: Floats) -> Floats:
        """Return the likelihood's gradient by the coefficients of x (n, features), (features,)."""
        return np.asarray(x[self.case].sum(axis=0) - self.expected(risk) @ x)

    def _at_risk(self, weights: Floats) -> Floats:
        """Return the weight at risk at each death, (deaths,)."""
        leaving = np.bincount(self.days, weights, minlength=self.day.max(initial=-1) + 2)
        entering = np.cumsum(leaving[::-1])[::-1][1:]
        dying = np.bincount(self.day, weights[self.case])
        return np.asarray(entering[self.day] - self.left_out * dying[self.day])


def ridge(x: ArrayLike, truth: FollowUp, penalty: float = 0.0) -> Cox:
    """Fit by Newton's method, the likelihood less penalty/2 times the sum of squared coefficients.

    Equals sksurv.linear_model.CoxPHSurvivalAnalysis(alpha=penalty, ties="efron"). Source: Cox, Journal of
    the Royal Statistical Society B 34 (1972).

    Raises:
        ValueError: no death, x is not (n, features) and finite, or no unique solution without a penalty.
    """
    table, deaths = _inputs(x, truth)
    beta = np.zeros(table.shape[1])
    value = deaths.likelihood(table @ beta)
    for _ in range(STEPS):
        shares = deaths.shares(table @ beta)
        slope = deaths.gradient(table, table @ beta) - penalty * beta
        expected = shares @ table
        curvature = table.T @ (shares.sum(axis=0)[:, None] * table) - expected.T @ expected
        curvature += penalty * np.eye(len(beta))
        try:
            step = np.linalg.solve(curvature, slope)
        except np.linalg.LinAlgError:
            raise ValueError("features are a combination of others: give a penalty above 0") from None
        beta, previous = _uphill(deaths, table, beta, step, value, penalty), value
        value = _penalised(deaths, table, beta, penalty)
        if abs(value - previous) <= TOLERANCE * (1 + abs(value)) and np.abs(step).max(initial=0.0) < 1e-6:
            break
    return Cox.of(x, truth, beta)


def _uphill(deaths: Deaths, x: Floats, beta: Floats, step: Floats, value: float, penalty: float) -> Floats:
    """Return the coefficients after the step, or after the half of it that does not go down."""
    for _ in range(30):
        if _penalised(deaths, x, beta + step, penalty) >= value - TOLERANCE * (1 + abs(value)):
            return np.asarray(beta + step)
        step = step / 2
    return beta


def _penalised(deaths: Deaths, x: Floats, beta: Floats, penalty: float) -> float:
    return deaths.likelihood(x @ beta) - penalty / 2 * float(beta @ beta)


def elastic_net(
    x: ArrayLike, truth: FollowUp, penalty: float, mix: float = 0.5, start: Floats | None = None
) -> Cox:
    """Fit the minimum of -likelihood / n + penalty (mix |b| + (1 - mix)/2 b^2), summed over coefficients b.

    By accelerated proximal gradients with restarts. Without ties it equals
    sksurv.linear_model.CoxnetSurvivalAnalysis(alphas=[penalty], l1_ratio=mix). Source: Simon, Friedman,
    Hastie and Tibshirani, Journal of Statistical Software 39 (2011); Beck and Teboulle, SIAM Journal on
    Imaging Sciences 2 (2009).

    Raises:
        ValueError: no death, or x is not (n, features) and finite.
    """
    table, deaths = _inputs(x, truth)
    beta = np.zeros(table.shape[1]) if start is None else start.copy()
    return Cox.of(x, truth, _proximal(deaths, table, penalty, mix, beta))


def path(x: ArrayLike, truth: FollowUp, mix: float, number: int = 20, least: float = 0.02) -> Floats:
    """Return falling penalties, from the least one that leaves no coefficient to `least` of it, (number,)."""
    table, deaths = _inputs(x, truth)
    slope = deaths.gradient(table, np.zeros(len(table))) / len(table)
    largest = float(np.abs(slope).max(initial=0.0)) / max(mix, 1e-3)
    return np.geomspace(1.0, least, number) * max(largest, 1e-12)


def _proximal(deaths: Deaths, x: Floats, penalty: float, mix: float, beta: Floats) -> Floats:
    n, step, momentum, ahead = len(x), 1.0, 1.0, beta
    for _ in range(LONGEST):
        risk = x @ ahead
        slope = -deaths.gradient(x, risk) / n + penalty * (1 - mix) * ahead
        value = -deaths.likelihood(risk) / n + penalty * (1 - mix) / 2 * float(ahead @ ahead)
        while True:
            moved = ahead - step * slope
            new = np.sign(moved) * np.maximum(np.abs(moved) - step * penalty * mix, 0.0)
            away = new - ahead
            bound = value + float(slope @ away) + float(away @ away) / (2 * step)
            reached = -deaths.likelihood(x @ new) / n + penalty * (1 - mix) / 2 * float(new @ new)
            if reached <= bound + 1e-12:
                break
            step /= 2
        change = new - beta
        if float((ahead - new) @ change) > 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead, beta, momentum = new + (momentum - 1) / following * change, new, following
        if np.abs(change).max(initial=0.0) < FLAT:
            break
    return beta


def _inputs(x: ArrayLike, truth: FollowUp) -> tuple[Floats, Deaths]:
    table = np.asarray(x, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(truth) or not np.isfinite(table).all():
        raise ValueError(f"x must be finite and have shape ({len(truth)}, features), got {table.shape}")
    if not truth.event.any():
        raise ValueError("nobody died, so no hazard can be fitted")
    return table - table.mean(axis=0), Deaths.of(truth)
