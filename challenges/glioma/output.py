"""The prediction file: ID,risk and, if the entry gives curves, s91,s182,s273,s365,... of twenty quarters."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from challenges.glioma.columns import TIMES
from challenges.glioma.table import Row, Rows, doubled, number, read_rows
from challenges.glioma.truth import ID, other_ids
from harness.errors import refuse

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays, CaseSet

__all__ = ["SURVIVAL", "read_predictions", "rising", "write_predictions"]

SURVIVAL = tuple(f"s{int(day)}" for day in TIMES)
"""Columns of the survival curve, named after the day in whole numbers."""
ROUNDING = 1e-9


def rising(curves: Array) -> Array:
    """Return whether each curve, (n, times), rises anywhere by more than rounding, (n,)."""
    return np.asarray((np.diff(curves, axis=1) > ROUNDING).any(axis=1))


def read_predictions(path: Path, cases: CaseSet) -> dict[str, Array]:
    """Read a prediction file, rows matched by ID and returned in the order of the cases.

    `risk` is any finite number; the twenty survival columns are all there or none, each a number in
    [0, 1], and do not rise along the row. Gives risk float64 (n,) and survival float64 (n, 20).

    Raises:
        UserError: missing, extra, doubled or malformed rows, a curve that rises, by line and column.
    """
    table = read_rows(path, [ID, "risk"], optional=SURVIVAL)
    given = [name for name in SURVIVAL if name in table.header]
    if given:
        refuse(
            f"{path} has a wrong header",
            [f"column {name} is missing: a curve has all twenty" for name in SURVIVAL if name not in given],
        )
    problems = doubled(table.rows, ID)
    problems += [problem for row in table.rows for problem in _row_problems(row, bool(given))]
    refuse(f"{path} is malformed", problems)
    refuse(f"{path} does not fit the cases", other_ids(table, cases.ids))
    return _arrays(table, cases, curves=bool(given))


def _arrays(table: Rows, cases: CaseSet, *, curves: bool) -> dict[str, Array]:
    of = {row.cells[ID]: row.cells for row in table.rows}
    found = {"risk": np.array([float(of[case]["risk"]) for case in cases.ids], dtype=np.float64)}
    if curves:
        rows = [[float(of[case][name]) for name in SURVIVAL] for case in cases.ids]
        found["survival"] = np.array(rows, dtype=np.float64).reshape(-1, len(SURVIVAL))
    return found


def _row_problems(row: Row, curves: bool) -> Iterator[str]:
    if number(row.cells["risk"]) is None:
        yield f"line {row.line}, column risk: {row.cells['risk']!r} is not a finite number"
    if not curves:
        return
    values = [number(row.cells[name]) for name in SURVIVAL]
    for name, value in zip(SURVIVAL, values, strict=True):
        if value is None or not 0 <= value <= 1:
            yield f"line {row.line}, column {name}: {row.cells[name]!r} is not a number from 0 to 1"
    known = [-1.0 if value is None else value for value in values]
    for k in range(1, len(known)):
        if known[k - 1] >= 0 and known[k] > known[k - 1] + ROUNDING:
            yield (
                f"line {row.line}, column {SURVIVAL[k]}: {row.cells[SURVIVAL[k]]!r} is more than "
                f"{row.cells[SURVIVAL[k - 1]]!r} before; survival never rises"
            )
            return


def write_predictions(path: Path, cases: CaseSet, predictions: Arrays) -> None:
    """Write the prediction file, every number with all its digits."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    curves = predictions.get("survival")
    writer.writerow([ID, "risk", *(SURVIVAL if curves is not None else [])])
    for row, case in enumerate(cases.ids):
        own = [] if curves is None else [repr(float(value)) for value in curves[row]]
        writer.writerow([case, repr(float(predictions["risk"][row])), *own])
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
