"""Last step of the source's ladder: a fully connected layer of 2,048 before the classes."""

from __future__ import annotations

import albumentations as A  # noqa: N812  the field's name for it
from torch import nn

from challenges.pneumonia.augmentation import four_of_six
from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import wide_densenet


class Model(SourceModel):
    """DenseNet-121 with a wide head, augmented."""

    def build_network(self) -> nn.Module:
        """Return DenseNet-121 whose 1,024 features go through 2,048 units."""
        return wide_densenet(2048)

    def augmentation(self, side: int) -> A.Compose:
        """Return four at random of the source's six."""
        return four_of_six(side)
