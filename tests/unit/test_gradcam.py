"""Grad-CAM against monai's, by hand, and where it is not defined."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.networks.nets import DenseNet121
from monai.visualize import GradCAM
from torch import Tensor, nn

from harness.gradcam import grad_cam, refuse_unexplainable
from harness.wire import Refused

SIZES = {2: (12, 16), 3: (8, 12, 10)}


def network(places: int, *, inplace: bool = False) -> nn.Sequential:
    """Return two convolutions, a pool and two logits, with weights of its own."""
    torch.manual_seed(places)
    conv = {2: nn.Conv2d, 3: nn.Conv3d}[places]
    pool = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}[places](1)
    return nn.Sequential(
        conv(1, 4, 3, padding=1, stride=2), nn.ReLU(inplace), conv(4, 5, 3, padding=1), nn.ReLU(inplace),
        pool, nn.Flatten(), nn.Linear(5, 2),
    ).eval()  # fmt: skip


def image(places: int, n: int = 1) -> Tensor:
    """Return an image batch (n, 1, *size)."""
    return torch.rand((n, 1, *SIZES[places]), generator=torch.Generator().manual_seed(7))


def logit(net: nn.Module, index: int = 1) -> Callable[..., Tensor]:
    """Return what is explained: a logit of a dictionary batch."""
    return lambda batch: net(batch["image"])[:, index]


def ours(net: nn.Module, layer: str, x: Tensor, index: int = 1) -> Tensor:
    """Return our map of the last logit."""
    return grad_cam(net, layer, logit(net, index), {"image": x}, x.shape[2:])


def monais(net: nn.Module, layer: str, x: Tensor, index: int = 1) -> Tensor:
    """Return monai's map, not normalised."""
    cam = GradCAM(nn_module=net, target_layers=layer, postprocessing=lambda found: found)
    return cam(x, class_idx=index)[:, 0].detach()


@pytest.mark.parametrize("places", [2, 3])
@pytest.mark.parametrize("layer", ["0", "2", "3"])
@pytest.mark.parametrize("index", [0, 1])
def test_the_map_is_monais(places: int, layer: str, index: int) -> None:
    """To the last digits, in 2D and 3D, before and behind a ReLU, for two cases at once."""
    net, x = network(places), image(places, 2)
    found = ours(net, layer, x, index)

    assert found.shape == (2, *SIZES[places])
    assert found.max() > 0
    assert torch.allclose(found, monais(net, layer, x, index), rtol=1e-5, atol=1e-7)


def test_the_map_is_the_equation_of_the_source() -> None:
    """By hand: with a linear head on means, alpha is the weight over the number of places."""
    net, x = network(2), image(2)
    channels = net[:4](x)
    weights = net[6].weight[1] / channels[0, 0].numel()
    by_hand = (weights[:, None, None] * channels[0]).sum(0).relu()
    found = grad_cam(net, "3", logit(net), {"image": x}, channels.shape[2:])

    assert torch.allclose(found[0], by_hand, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("layer", ["0", "1", "2", "3"])
def test_a_relu_in_place_behind_the_layer_changes_nothing(layer: str) -> None:
    """The layer's own output is explained, not what became of it; and the network is left as it was."""
    net, x = network(2, inplace=True), image(2)
    before = net(x)

    assert torch.equal(ours(network(2), layer, x), ours(net, layer, x))
    assert torch.equal(before, net(x))
    assert not net[int(layer)]._forward_hooks


def test_the_layer_that_monai_cannot_explain_in_place() -> None:
    """features.norm5 of its DenseNet-121: monai's own map once nothing works in place."""
    torch.manual_seed(0)
    net, x = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2).eval(), torch.rand(1, 1, 64, 64)
    found = ours(net, "features.norm5", x)
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False

    assert torch.allclose(found, monais(net, "features.norm5", x), rtol=1e-4, atol=1e-7)


def test_an_output_without_slope_has_a_map_of_zeros() -> None:
    """All gradients are zero: nothing raises the output."""
    net = network(2)
    nn.init.zeros_(net[6].weight)

    assert ours(net, "3", image(2)).eq(0).all()


def test_frozen_layers_are_explained_as_others() -> None:
    """No parameter needs a gradient, the layer's output gets one of its own."""
    net, x = network(3), image(3)
    wanted = ours(net, "2", x)
    net.requires_grad_(False)

    assert torch.equal(wanted, ours(net, "2", x))


def test_pictures_of_one_case_have_a_map_each_in_one_batch_or_in_several_calls() -> None:
    """In the order in which the layer sees them."""
    net, views = network(2), image(2, 3)[:, 0][None]

    def at_once(batch: dict[str, Tensor]) -> Tensor:
        return net(batch["views"][0][:, None])[:, 1].mean()[None]

    def one_by_one(batch: dict[str, Tensor]) -> Tensor:
        return torch.stack([net(view[None, None])[:, 1] for view in batch["views"][0]]).mean(0)

    found = grad_cam(net, "2", at_once, {"views": views}, SIZES[2])

    assert found.shape == (3, *SIZES[2])
    assert torch.allclose(found, grad_cam(net, "2", one_by_one, {"views": views}, SIZES[2]), atol=1e-7)
    assert torch.allclose(
        found * 3, torch.cat([ours(net, "2", view[None, None]) for view in views[0]]), atol=1e-6
    )


@pytest.mark.parametrize(
    ("layer", "output", "reason"),
    [
        ("33", None, "'33' is no layer of the module. Did you mean '3'?"),
        (None, None, "'None' is no layer"),
        ("6", None, "Name a convolutional layer"),
        ("2", lambda batch: batch["image"].mean((1, 2, 3)), "does not depend on explained_layer '2'"),
        (
            "2",
            lambda batch: torch.zeros(1, 2),
            "returned (1, 2) for a batch of 1, but must return a tensor (1,)",
        ),
        ("2", lambda batch: 0.5, "returned float for a batch of 1"),
    ],
)
def test_what_cannot_be_explained_is_said(
    layer: str, output: Callable[..., Tensor] | None, reason: str
) -> None:
    """One sentence, and no hook stays behind."""
    net = network(2)
    with pytest.raises(Refused) as refused:
        grad_cam(net, layer, output or logit(net), {"image": image(2)}, SIZES[2])

    assert reason in str(refused.value)
    assert not any(module._forward_hooks for module in net.modules())


def test_an_output_without_gradients_is_refused() -> None:
    """As of a method that works under torch.no_grad()."""
    net = network(2)
    with pytest.raises(Refused, match=r"without torch.no_grad\(\) on the way"):
        grad_cam(net, "2", torch.no_grad()(logit(net)), {"image": image(2)}, SIZES[2])


def test_a_model_that_says_nothing_is_told_what_to_add() -> None:
    """Both are asked for, by name, with what they are."""
    with pytest.raises(
        Refused, match=r"no explained_layer and no explained_output.*logit of the class or the risk"
    ):
        refuse_unexplainable(nn.Linear(1, 1))
