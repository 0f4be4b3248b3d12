"""Phantom heads: a brain with one tumour, in four sequences, at 8 mm."""

from __future__ import annotations

import gzip
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.glioma.columns import CHANNELS
from challenges.glioma.people import Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.float64]

__all__ = ["SHAPE", "draw", "nifti"]

SHAPE = (30, 30, 20)
VOXEL = 8.0
"""mm."""
BRAIN = (11.5, 13.0, 8.0)
"""Half axes, voxels."""
TISSUES = {
    "brain": (100.0, 80.0, 100.0, 90.0),
    "oedema": (82.0, 135.0, 84.0, 165.0),
    "rim": (96.0, 112.0, 195.0, 130.0),
    "necrosis": (62.0, 165.0, 56.0, 78.0),
}
"""Brightness in t1, t2, t1ce, flair."""
OEDEMA = 1.6
"""Radius, of the core's."""
SITES = {"ucsf_pdgm": (1.0, 6.0), "tcga": (0.8, 9.0)}
"""Contrast between tissues, and noise: the external site's images are the worse."""


def draw(rng: np.random.Generator, person: Person, site: str) -> NDArray[np.int16]:
    """Return the four sequences, int16 (4, *SHAPE), background 0; exposure differs from image to image."""
    contrast, noise = SITES[site]
    grid = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in SHAPE), indexing="ij"))
    axes = np.array(BRAIN).reshape(3, 1, 1, 1) * rng.normal(1.0, 0.03, (3, 1, 1, 1))
    inside = ((grid / axes) ** 2).sum(axis=0) < 1
    shares = _shares(rng, person, grid)
    texture = rng.normal(0.0, 1.0, (len(CHANNELS), *SHAPE))
    out = np.zeros((len(CHANNELS), *SHAPE), dtype=np.int16)
    for k in range(len(CHANNELS)):
        mean = TISSUES["brain"][k]
        image = mean + contrast * sum(share * (TISSUES[name][k] - mean) for name, share in shares.items())
        exposure = float(np.exp(rng.normal(0.0, 0.2)))
        bright = exposure * (image + noise * texture[k])
        out[k][inside] = np.clip(np.rint(10 * bright[inside]), 1, 32767).astype(np.int16)
    return out


def _shares(rng: np.random.Generator, person: Person, grid: Field) -> dict[str, Field]:
    """Return how much of each voxel is oedema, enhancing rim and necrosis."""
    radius = (3 * 1000 * math.exp(person.log_volume) / (4 * math.pi)) ** (1 / 3) / VOXEL
    direction = rng.normal(size=3)
    away = rng.uniform(0.15, 0.5) * np.array(BRAIN) * direction / np.linalg.norm(direction)
    stretch = np.exp(rng.normal(0.0, 0.1, 3))
    stretch /= stretch.prod() ** (1 / 3)
    offset = (grid - away.reshape(3, 1, 1, 1)) / stretch.reshape(3, 1, 1, 1)
    distance = np.sqrt((offset**2).sum(axis=0))

    def ball(size: float) -> Field:
        return np.asarray(np.clip(0.5 + size - distance, 0.0, 1.0))

    core, dead = ball(radius), ball(radius * person.necrosis ** (1 / 3))
    around = ball(radius * OEDEMA)
    return {"oedema": around - core, "rim": core - dead, "necrosis": dead}


def nifti(volume: NDArray[np.int16]) -> bytes:
    """Return a volume as the bytes of a .nii.gz, always the same."""
    import nibabel

    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[:3, 3] = [-VOXEL * (n - 1) / 2 for n in volume.shape]
    kind: Any = nibabel.nifti1.Nifti1Image
    return gzip.compress(kind(volume, affine).to_bytes(), compresslevel=4, mtime=0)
