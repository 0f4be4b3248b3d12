"""SegResNet on the baseline's training."""

from __future__ import annotations

from monai.networks.nets.segresnet import SegResNet
from torch import nn

from challenges.brats.baseline import MODALITIES, REGIONS
from challenges.brats.baseline import Model as Baseline

DOWN, UP = (1, 2, 2, 4), (1, 1, 1)
"""Residual blocks of each level, on the way down and up."""


class Model(Baseline):
    """The winner of BraTS 2018 without its autoencoder branch."""

    def build_network(self) -> nn.Module:
        """Return SegResNet with `width` filters at its first level, dropout .2 after it."""
        return SegResNet(
            init_filters=self.hparams["width"],
            in_channels=MODALITIES,
            out_channels=len(REGIONS),
            dropout_prob=0.2,
            blocks_down=DOWN,
            blocks_up=UP,
        )

    def multiple(self) -> int:
        """Return 8: three levels halve the input."""
        return 8
