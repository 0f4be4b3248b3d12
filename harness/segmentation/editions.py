"""The editions of BraTS: which labels make which region, and how each edition scores.

Sources: the BraTS-2023 lesion-wise script (rachitsaluja/BraTS-2023-Metrics), the 2026 tool
(BraTS/BraTS_evaluation on panoptica), and for 2020 the rules that nnU-Net quotes from the organisers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["EDITIONS", "MAX_LABEL", "Edition", "Measures", "Spacing", "check_labels", "check_pair"]

Spacing = tuple[float, float, float]
"""Voxel size in mm along x, y, z."""
Measures = dict[str, dict[str, float]]
"""region -> metric -> value; NaN where undefined."""

MAX_LABEL = 4
WT, TC, ET = "WT", "TC", "ET"

POOLED = (
    "95th percentile (linear) of the distances of both directions pooled, between the centres of border "
    "voxels (those with one of their 6 neighbours outside), mm"
)
CORNERS = (
    "larger of the two directed 95th percentiles, between voxel corners on the surface weighted by their "
    "marching-cubes area, no interpolation (the BraTS-2023 script's legacy HD95), mm"
)


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition's labels and rules."""

    name: str
    regions: Mapping[str, tuple[int, ...]]
    """region -> labels; nested: ET within TC within WT."""
    surface: Literal["corners", "centres"]
    """Surface points: voxel corners weighted by area, or centres of border voxels."""
    both_empty: tuple[float, float]
    """Overlap metrics and HD95 where truth and prediction are empty."""
    penalty: float | None
    """HD95 in mm where exactly one is empty; None: the diagonal of the image."""
    lesions: Literal["", "merged", "paired"] = ""
    """merged: truth lesions joined by dilation, every touching component counts (2023).
    paired: components of truth and prediction one to one, of largest total Dice (2026)."""
    dilation: int = 0
    """How often the truth is dilated (18 neighbours) before its components are joined."""
    smallest: float = 0.0
    """Truth lesions of at most this volume are left out, mm3."""
    disjoint_is_missed: bool = False
    """Whether HD95 is the penalty where truth and prediction share no voxel (2026)."""

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels a file may hold, background included, sorted."""
        return tuple(sorted({0, *(label for labels in self.regions.values() for label in labels)}))

    @property
    def hd95_definition(self) -> str:
        """What `hd95` is, to be printed beside it."""
        return CORNERS if self.surface == "corners" else POOLED

    @property
    def nsd_definition(self) -> str:
        """What `nsd` is, to be printed beside it."""
        what = "surface area" if self.surface == "corners" else "border voxels, mean of the two shares,"
        return f"share of the {what} of both within 1 mm of the other's surface"

    def penalty_mm(self, shape: tuple[int, ...], spacing: Spacing) -> float:
        """Return the HD95 of a pair of which exactly one is empty."""
        if self.penalty is not None:
            return self.penalty
        return math.sqrt(sum((n * mm) ** 2 for n, mm in zip(shape, spacing, strict=True)))

    def bits(self) -> tuple[int, ...]:
        """Return for each label 0..MAX_LABEL the regions it belongs to, bit k = k-th region; -1: unknown."""
        known = set(self.labels)
        return tuple(
            sum((label in labels) << k for k, labels in enumerate(self.regions.values()))
            if label in known
            else -1
            for label in range(MAX_LABEL + 1)
        )


FOUR_IS_ET = MappingProxyType({WT: (1, 2, 4), TC: (1, 4), ET: (4,)})
THREE_IS_ET = MappingProxyType({WT: (1, 2, 3), TC: (1, 3), ET: (3,)})

GLI_2023 = Edition("2023", THREE_IS_ET, "corners", (1.0, 0.0), 374.0, "merged", dilation=3, smallest=50.0)

EDITIONS: Mapping[str, Edition] = MappingProxyType(
    {
        "2020": Edition("2020", FOUR_IS_ET, "centres", (1.0, 0.0), None),
        "2023": GLI_2023,
        "2023-met": replace(GLI_2023, name="2023-met", dilation=1, smallest=2.0),
        "2026": Edition(
            "2026", THREE_IS_ET, "centres", (math.nan, math.nan), 373.0, "paired", disjoint_is_missed=True
        ),
    }
)


def check_pair(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
    """Refuse arrays that are no pair of label volumes.

    Raises:
        ValueError: with both shapes and types.
    """
    pair = (truth, prediction)
    if truth.shape != prediction.shape or truth.ndim != 3 or any(a.dtype != np.uint8 for a in pair):
        found = " and ".join(f"{labels.dtype} {labels.shape}" for labels in pair)
        raise ValueError(f"Truth and prediction are {found}; two uint8 volumes of one shape are needed.")


def check_labels(found: NDArray[np.integer], edition: Edition) -> None:
    """Refuse labels that the edition does not know.

    Raises:
        ValueError: with the first of them.
    """
    unknown = np.setdiff1d(found, edition.labels)
    if len(unknown):
        known = ", ".join(map(str, edition.labels))
        raise ValueError(f"The label {int(unknown[0])} is not of edition {edition.name}: {known}.")
