"""First step of the source's ladder: ResNet-152 with plain SGD."""

from __future__ import annotations

from torch import nn

from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import resnet


class Model(SourceModel):
    """ResNet-152."""

    explained_layer = "network.layer4"

    def build_network(self) -> nn.Module:
        """Return ResNet-152."""
        return resnet(152)
