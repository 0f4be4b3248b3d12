"""Copies of exactly the files that a digest covers: a fold sees nothing of a unit that was not hashed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from harness.atomic import atomic_folder
from harness.catalog import digest
from harness.errors import UserError
from harness.prepare import locked

__all__ = ["refuse_inside", "stage"]


def stage(files: Iterable[Path], base: Path, expected: str, root: Path) -> Path:
    """Return a folder that holds the files, named after their digest.

    Raises:
        UserError: if they are no longer what was hashed.
    """
    target = root / expected[:16] / base.name
    with locked(root / ".lock"):
        if target.is_dir() and digest(_all_files(target), target) == expected:
            return target
        shutil.rmtree(target.parent, ignore_errors=True)
        with atomic_folder(target.parent) as temporary:
            copy = temporary / base.name
            for path in files:
                place = copy / path.relative_to(base)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place, follow_symlinks=False)
            if digest(_all_files(copy), copy) != expected:
                raise UserError(f"{base} changed while it was read. Type the same command again.")
            _readable(temporary)
    return target


def _all_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _readable(folder: Path) -> None:
    """Let a fold's own user read the copy, whatever the original's permissions."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def refuse_inside(submission: Path, places: dict[str, Path | None]) -> None:
    """Refuse data, truth, runs, store or site inside the folder that a fold sees.

    Raises:
        UserError: naming the word and both places.
    """
    for word, place in places.items():
        if place is not None and place.resolve().is_relative_to(submission.resolve()):
            raise UserError(
                f"{word}={place} lies inside the submission's folder {submission}, which its folds can read. "
                "Work from another folder."
            )
