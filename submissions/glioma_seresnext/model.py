"""The source's SE-ResNeXt50, in three dimensions."""

from __future__ import annotations

from torch import nn

from challenges.glioma.baseline import SourceModel
from challenges.glioma.networks import seresnext


class Model(SourceModel):
    """SE-ResNeXt50."""

    def build_network(self) -> nn.Module:
        """Return SE-ResNeXt50."""
        return seresnext(self.head.outputs)
