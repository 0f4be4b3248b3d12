"""The readable implementation, on numpy, scipy, cc3d and edt: fallback and oracle of the compiled one."""

from __future__ import annotations

from collections.abc import Iterator

import cc3d
import edt  # type: ignore[import-not-found]
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # noqa: TID253 loaded where this implementation is chosen

from harness.segmentation.editions import Edition, Measures, Spacing, check_labels, check_pair
from harness.segmentation.lesions import Lesion, merged_scores, one_to_one, paired_scores
from harness.segmentation.overlap import Confusion, dice, overlaps
from harness.segmentation.surface import (
    Surfaces,
    corner_areas,
    hd95_corners,
    hd95_pooled,
    nsd_corners,
    nsd_counts,
)

__all__ = ["measure"]

Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Components = NDArray[np.integer]

NEIGHBOURS_18 = ndimage.generate_binary_structure(3, 2)
NEIGHBOURS_6 = ndimage.generate_binary_structure(3, 1)


def measure(truth: Labels, prediction: Labels, spacing: Spacing, edition: Edition) -> Measures:
    """Return every metric of every region; labels (x, y, z) of the edition's set, spacing in mm.

    Raises:
        ValueError: shapes that differ, or a label that the edition does not know.
    """
    check_pair(truth, prediction)
    for labels in (truth, prediction):
        check_labels(np.unique(labels), edition)
    return {
        region: _region(np.isin(truth, labels), np.isin(prediction, labels), spacing, edition)
        for region, labels in edition.regions.items()
    }


def _region(truth: Mask, prediction: Mask, spacing: Spacing, edition: Edition) -> dict[str, float]:
    common, n_truth, n_prediction = _count(truth & prediction), _count(truth), _count(prediction)
    counts = Confusion(
        common, n_prediction - common, n_truth - common, truth.size - n_truth - n_prediction + common
    )
    penalty = edition.penalty_mm(truth.shape, spacing)
    scores = overlaps(counts, edition.both_empty[0])
    scores |= {"volume": _volume(n_truth, spacing), "predicted_volume": _volume(n_prediction, spacing)}
    box = _box(truth | prediction, margin=edition.dilation)
    return (
        scores
        | _boundary(counts, truth[box], prediction[box], spacing, edition, penalty)
        | _lesions(truth[box], prediction[box], spacing, edition)
    )


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _volume(voxels: int, spacing: Spacing) -> float:
    return voxels * spacing[0] * spacing[1] * spacing[2]


def _box(mask: Mask, margin: int = 0) -> tuple[slice, slice, slice]:
    """Return the smallest box around the mask and a margin, within the image."""
    if not mask.any():
        return (slice(0, 1), slice(0, 1), slice(0, 1))
    sides = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        sides.append(slice(max(0, int(used[0]) - margin), int(used[-1]) + 1 + margin))
    return (sides[0], sides[1], sides[2])


# ------------------------------------------------------------------------------------- boundaries
def _boundary(
    counts: Confusion, truth: Mask, prediction: Mask, spacing: Spacing, edition: Edition, penalty: float
) -> dict[str, float]:
    if counts.truth == 0 or counts.prediction == 0:
        overlap, distance = (0.0, penalty) if counts.truth or counts.prediction else edition.both_empty
        scores = {"hd95": distance, "nsd": overlap}
        return scores if edition.surface == "corners" else scores | {"nsd_voxel": overlap}
    surfaces = _surfaces(truth, prediction, spacing, edition)
    if edition.surface == "corners":
        return {"hd95": hd95_corners(surfaces), "nsd": nsd_corners(surfaces, 1.0)}
    missed = edition.disjoint_is_missed and counts.tp == 0
    return {
        "hd95": penalty if missed else hd95_pooled(surfaces),
        "nsd": nsd_counts(surfaces, 1.0),
        "nsd_voxel": nsd_counts(surfaces, 0.5 * min(spacing)),
    }


def _surfaces(truth: Mask, prediction: Mask, spacing: Spacing, edition: Edition) -> Surfaces:
    """Return the sorted surface distances of two masks, neither empty."""
    box = _box(truth | prediction)
    of = _corner_surface if edition.surface == "corners" else _border
    truth_points, truth_areas = of(truth[box], spacing)
    prediction_points, prediction_areas = of(prediction[box], spacing)
    return Surfaces(
        *_ordered(_distances(prediction_points, spacing)[truth_points], truth_areas),
        *_ordered(_distances(truth_points, spacing)[prediction_points], prediction_areas),
    )


def _ordered(
    distances: NDArray[np.float64], areas: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.lexsort((areas, distances)) if len(areas) else np.argsort(distances)
    return distances[order], areas[order] if len(areas) else areas


def _corner_surface(mask: Mask, spacing: Spacing) -> tuple[Mask, NDArray[np.float64]]:
    """Return which voxel corners, one more along each axis, lie on the surface, and the area of each."""
    nx, ny, nz = (n + 1 for n in mask.shape)
    padded = np.pad(mask, 1).astype(np.uint8)
    code = np.zeros((nx, ny, nz), dtype=np.uint8)
    for bit, (x, y, z) in zip(range(7, -1, -1), np.ndindex(2, 2, 2), strict=True):
        code |= padded[x : x + nx, y : y + ny, z : z + nz] << bit
    surface = (code != 0) & (code != 255)
    return surface, corner_areas(spacing)[code[surface]]


def _border(mask: Mask, spacing: Spacing) -> tuple[Mask, NDArray[np.float64]]:
    """Return the voxels that have a neighbour outside, beyond the image's edge included."""
    return mask & ~ndimage.binary_erosion(mask, NEIGHBOURS_6), np.empty(0)


def _distances(points: Mask, spacing: Spacing) -> NDArray[np.float64]:
    """Return the distance of every voxel to the nearest point, mm."""
    if spacing == (1.0, 1.0, 1.0):  # the squares are whole numbers, exact in edt's float32
        return np.sqrt(np.asarray(edt.edtsq(~points, parallel=1), dtype=np.float64))
    return np.asarray(ndimage.distance_transform_edt(~points, sampling=spacing), dtype=np.float64)


# ---------------------------------------------------------------------------------------- lesions
def _lesions(truth: Mask, prediction: Mask, spacing: Spacing, edition: Edition) -> dict[str, float]:
    if edition.lesions == "merged":
        return _merged(truth, prediction, spacing, edition)
    return _paired(truth, prediction, spacing, edition) if edition.lesions == "paired" else {}


def _merged(truth: Mask, prediction: Mask, spacing: Spacing, edition: Edition) -> dict[str, float]:
    found, n_found = _components(prediction)
    dilated = ndimage.binary_dilation(truth, NEIGHBOURS_18, edition.dilation) if truth.any() else truth
    zones, n_zones = _components(dilated)
    matched: set[int] = set()
    lesions = []
    for zone, box in _boxes(zones, n_zones):
        lesion = truth & (zones == zone)
        touching = np.setdiff1d(found[box][zones[box] == zone], [0])
        matched.update(touching.tolist())
        if _volume(_count(lesion), spacing) > edition.smallest:
            lesions.append(_lesion(lesion, np.isin(found, touching), spacing, edition))
    return merged_scores(lesions, n_found - len(matched), edition.penalty_mm((0, 0, 0), spacing))


def _lesion(lesion: Mask, union: Mask, spacing: Spacing, edition: Edition) -> Lesion:
    if not union.any():
        return Lesion()
    score = dice(_count(lesion & union), _count(lesion), _count(union))
    surfaces = _surfaces(lesion, union, spacing, edition)
    if edition.surface == "corners":
        return Lesion(score, hd95_corners(surfaces), found=True)
    return Lesion(score, hd95_pooled(surfaces), nsd_counts(surfaces, min(spacing)), found=True)


def _paired(truth: Mask, prediction: Mask, spacing: Spacing, edition: Edition) -> dict[str, float]:
    # The 2026 tool sees (z, y, x); components are numbered, and so averaged, in that order.
    (known, n_known), (found, n_found) = (_components(mask.T) for mask in (truth, prediction))
    both = np.stack([known[(known > 0) & (found > 0)], found[(known > 0) & (found > 0)]])
    pairs, shared = np.unique(both, axis=1, return_counts=True)
    common = {(int(r), int(p)): int(n) for (r, p), n in zip(pairs.T, shared, strict=True)}
    sizes = [np.bincount(components.ravel()).tolist() for components in (known, found)]
    partner = one_to_one(common, *sizes)
    lesions = [
        _lesion((known == k).T, (found == partner[k]).T, spacing, edition) if k in partner else Lesion()
        for k in range(1, n_known + 1)
    ]
    return paired_scores(lesions, n_found - len(partner), edition)


def _components(mask: Mask) -> tuple[Components, int]:
    """Return the 26-connected components, numbered by their first voxel in C order."""
    labels, n = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26, return_N=True)
    return labels, int(n)


def _boxes(components: Components, n: int) -> Iterator[tuple[int, tuple[slice, ...]]]:
    return enumerate(ndimage.find_objects(components.astype(np.int32), max_label=n), start=1)
