"""The volumes of a cohort: {cohort}/resized_BraTS/{ID}/{t1,t2,t1ce,flair}_resized.nii.gz."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.glioma.columns import CHANNELS
from harness.errors import UserError, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FOLDER", "SHAPE", "SUFFIX", "find_volumes", "image_of", "shape_of"]

FOLDER = "resized_BraTS"
SUFFIX = "_resized.nii.gz"
SHAPE = (120, 120, 78)
"""The grid of BraTS at 2 mm."""
SCALE = 256
"""Steps of int16 in one standard deviation."""
LIMITS = np.iinfo(np.int16)
MOST = 512


def find_volumes(root: Path, cohort: str) -> dict[str, tuple[Path, ...]]:
    """Return the four volumes of each folder, by its name; none where the cohort has no volumes.

    Raises:
        UserError: a folder that lacks one of the four files, or is a link; by name.
    """
    base = root / cohort / FOLDER
    if not base.is_dir():
        return {}
    found, problems = {}, []
    for entry in sorted(os.scandir(base), key=lambda entry: entry.name):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        files = tuple(Path(entry.path) / f"{channel}{SUFFIX}" for channel in CHANNELS)
        missing = [file.name for file in files if not file.is_file() or file.is_symlink()]
        if entry.is_symlink():
            problems.append(f"{entry.name} is a symbolic link; copy the folder itself")
        elif missing:
            problems.append(f"{entry.name}/ lacks {', '.join(missing)}")
        found[entry.name] = files
    refuse(f"{base} does not hold the patients' four volumes", problems)
    return found


def shape_of(options: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the option `shape`, the size of the prepared grid in voxels.

    Raises:
        UserError: not three whole numbers from 1 to 512.
    """
    given = options.get("shape", SHAPE)
    sizes = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if len(sizes) != 3 or not all(type(size) is int and 0 < size <= MOST for size in sizes):
        raise UserError(
            f"preparation.shape must be three sizes in voxels, such as [120,120,78], not {given}."
        )
    return sizes[0], sizes[1], sizes[2]


def image_of(files: Sequence[Path], shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """Return the four volumes as int16 (4, *shape), each z-scored within its own brain, times 256.

    The brain is what is not 0; the background stays 0, and values that int16 cannot hold are cut. Axes
    are turned to RAS; the centre is kept, by padding with 0 and cropping.

    Raises:
        UserError: a file that is no whole NIfTI volume, empty, no number, or of another grid than the rest.
    """
    volumes = [_read(file) for file in files]
    grids = {volume.shape for volume in volumes}
    if len(grids) > 1:
        raise UserError(f"{files[0].parent} holds volumes of {len(grids)} grids, such as {min(grids)}.")
    scaled = [_scaled(volume, file) for volume, file in zip(volumes, files, strict=True)]
    return np.stack([_centred(volume, shape) for volume in scaled])


def _read(path: Path) -> NDArray[np.float32]:
    import nibabel

    reoriented: Any = nibabel.as_closest_canonical
    try:
        stored = reoriented(nibabel.nifti1.Nifti1Image.from_filename(path))
        values = np.asarray(stored.dataobj, dtype=np.float32)
    except (nibabel.filebasedimages.ImageFileError, EOFError, OSError, ValueError) as error:
        raise UserError(f"{path} is no whole NIfTI file ({error}). Copy it again.") from None
    if values.ndim != 3:
        raise UserError(f"{path} has {values.ndim} axes instead of 3.")
    return values


def _scaled(volume: NDArray[np.float32], path: Path) -> NDArray[np.int16]:
    brain = volume != 0
    inside = volume[brain].astype(np.float64)
    if not len(inside) or not np.isfinite(inside).all():
        raise UserError(
            f"{path} holds {'nothing but 0' if not len(inside) else 'a value that is no number'}."
        )
    deviation = inside.std() or 1.0
    out = np.zeros(volume.shape, dtype=np.int16)
    steps = np.rint((inside - inside.mean()) / deviation * SCALE)
    out[brain] = np.clip(steps, LIMITS.min, LIMITS.max).astype(np.int16)
    return out


def _centred(volume: NDArray[np.int16], shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """Return the volume on another grid with the same centre; an odd rest is cut or added at the end."""
    out = np.zeros(shape, dtype=np.int16)
    offsets = [(have - want) // 2 if have > want else -((want - have) // 2)
               for have, want in zip(volume.shape, shape, strict=True)]  # fmt: skip
    source = tuple(
        slice(max(0, o), min(have, o + want))
        for o, have, want in zip(offsets, volume.shape, shape, strict=True)
    )
    target = tuple(slice(s.start - o, s.stop - o) for s, o in zip(source, offsets, strict=True))
    out[target] = volume[source]
    return out
