"""Label files in NIfTI: inflated straight into uint8, with the geometry of their header."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UserError
from harness.segmentation.editions import Spacing

__all__ = [
    "Geometry",
    "LabelMap",
    "geometry_of",
    "labels_of",
    "read_geometry",
    "read_labels",
    "same_geometry",
]

TOLERANCE = 1e-3
MAX_VOXELS = 2**28
"""More is no brain: a small file must not fill the memory."""
AT_ONCE = 40 * 2**20
"""Bytes inflated in one piece by libdeflate; larger volumes are streamed, so that memory stays small."""
CHUNK = 2**20

NIFTI_1 = {
    "dim": ("8i2", 40),
    "datatype": ("i2", 70),
    "pixdim": ("8f4", 76),
    "vox_offset": ("f4", 108),
    "slope": ("f4", 112),
    "inter": ("f4", 116),
    "qform": ("i2", 252),
    "sform": ("i2", 254),
    "quatern": ("3f4", 256),
    "qoffset": ("3f4", 268),
    "srow": ("(3,4)f4", 280),
}
NIFTI_2 = {
    "dim": ("8i8", 16),
    "datatype": ("i2", 12),
    "pixdim": ("8f8", 104),
    "vox_offset": ("i8", 168),
    "slope": ("f8", 176),
    "inter": ("f8", 184),
    "qform": ("i4", 344),
    "sform": ("i4", 348),
    "quatern": ("3f8", 352),
    "qoffset": ("3f8", 376),
    "srow": ("(3,4)f8", 400),
}
SIZES = {348: NIFTI_1, 540: NIFTI_2}
TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a file's voxels lie."""

    path: Path
    shape: tuple[int, int, int]
    spacing: Spacing
    """Of the header's pixdim, as it is stored there (float32)."""
    affine: NDArray[np.float64] = field(compare=False)
    """(4, 4): voxel indices to mm."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """One label file; `labels` is (x, y, z), x fastest in memory as in the file."""

    geometry: Geometry
    labels: NDArray[np.uint8] = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Layout:
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float


def read_geometry(path: Path) -> Geometry:
    """Read the header only.

    Raises:
        UserError: not a NIfTI volume of three axes.
    """
    with path.open("rb") as file:
        return geometry_of(path, file.read(2**16))


def geometry_of(path: Path, content: bytes) -> Geometry:
    """Return the geometry of a file that begins with these bytes; `path` is what messages call it.

    Raises:
        UserError: not a NIfTI volume of three axes.
    """
    return _parse(path, _inflate_head(path, content))[0]


def read_labels(path: Path, known: Sequence[int]) -> LabelMap:
    """Read a label file whose values are all among `known`.

    Raises:
        UserError: by file: not a NIfTI volume, cut short, a value that is not whole or not known.
    """
    return labels_of(path, path.read_bytes(), known)


def labels_of(path: Path, content: bytes, known: Sequence[int]) -> LabelMap:
    """Return the label map of a file with these bytes; `path` is what messages call it.

    Raises:
        UserError: as `read_labels`.
    """
    geometry, layout = _parse(path, _inflate_head(path, content))
    n = math.prod(geometry.shape)
    if layout.dtype == np.uint8 and (layout.slope, layout.inter) == (1.0, 0.0):
        whole = _inflate(path, content, layout.offset + n)
        labels = np.frombuffer(whole, dtype=np.uint8, count=n, offset=layout.offset)
    else:
        labels = _converted(path, content, layout, n)
    _check_values(path, labels, known)
    return LabelMap(geometry, labels.reshape(geometry.shape, order="F"))


def same_geometry(truth: Geometry, prediction: Geometry) -> None:
    """Refuse a prediction that does not lie on the truth's grid.

    Raises:
        UserError: with the file and both values.
    """
    if truth.shape != prediction.shape:
        raise _other(prediction, "shape", prediction.shape, truth.shape)
    if not np.allclose(truth.spacing, prediction.spacing, rtol=0, atol=TOLERANCE):
        raise _other(prediction, "voxel size", prediction.spacing, truth.spacing)
    if not np.allclose(truth.affine, prediction.affine, rtol=0, atol=TOLERANCE):
        raise _other(prediction, "affine", prediction.affine[:3].tolist(), truth.affine[:3].tolist())


def _other(prediction: Geometry, what: str, got: object, needed: object) -> UserError:
    return UserError(
        f"{prediction.path} has the {what} {got}, its truth {needed}: resample it to the grid of the case "
        "(nearest neighbour) and write it with the case's header."
    )


# --------------------------------------------------------------------------------------- header
def _inflate_head(path: Path, content: bytes) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content[:540]
    try:
        return zlib.decompressobj(wbits=31).decompress(content[: 2**16], 540)
    except zlib.error as error:
        raise UserError(f"{path} is no gzip file ({error}). Write it again.") from None


def _parse(path: Path, head: bytes) -> tuple[Geometry, _Layout]:
    """Return the geometry and where the voxels lie."""
    fields, order = _fields(path, head)
    rank = int(fields["dim"][0])
    sizes = [int(n) for n in fields["dim"][1 : 1 + max(0, rank)]]
    if rank < 3 or rank > 7 or min(sizes) < 1 or max(sizes[3:], default=1) > 1:
        raise UserError(f"{path} has the axes {sizes}; a volume has three.")
    if math.prod(sizes) > MAX_VOXELS:
        raise UserError(f"{path} has {math.prod(sizes)} voxels; at most {MAX_VOXELS} are read.")
    spacing = tuple(abs(float(mm)) for mm in fields["pixdim"][1:4])
    affine = _affine(fields, sizes[:3])
    if not all(math.isfinite(mm) and mm > 0 for mm in spacing) or not np.isfinite(affine).all():
        raise UserError(f"{path} has the voxel size {spacing} mm and the affine {affine.tolist()}.")
    geometry = Geometry(path, (sizes[0], sizes[1], sizes[2]), (spacing[0], spacing[1], spacing[2]), affine)
    return geometry, _layout(path, fields, order, len(head))


def _fields(path: Path, head: bytes) -> tuple[np.void, str]:
    for order in "<>":
        size = int(np.frombuffer(head[:4].ljust(4, b"\0"), dtype=f"{order}i4")[0])
        if size in SIZES and len(head) >= size:
            names, formats, offsets = zip(
                *((name, f, at) for name, (f, at) in SIZES[size].items()), strict=True
            )
            layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
            dtype = np.dtype(layout).newbyteorder("<" if order == "<" else ">")  # type: ignore[call-overload]
            return np.frombuffer(head, dtype=dtype, count=1)[0], order
    raise UserError(f"{path} is no NIfTI file: its header does not begin with 348 or 540.")


def _layout(path: Path, fields: np.void, order: str, head: int) -> _Layout:
    code = int(fields["datatype"])
    if code not in TYPES:
        raise UserError(f"{path} has the NIfTI data type {code}; known: {', '.join(map(str, TYPES))}.")
    slope, inter, offset = float(fields["slope"]), float(fields["inter"]), float(fields["vox_offset"])
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(inter):
        slope, inter = 1.0, 0.0
    if not (348 <= offset <= 2**20):
        raise UserError(
            f"{path} says that its voxels begin at byte {offset:g}; a single .nii file is needed."
        )
    return _Layout(np.dtype(f"{order}{TYPES[code]}"), int(offset), slope, inter)


def _affine(fields: np.void, shape: Sequence[int]) -> NDArray[np.float64]:
    """Return the sform, else the qform, else the voxel size with x flipped and the origin in the middle."""
    affine = np.eye(4)
    pixdim = np.array(fields["pixdim"], dtype=np.float64)
    if fields["sform"] > 0:
        affine[:3] = fields["srow"]
    elif fields["qform"] > 0:
        handed = -1.0 if pixdim[0] < 0 else 1.0
        affine[:3, :3] = _rotation(fields["quatern"]) * (np.abs(pixdim[1:4]) * [1.0, 1.0, handed])
        affine[:3, 3] = fields["qoffset"]
    else:
        sides = np.abs(pixdim[1:4]) * [-1.0, 1.0, 1.0]
        affine[:3, :3] = np.diag(sides)
        affine[:3, 3] = -sides * (np.array(shape) - 1) / 2
    return affine


def _rotation(quatern: NDArray[np.floating]) -> NDArray[np.float64]:
    b, c, d = quatern.astype(np.float64).tolist()
    left = 1.0 - (b * b + c * c + d * d)
    a = math.sqrt(left) if left > 3 * np.finfo(quatern.dtype).eps else 0.0  # as nibabel: the rest is rounding
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


# --------------------------------------------------------------------------------------- voxels
def _inflate(path: Path, content: bytes, size: int) -> bytes | bytearray:
    """Return the first `size` bytes of the file's content, inflated if it is gzip."""
    if content[:2] != b"\x1f\x8b":
        whole: bytes | bytearray = content
    elif size <= AT_ONCE and int.from_bytes(content[-4:], "little") == size:
        whole = _inflate_at_once(path, content, size)
    else:
        whole = b"".join(_stream(path, content, size))
    if len(whole) < size:
        raise _short(path, len(whole), size)
    return whole


def _short(path: Path, got: int, needed: int) -> UserError:
    return UserError(f"{path} is cut short: {got} bytes of {needed}. Write or download it again.")


def _inflate_at_once(path: Path, content: bytes, size: int) -> bytes | bytearray:
    try:
        import deflate
    except ImportError:
        return b"".join(_stream(path, content, size))
    try:
        return deflate.gzip_decompress(content, size)
    except deflate.DeflateError:
        return b"".join(_stream(path, content, size))  # several members, or broken: zlib knows


def _stream(path: Path, content: bytes, size: int) -> Iterator[bytes]:
    """Yield at most `size` inflated bytes in pieces of CHUNK."""
    import io

    if content[:2] != b"\x1f\x8b":
        yield from (content[at : at + CHUNK] for at in range(0, min(size, len(content)), CHUNK))
        return
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while size > 0 and (piece := file.read(min(CHUNK, size))):
                size -= len(piece)
                yield piece
    except (zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is no whole gzip file ({error}). Write or download it again.") from None


def _converted(path: Path, content: bytes, layout: _Layout, n: int) -> NDArray[np.uint8]:
    """Return the voxels as uint8, piece by piece.

    Raises:
        UserError: for a value that is not a whole number of 0..255.
    """
    width, skip, done = layout.dtype.itemsize, layout.offset, 0
    labels, rest = np.empty(n, dtype=np.uint8), b""
    for piece in _stream(path, content, layout.offset + n * width):
        rest += piece[skip:]
        skip = max(0, skip - len(piece))
        k = len(rest) // width
        labels[done : done + k] = _whole(path, np.frombuffer(rest, layout.dtype, count=k), layout)
        done, rest = done + k, rest[k * width :]
    if done < n:
        raise _short(path, layout.offset + done * width, layout.offset + n * width)
    return labels


def _whole(path: Path, values: NDArray[Any], layout: _Layout) -> NDArray[np.uint8]:
    if (layout.slope, layout.inter) != (1.0, 0.0):
        values = values * layout.slope + layout.inter
    with np.errstate(invalid="ignore"):
        labels = values.astype(np.uint8)
    wrong = labels != values
    if wrong.any():
        raise UserError(f"{path} holds the value {values[wrong][0]:g}; labels are whole numbers.")
    return labels


def _check_values(path: Path, labels: NDArray[np.uint8], known: Sequence[int]) -> None:
    top = int(labels.max())
    gaps = [value for value in range(min(top, max(known))) if value not in known]
    found = [top] if top not in known else [value for value in gaps if (labels == value).any()]
    if found:
        raise UserError(
            f"{path} holds the label {found[0]}; this edition knows {', '.join(map(str, known))}."
        )
