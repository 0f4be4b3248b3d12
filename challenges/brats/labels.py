"""The one coding of labels inside, and the codings of the editions' files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEFAULT", "ED", "ET", "NAMES", "NCR", "edition_of", "from_file", "known", "to_file"]

NCR, ED, ET = 1, 2, 3
NAMES = ("background", "NCR", "ED", "ET")
"""Of each label inside."""
ET_IN_FILES: Mapping[str, int] = MappingProxyType({"2020": 4, "2023": 3, "2026": 3})
DEFAULT = "2020"


def edition_of(options: Mapping[str, str]) -> str:
    """Return the chosen edition.

    Raises:
        UserError: it is none of 2020, 2023, 2026.
    """
    edition = options.get("edition", DEFAULT)
    if edition not in ET_IN_FILES:
        raise UserError(
            f"No edition named {edition!r}. Known: 2020 (for label files of 2017 to 2022, in which 4 is ET), "
            "2023 and 2026 (for files since 2023, in which 3 is)."
        )
    return edition


def known(edition: str) -> tuple[int, ...]:
    """Return the labels that a file of the edition may hold."""
    return (0, NCR, ED, ET_IN_FILES[edition])


def from_file(labels: NDArray[np.uint8], edition: str) -> NDArray[np.uint8]:
    """Return a file's labels, all known, in the coding inside."""
    return _replaced(labels, ET_IN_FILES[edition], ET)


def to_file(labels: NDArray[np.uint8], edition: str) -> NDArray[np.uint8]:
    """Return labels of the coding inside as the edition's files hold them."""
    return _replaced(labels, ET, ET_IN_FILES[edition])


def _replaced(labels: NDArray[np.uint8], old: int, new: int) -> NDArray[np.uint8]:
    return labels if old == new else np.where(labels == old, np.uint8(new), labels)
