"""The glioma baseline, what entrants may override of it, and the image entries that ship."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from challenges.glioma import networks
from challenges.glioma.augmentation import CroppedCases, EvenBatches, cropped_batches, mirrored, noisy
from challenges.glioma.baseline import Model as Baseline
from challenges.glioma.baseline import SourceModel
from challenges.glioma.cbam import ChannelAttention, SpatialAttention
from challenges.glioma.columns import TIMES
from challenges.glioma.optimizers import SAM
from harness import catalog
from harness.errors import UserError
from harness.survival.concordance import harrell
from harness.survival.followup import FollowUp
from harness.training import CaseDataset, ContractError, batches
from tests.fits import fit, predict

ENTRIES = {
    "glioma_seresnext": {},
    "glioma_cbam": {},
    "glioma_densenet": {},
    "glioma_vit": {"size": [32, 32, 16], "width": 24, "layers": 2, "heads": 2},
}
"""Of each entry, what makes it small."""
PHANTOM = (30, 30, 20)


def made_up(cases: int, shape: tuple[int, ...] = (12, 10, 9), seed: int = 0) -> CaseDataset:
    """Return brains with a bright box, whose size sets the hazard; the second covariate does, too."""
    draw = np.random.default_rng(seed)
    images = draw.normal(0, 100, (cases, 4, *shape)).astype(np.int16)
    images[:, :, 0] = 0
    size = draw.uniform(0, 1, cases)
    for image, share in zip(images, size, strict=True):
        x, y, z = (max(1, round(side * (0.2 + 0.6 * share))) for side in shape)
        image[2:, 1 : 1 + x, :y, :z] += 600
    covariates = draw.normal(60, 12, (cases, 3)).astype(np.float32)
    hazard = 4 * (size - 0.5) + (covariates[:, 1] - 60) / 12
    time = np.ceil(900 * draw.exponential(1, cases) / np.exp(hazard)).clip(1, 4000)
    event = draw.random(cases) < 0.8
    covariates[draw.random((cases, 3)) < 0.1] = np.nan
    truth = {"time": time, "event": event.astype(np.uint8)}
    return CaseDataset({"image": images, "covariates": covariates}, np.arange(cases), truth)


def is_an_answer(found: dict[str, Tensor], cases: int) -> bool:
    """Say whether predictions are what the challenge asks for."""
    survival = found["survival"]
    return (
        set(found) == {"risk", "survival"}
        and tuple(found["risk"].shape) == (cases,)
        and tuple(survival.shape) == (cases, len(TIMES))
        and bool(torch.isfinite(found["risk"]).all())
        and bool(((survival >= 0) & (survival <= 1)).all())
        and bool((survival.diff(dim=1) <= 0).all())
    )


def concordance(model: pl.LightningModule, cases: CaseDataset) -> float:
    """Return Harrell's C of the model's risks."""
    truth = cases.truth or {}
    return float(harrell(FollowUp.of(truth["time"], truth["event"]), predict(model, cases)["risk"].numpy()))


def entry(name: str, **changed: Any) -> Any:
    """Return an entry's model, small."""
    card = catalog.open_submission(name).card
    module = importlib.import_module(f"submissions.{name}.model")
    return module.Model(**{**card.hyperparameters, **ENTRIES[name], **changed})


def weights_of(network: nn.Module) -> int:
    """Return how many weights a network has."""
    return sum(value.numel() for value in network.parameters())


# ---------------------------------------------------------------------------------------- networks
@pytest.mark.parametrize(
    ("build", "outputs", "weights"),
    [
        (networks.seresnext, 1, 28_420_657),
        (networks.densenet, 1, 11_309_505),
        (networks.resnet_cbam, 19, 48_785_779),
        (lambda _: networks.Autoencoder(1, (64, 64, 48), 192, 6, 6).transformer, 1, 6_024_276),
    ],
    ids=["seresnext", "densenet", "cbam", "vit"],
)
def test_the_networks_have_the_sources_size(build: Any, outputs: int, weights: int) -> None:
    """ResNet50-CBAM has exactly the official code's weights; the others MONAI's with four sequences."""
    with torch.device("meta"):
        assert weights_of(build(outputs)) == weights


def test_attention_weighs_channels_then_voxels() -> None:
    """Each is a factor from 0 to 1, the same over the voxels, and over the channels."""
    features = torch.rand(2, 256, 3, 4, 5) + 0.5
    by_channel = (ChannelAttention(256)(features) / features).flatten(2)
    by_voxel = SpatialAttention()(features) / features
    assert torch.allclose(by_channel, by_channel[..., :1].expand_as(by_channel))
    assert torch.allclose(by_voxel, by_voxel[:, :1].expand_as(by_voxel))
    assert all(((part > 0) & (part < 1)).all() for part in (by_channel, by_voxel))
    assert by_channel.std() > 0


# ------------------------------------------------------------------------------------ how it is read
def test_crops_lie_inside_their_case() -> None:
    """A crop occurs in its own image, is no longer than it, and goes with its own truth; epochs differ."""
    cases = made_up(5)
    torch.manual_seed(0)
    batch = CroppedCases(cases, 9)[[3, 1]]
    assert batch["image"].shape == (2, 4, 9, 9, 9)
    for image, case in zip(batch["image"].numpy(), (3, 1), strict=True):
        whole = cases.inputs["image"][case]
        boxes = [whole[:, x : x + 9, y : y + 9, :9] for x in range(4) for y in range(2)]
        assert any(np.array_equal(box, image) for box in boxes)
    assert cases.truth is not None
    assert batch["time"].tolist() == cases.truth["time"][[3, 1]].tolist()
    assert CroppedCases(cases, 64)[[0]]["image"].shape == (1, 4, 12, 10, 9)
    epochs = [torch.cat([b["image"] for b in cropped_batches(cases, 6, 5)]) for _ in range(2)]
    assert not torch.equal(epochs[0], epochs[1])


@pytest.mark.parametrize(("cases", "size", "sizes"), [(60, 32, [30, 30]), (5, 64, [5]), (33, 16, [17, 16])])
def test_batches_are_even(cases: int, size: int, sizes: list[int]) -> None:
    """Every case once, and no small rest."""
    found = list(EvenBatches(cases, size))
    assert [len(batch) for batch in found] == sizes
    assert len(EvenBatches(cases, size)) == len(sizes)
    assert sorted(case for batch in found for case in batch) == list(range(cases))


def test_augmentation_varies_some_volumes() -> None:
    """About the asked share gets noise, at most a tenth of a deviation strong; half are mirrored along x only."""
    torch.manual_seed(0)
    images = torch.randint(-500, 500, (60, 4, 5, 4, 3), dtype=torch.int16)
    added = (noisy(images, 0.3) - images).flatten(1)
    touched = added.abs().amax(1) > 1e-3
    assert 8 <= int(touched.sum()) <= 28
    assert float(added.std(1).max()) < 1.3 * 25.6
    turned = mirrored(images)
    other = [bool(torch.equal(a, b.flip(1))) for a, b in zip(turned, images, strict=True)]
    same = [bool(torch.equal(a, b)) for a, b in zip(turned, images, strict=True)]
    assert all(a != b for a, b in zip(other, same, strict=True))
    assert 15 <= sum(other) <= 45


def test_sam_steps_with_the_gradient_of_the_worst_place_near_by() -> None:
    """One step of plain descent on x^4 equals the definition; the schedule's rate reaches the base."""
    x = nn.Parameter(torch.tensor([1.0, -2.0]))
    outer = SAM(torch.optim.SGD([x], lr=0.01), rho=0.5)
    gradient = 4 * x.detach() ** 3
    wanted = x.detach() - 0.01 * 4 * (x.detach() + 0.5 * gradient / gradient.norm()) ** 3

    def closure() -> Tensor:
        outer.zero_grad()
        loss = (x**4).sum()
        loss.backward()
        return loss

    assert outer.step(closure).item() == pytest.approx(17.0)
    assert torch.allclose(x.detach(), wanted, atol=1e-6)
    outer.param_groups[0]["lr"] = 0.5
    assert outer.base.param_groups[0]["lr"] == 0.5
    with pytest.raises(RuntimeError, match="closure"):
        outer.step()


# ----------------------------------------------------------------------------------------- baseline
@pytest.mark.parametrize("loss", ["cox", "discrete", "prophazards"])
@pytest.mark.parametrize("shape", [(12, 10, 9), PHANTOM, (5, 17, 6)])
def test_the_baseline_answers_at_any_size(loss: str, shape: tuple[int, ...]) -> None:
    """Anisotropic and tiny volumes, before any fit."""
    assert is_an_answer(predict(Baseline(loss=loss), made_up(3, shape)), 3)


@pytest.mark.parametrize("loss", ["cox", "discrete"])
def test_a_fit_learns_what_drives_the_hazard(loss: str) -> None:
    """On other made-up patients C is clearly above the constant answer's .5; with covariates higher still."""
    others = made_up(120, seed=1)
    found = {}
    for covariates in (False, True):
        pl.seed_everything(0, verbose=False)
        model = Baseline(loss=loss, covariates=covariates, batch=20, lr=0.02)
        fit(model, made_up(60), max_epochs=12)
        found[covariates] = concordance(model, others)
        assert is_an_answer(predict(model, others), 120)
    assert found[False] > 0.65
    assert found[True] > found[False] + 0.02


def test_the_same_seed_trains_the_same_model() -> None:
    """Two fits from one seed predict the same; another seed, others."""
    found = []
    for seed in (3, 3, 4):
        pl.seed_everything(seed, verbose=False)
        model = Baseline(batch=8)
        fit(model, made_up(16))
        found.append(predict(model, made_up(4))["risk"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_breslows_curves_are_of_the_training_cases() -> None:
    """After a fit of Cox's loss, the mean curve of the training cases is near their own Kaplan-Meier's."""
    pl.seed_everything(0, verbose=False)
    cases, model = made_up(60), Baseline(batch=30)
    fit(model, cases, max_epochs=2)
    survival = predict(model, cases)["survival"].mean(0)
    truth = cases.truth or {}
    alive = 1.0
    for day in np.unique(truth["time"][truth["time"] <= TIMES[7]]):
        dead = ((truth["time"] == day) & (truth["event"] > 0)).sum()
        alive *= 1 - dead / (truth["time"] >= day).sum()
    assert float(survival[7]) == pytest.approx(alive, abs=0.05)


def test_batches_without_a_death_do_not_break_the_fit() -> None:
    """All censored: the weights stay finite and everyone lives."""
    cases = made_up(12)
    assert cases.truth is not None
    cases.truth["event"] = np.zeros(12, dtype=np.uint8)
    model = Baseline(batch=4, covariates=True)
    fit(model, cases)
    assert all(torch.isfinite(value).all() for value in model.parameters())
    assert (predict(model, cases)["survival"] == 1).all()


def test_the_best_epoch_of_the_inner_validation_part_is_kept() -> None:
    """The weights that are left give the lowest validation loss that was logged."""
    losses: list[float] = []

    class Watched(Baseline):
        def on_validation_epoch_end(self) -> None:
            super().on_validation_epoch_end()
            losses.append(float(self.trainer.callback_metrics["validation_loss"]))

    pl.seed_everything(0, verbose=False)
    model = Watched(lr=0.5, batch=8)
    trainer = fit(model, made_up(40), validation=0.4, max_epochs=4)
    model.eval()
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    with torch.no_grad():
        (batch,) = batches(data.validation, 100)
        now = float(model.head.loss(model(batch), batch["time"], batch["event"]))
    assert now == pytest.approx(min(losses), abs=1e-4)
    assert max(losses) > min(losses) + 0.01


def test_unknown_covariates_count_as_the_mean() -> None:
    """A patient without any has the risk of one who has the training cases' mean of each."""
    cases = made_up(30)
    model = Baseline(covariates=True, batch=30)
    fit(model, cases)
    batch = CaseDataset(cases.inputs, cases.rows)[[0]]
    nothing = {**batch, "covariates": torch.full((1, 3), torch.nan)}
    mean = {**batch, "covariates": torch.tensor(np.nanmean(cases.inputs["covariates"], axis=0))[None]}
    older = {**batch, "covariates": mean["covariates"] + 12}
    model.eval()
    risks = [float(model.predict_step(part)["risk"]) for part in (nothing, mean, older)]
    assert risks[0] == pytest.approx(risks[1], abs=1e-4)
    assert risks[2] != pytest.approx(risks[1], abs=0.1)


def test_a_data_set_without_images_or_covariates_is_refused() -> None:
    """One sentence each says what the model reads and what there is."""
    cases = made_up(8)
    tables = CaseDataset({"covariates": cases.inputs["covariates"]}, cases.rows, cases.truth)
    with pytest.raises(ContractError, match="reads images, but the data set has none, only covariates"):
        fit(Baseline(), tables)
    images = CaseDataset({"image": cases.inputs["image"]}, cases.rows, cases.truth)
    with pytest.raises(ContractError, match="model.covariates=true, but the data set has no covariates"):
        fit(Baseline(covariates=True), images)


# ----------------------------------------------------------------------------------------- the entries
@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_trains_and_answers_at_the_phantoms_size(name: str) -> None:
    """A step changes nearly every weight; the answer is in range; the named layer has a gradient.

    SAM, twice as slow, for the small one only; it trains on smaller volumes than it answers.
    """
    pl.seed_everything(0, verbose=False)
    cases, model = made_up(2, (16, 16, 16)), entry(name, **({} if name == "glioma_vit" else {"rho": 0.0}))
    before = {key: value.clone() for key, value in model.network.named_parameters()}
    trainer = fit(model, cases)
    after = dict(model.network.named_parameters())
    assert torch.isfinite(trainer.callback_metrics["loss"])
    assert all(torch.isfinite(value).all() for value in after.values())
    # MONAI's blocks hold a normalisation for cross-attention, which nothing uses.
    used = [key for key in before if "cross_attn" not in key]
    assert sum(not torch.equal(before[key], after[key]) for key in used) > 0.9 * len(used)
    patient = made_up(1, PHANTOM)
    assert is_an_answer(predict(model, patient), 1)
    explains(model, CaseDataset(patient.inputs, patient.rows)[[0]])


def test_the_baselines_layer_explains() -> None:
    """As of every entry."""
    model = Baseline()
    model.network.classifier.weight.data.normal_()
    explains(model.eval(), made_up(1)[[0]])


def explains(model: Any, batch: dict[str, Tensor]) -> None:
    """Check that the output (1,) has a gradient at the named layer, whose activations lie in space."""
    kept: list[Tensor] = []
    layer = model.get_submodule(model.explained_layer)
    hook = layer.register_forward_hook(lambda _, __, output: kept.append(output.clone()) or kept[-1])
    output = model.explained_output(batch)
    hook.remove()
    (gradient,) = torch.autograd.grad(output.sum(), kept[-1])
    assert output.shape == (1,)
    assert gradient.shape == kept[-1].shape
    assert gradient.ndim == 5
    assert gradient.any()


def test_the_entries_have_the_sources_values() -> None:
    """Rate, decay, batch, epochs, crop, noise, SAM and cosine, and one seed of the crops."""
    for name in ENTRIES:
        card = catalog.open_submission(name).card
        values = {key: card.hyperparameters[key] for key in ("lr", "weight_decay", "batch", "rho", "period")}
        assert values == {"lr": 1e-4, "weight_decay": 1e-6, "batch": 64, "rho": 0.05, "period": 10}
        assert card.trainer["max_epochs"] == 200
        assert card.hyperparameters["loss"] == "prophazards"
        assert card.hyperparameters.get("crop", 64) == 64
    (optimizer,), (schedule,) = entry("glioma_vit").configure_optimizers()
    assert isinstance(optimizer, SAM)
    assert (schedule.T_max, schedule.eta_min) == (10, 1e-6)
    (plain,), _ = entry("glioma_vit", rho=0.0).configure_optimizers()
    assert type(plain).__name__ == "AdamP"


def test_the_autoencoder_draws_its_input_again() -> None:
    """The drawing has the input's shape; its error is part of the loss; wrong sides are refused."""
    model, batch = entry("glioma_vit"), made_up(2)[[0, 1]]
    inputs = model.prepare(batch["image"])
    outputs, drawn = model.network.both(inputs)
    assert drawn.shape == inputs.shape == (2, 4, 32, 32, 16)
    assert torch.equal(outputs, model.network(inputs))
    survival = model.head.loss(outputs, batch["time"], batch["event"])
    error = float((drawn - inputs).square().mean())
    assert float(model.training_loss(batch)) == pytest.approx(float(survival) + error, abs=1e-4)
    with pytest.raises(UserError, match=r"multiples of 16, but got model.size=\[30, 32, 16\]"):
        entry("glioma_vit", size=[30, 32, 16])


# -------------------------------------------------------------------------------------- pretrained
def test_local_weights_are_loaded(tmp_path: Path) -> None:
    """A donor's file fills the network: both answer alike; an entry looks in its own folder."""
    donor = Baseline().eval()
    donor.network.classifier.weight.data.normal_()
    torch.save(donor.network.state_dict(), tmp_path / "weights.pth")
    model = Baseline(pretrained=str(tmp_path / "weights.pth"))
    assert torch.equal(predict(model, made_up(2))["risk"], predict(donor, made_up(2))["risk"])
    with pytest.raises(UserError, match=r"submissions/glioma_vit/absent.pth"):
        entry("glioma_vit", pretrained="absent.pth")


def test_the_source_model_is_extended_by_a_network_alone() -> None:
    """An entrant's network of a few lines trains with the source's optimizer and answers."""

    class Tiny(SourceModel):
        def build_network(self) -> nn.Module:
            return networks.TissueShares(self.head.outputs, 4, 3)

    model = Tiny(batch=8, lr=0.01)
    losses = [float(fit(model, made_up(16), max_epochs=n).callback_metrics["loss"]) for n in (1, 12)]
    assert losses[1] < losses[0]
    assert is_an_answer(predict(model, made_up(3)), 3)
