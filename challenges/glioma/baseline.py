"""The learned baseline, and the base class that entrants extend.

A small 3D network on four sequences that measures tissues. Override the hook that your idea is about, and
keep the rest:

    from challenges.glioma.baseline import Model as Baseline

    class Model(Baseline):
        def build_network(self) -> nn.Module:
            return MyNetwork(sequences=4, outputs=self.head.outputs)

`SourceModel` is the common ground of the source's networks (submissions/glioma_*).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from timm.optim.adamp import AdamP
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it
from torch.utils.data import DataLoader

from challenges.glioma.augmentation import UNIT, cropped_batches, mirrored, noisy
from challenges.glioma.columns import TIMES
from challenges.glioma.heads import head_of
from challenges.glioma.losses import cox_coefficients
from challenges.glioma.networks import TissueShares
from challenges.glioma.optimizers import SAM
from harness.training import CaseDataset, ContractError
from harness.weights import load_weights

__all__ = ["Batch", "Model", "SourceModel"]

Batch = Mapping[str, Tensor]
RIDGE = 0.01
"""Of the covariates' coefficients, which Cox's model of them alone starts."""


class Model(pl.LightningModule):
    """Volumes in, and covariates if asked for; a risk and a survival curve out.

    A batch is {"image": int16 (B, 4, x, y, z), in 1/256 of the brain's standard deviation, background 0,
    "covariates": float32 (B, C), NaN where unknown}; in training also "time", days, and "event", (B,).

    With an inner validation part (loader.validation=0.1) the weights of the epoch with the lowest loss on
    those patients are kept, fewer patients to learn from.
    """

    SMALLEST = 8
    """Smaller sides of a volume are enlarged to this many voxels."""
    explained_layer = "network.tissues"
    """The layer whose activations explain an answer (`harness explain`); another network has another."""

    def __init__(
        self,
        *,
        loss: str = "cox",
        covariates: bool = False,
        width: int = 8,
        tissues: int = 6,
        crop: int | None = None,
        batch: int = 32,
        lr: float = 0.01,
        weight_decay: float = 0.01,
        warm_up: float = 0.2,
        pretrained: str | None = None,
    ) -> None:
        """Keep the hyperparameters: `self.hparams` holds them, those of a subclass included.

        Args:
            loss: "cox", "discrete" or "prophazards"; see challenges/glioma/heads.py.
            covariates: Whether the covariates, as Cox's model weighs them, add to the network's output.
            width: Channels of the network's convolution.
            tissues: How many kinds of tissue it tells apart.
            crop: Side of the random crops to train on, in voxels; None: whole volumes.
            batch: Patients a step; Cox's loss compares patients within it.
            lr: Peak learning rate.
            weight_decay: Of AdamW.
            warm_up: Share of the steps until the peak.
            pretrained: File of weights, relative to the submission's folder: .pth, .pt or .safetensors.

        Raises:
            UserError: for a loss without a name, or weights that do not fit.
        """
        super().__init__()
        self.save_hyperparameters()
        self.head = head_of(self.hparams["loss"], TIMES)
        self.clinical: nn.Linear | None = None
        self.watched: list[tuple[Tensor, Tensor, Tensor]] = []
        self.best: tuple[float, dict[str, Tensor]] = (math.inf, {})
        self.network = self.build_network()
        if pretrained is not None:
            load_weights(self.network, Path(inspect.getfile(type(self))).parent / pretrained)

    # ------------------------------------------------------------------------ what to override
    def build_network(self) -> nn.Module:
        """Return a network from prepared volumes (B, 4, x, y, z) to (B, self.head.outputs)."""
        return TissueShares(self.head.outputs, self.hparams["width"], self.hparams["tissues"])

    def sides(self, shape: Sequence[int]) -> list[int]:
        """Return the sides that volumes with these sides are brought to before the network sees them."""
        return [max(side, self.SMALLEST) for side in shape]

    def augment(self, images: Tensor) -> Tensor:
        """Vary the images of a training batch, (B, 4, x, y, z), in the stored unit."""
        return mirrored(images)

    def training_loss(self, batch: Batch) -> Tensor:
        """Return the loss of a training batch, ()."""
        return self.head.loss(self(batch), batch["time"], batch["event"])

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

    # ------------------------------------------------------------------------ what to keep
    def prepare(self, images: Tensor) -> Tensor:
        """Turn stored images into the network's input: standard deviations, at the network's sides."""
        inputs = images.float() / UNIT
        sides = self.sides(inputs.shape[2:])
        if list(inputs.shape[2:]) == sides:
            return inputs
        return F.interpolate(inputs, size=sides, mode="trilinear")

    def with_covariates(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Add what the covariates say, the same to each of a patient's outputs (B, outputs)."""
        if self.clinical is None:
            return outputs
        known = (batch["covariates"] - self.middle) / self.spread
        added: Tensor = self.clinical(known.nan_to_num(0.0))
        return outputs + added

    def forward(self, batch: Batch) -> Tensor:
        """Return the outputs of a batch, (B, outputs)."""
        return self.with_covariates(self.network(self.prepare(batch["image"])), batch)

    def explained_output(self, batch: Batch) -> Tensor:
        """Return the number that an explanation is of, (B,): the risk."""
        return self.head.risk(self(batch))

    def setup(self, stage: str) -> None:
        """Look at the training cases before the fit: their times, and their covariates if these are used."""
        training = self._training()
        if stage != "fit" or training is None:
            return
        if "image" not in training.inputs:
            raise ContractError(
                f"{type(self).__module__} reads images, but the data set has none, only "
                f"{', '.join(training.inputs) or 'nothing'}: name data with volumes, or an entry for tables."
            )
        time, event = (torch.from_numpy(np.asarray(training.truth[name])) for name in ("time", "event"))
        self.head.begin(time.float(), event)
        if self.hparams["covariates"]:
            self._begin_covariates(training, time, event)

    def _training(self) -> Any:  # noqa: ANN401  None where no data module of the harness is there
        return getattr(getattr(self.trainer, "datamodule", None), "training", None)

    def _begin_covariates(self, training: CaseDataset, time: Tensor, event: Tensor) -> None:
        """Standardise the covariates, unknown ones to the mean, and start from Cox's model of them."""
        if "covariates" not in training.inputs or not training.inputs["covariates"].shape[1]:
            raise ContractError("model.covariates=true, but the data set has no covariates: leave it out.")
        values = torch.from_numpy(np.asarray(training.inputs["covariates"])[training.rows])
        self.middle: Tensor
        self.spread: Tensor
        middle = values.nanmean(0).nan_to_num(0.0)
        spread = (values - middle).square().nanmean(0).sqrt().nan_to_num(0.0)
        self.register_buffer("middle", middle)
        self.register_buffer("spread", torch.where(spread > 0, spread, 1.0))
        known = ((values - self.middle) / self.spread).nan_to_num(0.0)
        self.clinical = nn.Linear(known.shape[1], 1, bias=False)
        with torch.no_grad():
            self.clinical.weight.copy_(cox_coefficients(known, time, event, RIDGE)[None])

    def train_loader(self, training: CaseDataset) -> DataLoader[Any]:
        """Return batches of random crops, or of whole volumes."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        hparams = self.hparams
        return cropped_batches(training, hparams["crop"], hparams["batch"], data.loader["workers"])

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ANN401  Lightning's
        """Vary a training batch once, however often the optimizer asks for its loss."""
        if self.trainer.training:
            return {**batch, "image": self.augment(batch["image"])}
        return batch

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch."""
        loss = self.training_loss(batch)
        self.log("loss", loss, on_epoch=True, on_step=False, batch_size=len(batch["time"]))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Keep the outputs of the inner validation part, where submission.yaml asks for one."""
        self.watched.append((self(batch), batch["time"], batch["event"]))

    def on_validation_epoch_end(self) -> None:
        """Log the loss of the part as a whole, and keep the weights of the best epoch."""
        loss = self.head.loss(*(torch.cat(part) for part in zip(*self.watched, strict=True)))
        self.watched.clear()
        self.log("validation_loss", loss)
        if float(loss) < self.best[0]:
            state = {name: value.detach().cpu().clone() for name, value in self.state_dict().items()}
            self.best = (float(loss), state)

    def on_fit_end(self) -> None:
        """Go back to the best epoch; show the head all training cases, in evaluation mode."""
        if self.best[1]:
            self.load_state_dict(self.best[1])
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is None:
            return
        training = self.training
        self.eval()
        parts = []
        with torch.no_grad():
            for batch in data.training_eval_dataloader():
                here = {name: value.to(self.device) for name, value in batch.items()}
                parts.append((self(here), here["time"], here["event"]))
            self.head.finish(*(torch.cat(part) for part in zip(*parts, strict=True)))
        self.train(training)

    def predict_step(self, batch: Batch, _: int = 0) -> dict[str, Tensor]:
        """Return the risk, and the chance to be alive at each of TIMES."""
        outputs = self(batch)
        return {"risk": self.head.risk(outputs), "survival": self.head.survival(outputs)}


class SourceModel(Model):
    """What the source's code does with each of its networks, but for what its cards name.

    Its head (`losses.prophazards_parts`), AdamP inside SAM, a cosine of ten epochs that goes up and down
    again, crops of 64 voxels, noise in 30 % of them; no mirroring.
    """

    SMALLEST = 16
    explained_layer = "network.layer4"

    def __init__(
        self,
        *,
        loss: str = "prophazards",
        covariates: bool = False,
        crop: int | None = 64,
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
            loss: As in the baseline.
            covariates: As in the baseline.
            crop: As in the baseline.
            batch: As in the baseline.
            lr: Learning rate at the top of the cosine, 1e-6 at its bottom.
            weight_decay: Of AdamP.
            rho: Of SAM; 0 leaves AdamP alone, at half the cost.
            period: Epochs from the top of the cosine to its bottom.
            noise: Share of the training volumes with noise.
            pretrained: As in the baseline.
        """
        super().__init__(
            loss=loss, covariates=covariates, crop=crop, batch=batch, lr=lr, pretrained=pretrained
        )

    def augment(self, images: Tensor) -> Tensor:
        """Add noise."""
        return noisy(images, self.hparams["noise"])

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of seven types
        """Return AdamP inside SAM on a cosine."""
        hparams = self.hparams
        rate, decay = hparams["lr"], hparams["weight_decay"]
        optimizer = AdamP(self.parameters(), lr=rate, weight_decay=decay)  # type: ignore[no-untyped-call]
        outer = SAM(optimizer, hparams["rho"]) if hparams["rho"] > 0 else optimizer
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(outer, hparams["period"], eta_min=1e-6)
        return [outer], [schedule]
