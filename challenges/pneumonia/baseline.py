"""The learned baseline, and the base class that entrants extend.

DenseNet-121 on one grey film. Override the hook that your idea is about, and keep the rest:

    from challenges.pneumonia.baseline import Model as Baseline

    class Model(Baseline):
        def build_network(self) -> nn.Module:
            return MyNetwork(channels=1, classes=2)

`SourceModel` is the common ground of the source's ladder (submissions/pneumonia_*).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  the field's name for it
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it
from torch.utils.data import DataLoader

from challenges.pneumonia.augmentation import augmented_batches, exposures_and_poses, rotations
from challenges.pneumonia.networks import densenet, resnet
from harness.errors import UserError
from harness.training import CaseDataset
from harness.weights import load_weights

__all__ = ["OPTIMIZERS", "Model", "SourceModel", "SourceResNet"]

Batch = Mapping[str, Tensor]
OPTIMIZERS = ("sgd", "nag", "adam")
"""The source's; nag is SGD with Nesterov's momentum."""


class Model(pl.LightningModule):
    """A film in, the probability of pneumonia and a decision out.

    A batch is {"image": uint8 (B, 1, size, size)}; in training also "pneumonia": (B,), floating 0 or 1.

    The share of pneumonia differs between the development set (74 %) and the test set (62.5 %), and a
    clinic's is unknown. So the classes weigh the same in the loss, whatever their share: the probability
    is the one at even odds, and the decision is at .5. With an inner validation part (loader.validation=0.1)
    the decision is at the probability with the best balanced accuracy on those patients, fewer to learn from.
    """

    SMALLEST = 32
    """Side that the network needs: DenseNet-121 divides it by 32."""
    ENLARGED = 64
    """Smaller images are enlarged to this side, unless the entry names another."""
    explained_layer = "network.features"
    """The layer whose activations explain an answer (`harness explain`); another network has another."""

    def __init__(
        self,
        *,
        side: int | None = None,
        lr: float = 0.002,
        weight_decay: float = 0.05,
        warm_up: float = 0.3,
        label_smoothing: float = 0.0,
        mirror: bool = True,
        pretrained: str | None = None,
    ) -> None:
        """Keep the hyperparameters: `self.hparams` holds them, those of a subclass included.

        Args:
            side: Side that the images are brought to, in pixels; None: as stored, at least ENLARGED.
            lr: Peak learning rate.
            weight_decay: Of AdamW.
            warm_up: Share of the steps until the peak.
            label_smoothing: Of the cross-entropy.
            mirror: Whether to predict the mean over the film and its mirror image.
            pretrained: File of weights, relative to the submission's folder: .pth, .pt or .safetensors.

        Raises:
            UserError: for a side below SMALLEST, or weights that do not fit.
        """
        super().__init__()
        self.save_hyperparameters()
        if side is not None and side < self.SMALLEST:
            raise UserError(
                f"The network needs images of {self.SMALLEST} pixels or more, but got model.side={side}. "
                "Leave model.side out: smaller images are enlarged."
            )
        self.class_weights: Tensor
        self.threshold: Tensor
        self.register_buffer("class_weights", torch.ones(2))
        self.register_buffer("threshold", torch.tensor(0.5))
        self.watched: list[tuple[Tensor, Tensor]] = []
        self.network = self.build_network()
        if pretrained is not None:
            load_weights(self.network, Path(inspect.getfile(type(self))).parent / pretrained)
        self.network.to(memory_format=torch.channels_last)

    # ------------------------------------------------------------------------ what to override
    def build_network(self) -> nn.Module:
        """Return a network from prepared images (B, 1, side, side) to logits (B, 2)."""
        return densenet()

    def normalise(self, images: Tensor) -> Tensor:
        """Take brightness and contrast out, film by film; (B, 1, size, size), 0 to 255, to the same shape."""
        deviation, mean = torch.std_mean(images, (-2, -1), keepdim=True)
        return (images - mean) / deviation.clamp_min(1.0)

    def augmentation(self, side: int) -> A.Compose:
        """Return how training images of `side` pixels, uint8 (side, side), are varied."""
        return exposures_and_poses()

    def weigh(self, pneumonia: Tensor) -> Tensor:
        """Return the weights of the classes in the loss, (2,), from the training labels (n,)."""
        counts = torch.bincount(pneumonia.long(), minlength=2).clamp_min(1)
        return counts.sum() / (2.0 * counts)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return weighted cross-entropy; logits (B, 2)."""
        smoothing: float = self.hparams["label_smoothing"]
        truth = batch["pneumonia"].long()
        return F.cross_entropy(logits.float(), truth, self.class_weights, label_smoothing=smoothing)

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of seven types
        """Return AdamW on one cycle; biases and normalisations do not decay."""
        kernels = [p for p in self.parameters() if p.ndim > 1]
        others = [{"params": [p for p in self.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
        groups = [{"params": kernels, "weight_decay": self.hparams["weight_decay"]}, *others]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams["lr"])
        steps = max(10, int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["lr"], steps, pct_start=self.hparams["warm_up"]
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def calibrate(self, scores: Tensor, pneumonia: Tensor) -> None:
        """Set the threshold from the scores of the inner validation part; both (n,)."""
        self.threshold.copy_(best_threshold(scores, pneumonia))

    # ------------------------------------------------------------------------ what to keep
    def prepare(self, images: Tensor) -> Tensor:
        """Turn uint8 images into the network's input: (B, 1, size, size) -> (B, 1, side, side)."""
        inputs = self.normalise(images.float())
        side = self.hparams["side"] or max(inputs.shape[-1], self.SMALLEST, self.ENLARGED)
        if inputs.shape[-1] != side:
            inputs = F.interpolate(inputs, size=(side, side), mode="bilinear", antialias=True)
        return inputs.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of uint8 images, (B, 2)."""
        logits: Tensor = self.network(self.prepare(images))
        return logits

    def explained_output(self, batch: Batch) -> Tensor:
        """Return the number that an explanation is of, (B,): the log odds of pneumonia."""
        logits: Tensor = self(batch["image"])
        return logits[:, 1] - logits[:, 0]

    def train_loader(self, training: CaseDataset) -> DataLoader[Any]:
        """Return shuffled batches of varied images."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        side = next(iter(training.inputs.values())).shape[-1]
        transform = self.augmentation(side)
        return augmented_batches(training, transform, data.loader["batch_size"], data.loader["workers"])

    def on_fit_start(self) -> None:
        """Set the weights of the classes, where a data module offers the training labels."""
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is not None:
            labels = torch.as_tensor(data.training.truth["pneumonia"])
            self.class_weights.copy_(self.weigh(labels))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch."""
        loss = self.loss(self(batch["image"]), batch)
        self.log("loss", loss, on_epoch=True, on_step=False, batch_size=len(batch["image"]))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log the loss on the inner validation part, where submission.yaml asks for one."""
        logits = self(batch["image"])
        self.log("validation_loss", self.loss(logits, batch), batch_size=len(batch["image"]))
        self.watched.append((self.scores(batch["image"]), batch["pneumonia"]))

    def on_validation_epoch_end(self) -> None:
        """Calibrate on the inner validation part; the last epoch's stays."""
        scores, pneumonia = (torch.cat(part) for part in zip(*self.watched, strict=True))
        self.watched.clear()
        self.calibrate(scores, pneumonia)

    def scores(self, images: Tensor) -> Tensor:
        """Return the probability of pneumonia, (B,)."""
        logits = self(images).float()
        if self.hparams["mirror"]:
            logits = (logits + self(images.flip(-1)).float()) / 2
        probabilities: Tensor = logits.softmax(1)[:, 1]
        return probabilities

    def predict_step(self, batch: Batch, _: int = 0) -> dict[str, Tensor]:
        """Return the probability, and whether it reaches the threshold."""
        scores = self.scores(batch["image"])
        return {"pneumonia": scores, "decision": (scores >= self.threshold).long()}


class SourceModel(Model):
    """What the source says of all its networks, with plain choices where it is silent.

    Stated: random initialisation, one channel, rotation to 10 degrees. Silent on the rest; here pixels
    from 0 to 1, cross-entropy of two classes, a constant learning rate, no weight decay, the decision at .5.
    """

    def __init__(
        self,
        *,
        side: int | None = None,
        optimizer: str = "sgd",
        lr: float = 0.01,
        momentum: float = 0.0,
        decay: bool = False,
        pretrained: str | None = None,
    ) -> None:
        """Keep the hyperparameters.

        Args:
            side: As in the baseline.
            optimizer: "sgd", "nag" or "adam".
            lr: Learning rate.
            momentum: Of sgd and nag; Adam has its own.
            decay: Whether the rate falls to 0 along a cosine, which runs of a few epochs need.
            pretrained: As in the baseline.

        Raises:
            UserError: for another optimizer, or Nesterov's momentum of 0.
        """
        if optimizer not in OPTIMIZERS:
            raise UserError(
                f"No optimizer named {optimizer!r}. Known: {', '.join(OPTIMIZERS)}. "
                "Type for example model.optimizer=adam."
            )
        if optimizer == "nag" and momentum <= 0:
            raise UserError(
                f"Nesterov's method needs a momentum above 0, but got {momentum}. Type model.momentum=0.9."
            )
        super().__init__(side=side, lr=lr, mirror=False, pretrained=pretrained)

    def normalise(self, images: Tensor) -> Tensor:
        """Divide by 255."""
        return images / 255

    def augmentation(self, side: int) -> A.Compose:
        """Return a rotation to 10 degrees."""
        return rotations()

    def weigh(self, pneumonia: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones(2)

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of seven types
        """Return the optimizer by its name, at a constant rate or one that decays."""
        rate, momentum = self.hparams["lr"], self.hparams["momentum"]
        optimizer: torch.optim.Optimizer
        if self.hparams["optimizer"] == "adam":
            optimizer = torch.optim.Adam(self.parameters(), lr=rate)
        else:
            nesterov = self.hparams["optimizer"] == "nag"
            optimizer = torch.optim.SGD(self.parameters(), lr=rate, momentum=momentum, nesterov=nesterov)
        if not self.hparams["decay"]:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def calibrate(self, scores: Tensor, pneumonia: Tensor) -> None:
        """Keep the threshold at .5."""


class SourceResNet(SourceModel):
    """The source's ResNet, whose depth its grid varies."""

    explained_layer = "network.layer4"

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


def best_threshold(scores: Tensor, pneumonia: Tensor) -> Tensor:
    """Return the probability with the best balanced accuracy, scores at or above it called; both (n,).

    Among equally good ones the nearest to .5, which it is too where a class is absent.
    """
    truth = pneumonia.bool()
    levels = torch.cat([scores, torch.tensor([0.0, 1.0], device=scores.device)]).double().sort().values
    between = ((levels[1:] + levels[:-1]) / 2)[levels[1:] > levels[:-1]]
    candidates = torch.cat([between, torch.full_like(levels[:1], 0.5)])
    if truth.all() or not truth.any():
        return candidates[-1]
    called = scores.double() >= candidates[:, None]
    balanced = (called[:, truth].double().mean(1) + (~called)[:, ~truth].double().mean(1)) / 2
    best = candidates[balanced >= balanced.max() - 1e-9]
    return best[(best - 0.5).abs().argmin()]
