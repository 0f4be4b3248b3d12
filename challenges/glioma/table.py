"""Tables as text: rows with their lines, and everything wrong gathered before it is refused."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError, refuse
from harness.safe_open import MEGABYTE, read_text

__all__ = ["LARGEST", "Row", "Rows", "doubled", "number", "read_rows"]

LARGEST = 64 * MEGABYTE
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""What float() accepts, less nan, inf, underscores and digits of other scripts."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its line in the file (the header is line 1) and its cells by column, without outer blanks."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table as it lies in the file."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[Row, ...]


def number(cell: str) -> float | None:
    """Return the cell's number; None if it is none, or not finite."""
    if not NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None


def read_rows(
    path: Path, wanted: Sequence[str], *, delimiter: str = ",", optional: Iterable[str] | None = None
) -> Rows:
    """Read a table that has at least the wanted columns, or only them and `optional` ones where given.

    Blank lines and either line ending are accepted.

    Raises:
        UserError: not there, no table, a column missing or doubled, a row of another length; by line.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist or is not a file.")
    text = read_text(path, LARGEST)
    try:
        rows = list(_numbered(text, delimiter))
    except csv.Error as error:
        raise UserError(f"{path} is no table of values: {error}.") from None
    header = tuple(cell.strip() for cell in rows[0][1]) if rows else ()
    known = None if optional is None else (*wanted, *optional)
    refuse(f"{path} has a wrong header", _header_problems(header, wanted, known))
    refuse(
        f"{path} is malformed",
        [
            f"line {n}: {len(row)} values instead of {len(header)}"
            for n, row in rows
            if len(row) != len(header)
        ],
    )
    cells = ({key: cell.strip() for key, cell in zip(header, row, strict=True)} for _, row in rows[1:])
    found = tuple(Row(line, row) for (line, _), row in zip(rows[1:], cells, strict=True))
    return Rows(path, header, found)


def _numbered(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _header_problems(header: Sequence[str], wanted: Sequence[str], known: Sequence[str] | None) -> list[str]:
    missing = [f"column {name!r} is missing" for name in wanted if name not in header]
    twice = [f"column {name!r} occurs twice" for name in wanted if header.count(name) > 1]
    extra = [
        f"column {name!r} is not one of {', '.join(known)}"
        for name in header
        if known is not None and name not in known
    ]
    return missing + twice + extra


def doubled(rows: Iterable[Row], column: str) -> list[str]:
    """Return a sentence for each row whose id was given before, or that has none."""
    first: dict[str, int] = {}
    problems = []
    for row in rows:
        case = row.cells[column]
        if not case:
            problems.append(f"line {row.line}, column {column}: no name")
        elif case in first:
            problems.append(
                f"line {row.line}, column {column}: {case} was given before, in line {first[case]}"
            )
        first.setdefault(case, row.line)
    return problems
