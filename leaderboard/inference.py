"""How long a model takes for a case, and on which machine: described, never ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.records import RunRecord
from leaderboard.text import clean, number
from leaderboard.values import Value
from leaderboard.wording import say

__all__ = ["hardware_of", "inference_of", "seconds_per_case"]

MOST_DIGITS = 6


def seconds_per_case(record: RunRecord) -> float | None:
    """Return the seconds that one fold's model takes to predict a case; None where a fold does not say.

    Every fold's model predicts its held-out cases and all test cases.
    """
    cells = record.first_cells
    known = [cell.prediction_seconds for cell in cells if cell.prediction_seconds is not None]
    cases = sum(cell.n_heldout + record.data.n_test for cell in cells)
    return math.fsum(known) / cases if cells and len(known) == len(cells) and cases > 0 else None


def inference_of(record: RunRecord) -> Value:
    """Return the seconds a case with two significant digits; all of them, and the machine, at hand."""
    seconds = seconds_per_case(record)
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return Value("–")
    digits = MOST_DIGITS if seconds == 0 else min(MOST_DIGITS, max(0, 1 - math.floor(math.log10(seconds))))
    exact = say("inference.exact", seconds=f"{seconds:.6g}", hardware=hardware_of(record))
    return Value(number(seconds, digits), exact=exact)


def hardware_of(record: RunRecord) -> str:
    """Return the machine in words, from what the record says of it."""
    found = record.provenance.get("hardware")
    known = found if isinstance(found, Mapping) else {}
    cpu = clean(known["cpu"], 80) if isinstance(known.get("cpu"), str) else say("inference.unknown")
    cores, gpus = (known.get(name) if type(known.get(name)) is int else 0 for name in ("cores", "gpus"))
    words = say("inference.hardware", cpu=cpu, n=cores) if cores else cpu
    return say("inference.with_gpus", hardware=words, n=gpus) if gpus else words
