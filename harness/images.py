"""Grey JPEG images, decoded whole or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["grey", "jpeg_problem", "side_of"]

LARGEST = 2048
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"


def side_of(options: Mapping[str, Any], default: int) -> int:
    """Return the preparation's only option, `size`, the side of a square in pixels.

    Raises:
        UserError: an unknown option or an impossible size.
    """
    for name in set(options) - {"size"}:
        raise UserError(f"No preparation named {name!r}. {did_you_mean(name, ['size'])}")
    size = options.get("size", default)
    if type(size) is not int or not 1 <= size <= LARGEST:
        raise UserError(f"preparation.size must be a whole number from 1 to {LARGEST} (got {size!r}).")
    return size


def jpeg_problem(path: Path) -> str | None:
    """Return why a file cannot be a JPEG image, from its first bytes; None if it may be one."""
    try:
        with path.open("rb") as file:
            start = file.read(len(JPEG_START))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not start:
        return "is empty"
    return None if start == JPEG_START else "is not a JPEG file"


def grey(path: Path) -> NDArray[np.uint8]:
    """Decode a JPEG file to grey levels (height, width), as stored, without EXIF rotation.

    Raises:
        UserError: a file that is no whole JPEG image, by name.
    """
    import cv2

    data = path.read_bytes() if path.is_file() else b""
    # OpenCV 4 paints what a truncated file lacks in grey without a word: no end after the last scan.
    whole = data.rfind(JPEG_END) > data.rfind(JPEG_SCAN) >= 0
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags) if whole else None
    if image is None:
        raise UserError(f"{path} is not a whole JPEG image; copy it again from the organisers' files.")
    return np.asarray(image, dtype=np.uint8)
