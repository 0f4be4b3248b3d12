"""The source's planned work: a transformer that draws the volume again, survival from its encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it

from challenges.glioma.baseline import Batch, SourceModel
from challenges.glioma.networks import PATCH, Autoencoder
from harness.errors import UserError


class Model(SourceModel):
    """A transformer with two answers: the outputs of its head, and its own input."""

    explained_layer = "network.encoding"

    def __init__(
        self,
        *,
        size: Sequence[int] = (64, 64, 48),
        width: int = 192,
        layers: int = 6,
        heads: int = 6,
        drawing: float = 1.0,
        loss: str = "prophazards",
        covariates: bool = False,
        batch: int = 64,
        lr: float = 1e-4,
        weight_decay: float = 1e-6,
        rho: float = 0.05,
        period: int = 10,
        noise: float = 0.3,
        pretrained: str | None = None,
    ) -> None:
        """Keep the hyperparameters.

        Args:
            size: Sides that volumes are brought to, in voxels, multiples of 16.
            width: Of the tokens.
            layers: Of the encoder.
            heads: Of the attention.
            drawing: Weight of the squared error of the volume drawn again, beside the survival loss.
            loss: This one and the following as SourceModel's; there are no crops.
            covariates: Likewise.
            batch: Likewise.
            lr: Likewise.
            weight_decay: Likewise.
            rho: Likewise.
            period: Likewise.
            noise: Likewise.
            pretrained: Likewise.

        Raises:
            UserError: for sides that are no multiples of 16.
        """
        if len(size) != 3 or any(side < PATCH or side % PATCH for side in size):
            raise UserError(
                f"The volume's three sides must be multiples of {PATCH}, but got model.size={list(size)}. "
                "Type for example model.size=[64,64,48]."
            )
        super().__init__(
            loss=loss,
            covariates=covariates,
            crop=None,
            batch=batch,
            lr=lr,
            weight_decay=weight_decay,
            rho=rho,
            period=period,
            noise=noise,
            pretrained=pretrained,
        )

    def build_network(self) -> nn.Module:
        """Return the autoencoder."""
        hparams = self.hparams
        return Autoencoder(
            self.head.outputs, hparams["size"], hparams["width"], hparams["layers"], hparams["heads"]
        )

    def sides(self, shape: Sequence[int]) -> list[int]:
        """Return the sides that the transformer's positions are made for."""
        return list(self.hparams["size"])

    def training_loss(self, batch: Batch) -> Tensor:
        """Return the survival loss + the weighted squared error of what is drawn."""
        inputs = self.prepare(batch["image"])
        outputs, drawn = cast(Autoencoder, self.network).both(inputs)
        survival = self.head.loss(self.with_covariates(outputs, batch), batch["time"], batch["event"])
        weight: float = self.hparams["drawing"]
        return survival + weight * F.mse_loss(drawn.float(), inputs)
