"""The source's comparison of networks: ResNet."""

from __future__ import annotations

from torch import nn

from challenges.pneumonia.baseline import SourceModel
from challenges.pneumonia.networks import resnet


class Model(SourceModel):
    """ResNet with so many layers."""

    def __init__(
        self,
        *,
        depth: int = 50,
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
