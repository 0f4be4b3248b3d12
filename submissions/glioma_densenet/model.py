"""The source's DenseNet-121, in three dimensions."""

from __future__ import annotations

from torch import nn

from challenges.glioma.baseline import SourceModel
from challenges.glioma.networks import densenet


class Model(SourceModel):
    """DenseNet-121."""

    SMALLEST = 32
    explained_layer = "network.class_layers.relu"

    def build_network(self) -> nn.Module:
        """Return DenseNet-121."""
        return densenet(self.head.outputs)
