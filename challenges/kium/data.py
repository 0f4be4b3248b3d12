"""Read the organisers' layout and decode its angiograms.

train.csv   Index, Aneurysm, 21 locations; one row a patient
train_set/  1001LI-A.jpg ... eight views a patient
test.csv    the template: the Index of each test patient, all else 0
test_set/
groundtruth.csv   the test patients' truth, on the organisers' machine only
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.kium.columns import HEADER, LOCATIONS, VIEWS
from challenges.kium.table import Table, contradictions, other_indices, read_table
from harness.contracts import Case, CaseSet, Dataset
from harness.errors import UserError, refuse
from harness.images import grey, jpeg_problem, side_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays

__all__ = ["HEADER", "LOCATIONS", "PREPARATION", "VIEWS", "decode", "read", "strata"]

PREPARATION = "1"
SIZE = 256

NAME = re.compile(r"([0-9]{4})((?:LI|LV|RI|RV)-[AB])\.jpg")
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
IGNORED = {"Thumbs.db", "desktop.ini"}


# --------------------------------------------------------------------------------------------- read
def read(root: Path, truth: Path | None = None, options: Mapping[str, str] = NO_OPTIONS) -> Dataset:
    """Read the patients and their labels; the test truth is `truth`, or groundtruth.csv in `root`.

    Without either the test set has no truth. The images are looked at, not decoded.

    Raises:
        UserError: a missing folder, table, view or label, a name or value that is not the
            organisers', an Aneurysm that contradicts its locations, or a patient in both sets; by
            file, line and column.
    """
    refuse(f"{root} is not the K-ium data", _missing(root, truth))
    train, template = read_table(root / "train.csv"), read_table(root / "test.csv")
    refuse(f"{root / 'train.csv'} is malformed", contradictions(train))
    refuse(f"{root / 'test.csv'} is malformed", _template_problems(template, set(train.ids)))
    answers = _test_truth(truth or root / "groundtruth.csv", template.ids, wanted=truth is not None)
    return Dataset(
        CaseSet(_cases(root / "train_set", train.ids), labels(train, sorted(train.ids))),
        CaseSet(_cases(root / "test_set", template.ids), answers),
    )


def read_truth(path: Path, ids: Sequence[str]) -> Arrays:
    """Read a truth table that holds exactly `ids`, and return it in their order.

    Raises:
        UserError: malformed, other patients, or Aneurysm that is not "any location".
    """
    if not path.is_file():
        raise UserError(f"The truth {path} does not exist or is not a file.")
    table = read_table(path)
    refuse(f"{path} does not fit the cases", other_indices(table, ids) + contradictions(table))
    return labels(table, ids)


def truth_ids(path: Path) -> tuple[str, ...]:
    """Return the Index of every row of a truth table, sorted.

    Raises:
        UserError: malformed, by line and column.
    """
    if not path.is_file():
        raise UserError(f"The truth {path} does not exist or is not a file.")
    return tuple(sorted(read_table(path).ids))


def labels(table: Table, ids: Sequence[str]) -> Arrays:
    """Return the truth arrays of a table, rows in the order of `ids`."""
    row_of = {index: row for row, index in enumerate(table.ids)}
    rows = np.array([row_of[index] for index in ids], dtype=np.intp)
    return {"aneurysm": table.aneurysm[rows].astype(np.uint8), "locations": table.locations[rows]}


def _missing(root: Path, truth: Path | None) -> list[str]:
    if not root.is_dir():
        return ["the folder does not exist"]
    folders = [f"{n}/ is missing" for n in ("train_set", "test_set") if not (root / n).is_dir()]
    tables = [f"{n} is missing" for n in ("train.csv", "test.csv") if not (root / n).is_file()]
    return folders + tables


def _template_problems(template: Table, trained: set[str]) -> list[str]:
    rows = list(zip(template.lines, template.ids, template.values, strict=True))
    return [
        *(f"line {line}: Index {i} is in train.csv too" for line, i, _ in rows if i in trained),
        *(
            f"line {line}: Index {i} is not all 0; the test set's truth belongs in groundtruth.csv"
            for line, i, values in rows
            if values.any()
        ),
    ]


def _test_truth(path: Path, ids: Sequence[str], *, wanted: bool) -> Arrays | None:
    return read_truth(path, sorted(ids)) if wanted or path.exists() else None


# ------------------------------------------------------------------------------------------- images
def _cases(folder: Path, ids: Sequence[str]) -> tuple[Case, ...]:
    """Return the cases sorted by id, each with its eight views in the order of `VIEWS`."""
    problems: list[str] = []
    views: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in IGNORED:
            continue
        match = NAME.fullmatch(path.name)
        if match is None:
            problems.append(f"{path.name} is not named [Index](LI|LV|RI|RV)-(A|B).jpg")
            continue
        views[match[1]][match[2]] = path
        if (problem := jpeg_problem(path)) is not None:
            problems.append(f"{path.name} {problem}")
    problems += _view_problems(views, ids)
    refuse(f"{folder} does not hold the patients' eight views", problems)
    return tuple(Case(i, i, tuple(views[i][view] for view in VIEWS)) for i in sorted(ids))


def _view_problems(views: Mapping[str, Mapping[str, Path]], ids: Sequence[str]) -> Iterator[str]:
    for index in sorted(set(views) - set(ids)):
        yield f"{', '.join(p.name for p in views[index].values())}: Index {index} is not in the table"
    for index in sorted(ids):
        missing = [f"{index}{view}.jpg" for view in VIEWS if view not in views.get(index, {})]
        if missing:
            yield f"{', '.join(missing)} missing"


def decode(case: Case, options: Mapping[str, Any]) -> dict[str, Array]:
    """Decode the eight views to grey squares: {"views": uint8 (8, size, size)}, in the order of `VIEWS`.

    `options["size"]` is the side in pixels (256). The pixels are those stored, without EXIF rotation.
    The longer side is brought to `size` (mean of the covered pixels when shrinking, bilinear when
    enlarging), so that no view is stretched, and the shorter one is padded on both sides with the
    median of the image's own border, so that a light margin continues and a dark one too.

    Raises:
        UserError: a file that is no whole JPEG image, by name; an unknown option or an impossible size.
    """
    size = side_of(options, SIZE)
    return {"views": np.stack([_square(grey(file), size) for file in case.files])}


def _square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    import cv2

    height, width = image.shape
    scale = size / max(height, width)
    new = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, new, interpolation=kind)
    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    out = np.full((size, size), np.uint8(np.median(border)), dtype=np.uint8)
    top, left = (size - new[1]) // 2, (size - new[0]) // 2
    out[top : top + new[1], left : left + new[0]] = small
    return out


def strata(truth: Arrays) -> NDArray[np.bool_]:
    """Return Aneurysm and the 21 locations, (n, 22)."""
    return np.column_stack([truth["aneurysm"], truth["locations"]]).astype(np.bool_)
