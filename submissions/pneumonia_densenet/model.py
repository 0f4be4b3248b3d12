"""Third step of the source's ladder: DenseNet-121 in the place of ResNet-152."""

from __future__ import annotations

from torch import nn

from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import densenet


class Model(SourceModel):
    """DenseNet-121."""

    def build_network(self) -> nn.Module:
        """Return DenseNet-121."""
        return densenet()
