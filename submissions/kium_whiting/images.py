"""Clean an angiogram: cut its margin off, paint burnt-in text over, bring it to a network's size.

The team sorted the images by hand into three kinds (neither margin nor text, both, margin only);
here each image shows for itself what it needs. All functions take and return uint8 (h, w).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["clean", "cut_margin", "for_binary", "for_locations", "paint_text"]

Image = NDArray[np.uint8]
Box = Sequence[float]
"""Top, left, bottom, right, each as a fraction of the picture without its margin."""

FLAT = 6
"""Grey levels about the margin's own that still are margin: JPEG ringing, resizing."""
LINE = 0.99
"""Share of a line's pixels that must be margin."""
SMALLEST = 0.25
"""Share of a side below which nothing is cut: what is left would not be the picture."""
BRIGHTER = 40
"""Grey levels by which burnt-in text outshines its surroundings."""


def clean(image: Image, text_boxes: Sequence[Box]) -> Image:
    """Return the picture without margin and text."""
    return paint_text(cut_margin(image), text_boxes)


def cut_margin(image: Image) -> Image:
    """Scan from the centre outwards and cut at the first line of margin, on each side for itself.

    A side has a margin if its outermost line is flat. The team looked along one line of pixels,
    which stops at an artery of the margin's grey; here a whole line must be margin. Rows go first,
    and with them what is written above and below the picture.
    """
    top, bottom = _extent(image)
    if bottom - top < SMALLEST * len(image):
        return image
    rows = image[top:bottom]
    left, right = _extent(rows.T)
    return image if right - left < SMALLEST * image.shape[1] else rows[:, left:right]


def _extent(image: Image) -> tuple[int, int]:
    """Return the first row of the picture and the row after its last."""
    centre = len(image) // 2
    above, below = _margin(image, image[0]), _margin(image, image[-1])
    first = np.flatnonzero(above[:centre])
    last = np.flatnonzero(below[centre:])
    return (int(first[-1]) + 1 if len(first) else 0), (centre + int(last[0]) if len(last) else len(image))


def _margin(image: Image, outermost: Image) -> NDArray[np.bool_]:
    """Return which rows are margin such as the outermost one; none if that is not flat."""
    level = int(np.median(outermost))
    low, high = max(level - FLAT, 0), min(level + FLAT, 255)
    if np.mean((outermost >= low) & (outermost <= high)) < LINE:
        return np.zeros(len(image), dtype=np.bool_)
    inside = cv2.inRange(np.ascontiguousarray(image), low, high)
    return np.asarray(np.count_nonzero(inside, axis=1) >= LINE * image.shape[1])


def paint_text(image: Image, boxes: Sequence[Box]) -> Image:
    """Paint each box that holds text with the mean of the region beside it.

    The region has the box's rows and width and lies on its inner side. A box holds text if
    its brightest pixel outshines the region's; other boxes are left as they are.
    """
    painted = image.copy()
    height, width = image.shape
    for top, left, bottom, right in boxes:
        rows = slice(round(top * height), round(bottom * height))
        start, end = round(left * width), round(right * width)
        beside = slice(end, 2 * end - start) if left + right < 1 else slice(max(2 * start - end, 0), start)
        box, region = painted[rows, start:end], image[rows, beside]
        if box.size and region.size and int(box.max()) - int(region.max()) > BRIGHTER:
            box[...] = round(float(region.mean()))
    return painted


def for_binary(image: Image, size: int) -> Image:
    """Invert, rub out specks (median of 3 x 3) and resize to (size, size)."""
    return _resized(np.asarray(cv2.medianBlur(cv2.bitwise_not(image), 3), dtype=np.uint8), size)


def for_locations(image: Image, size: int) -> Image:
    """Resize to (size, size)."""
    return _resized(image, size)


def _resized(image: Image, size: int) -> Image:
    kind = cv2.INTER_AREA if max(image.shape) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size, size), interpolation=kind), dtype=np.uint8)
