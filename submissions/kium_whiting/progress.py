"""When one network stops, and which of its weights are kept."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor, nn

from harness.metrics import auroc

__all__ = ["Progress", "mean_auroc"]


class Progress:
    """The best validation score of one network, with a copy of the weights that reached it."""

    def __init__(self, patience: int) -> None:
        """Stop after `patience` epochs without a better score."""
        self.patience = patience
        self.best = -math.inf
        self.stale = 0
        self.weights: dict[str, Tensor] | None = None

    def update(self, score: float, network: nn.Module) -> bool:
        """Take in an epoch's score and return whether the network should stop.

        An undefined score (NaN: too few validation patients for one) says nothing and counts for nothing.
        """
        if math.isnan(score):
            return False
        if score > self.best:
            self.best, self.stale = score, 0
            # A copy on the host: `network.state_dict()` alone would go on changing.
            self.weights = {n: t.detach().cpu().clone() for n, t in network.state_dict().items()}
        else:
            self.stale += 1
        return self.stale >= self.patience

    def restore(self, network: nn.Module) -> None:
        """Give the network its best weights back; without any score it keeps its last ones."""
        if self.weights is not None:
            network.load_state_dict(self.weights)


def mean_auroc(labels: Tensor, probabilities: Tensor) -> float:
    """Return the AUROC averaged over the columns that have both classes; NaN if none has. (n, k) each."""
    truth, scores = labels.cpu().numpy(), probabilities.cpu().double().numpy()
    defined = [k for k in range(truth.shape[1]) if 0 < truth[:, k].sum() < len(truth)]
    values = [float(auroc.compute(truth[:, k], scores[:, k])) for k in defined]
    return float(np.mean(values)) if values else math.nan
