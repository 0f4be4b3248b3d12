"""The fast implementation: bit-packed masks, one pass for all overlaps, exact nearest points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.segmentation.components import components, overlaps, paint, runs
from harness.segmentation.distant import far
from harness.segmentation.editions import Edition, Measures, Spacing, check_labels, check_pair
from harness.segmentation.lesions import Lesion, merged_scores, one_to_one, paired_scores
from harness.segmentation.nearest import Points, kept, near, points, tally
from harness.segmentation.overlap import Confusion, dice
from harness.segmentation.overlap import overlaps as overlap_scores
from harness.segmentation.packed import Box, Words, border, bounds, corners, count, dilated, scan, shared
from harness.segmentation.surface import PERCENT, corner_areas, share_of_counts

__all__ = ["measure"]

Labels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

UNKNOWN = 8
NO_CLASSES = np.zeros(256, dtype=np.uint8)


def measure(truth: Labels, prediction: Labels, spacing: Spacing, edition: Edition) -> Measures:
    """Return every metric of every region; labels (x, y, z) of the edition's set, spacing in mm.

    Raises:
        ValueError: shapes that differ, or a label that the edition does not know.
    """
    check_pair(truth, prediction)
    masks, found = _packed(truth, prediction, edition)
    scratch = np.zeros((6 if edition.dilation else 4, *masks.shape[1:]), dtype=np.uint64)
    squares = _squares(spacing, max(*masks.shape[1:3], 64 * masks.shape[3]))
    classes = _area_classes(spacing) if edition.surface == "corners" else (NO_CLASSES, np.zeros(1))
    frame = _Frame(edition, spacing, truth.shape, scratch, squares, *classes)
    n = len(edition.regions)
    return {
        region: _region(frame, masks[k], masks[n + k], _confusion(found, k))
        for k, region in enumerate(edition.regions)
    }


def _packed(truth: Labels, prediction: Labels, edition: Edition) -> tuple[Words, Numbers]:
    """Return the masks of all regions, truth first, and the counts of each pair of region sets."""
    nx, ny, nz = truth.shape
    bits = np.full(256, UNKNOWN, dtype=np.uint8)
    known = edition.bits()
    bits[: len(known)] = [UNKNOWN if regions < 0 else regions for regions in known]
    masks = np.zeros((2 * len(edition.regions), nz + 2, ny + 2, nx // 64 + 1), dtype=np.uint64)
    ours, theirs = _flat(truth), _flat(prediction)
    whole = len(ours) // 8 * 8
    words = (ours[:whole].view(np.uint64), theirs[:whole].view(np.uint64))
    found = scan(ours, theirs, *words, bits, np.array(truth.shape), masks)
    if found[UNKNOWN].any() or found[:, UNKNOWN].any():
        for labels in (truth, prediction):
            check_labels(np.unique(labels), edition)
    return masks, found


def _flat(labels: Labels) -> Labels:
    """Return the voxels, x fastest, writeable and aligned to words: what the kernel is compiled for."""
    flat = labels.ravel(order="F")
    usable = flat.ctypes.data % 8 == 0 and flat.flags.writeable
    return flat if usable else flat.copy()


def _confusion(found: Numbers, region: int) -> Confusion:
    inside = (np.arange(16) >> region & 1).astype(bool)
    tp, truth = int(found[inside][:, inside].sum()), int(found[inside].sum())
    prediction = int(found[:, inside].sum())
    return Confusion(tp, prediction - tp, truth - tp, int(found.sum()) - truth - prediction + tp)


# -------------------------------------------------------------------------------------- one region
@dataclass(frozen=True, slots=True)
class _Frame:
    """What the regions of a case share."""

    edition: Edition
    spacing: Spacing
    shape: tuple[int, ...]
    scratch: Words
    """Empty masks: two surfaces, a lesion, its match, two for dilation. Left empty by whoever uses them."""
    squares: Floats
    """The squares of k voxels along x, y, z, mm2."""
    classes: NDArray[np.uint8]
    """The class of each neighbour code, by area."""
    areas: Floats
    """The area of each class, mm2, ascending; one class for border voxels."""

    @property
    def weighted(self) -> bool:
        """Whether surface points are corners with an area."""
        return self.edition.surface == "corners"

    def volume(self, voxels: int) -> float:
        """Return a volume in mm3, multiplied in the official order."""
        return voxels * self.spacing[0] * self.spacing[1] * self.spacing[2]


def _region(frame: _Frame, truth: Words, prediction: Words, counts: Confusion) -> dict[str, float]:
    edition = frame.edition
    penalty = edition.penalty_mm(frame.shape, frame.spacing)
    scores = overlap_scores(counts, edition.both_empty[0])
    scores |= {"volume": frame.volume(counts.truth), "predicted_volume": frame.volume(counts.prediction)}
    if counts.truth == 0 or counts.prediction == 0:
        overlap, distance = (0.0, penalty) if counts.truth or counts.prediction else edition.both_empty
        scores |= {"hd95": distance, "nsd": overlap} | ({} if frame.weighted else {"nsd_voxel": overlap})
        found: list[_Search] = []
    else:
        found = _searches(frame, truth, prediction, bounds(truth), bounds(prediction))
        scores |= _boundary(frame, _sides(frame, found), counts, penalty)
    if edition.lesions:
        lesions = _merged if edition.lesions == "merged" else _paired
        scores |= lesions(frame, truth, prediction, found)
    return scores


def _boundary(frame: _Frame, sides: _Sides, counts: Confusion, penalty: float) -> dict[str, float]:
    if frame.weighted:
        hd95, nsd = _weighted(sides, 1.0)
        return {"hd95": hd95, "nsd": nsd}
    missed = frame.edition.disjoint_is_missed and counts.tp == 0
    return {
        "hd95": penalty if missed else _pooled(sides),
        "nsd": _near(sides, 1.0),
        "nsd_voxel": _near(sides, 0.5 * min(frame.spacing)),
    }


# ---------------------------------------------------------------------------------------- surfaces
@dataclass(frozen=True, slots=True)
class _Side:
    """The surface points of one mask by (distance, area), sorted, and how many there are of each."""

    distances: Floats
    areas: Floats
    counts: Numbers


@dataclass(frozen=True, slots=True)
class _Search:
    """The surface points of one mask, the squared distance to the other surface, and the point there."""

    points: Points
    squares: Floats
    nearest: Points


_Sides = tuple[_Side, _Side]


def _searches(
    frame: _Frame, truth: Words, prediction: Words, box: Box, other: Box, known: Sequence[_Search] = ()
) -> list[_Search]:
    """Return the surface distances of two masks, neither empty: from the truth, from the prediction.

    `known`: those of masks of which these are components, to take from them what holds.
    """
    surface = corners if frame.weighted else border
    ours, theirs = frame.scratch[0], frame.scratch[1]
    here, there = surface(truth, box, ours), surface(prediction, other, theirs)
    pairs = ((truth, ours, here, theirs, there), (prediction, theirs, there, ours, here))
    if known:
        found = [_again(frame, search, *pair[1:]) for search, pair in zip(known, pairs, strict=True)]
    else:
        found = [_search(frame, *pair) for pair in pairs]
    _clear(ours, here)
    _clear(theirs, there)
    return found


def _search(frame: _Frame, mask: Words, surface: Words, box: Box, target: Words, other: Box) -> _Search:
    n = count(surface, box)
    wanted = points(surface, box, mask, frame.classes, frame.weighted, n)
    squares, nearest = near(surface, box, target, other, *_offsets(frame.spacing), n)
    far(wanted, target, other, frame.squares, np.array(frame.spacing), squares, nearest)
    return _Search(wanted, squares, nearest)


def _again(frame: _Frame, known: _Search, surface: Words, box: Box, target: Words, other: Box) -> _Search:
    wanted, squares, nearest = kept(known.points, known.squares, known.nearest, surface, target, box)
    far(wanted, target, other, frame.squares, np.array(frame.spacing), squares, nearest)
    return _Search(wanted, squares, nearest)


def _side(frame: _Frame, search: _Search) -> _Side:
    areas = frame.areas
    if all(mm.is_integer() for mm in frame.spacing):
        counts = tally(search.squares, search.points, len(areas))
        some = np.flatnonzero(counts)
        whole, kind = np.divmod(some, len(areas))
        return _Side(np.sqrt(whole), areas[kind], counts[some])
    distances, weights = np.sqrt(search.squares), areas[search.points[:, 3]]
    order = np.lexsort((weights, distances))
    return _Side(distances[order], weights[order], np.ones(len(order), dtype=np.int64))


def _sides(frame: _Frame, found: Sequence[_Search]) -> _Sides:
    return _side(frame, found[0]), _side(frame, found[1])


def _clear(mask: Words, box: Box) -> None:
    mask[box[0] : box[1], box[2] : box[3]] = 0


@lru_cache(maxsize=16)
def _area_classes(spacing: Spacing) -> tuple[NDArray[np.uint8], Floats]:
    """Return the class of each neighbour code and the classes' areas, ascending."""
    areas, classes = np.unique(corner_areas(spacing), return_inverse=True)
    return classes.astype(np.uint8), areas


@lru_cache(maxsize=16)
def _offsets(spacing: Spacing) -> tuple[Numbers, Floats]:
    """Return all offsets within some 4 voxels, (m, 3), and their squared lengths in mm2, ascending."""
    reach = min(4 * math.prod(spacing) ** (1 / 3), 30 * min(spacing))
    sides = [np.arange(-(reach // mm), reach // mm + 1) for mm in spacing]
    offsets = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    x, y, z = (np.square(offsets * np.array(spacing))).T
    squares = (x + y) + z
    within = np.flatnonzero(squares <= reach * reach)
    order = within[np.argsort(squares[within], kind="stable")]
    return offsets[order].astype(np.int64), squares[order]


@lru_cache(maxsize=16)
def _squares(spacing: Spacing, longest: int) -> Floats:
    """Return the square of k voxels along each axis, mm2, with room for a word more at either end."""
    sides = np.arange(longest + 130, dtype=np.float64) * np.array(spacing)[:, None]
    squares: Floats = sides * sides
    return squares


def _weighted(sides: _Sides, tolerance: float) -> tuple[float, float]:
    """Return HD95 and NSD of area-weighted surface points; float sums in the order of `plain`."""
    farthest, near, total = 0.0, [], []
    for side in sides:
        areas = np.repeat(side.areas, side.counts)
        whole, reached, ends = np.sum(areas), np.cumsum(areas), np.cumsum(side.counts)
        k = int(np.searchsorted(reached, PERCENT * whole))
        while k > 0 and reached[k - 1] / whole >= PERCENT:
            k -= 1
        while k < len(areas) - 1 and reached[k] / whole < PERCENT:
            k += 1
        farthest = max(farthest, float(side.distances[np.searchsorted(ends, k, side="right")]))
        within = int(side.counts[: np.searchsorted(side.distances, tolerance, side="right")].sum())
        near.append(np.sum(areas[:within]))
        total.append(whole)
    return farthest, float((near[0] + near[1]) / (total[0] + total[1]))


def _pooled(sides: _Sides) -> float:
    """Return the linear 95th percentile of both directions, interpolated as numpy does."""
    distances = np.concatenate([side.distances for side in sides])
    order = np.argsort(distances)
    ends = np.cumsum(np.concatenate([side.counts for side in sides])[order])
    place = (int(ends[-1]) - 1) * PERCENT
    low = math.floor(place)
    at = np.searchsorted(ends, [low, min(low + 1, int(ends[-1]) - 1)], side="right")
    (a, b), share = distances[order][at].tolist(), place - low
    return float(b - (b - a) * (1 - share) if share >= 0.5 else a + (b - a) * share)


def _near(sides: _Sides, tolerance: float) -> float:
    within = [
        int(side.counts[: np.searchsorted(side.distances, tolerance, side="right")].sum()) for side in sides
    ]
    return share_of_counts(within, [int(side.counts.sum()) for side in sides])


# ----------------------------------------------------------------------------------------- lesions
@dataclass(frozen=True, slots=True)
class _Parts:
    """The components of a mask: its runs, where each row's begin, the component of each run."""

    runs: Numbers
    starts: Numbers
    label: Numbers
    sizes: Numbers
    first: Numbers
    box: Box


def _parts(mask: Words, *, x_slowest: bool = False) -> _Parts:
    box = bounds(mask)
    found, starts = runs(mask, box)
    label, sizes, first = components(found, starts, box, mask.shape[1], mask.shape[0], x_slowest)
    return _Parts(found, starts, label, sizes, first, box)


def _merged(frame: _Frame, truth: Words, prediction: Words, known: Sequence[_Search]) -> dict[str, float]:
    zones = _zones(frame, truth)
    found = _parts(prediction)
    box = bounds(truth)
    own, starts = runs(truth, box)
    zone_of = overlaps(own, starts, np.arange(len(own)), zones.runs, zones.starts, zones.label)[:, 1].copy()
    voxels = np.bincount(zone_of, weights=own[:, 1] - own[:, 0], minlength=len(zones.sizes))
    lesions_of = _Parts(own, starts, zone_of, voxels.astype(np.int64), zones.first, box)
    touching = _touching(zones, found)
    lesions = []
    for zone in np.argsort(zones.first).tolist():
        if frame.volume(int(lesions_of.sizes[zone])) > frame.edition.smallest:
            matched = touching.get(zone, [])
            lesions.append(_lesion(frame, (lesions_of, found), ([zone], matched), known))
    false = len(found.sizes) - len(set().union(*touching.values()))
    return merged_scores(lesions, false, frame.edition.penalty_mm(frame.shape, frame.spacing))


def _zones(frame: _Frame, mask: Words) -> _Parts:
    """Return the components of the mask dilated as the edition says, with their places in C order."""
    box = bounds(mask)
    for k in range(frame.edition.dilation if box[1] else 0):
        out = frame.scratch[4 + k % 2]
        box = dilated(mask, out, box, frame.shape[0])
        mask = out
    zones = _parts(mask, x_slowest=True)
    for scratch in frame.scratch[4:] if box[1] else ():
        _clear(scratch, box)
    return zones


def _touching(zones: _Parts, found: _Parts) -> dict[int, list[int]]:
    """Return the predicted components that touch each zone, sorted."""
    shares = overlaps(zones.runs, zones.starts, zones.label, found.runs, found.starts, found.label)
    touching: dict[int, list[int]] = {}
    for pair in np.unique(shares[:, 0] * len(found.sizes) + shares[:, 1]).tolist():
        zone, component = divmod(pair, len(found.sizes))
        touching.setdefault(zone, []).append(component)
    return touching


def _paired(frame: _Frame, truth: Words, prediction: Words, known: Sequence[_Search]) -> dict[str, float]:
    own, found = _parts(truth), _parts(prediction)
    shares = overlaps(own.runs, own.starts, own.label, found.runs, found.starts, found.label)
    pairs, at = np.unique(shares[:, 0] * max(1, len(found.sizes)) + shares[:, 1], return_inverse=True)
    voxels = np.bincount(at, weights=shares[:, 2], minlength=len(pairs)).astype(np.int64)
    common = {
        divmod(pair, len(found.sizes)): n for pair, n in zip(pairs.tolist(), voxels.tolist(), strict=True)
    }
    partner = one_to_one(common, own.sizes.tolist(), found.sizes.tolist())
    lesions = [
        _lesion(frame, (own, found), ([k], [partner[k]]), known) if k in partner else Lesion()
        for k in range(len(own.sizes))
    ]
    return paired_scores(lesions, len(found.sizes) - len(partner), frame.edition)


def _lesion(
    frame: _Frame,
    parts: tuple[_Parts, _Parts],
    chosen: tuple[Sequence[int], Sequence[int]],
    known: Sequence[_Search],
) -> Lesion:
    """Score the chosen components of the truth against those of the prediction."""
    if not chosen[1]:
        return Lesion()
    lesion, box = _painted(frame, 2, parts[0], chosen[0])
    match, other = _painted(frame, 3, parts[1], chosen[1])
    sides = _sides(frame, _searches(frame, lesion, match, box, other, known))
    common = shared(lesion, match, box)
    _clear(lesion, box)
    _clear(match, other)
    score = dice(common, *(int(p.sizes[list(c)].sum()) for p, c in zip(parts, chosen, strict=True)))
    if frame.weighted:
        return Lesion(score, _weighted(sides, 1.0)[0], found=True)
    return Lesion(score, _pooled(sides), _near(sides, min(frame.spacing)), found=True)


def _painted(frame: _Frame, k: int, part: _Parts, chosen: Sequence[int]) -> tuple[Words, Box]:
    wanted = np.zeros(len(part.sizes), dtype=np.bool_)
    wanted[list(chosen)] = True
    mask = frame.scratch[k]
    return mask, paint(part.runs, part.starts, part.label, wanted, part.box, mask)
