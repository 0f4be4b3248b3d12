"""Random pairs of label volumes, to compare the two implementations; run as a script for many.

uv run python tests/segmentation_fuzz.py [--pairs 1000] [--seed 0]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.segmentation import compiled, plain
from harness.segmentation.editions import EDITIONS, Edition, Measures, Spacing

Labels = NDArray[np.uint8]

SPACINGS: tuple[Spacing, ...] = (
    *[(1.0, 1.0, 1.0)] * 6,
    (1.0, 1.0, 3.0),
    (2.0, 1.0, 1.0),
    (0.9375, 0.9375, 5.0),
    (0.8594, 0.8594, 1.5),
    (0.9, 0.9, 0.9),
    (1.2, 0.7, 0.7),
    (0.7, 1.2, 0.7),
)
KINDS = ("blobs", "blobs", "blobs", "shifted", "noise", "sparse", "border", "single", "empty", "full")


def blobs(draw: np.random.Generator, shape: tuple[int, ...], top: int) -> Labels:
    """Return nested smooth blobs."""
    field = ndimage.gaussian_filter(draw.normal(size=shape), draw.uniform(0.8, 4.0))
    cuts = np.quantile(field, np.sort(draw.uniform(0.7, 0.999, 3)))
    order = draw.permutation([1, 2, top])
    return np.concatenate([[0], order]).astype(np.uint8)[np.searchsorted(cuts, field)]


def noise(draw: np.random.Generator, shape: tuple[int, ...], top: int, share: float) -> Labels:
    """Return labelled voxels strewn at random."""
    labels = draw.choice(np.array([1, 2, top], dtype=np.uint8), size=shape)
    return np.where(draw.random(shape) < share, labels, 0).astype(np.uint8)


def volume(draw: np.random.Generator, shape: tuple[int, ...], top: int, kind: str) -> Labels:
    """Return a volume of one kind."""
    out = np.zeros(shape, dtype=np.uint8)
    if kind in {"blobs", "shifted"}:
        return blobs(draw, shape, top)
    if kind in {"noise", "sparse"}:
        return noise(draw, shape, top, draw.uniform(0.05, 0.4) if kind == "noise" else 0.003)
    if kind == "border":
        axis = int(draw.integers(3))
        side = np.moveaxis(out, axis, 0)
        side[[0, -1]] = noise(draw, side[:2].shape, top, 0.7)
    if kind == "single":
        out[tuple(int(draw.integers(n)) for n in shape)] = top
    if kind == "full":
        out[:] = top
    return out


def pair(seed: int) -> tuple[Labels, Labels, Spacing, Edition]:
    """Return truth, prediction, spacing and edition number `seed`."""
    draw = np.random.default_rng(seed)
    edition = EDITIONS[str(draw.choice(list(EDITIONS)))]
    shape = tuple(int(draw.integers(1, high)) for high in draw.permutation([141, 41, 31]))
    top = max(edition.labels)
    kind, other = (str(draw.choice(KINDS)) for _ in range(2))
    truth = volume(draw, shape, top, kind)
    prediction = volume(draw, shape, top, other)
    if other == "shifted":
        moved = np.roll(truth, draw.integers(-3, 4, 3), axis=(0, 1, 2))
        prediction = np.where(draw.random(shape) < 0.98, moved, prediction).astype(np.uint8)
    if draw.random() < 0.5:
        truth, prediction = np.asfortranarray(truth), np.asfortranarray(prediction)
    return truth, prediction, SPACINGS[int(draw.integers(len(SPACINGS)))], edition


def differences(one: Measures, other: Measures) -> Iterator[str]:
    """Yield what is not equal; NaN equals NaN."""
    for region, scores in one.items():
        if scores.keys() != other[region].keys():
            yield f"{region}: {sorted(scores.keys() ^ other[region].keys())}"
        for name, value in scores.items():
            found = other[region].get(name, math.nan)
            if value != found and not (math.isnan(value) and math.isnan(found)):
                yield f"{region} {name}: {value!r} {found!r}"


def compare(seed: int) -> list[str]:
    """Return where the two implementations differ on pair number `seed`."""
    truth, prediction, spacing, edition = pair(seed)
    ours = compiled.measure(truth, prediction, spacing, edition)
    found = list(differences(plain.measure(truth, prediction, spacing, edition), ours))
    return [f"pair {seed}, {truth.shape}, {spacing}, edition {edition.name}: {text}" for text in found]


def main() -> None:
    """Compare many pairs and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = 0
    for seed in range(options.seed, options.seed + options.pairs):
        found = compare(seed)
        wrong += bool(found)
        print(*found, sep="\n", end="\n" if found else "")
    print(f"{options.pairs} pairs, {wrong} differ")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
