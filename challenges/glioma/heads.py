"""What stands between a network's outputs and the answer: a loss, a risk, a survival curve.

A head says how many `outputs` it needs. `begin` sees the training cases' times before the fit, `finish` also
the network's outputs for them after it.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it

from challenges.glioma.losses import (
    SOURCE_BREAKS,
    breslow,
    cox_loss,
    full,
    grouped,
    grouped_loss,
    interpolation,
    prophazards_parts,
)
from harness.errors import UserError, did_you_mean

__all__ = ["HEADS", "CoxHead", "DiscreteHead", "Head", "PropHazardsHead", "head_of"]

YEAR = 365.0
STEEPEST = 50.0
"""Of a log hazard ratio to the mean, beyond which survival is 0 or 1 anyway."""


class Head(nn.Module):
    """Survival curves at `times`, days, that rise."""

    outputs: int

    @abstractmethod
    def loss(self, outputs: Tensor, time: Tensor, event: Tensor) -> Tensor:
        """Return the loss of a batch, ()."""

    @abstractmethod
    def risk(self, outputs: Tensor) -> Tensor:
        """Return the risk, (B,), higher = earlier death."""

    @abstractmethod
    def survival(self, outputs: Tensor) -> Tensor:
        """Return the probabilities to be alive at the times, (B, m), which never rise."""

    def begin(self, time: Tensor, event: Tensor) -> None:
        """Learn what the times alone say."""

    def finish(self, outputs: Tensor, time: Tensor, event: Tensor) -> None:
        """Learn what the fitted network's outputs (n, outputs) say together with the times."""


class CoxHead(Head):
    """One output, the log hazard ratio; the curves are Breslow's, from the training cases' risks."""

    outputs = 1

    def __init__(self, times: ArrayLike) -> None:
        """Start with a hazard of 0: everyone lives."""
        super().__init__()
        self.times: Tensor
        self.hazard: Tensor
        self.centre: Tensor
        self.register_buffer("times", torch.tensor(np.asarray(times), dtype=torch.float32))
        self.register_buffer("hazard", torch.zeros(self.times.shape))
        self.register_buffer("centre", torch.zeros(()))

    def loss(self, outputs: Tensor, time: Tensor, event: Tensor) -> Tensor:
        """Return Cox's partial likelihood, the batch being the risk set."""
        return cox_loss(outputs[:, 0], time, event)

    def risk(self, outputs: Tensor) -> Tensor:
        """Return the log hazard ratio."""
        return full(outputs[:, 0])

    def survival(self, outputs: Tensor) -> Tensor:
        """Return exp(-H exp(risk)), the risk from the training cases' mean."""
        ratio = (self.risk(outputs) - self.centre).clamp(-STEEPEST, STEEPEST).exp()
        return (-self.hazard * ratio[:, None]).exp()

    def finish(self, outputs: Tensor, time: Tensor, event: Tensor) -> None:
        """Take the baseline hazard from the training cases."""
        risk = self.risk(outputs)
        self.centre.copy_(risk.mean())
        self.hazard.copy_(breslow(risk - self.centre, time, event, self.times))


class DiscreteHead(Head):
    """An output an interval, the logit of the hazard in it (nnet-survival's flexible form, its sign turned).

    The outputs add to the life table of the training cases. The curve lies straight between the breaks.
    """

    def __init__(self, times: ArrayLike, breaks: ArrayLike = SOURCE_BREAKS) -> None:
        """Start with an even chance in each interval, as `breaks`, days, rising from 0, divide the time."""
        super().__init__()
        self.breaks: Tensor
        self.offset: Tensor
        self.weights: Tensor
        self.year: Tensor
        self.outputs = len(np.asarray(breaks)) - 1
        self.register_buffer("breaks", torch.tensor(np.asarray(breaks), dtype=torch.float32))
        self.register_buffer("offset", torch.zeros(self.outputs))
        for name, at in (("weights", times), ("year", [YEAR])):
            self.register_buffer(name, torch.tensor(interpolation(breaks, at), dtype=torch.float32))

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log of the chance to survive each interval for who enters it, and of its complement."""
        logits = full(outputs) + self.offset
        return F.logsigmoid(-logits), F.logsigmoid(logits)

    def loss(self, outputs: Tensor, time: Tensor, event: Tensor) -> Tensor:
        """Return the loss of nnet-survival."""
        return grouped_loss(*self.parts(outputs), *grouped(time, event, self.breaks))

    def curve(self, outputs: Tensor) -> Tensor:
        """Return the survival at the breaks, (B, K + 1)."""
        return F.pad(self.parts(outputs)[0].cumsum(1), (1, 0)).exp()

    def risk(self, outputs: Tensor) -> Tensor:
        """Return the cumulative hazard at one year, -log S(365 d)."""
        alive = (self.curve(outputs) @ self.year)[:, 0]
        return -alive.clamp_min(torch.finfo(alive.dtype).tiny).log()

    def survival(self, outputs: Tensor) -> Tensor:
        """Return the curve at the times."""
        return (self.curve(outputs) @ self.weights).clamp(0, 1).cummin(1).values

    def begin(self, time: Tensor, event: Tensor) -> None:
        """Start from the life table, half a patient added on either side of every interval."""
        survived, died = (part.sum(0) + 0.5 for part in grouped(time, event, self.breaks))
        self.offset.copy_((died / survived).log())


class PropHazardsHead(DiscreteHead):
    """The source's head; see `losses.prophazards_parts`. No life table: its networks start from 0."""

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logs of sigmoid(x)^exp(x) and of its complement."""
        return prophazards_parts(outputs)

    def begin(self, time: Tensor, event: Tensor) -> None:
        """Leave the outputs alone."""


HEADS: dict[str, type[CoxHead] | type[DiscreteHead]] = {
    "cox": CoxHead,
    "discrete": DiscreteHead,
    "prophazards": PropHazardsHead,
}


def head_of(name: str, times: ArrayLike) -> Head:
    """Return the head with this name.

    Raises:
        UserError: for a name that is none of HEADS.
    """
    if name not in HEADS:
        raise UserError(
            f"No loss named {name!r}. {did_you_mean(name, HEADS)} Type for example model.loss=cox."
        )
    return HEADS[name](times)
