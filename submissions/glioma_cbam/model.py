"""The source's ResNet50-CBAM, in three dimensions."""

from __future__ import annotations

from torch import nn

from challenges.glioma.baseline import SourceModel
from challenges.glioma.networks import resnet_cbam


class Model(SourceModel):
    """ResNet50-CBAM."""

    def build_network(self) -> nn.Module:
        """Return ResNet50-CBAM."""
        return resnet_cbam(self.head.outputs)
