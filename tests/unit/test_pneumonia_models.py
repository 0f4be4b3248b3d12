"""The pneumonia baseline, what entrants may override of it, and the entries of the source's ladder."""

from __future__ import annotations

import importlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812  the field's name for it
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from challenges.pneumonia import augmentation, networks
from challenges.pneumonia.baseline import Model as Baseline
from challenges.pneumonia.baseline import SourceModel, best_threshold
from harness import catalog
from harness.cards import SubmissionCard
from harness.errors import UserError
from harness.space import parse_space
from harness.training import CaseDataset
from tests.fits import fit, predict

LADDER = ("base", "optimiser", "densenet", "augmented", "wide")
COMPARED = ("resnet", "vgg16", "inception")
TUNED = ("optimizer", "lr", "momentum")


def card_of(step: str) -> SubmissionCard:
    """Return an entry's card."""
    return catalog.open_submission(f"pneumonia_{step}").card


def entry(step: str, **changed: Any) -> SourceModel:
    """Return an entry's model with its card's hyperparameters."""
    module = importlib.import_module(f"submissions.pneumonia_{step}.model")
    model: SourceModel = module.Model(**{**card_of(step).hyperparameters, **changed})
    return model


def made_up(cases: int, size: int = 64) -> CaseDataset:
    """Return films of noise; those of pneumonia have a bright square somewhere."""
    rng = np.random.default_rng(0)
    truth = np.arange(cases) % 4 > 0
    images = rng.integers(60, 120, (cases, 1, size, size), dtype=np.uint8)
    for row in np.flatnonzero(truth):
        top, left = rng.integers(size // 4, size // 2, 2)
        images[row, 0, top : top + size // 4, left : left + size // 4] += 100
    order = rng.permutation(cases)
    labels = {"pneumonia": truth[order].astype(np.uint8), "agent": truth[order].astype(np.uint8)}
    return CaseDataset({"image": images[order]}, np.arange(cases), labels)


class Small(nn.Module):
    """A network of a few weights, in the place of DenseNet's millions."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Linear(8, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.classifier(self.features(images).amax((-2, -1)))
        return logits


class SmallModel(Baseline):
    """The baseline with another network."""

    def build_network(self) -> nn.Module:
        """Return the small network."""
        return Small()


class Brightness(SmallModel):
    """Scores of .2 for a film without the bright square and .36 for one with it, whatever was learned."""

    def scores(self, images: Tensor) -> Tensor:
        """Return the brightest pixel over 600."""
        return images.float().amax((-3, -2, -1)) / 600


# ------------------------------------------------------------------------------------- predictions
@pytest.mark.parametrize("size", [28, 64])
def test_the_baseline_predicts_at_any_size(size: int) -> None:
    """A probability and a decision per film; films below 64 pixels are enlarged."""
    model = Baseline()
    found = predict(model, made_up(3, size))
    assert model.prepare(torch.zeros(1, 1, size, size)).shape == (1, 1, 64, 64)
    assert {key: tuple(value.shape) for key, value in found.items()} == {"pneumonia": (3,), "decision": (3,)}
    assert ((found["pneumonia"] > 0) & (found["pneumonia"] < 1)).all()
    assert torch.equal(found["decision"].bool(), found["pneumonia"] >= 0.5)


@pytest.mark.parametrize("step", [*LADDER, *COMPARED])
def test_every_entry_predicts_at_28_and_64(step: str) -> None:
    """Two films of either size give a probability and a decision each, from logits that differ."""
    model = entry(step, **({"depth": 18} if step in ("optimiser", "resnet") else {}))
    for size in (28, 64):
        found = predict(model, made_up(2, size))
        assert {key: tuple(value.shape) for key, value in found.items()} == {
            "pneumonia": (2,), "decision": (2,),
        }  # fmt: skip
        assert ((found["pneumonia"] >= 0) & (found["pneumonia"] <= 1)).all()
        with torch.no_grad():
            logits = model(torch.from_numpy(made_up(2, size).inputs["image"]))
        assert not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("step", ["small", *LADDER, *COMPARED])
def test_the_named_layer_explains(step: str) -> None:
    """`explained_layer` lies in every entry's network and gives maps; the explained output is one number a film."""
    maps: list[Tensor] = []
    with torch.device("meta"):
        model = entry(step)
        hook = lambda _, __, output: maps.append(output)  # noqa: E731
        model.get_submodule(model.explained_layer).register_forward_hook(hook)
        found = model.explained_output({"image": torch.zeros(2, 1, 64, 64)})
    assert found.shape == (2,)
    assert (maps[0].ndim, len(maps[0])) == (4, 2)


def test_a_larger_side_is_kept_and_a_smaller_one_is_refused() -> None:
    """model.side decides where it is given; below what the network needs it is one sentence."""
    assert SmallModel(side=96).prepare(torch.zeros(1, 1, 64, 64)).shape[-1] == 96
    assert SmallModel().prepare(torch.zeros(1, 1, 80, 80)).shape[-1] == 80
    with pytest.raises(UserError, match=r"32 pixels or more, but got model.side=28"):
        SmallModel(side=28)
    with pytest.raises(UserError, match=r"75 pixels or more, but got model.side=64"):
        entry("inception", side=64)


def test_exposure_does_not_reach_the_baseline() -> None:
    """A darker, flatter film is nearly the same input; to the source's it is not."""
    bright = torch.randint(100, 200, (1, 1, 64, 64))
    dark = 0.5 * bright + 20
    assert torch.allclose(SmallModel().prepare(bright), SmallModel().prepare(dark), atol=0.02)
    source = entry("densenet")
    assert not torch.allclose(source.prepare(bright), source.prepare(dark), atol=0.02)


def test_a_film_and_its_mirror_image_are_one_to_the_baseline() -> None:
    """The prediction is the mean of both."""
    cases = made_up(4)
    mirrored = CaseDataset({"image": np.ascontiguousarray(cases.inputs["image"][..., ::-1])}, cases.rows)
    model = SmallModel()
    here, there = (predict(model, films)["pneumonia"] for films in (cases, mirrored))
    assert torch.allclose(here, there, atol=1e-6)
    one_sided = SmallModel(mirror=False)
    here, there = (predict(one_sided, films)["pneumonia"] for films in (cases, mirrored))
    assert not torch.allclose(here, there, atol=1e-6)


# ---------------------------------------------------------------------------------------- training
def test_a_fit_tells_films_apart() -> None:
    """After a few epochs every made-up film with a bright square scores above every one without."""
    pl.seed_everything(0, verbose=False)
    training = made_up(64)
    model = SmallModel(lr=0.05)
    fit(model, training, max_epochs=6)
    found = predict(model, training)["pneumonia"]
    truth = torch.as_tensor(training.truth["pneumonia"]).bool() if training.truth else torch.zeros(64)
    assert found[truth].min() > found[~truth].max()


@pytest.mark.parametrize("model", [Baseline(), SourceModel(optimizer="adam")])
def test_densenet_trains(model: Baseline) -> None:
    """One epoch changes every weight but those that no film reaches, and no number is lost."""
    before = {name: value.clone() for name, value in model.network.named_parameters()}
    fit(model, made_up(8))
    after = dict(model.network.named_parameters())
    assert all(torch.isfinite(value).all() for value in after.values())
    assert sum(not torch.equal(before[name], after[name]) for name in before) > 0.95 * len(before)


def test_the_same_seed_trains_the_same_model() -> None:
    """Two fits from one seed predict the same numbers; another seed, others."""
    found = []
    for seed in (3, 3, 4):
        pl.seed_everything(seed, verbose=False)
        model = SmallModel()
        fit(model, made_up(24))
        found.append(predict(model, made_up(4))["pneumonia"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_classes_weigh_the_same_whatever_their_share() -> None:
    """Where three of four films have pneumonia, one without weighs three times as much; not in the source."""
    labels = torch.tensor([0.0, 1.0, 1.0, 1.0])
    weights = SmallModel().weigh(labels)
    assert weights[0] == pytest.approx(3 * float(weights[1]))
    assert (weights[labels.long()].sum()) == pytest.approx(4.0)
    assert torch.equal(entry("densenet").weigh(labels), torch.ones(2))
    model = SmallModel()
    fit(model, made_up(16))
    assert torch.allclose(model.class_weights, weights)


def test_the_threshold_comes_from_the_inner_validation_part() -> None:
    """With one it is where balanced accuracy is best; without, and in the source's, it is .5."""
    scores = torch.tensor([0.1, 0.6, 0.7, 0.8, 0.9])
    truth = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0])
    assert float(best_threshold(scores, truth)) == pytest.approx(0.75)
    assert float(best_threshold(scores, torch.ones(5))) == 0.5
    assert float(best_threshold(torch.tensor([0.1, 0.9]), torch.tensor([0.0, 1.0]))) == 0.5

    with_part, without = Brightness(), Brightness()
    fit(with_part, made_up(48), validation=0.5, limit_train_batches=1)
    fit(without, made_up(48), limit_train_batches=1)
    assert 0.2 < float(with_part.threshold) < 0.36
    assert float(without.threshold) == 0.5
    truth = (made_up(48).truth or {})["pneumonia"]
    assert predict(with_part, made_up(48))["decision"].tolist() == truth.tolist()
    assert not predict(without, made_up(48))["decision"].any()


# ------------------------------------------------------------------------------------ augmentation
@pytest.mark.parametrize("size", [28, 64])
@pytest.mark.parametrize(
    "transform", [augmentation.exposures_and_poses, augmentation.rotations, augmentation.four_of_six]
)
def test_augmentation_keeps_shape_and_type_and_never_repeats(transform: Any, size: int) -> None:
    """Every epoch differs, one seed gives the same epochs, the truth stays with its film."""
    films = made_up(12, size)
    made = transform(size) if transform is augmentation.four_of_six else transform()
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        loader = augmentation.augmented_batches(films, made, 4)
        runs.append([list(loader) for _ in range(2)])
    first = runs[0][0]
    assert [batch["image"].shape for batch in first] == [(4, 1, size, size)] * 3
    assert all(batch["image"].dtype == torch.uint8 for batch in first)
    stacked = [torch.cat([batch["image"] for batch in epoch]) for run in runs for epoch in run]
    assert torch.equal(stacked[0], stacked[2])
    assert torch.equal(stacked[1], stacked[3])
    assert not torch.equal(stacked[0].sort(0).values, stacked[1].sort(0).values)
    assert not torch.equal(stacked[0], stacked[4])
    assert sum(int(batch["pneumonia"].sum()) for batch in first) == 9
    plain = films.inputs["image"]
    assert not any((varied == plain).reshape(12, -1).all(1).any() for varied in stacked[0].numpy()[:, None])


def test_one_film_is_varied_otherwise_in_every_epoch_also_by_workers() -> None:
    """A worker starts each epoch anew, and yet gives it other variations."""
    films = made_up(4).subset(np.zeros(4, dtype=np.int64))
    for workers in (0, 1):
        loader = augmentation.augmented_batches(films, augmentation.rotations(), 2, workers)
        epochs = [torch.cat([batch["image"] for batch in loader]) for _ in range(2)]
        assert len(torch.cat(epochs).flatten(1).unique(dim=0)) == 8


def test_four_of_the_six_are_applied() -> None:
    """The draw has six members of the source's kinds, takes four different ones, and always does."""
    (some,) = augmentation.four_of_six(64).transforms
    kinds = {type(member) for member in some.transforms}
    assert kinds == {
        A.ElasticTransform, A.GridDistortion, A.OpticalDistortion, A.Rotate, A.Affine, A.HorizontalFlip,
    }  # fmt: skip
    assert (some.n, some.replace, some.p) == (4, False, 1)
    assert all(member.p == 1 for member in some.transforms)


def test_a_small_last_batch_is_left_out() -> None:
    """Batches are whole, unless there is only one."""
    sizes = [
        [len(batch["image"]) for batch in augmentation.augmented_batches(made_up(n), A.Compose([]), 8)]
        for n in (17, 5)
    ]
    assert sizes == [[8, 8], [5]]


# ---------------------------------------------------------------------------------------- networks
def test_the_networks_have_the_sources_size() -> None:
    """The wide DenseNet has the source's 9,050,882 weights; one channel, two classes."""
    count = {
        name: sum(p.numel() for p in build().parameters())
        for name, build in (("densenet", networks.densenet), ("wide", networks.wide_densenet))
    }
    assert count == {"densenet": 6_949_634, "wide": 9_050_882}


def test_a_depth_without_a_name_is_refused() -> None:
    """One sentence says which depths there are."""
    with pytest.raises(UserError, match=r"No ResNet has 51 layers. Known: 18, 34, 50, 101, 152, 200"):
        networks.resnet(51)


@pytest.mark.parametrize(("name", "nesterov"), [("sgd", False), ("nag", True)], ids=["sgd", "nag"])
def test_the_optimizer_is_the_one_named(name: str, nesterov: bool) -> None:
    """Sgd and nag take the momentum, Adam its own; the rate is the card's."""
    group = SourceModel(optimizer=name, lr=0.25, momentum=0.3).configure_optimizers().param_groups[0]
    assert (group["lr"], group["momentum"], group["nesterov"]) == (0.25, 0.3, nesterov)
    adam = SourceModel(optimizer="adam", lr=0.25, momentum=0.3).configure_optimizers()
    assert (type(adam), adam.param_groups[0]["lr"]) == (torch.optim.Adam, 0.25)


def test_the_rate_is_constant_or_decays() -> None:
    """With decay the rate of the last step is nearly 0, without it is that of the first."""

    class SmallSource(SourceModel):
        def build_network(self) -> nn.Module:
            return Small()

    for decay, last in ((False, 0.01), (True, 0.0)):
        model = SmallSource(decay=decay)
        trainer = fit(model, made_up(24), max_epochs=3)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        assert rate == pytest.approx(last, abs=1e-9)


def test_an_optimizer_that_cannot_be_is_refused() -> None:
    """An unknown name and Nesterov without momentum are each one sentence."""
    with pytest.raises(UserError, match=r"No optimizer named 'lion'. Known: sgd, nag, adam"):
        SourceModel(optimizer="lion")
    with pytest.raises(UserError, match="momentum above 0"):
        SourceModel(optimizer="nag", momentum=0.0)


# ------------------------------------------------------------------------------------------ ladder
def fingerprint(step: str) -> dict[str, Any]:
    """Return all in which two entries may differ, part by part."""
    model, card = entry(step), card_of(step)
    shapes = [(name, tuple(value.shape)) for name, value in model.network.state_dict().items()]
    films = made_up(4)
    assert films.truth is not None
    return {
        "network": shapes,
        "augmentation": model.augmentation(64).to_dict(),
        "optimizer": {key: card.hyperparameters[key] for key in TUNED},
        "input": model.prepare(torch.from_numpy(films.inputs["image"])).flatten().tolist(),
        "weights": model.weigh(torch.as_tensor(films.truth["pneumonia"])).tolist(),
        "rest": {k: v for k, v in card.hyperparameters.items() if k not in (*TUNED, "depth")},
        "trainer": dict(card.trainer),
        "loader": dict(card.loader),
        "preparation": dict(card.preparation),
        "hooks": [
            getattr(type(model), hook).__qualname__
            for hook in ("loss", "normalise", "weigh", "calibrate", "configure_optimizers", "scores")
        ],
    }


def test_each_step_of_the_ladder_changes_one_thing() -> None:
    """Optimizer, network, augmentation, head: in this order, and nothing beside."""
    prints = [fingerprint(step) for step in LADDER]
    changed = [[part for part in a if a[part] != b[part]] for a, b in pairwise(prints)]
    assert changed == [["optimizer"], ["network"], ["augmentation"], ["network"]]


def test_the_comparison_changes_the_network_only() -> None:
    """ResNet, VGG16 and InceptionV3 are the ladder's DenseNet-121 entry with another network."""
    densenet = fingerprint("densenet")
    for step in COMPARED:
        other = fingerprint(step)
        assert [part for part in densenet if densenet[part] != other[part] and part != "input"] == ["network"]
        assert (densenet["input"] == other["input"]) == (step != "inception")


def test_the_sources_grid_is_the_space_of_the_tuned_entry() -> None:
    """12 rates x 10 epochs x 4 depths for Adam, twice as many for either SGD with its two momenta."""
    cells = list(parse_space(card_of("optimiser").space, {}).grid())
    assert len(cells) == 12 * 10 * 4 * (1 + 2 * 2)
    assert {cell["model.optimizer"] for cell in cells if "model.momentum" not in cell} == {"adam"}
    rates = sorted({float(cell["model.lr"] or 0) for cell in cells}, reverse=True)
    assert rates == [0.25 / 2**k for k in range(12)]


# -------------------------------------------------------------------------------------- pretrained
def test_local_weights_are_loaded(tmp_path: Path) -> None:
    """A file with three input channels and 1,000 classes fills all of DenseNet-121 but its last layer."""
    donor = networks.densenet()
    state = {name: torch.full_like(value, 0.25) for name, value in donor.state_dict().items()}
    state["features.conv0.weight"] = torch.full((64, 3, 7, 7), 0.25)
    state["classifier.weight"], state["classifier.bias"] = torch.zeros(1000, 1024), torch.zeros(1000)
    torch.save(state, tmp_path / "weights.pth")
    model = Baseline(pretrained=str(tmp_path / "weights.pth"))
    found = model.network.state_dict()
    assert (found["features.denseblock4.denselayer16.conv2.weight"] == 0.25).all()
    assert torch.allclose(found["features.conv0.weight"], torch.tensor(0.75))
    assert found["classifier.weight"].shape == (2, 1024)
    assert predict(model, made_up(2))["pneumonia"].shape == (2,)


def test_weights_lie_beside_the_model_and_others_are_refused(tmp_path: Path) -> None:
    """A relative name is looked for in the entry's folder; a wrong file is one sentence."""
    with pytest.raises(UserError, match=r"submissions/pneumonia_wide/absent.pth"):
        entry("wide", pretrained="absent.pth")
    torch.save(networks.resnet(18).state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(UserError, match=r"fits 0 of the network's"):
        Baseline(pretrained=str(tmp_path / "resnet.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(UserError, match="is not a file of tensors"):
        Baseline(pretrained=str(tmp_path / "text.pth"))
