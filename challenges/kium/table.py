"""Read the organisers' 23-column tables (train.csv, test.csv, groundtruth.csv, output.csv).

Everything wrong is collected, by line of the file and column, before it is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from challenges.kium.columns import HEADER, LOCATIONS
from harness.errors import UserError, refuse

INDEX = re.compile(r"[0-9]{4}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""What float() accepts, less nan, inf, underscores and digits of other scripts."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it lies in the file."""

    ids: tuple[str, ...]
    lines: tuple[int, ...]
    """The line of the file that each row ends on; the header is line 1."""
    values: NDArray[np.float64]
    """(rows, 22): Aneurysm, then the locations."""

    @property
    def aneurysm(self) -> NDArray[np.float64]:
        """The first column, (rows,)."""
        return self.values[:, 0]

    @property
    def locations(self) -> NDArray[np.uint8]:
        """The 21 location columns, (rows, 21), 0 or 1."""
        return self.values[:, 1:].astype(np.uint8)


def read_table(path: Path) -> Table:
    """Read one of the organisers' own tables: train.csv, test.csv or groundtruth.csv.

    Raises:
        UserError: with every problem by line and column.
    """
    try:
        return parse(path.read_bytes().decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None


def parse(text: str, name: str, *, probabilities: bool = False) -> Table:
    """Read a table; with `probabilities`, Aneurysm is any number in [0, 1] instead of 0 or 1.

    Blank lines and either line ending are accepted; a byte order mark is the opener's to remove.

    Raises:
        UserError: with `name` and every problem by line and column.
    """
    try:
        rows = list(_numbered(text))
    except csv.Error as error:
        raise UserError(f"{name} is not a CSV file: {error}.") from None
    refuse(f"{name} has a wrong header", _header_problems(rows[0][1] if rows else []))
    problems: list[str] = []
    for line, row in rows[1:]:
        problems += _row_problems(line, row, probabilities)
    problems += _doubled([(line, row[0]) for line, row in rows[1:]])
    refuse(f"{name} is malformed", problems)
    values = [[float(cell) for cell in row[1:]] for _, row in rows[1:]]
    return Table(
        tuple(row[0] for _, row in rows[1:]),
        tuple(line for line, _ in rows[1:]),
        np.array(values, dtype=np.float64).reshape(-1, len(HEADER) - 1),
    )


def contradictions(table: Table) -> list[str]:
    """Return the rows of a truth whose Aneurysm is not "any location"."""
    wrong = (table.aneurysm == 1) != table.locations.any(axis=1)
    return [
        f"line {table.lines[i]}: Index {table.ids[i]} has Aneurysm {table.aneurysm[i]:.0f} "
        f"but {int(table.locations[i].sum())} locations"
        for i in np.flatnonzero(wrong)
    ]


def other_indices(table: Table, ids: Sequence[str]) -> list[str]:
    """Return what is missing from, or too much in, a table that should hold exactly `ids`."""
    expected, found = set(ids), set(table.ids)
    extra = [
        f"line {line}: Index {index} is not asked for"
        for line, index in zip(table.lines, table.ids, strict=True)
        if index not in expected
    ]
    return [*(f"Index {index} is missing" for index in ids if index not in found), *extra]


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with its line in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    for row in reader:
        if row:
            yield reader.line_num, row


def _header_problems(header: list[str]) -> list[str]:
    if header == list(HEADER):
        return []
    missing = [f"column {name} is missing" for name in HEADER if name not in header]
    extra = [f"column {name!r} is not one of the 23" for name in header if name not in HEADER]
    doubled = [f"column {name} occurs twice" for name in HEADER if header.count(name) > 1]
    return missing + extra + doubled or [
        f"column {k + 1} is {found} and must be {name}"
        for k, (found, name) in enumerate(zip(header, HEADER, strict=True))
        if found != name
    ]


def _row_problems(line: int, row: list[str], probabilities: bool) -> Iterator[str]:
    if len(row) != len(HEADER):
        yield f"line {line}: {len(row)} values instead of {len(HEADER)}"
        return
    if not INDEX.fullmatch(row[0]):
        yield f"line {line}, column Index: {row[0]!r} is not four digits"
    if not _is_number(row[1]) or not (_is_probability if probabilities else _is_binary)(row[1]):
        wanted = "a number from 0 to 1" if probabilities else "0 or 1"
        yield f"line {line}, column Aneurysm: {row[1]!r} is not {wanted}"
    for column, cell in zip(LOCATIONS, row[2:], strict=True):
        if not _is_number(cell) or not _is_binary(cell):
            yield f"line {line}, column {column}: {cell!r} is not 0 or 1"


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


def _is_probability(cell: str) -> bool:
    return 0 <= float(cell) <= 1


def _is_binary(cell: str) -> bool:
    return float(cell) in (0, 1)


def _doubled(rows: list[tuple[int, str]]) -> Iterator[str]:
    first: dict[str, int] = {}
    for line, index in rows:
        if index in first:
            yield f"line {line}: Index {index} was given before, in line {first[index]}"
        first.setdefault(index, line)
