"""Losses of censored survival times, and the curves that follow from what they fit.

`time` is in days, (B,); `event`, (B,), is 1 where the patient died and 0 where the follow-up ended. Whatever
a network puts out, more of it is an earlier death.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  the field's name for it

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "SOURCE_BREAKS",
    "breslow",
    "cox_coefficients",
    "cox_loss",
    "grouped",
    "grouped_loss",
    "interpolation",
    "prophazards_parts",
]

SOURCE_BREAKS = -np.log(1 - np.arange(0, 1, 0.05)) * 730 / np.log(2)
"""Days between the source's 19 intervals: of exponential survival with a median of 730, 5 % die in each."""
LARGEST = 20.0
"""Beyond it sigmoid(x)^exp(x) is 1/e to seven digits."""


def full(values: Tensor) -> Tensor:
    """Return half precision as float32, anything else as it is."""
    return values if values.dtype == torch.float64 else values.float()


# ------------------------------------------------------------------------------------------ Cox's model
def cox_loss(risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
    """Return the mean over the deaths of -log(Cox's partial likelihood), tied deaths as Efron has them.

    The risk set of a death is the batch's patients who were followed that long; `risk` (B,) is the log hazard
    ratio. A batch without a death says nothing: 0, with a gradient of 0. Sources: Efron, JASA 72 (1977);
    Katzman et al. (DeepSurv), BMC Medical Research Methodology 18 (2018).
    """
    died = event > 0
    if not died.any():
        return full(risk).sum() * 0
    log_hazard, when = full(risk), time[died][:, None]
    total = _log_sum(log_hazard, time >= when)
    tied = (time == when) & died
    among = _log_sum(log_hazard, tied)
    # Of d who died on one day, the l-th is compared with the risk set less l/d of all d: l = 0 .. d - 1.
    pairs = tied[:, died].to(log_hazard.dtype)
    share = pairs.tril(-1).sum(1) / pairs.sum(1)
    others = total + torch.log1p(-share * (among - total).exp())
    return (others - log_hazard[died]).mean()


def cox_coefficients(covariates: Tensor, time: Tensor, event: Tensor, ridge: float = 0.0) -> Tensor:
    """Return the coefficients (C,), float64, of Cox's model of complete covariates (n, C).

    Minimised is `cox_loss` + ridge / 2 x the sum of their squares, the ridge keeping them finite where a
    covariate separates the dead from the others.
    """
    given = covariates.double()
    beta = torch.zeros(given.shape[1], dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [beta], max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        solver.zero_grad()
        loss = cox_loss(given @ beta, time.double(), event) + ridge / 2 * beta.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        solver.step(closure)  # type: ignore[no-untyped-call]
    return beta.detach()


def breslow(risk: Tensor, time: Tensor, event: Tensor, at: Tensor) -> Tensor:
    """Return the cumulative hazard at risk 0 until the days `at`, (m,), from a cohort's risks (n,).

    Survival of another is exp(-hazard x exp(risk)). Source: Breslow, JRSS B 34 (1972), in the discussion.
    """
    died = event > 0
    if not died.any():
        return torch.zeros_like(at)
    when = time[died]
    steps = (-_log_sum(full(risk), time >= when[:, None])).exp()
    return (steps * (when <= at[:, None])).sum(1)


def _log_sum(values: Tensor, chosen: Tensor) -> Tensor:
    """Return log(sum(exp)) of the chosen values, (n,) and (m, n) to (m,)."""
    return values.expand(chosen.shape).masked_fill(~chosen, -torch.inf).logsumexp(1)


# -------------------------------------------------------------------------------------- discrete time
def grouped(time: Tensor, event: Tensor, breaks: Tensor) -> tuple[Tensor, Tensor]:
    """Return what each patient says of each interval: survived it, died in it; both (B, K), 0 or 1.

    `breaks` (K + 1,) rise from 0. Who is censored counts as a survivor of an interval after its midpoint; who
    dies after the last break survived all. Source: Gensheimer and Narasimhan (nnet-survival), PeerJ 7 (2019).
    """
    begin, end = breaks[:-1], breaks[1:]
    when, dead = time[:, None], event[:, None] > 0
    survived = torch.where(dead, when >= end, when >= (begin + end) / 2)
    died = dead & (when >= begin) & (when < end)
    return survived.to(breaks.dtype), died.to(breaks.dtype)


def grouped_loss(log_survival: Tensor, log_death: Tensor, survived: Tensor, died: Tensor) -> Tensor:
    """Return the mean of -log(likelihood) of grouped survival times.

    `log_survival` (B, K) is the log of the chance to survive an interval for who entered it, `log_death` that
    of its complement; `survived` and `died` are `grouped`'s. Source: as there.
    """
    return -(survived * log_survival + died * log_death).sum(1).mean()


def prophazards_parts(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return log(p) and log(1 - p) of the source's head, p = sigmoid(x)^exp(x), for x (B, K).

    nnet-survival's PropHazards has sigmoid(a_k)^exp(x): one x a patient, one learned a_k an interval, so
    that hazards are proportional. The source's code has x in both places, one a patient and interval: they
    are not. Its p falls from 1 to 1/e: no interval can kill more than 63 %.
    """
    x = full(outputs).clamp_max(LARGEST)
    log_survival = x.exp() * F.logsigmoid(x)
    # p rounds to 1 for very small x, where log(1 - p) would be infinite.
    smallest = torch.finfo(x.dtype).eps
    return log_survival, (-torch.expm1(log_survival.clamp_max(-smallest))).log()


def interpolation(breaks: ArrayLike, times: ArrayLike) -> NDArray[np.float64]:
    """Return the matrix (K + 1, m) that takes curves from `breaks` to `times`: linear, level beyond the end.

    `curve @ interpolation(breaks, times)` equals np.interp(times, breaks, curve), case by case.
    """
    known = np.asarray(breaks, dtype=np.float64)
    return np.stack(
        [np.interp(np.asarray(times, dtype=np.float64), known, row) for row in np.eye(len(known))]
    )
