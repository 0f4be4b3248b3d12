"""Pretrained weights from a local file: nothing is ever downloaded, nothing but tensors is unpickled.

load_weights(self.backbone, Path(__file__).parent / "resnet18.pth")
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Report", "load_weights"]

SUFFIXES = (".pt", ".pth", ".safetensors")
COUNTER = "num_batches_tracked"
"""Of batch normalisation; files from before PyTorch 0.4.1 lack it and it decides nothing."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Report:
    """What was loaded; a tensor of the right name and another shape is both missing and unexpected."""

    matched: tuple[str, ...]
    """Names in the network that the file filled."""
    missing: tuple[str, ...]
    """Names in the network that the file did not fill."""
    unexpected: tuple[str, ...]
    """Names in the file that the network did not take."""
    sha256: str
    """Of the file."""


def load_weights(
    module: nn.Module,
    path: str | Path,
    *,
    key: str | None = None,
    prefix: str = "",
    strict: bool = False,
    sha256: str | None = None,
    adapt_input: bool = True,
    minimum: float = 0.9,
) -> Report:
    """Fill a network from a local file; the network is unchanged if the file is refused.

    Args:
        module: Network to fill, without the head that the file does not have.
        path: A .pth or .pt file of tensors (read with weights_only=True), or .safetensors.
        key: Entry of the file that holds the tensors, such as "state_dict"; None: the file itself.
        prefix: Taken off the file's names, such as "module."; names without it are not used.
        strict: Refuse the file unless every name matches, on both sides.
        sha256: Refuse another file than this one.
        adapt_input: Fit the first convolution to the network's input channels, as
            timm.models.adapt_input_conv does: the sum over the channels for one, else their
            repetition scaled by old / new.
        minimum: Least share of the network's tensors that must match, batch counters aside.

    Raises:
        UserError: no such file, another format, another digest, too few names that match.
    """
    path = Path(path)
    content = _content(path)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and sha256.lower() != digest:
        raise UserError(f"{path} has the SHA-256 {digest}, not {sha256}; it is another file or damaged.")
    state = _stripped(_tensors(path, content, key), prefix, path)
    if adapt_input:
        state = _adapted(module, state)
    wanted = module.state_dict()
    fitting = {n: t for n, t in state.items() if n in wanted and t.shape == wanted[n].shape}
    report = Report(
        tuple(name for name in wanted if name in fitting),
        tuple(name for name in wanted if name not in fitting),
        tuple(name for name in state if name not in fitting),
        digest,
    )
    _judge(path, report, state, wanted, strict=strict, minimum=minimum)
    module.load_state_dict(fitting, strict=False)
    return report


def _content(path: Path) -> bytes:
    if path.suffix not in SUFFIXES:
        raise UserError(f"Weights are read from {', '.join(SUFFIXES)} files, but got {str(path)!r}.")
    if not path.is_file():
        raise UserError(
            f"There are no weights {str(path)!r}: nothing is downloaded, and a fold sees a weights file only "
            "if it lies in the submission's own folder; put it there and name it relative to that folder."
        )
    return path.read_bytes()


def _tensors(path: Path, content: bytes, key: str | None) -> dict[str, Tensor]:
    """Return the file's tensors by name."""
    import torch

    entries = _entries(path, content)
    if key is not None:
        if not isinstance(entries.get(key), Mapping):
            raise UserError(f"{path} has no entry {key!r} with tensors. {did_you_mean(key, entries)}")
        entries = entries[key]
    tensors = {str(name): value for name, value in entries.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise UserError(
            f"{path} holds no tensors{'' if key is None else f' under {key!r}'} but {_some(entries)}; "
            "name the entry that holds them with key=."
        )
    return tensors


def _entries(path: Path, content: bytes) -> Mapping[str, Any]:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(content)
        entries = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise UserError(
            f"{path} is not a file of tensors ({reason}); save model.state_dict(), not the model."
        ) from None
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise UserError(f"{path} is not a .safetensors file ({error}).") from None
        raise
    if not isinstance(entries, Mapping):
        raise UserError(f"{path} holds {type(entries).__name__}, not tensors by name.")
    return entries


def _stripped(state: Mapping[str, Tensor], prefix: str, path: Path) -> dict[str, Tensor]:
    if not prefix:
        return dict(state)
    if not any(name.startswith(prefix) for name in state):
        raise UserError(f"No name in {path} starts with {prefix!r}; it holds {_some(state)}.")
    plain = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    others = {name: value for name, value in state.items() if not name.startswith(prefix)}
    # A name that lacks the prefix belongs to another part of the file: reported, never used.
    return plain | {f"(without {prefix}) {name}": value for name, value in others.items()}


def _adapted(module: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state with the first convolution brought to the network's input channels."""
    from torch import nn

    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    first = next(((n, m) for n, m in module.named_modules() if isinstance(m, convolutions)), None)
    if first is None or first[1].groups != 1:
        return state
    name, wanted = f"{first[0]}.weight".lstrip("."), first[1].weight
    found = state.get(name)
    if found is None or found.ndim != wanted.ndim or found.shape[1] == wanted.shape[1]:
        return state
    return {**state, name: _channels(found, wanted.shape[1])}


def _channels(kernel: Tensor, wanted: int) -> Tensor:
    """Bring a kernel (out, in, ...) to `wanted` input channels; a grey image gets the same response."""
    if wanted == 1:
        return kernel.float().sum(dim=1, keepdim=True).to(kernel.dtype)
    given = kernel.shape[1]
    index = [channel % given for channel in range(wanted)]
    return (kernel.float()[:, index] * (given / wanted)).to(kernel.dtype)


def _judge(
    path: Path,
    report: Report,
    state: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    *,
    strict: bool,
    minimum: float,
) -> None:
    """Raise UserError if too little matches."""
    names = [name for name in wanted if not name.endswith(COUNTER)]
    matched = sum(name in set(report.matched) for name in names)
    share = matched / len(names) if names else 0.0
    wrong = strict and (report.missing or report.unexpected)
    if share >= minimum and not wrong:
        return
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in report.unexpected
        if name in wanted
    ]
    need = "all must match, on both sides" if wrong else f"{minimum:.0%} are needed"
    raise UserError(
        f"{path} fits {matched} of the network's {len(names)} tensors ({share:.0%}) and {need}: "
        f"missing {_some(report.missing)}; unexpected {_some(report.unexpected)}; "
        f"of another shape {_some(shapes)}."
    )


def _some(names: Mapping[str, Any] | list[str] | tuple[str, ...]) -> str:
    """Return the first names and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(map(str, listed[:SHOWN])) + more if listed else "none"
