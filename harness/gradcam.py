"""Grad-CAM: which places of a layer raise an output. Loaded only inside a fold.

R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
ICCV 2017, equations 1 and 2. `monai.visualize.GradCAM` computes the same for a network that takes one tensor
and returns class logits; entries take dictionaries, and what is explained may be a risk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  as everywhere

from harness.wire import Refused

__all__ = ["grad_cam", "refuse_unexplainable"]

Batch = Mapping[str, Tensor]
HOW = (
    "explained_layer, the dotted name of a layer inside the module, such as 'network.layer4', and "
    "explained_output(batch), a tensor (B,) of what is explained, such as the logit of the class or the risk"
)


def refuse_unexplainable(model: nn.Module) -> None:
    """Refuse a model that does not say what to explain, before it is trained.

    Raises:
        Refused: saying what to add to it.
    """
    lacking = [name for name in ("explained_layer", "explained_output") if not hasattr(model, name)]
    if lacking:
        raise Refused(f"Model has no {' and no '.join(lacking)}, so nothing can be explained. Add {HOW}.")


def grad_cam(
    model: nn.Module, layer: str, output: Callable[[Batch], Tensor], batch: Batch, size: Sequence[int]
) -> Tensor:
    """Return ReLU(sum_k alpha_k A_k) for each picture that the layer sees, (pictures, *size), float32, >= 0.

    A_k is the layer's k-th channel, alpha_k the mean over its places of d output / d A_k. The map is brought
    to `size` (2D or 3D) linearly. A layer that sees several pictures of a case, in one batch or in several
    calls, has a map for each, in its own order. The model is left as it is.

    Raises:
        Refused: no such layer, a layer without places, or an output that is no (B,) or does not depend on it.
    """
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, found: Any) -> Tensor:  # noqa: ANN401  a layer returns anything
        kept.append(_activations(found, layer, len(size)))
        return kept[-1].clone()  # an in-place ReLU behind the layer then changes the copy

    handle = _layer(model, layer).register_forward_hook(keep)
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            gradients = _gradients(output(batch), kept, len(next(iter(batch.values()))), layer)
    finally:
        handle.remove()
    places = tuple(range(2, 2 + len(size)))
    coarse = [
        F.relu((gradient.mean(places, keepdim=True) * found).sum(1, keepdim=True))
        for gradient, found in zip(gradients, kept, strict=True)
    ]
    mode = {2: "bilinear", 3: "trilinear"}[len(size)]
    fine = [F.interpolate(part.detach().float(), tuple(size), mode=mode) for part in coarse]
    return torch.cat(fine)[:, 0]


def _layer(model: nn.Module, name: object) -> nn.Module:
    known: dict[str, nn.Module] = dict(model.named_modules())
    if not isinstance(name, str) or not name or name not in known:
        near = get_close_matches(str(name), known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "print([name for name, _ in model.named_modules()])"
        raise Refused(f"explained_layer {str(name)[:100]!r} is no layer of the module. {hint}")
    return known[name]


def _activations(found: Any, layer: str, n_places: int) -> Tensor:  # noqa: ANN401  a layer returns anything
    """Return what a layer returned, ready for gradients."""
    if not isinstance(found, Tensor) or found.ndim != 2 + n_places or not found.is_floating_point():
        got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise Refused(
            f"explained_layer {layer!r} returns {got}, but a map of a {n_places}D image needs "
            f"(n, channels, {', '.join('xyz'[:n_places])}). Name a convolutional layer."
        )
    # Where all that lies before it is frozen, the layer is the first that a gradient can reach.
    return found if found.requires_grad else found.detach().requires_grad_()


def _gradients(explained: Any, kept: Sequence[Tensor], n: int, layer: str) -> list[Tensor]:  # noqa: ANN401
    """Return d explained / d activations, zero for a call that the output does not depend on."""
    if not isinstance(explained, Tensor) or explained.shape != (n,):
        got = tuple(explained.shape) if isinstance(explained, Tensor) else type(explained).__name__
        raise Refused(f"explained_output returned {got} for a batch of {n}, but must return a tensor ({n},).")
    found: Sequence[Tensor | None] = ()
    if explained.requires_grad and kept:
        found = torch.autograd.grad(explained.sum(), list(kept), allow_unused=True)
    if all(gradient is None for gradient in found):
        raise Refused(
            f"explained_output does not depend on explained_layer {layer!r}: no gradient reaches it. "
            "Name a layer that the output is computed from, without torch.no_grad() on the way."
        )
    return [
        torch.zeros_like(part) if gradient is None else gradient
        for gradient, part in zip(found, kept, strict=True)
    ]
