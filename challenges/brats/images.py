"""The intensities of a modality's file, as int16."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.int16]

__all__ = ["brain_box", "intensities", "statistics"]

LIMITS = np.iinfo(np.int16)
GZIP = b"\x1f\x8b"
NIFTI_2 = (540).to_bytes(4, "little")
"""How its header begins, in one byte order."""
AT_ONCE = 1 << 30


def intensities(path: Path) -> Image:
    """Return a modality's volume (x, y, z) as int16.

    Whole values within int16 stay what they are, whatever type stores them; others are multiplied by
    32767 / (largest magnitude) and rounded to the nearest.

    Raises:
        UserError: no whole NIfTI file, a value that is no number, or nothing but 0.
    """
    values = _stored(path)
    if values.dtype != np.int16:
        values = _as_int16(path, values)
    if not values.any():
        raise UserError(f"{path} holds nothing but 0. Copy it again from the organisers' files.")
    return np.asarray(values, dtype=np.int16)


def _stored(path: Path) -> NDArray[np.generic]:
    """Return the values of a file, inflated as a whole so that its checksum is looked at."""
    import nibabel

    try:
        content = path.read_bytes()
        if content.startswith(GZIP):
            content = _inflated(content)
        second = NIFTI_2 in (content[:4], content[3::-1])
        kind: Any = nibabel.nifti2.Nifti2Image if second else nibabel.nifti1.Nifti1Image
        return np.asarray(kind.from_bytes(content).dataobj)
    except (nibabel.filebasedimages.ImageFileError, EOFError, OSError, ValueError, zlib.error) as error:
        raise UserError(f"{path} is no whole NIfTI file ({error}). Copy it again.") from None


def _inflated(content: bytes) -> bytes:
    """Return what a gzip file holds; libdeflate is the faster, but needs one piece of known size."""
    import deflate

    size = int.from_bytes(content[-4:], "little")
    if size <= AT_ONCE:
        try:
            whole = bytes(deflate.gzip_decompress(content, size))
        except deflate.DeflateError:
            whole = b""
        if len(whole) == size:
            return whole
    return gzip.decompress(content)


def _as_int16(path: Path, values: NDArray[np.generic]) -> Image:
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise UserError(f"{path} holds a value that is no number.")
    fits = numbers.min() >= LIMITS.min and numbers.max() <= LIMITS.max
    if not (fits and (numbers == np.rint(numbers)).all()):
        numbers = np.rint(numbers * (LIMITS.max / np.abs(numbers).max()))
    return numbers.astype(np.int16)


def brain_box(images: Sequence[Image]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return first and last + 1 voxel along each axis of what is not 0 in any of the images, each (3,)."""
    brain = np.logical_or.reduce([image != 0 for image in images])
    profiles = [np.flatnonzero(brain.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    ends = np.array([(profile[0], profile[-1] + 1) for profile in profiles], dtype=np.int64)
    return ends[:, 0], ends[:, 1]


def statistics(image: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of each modality's voxels that are not 0, each (channels,)."""
    voxels = [channel[channel != 0].astype(np.float64) for channel in image]
    mean = np.array([values.mean() for values in voxels], dtype=np.float32)
    return mean, np.array([values.std() for values in voxels], dtype=np.float32)
