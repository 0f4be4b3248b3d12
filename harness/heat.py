"""The pictures of a Grad-CAM map over its case: grey PNG files and transparent ones that lie on them.

A 2D case has one picture for each of its views, a 3D case the three planes through the map's maximum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Picture", "image_of", "pictures_of", "quantised"]

LPS = "LPS"
"""Where the axes of a volume run to, if the challenge does not say: left, posterior, superior, as BraTS."""
TOWARDS = "LPI"
"""Where those of a turned volume run to, so that each plane is drawn as it is stored."""
OPPOSITE = dict(zip("LRPAIS", "RLAPSI", strict=True))
PLANES = (("Axial", "right", 2), ("Coronal", "right", 1), ("Sagittal", "front", 0))
"""Title, which side of the patient is at the left, and the turned axis that runs through the slices."""
PERCENTILES = (0.5, 99.5)
SHOWN, SHARPEST, SHARPEST_HEAT = 288, 768, 192
"""Pixels of the longest side: at least, so that a page need not enlarge it; at most; at most of a map."""
LEVELS = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a case and the map over it, both PNG."""

    title: str
    alt: str
    image: bytes
    heat: bytes


def image_of(
    inputs: Mapping[str, NDArray[Any]], units: Sequence[object] = ()
) -> tuple[NDArray[np.float32], bool]:
    """Return one case's image, (pictures, height, width) or (1, x, y, z), and whether it is 8-bit already.

    It is what the first of the challenge's units that has `explained_image(inputs)` returns; else the first
    input of three axes, each of its channels a picture (three are taken for colours), or of four axes, whose
    first channel is shown.

    Raises:
        ValueError: if there is no such input.
    """
    own = next((found for unit in units if (found := getattr(unit, "explained_image", None))), None)
    if own is not None:
        image = np.asarray(own(inputs))[None]
    else:
        arrays = [array for array in inputs.values() if array.ndim in (3, 4)]
        if not arrays:
            raise ValueError(f"no image among the inputs {', '.join(inputs)}")
        image = np.asarray(arrays[0])
        if image.ndim == 4:
            image = image[:1]
        elif len(image) == 3:
            image = image.mean(axis=0, keepdims=True).astype(image.dtype)
    if image.ndim not in (3, 4) or not np.isfinite(image).all():
        raise ValueError(
            f"explained_image returned {image.shape[1:]}, not finite numbers (h, w) or (x, y, z)"
        )
    return image.astype(np.float32), image.dtype == np.uint8


def quantised(raw: NDArray[np.floating]) -> tuple[NDArray[np.uint8], float]:
    """Return a map >= 0 as 0 to 255, its maximum as 255, and that maximum; a map of zeros stays one."""
    maximum = float(raw.max())
    if maximum == 0.0:
        return np.zeros(raw.shape, dtype=np.uint8), 0.0
    return np.rint(raw.astype(np.float64) / maximum * 255).astype(np.uint8), maximum


def pictures_of(
    image: NDArray[np.float32],
    heat: NDArray[np.uint8],
    *,
    eight_bit: bool,
    views: Sequence[str] = (),
    axes: str = LPS,
) -> list[Picture]:
    """Return the pictures of a case.

    `views` names those of a 2D case; `axes` is where a volume's axes run to.

    Raises:
        ValueError: axes that are not three letters, one of L and R, of P and A, of S and I.
    """
    grey = image.astype(np.uint8) if eight_bit else _windowed(image)
    if image.ndim == 3:
        names = views if len(views) == len(image) else _numbered(len(image))
        return [
            _picture(name, name, *pair)
            for name, pair in zip(names, zip(grey, heat, strict=True), strict=True)
        ]
    order, steps = _turn(axes)
    volume, turned = (_turned(array[0], order, steps) for array in (grey, heat))
    at = np.unravel_index(int(turned.argmax()), turned.shape) if turned.any() else _middle(turned.shape)
    made, scale = [], max(1.0, SHOWN / max(volume.shape))
    for title, side, through in PLANES:
        part, n = int(at[through]), volume.shape[through]
        name = f"{title} slice {part if steps[through] > 0 else n - 1 - part}"
        cut = (np.take(array, part, axis=through).T for array in (volume, turned))
        made.append(_picture(f"{name}, the patient's {side} at the left", name, *cut, scale=scale))
    return made


def _numbered(n: int) -> list[str]:
    return ["Image"] if n == 1 else [f"View {number + 1}" for number in range(n)]


def _middle(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n // 2 for n in shape)


def _windowed(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = np.percentile(image, PERCENTILES)
    scaled = (image - np.float32(low)) / np.float32(high - low if high > low else 1.0)
    return np.asarray(np.rint(255 * np.clip(scaled, 0, 1)), dtype=np.uint8)


def _turn(axes: str) -> tuple[list[int], list[int]]:
    """Return which axes run sideways, forwards and upwards, and -1 for those that run the other way."""
    if sorted(min(letter, OPPOSITE.get(letter, "?")) for letter in axes) != ["A", "I", "L"]:
        raise ValueError(f"the axes {axes!r} are not three letters such as {LPS!r}")
    order = [next(k for k in range(3) if axes[k] in (wanted, OPPOSITE[wanted])) for wanted in TOWARDS]
    return order, [1 if axes[k] == wanted else -1 for k, wanted in zip(order, TOWARDS, strict=True)]


def _turned(volume: NDArray[np.uint8], order: Sequence[int], steps: Sequence[int]) -> NDArray[np.uint8]:
    """Return a volume whose axes run to the patient's left, backwards and downwards."""
    x, y, z = (slice(None, None, step) for step in steps)
    return np.asarray(volume.transpose(order)[x, y, z], dtype=np.uint8)


# ------------------------------------------------------------------------------------------- drawing
def _picture(
    title: str, alt: str, grey: NDArray[np.uint8], heat: NDArray[np.uint8], *, scale: float = 0.0
) -> Picture:
    """Return one picture; `scale` is that of a volume's planes, by which a page compares their sizes."""
    rows, columns = np.unravel_index(int(heat.argmax()), heat.shape)
    place = _place(rows / heat.shape[0], columns / heat.shape[1])
    told = f"strongest {place}" if heat.any() else "zero everywhere"
    larger = scale or max(1.0, SHOWN / max(grey.shape))
    return Picture(title, f"{alt}; the map is {told}", _png(_sized(grey, larger)), _png(_coloured(heat)))


def _place(down: float, across: float) -> str:
    """Return where in a picture something lies, such as "at the upper left"."""
    vertical = ("upper ", "", "lower ")[int(3 * down)]
    horizontal = ("left", "", "right")[int(3 * across)]
    if not vertical and not horizontal:
        return "in the middle"
    return f"at the {vertical}{horizontal or 'middle'}" if vertical else f"at the {horizontal}"


def _coloured(heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a map as blue, green, red and opacity: weak places let the image through."""
    import cv2

    steps = 256 // LEVELS
    level = (_sized(heat, 1.0, SHARPEST_HEAT) // steps * steps).astype(np.uint8)
    colour = np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), dtype=np.uint8)
    opacity = np.minimum(255, level.astype(np.int64) * 2).astype(np.uint8)
    return np.dstack([colour, opacity])


def _sized(picture: NDArray[np.uint8], scale: float, longest: int = SHARPEST) -> NDArray[np.uint8]:
    """Return a picture enlarged by a factor, or made smaller if a side would be longer than the longest."""
    import cv2

    factor = min(scale, longest / max(picture.shape))
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=kind), dtype=np.uint8)


def _png(picture: NDArray[np.uint8]) -> bytes:
    import cv2

    done, content = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise ValueError(f"OpenCV could not write a picture of {picture.shape}")
    return content.tobytes()
