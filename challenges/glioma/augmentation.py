"""How training volumes are read and varied: random crops of the memory-mapped store, noise, mirroring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from harness.training import CaseDataset

__all__ = ["CroppedCases", "EvenBatches", "cropped_batches", "mirrored", "noisy"]

UNIT = 256
"""The stored value of one standard deviation of the brain."""


class CroppedCases(Dataset[dict[str, Tensor]]):
    """Training cases; `dataset[[3, 5]]` is a batch of two, each image cut to a random box, (B, 4, *size).

    A box is no longer than the image along any axis; without a side the images are whole.
    """

    def __init__(self, cases: CaseDataset, side: int | None) -> None:
        self.cases = cases
        self.side = side
        others = {name: values for name, values in cases.inputs.items() if name != "image"}
        self.others = CaseDataset(others, cases.rows, cases.truth)

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.cases)

    def __getitem__(self, positions: Sequence[int]) -> dict[str, Tensor]:
        """Return a batch."""
        if self.side is None:
            return self.cases[positions]
        images = np.stack([self._box(self.cases.inputs["image"][self.cases.rows[i]]) for i in positions])
        return {"image": torch.from_numpy(images), **self.others[positions]}

    def _box(self, image: Any) -> Any:  # noqa: ANN401  an array, or a file mapped into memory
        sizes = [min(self.side or n, n) for n in image.shape[1:]]
        # Of torch's generator, which every worker has of its own and every epoch goes on with.
        starts = [
            int(torch.randint(n - size + 1, ())) for n, size in zip(image.shape[1:], sizes, strict=True)
        ]
        x, y, z = (slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
        return image[:, x, y, z]


class EvenBatches(Sampler[list[int]]):
    """All cases in random order, in batches of nearly `size`: no last one is too small."""

    def __init__(self, cases: int, size: int) -> None:
        self.cases = cases
        self.number = max(1, round(cases / size))

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.number

    def __iter__(self) -> Iterator[list[int]]:
        """Yield one epoch."""
        order = torch.randperm(self.cases)
        yield from (part.tolist() for part in torch.tensor_split(order, self.number))


def cropped_batches(cases: CaseDataset, side: int | None, batch: int, workers: int = 0) -> DataLoader[Any]:
    """Return a loader of random crops; see CroppedCases and EvenBatches."""
    sampler: Any = EvenBatches(len(cases), batch)
    return DataLoader(CroppedCases(cases, side), sampler=sampler, batch_size=None, num_workers=workers)


def mirrored(images: Tensor) -> Tensor:
    """Exchange left and right in a random half of the volumes, (B, 4, x, y, z)."""
    heads = torch.rand(len(images), 1, 1, 1, 1, device=images.device) < 0.5
    return torch.where(heads, images.flip(2), images)


def noisy(images: Tensor, chance: float, deviation: float = 0.1) -> Tensor:
    """Add Gaussian noise to `chance` of the volumes, in the stored unit, as float.

    As MONAI's RandGaussianNoise, each volume's strength is uniform up to `deviation`, in standard deviations
    of the brain.
    """
    shape = (len(images), 1, 1, 1, 1)
    strength = UNIT * deviation * torch.rand(shape, device=images.device)
    strength = strength * (torch.rand(shape, device=images.device) < chance)
    return images + strength * torch.randn(images.shape, device=images.device)
