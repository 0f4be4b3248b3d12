"""output.csv: read an entrant's, write ours, and score one as the organisers' script did."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from challenges.kium.columns import HEADER
from challenges.kium.table import other_indices, parse, read_table
from harness.errors import UserError, refuse
from harness.metrics import accuracy, auroc
from harness.safe_open import MEGABYTE, read_text

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays, CaseSet

LARGEST = 16 * MEGABYTE


def read_predictions(path: Path, cases: CaseSet) -> dict[str, Array]:
    """Read output.csv, rows matched by Index and returned in the order of the cases.

    The 23 columns in their order; Aneurysm a number in [0, 1]; locations exactly 0 or 1 (0.0 and 1.0
    too). Gives aneurysm float64 (n,) and locations uint8 (n, 21).

    Raises:
        UserError: missing, extra, doubled or malformed rows, by line and column; not a plain file.
    """
    table = parse(read_text(path, LARGEST), str(path), probabilities=True)
    refuse(f"{path} does not fit the cases", other_indices(table, cases.ids))
    row_of = {index: row for row, index in enumerate(table.ids)}
    rows = np.array([row_of[index] for index in cases.ids], dtype=np.intp)
    return {"aneurysm": table.aneurysm[rows], "locations": table.locations[rows]}


def write_predictions(path: Path, cases: CaseSet, predictions: Arrays) -> None:
    """Write the organisers' output.csv: Aneurysm with every digit, locations as integers."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for index, aneurysm, places in zip(
        cases.ids, predictions["aneurysm"], predictions["locations"], strict=True
    ):
        writer.writerow([index, repr(float(aneurysm)), *(int(place) for place in places)])
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def positional(truth_path: Path, predictions_path: Path) -> tuple[float, float]:
    """Return AUROC and location accuracy as the organisers' script: row k against row k, Index unread.

    The same as the official pair when the rows are in the truth's order; shown beside it so that
    an entrant sees what a shuffled file would have scored.

    Raises:
        UserError: a malformed table, or tables of different length.
    """
    truth = read_table(truth_path)
    output = parse(read_text(predictions_path, LARGEST), str(predictions_path), probabilities=True)
    if len(truth.ids) != len(output.ids):
        raise UserError(f"{predictions_path} has {len(output.ids)} rows; the truth has {len(truth.ids)}.")
    return (
        float(auroc.compute(truth.aneurysm, output.aneurysm)),
        float(accuracy.compute(truth.locations, output.locations)),
    )
