"""The convolutional block attention module in three dimensions, and ResNet's bottleneck with it.

Source: Woo et al., CBAM, ECCV 2018; Hara et al. for the residual network in 3D.
"""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.nets.resnet import ResNetBottleneck
from torch import Tensor, nn

__all__ = ["CBAM", "CBAMBottleneck", "ChannelAttention", "SpatialAttention"]

REDUCTION = 16
SIDE = 7


class ChannelAttention(nn.Module):
    """sigmoid(W1 relu(W0 mean) + W1 relu(W0 max)) times the features, one perceptron for both."""

    def __init__(self, channels: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.perceptron = nn.Sequential(
            nn.Conv3d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv3d(hidden, channels, 1, bias=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the features (B, C, x, y, z), weighed channel by channel."""
        space = (2, 3, 4)
        weights: Tensor = self.perceptron(features.mean(space, keepdim=True))
        weights = weights + self.perceptron(features.amax(space, keepdim=True))
        return features * weights.sigmoid()


class SpatialAttention(nn.Module):
    """sigmoid(a convolution of 7 x 7 x 7 over the channels' mean and maximum) times the features."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(2, 1, side, padding=side // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features (B, C, x, y, z), weighed voxel by voxel."""
        both = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        weights: Tensor = self.convolution(both)
        return features * weights.sigmoid()


class CBAM(nn.Sequential):
    """Channels first, then voxels."""

    def __init__(self, channels: int) -> None:
        super().__init__(ChannelAttention(channels), SpatialAttention())


class CBAMBottleneck(ResNetBottleneck):
    """ResNet's bottleneck with attention after its last normalisation, before the sum."""

    def __init__(self, in_planes: int, planes: int, **options: Any) -> None:  # noqa: ANN401  monai's own
        super().__init__(in_planes, planes, **options)
        self.attention = CBAM(planes * self.expansion)

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's output."""
        found = self.act(self.bn1(self.conv1(features)))
        found = self.act(self.bn2(self.conv2(found)))
        found = self.attention(self.bn3(self.conv3(found)))
        skipped = features if self.downsample is None else self.downsample(features)
        result: Tensor = self.act(found + skipped)
        return result
