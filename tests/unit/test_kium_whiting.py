"""The entry kium_whiting: labels, images, losses, training and answers of the four networks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pytorch_lightning as pl
import timm
import torch
from torch import Tensor, nn

from challenges.kium.columns import LOCATIONS, VIEWS
from harness.training import CaseDataset, ValidatedFoldData
from submissions.kium_whiting.images import cut_margin, for_binary, for_locations, paint_text
from submissions.kium_whiting.model import Model, decide
from submissions.kium_whiting.networks import MedNet, PosteriorNet, SwinNet
from submissions.kium_whiting.progress import Progress, mean_auroc
from submissions.kium_whiting.rows import ImageRows, balanced, in_order
from submissions.kium_whiting.territories import injections, restore

BOXES = ((0.0, 0.0, 0.12, 0.35), (0.88, 0.0, 1.0, 0.35))


# -------------------------------------------------------------------------------------- territories
def restored(locations: Tensor, pcom: str) -> Tensor:
    """Every location, to the labels of the images and back."""
    return restore([(one, one.labels(locations)) for one in injections(pcom).values()])


@pytest.mark.parametrize("pcom", ["posterior", "anterior"])
def test_all_locations_survive_the_way_to_the_images_and_back(pcom: str) -> None:
    """Left, right and BA return to their own columns, wherever PCOM is."""
    locations = torch.cat([torch.eye(21), torch.randint(0, 2, (50, 21)).float()])
    assert torch.equal(restored(locations, pcom), locations)


def test_the_images_are_those_of_the_injection() -> None:
    """Anterior is LI-A, LI-B, RI-A, RI-B and posterior the V views, in that order."""
    anterior, posterior = injections().values()
    assert [VIEWS[i] for i in anterior.views] == ["LI-A", "LI-B", "RI-A", "RI-B"]
    assert [VIEWS[i] for i in posterior.views] == ["LV-A", "LV-B", "RV-A", "RV-B"]


def test_labels_are_those_of_the_side() -> None:
    """L_MCA is on both left carotid images and on no right one; BA is on all four vertebral ones."""
    locations = torch.zeros(1, 21)
    locations[0, [LOCATIONS.index("L_MCA"), LOCATIONS.index("BA")]] = 1
    anterior, posterior = injections().values()
    mca, ba = anterior.arteries.index("MCA"), posterior.arteries.index("BA")
    assert anterior.labels(locations)[0, :, mca].tolist() == [1, 1, 0, 0]
    assert posterior.labels(locations)[0, :, ba].tolist() == [1, 1, 1, 1]
    assert anterior.labels(locations).sum() == 2
    assert posterior.labels(locations).sum() == 4


def test_pcom_is_moved_by_a_word() -> None:
    """The team had PCOM with the vertebral images; "anterior" moves it, anything else is refused."""
    assert [len(i.arteries) for i in injections("posterior").values()] == [5, 6]
    assert [len(i.arteries) for i in injections("anterior").values()] == [6, 5]
    assert injections("anterior")["anterior"].arteries[-1] == "PCOM"
    with pytest.raises(ValueError, match="'anterior' or 'posterior', but got 'both'"):
        injections("both")


def test_a_location_takes_the_larger_angle_and_ba_the_larger_side() -> None:
    """Maxima, not means, and never of the other side."""
    anterior, posterior = injections().values()
    front, back = torch.zeros(1, 4, 5), torch.zeros(1, 4, 6)
    front[0, :, 0] = torch.tensor([0.1, 0.4, 0.3, 0.2])
    back[0, :, posterior.arteries.index("BA")] = torch.tensor([0.5, 0.6, 0.2, 0.9])
    scores = restore([(anterior, front), (posterior, back)])[0]
    named = dict(zip(LOCATIONS, scores.tolist(), strict=True))
    assert (named["L_ICA"], named["R_ICA"], named["BA"]) == pytest.approx((0.4, 0.3, 0.9))


# ------------------------------------------------------------------------------------------- images
def picture(height: int = 90, width: int = 100) -> np.ndarray:
    """A grey ground with noise and dark arteries through the centre, both ways."""
    image = np.random.default_rng(0).normal(150, 6, (height, width))
    image[height // 2 - 2 : height // 2 + 2] -= 90
    image[:, width // 2 - 2 : width // 2 + 2] -= 90
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("level", [0, 60, 255])
def test_a_margin_of_any_grey_is_cut(level: int) -> None:
    """Also where it is as grey as the arteries (60) that cross the centre; nothing else is cut."""
    framed = np.full((128, 128), level, np.uint8)
    framed[20:110, 11:111] = picture()
    assert np.array_equal(cut_margin(framed), picture())


def test_text_in_the_margin_goes_with_it() -> None:
    """The scan comes from the centre, so that words on the margin do not stop it."""
    framed = np.zeros((128, 128), np.uint8)
    framed[20:110, 11:111] = picture()
    cv2.putText(framed, "IM 12", (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 255, 1)
    assert np.array_equal(cut_margin(framed), picture())


def test_each_side_has_its_own_margin() -> None:
    """Padding above and below only leaves the width alone."""
    framed = np.full((128, 100), 150, np.uint8)
    framed[19:109] = picture()
    assert np.array_equal(cut_margin(framed), picture())


def test_without_a_margin_nothing_is_cut() -> None:
    """A plain picture and a blank one come back whole."""
    assert np.array_equal(cut_margin(picture()), picture())
    blank = np.zeros((64, 64), np.uint8)
    assert cut_margin(blank).shape == (64, 64)


def test_text_is_painted_with_the_mean_of_its_neighbour() -> None:
    """The box takes one grey, that of the region beside it; the rest is untouched."""
    image = picture(100, 100)
    written = image.copy()
    cv2.putText(written, "60cm", (1, 9), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 255, 1)
    painted = paint_text(written, BOXES)
    assert np.unique(painted[:12, :35]).tolist() == [round(float(image[:12, 35:70].mean()))]
    assert np.array_equal(painted[12:], image[12:])
    assert np.array_equal(painted[:12, 35:], image[:12, 35:])


def test_without_text_nothing_is_painted() -> None:
    """Noise and arteries in a box are no text."""
    image = picture(100, 100)
    image[:12, 5:9] = 40
    assert np.array_equal(paint_text(image, BOXES), image)


def test_the_aneurysm_networks_see_the_inverse_without_specks() -> None:
    """A dark artery becomes bright, a single white pixel vanishes; the location networks see it as it is."""
    image = np.full((60, 60), 200, np.uint8)
    image[20:30] = 50
    image[40, 40] = 255
    binary = for_binary(image, 60)
    assert (binary[25] == 205).all()
    assert (binary[40] == 55).all()
    assert np.array_equal(for_locations(image, 60), image)
    assert for_binary(image, 33).shape == for_locations(image, 77)[:33, :33].shape


# ----------------------------------------------------------------------------------------- networks
def test_the_networks_have_the_team_s_widths() -> None:
    """SwinV2-CR tiny with 1000 classes, two ResNet18, and the heads of the report."""
    swin, med, posterior = SwinNet(5, 64), MedNet(), PosteriorNet(6)
    assert sum(p.numel() for p in swin.backbone.parameters()) == 28_330_396
    assert tuple(med.backbone.conv1.weight.shape) == (64, 1, 7, 7)
    assert [m.out_features for m in med.head if isinstance(m, nn.Linear)] == [256, 128, 16, 1]
    assert sum(p.numel() for p in posterior.backbone.parameters()) == 11_689_512
    assert [m.out_features for m in posterior.head if isinstance(m, nn.Linear)] == [100, 10, 6]
    for network, outputs in ((swin, 5), (med, 1), (posterior, 6)):
        assert network.eval()(torch.zeros(2, 1, 64, 64)).shape == (2, outputs)


@pytest.mark.parametrize("backbone", ["densenet121", "resnet50"])
def test_the_backbone_can_be_another(backbone: str) -> None:
    """The head follows the backbone's width."""
    assert MedNet(backbone).eval()(torch.zeros(1, 1, 64, 64)).shape == (1, 1)


def test_colour_weights_reach_both_resnets(tmp_path: Path) -> None:
    """A ResNet18 file for three channels fills the grey network by its sum, the other as it is."""
    source = timm.create_model("resnet18", num_classes=1000)
    torch.save(source.state_dict(), tmp_path / "resnet18.pth")
    med, posterior = (MedNet(weights=tmp_path / "resnet18.pth"), PosteriorNet(6, tmp_path / "resnet18.pth"))
    assert torch.allclose(med.backbone.conv1.weight, source.conv1.weight.sum(1, keepdim=True), atol=1e-6)
    assert torch.equal(posterior.backbone.fc.weight, source.fc.weight)


def asymmetric(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Ridnik et al. 2021 on probabilities: gamma- 4, gamma+ 1, margin .05; summed, per image."""
    shifted = (probabilities - 0.05).clamp(min=0)
    positive = labels * (1 - probabilities) * probabilities.log()
    negative = (1 - labels) * shifted**4 * (1 - shifted).log()
    return -(positive + negative).sum() / len(labels)


@pytest.fixture(scope="module")
def model() -> Model:
    """The four networks on small images."""
    pl.seed_everything(0, verbose=False)
    return Model(binary_size=64, location_size=64, images=8, text_boxes=BOXES)


def test_the_asymmetric_loss_takes_logits_once(model: Model) -> None:
    """It equals the published formula on sigmoid(logits), value and gradient, and not on sigmoid twice."""
    labels = torch.randint(0, 2, (16, 5)).float()
    ours = torch.randn(16, 5, requires_grad=True)
    reference = ours.detach().double().requires_grad_()
    loss = model.loss("locations_anterior", ours, labels)
    expected = asymmetric(reference.sigmoid(), labels.double())
    loss.backward()
    expected.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert ours.grad is not None
    assert torch.allclose(ours.grad.double(), reference.grad, atol=1e-6)
    twice = asymmetric(reference.detach().sigmoid().sigmoid(), labels)
    assert float(twice) != pytest.approx(float(expected.detach()), rel=0.05)


def test_the_aneurysm_loss_is_cross_entropy_of_the_probability(model: Model) -> None:
    """BCE on sigmoid(logits)."""
    logits, labels = torch.randn(16, 1), torch.randint(0, 2, (16, 1)).float()
    expected = nn.BCELoss()(logits.sigmoid(), labels)
    assert float(model.loss("binary_posterior", logits, labels)) == pytest.approx(float(expected), rel=1e-5)


def test_each_network_has_its_own_optimizer(model: Model) -> None:
    """AdamW with the team's numbers: 1e-4 for aneurysm, 1e-3 for locations."""
    optimizers, schedules = model.configure_optimizers()
    assert [o.defaults["lr"] for o in optimizers] == [1e-4, 1e-4, 1e-3, 1e-3]
    assert {(o.defaults["eps"], o.defaults["weight_decay"]) for o in optimizers} == {(1e-6, 1e-5)}
    assert {(s.mode, s.factor, s.patience, s.min_lrs[0]) for s in schedules} == {("max", 0.1, 2, 1e-8)}
    owned = [sum(p.numel() for g in o.param_groups for p in g["params"]) for o in optimizers]
    assert owned == [sum(p.numel() for p in network.parameters()) for network in model.networks.values()]


# --------------------------------------------------------------------------------------------- rows
def patients(n: int, size: int = 64) -> CaseDataset:
    """Patients whose every second one has an L_ICA; image v of patient p is all 8 p + v at its corner."""
    views = np.random.default_rng(1).integers(0, 256, (n, 8, size, size), dtype=np.uint8)
    views[:, :, 0, 0] = np.arange(8 * n).reshape(n, 8)
    locations = np.zeros((n, 21), dtype=np.uint8)
    locations[::2, 0] = 1
    truth = {"aneurysm": locations.max(1), "locations": locations}
    return CaseDataset({"views": views}, np.arange(n), truth)


def test_rows_pair_an_image_with_the_labels_of_its_side() -> None:
    """Row 4 p + k is the injection's k-th image of patient p, also in a subset."""
    cases = patients(6).subset(np.array([4, 1]))
    carotid = injections()["anterior"]
    labels = carotid.labels(torch.as_tensor(cases.truth["locations"]).float())
    rows = ImageRows(cases, carotid.views, labels, lambda view: view)
    corners = [int(rows[i]["image"][0, 0, 0]) for i in range(len(rows))]
    assert corners == [8 * p + v for p in (4, 1) for v in (0, 1, 4, 5)]
    assert [int(rows[i]["labels"][0]) for i in range(len(rows))] == [1, 1, 0, 0, 0, 0, 0, 0]


def test_training_draws_evenly_and_validation_draws_each_once() -> None:
    """A tenth of positives becomes about half in training; the validation part is left as it is."""
    labels = torch.zeros(100, 4, 1)
    labels[:10] = 1
    rows = ImageRows(patients(100, size=2), (0, 1, 4, 5), labels, lambda view: view)
    torch.manual_seed(0)
    drawn = torch.cat([batch["labels"] for batch in balanced(rows, 32, 0)])
    assert 0.4 < float(drawn.mean()) < 0.6
    seen = torch.cat([batch["labels"] for batch in in_order(rows, 32, 0)])
    assert float(seen.mean()) == pytest.approx(0.1)
    assert len(seen) == 400


def test_a_finished_network_reads_no_more_images() -> None:
    """Its rows are empty, whenever it finishes."""
    finished: set[str] = set()
    rows = ImageRows(
        patients(2), (0, 1, 4, 5), torch.zeros(2, 4, 1), lambda v: v, name="a", finished=finished
    )
    assert "image" in rows[0]
    finished.add("a")
    assert rows[0] == {}


# ----------------------------------------------------------------------------------------- progress
def test_the_best_weights_are_kept_by_value() -> None:
    """Training on does not change the copy, and restoring returns it; the team's `best = model` did not."""
    network, progress = nn.Linear(1, 1), Progress(patience=2)
    stops = []
    for epoch, score in enumerate([0.5, 0.9, math.nan, 0.9, 0.7]):
        nn.init.constant_(network.weight, float(epoch))
        stops.append(progress.update(score, network))
    assert stops == [False, False, False, False, True]
    progress.restore(network)
    assert network.weight.item() == 1.0


def test_without_a_score_the_last_weights_stay() -> None:
    """An undefined AUROC neither stops a network nor chooses its weights."""
    network, progress = nn.Linear(1, 1), Progress(patience=1)
    assert not any(progress.update(math.nan, network) for _ in range(5))
    nn.init.constant_(network.weight, 3.0)
    progress.restore(network)
    assert network.weight.item() == 3.0


def test_auroc_is_that_of_probabilities_over_defined_columns() -> None:
    """A column with one class is left out; rounding to 0/1 would have given another number."""
    labels = torch.tensor([[0, 1, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]])
    probabilities = torch.tensor([[0.1, 0.9, 0.2], [0.3, 0.8, 0.1], [0.2, 0.7, 0.3], [0.4, 0.6, 0.4]])
    assert mean_auroc(labels, probabilities) == pytest.approx((0.75 + 1.0) / 2)
    assert math.isnan(mean_auroc(labels[:, 2:], probabilities[:, 2:]))


# ------------------------------------------------------------------------------------------ answers
def test_thresholds_are_the_median_and_the_ninetieth_percentile() -> None:
    """Of the training patients' scores; a constant replaces the median only."""
    aneurysm, locations = torch.rand(101), torch.rand(101, 21)
    model = Model.__new__(Model)
    pl.LightningModule.__init__(model)
    model.register_buffer("aneurysm_threshold", torch.tensor(0.0))
    model.register_buffer("location_thresholds", torch.zeros(21))
    for constant, expected in ((None, float(aneurysm.median())), (0.65, 0.65)):
        model.hparams.update({"aneurysm_threshold": constant, "location_percentile": 90.0})
        model.calibrate(aneurysm, locations)
        assert float(model.aneurysm_threshold) == pytest.approx(expected)
        ninetieth = np.percentile(locations.numpy(), 90, axis=0)
        assert np.allclose(model.location_thresholds.numpy(), ninetieth)


def test_no_location_without_an_aneurysm_above_its_threshold() -> None:
    """Equal is not above, for the aneurysm and for a location."""
    scores = torch.tensor([[0.9, 0.5, 0.1]]).repeat(3, 1)
    called = decide(
        torch.tensor([0.64, 0.65, 0.66]), scores, torch.tensor(0.65), torch.tensor([0.2, 0.5, 0.2])
    )
    assert called.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_the_aneurysm_is_the_larger_of_two_means(model: Model) -> None:
    """Each mean is of the probabilities of one injection's four images, of the right network."""
    views = torch.randint(0, 256, (2, 8, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        aneurysm, locations = model.eval().scores(views)
        means = []
        for name, letter in (("anterior", "I"), ("posterior", "V")):
            own = [i for i, view in enumerate(VIEWS) if view[1] == letter]
            images = np.stack([model.prepare(v.numpy(), binary=True) for v in views[:, own].flatten(0, 1)])
            inputs = torch.from_numpy(images)[:, None].float() / 127.5 - 1
            means.append(model.networks[f"binary_{name}"](inputs).sigmoid().view(2, 4).mean(1))
    assert torch.allclose(aneurysm, torch.stack(means).amax(0), atol=1e-5)
    assert locations.shape == (2, 21)
    assert ((locations > 0) & (locations < 1)).all()


@pytest.fixture(scope="module")
def trained() -> tuple[Model, Any]:
    """One that trained for two epochs on ten patients; its aneurysm networks have no learning rate."""
    pl.seed_everything(0, verbose=False)
    model = Model(binary_size=64, location_size=64, images=8, patience=1, binary_lr=0.0)
    data = ValidatedFoldData(model, patients(10), {"batch_size": 4, "workers": 0, "validation": 0.4}, seed=0)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    before = {n: v.clone() for n, v in model.networks.state_dict().items()}
    trainer.fit(model, datamodule=data)
    return model, (before, data)


@pytest.mark.nightly
def test_the_networks_train_and_the_best_weights_return(trained: tuple[Model, Any]) -> None:
    """Those with a learning rate have moved; each ends with the weights of its best epoch."""
    model, (before, _) = trained
    after = model.networks.state_dict()
    assert not torch.equal(before["locations_anterior.head.weight"], after["locations_anterior.head.weight"])
    assert torch.equal(before["binary_anterior.head.0.weight"], after["binary_anterior.head.0.weight"])
    for name, progress in model.progress.items():
        if progress.weights is not None:
            kept = model.networks[name].state_dict()
            assert all(torch.equal(value, kept[key]) for key, value in progress.weights.items())
    assert model.progress["binary_anterior"].weights is not None


@pytest.mark.nightly
def test_training_and_validation_patients_are_different_people(
    trained: tuple[Model, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inner split is of patients before they become images: no patient is in both."""
    model, (_, data) = trained
    training, validation = ({int(r) for r in part.rows} for part in (data.training, data.validation))
    assert not training & validation
    monkeypatch.setattr(model, "finished", set())
    loader = model.validation_loader(data.validation)
    images = sum(len(batch["binary_anterior"]["image"]) for batch, _, _ in loader)
    assert images == 4 * len(validation)


@pytest.mark.nightly
def test_predictions_keep_the_contract(trained: tuple[Model, Any]) -> None:
    """Probabilities and 0/1 decisions, with thresholds that come from the training patients."""
    model, (_, data) = trained
    batch = next(iter(data.training_eval_dataloader()))
    with torch.no_grad():
        out = model.eval().predict_step(batch)
    assert out["aneurysm"].shape == (4,)
    assert out["locations"].shape == out["location_scores"].shape == (4, 21)
    assert set(out["locations"].unique().tolist()) <= {0, 1}
    assert 0 < float(model.aneurysm_threshold) < 1
    assert not torch.equal(model.location_thresholds, torch.full((21,), 0.5))
