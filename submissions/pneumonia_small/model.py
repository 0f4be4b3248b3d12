"""A small network on small films."""

from __future__ import annotations

from torch import nn

from challenges.pneumonia.baseline import Model as Baseline


class Model(Baseline):
    """Four convolutions in the place of DenseNet-121."""

    SMALLEST = ENLARGED = 28
    explained_layer = "network.5"  # the last convolution's

    def __init__(
        self,
        *,
        width: int = 24,
        dropout: float = 0.1,
        side: int | None = 28,
        lr: float = 0.01,
        weight_decay: float = 0.02,
        warm_up: float = 0.3,
        label_smoothing: float = 0.0,
        mirror: bool = True,
    ) -> None:
        """Keep the hyperparameters: `width` channels of the first convolution, which double twice.

        `dropout` is the share of the features dropped before the classes; the others are the baseline's.
        """
        super().__init__(
            side=side,
            lr=lr,
            weight_decay=weight_decay,
            warm_up=warm_up,
            label_smoothing=label_smoothing,
            mirror=mirror,
        )

    def build_network(self) -> nn.Module:
        """Return the network; (B, 1, side, side) to (B, 2)."""
        w: int = self.hparams["width"]
        return nn.Sequential(
            _block(1, w),
            nn.MaxPool2d(2),
            _block(w, 2 * w),
            nn.MaxPool2d(2),
            _block(2 * w, 4 * w),
            _block(4 * w, 4 * w),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(self.hparams["dropout"]),
            nn.Linear(4 * w, 2),
        )


def _block(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())
