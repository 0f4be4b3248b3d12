"""The three networks, from grey images (n, 1, size, size) in [-1, 1] to logits.

None ends in a sigmoid: the losses take logits, and applying it twice was an easy mistake to make.
"""

from __future__ import annotations

from pathlib import Path

import timm
from torch import Tensor, nn

from harness.weights import load_weights

__all__ = ["MedNet", "PosteriorNet", "SwinNet"]

CLASSES = 1000
"""Outputs of the two backbones that keep their ImageNet classifier under a new head."""


class MedNet(nn.Module):
    """ResNet18 for one grey channel with a head 512-256-128-16-1: is there an aneurysm?"""

    def __init__(self, backbone: str = "resnet18", weights: Path | None = None) -> None:
        """Read the backbone's weights (timm's or torchvision's, 2D) if a file is given.

        Args:
            backbone: Of timm. The team also tried densenet121 and vgg16.
            weights: A local file.
        """
        super().__init__()
        self.backbone = timm.create_model(backbone, pretrained=False, in_chans=1, num_classes=0)
        if weights is not None:
            load_weights(self.backbone, weights)
        self.head = nn.Sequential(
            nn.Linear(self.backbone.head_hidden_size, 256),
            nn.Dropout(0.3),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (n, 1)."""
        return self.head(self.backbone(images))


class SwinNet(nn.Module):
    """SwinV2-CR tiny for one grey channel, with a linear layer on its 1000 outputs."""

    def __init__(self, arteries: int, size: int, weights: Path | None = None) -> None:
        """Read the weights of timm's swinv2_cr_tiny_ns_224 if a file is given."""
        super().__init__()
        self.backbone = timm.create_model(
            "swinv2_cr_tiny_ns_224", pretrained=False, in_chans=1, img_size=size, num_classes=CLASSES
        )
        if weights is not None:
            load_weights(self.backbone, weights)
        self.head = nn.Linear(CLASSES, arteries)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (n, arteries)."""
        return self.head(self.backbone(images))


class PosteriorNet(nn.Module):
    """A 1 x 1 convolution from grey to three channels, ResNet18, and a head 1000-100-10-arteries."""

    def __init__(self, arteries: int, weights: Path | None = None) -> None:
        """Read a ResNet18's weights if a file is given."""
        super().__init__()
        self.colour = nn.Conv2d(1, 3, kernel_size=1, bias=False)
        self.backbone = timm.create_model("resnet18", pretrained=False, num_classes=CLASSES)
        if weights is not None:
            load_weights(self.backbone, weights)
        self.head = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(CLASSES, 100),
            nn.ReLU(),
            nn.Linear(100, 10),
            nn.ReLU(),
            nn.Linear(10, arteries),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (n, arteries)."""
        return self.head(self.backbone(self.colour(images)))
