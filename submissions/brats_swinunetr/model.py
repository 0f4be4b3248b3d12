"""SwinUNETR on the baseline's training."""

from __future__ import annotations

from monai.networks.nets.swin_unetr import SwinUNETR
from torch import nn

from challenges.brats.baseline import MODALITIES, REGIONS
from challenges.brats.baseline import Model as Baseline


class Model(Baseline):
    """A U-Net whose encoder is a transformer with shifted windows."""

    def build_network(self) -> nn.Module:
        """Return SwinUNETR with `width` features; activations are computed again in the backward pass."""
        return SwinUNETR(
            in_channels=MODALITIES,
            out_channels=len(REGIONS),
            feature_size=self.hparams["width"],
            use_checkpoint=True,
        )

    def multiple(self) -> int:
        """Return 32: five levels halve the input."""
        return 32
