"""Weights come from local files of tensors, fitted to the network, or are refused in one sentence."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from timm.models import adapt_input_conv
from torch import nn

from harness.errors import UserError
from harness.weights import load_weights


def network(channels: int = 3, classes: int = 5) -> nn.Sequential:
    """A convolution, a batch normalisation and a linear layer: eight tensors, one a counter."""
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, classes))


def saved(folder: Path, content: object, name: str = "net.pth") -> Path:
    """Save what torch can save."""
    torch.save(content, folder / name)
    return folder / name


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether all tensors are equal."""
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_whole_file_fills_the_network(tmp_path: Path) -> None:
    """Every tensor is taken, and the report says so with the file's digest."""
    source, target = network(), network()
    path = saved(tmp_path, source.state_dict())
    report = load_weights(target, path, strict=True)
    assert same(source, target)
    assert report.matched == tuple(source.state_dict())
    assert report.missing == report.unexpected == ()
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_safetensors_are_read(tmp_path: Path) -> None:
    """A .safetensors file gives what the .pth file gives."""
    source, target = network(), network()
    save_file(source.state_dict(), tmp_path / "net.safetensors")
    load_weights(target, tmp_path / "net.safetensors", strict=True)
    assert same(source, target)


def test_key_and_prefix_lead_to_the_tensors(tmp_path: Path) -> None:
    """{"state_dict": {"module.x": ...}} is read; what lacks the prefix is reported, not used."""
    source, target = network(), network()
    state = {f"module.{name}": value for name, value in source.state_dict().items()}
    path = saved(tmp_path, {"epoch": 3, "state_dict": state | {"0.bias": torch.full((4,), 7.0)}})
    report = load_weights(target, path, key="state_dict", prefix="module.")
    assert same(source, target)
    assert report.unexpected == ("(without module.) 0.bias",)


@pytest.mark.parametrize(("given", "wanted"), [(3, 1), (3, 8), (3, 4), (3, 2)])
def test_the_first_convolution_is_adapted_as_timm_adapts_it(tmp_path: Path, given: int, wanted: int) -> None:
    """One channel is the sum, others are repeated and scaled, as in timm."""
    source, target = network(given), network(wanted)
    report = load_weights(target, saved(tmp_path, source.state_dict()), strict=True)
    expected = adapt_input_conv(wanted, source[0].weight.detach(), given)
    assert torch.allclose(target[0].weight, expected, atol=1e-7)
    assert len(report.matched) == 9


def test_a_grey_kernel_answers_a_grey_image_in_colour_alike(tmp_path: Path) -> None:
    """From one channel to three, three equal channels give the old response."""
    source, target = network(1), network(3)
    load_weights(target, saved(tmp_path, source.state_dict()))
    image = torch.randn(1, 1, 6, 6)
    assert torch.allclose(source[0](image), target[0](image.expand(1, 3, 6, 6)), atol=1e-6)


def test_without_adaptation_another_number_of_channels_does_not_match(tmp_path: Path) -> None:
    """The kernel is then missing and unexpected, and its shapes are named."""
    path = saved(tmp_path, network(3).state_dict())
    with pytest.raises(UserError, match=r"0\.weight \(4, 3, 3, 3\) instead of \(4, 1, 3, 3\)"):
        load_weights(network(1), path, adapt_input=False)


def test_too_few_names_are_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    """Below 90 % the network keeps what it had, and the sentence counts and names."""
    target = network()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    state = network().state_dict()
    half = {name: value for name, value in state.items() if name[0] in "01"}
    with pytest.raises(UserError, match=r"fits 6 of the network's 8 tensors \(75%\) and 90% are needed"):
        load_weights(target, saved(tmp_path, half))
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())
    assert load_weights(target, saved(tmp_path, half), minimum=0.75).missing == ("3.weight", "3.bias")


def test_batch_counters_do_not_count(tmp_path: Path) -> None:
    """A file from before PyTorch 0.4.1 has none and is whole all the same."""
    state = {n: v for n, v in network().state_dict().items() if not n.endswith("num_batches_tracked")}
    report = load_weights(network(), saved(tmp_path, state), minimum=1.0)
    assert report.missing == ("1.num_batches_tracked",)


def test_a_file_with_a_head_of_its_own_is_refused_only_if_strict(tmp_path: Path) -> None:
    """Unexpected names are reported; strict refuses them."""
    path = saved(tmp_path, network().state_dict() | {"head.weight": torch.zeros(1)})
    assert load_weights(network(), path).unexpected == ("head.weight",)
    with pytest.raises(UserError, match="all must match, on both sides"):
        load_weights(network(), path, strict=True)


def test_three_dimensional_kernels_do_not_fit_a_two_dimensional_network(tmp_path: Path) -> None:
    """MedicalNet's kernels have an axis too many; they are refused, not squeezed."""
    state = nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.Flatten(), nn.Linear(4, 5)).state_dict()
    with pytest.raises(UserError, match="of another shape 0.weight"):
        load_weights(network(), saved(tmp_path, state))


def test_another_digest_is_refused(tmp_path: Path) -> None:
    """A file that is not the one that was meant is not read."""
    with pytest.raises(UserError, match="another file or damaged"):
        load_weights(network(), saved(tmp_path, network().state_dict()), sha256="0" * 64)


def test_a_pickled_object_is_not_executed(tmp_path: Path) -> None:
    """A whole saved model is refused: only tensors are unpickled."""
    with pytest.raises(UserError, match=r"save model.state_dict\(\), not the model"):
        load_weights(network(), saved(tmp_path, network()))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    """Bytes that are no weights are refused by name."""
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(b"not weights at all")
    with pytest.raises(UserError, match=f"bad{suffix} is not a"):
        load_weights(network(), path)


def test_an_entry_that_is_not_named_is_asked_for(tmp_path: Path) -> None:
    """A checkpoint's entries are listed, and a misspelt key gets a hint."""
    path = saved(tmp_path, {"epoch": 1, "state_dict": network().state_dict()})
    with pytest.raises(UserError, match=r"holds no tensors but epoch, state_dict; .* key="):
        load_weights(network(), path)
    with pytest.raises(UserError, match="Did you mean 'state_dict'"):
        load_weights(network(), path, key="state_dic")


def test_a_missing_file_says_where_it_must_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched, not even for a name with an address."""

    def no_network(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for name in ("absent.pth", "https://example.org/resnet18.pth"):
        with pytest.raises(UserError, match="only if it lies in the submission's own folder"):
            load_weights(network(), tmp_path / name)
    with pytest.raises(UserError, match=r"read from .pt, .pth, .safetensors files"):
        load_weights(network(), "resnet18")
