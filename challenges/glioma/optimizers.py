"""Sharpness-aware minimisation, around any optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["SAM"]


class SAM(torch.optim.Optimizer):
    """Take the gradient where the loss is worst within `rho` of the weights, then let `base` step with it.

    Every step calls the closure twice, so that it costs twice as much, and a loss that the closure logs is
    the mean of both places. Batch normalisation sees the batch twice. Not for precision=16-mixed, whose
    gradients are scaled. Source: Foret et al., ICLR 2021, equation 4.
    """

    def __init__(self, base: torch.optim.Optimizer, rho: float = 0.05) -> None:
        """Share the parameter groups with `base`, so that a schedule of the learning rate reaches it."""
        super().__init__(base.param_groups, {})
        self.base = base
        self.param_groups = base.param_groups
        self.state = base.state
        self.rho = rho

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401
        """Do one step; the closure computes the gradients anew, and is needed.

        Raises:
            RuntimeError: without a closure.
        """
        if closure is None:
            raise RuntimeError("SAM needs a closure that computes the gradients")
        with torch.enable_grad():
            loss = closure()
        kept = self._ascend()
        with torch.enable_grad():
            closure()
        for parameter, value in kept:
            parameter.copy_(value)
        self.base.step()
        return loss

    def _ascend(self) -> list[tuple[Tensor, Tensor]]:
        """Move `rho` uphill; return the parameters moved and where they were."""
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not moved:
            return []
        norm = torch.stack([p.grad.norm() for p in moved]).norm()
        kept = [(p, p.clone()) for p in moved]
        for parameter in moved:
            parameter.add_(parameter.grad * (self.rho / (norm + 1e-12)))
        return kept
