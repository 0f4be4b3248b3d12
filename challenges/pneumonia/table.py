"""The tables of the test set: image,pneumonia[,decision] of an entrant, image,pneumonia[,agent] of its truth.

Everything wrong is collected, by line of the file and column, before it is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from challenges.pneumonia.names import AGENTS, NORMAL, UNKNOWN
from harness.errors import UserError, refuse
from harness.safe_open import MEGABYTE, read_text

if TYPE_CHECKING:
    from harness.contracts import Arrays

LARGEST = 16 * MEGABYTE
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""What float() accepts, less nan, inf, underscores and digits of other scripts."""
IMAGE = "image"

Check = tuple[Callable[[str], bool], str]
"""Whether a cell is well-formed, and what is wanted."""


def _number(cell: str) -> float | None:
    return float(cell) if NUMBER.fullmatch(cell.strip()) else None


def _is_probability(cell: str) -> bool:
    value = _number(cell)
    return value is not None and 0 <= value <= 1


def _is_binary(cell: str) -> bool:
    return _number(cell) in (0, 1)


PROBABILITY: Check = (_is_probability, "a number from 0 to 1")
BINARY: Check = (_is_binary, "0 or 1")
AGENT: Check = (lambda cell: cell.strip() in AGENTS, " or ".join(AGENTS))


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it lies in the file."""

    lines: tuple[int, ...]
    """The line of the file that each row ends on; the header is line 1."""
    columns: Mapping[str, tuple[str, ...]]

    @property
    def ids(self) -> tuple[str, ...]:
        """The first column."""
        return self.columns[IMAGE]

    def numbers(self, column: str, ids: Sequence[str]) -> list[float]:
        """Return a column of numbers in the order of `ids`."""
        of = dict(zip(self.ids, self.columns[column], strict=True))
        return [float(of[case]) for case in ids]


def parse(text: str, name: str, required: Mapping[str, Check], optional: Mapping[str, Check]) -> Table:
    """Read a table of `image` and these columns, in any order of the columns.

    Blank lines and either line ending are accepted; a byte order mark is the opener's to remove.

    Raises:
        UserError: with `name` and every problem by line and column.
    """
    try:
        rows = list(_numbered(text))
    except csv.Error as error:
        raise UserError(f"{name} is not a CSV file: {error}.") from None
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    checks = {**required, **optional}
    refuse(f"{name} has a wrong header", _header_problems(header, required, optional))
    problems = [problem for line, row in rows[1:] for problem in _row_problems(line, row, header, checks)]
    columns = {
        key: tuple(row[k].strip() for _, row in rows[1:] if len(row) == len(header))
        for k, key in enumerate(header)
    }
    refuse(f"{name} is malformed", problems or _doubled([line for line, _ in rows[1:]], columns[IMAGE]))
    return Table(tuple(line for line, _ in rows[1:]), columns)


def other_images(table: Table, ids: Sequence[str]) -> list[str]:
    """Return what is missing from, or too much in, a table that should hold exactly `ids`."""
    expected, found = set(ids), set(table.ids)
    extra = [
        f"line {line}: image {image!r} is not asked for"
        for line, image in zip(table.lines, table.ids, strict=True)
        if image not in expected
    ]
    return [*(f"image {image!r} is missing" for image in ids if image not in found), *extra]


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with its line in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    for row in reader:
        if row:
            yield reader.line_num, row


def _header_problems(
    header: Sequence[str], required: Mapping[str, Check], optional: Mapping[str, Check]
) -> list[str]:
    known = [IMAGE, *required, *optional]
    missing = [f"column {name} is missing" for name in (IMAGE, *required) if name not in header]
    extra = [f"column {name!r} is not one of {', '.join(known)}" for name in header if name not in known]
    doubled = [f"column {name} occurs twice" for name in known if header.count(name) > 1]
    return missing + extra + doubled


def _row_problems(
    line: int, row: Sequence[str], header: Sequence[str], checks: Mapping[str, Check]
) -> Iterator[str]:
    if len(row) != len(header):
        yield f"line {line}: {len(row)} values instead of {len(header)}"
        return
    for column, cell in zip(header, row, strict=True):
        if column == IMAGE:
            if not cell.strip():
                yield f"line {line}, column image: no name"
        elif not checks[column][0](cell):
            yield f"line {line}, column {column}: {cell!r} is not {checks[column][1]}"


def _doubled(lines: Sequence[int], images: Sequence[str]) -> list[str]:
    first: dict[str, int] = {}
    problems = []
    for line, image in zip(lines, images, strict=True):
        if image in first:
            problems.append(f"line {line}: image {image!r} was given before, in line {first[image]}")
        first.setdefault(image, line)
    return problems


# -------------------------------------------------------------------------------------------- truth
def read_truth(path: Path, ids: Sequence[str]) -> Arrays:
    """Read a truth table (image, pneumonia and, if recorded, agent) that holds exactly `ids`.

    Gives `pneumonia` and `agent` uint8 (n,) in the order of `ids`.

    Raises:
        UserError: malformed, other images, or an agent against its label; by line and column.
    """
    table = _truth_table(path)
    refuse(f"{path} does not fit the cases", other_images(table, ids))
    pneumonia = np.array(table.numbers("pneumonia", ids), dtype=np.uint8)
    if "agent" not in table.columns:
        return {"pneumonia": pneumonia, "agent": np.where(pneumonia == 1, UNKNOWN, NORMAL).astype(np.uint8)}
    of = dict(zip(table.ids, table.columns["agent"], strict=True))
    return {"pneumonia": pneumonia, "agent": np.array([AGENTS.index(of[i]) for i in ids], dtype=np.uint8)}


def truth_ids(path: Path) -> tuple[str, ...]:
    """Return the image of every row of a truth table, sorted.

    Raises:
        UserError: malformed, by line and column.
    """
    return tuple(sorted(_truth_table(path).ids))


def _truth_table(path: Path) -> Table:
    if not path.is_file():
        raise UserError(f"The truth {path} does not exist or is not a file.")
    table = parse(read_text(path, LARGEST), str(path), {"pneumonia": BINARY}, {"agent": AGENT})
    refuse(f"{path} contradicts itself", _contradictions(table))
    return table


def _contradictions(table: Table) -> list[str]:
    agents = table.columns.get("agent", ())
    rows = zip(table.lines, table.columns["pneumonia"], agents, strict=False)
    return [
        f"line {line}: pneumonia {label} but agent {agent}"
        for line, label, agent in rows
        if (float(label) == 1) != (agent != AGENTS[NORMAL])
    ]
