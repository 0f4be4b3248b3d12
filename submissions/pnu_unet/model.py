"""The BraTS report of Pusan National University, 2024: a U-Net on axial slices of 128 x 128."""

from __future__ import annotations

import math
from typing import Any

import torch
from monai.losses.dice import DiceCELoss
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it
from torch.utils.data import DataLoader

from challenges.brats.baseline import MODALITIES, Batch, cases_of
from challenges.brats.baseline import Model as Baseline
from harness.errors import UserError
from harness.training import CaseDataset, batches
from submissions.pnu_unet.network import LEVELS, UNet

CLASSES = 4
STEP = 2 ** (LEVELS - 1)
AT_ONCE = 16
"""Slices that are predicted together."""


class Model(Baseline):
    """Slices in, labels out by softmax over four classes; with `dimensions=3`, whole volumes."""

    def __init__(
        self,
        *,
        dimensions: int = 2,
        size: int = 128,
        slices: int = 100,
        filters: int = 32,
        dropout: float = 0.5,
        rotation: float = 90.0,
        zoom: float = 1.1,
        lr: float = 1e-3,
        pretrained: str | None = None,
    ) -> None:
        """Keep the hyperparameters.

        Args:
            dimensions: 2, or 3 for the network that the report's title names.
            size: Side that slices, or volumes, are resized to.
            slices: Of each case in a step, at random among those that show the brain.
            filters: Of the first level.
            dropout: At the bottom of the network.
            rotation: Largest of training images, in degrees; the smallest is 0.
            zoom: Largest of training images; the smallest is 1.
            lr: Learning rate of Adam.
            pretrained: As in the baseline.

        Raises:
            UserError: for other dimensions, or a size that cannot be halved four times.
        """
        if dimensions not in (2, 3):
            raise UserError(f"The network has 2 or 3 dimensions, but got model.dimensions={dimensions}.")
        if size < 2 * STEP or size % STEP:
            raise UserError(
                f"The size must be a multiple of {STEP}, {2 * STEP} or more, but got model.size={size}. "
                "Type for example model.size=128."
            )
        super().__init__(patch=size, lr=lr, pretrained=pretrained)
        self.cost = DiceCELoss(to_onehot_y=True, softmax=True, batch=True)

    def build_network(self) -> nn.Module:
        """Return the U-Net: (B, 4, ...) to logits (B, 4, ...)."""
        hparams = self.hparams
        return UNet(hparams["dimensions"], MODALITIES, CLASSES, hparams["filters"], hparams["dropout"])

    def configure_optimizers(self) -> Any:  # noqa: ANN401  Lightning's own union of seven types
        """Return Adam as Keras has it."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], eps=1e-7)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return Dice loss + categorical cross-entropy, 1:1, over four classes."""
        cost: Tensor = self.cost(logits.float(), labels[:, None])
        return cost

    def augment(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Rotate each image in the axial plane and magnify it; what comes in from outside is background."""
        n, dimensions = len(inputs), self.hparams["dimensions"]
        angle = torch.rand(n, device=inputs.device) * math.radians(self.hparams["rotation"])
        scale = 1 + torch.rand(n, device=inputs.device) * (self.hparams["zoom"] - 1)
        matrix = torch.zeros(n, dimensions, dimensions + 1, device=inputs.device)
        # The grid has the last axis first: x and y are its last two coordinates in 3D, its only ones in 2D.
        x, y = dimensions - 1, dimensions - 2
        matrix[:, x, x] = matrix[:, y, y] = angle.cos() / scale
        matrix[:, x, y], matrix[:, y, x] = angle.sin() / scale, -angle.sin() / scale
        matrix[:, range(dimensions - 2), range(dimensions - 2)] = (1 / scale)[:, None]
        grid = F.affine_grid(matrix, list(inputs.shape), align_corners=False)
        images = F.grid_sample(inputs, grid, mode="bilinear", align_corners=False)
        moved = F.grid_sample(labels[:, None].float(), grid, mode="nearest", align_corners=False)
        return images, moved[:, 0].to(labels.dtype)

    # ---------------------------------------------------------------------------- cases to images
    def images_of(self, case: Batch, depths: Tensor) -> Tensor:
        """Return these axial slices of the crop at the network's size: (n, 4, size, size).

        In 3D, the whole case: (1, 4, size, size, size). Each slice of each modality is divided by its own
        maximum.
        """
        crop = case["image"][0].float()
        crop = crop / crop.amax((1, 2), keepdim=True).clamp_min(1.0)
        margins = self._margins(case)
        if self.hparams["dimensions"] == 3:
            return self._resized(F.pad(crop, margins)[None], "trilinear")
        return self._resized(F.pad(crop[..., depths].movedim(-1, 0), margins[2:]), "bilinear")

    def targets_of(self, case: Batch, depths: Tensor) -> Tensor:
        """Return the labels of the same slices, (n, size, size), or in 3D of the case; nearest neighbour."""
        labels = case["labels"][0]
        if self.hparams["dimensions"] == 3:
            return self._resized(labels[None, None], "nearest-exact")[:, 0]
        rows = labels[..., depths + int(case["start"][0, 2])].movedim(-1, 0)
        return self._resized(rows[:, None], "nearest-exact")[:, 0]

    def _margins(self, case: Batch) -> list[int]:
        """Return the voxels about the crop: last axis first, before and after, as F.pad wants them."""
        shape = case["image"].shape[-3:]
        ends = zip(case["start"][0].tolist(), case["grid"][0].tolist(), shape, strict=True)
        pairs = [(first, whole - first - n) for first, whole, n in ends]
        return [voxels for pair in reversed(pairs) for voxels in pair]

    def _resized(self, images: Tensor, mode: str) -> Tensor:
        sizes = [self.hparams["size"]] * (images.ndim - 2)
        return F.interpolate(images, size=sizes, mode=mode)

    # ----------------------------------------------------------------------------------- the loop
    def train_loader(self, training: CaseDataset) -> DataLoader[Any]:
        """Return whole cases in random order."""
        loader: Any = self.trainer.datamodule.loader  # type: ignore[attr-defined]
        return batches(training, loader["batch_size"], shuffle=True, workers=loader["workers"])

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of random slices of each case of the batch."""
        parts = []
        for case in cases_of(batch):
            depth = case["image"].shape[-1]
            depths = torch.randperm(depth, device=self.device)[: self.hparams["slices"]]
            parts.append((self.images_of(case, depths), self.targets_of(case, depths)))
        images, targets = (torch.cat(part) for part in zip(*parts, strict=True))
        inputs, labels = self.augment(images, targets)
        loss = self.loss(self(inputs), labels)
        self.log("loss", loss, on_epoch=True, on_step=False, batch_size=len(parts))
        return loss

    def label_map(self, case: Batch) -> Tensor:
        """Return one case's labels on its whole grid, each voxel's from the nearest pixel predicted."""
        grid = [int(n) for n in case["grid"][0]]
        depths = torch.arange(case["image"].shape[-1], device=self.device)
        if self.hparams["dimensions"] == 3:
            return restored(self(self.images_of(case, depths)), grid)[0]
        rows = [restored(self(self.images_of(case, part)), grid[:2]) for part in torch.split(depths, AT_ONCE)]
        labels = torch.cat(rows).movedim(0, -1)
        return self.restore(
            labels, case["start"][0] * torch.tensor([0, 0, 1]).to(self.device), case["grid"][0]
        )


def restored(logits: Tensor, grid: list[int]) -> Tensor:
    """Return the likeliest class, (B, 4, ...) to (B, *grid), uint8, by nearest neighbour."""
    labels = logits.argmax(1, keepdim=True).to(torch.uint8)
    return F.interpolate(labels, size=grid, mode="nearest-exact")[:, 0]
