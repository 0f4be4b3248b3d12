"""Four networks: {is there an aneurysm, at which arteries} x {carotid, vertebral injections}.

Each learns from single images with the labels of the image's side; a patient's answer joins the
eight images. See README.md for the sources and for what was changed and why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import CombinedLoader
from timm.loss import AsymmetricLossMultiLabel
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it

from challenges.kium.columns import LOCATIONS
from harness.training import CaseDataset

from .images import Box, Image, clean, for_binary, for_locations
from .networks import MedNet, PosteriorNet, SwinNet
from .progress import Progress, mean_auroc
from .rows import ImageRows, balanced, in_order
from .territories import Injection, injections, restore

__all__ = ["Model", "decide"]

Batch = Mapping[str, Mapping[str, Tensor]]
FOLDER = Path(__file__).parent


class Model(pl.LightningModule):
    """Eight views in; the probability of an aneurysm, and decisions for 21 locations, out."""

    def __init__(
        self,
        *,
        binary_size: int = 724,
        location_size: int = 224,
        images: int = 32,
        binary_lr: float = 1e-4,
        location_lr: float = 1e-3,
        weight_decay: float = 1e-5,
        patience: int = 5,
        lr_patience: int = 2,
        binary_backbone: str = "resnet18",
        pcom: str = "posterior",
        aneurysm_threshold: float | None = None,
        location_percentile: float = 90.0,
        text_boxes: Sequence[Box] = (),
        pretrained_binary: str | None = None,
        pretrained_swin: str | None = None,
        pretrained_resnet: str | None = None,
    ) -> None:
        """Build the four networks.

        Args:
            binary_size: Side of the images of the aneurysm networks.
            location_size: Side of the images of the location networks; a multiple of 32.
            images: Images to a training batch, of each network.
            binary_lr: Learning rate of the aneurysm networks.
            location_lr: Learning rate of the location networks.
            weight_decay: Of AdamW.
            patience: Epochs without a better validation AUROC until a network stops.
            lr_patience: Epochs without one until its learning rate falls to a tenth.
            binary_backbone: Of the aneurysm networks, a name of timm (the team also tried
                densenet121 and vgg16).
            pcom: "posterior" (the team's choice) or "anterior".
            aneurysm_threshold: Probability above which locations are called at all; None: the
                median of the training patients' (the team's code had 0.65).
            location_percentile: Percentile of the training patients' scores above which a
                location is called.
            text_boxes: Where text may be burnt in: [top, left, bottom, right] as fractions.
            pretrained_binary: File in this folder with weights of `binary_backbone`, or None.
            pretrained_swin: File in this folder with those of swinv2_cr_tiny_ns_224, or None.
            pretrained_resnet: File in this folder with those of a 2D ResNet18, or None.
        """
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.injections = injections(pcom)
        self.networks = nn.ModuleDict(self.build_networks())
        self.asymmetric = AsymmetricLossMultiLabel(gamma_neg=4, gamma_pos=1, clip=0.05)
        self.progress = {name: Progress(patience) for name in self.networks}
        self.finished: set[str] = set()
        self.seen: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in self.networks}
        self.aneurysm_threshold: Tensor
        self.location_thresholds: Tensor
        self.register_buffer("aneurysm_threshold", torch.tensor(0.5))
        self.register_buffer("location_thresholds", torch.full((len(LOCATIONS),), 0.5))

    # ------------------------------------------------------------------------ what to override
    def build_networks(self) -> dict[str, nn.Module]:
        """Return the four networks, named <task>_<injection>, from images to logits."""
        binary, swin, resnet = (
            _file(self.hparams[f"pretrained_{name}"]) for name in ("binary", "swin", "resnet")
        )
        anterior, posterior = (len(injection.arteries) for injection in self.injections.values())
        return {
            "binary_anterior": MedNet(self.hparams["binary_backbone"], binary),
            "binary_posterior": MedNet(self.hparams["binary_backbone"], binary),
            "locations_anterior": SwinNet(anterior, self.hparams["location_size"], swin),
            "locations_posterior": PosteriorNet(posterior, resnet),
        }

    def prepare(self, view: Image, *, binary: bool) -> Image:
        """Turn a stored view into a network's image, uint8 (size, size)."""
        cleaned = clean(view, self.hparams["text_boxes"])
        if binary:
            return for_binary(cleaned, self.hparams["binary_size"])
        return for_locations(cleaned, self.hparams["location_size"])

    def loss(self, name: str, logits: Tensor, labels: Tensor) -> Tensor:
        """Return binary cross-entropy, or the asymmetric loss of the locations; both take logits."""
        if _is_binary(name):
            return F.binary_cross_entropy_with_logits(logits, labels)
        return self.asymmetric(logits, labels)

    def configure_optimizers(self) -> tuple[list[Any], list[Any]]:
        """Return one AdamW and one ReduceLROnPlateau for each network, in their order."""
        optimizers = [
            torch.optim.AdamW(
                network.parameters(),
                lr=self.hparams["binary_lr" if _is_binary(name) else "location_lr"],
                eps=1e-6,
                weight_decay=self.hparams["weight_decay"],
            )
            for name, network in self.networks.items()
        ]
        plateau = partial(
            torch.optim.lr_scheduler.ReduceLROnPlateau,
            mode="max",
            factor=0.1,
            patience=self.hparams["lr_patience"],
            min_lr=1e-8,
        )
        return optimizers, [plateau(optimizer) for optimizer in optimizers]

    # ------------------------------------------------------------------------ images and labels
    def train_loader(self, training: CaseDataset) -> CombinedLoader:
        """Return balanced batches of images for each network: {network: {"image", "labels"}}."""
        return CombinedLoader(
            {
                name: balanced(self.rows(name, training), self.hparams["images"], self.workers)
                for name in self.networks
            },
            "max_size",
        )

    def validation_loader(self, validation: CaseDataset) -> CombinedLoader:
        """Return every validation image once for each network: no sampler here."""
        return CombinedLoader(
            {
                name: in_order(self.rows(name, validation), self.hparams["images"], self.workers)
                for name in self.networks
            },
            "max_size",
        )

    @property
    def workers(self) -> int:
        """Processes that read, as `loader.workers` says."""
        data: Any = self.trainer.datamodule
        return data.loader["workers"]

    def rows(self, name: str, cases: CaseDataset) -> ImageRows:
        """Return the rows of one network; a binary label is "any location of this side"."""
        injection = self.injection(name)
        labels = injection.labels(torch.as_tensor(np.asarray(cases.truth["locations"])).float())
        if _is_binary(name):
            labels = labels.amax(dim=-1, keepdim=True)
        prepare = partial(self.prepare, binary=_is_binary(name))
        return ImageRows(cases, injection.views, labels, prepare, name=name, finished=self.finished)

    def injection(self, name: str) -> Injection:
        """Return the injection whose images a network reads."""
        return self.injections[name.partition("_")[2]]

    # ------------------------------------------------------------------------ training
    def training_step(self, batch: Batch, _: int) -> None:
        """Move each network that still trains by one batch of its own."""
        for (name, network), optimizer in zip(self.networks.items(), self.optimizers(), strict=True):
            if name in self.finished:
                continue
            rows = batch[name]
            loss = self.loss(name, network(_scaled(rows["image"])), rows["labels"])
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.log(f"loss_{name}", loss, on_epoch=True, on_step=False, batch_size=len(rows["image"]))

    def validation_step(self, batch: Batch, _: int) -> None:
        """Keep the probabilities and labels of every network that still trains."""
        for name, rows in batch.items():
            if name not in self.finished:
                probabilities = self.networks[name](_scaled(rows["image"])).sigmoid()
                self.seen[name].append((rows["labels"], probabilities))

    def on_validation_epoch_end(self) -> None:
        """Judge each network by the AUROC of its probabilities: best weights, learning rate, stop."""
        schedules = self.lr_schedulers()
        for (name, network), schedule in zip(self.networks.items(), schedules, strict=True):
            if name in self.finished:
                continue
            labels, probabilities = (torch.cat(part) for part in zip(*self.seen[name], strict=True))
            self.seen[name].clear()
            score = mean_auroc(labels, probabilities)
            if self.progress[name].update(score, network):
                self.finished.add(name)
            if not math.isnan(score):
                schedule.step(score)
                self.log(f"auroc_{name}", score)
        if len(self.finished) == len(self.networks):
            self.trainer.should_stop = True

    def on_fit_end(self) -> None:
        """Restore the best weights and take the thresholds from the training patients."""
        for name, network in self.networks.items():
            self.progress[name].restore(network)
        data: Any = self.trainer.datamodule
        training = self.training
        self.eval()
        with torch.no_grad():
            parts = [self.scores(batch["views"]) for batch in data.training_eval_dataloader()]
        self.train(training)
        self.calibrate(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def calibrate(self, aneurysm: Tensor, locations: Tensor) -> None:
        """Set the thresholds from training patients' scores, (n,) and (n, 21)."""
        constant: float | None = self.hparams["aneurysm_threshold"]
        median = aneurysm.quantile(0.5)
        self.aneurysm_threshold.copy_(median if constant is None else torch.tensor(constant))
        share: float = self.hparams["location_percentile"] / 100
        self.location_thresholds.copy_(locations.quantile(share, dim=0))

    # ------------------------------------------------------------------------ answers
    def scores(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability of an aneurysm (n,) and the scores of the locations (n, 21).

        Aneurysm: the larger of the mean over the four carotid and that over the four vertebral
        images. Locations: the maximum over the angles, in the columns of the image's side.
        """
        images = self._images(views)
        of = {name: self._of_images(name, images[_is_binary(name)]) for name in self.networks}
        means = [of[f"binary_{name}"].mean(dim=(1, 2)) for name in self.injections]
        parts = [(injection, of[f"locations_{name}"]) for name, injection in self.injections.items()]
        return torch.stack(means).amax(dim=0), restore(parts)

    def predict_step(self, batch: Mapping[str, Tensor], _: int = 0) -> dict[str, Tensor]:
        """Return the scores, and the locations of patients whose aneurysm is above its threshold."""
        aneurysm, scores = self.scores(batch["views"])
        locations = decide(aneurysm, scores, self.aneurysm_threshold, self.location_thresholds)
        return {"aneurysm": aneurysm, "locations": locations, "location_scores": scores}

    def _images(self, views: Tensor) -> dict[bool, Tensor]:
        """Return the images of both tasks: (n, 8, h, w) -> by `binary`, uint8 (n, 8, 1, size, size)."""
        stored = views.cpu().numpy()
        return {
            binary: torch.from_numpy(
                np.stack([[self.prepare(view, binary=binary) for view in case] for case in stored])
            )[:, :, None]
            for binary in (True, False)
        }

    def _of_images(self, name: str, images: Tensor) -> Tensor:
        """Return one network's probabilities of its four images, (n, 4, outputs)."""
        own = images[:, list(self.injection(name).views)].flatten(0, 1)
        logits = [self.networks[name](_scaled(part.to(self.device))) for part in self._parts(own)]
        return torch.cat(logits).float().sigmoid().unflatten(0, (len(images), -1))

    def _parts(self, images: Tensor) -> Iterator[Tensor]:
        """Divide images into as many at once as in training."""
        yield from images.split(self.hparams["images"])


def decide(aneurysm: Tensor, scores: Tensor, threshold: Tensor, thresholds: Tensor) -> Tensor:
    """Return the locations, (n, 21): above their thresholds, and only if the aneurysm is above its own."""
    return ((scores > thresholds) & (aneurysm > threshold)[:, None]).long()


def _is_binary(name: str) -> bool:
    return name.startswith("binary_")


def _scaled(images: Tensor) -> Tensor:
    """Bring uint8 to [-1, 1]: mean .5 and standard deviation .5 of what was 0 to 1."""
    return (images.float() / 255 - 0.5) / 0.5


def _file(name: str | None) -> Path | None:
    return None if name is None else FOLDER / name
