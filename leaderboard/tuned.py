"""A tuned entry's search as a line of the board: its mark, its cost, its optimism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.records import SweepFacts
from leaderboard.standings import HalfName
from leaderboard.text import count, duration, signed
from leaderboard.values import Value
from leaderboard.wording import say

__all__ = ["Tuned", "optimism_of", "outer_half", "tuned_of"]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search cost and how far its own score can be believed."""

    mark: str
    trials: Value
    time: Value
    optimism: Value


def tuned_of(sweep: SweepFacts | None, decimals: Mapping[HalfName, int]) -> Tuned | None:
    """Return a search's line, in the ranking metric's decimals on each half; None without a search."""
    if sweep is None:
        return None
    n, done, planned = len(sweep.trials), count(sweep.folds_trained), count(sweep.folds_planned)
    return Tuned(
        mark=say("tuned.nested" if sweep.nested else "tuned.plain"),
        trials=Value(count(n), exact=say("tuned.trials_exact", n=n, done=done, planned=planned)),
        time=Value(duration(sweep.seconds), exact=f"{sweep.seconds:.0f} s"),
        optimism=optimism_of(sweep, decimals[outer_half(sweep)]),
    )


def outer_half(sweep: SweepFacts) -> HalfName:
    """Return the half that had no part in the choice: the outer folds of a nested search, or the test set."""
    return "cv" if sweep.nested else "test"


def optimism_of(sweep: SweepFacts, decimals: int) -> Value:
    """Return how much better the search looked than it was, with its sign."""
    if sweep.optimism is None:
        return Value("–")
    found = {"optimism": sweep.optimism, "inner": sweep.inner_best, "outer": sweep.outer_score}
    words = say("tuned.optimism_exact", **{name: repr(value) for name, value in found.items()})
    return Value(signed(sweep.optimism, decimals), exact=words)
