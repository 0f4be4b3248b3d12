"""Weights & Biases, from the parent only: one wandb run per fold, grouped by the harness run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import UserError

if TYPE_CHECKING:
    from harness.contracts import Outcome
    from harness.plan import Plan

__all__ = ["Tracker", "tracker_of"]


class Tracker(Protocol):
    """Told of folds by the threads that supervise them."""

    def event(self, fold: int, event: dict[str, Any]) -> None:
        """An epoch has ended in a fold."""

    def finish(self, fold: int, outcome: Outcome) -> None:
        """A fold has ended."""


class NoTracker:
    """Track nothing, import nothing."""

    def event(self, fold: int, event: dict[str, Any]) -> None:
        """Ignore the event."""

    def finish(self, fold: int, outcome: Outcome) -> None:
        """Ignore the outcome."""


class WandbTracker:
    """One wandb run per fold."""

    def __init__(self, plan: Plan) -> None:
        try:
            import wandb
        except ImportError:
            raise UserError("wandb.mode needs wandb. Type: pip install wandb") from None
        self._wandb = wandb
        self._plan = plan
        self._runs: dict[int, Any] = {}
        self._lock = threading.Lock()

    def _run(self, fold: int) -> Any:  # noqa: ANN401  wandb ships no complete type hints
        if fold not in self._runs:
            plan = self._plan
            self._runs[fold] = self._wandb.init(
                project=plan.config.wandb.project,
                mode=plan.config.wandb.mode,
                group=f"{plan.submission.name}-{plan.key[:8]}",
                name=f"{plan.submission.name}{self._seed()}-fold{fold}",
                config={
                    **plan.settings,
                    "challenge": plan.challenge.name,
                    "fold": fold,
                    "seed": plan.config.seed,
                },
                reinit="create_new",
            )
        return self._runs[fold]

    def _seed(self) -> str:
        """Return what tells the seeds of one entry apart; nothing where there is one."""
        config = self._plan.config
        return f"-seed{config.seed}" if config.seeds > 1 else ""

    def event(self, fold: int, event: dict[str, Any]) -> None:
        """Log an epoch's numbers."""
        metrics = event.get("metrics")
        if event.get("event") != "epoch" or not isinstance(metrics, dict):
            return
        numbers = {str(name): value for name, value in metrics.items() if isinstance(value, int | float)}
        with self._lock:
            self._run(fold).log({"epoch": event.get("epoch"), **numbers})

    def finish(self, fold: int, outcome: Outcome) -> None:
        """Close the fold's run with its state."""
        state = "done" if outcome.failure is None else f"failed: {outcome.failure.kind.value}"
        with self._lock:
            run = self._run(fold)
            run.summary.update({"state": state, "seconds": outcome.seconds})
            run.finish(exit_code=int(outcome.failure is not None))
            del self._runs[fold]


def tracker_of(plan: Plan) -> Tracker:
    """Return the tracker that `wandb.mode` asks for."""
    return NoTracker() if plan.config.wandb.mode == "disabled" else WandbTracker(plan)
