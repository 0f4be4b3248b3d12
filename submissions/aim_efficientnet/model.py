"""Team AIM's entry to K-ium 2023: one EfficientNet for the aneurysm, one for each location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it
from torch.utils.data import DataLoader

from challenges.kium.baseline import Model as Baseline
from challenges.kium.columns import LOCATIONS, VIEWS
from harness.training import CaseDataset, batches

DROPOUT = {"b0": 0.2, "b1": 0.2, "b2": 0.3, "b3": 0.3, "b4": 0.4, "b5": 0.4, "b6": 0.5, "b7": 0.5}
"""Of each variant, before its last layer."""


class Model(Baseline):
    """22 networks in one training run; each answers one question, and none sees another's loss."""

    explained_layer = "network.networks.aneurysm.conv_head"

    def __init__(
        self,
        *,
        variant: str = "b0",
        image_size: int = 256,
        dropout: float | None = None,
        drop_connect: float = 0.2,
        lr: float = 1e-4,
        location_epochs: int = 7,
        last_rows: float = 0.3,
    ) -> None:
        """Build the networks.

        Args:
            variant: "b0" to "b7".
            image_size: Side that the views are brought to, in pixels.
            dropout: Before the last layer; None takes the variant's own.
            drop_connect: Probability that a residual branch is skipped, in the deepest block.
            lr: Learning rate of Adam.
            location_epochs: Epochs after which the location networks rest.
            last_rows: Share of the training rows, the last ones, that is watched and not learned.
        """
        if variant not in DROPOUT:
            raise ValueError(f"variant must be one of {', '.join(DROPOUT)}, but got {variant!r}.")
        super().__init__(image_size=image_size, lr=lr)
        self.automatic_optimization = False
        self.watched: CaseDataset | None = None

    def build_network(self) -> nn.Module:
        """Return the 22 networks."""
        variant = self.hparams["variant"]
        dropout = self.hparams["dropout"]
        return OneEach(
            f"efficientnet_{variant}",
            in_chans=len(VIEWS),
            num_classes=1,
            act_layer=nn.GELU,
            drop_rate=DROPOUT[variant] if dropout is None else dropout,
            drop_path_rate=self.hparams["drop_connect"],
        )

    def prepare(self, views: Tensor) -> Tensor:
        """Stack the views as channels from 0 to 1: uint8 (B, 8, size, size) -> (B, 8, s, s)."""
        images = views.float() / 255
        size = self.hparams["image_size"]
        if images.shape[-1] == size:
            return images
        return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)

    def explained_output(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the logit of the aneurysm network, (B,); the others are not asked."""
        logits: Tensor = self._networks["aneurysm"](self.prepare(batch["views"]))
        return logits[:, 0]

    def train_loader(self, training: CaseDataset) -> DataLoader[Any]:
        """Keep the last rows aside, unshuffled, as Keras' validation_split does."""
        learned = max(1, int(len(training) * (1 - self.hparams["last_rows"])))
        self.watched = training.subset(np.arange(learned, len(training)))
        return batches(training.subset(np.arange(learned)), self._batch_size(), shuffle=True)

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of seven types
        """Return Adam; a network without a gradient is left alone by it."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])

    def training_step(self, batch: Mapping[str, Tensor], _: int) -> None:  # type: ignore[override]
        """Learn one batch, network by network: 22 graphs at once would not fit a GPU."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        views = self.prepare(batch["views"])
        for name, network, truth in self._questions(batch):
            loss = F.binary_cross_entropy_with_logits(network(views)[:, 0], truth)
            self.manual_backward(loss)
            if name == "aneurysm":
                self.log("loss", loss, on_epoch=True, on_step=False, batch_size=len(views))
        optimizer.step()

    def on_train_epoch_end(self) -> None:
        """Log the accuracy of the aneurysm network on the rows it does not learn."""
        if not self.watched:
            return
        self.eval()
        hits = [self._hits(batch) for batch in batches(self.watched, self._batch_size())]
        self.train()
        self.log("watched_accuracy", torch.cat(hits).float().mean())

    def calibrate(self, scores: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> None:
        """Set each location's threshold to mean + standard deviation of its training scores."""
        found = scores["location_scores"]
        self.thresholds.copy_(found.mean(0) + found.std(0, correction=0))

    @property
    def _networks(self) -> nn.ModuleDict:
        return cast("OneEach", self.network).networks

    @torch.no_grad()
    def _hits(self, batch: Mapping[str, Tensor]) -> Tensor:
        views = self.prepare(batch["views"].to(self.device))
        logits: Tensor = self._networks["aneurysm"](views)[:, 0]
        return (logits > 0) == batch["aneurysm"].to(self.device).bool()

    def _questions(self, batch: Mapping[str, Tensor]) -> Iterator[tuple[str, nn.Module, Tensor]]:
        """Yield the networks that still learn, each with its truth (B,)."""
        networks = self._networks
        yield "aneurysm", networks["aneurysm"], batch["aneurysm"]
        if self.current_epoch < self.hparams["location_epochs"]:
            for column, name in enumerate(LOCATIONS):
                yield name, networks[name], batch["locations"][:, column]

    def _batch_size(self) -> int:
        size: int = self.trainer.datamodule.loader["batch_size"]  # type: ignore[attr-defined]
        return size


class OneEach(nn.Module):
    """A network of timm's for the aneurysm and one for each location, sharing nothing."""

    def __init__(self, architecture: str, **options: Any) -> None:  # noqa: ANN401  timm's own
        """Build 22 times `timm.create_model(architecture, **options)`, at random."""
        super().__init__()
        self.networks = nn.ModuleDict(
            {name: timm.create_model(architecture, **options) for name in ("aneurysm", *LOCATIONS)}
        )

    def forward(self, views: Tensor) -> dict[str, Tensor]:
        """Return the logits: "aneurysm" (B,), "locations" (B, 21)."""
        locations = [self.networks[name](views)[:, 0] for name in LOCATIONS]
        return {
            "aneurysm": self.networks["aneurysm"](views)[:, 0],
            "locations": torch.stack(locations, dim=1),
        }
