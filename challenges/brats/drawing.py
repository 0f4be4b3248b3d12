"""The four modalities of a synthetic brain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from challenges.brats.brains import OUTSIDE, Subject, tissues, waves
from challenges.brats.names import MODALITIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.int16]

__all__ = ["CONTRASTS", "draw"]

CONTRASTS = {
    "t1": (0.30, 0.70, 1.00, 0.55, 0.75, 0.85, 0.70, 0.88),
    "t1ce": (0.32, 0.75, 1.02, 0.50, 0.78, 1.90, 1.55, 0.90),
    "t2": (1.60, 0.85, 0.65, 1.35, 1.25, 1.05, 0.45, 0.98),
    "flair": (0.25, 0.90, 0.75, 0.95, 1.45, 1.20, 0.50, 1.15),
}
"""Brightness of TISSUES at full contrast; white matter on t1 is 1."""
WHITE, TUMOUR = 2, slice(3, 6)
SPREAD = 0.05
"""How far the brightness of each tissue differs between patients, one standard deviation."""
BLUR, BIAS, NOISE = 0.6, 0.12, 0.10
GAIN = (250.0, 900.0)


def draw(
    subject: Subject, shape: tuple[int, int, int], contrast: float
) -> tuple[list[Image], NDArray[np.uint8]]:
    """Return the modalities, in the order of MODALITIES, and the labels, each (x, y, z).

    Each modality has a gain and a bias field of its own, Rician noise, and 0 outside the brain; so the
    brightness of an image says nothing. `contrast` scales how far the tumour is from white matter.
    """
    tissue, labels = tissues(subject, shape)
    rng = np.random.default_rng(np.random.SeedSequence([*subject.seed, 2, subject.time]))
    place = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    return [_modality(rng, tissue, place, name, contrast) for name in MODALITIES], labels


def _modality(
    rng: np.random.Generator,
    tissue: NDArray[np.uint8],
    place: NDArray[np.float64],
    name: str,
    contrast: float,
) -> Image:
    from scipy.ndimage import gaussian_filter

    bright = np.array([*CONTRASTS[name], CONTRASTS[name][0]])
    bright[TUMOUR] = bright[WHITE] + contrast * (bright[TUMOUR] - bright[WHITE])
    bright *= 1 + SPREAD * rng.normal(size=len(bright))
    brain = tissue != OUTSIDE
    smooth = gaussian_filter(bright[np.minimum(tissue, len(bright) - 1)], BLUR)[brain]
    smooth = smooth * (1 + BIAS * waves(rng, place[:, brain], 2, 1.5))
    real, imaginary = NOISE * rng.normal(size=(2, smooth.size))
    image = np.zeros(tissue.shape, dtype=np.int16)
    # 1 at least: the brain is what is not 0, in every modality.
    image[brain] = np.maximum(1, np.rint(rng.uniform(*GAIN) * np.hypot(smooth + real, imaginary)))
    return image
