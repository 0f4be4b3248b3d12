"""Second step of the source's ladder: the base with the optimizer, its rate and its momentum searched for."""

from __future__ import annotations

from torch import nn

from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import resnet


class Model(SourceModel):
    """ResNet; the source's grid varies its depth too."""

    def __init__(
        self,
        *,
        depth: int = 152,
        side: int | None = None,
        optimizer: str = "adam",
        lr: float = 0.25 * 2**-9,
        momentum: float = 0.9,
        decay: bool = False,
        pretrained: str | None = None,
    ) -> None:
        """Keep the hyperparameters; `depth` is of the network, in layers, the others SourceModel's."""
        super().__init__(
            side=side, optimizer=optimizer, lr=lr, momentum=momentum, decay=decay, pretrained=pretrained
        )

    def build_network(self) -> nn.Module:
        """Return ResNet with `depth` layers."""
        return resnet(self.hparams["depth"])
