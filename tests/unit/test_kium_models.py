"""The baseline of K-ium, what entrants may override of it, and the entry aim_efficientnet."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from challenges.kium.baseline import AtlasReader
from challenges.kium.baseline import Model as Baseline
from challenges.kium.columns import LOCATIONS, VIEWS
from harness.training import CaseDataset
from submissions.aim_efficientnet.model import Model as Aim
from tests.fits import fit, predict


def made_up(cases: int, size: int = 64) -> CaseDataset:
    """Return random views with random labels."""
    rng = np.random.default_rng(0)
    locations = rng.random((cases, len(LOCATIONS))) < 0.2
    truth = {"aneurysm": locations.any(1).astype(np.uint8), "locations": locations.astype(np.uint8)}
    views = rng.integers(0, 255, (cases, 8, size, size), dtype=np.uint8)
    return CaseDataset({"views": views}, np.arange(cases), truth)


# ---------------------------------------------------------------------------------------- baseline
@pytest.mark.parametrize(("model_class", "images"), [(Baseline, 16), (Aim, 2)])
def test_the_named_layer_explains(model_class: Any, images: int) -> None:
    """`explained_layer` gives maps, of each view or of all; the explained output is one number a patient."""
    maps: list[Tensor] = []
    with torch.device("meta"):
        model = model_class()
        hook = lambda _, __, output: maps.append(output)  # noqa: E731
        model.get_submodule(model.explained_layer).register_forward_hook(hook)
        found = model.explained_output({"views": torch.zeros(2, 8, 64, 64)})
    assert found.shape == (2,)
    assert (maps[0].ndim, len(maps[0])) == (4, images)


def test_predictions_are_what_the_challenge_asks_for() -> None:
    """Two probabilities and a decision per case, whatever the size of the stored views."""
    for size in (64, 96, 48):
        found = predict(Baseline(), made_up(5, size))
        assert {key: tuple(value.shape) for key, value in found.items()} == {
            "aneurysm": (5,), "location_scores": (5, 21), "locations": (5, 21),
        }  # fmt: skip
        assert ((found["aneurysm"] >= 0) & (found["aneurysm"] <= 1)).all()
        assert found["locations"].dtype == torch.int64
        assert torch.equal(found["locations"].bool(), found["location_scores"] > 0.5)


def test_exposure_does_not_reach_the_network() -> None:
    """A darker, flatter picture of the same patient is nearly the same input."""
    views = torch.randint(100, 200, (2, 8, 16, 16)).repeat_interleave(4, 2).repeat_interleave(4, 3)
    model = Baseline()
    bright = model.prepare(views.to(torch.uint8))
    dark = model.prepare((0.5 * views + 20).to(torch.uint8))
    assert bright.shape == (2, 8, 4, 64, 64)
    assert torch.allclose(bright, dark, atol=0.1)


def test_arteries_are_rubbed_out_and_aneurysms_are_not() -> None:
    """A line of three pixels is gone from the later channels; a disc of seven is still dark."""
    line, disc = torch.full((2, 64, 64), 200, dtype=torch.uint8)
    line[:, 30:33] = 50
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    disc[(y - 32) ** 2 + (x - 32) ** 2 <= 12] = 50
    views = torch.stack([line, disc] * 4)[None]
    darkest = Baseline().prepare(views).amax((-2, -1))[0]
    assert (darkest[0, 1:] < 0.2 * darkest[0, 0]).all()
    assert (darkest[1, 1:3] > 0.3 * darkest[1, 0]).all()


def changed_locations(view: str) -> set[str]:
    """Return the locations whose logit a blob in one view changes."""
    torch.manual_seed(0)
    network = AtlasReader(width=4).eval()
    plain = torch.zeros(1, 8, 4, 64, 64)
    blob = plain.clone()
    blob[0, VIEWS.index(view), :, 28:36, 28:36] = 3.0
    with torch.no_grad():
        difference = network(blob)["locations"] - network(plain)["locations"]
    return {name for name, change in zip(LOCATIONS, difference[0], strict=True) if change > 0.01}


@pytest.mark.parametrize("angle", ["A", "B"])
@pytest.mark.parametrize("side", ["L", "R"])
def test_a_view_speaks_for_the_arteries_that_it_shows(side: str, angle: str) -> None:
    """A carotid view raises its side's carotid locations; a vertebral one its vertebral ones and BA."""
    carotid = {f"{side}_{name}" for name in ("ICA", "PCOM", "AntChor", "ACA", "ACOM", "MCA")}
    vertebral = {f"{side}_{name}" for name in ("VA", "PICA", "SCA", "PCA", "PCOM")} | {"BA"}
    assert changed_locations(f"{side}I-{angle}") == carotid
    assert changed_locations(f"{side}V-{angle}") == vertebral


def test_left_and_right_frontal_views_share_a_mirrored_atlas() -> None:
    """Where a blob counts for L_MCA in LI-A, its mirror image counts as much for R_MCA in RI-A."""
    network = AtlasReader(width=4).eval()
    with torch.no_grad():
        network.where.normal_()
        left, right = torch.zeros(2, 1, 8, 4, 64, 64)
        left[0, VIEWS.index("LI-A"), :, 20:24, 40:44] = 3.0
        right[0, VIEWS.index("RI-A"), :, 20:24, 20:24] = 3.0
        here, there = network(left)["locations"][0], network(right)["locations"][0]
    assert here[LOCATIONS.index("L_MCA")] == pytest.approx(float(there[LOCATIONS.index("R_MCA")]), abs=1e-5)
    assert here[LOCATIONS.index("L_MCA")] != pytest.approx(float(there[LOCATIONS.index("L_MCA")]), abs=1e-2)


def test_thresholds_call_as_many_training_cases_as_there_are() -> None:
    """After a fit each location is called as often as it is true; one never seen is never called."""
    training = made_up(24)
    assert training.truth is not None
    training.truth["locations"][:, 3] = 0
    model = Baseline()
    fit(model, training)
    called = predict(model, training)["locations"].sum(0)
    assert called.tolist() == training.truth["locations"].sum(0).tolist()
    assert model.thresholds[3] > predict(model, training)["location_scores"][:, 3].max()


def test_the_same_seed_trains_the_same_model() -> None:
    """Two fits from one seed predict the same numbers."""
    found = []
    for _ in range(2):
        pl.seed_everything(3, verbose=False)
        model = Baseline()
        fit(model, made_up(16))
        found.append(predict(model, made_up(4))["aneurysm"])
    assert torch.equal(*found)


class Means(nn.Module):
    """Twenty-two linear functions of the mean of each view."""

    def __init__(self, views: int) -> None:
        super().__init__()
        self.linear = nn.Linear(views, 1 + len(LOCATIONS))

    def forward(self, views: Tensor) -> dict[str, Tensor]:
        """Return the logits."""
        logits = self.linear(views.mean((-2, -1)))
        return {"aneurysm": logits[:, 0], "locations": logits[:, 1:]}


class Overridden(Baseline):
    """An entrant who brings a network and its input, and keeps the rest."""

    def __init__(self, *, brightness: float = 255.0, lr: float = 0.1) -> None:
        super().__init__(lr=lr)

    def build_network(self) -> nn.Module:
        """Use the entrant's own hyperparameter."""
        return Means(len(VIEWS))

    def prepare(self, views: Tensor) -> Tensor:
        """Scale."""
        scaled: Tensor = views.float() / self.hparams["brightness"]
        return scaled

    def augment(self, inputs: Tensor) -> Tensor:
        """Leave the views alone."""
        return inputs


def test_an_entrant_overrides_one_hook_and_keeps_the_rest() -> None:
    """Another network trains, all of it, with the hyperparameters of both classes kept."""
    model = Overridden(brightness=200.0)
    before = model.network.linear.weight.detach().clone()
    fit(model, made_up(16))
    assert (model.network.linear.weight != before).all()
    assert model.hparams["brightness"] == 200.0
    assert {"lr", "weight_decay", "image_size"} <= set(model.hparams)
    assert predict(model, made_up(3))["locations"].shape == (3, 21)


# --------------------------------------------------------------------------------- aim_efficientnet
@pytest.fixture(scope="module")
def aim() -> Aim:
    """The 22 networks, for small images."""
    torch.manual_seed(0)
    return Aim(image_size=32).eval()


def test_aim_has_one_network_a_question(aim: Aim) -> None:
    """22 EfficientNet-B0 of eight channels and one logit, with GELU, dropout .2 and drop-connect .2."""
    networks = aim.network.networks
    assert list(networks) == ["aneurysm", *LOCATIONS]
    network = networks["BA"]
    assert network.conv_stem.in_channels == 8
    assert network.classifier.out_features == 1
    assert network.drop_rate == 0.2
    assert any(isinstance(part, nn.GELU) for part in network.modules())
    assert not any(isinstance(part, nn.SiLU) for part in network.modules() if part is not network)
    assert max(getattr(part, "drop_prob", 0.0) or 0.0 for part in network.modules()) == pytest.approx(
        0.1875, abs=0.02
    )
    assert sum(p.numel() for p in network.parameters()) == 4_010_269


def test_aim_stacks_the_views_as_channels(aim: Aim) -> None:
    """Pixels from 0 to 1, the views in the challenge's order, brought to the size asked for."""
    views = torch.arange(8, dtype=torch.uint8)[None, :, None, None].expand(1, 8, 64, 64) * 30
    inputs = aim.prepare(views)
    assert inputs.shape == (1, 8, 32, 32)
    assert torch.allclose(inputs[0, :, 5, 5] * 255, torch.arange(8) * 30.0, atol=1e-3)


def test_aim_answers_for_the_cases_it_is_given(aim: Aim) -> None:
    """Other cases, other answers, in their order: not those of the training cases."""
    cases = made_up(4, 32)
    found = predict(aim, cases)["location_scores"]
    turned = predict(aim, cases.subset(np.array([3, 2, 1, 0])))["location_scores"]
    assert torch.allclose(found.flip(0), turned, atol=1e-5)
    assert found.std(0).min() > 0


def test_aim_thresholds_are_mean_plus_deviation(aim: Aim) -> None:
    """Of the scores on the training cases, column by column."""
    scores = torch.rand(9, 21)
    aim.calibrate({"location_scores": scores}, {})
    expected = scores.numpy().mean(0) + scores.numpy().std(0)
    assert np.allclose(aim.thresholds.numpy(), expected, atol=1e-6)


@pytest.mark.nightly
def test_aim_rests_its_location_networks_and_spares_the_last_rows() -> None:
    """After location_epochs only the aneurysm network moves; the last 30 % of the rows teach nothing."""
    pl.seed_everything(0, verbose=False)
    model = Aim(image_size=32, location_epochs=1)
    states: list[dict[str, Tensor]] = []

    class Keep(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            states.append({name: value.detach().clone() for name, value in pl_module.named_parameters()})

    states.append({name: value.detach().clone() for name, value in model.named_parameters()})
    training = made_up(10, 32)
    fit(model, training, max_epochs=2, callbacks=[Keep()])
    moved = [
        {name.split(".")[2] for name, value in after.items() if not torch.equal(value, before[name])}
        for before, after in pairwise(states)
    ]
    assert moved == [{"aneurysm", *LOCATIONS}, {"aneurysm"}]
    assert model.watched is not None
    assert model.watched.rows.tolist() == [7, 8, 9]


def test_aim_knows_its_variants() -> None:
    """Another name than b0 to b7 is refused with those that exist."""
    with pytest.raises(ValueError, match=r"b0, b1, .* but got 'b9'"):
        Aim(variant="b9")
