"""The source's comparison of networks: ResNet."""

from __future__ import annotations

from challenges.pneumonia.baseline import SourceResNet


class Model(SourceResNet):
    """ResNet with so many layers."""
