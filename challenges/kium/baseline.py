"""The learned baseline, and the base class that entrants extend.

A reader with an atlas in mind: it looks for dark blobs in each of the eight views, weighs each by
where it lies, and adds up what the views say about each location. Override the hook that your
idea is about, and keep the rest:

    from challenges.kium.baseline import Model as Baseline

    class Model(Baseline):
        def build_network(self) -> nn.Module:
            return MyNetwork(views=8, locations=21)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it

from challenges.kium.data import LOCATIONS, VIEWS

__all__ = ["AtlasReader", "Model", "territory_of"]

Batch = Mapping[str, Tensor]

INJECTION = {
    "ICA": "I", "PCOM": "IV", "AntChor": "I", "ACA": "I", "ACOM": "I", "MCA": "I",
    "VA": "V", "PICA": "V", "SCA": "V", "BA": "V", "PCA": "V",
}  # fmt: skip
"""The injections that fill each territory: internal carotid, vertebral; PCOM joins the two."""
TERRITORIES = tuple(INJECTION)
WHERE = ("network.where", "network.rarity", "network.level", "network.mixture")
"""Parameters that say where an aneurysm lies and how often; the others, what it looks like."""


class Model(pl.LightningModule):
    """Eight views in, the probability of an aneurysm and of each of 21 locations out.

    A batch is {"views": uint8 (B, 8, size, size)}; in training also "aneurysm": (B,) and
    "locations": (B, 21), floating 0 or 1.
    """

    explained_layer = "network.features"
    """The layer whose activations explain an answer (`harness explain`), by view: (8 B, width, s, s)."""

    def __init__(
        self,
        *,
        image_size: int = 64,
        width: int = 16,
        lr: float = 0.005,
        weight_decay: float = 0.01,
        location_weight: float = 1.0,
    ) -> None:
        """Keep the hyperparameters: `self.hparams` holds them, those of a subclass included.

        Args:
            image_size: Side that the views are brought to, in pixels.
            width: Channels of the convolutions.
            lr: Peak learning rate.
            weight_decay: Of AdamW.
            location_weight: Weight of the location loss beside the aneurysm loss.
        """
        super().__init__()
        self.save_hyperparameters()
        self.thresholds: Tensor
        self.register_buffer("thresholds", torch.full((len(LOCATIONS),), 0.5))
        self.network = self.build_network()

    # ------------------------------------------------------------------------ what to override
    def build_network(self) -> nn.Module:
        """Return a network from prepared views to logits: "aneurysm" (B,), "locations" (B, 21)."""
        return AtlasReader(self.hparams["width"])

    def prepare(self, views: Tensor) -> Tensor:
        """Turn uint8 views into the network's input: (B, 8, size, size) -> (B, 8, 4, s, s).

        The channels are the darkness against the surroundings, and what stays dark of it when all
        that is thinner than 1/16, 1/13 and 1/11 of the view is rubbed out: arteries vanish, an
        aneurysm stays. Dividing by the view's own contrast takes the exposure out.
        """
        images = views.float()
        if images.shape[-1] != self.hparams["image_size"]:
            images = F.adaptive_avg_pool2d(images, self.hparams["image_size"])
        images = images / images.std((-2, -1), keepdim=True).clamp_min(1.0)
        around = F.interpolate(F.adaptive_avg_pool2d(images, 16), images.shape[-1:] * 2, mode="bilinear")
        channels, width = [around - images], 1
        for part in (16, 13, 11):
            wider = round(images.shape[-1] / part)
            channels.append(_rub_out(channels[-1], wider - width + 1))
            width = wider
        return torch.stack(channels, dim=2)

    def augment(self, inputs: Tensor) -> Tensor:
        """Vary the prepared views of a training batch: small shifts and contrast."""
        reach = inputs.shape[-1] // 32
        down, right = torch.randint(-reach, reach + 1, (2,)).tolist()
        contrast = torch.empty(len(inputs), len(VIEWS), 1, 1, 1, device=inputs.device)
        return inputs.roll((down, right), (-2, -1)) * contrast.uniform_(0.8, 1.25)

    def loss(self, logits: Batch, batch: Batch) -> Tensor:
        """Return binary cross-entropy: of the aneurysm, and summed over the locations."""
        cross_entropy = F.binary_cross_entropy_with_logits
        locations = cross_entropy(logits["locations"], batch["locations"], reduction="none")
        weight: float = self.hparams["location_weight"]
        aneurysm = cross_entropy(logits["aneurysm"], batch["aneurysm"])
        return aneurysm + weight * locations.sum(1).mean()

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of seven types
        """Return AdamW on one cycle; where to look is learned 20 times as fast as what."""
        rates = [self.hparams["lr"], 20 * self.hparams["lr"]]
        what = [p for name, p in self.named_parameters() if not name.startswith(WHERE)]
        where = [p for name, p in self.named_parameters() if name.startswith(WHERE)]
        optimizer = torch.optim.AdamW(
            [{"params": what}, {"params": where}], weight_decay=self.hparams["weight_decay"]
        )
        steps = max(10, int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, steps, pct_start=0.2)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def calibrate(self, scores: Batch, truth: Batch) -> None:
        """Set the thresholds of the locations from the scores of the training cases.

        Each location is called in as many training cases as have it.
        """
        ranked = scores["location_scores"].sort(dim=0, descending=True).values
        ranked = torch.cat([torch.ones_like(ranked[:1]), ranked, torch.zeros_like(ranked[:1])])
        last = truth["locations"].sum(0).long()[None]
        self.thresholds.copy_((ranked.gather(0, last) + ranked.gather(0, last + 1))[0] / 2)

    # ------------------------------------------------------------------------ what to keep
    def forward(self, views: Tensor) -> dict[str, Tensor]:
        """Return the logits of uint8 views."""
        logits: dict[str, Tensor] = self.network(self.prepare(views))
        return logits

    def explained_output(self, batch: Batch) -> Tensor:
        """Return the number that an explanation is of, (B,): the logit of the aneurysm."""
        logit: Tensor = self(batch["views"])["aneurysm"]
        return logit

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch."""
        logits = self.network(self.augment(self.prepare(batch["views"])))
        loss = self.loss(logits, batch)
        self.log("loss", loss, on_epoch=True, on_step=False, batch_size=len(batch["views"]))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log the loss on the inner validation part, where submission.yaml asks for one."""
        loss = self.loss(self(batch["views"]), batch)
        self.log("validation_loss", loss, batch_size=len(batch["views"]))

    def scores(self, views: Tensor) -> dict[str, Tensor]:
        """Return "aneurysm" (B,) and "location_scores" (B, 21), each from 0 to 1."""
        logits = self(views)
        return {
            "aneurysm": logits["aneurysm"].sigmoid(),
            "location_scores": logits["locations"].sigmoid(),
        }

    def predict_step(self, batch: Batch, _: int = 0) -> dict[str, Tensor]:
        """Return the scores, and the locations above their thresholds."""
        scores = self.scores(batch["views"])
        return {**scores, "locations": (scores["location_scores"] > self.thresholds).long()}

    def on_fit_end(self) -> None:
        """Calibrate on the training cases, in evaluation mode, where a data module offers them."""
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is None:
            return
        training = self.training
        self.eval()
        with torch.no_grad():
            parts = []
            for batch in data.training_eval_dataloader():
                truth = {name: batch[name].to(self.device) for name in ("aneurysm", "locations")}
                parts.append((self.scores(batch["views"].to(self.device)), truth))
            scores, truth = (
                {key: torch.cat([part[i][key] for part in parts]) for key in parts[0][i]} for i in (0, 1)
            )
            self.calibrate(scores, truth)
        self.train(training)


class AtlasReader(nn.Module):
    """Score blobs, weigh them by place, add the views up.

    Args:
        width: Channels of the convolutions.
        grid: Cells along each side of the atlas.
    """

    def __init__(self, width: int, grid: int = 16) -> None:
        """Start as a plain blob counter: the convolutions end in zeros, the atlas is even."""
        super().__init__()
        self.grid = grid
        self.features = nn.Sequential(
            nn.Conv2d(4, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.blend = nn.Conv2d(width, 1, 1)
        for parameter in self.blend.parameters():
            nn.init.zeros_(parameter)
        self.mixture = nn.Parameter(torch.tensor([0.0, 1.0, 1.0, 0.0]))
        self.level = nn.BatchNorm2d(1)
        nn.init.constant_(self.level.weight, 2.0)
        nn.init.constant_(self.level.bias, -2.0)
        rim = F.pad(torch.zeros(grid - 2, grid - 2), (1, 1, 1, 1), value=-5.0)
        self.where = nn.Parameter(rim.repeat(4, len(TERRITORIES), 1, 1))
        self.rarity = nn.Parameter(torch.full((len(TERRITORIES),), -3.0))
        self.seen: Tensor
        self.membership: Tensor
        self.register_buffer("seen", _seen())
        self.register_buffer("membership", _membership())

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the logits of prepared views, (B, 8, 4, s, s)."""
        blobs = _strongest(torch.einsum("bvchw,c->bvhw", inputs, self.mixture), self.grid)
        features = _strongest(self.features(inputs.flatten(0, 1)), self.grid)
        cells = self.level(blobs.flatten(0, 1)[:, None]) + self.blend(features)
        cells = _left_facing(cells.view_as(blobs))
        # A view can only add evidence: not to see an aneurysm in it says little.
        weights = self.where.flatten(-2).log_softmax(-1)
        evidence = torch.logsumexp(cells[:, :, :, None].flatten(-2) + weights, -1)
        evidence = F.softplus(evidence) * self.seen
        locations = torch.einsum("bskt,stl->bl", evidence, self.membership)
        locations = locations + self.rarity @ self.membership.amax(0)
        return {"aneurysm": torch.logsumexp(locations, 1), "locations": locations}


def _left_facing(views: Tensor) -> Tensor:
    """Divide by side and mirror the right frontal views: (B, 8, h, w) -> (B, 2, 4, h, w)."""
    left, right = views.chunk(2, dim=1)
    frontal = torch.tensor([view.endswith("A") for view in VIEWS[4:]], device=views.device)
    right = torch.where(frontal[:, None, None], right.flip(-1), right)
    return torch.stack([left, right], dim=1)


def territory_of(location: str) -> str:
    """Return "ICA" for "L_ICA" and "R_ICA"; the basilar artery has no side."""
    return location.rpartition("_")[2]


def _seen() -> Tensor:
    """Return which of one side's four views show each territory; (4, territories)."""
    return torch.tensor([[float(view[1] in INJECTION[name]) for name in TERRITORIES] for view in VIEWS[:4]])


def _membership() -> Tensor:
    """Return which side and territory make up each location; (2, territories, 21)."""
    member = torch.zeros(2, len(TERRITORIES), len(LOCATIONS))
    for column, location in enumerate(LOCATIONS):
        for side, letter in enumerate("LR"):
            if location[:2] == f"{letter}_" or "_" not in location:
                member[side, TERRITORIES.index(territory_of(location)), column] = 1.0
    return member


def _rub_out(images: Tensor, side: int) -> Tensor:
    """Return the minimum over a square about each pixel, one axis after the other; same shape."""
    padded = F.pad(images, ((side - 1) // 2, side // 2) * 2, mode="replicate")
    for axis in (-2, -1):
        length = images.shape[axis]
        padded = reduce(torch.minimum, (padded.narrow(axis, i, length) for i in range(side)))
    return padded


def _strongest(maps: Tensor, grid: int) -> Tensor:
    """Return the maximum of each of grid x grid cells."""
    side = maps.shape[-1]
    if side % grid:
        return F.adaptive_max_pool2d(maps, grid)
    return F.max_pool2d(maps, side // grid)
