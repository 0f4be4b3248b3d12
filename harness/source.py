"""Where the cases come from: the organiser's folder, or phantom patients in the same layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.atomic import atomic_folder
from harness.config import chosen
from harness.errors import UserError
from harness.prepare import locked

if TYPE_CHECKING:
    from harness.catalog import Challenge
    from harness.config import Patients
    from harness.contracts import Dataset

__all__ = ["Source", "open_source"]


@dataclass(frozen=True, slots=True)
class Source:
    """A data set and where it was read."""

    root: Path
    phantom: bool
    options: Mapping[str, str]
    """A value for each of the challenge's options."""
    dataset: Dataset


def _phantom_root(challenge: Challenge, store: Path, size: str) -> Path:
    """Return the folder of the phantom patients, written if it is not there."""
    phantom = challenge.phantom
    parent = store / challenge.name
    root = parent / f"phantom-{phantom.VERSION}-{size}"
    with locked(parent / ".phantom.lock"):
        if not root.is_dir():
            with atomic_folder(root) as temporary:
                phantom.write(temporary, size=size)
    root.chmod(0o700)  # the phantom's labels are sealed as real ones are
    return root


def open_source(challenge: Challenge, config: Patients) -> Source:
    """Read the data set.

    Raises:
        UserError: if the folder is not there, or for what is wrong in it, by file, row and column.
    """
    data = config.data
    options = chosen(challenge.card.options, config.options)
    if data is not None and not data.is_dir():
        raise UserError(
            f"There is no folder {str(data)!r}. Point data= at the folder of {challenge.card.title}, "
            "or leave data= out to use phantom patients."
        )
    root = data if data is not None else _phantom_root(challenge, config.store, config.phantom)
    return Source(root, data is None, options, challenge.data.read(root, config.truth, options))
