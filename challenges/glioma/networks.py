"""Three-dimensional networks from four sequences (B, 4, x, y, z) to what a head asks for (B, outputs).

All start from random weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets.densenet import DenseNet121
from monai.networks.nets.resnet import ResNet
from monai.networks.nets.senet import SEResNext50
from monai.networks.nets.vitautoenc import ViTAutoEnc
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the field's name for it

from challenges.glioma.cbam import CBAMBottleneck

__all__ = ["SEQUENCES", "Autoencoder", "TissueShares", "densenet", "resnet_cbam", "seresnext"]

SEQUENCES = 4
PATCH = 16
SPACE = (2, 3, 4)
RAREST = 1e-3
"""Share of the brain below which tissues are as good as absent."""


class TissueShares(nn.Module):
    """Name the tissue at every second voxel, take each one's share of the brain, weigh the shares' logs.

    Some hundreds of weights, which sixty patients suffice for. The log of a share adds up: of a volume and of
    a ratio of two volumes alike. The answer starts at 0 for everyone.

    Args:
        outputs: Of the last layer.
        width: Channels of the convolution.
        tissues: How many are told apart.
    """

    def __init__(self, outputs: int, width: int, tissues: int) -> None:
        super().__init__()
        self.tissues = nn.Sequential(
            nn.Conv3d(SEQUENCES, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.Conv3d(width, tissues, 1),
            nn.Softmax(1),
        )
        self.level = nn.BatchNorm1d(tissues)
        self.classifier = nn.Linear(tissues, outputs)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs; background is 0 in all sequences."""
        brain = F.max_pool3d((images != 0).any(1, keepdim=True).float(), 3, stride=2, padding=1)
        volumes = (self.tissues(images) * brain).sum(SPACE)
        shares = volumes / brain.sum(SPACE).clamp_min(1)
        outputs: Tensor = self.classifier(self.level((shares + RAREST).log()))
        return outputs


def seresnext(outputs: int) -> nn.Module:
    """Return SE-ResNeXt50, 32 groups; with one output 28,420,657 weights."""
    return SEResNext50(spatial_dims=3, in_channels=SEQUENCES, num_classes=outputs)


def resnet_cbam(outputs: int) -> nn.Module:
    """Return ResNet50 with CBAM in every block; 48,785,779 weights with 19 outputs, as the official code."""
    return ResNet(
        CBAMBottleneck,
        [3, 4, 6, 3],
        [64, 128, 256, 512],
        n_input_channels=SEQUENCES,
        num_classes=outputs,
        bias_downsample=False,
    )


def densenet(outputs: int) -> nn.Module:
    """Return DenseNet-121: growth 32, blocks of 6, 12, 24, 16; with one output 11,309,505 weights.

    It halves its input five times: sides of 32 or more.
    """
    return DenseNet121(spatial_dims=3, in_channels=SEQUENCES, out_channels=outputs)


class Autoencoder(nn.Module):
    """A vision transformer that draws its input again, with a linear layer on the mean of its encoding.

    Args:
        outputs: Of the linear layer.
        sides: Of the input, multiples of 16.
        width: Of the tokens, a multiple of `heads`.
        layers: Of the encoder.
        heads: Of the attention.
    """

    def __init__(self, outputs: int, sides: Sequence[int], width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.grid = [side // PATCH for side in sides]
        self.transformer = ViTAutoEnc(
            SEQUENCES,
            tuple(sides),
            PATCH,
            out_channels=SEQUENCES,
            hidden_size=width,
            mlp_dim=4 * width,
            num_layers=layers,
            num_heads=heads,
        )
        self.encoding = nn.Identity()  # named, so that it can be explained
        self.classifier = nn.Linear(width, outputs)

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs, and the images drawn again."""
        drawn, states = self.transformer(images)
        tokens = self.transformer.norm(states[-1]).transpose(1, 2)
        encoding = self.encoding(tokens.unflatten(2, self.grid))
        return self.classifier(encoding.mean(SPACE)), drawn

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs."""
        return self.both(images)[0]
