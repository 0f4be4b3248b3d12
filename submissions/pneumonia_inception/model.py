"""The source's comparison of networks: InceptionV3."""

from __future__ import annotations

from torch import nn

from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import inception


class Model(SourceModel):
    """InceptionV3."""

    SMALLEST = 75
    explained_layer = "network.Mixed_7c"

    def build_network(self) -> nn.Module:
        """Return InceptionV3."""
        return inception()
