"""Random patches of the training cases, cut from the memory-mapped store; a case is never loaded whole.

The truth stays as it comes, deflated, 6 to 50 kB a case: the box that holds the tumour is inflated at each
visit, .1 to 2 ms on real cases. The crops of 1,251 cases, inflated, would take 5 GB in every fold's process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from harness.training import CaseDataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array
    from harness.volumes import Volume

__all__ = [
    "PatchDataset",
    "PatchSampler",
    "crop_shapes",
    "cut",
    "cut_labels",
    "patch_batches",
    "tumour_voxel",
]

LABELS = (1, 2, 3)
Draw = tuple[int, int]
"""A case's position, and the seed of its patch."""


def cut(image: Array, start: Sequence[int], out: Array) -> None:
    """Copy image[..., start : start + out's size] into `out`; what lies beyond the image stays as it is."""
    x, y, z = (slice(a, a + n) for a, n in zip(start, out.shape[-3:], strict=True))
    part = image[..., x, y, z]
    nx, ny, nz = part.shape[-3:]
    out[..., :nx, :ny, :nz] = part


def cut_labels(
    volume: Volume, inside: NDArray[np.uint8], start: Sequence[int], out: NDArray[np.uint8]
) -> None:
    """Copy labels into `out`, zeros so far, whose first voxel lies at `start`, which may be negative.

    `inside` is `volume.inside()`.
    """
    source, target = [], []
    for a, n, first, size in zip(start, out.shape, volume.start, volume.size, strict=True):
        low, high = max(a, first), min(a + n, first + size)
        if low >= high:
            return
        source.append(slice(low - first, high - first))
        target.append(slice(low - a, high - a))
    out[tuple(target)] = inside[tuple(source)]


def tumour_voxel(
    volume: Volume, inside: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.int64] | None:
    """Return a random voxel (3,) of a random label among those present; None without a tumour.

    The label is drawn first, so that the small ones are seen as often as the large ones.
    """
    flat = inside.ravel(order="F")
    for label in rng.permutation(LABELS):
        found = np.flatnonzero(flat == label)
        if len(found):
            voxel = np.unravel_index(rng.choice(found), inside.shape, order="F")
            return np.array(voxel, dtype=np.int64) + volume.start
    return None


def crop_shapes(cases: CaseDataset) -> NDArray[np.int64]:
    """Return the shapes of the cases' crops, (n, 3)."""
    image = cases.inputs["image"]
    return np.array([image[int(row)].shape[1:] for row in cases.rows], dtype=np.int64)


class PatchDataset(Dataset[dict[str, Tensor]]):
    """Patches of one size; `dataset[[(3, seed), (5, seed)]]` is a batch of two, from cases 3 and 5.

    A batch is {"image": int16 (B, 4, *size), "labels": uint8 (B, *size), "mean" and "std": (B, 4)}. Crops
    smaller than the patch are followed by zeros, which are background.

    Args:
        cases: With the truth "labels", a column of Volume.
        size: Of the patches, in voxels.
        foreground: Share of the patches centred on a voxel of the tumour; the others lie anywhere.
    """

    def __init__(self, cases: CaseDataset, size: Sequence[int], foreground: float) -> None:
        self.cases = cases
        self.size = tuple(size)
        self.foreground = foreground

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.cases)

    def __getitem__(self, drawn: Sequence[Draw]) -> dict[str, Tensor]:
        """Return a batch."""
        image = np.zeros((len(drawn), 4, *self.size), dtype=np.int16)
        labels = np.zeros((len(drawn), *self.size), dtype=np.uint8)
        for i, (position, seed) in enumerate(drawn):
            self._fill(position, np.random.default_rng(seed), image[i], labels[i])
        rows = self.cases.rows[[position for position, _ in drawn]]
        moments = {name: np.asarray(self.cases.inputs[name][rows]) for name in ("mean", "std")}
        return {
            name: torch.from_numpy(part)
            for name, part in {"image": image, "labels": labels, **moments}.items()
        }

    def _fill(
        self,
        position: int,
        rng: np.random.Generator,
        image: NDArray[np.int16],
        labels: NDArray[np.uint8],
    ) -> None:
        row = int(self.cases.rows[position])
        crop, origin = self.cases.inputs["image"][row], np.asarray(self.cases.inputs["start"][row])
        volume: Volume = (self.cases.truth or {})["labels"][position]
        inside = volume.inside()
        wanted = rng.random() < self.foreground
        voxel = tumour_voxel(volume, inside, rng) if wanted else None
        last = np.maximum(np.array(crop.shape[1:]) - self.size, 0)
        if voxel is None:
            start = rng.integers(0, last, endpoint=True)
        else:
            start = np.clip(voxel - origin - np.array(self.size) // 2, 0, last)
        cut(crop, start.tolist(), image)
        cut_labels(volume, inside, (start + origin).tolist(), labels)


class PatchSampler(Sampler[list[Draw]]):
    """Batches of (position, seed): every case `per_case` times an epoch, in random order.

    The seeds come from torch's generator of this process, so that one seed gives the same patches, with
    workers or without.
    """

    def __init__(self, cases: int, per_case: int, batch: int) -> None:
        self.cases = cases
        self.per_case = per_case
        self.batch = batch

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(self.cases * self.per_case / self.batch)

    def __iter__(self) -> Iterator[list[Draw]]:
        """Yield one epoch."""
        n = self.cases * self.per_case
        positions = (torch.randperm(n) % self.cases).tolist()
        seeds = torch.randint(2**62, (n,)).tolist()
        drawn = list(zip(positions, seeds, strict=True))
        yield from (drawn[i : i + self.batch] for i in range(0, n, self.batch))


def patch_batches(
    cases: CaseDataset,
    size: Sequence[int],
    *,
    foreground: float,
    per_case: int = 1,
    batch: int = 1,
    workers: int = 0,
) -> DataLoader[Any]:
    """Return a loader of random patches; see PatchDataset and PatchSampler."""
    sampler: Any = PatchSampler(len(cases), per_case, batch)
    return DataLoader(
        PatchDataset(cases, size, foreground), sampler=sampler, batch_size=None, num_workers=workers
    )
