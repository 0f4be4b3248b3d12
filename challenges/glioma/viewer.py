"""What `harness explain` shows of a glioma patient: the T1 with contrast, under the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from challenges.glioma.columns import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["EXPLAINED_AXES", "explained_image"]

EXPLAINED_AXES = "RAS"
"""As `volumes.image_of` turns them."""
SHOWN = CHANNELS.index("t1ce")


def explained_image(inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return the T1 with contrast of one patient, (x, y, z).

    Raises:
        ValueError: for cases without volumes.
    """
    if "image" not in inputs:
        raise ValueError(f"no image among the inputs {', '.join(inputs)}")
    shown: NDArray[Any] = inputs["image"][SHOWN]
    return shown
