"""The source's U-Net, in two dimensions or three."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

LEVELS = 5
"""Four poolings: with 32 filters, 512 at the bottom."""


class UNet(nn.Module):
    """Two 3x3 convolutions + ReLU a level, max-pooling by 2, up-sampling + convolution, skip connections.

    Args:
        dimensions: 2 or 3.
        channels: Of the input.
        classes: Of the logits.
        filters: Of the first level; each further one has twice as many.
        dropout: At the bottom.
    """

    def __init__(self, dimensions: int, channels: int, classes: int, filters: int, dropout: float) -> None:
        """Start as Keras' he_normal does."""
        super().__init__()
        convolution: type[nn.Conv2d | nn.Conv3d] = nn.Conv2d if dimensions == 2 else nn.Conv3d
        widths = [filters << level for level in range(LEVELS)]
        steps = list(pairwise(widths))

        def block(given: int, made: int, times: int) -> nn.Sequential:
            sizes = [given, *[made] * times]
            layers = [(convolution(a, b, 3, padding=1), nn.ReLU(inplace=True)) for a, b in pairwise(sizes)]
            return nn.Sequential(*(layer for pair in layers for layer in pair))

        self.down = nn.ModuleList(block(a, b, 2) for a, b in [(channels, filters), *steps])
        self.pool = nn.MaxPool2d(2) if dimensions == 2 else nn.MaxPool3d(2)
        self.dropout = nn.Dropout(dropout)
        self.enlarge = nn.Upsample(scale_factor=2)
        self.up = nn.ModuleList(block(b, a, 1) for a, b in reversed(steps))
        self.join = nn.ModuleList(block(2 * a, a, 2) for a, _ in reversed(steps))
        self.head = convolution(filters, classes, 1)
        for module in self.modules():
            if isinstance(module, convolution) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits (B, classes, ...); each side of the input is a multiple of 16."""
        skips = [self.down[0](inputs)]
        for level in self.down[1:]:
            skips.append(level(self.pool(skips[-1])))
        features = self.dropout(skips.pop())
        for up, join in zip(self.up, self.join, strict=True):
            features = join(torch.cat([skips.pop(), up(self.enlarge(features))], dim=1))
        logits: Tensor = self.head(features)
        return logits
