"""Variations of the training images, by albumentations, and the loader that applies them.

Each epoch sees other variations; one seed gives the same ones in every run, with workers or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import albumentations as A  # noqa: N812  the field's name for it
import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

from harness.training import CaseDataset

__all__ = ["AugmentedCases", "augmented_batches", "exposures_and_poses", "four_of_six", "rotations"]

BLACK = {"border_mode": cv2.BORDER_CONSTANT, "fill": 0}
"""Beyond the edge of a film."""


def exposures_and_poses() -> A.Compose:
    """Return the baseline's: how the child lay, and how the film was exposed.

    Rotation to 10 degrees, scale to 10 %, shift to 5 %, mirroring, brightness and contrast to 20 %, gamma.
    """
    pose = A.Affine(rotate=(-10, 10), scale=(0.9, 1.1), translate_percent=(-0.05, 0.05), **BLACK, p=1)
    exposure = [A.RandomBrightnessContrast(0.2, 0.2, p=0.8), A.RandomGamma((70, 140), p=0.5)]
    return A.Compose([pose, A.HorizontalFlip(p=0.5), *exposure])


def rotations() -> A.Compose:
    """Return the source's basic augmentation: a rotation of up to 10 degrees either way."""
    return A.Compose([A.Rotate((-10, 10), **BLACK, p=1)])


def four_of_six(side: int) -> A.Compose:
    """Return four at random of the source's six, for images of `side` pixels.

    The strengths are ours: the source names the six and no more. Lengths are relative to the side.
    """
    six = [
        A.ElasticTransform(alpha=side / 4, sigma=side / 16, **BLACK, p=1),
        A.GridDistortion(num_steps=5, distort_limit=0.15, **BLACK, p=1),
        A.OpticalDistortion(distort_limit=0.15, **BLACK, p=1),
        A.Rotate((-10, 10), **BLACK, p=1),
        A.Affine(scale=(0.9, 1.1), **BLACK, p=1),
        A.HorizontalFlip(p=1),
    ]
    return A.Compose([A.SomeOf(six, n=4, replace=False, p=1)])


class AugmentedCases(Dataset[dict[str, Tensor]]):
    """Training cases whose images are varied each time they are read; `dataset[[3, 5]]` is a batch."""

    def __init__(self, cases: CaseDataset, transform: A.Compose) -> None:
        self.cases = cases
        self.transform = transform

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.cases)

    def __getitem__(self, index: int | Sequence[int]) -> dict[str, Tensor]:
        """Return one case, or a batch for a list of positions; images stay uint8, (B, 1, side, side)."""
        batch = self.cases[index]
        # Albumentations has a random state of its own, which every worker of every epoch would inherit.
        self.transform.set_random_seed(int(torch.randint(2**31, ())))
        images = batch["image"].numpy()
        flat = images.reshape(-1, *images.shape[-2:])
        varied = np.stack([self.transform(image=image)["image"] for image in flat])
        return {**batch, "image": torch.from_numpy(varied.reshape(images.shape))}


def augmented_batches(
    cases: CaseDataset, transform: A.Compose, batch_size: int, workers: int = 0
) -> DataLoader[Any]:
    """Return shuffled batches, each read and varied in one go.

    A last, smaller batch is left out of the epoch: batch normalisation fails on a batch of one.
    """
    whole = len(cases) >= batch_size
    sampler = BatchSampler(RandomSampler(cases), batch_size, drop_last=whole)
    return DataLoader(AugmentedCases(cases, transform), sampler=sampler, batch_size=None, num_workers=workers)
