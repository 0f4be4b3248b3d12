"""The source's networks, from a grey image (B, 1, side, side) to the logits of two classes (B, 2).

All are timm's with random weights. A film is grey, so that they have one input channel.
"""

from __future__ import annotations

from typing import Any

import timm
from torch import nn

from harness.errors import UserError

__all__ = ["DEPTHS", "densenet", "inception", "resnet", "vgg", "wide_densenet"]

CLASSES = 2
"""Normal, pneumonia."""
FEATURES = 1024
"""Of DenseNet-121."""
DEPTHS = (18, 34, 50, 101, 152, 200)
"""Of ResNet, in layers; the source compares 18, 50, 152 and 200."""


def densenet() -> nn.Module:
    """Return DenseNet-121; 6,949,634 weights."""
    return _network("densenet121")


def wide_densenet(width: int = 2048) -> nn.Module:
    """Return DenseNet-121 with a hidden layer between its 1,024 features and the classes.

    The source calls it densenet121_2048fclayer; 9,050,882 weights.
    """
    network = densenet()
    network.classifier = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, CLASSES))
    return network


def resnet(depth: int) -> nn.Module:
    """Return ResNet with so many layers.

    Raises:
        UserError: for a depth that has no name.
    """
    if depth not in DEPTHS:
        known = ", ".join(map(str, DEPTHS))
        raise UserError(f"No ResNet has {depth!r} layers. Known: {known}. Type for example model.depth=50.")
    return _network(f"resnet{depth}")


def vgg() -> nn.Module:
    """Return VGG16 with batch normalisation, without which 16 layers from random weights hardly start."""
    return _network("vgg16_bn")


def inception() -> nn.Module:
    """Return InceptionV3 without its auxiliary classifier; it needs images of 75 pixels or more."""
    return _network("inception_v3", aux_logits=False)


def _network(name: str, **options: Any) -> nn.Module:  # noqa: ANN401  timm's own
    network: nn.Module = timm.create_model(name, pretrained=False, in_chans=1, num_classes=CLASSES, **options)
    return network
