"""Patients to rows of images: what one network trains and validates on."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from harness.training import CaseDataset

__all__ = ["ImageRows", "balanced", "in_order"]

Image = NDArray[np.uint8]


class ImageRows(Dataset[dict[str, Tensor]]):
    """One row an image: "image" uint8 (1, size, size) and "labels" (k,); patient after patient."""

    def __init__(
        self,
        cases: CaseDataset,
        views: tuple[int, ...],
        labels: Tensor,
        prepare: Callable[[Image], Image],
        *,
        name: str = "",
        finished: Container[str] = (),
    ) -> None:
        """Keep the patients; nothing is read yet.

        Args:
            cases: Patients, divided into training and validation before they become images.
            views: Positions of a patient's images among the eight.
            labels: Of each image, (patients, views, k).
            prepare: From a stored view to the network's input.
            name: Of the network.
            finished: Names of the networks that train no more; their rows are empty.
        """
        self.cases, self.views, self.labels, self.prepare = cases, views, labels, prepare
        self.name, self.finished = name, finished

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.cases) * len(self.views)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        """Return one image with its labels."""
        if self.name in self.finished:
            return {}
        patient, number = divmod(row, len(self.views))
        stored = self.cases.inputs["views"][self.cases.rows[patient], self.views[number]]
        image = torch.from_numpy(self.prepare(np.array(stored)))
        return {"image": image[None], "labels": self.labels[patient, number]}


def balanced(rows: ImageRows, batch_size: int, workers: int) -> DataLoader[Any]:
    """Return a training loader that draws images with and without a label equally often.

    For training only: on the validation part it would change the prevalence that is measured.
    """
    positive = rows.labels.flatten(0, 1).amax(dim=1).long()
    weights = 1.0 / positive.bincount(minlength=2).clamp_min(1)[positive]
    sampler = WeightedRandomSampler(weights.tolist(), num_samples=len(rows))
    whole = len(rows) > batch_size  # a last batch of one image has no spread to normalise by
    return DataLoader(rows, batch_size, sampler=sampler, num_workers=workers, drop_last=whole)


def in_order(rows: ImageRows, batch_size: int, workers: int) -> DataLoader[Any]:
    """Return a loader of every image once, in order."""
    return DataLoader(rows, batch_size, num_workers=workers)
