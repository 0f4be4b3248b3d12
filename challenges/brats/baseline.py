"""The learned baseline, and the base class that entrants extend.

A 3D U-Net on random patches. Override the hook that your idea is about, and keep the rest:

    from challenges.brats.baseline import Model as Baseline

    class Model(Baseline):
        def build_network(self) -> nn.Module:
            return MyNetwork(modalities=4, regions=3)

Regions are in the order WT, TC, ET everywhere; monai's ConvertToMultiChannelBasedOnBratsClasses has TC first.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from monai.inferers.utils import sliding_window_inference
from monai.losses.dice import DiceLoss
from monai.networks.nets.unet import UNet
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it
from torch.utils.data import DataLoader

from challenges.brats.labels import ED, ET, NCR
from challenges.brats.patches import crop_shapes, patch_batches
from harness.training import CaseDataset, batches
from harness.weights import load_weights

__all__ = ["MODALITIES", "REGIONS", "Batch", "Model", "cases_of", "labels_of", "regions_of"]

Batch = Mapping[str, Tensor]
MODALITIES = 4
REGIONS = ("wt", "tc", "et")
WIDEST = 320
"""Channels of any level at most."""
AXES = (-3, -2, -1)


class Model(pl.LightningModule):
    """Four modalities in, a label map out.

    A training batch is what `patches.PatchDataset` gives; a batch to predict is the inputs of one case:
    {"image": int16 (1, 4, x, y, z), "mean" and "std": (1, 4), "start", "grid" and "spacing": (1, 3)}.
    """

    def __init__(
        self,
        *,
        patch: int = 128,
        batch: int = 2,
        per_case: int = 6,
        foreground: float = 0.67,
        width: int = 16,
        levels: int = 4,
        first_stride: int = 2,
        lr: float = 0.006,
        weight_decay: float = 0.01,
        warm_up: float = 0.2,
        overlap: float = 0.5,
        mirror: bool = False,
        smallest_et: int = 0,
        pretrained: str | None = None,
    ) -> None:
        """Keep the hyperparameters: `self.hparams` holds them, those of a subclass included.

        Args:
            patch: Side of the patches, mm, so voxels on BraTS's own grid: rounded down to what the network
                can halve, at least twice that, and less along an axis where all cases are smaller.
            batch: Patches a step.
            per_case: Patches of each case an epoch.
            foreground: Share of the patches centred on the tumour.
            width: Channels of the first level; each further one has twice as many, 320 at most.
            levels: Of the U-Net.
            first_stride: 1 or 2: whether its first level is at full or at half resolution.
            lr: Peak learning rate.
            weight_decay: Of AdamW.
            warm_up: Share of the steps until the peak.
            overlap: Of the sliding window's positions, as a share of the patch.
            mirror: Whether to predict the mean over the eight mirror images.
            smallest_et: Enhancing tumour of fewer voxels than this becomes necrotic core.
            pretrained: File of weights, relative to the submission's folder: .pth, .pt or .safetensors.

        Raises:
            UserError: for weights that do not fit.
        """
        super().__init__()
        self.save_hyperparameters()
        self.network = self.build_network()
        if pretrained is not None:
            load_weights(self.network, Path(inspect.getfile(type(self))).parent / pretrained)
        self.dice = DiceLoss(sigmoid=True, batch=True)

    # ------------------------------------------------------------------------ what to override
    def build_network(self) -> nn.Module:
        """Return a network from normalised patches (B, 4, x, y, z) to the regions' logits (B, 3, x, y, z)."""
        hparams = self.hparams
        channels = [min(hparams["width"] << level, WIDEST) for level in range(hparams["levels"])]
        strides = [hparams["first_stride"], *[2] * (len(channels) - 2)]
        features = hparams["width"] // 2
        unet = UNet(3, MODALITIES, features, channels, strides, num_res_units=2, norm="INSTANCE")
        # MONAI's last layer is normalised too: as logits, that would stretch a region that is not there.
        return nn.Sequential(unet, nn.Conv3d(features, len(REGIONS), 1))

    def multiple(self) -> int:
        """Return what the network's input must be a multiple of, in voxels, along each axis."""
        deeper: int = self.hparams["levels"] - 2
        return int(self.hparams["first_stride"]) << deeper

    def normalise(self, batch: Batch) -> Tensor:
        """Return the images in units of each modality's brain, float32; background stays 0."""
        mean, std = (batch[name].float()[..., None, None, None] for name in ("mean", "std"))
        # In place: three times as fast on a CPU, where every temporary of 32 MB is new memory.
        inputs = batch["image"].to(torch.float32, copy=True)
        return inputs.sub_(mean).mul_(1 / std.clamp_min(1e-3)).masked_fill_(batch["image"] == 0, 0.0)

    def augment(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Vary normalised patches (B, 4, x, y, z) and their labels (B, x, y, z) alike.

        Mirrored along each axis with a chance of a half; each modality's contrast to 10 % and level to
        a tenth of a standard deviation, within the brain.
        """
        pairs = [_mirrored(image, label) for image, label in zip(inputs, labels, strict=True)]
        inputs = torch.stack([image for image, _ in pairs])
        shape = (len(inputs), MODALITIES, 1, 1, 1)
        scale = torch.empty(shape, device=inputs.device).uniform_(0.9, 1.1)
        shift = torch.empty(shape, device=inputs.device).uniform_(-0.1, 0.1)
        varied = torch.where(inputs != 0, inputs * scale + shift, 0.0)
        return varied, torch.stack([label for _, label in pairs])

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return Dice loss + binary cross-entropy over the regions; logits (B, 3, ...), labels (B, ...)."""
        truth = regions_of(labels)
        dice: Tensor = self.dice(logits.float(), truth)
        return dice + F.binary_cross_entropy_with_logits(logits.float(), truth)

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of seven types
        """Return AdamW on one cycle; biases and slopes do not decay."""
        kernels = [p for p in self.parameters() if p.ndim > 1]
        others = [{"params": [p for p in self.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
        groups = [{"params": kernels, "weight_decay": self.hparams["weight_decay"]}, *others]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams["lr"])
        steps = max(10, int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["lr"], steps, pct_start=self.hparams["warm_up"]
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def probabilities(self, inputs: Tensor, window: Sequence[int]) -> Tensor:
        """Return the regions' probabilities in a whole normalised crop: (1, 4, x, y, z) to (3, x, y, z)."""
        flips = list(_subsets(AXES)) if self.hparams["mirror"] else [()]
        total = torch.zeros((), device=inputs.device)
        for axes in flips:
            total = total + self.slide(inputs.flip(axes), window).sigmoid().flip(axes)
        return total[0] / len(flips)

    def decide(self, probabilities: Tensor) -> Tensor:
        """Return the labels (x, y, z), uint8, of the regions' probabilities (3, x, y, z).

        A voxel is in a region above .5; few voxels of enhancing tumour, as `smallest_et` says, become core.
        """
        return labels_of(probabilities > 0.5, self.hparams["smallest_et"])

    def label_map(self, case: Batch) -> Tensor:
        """Return one case's labels on its whole grid, (X, Y, Z), uint8; `case` is a batch of one."""
        inputs = self.normalise(case)
        window = self.window(inputs.shape[2:], case["spacing"][0].tolist())
        labels = self.decide(self.probabilities(inputs, window))
        return self.restore(labels, case["start"][0], case["grid"][0])

    # ------------------------------------------------------------------------ what to keep
    @staticmethod
    def restore(crop: Tensor, start: Tensor, grid: Tensor) -> Tensor:
        """Paste a crop (x, y, z), whose first voxel is `start` (3,), into zeros of the shape `grid` (3,)."""
        whole = crop.new_zeros(grid.tolist())
        where = tuple(slice(a, a + n) for a, n in zip(start.tolist(), crop.shape, strict=True))
        whole[where] = crop
        return whole

    def window(self, shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
        """Return the patch, in voxels, for crops up to this shape with this spacing, mm."""
        step, patch = self.multiple(), self.hparams["patch"]
        sides = [round(patch / mm) // step * step for mm in spacing]
        return tuple(
            max(2 * step, min(side, -(-int(n) // step) * step)) for side, n in zip(sides, shape, strict=True)
        )

    def slide(self, inputs: Tensor, window: Sequence[int]) -> Tensor:
        """Return the logits of a whole crop, float32: windows that overlap, weighted by a Gaussian."""
        logits = sliding_window_inference(
            inputs,
            window,
            1,
            lambda patch: self(patch).float(),
            overlap=self.hparams["overlap"],
            mode="gaussian",
        )
        return torch.as_tensor(logits)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits of normalised patches."""
        logits: Tensor = self.network(inputs)
        return logits

    def train_loader(self, training: CaseDataset) -> DataLoader[Any]:
        """Return batches of random patches."""
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        spacing = np.median(training.inputs["spacing"][training.rows], axis=0)
        return patch_batches(
            training,
            self.window(np.max(crop_shapes(training), axis=0).tolist(), spacing.tolist()),
            foreground=self.hparams["foreground"],
            per_case=self.hparams["per_case"],
            batch=self.hparams["batch"],
            workers=data.loader["workers"],
        )

    def validation_loader(self, validation: CaseDataset) -> DataLoader[Any]:
        """Return whole cases, one by one."""
        return batches(validation, 1)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch of patches."""
        inputs, labels = self.augment(self.normalise(batch), batch["labels"])
        loss = self.loss(self(inputs), labels)
        self.log("loss", loss, on_epoch=True, on_step=False, batch_size=len(inputs))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Log the Dice of each region in the inner validation part, where submission.yaml asks for one."""
        predicted, truth = regions_of(self.label_map(batch)[None])[0], regions_of(batch["labels"])[0]
        both = (predicted * truth).sum(AXES)
        total = predicted.sum(AXES) + truth.sum(AXES)
        dice = torch.where(total > 0, 2 * both / total.clamp_min(1), 1.0)
        self.log_dict(
            {f"validation_dice_{name}": value for name, value in zip(REGIONS, dice, strict=True)},
            batch_size=1,
        )

    def predict_step(self, batch: Batch, _: int = 0) -> dict[str, Tensor]:
        """Return label maps on the whole grids of the cases, which must be equal within a batch."""
        return {"labels": torch.stack([self.label_map(case) for case in cases_of(batch)])}


def cases_of(batch: Batch) -> list[dict[str, Tensor]]:
    """Return batches of one case each."""
    return [{name: part[i : i + 1] for name, part in batch.items()} for i in range(len(batch["image"]))]


def regions_of(labels: Tensor) -> Tensor:
    """Return WT, TC, ET of label maps (B, ...), as float (B, 3, ...)."""
    return torch.stack([labels > 0, (labels == NCR) | (labels == ET), labels == ET], dim=1).float()


def labels_of(regions: Tensor, smallest_et: int = 0) -> Tensor:
    """Return the labels (...), uint8, of WT, TC, ET (3, ...), bool; an inner region overrules an outer one.

    Fewer than `smallest_et` voxels of ET become NCR.
    """
    labels = torch.zeros(regions.shape[1:], dtype=torch.uint8, device=regions.device)
    inner = NCR if int(regions[2].sum()) < smallest_et else ET
    for region, label in zip(regions, (ED, NCR, inner), strict=True):
        labels[region] = label
    return labels


def _mirrored(image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror both along the same random axes."""
    heads = (torch.rand(len(AXES)) < 0.5).tolist()
    axes = [axis for axis, head in zip(AXES, heads, strict=True) if head]
    return image.flip(axes), label.flip(axes)


def _subsets(axes: Sequence[int]) -> chain[tuple[int, ...]]:
    """Return all subsets, the empty one first."""
    return chain.from_iterable(combinations(axes, n) for n in range(len(axes) + 1))
