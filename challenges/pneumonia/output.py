"""The prediction file: image,pneumonia and, if the entry decides itself, decision."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from challenges.pneumonia.table import BINARY, IMAGE, LARGEST, PROBABILITY, other_images, parse
from harness.errors import refuse
from harness.safe_open import read_text

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays, CaseSet


def read_predictions(path: Path, cases: CaseSet) -> dict[str, Array]:
    """Read a prediction file, rows matched by image and returned in the order of the cases.

    `pneumonia` is a number in [0, 1], `decision` exactly 0 or 1 (0.0 and 1.0 too). Gives pneumonia float64
    (n,) and, if the column is there, decision uint8 (n,).

    Raises:
        UserError: missing, extra, doubled or malformed rows, by line and column; not a plain file.
    """
    text = read_text(path, LARGEST)
    table = parse(text, str(path), {"pneumonia": PROBABILITY}, {"decision": BINARY})
    refuse(f"{path} does not fit the cases", other_images(table, cases.ids))
    found = {"pneumonia": np.array(table.numbers("pneumonia", cases.ids), dtype=np.float64)}
    if "decision" in table.columns:
        return {**found, "decision": np.array(table.numbers("decision", cases.ids), dtype=np.uint8)}
    return found


def write_predictions(path: Path, cases: CaseSet, predictions: Arrays) -> None:
    """Write the prediction file: the probability with every digit, the decision as an integer."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = ["pneumonia", *(["decision"] if "decision" in predictions else [])]
    writer.writerow([IMAGE, *columns])
    for row, image in enumerate(cases.ids):
        decided = [int(predictions[key][row]) for key in columns[1:]]
        writer.writerow([image, repr(float(predictions["pneumonia"][row])), *decided])
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
