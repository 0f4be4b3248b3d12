"""The source's comparison of networks: VGG16."""

from __future__ import annotations

from torch import nn

from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import vgg


class Model(SourceModel):
    """VGG16."""

    def build_network(self) -> nn.Module:
        """Return VGG16."""
        return vgg()
