"""Second step of the source's ladder: the base with the optimizer, its rate and its momentum searched for."""

from __future__ import annotations

from challenges.pneumonia.baseline import SourceResNet


class Model(SourceResNet):
    """ResNet; the source's grid varies its depth too."""
