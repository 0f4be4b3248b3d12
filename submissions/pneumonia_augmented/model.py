"""Fourth step of the source's ladder: four augmentations at random of six."""

from __future__ import annotations

import albumentations as A  # noqa: N812  the field's name for it
from torch import nn

from challenges.pneumonia.augmentation import four_of_six
from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import densenet


class Model(SourceModel):
    """DenseNet-121, augmented."""

    def build_network(self) -> nn.Module:
        """Return DenseNet-121."""
        return densenet()

    def augmentation(self, side: int) -> A.Compose:
        """Return four at random of the source's six."""
        return four_of_six(side)
