"""The BraTS baseline, its patches, what entrants may override of it, and the entries that ship."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from monai.transforms import ConvertToMultiChannelBasedOnBratsClasses
from torch import Tensor, nn

from challenges.brats.baseline import Model as Baseline
from challenges.brats.baseline import labels_of, regions_of
from challenges.brats.data import decode
from challenges.brats.patches import PatchDataset, PatchSampler, cut, cut_labels, patch_batches, tumour_voxel
from harness import catalog
from harness.contracts import Case
from harness.errors import UserError
from harness.segmentation.nifti import read_labels
from harness.training import CaseDataset, batches
from harness.volumes import Volume, column
from submissions.pnu_unet.model import Model as Pnu
from submissions.pnu_unet.model import restored
from tests import fits
from tests.real import real_data

ENTRIES = {
    "brats_segresnet": {"patch": 16, "width": 8},
    "brats_swinunetr": {"patch": 64, "width": 12},
    "pnu_unet": {"size": 32, "filters": 4, "slices": 4},
}
"""Of each entry, what makes it small."""
SMALL: dict[str, Any] = {"patch": 16, "width": 8, "levels": 3, "per_case": 1, "batch": 1}


class Columns:
    """A column of arrays of different shapes, as harness.ragged.Ragged."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self.arrays = arrays

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.arrays[int(rows)] if np.ndim(rows) == 0 else np.stack([self.arrays[i] for i in rows])

    def __len__(self) -> int:
        return len(self.arrays)


def made_up(cases: int, seed: int = 0) -> CaseDataset:
    """Return heads of different sizes with a tumour of three nested balls, the last case without ET."""
    rng = np.random.default_rng(seed)
    images, rows, volumes = [], [], []
    for case in range(cases):
        grid = rng.integers(26, 34, 3)
        start, size = rng.integers(0, 4, 3), rng.integers(18, 22, 3)
        labels = np.zeros(grid, dtype=np.uint8)
        centre = start + size / 2 + rng.uniform(-2, 2, 3)
        away = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(np.indices(grid), centre, strict=True)))
        for radius, label in ((7, 2), (5, 3 if case < cases - 1 else 1), (3, 1)):
            labels[away < radius] = label
        crop = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
        levels = np.array([[400, 300, 500, 800], [400, 300, 800, 600], [400, 900, 700, 600]])
        bright = np.full((4, *grid), 400)
        for label in (1, 2, 3):
            bright[:, labels == label] = levels[label - 1][:, None]
        image = (bright + rng.normal(0, 40, bright.shape))[(slice(None), *crop)].astype(np.int16)
        image[:, 0, 0] = 0
        images.append(image)
        brain = [channel[channel != 0] for channel in image]
        moments = [[f(channel) for channel in brain] for f in (np.mean, np.std)]
        rows.append((grid, start, *moments))
        volumes.append(Volume.of(labels))
    names, kinds = ("grid", "start", "mean", "std"), (np.int64, np.int64, np.float32, np.float32)
    plain = {
        name: np.array([row[i] for row in rows], dtype=kind)
        for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    inputs = {"image": Columns(images), "spacing": np.ones((cases, 3), dtype=np.float32), **plain}
    return CaseDataset(inputs, np.arange(cases), {"labels": column(volumes)})


fit = partial(fits.fit, batch_size=1)


def predict(model: pl.LightningModule, cases: CaseDataset) -> list[Tensor]:
    """Return the label map of each case, without its truth."""
    model.eval()
    with torch.no_grad():
        parts = [model.predict_step(batch, 0) for batch in batches(CaseDataset(cases.inputs, cases.rows), 1)]
    return [part["labels"][0] for part in parts]


def truth_of(cases: CaseDataset) -> list[Tensor]:
    """Return the true label maps."""
    assert cases.truth is not None
    return [torch.from_numpy(volume.array()) for volume in cases.truth["labels"]]


def entry(name: str, **changed: Any) -> Any:
    """Return an entry's model, small."""
    card = catalog.open_submission(name).card
    module = importlib.import_module(f"submissions.{name}.model")
    return module.Model(**{**card.hyperparameters, **ENTRIES[name], **changed})


class Oracle(nn.Module):
    """A network that reads the regions off the four modalities, one in four voxels of ET missing its level."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits: the first three modalities, shifted."""
        return (inputs[:, :3] - 0.5) * 20


# ----------------------------------------------------------------------------------------- regions
def test_regions_are_whole_tumour_core_and_enhancing_in_this_order() -> None:
    """A hand-made row; monai's own transform has the same three, TC first."""
    labels = torch.tensor([[[[0, 1, 2, 3]]]], dtype=torch.uint8)
    found = regions_of(labels)[0, :, 0, 0]
    assert found.tolist() == [[0, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]]
    theirs = ConvertToMultiChannelBasedOnBratsClasses(et_label=3)(labels)
    assert torch.equal(found.bool(), torch.as_tensor(theirs)[[1, 0, 2], 0, 0])


def test_labels_come_back_from_their_regions() -> None:
    """Every label survives; where regions contradict each other the inner one holds."""
    labels = torch.randint(0, 4, (5, 6, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(labels_of(regions_of(labels[None])[0].bool()), labels)
    assert labels_of(torch.tensor([False, True, False])).item() == 1
    assert labels_of(torch.tensor([False, False, True])).item() == 3


@pytest.mark.parametrize(("least", "label"), [(0, 3), (2, 3), (3, 1)])
def test_little_enhancing_tumour_becomes_core_where_asked_for(least: int, label: int) -> None:
    """Two voxels of ET stay with a limit of 2 and not with one of 3."""
    labels = torch.tensor([[[0, 2, 3, 3, 1]]], dtype=torch.uint8)
    found = labels_of(regions_of(labels[None])[0].bool(), least)
    assert found.tolist() == [[[0, 2, label, label, 1]]]


def test_a_crop_is_pasted_where_it_was() -> None:
    """Restoring is exact, also at both borders of the grid."""
    whole = torch.zeros(7, 9, 5, dtype=torch.uint8)
    for start in ((0, 0, 0), (2, 3, 1), (3, 5, 2)):
        crop = torch.randint(1, 4, (4, 4, 3), dtype=torch.uint8)
        wanted = whole.clone()
        wanted[start[0] : start[0] + 4, start[1] : start[1] + 4, start[2] : start[2] + 3] = crop
        found = Baseline.restore(crop, torch.tensor(start), torch.tensor([7, 9, 5]))
        assert torch.equal(found, wanted)
        assert found.dtype == torch.uint8


# ----------------------------------------------------------------------------------------- patches
def test_a_patch_is_the_image_and_the_truth_at_one_place() -> None:
    """Image and labels equal the same part of the whole arrays; beyond a small crop there are zeros."""
    cases = made_up(3)
    whole = truth_of(cases)
    for size in ((8, 9, 10), (32, 8, 32)):
        dataset = PatchDataset(cases, size, 0.5)
        for seed in range(6):
            position = seed % 3
            batch = dataset[[(position, seed)]]
            image, start = cases.inputs["image"][position], cases.inputs["start"][position]
            assert batch["image"].shape == (1, 4, *size)
            assert (batch["image"].dtype, batch["labels"].dtype) == (torch.int16, torch.uint8)
            truth = whole[position].numpy()[
                tuple(slice(a, a + n) for a, n in zip(start, image.shape[1:], strict=True))
            ]
            assert _found(batch["image"][0].numpy(), batch["labels"][0].numpy(), image, truth)
            assert torch.equal(batch["mean"][0], torch.from_numpy(cases.inputs["mean"][position]))


def _found(image: np.ndarray, labels: np.ndarray, whole: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a patch occurs in a case padded at its end, image and labels at one place."""
    size = np.array(labels.shape)
    room = np.maximum(np.array(truth.shape) - size, 0)
    pads = [(0, max(0, n - m)) for n, m in zip(size, truth.shape, strict=True)]
    whole, truth = np.pad(whole, [(0, 0), *pads]), np.pad(truth, pads)
    for x, y, z in np.ndindex(*(room + 1)):
        box = (slice(x, x + size[0]), slice(y, y + size[1]), slice(z, z + size[2]))
        if np.array_equal(whole[(slice(None), *box)], image) and np.array_equal(truth[box], labels):
            return True
    return False


def test_foreground_patches_are_centred_on_tumour() -> None:
    """With a share of 1 the middle voxel is tumour, of every label alike; with 0, as often as chance has it."""
    cases = made_up(4)
    drawn = [(position, seed) for position in range(4) for seed in range(60)]
    middles = {
        share: PatchDataset(cases, (5, 5, 5), share)[drawn]["labels"][:, 2, 2, 2] for share in (0.0, 1.0)
    }
    counts = torch.bincount(middles[1.0][:180].long(), minlength=4)
    assert counts[0] == 0
    assert (counts[1:] > 40).all()
    assert 0.02 < (middles[0.0] > 0).float().mean() < 0.6
    assert (middles[1.0][180:] < 3).all()


def test_a_case_without_tumour_gives_patches_without_it() -> None:
    """There is nothing to centre on, and no error."""
    cases = made_up(1)
    assert cases.truth is not None
    cases.truth["labels"] = column([Volume.of(np.zeros(cases.inputs["grid"][0], dtype=np.uint8))])
    batch = PatchDataset(cases, (8, 8, 8), 1.0)[[(0, 5), (0, 6)]]
    assert not batch["labels"].any()
    assert batch["image"].any()
    empty: Volume = cases.truth["labels"][0]
    assert tumour_voxel(empty, empty.inside(), np.random.default_rng(0)) is None


def test_labels_are_cut_wherever_the_patch_lies() -> None:
    """Any position, also partly or wholly beside the grid, equals the padded whole."""
    labels = np.zeros((6, 7, 8), dtype=np.uint8)
    labels[2:5, 1:4, 3:7] = np.random.default_rng(0).integers(1, 4, (3, 3, 4))
    volume, padded = Volume.of(labels), np.pad(labels, 9)
    for start in ((-3, 0, 2), (2, 1, 3), (4, 5, 6), (9, 9, 9), (-4, -4, -4)):
        out = np.zeros((4, 3, 5), dtype=np.uint8)
        cut_labels(volume, volume.inside(), start, out)
        x, y, z = (a + 9 for a in start)
        assert np.array_equal(out, padded[x : x + 4, y : y + 3, z : z + 5])


def test_a_patch_is_read_without_the_rest(tmp_path: Path) -> None:
    """A slice of a memory-mapped file is what a slice of the array is."""
    image = np.random.default_rng(0).integers(-50, 50, (4, 9, 8, 7)).astype(np.int16)
    np.save(tmp_path / "image.npy", image)
    out = np.zeros((4, 5, 5, 5), dtype=np.int16)
    cut(np.load(tmp_path / "image.npy", mmap_mode="r"), (6, 3, 1), out)
    assert np.array_equal(out[:, :3], image[:, 6:9, 3:8, 1:6])
    assert not out[:, 3:].any()


def test_one_seed_gives_the_same_patches_with_workers_or_without() -> None:
    """Another epoch and another seed give others; every case is seen as often as asked for."""
    cases = made_up(3)
    runs = []
    for seed, workers in ((0, 0), (0, 2), (1, 0)):
        torch.manual_seed(seed)
        loader = patch_batches(cases, (8, 8, 8), foreground=0.5, per_case=2, batch=4, workers=workers)
        runs.append([torch.cat([batch["image"] for batch in loader]) for _ in range(2)])
    assert torch.equal(torch.stack(runs[0]), torch.stack(runs[1]))
    assert not torch.equal(runs[0][0], runs[0][1])
    assert not torch.equal(runs[0][0], runs[2][0])
    epoch = list(PatchSampler(3, 2, 4))
    assert [len(batch) for batch in epoch] == [4, 2]
    assert sorted(position for batch in epoch for position, _ in batch) == [0, 0, 1, 1, 2, 2]
    assert len({seed for batch in epoch for _, seed in batch}) == 6


# -------------------------------------------------------------------------------------- the baseline
def test_background_stays_zero_and_brain_is_in_its_own_units() -> None:
    """Each modality's brain has mean 0 and deviation 1 after normalisation, before and after augmentation 0 outside."""
    case = made_up(1)[[0]]
    model = Baseline(**SMALL)
    inputs = model.normalise(case)
    brain = case["image"] != 0
    assert not inputs[~brain].any()
    for channel in range(4):
        values = inputs[0, channel][brain[0, channel]]
        assert abs(float(values.mean())) < 1e-3
        assert float(values.std()) == pytest.approx(1, abs=1e-3)
    labels = Baseline.restore(
        torch.ones(case["image"].shape[2:]), case["start"][0] * 0, torch.tensor(case["image"].shape[2:])
    )
    varied, _ = model.augment(inputs, labels[None])
    assert int((varied != 0).sum()) == int((inputs != 0).sum())


def test_augmentation_moves_labels_with_the_image() -> None:
    """A patch whose image is its labels keeps that relation; one seed repeats, patches of a batch differ."""
    labels = torch.randint(1, 4, (6, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    inputs = labels[:, None].float().repeat(1, 4, 1, 1, 1)
    model = Baseline(**SMALL)
    torch.manual_seed(0)
    varied, moved = model.augment(inputs, labels)
    for image, label in zip(varied, moved, strict=True):
        for channel in image:
            levels = [channel[label == k] for k in (1, 2, 3)]
            assert all(float(level.std()) < 1e-4 for level in levels)
            assert 0.9 <= float(levels[2].mean() - levels[1].mean()) <= 1.1
    assert len({bool(torch.equal(a, b)) for a, b in zip(labels, moved, strict=True)}) == 2
    torch.manual_seed(0)
    assert torch.equal(model.augment(inputs, labels)[0], varied)


def test_a_fit_lowers_the_loss_and_finds_the_tumour() -> None:
    """Trained on four made-up heads, the baseline finds the tumour of two others; untrained it does not."""
    pl.seed_everything(0, verbose=False)
    model = Baseline(**SMALL | {"patch": 24, "per_case": 4, "lr": 0.01})
    others = made_up(2, seed=1)
    truth = truth_of(others)
    before = [dice(a > 0, b > 0) for a, b in zip(predict(model, others), truth, strict=True)]
    losses = [
        float(fit(model.train(), made_up(4), **settings).callback_metrics["loss"])
        for settings in ({"limit_train_batches": 2}, {"max_epochs": 6})
    ]
    after = [dice(a > 0, b > 0) for a, b in zip(predict(model, others), truth, strict=True)]
    assert losses[1] < losses[0] / 2
    assert min(after) > 0.8 > max(before) + 0.2


def dice(a: Tensor, b: Tensor) -> float:
    """Return 2 |A and B| / (|A| + |B|)."""
    return float(2 * (a & b).sum() / (a.sum() + b.sum()).clamp_min(1))


def test_predictions_lie_on_the_whole_grid_of_each_case() -> None:
    """Cases of different grids, larger and smaller than the patch, each get a label map of their own shape."""
    cases = made_up(3)
    for patch in (8, 16, 64):
        model = Baseline(patch=patch, width=8, levels=3)
        found = predict(model, cases)
        assert [tuple(labels.shape) for labels in found] == [tuple(row) for row in cases.inputs["grid"]]
        assert all(labels.dtype == torch.uint8 and int(labels.max()) <= 3 for labels in found)
        for labels, start, image in zip(
            found, cases.inputs["start"], cases.inputs["image"].arrays, strict=True
        ):
            inside = tuple(slice(a, a + n) for a, n in zip(start, image.shape[1:], strict=True))
            assert int((labels > 0).sum()) == int((labels[inside] > 0).sum())


def test_sliding_windows_join_without_a_seam() -> None:
    """A network that looks at one voxel only gives the same whole, in one window and in many."""
    inputs = torch.randn(1, 4, 21, 18, 17, generator=torch.Generator().manual_seed(0))
    model = Baseline(patch=8, width=8, levels=3)
    model.network = Oracle()
    assert torch.allclose(model.slide(inputs, (8, 8, 8)), Oracle()(inputs), atol=1e-4)
    assert model.decide(model.probabilities(inputs, (8, 8, 8))).shape == (21, 18, 17)


def test_mirror_makes_the_prediction_follow_the_mirrored_head() -> None:
    """With it, a mirrored head gives the mirrored probabilities; without it, others."""
    inputs = torch.randn(1, 4, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    for mirror in (True, False):
        model = Baseline(**SMALL, mirror=mirror).eval()
        with torch.no_grad():
            here, there = (model.probabilities(i, (16, 16, 16)) for i in (inputs, inputs.flip(-3, -1)))
        assert torch.allclose(here.flip(-3, -1), there, atol=1e-5) is mirror


def test_the_patch_is_no_larger_than_the_cases() -> None:
    """Along each axis it is the largest crop's length, rounded up to what the network can halve."""
    model = Baseline(patch=64, width=8, levels=4)
    assert model.multiple() == 8
    assert model.window((40, 45, 200), (1, 1, 1)) == (40, 48, 64)
    assert model.window((3, 5, 1), (1, 1, 1)) == (16, 16, 16)
    assert Baseline(patch=64, width=8, levels=4, first_stride=1).multiple() == 4


def test_the_patch_has_the_same_size_in_space_on_any_grid() -> None:
    """128 mm are 128 voxels of 1 mm, whatever a header's rounding, and as many as the network can halve of others."""
    model = Baseline(patch=128, width=8, levels=4)
    assert model.window((999, 999, 999), (1.0001, 0.9999, 1)) == (128, 128, 128)
    assert model.window((999, 999, 999), (4, 3.5, 2)) == (32, 32, 64)
    assert model.window((999, 999, 999), (50, 50, 50)) == (16, 16, 16)


def test_batches_have_the_patch_as_their_size() -> None:
    """The trainer sees patches clipped to the largest of the training crops."""
    sizes = []

    class Seen(Baseline):
        def forward(self, inputs: Tensor) -> Tensor:
            sizes.append(tuple(inputs.shape))
            return super().forward(inputs)

    cases = made_up(2)
    fit(Seen(**SMALL | {"patch": 20, "batch": 2}), cases)
    fit(Seen(**SMALL | {"patch": 64, "batch": 2}), cases)
    largest = np.max([image.shape[1:] for image in cases.inputs["image"].arrays], axis=0)
    assert sizes == [(2, 4, 20, 20, 20), (2, 4, *(-(-largest // 4) * 4).tolist())]


def test_the_same_seed_trains_the_same_model() -> None:
    """Two fits from one seed predict the same; another seed, other probabilities."""
    found = []
    cases = made_up(2)
    for seed in (3, 3, 4):
        pl.seed_everything(seed, verbose=False)
        model = Baseline(**SMALL)
        fit(model, cases)
        with torch.no_grad():
            found.append(model.eval().probabilities(model.normalise(cases[[0]]), (16, 16, 16)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_inner_validation_part_has_a_dice_of_each_region() -> None:
    """With loader.validation the trainer knows the Dice of WT, TC and ET on whole cases."""
    trainer = fit(Baseline(**SMALL), made_up(3), validation=0.5)
    values = {name: float(trainer.callback_metrics[f"validation_dice_{name}"]) for name in ("wt", "tc", "et")}
    assert all(0 <= value <= 1 for value in values.values())


def test_the_rule_for_little_enhancing_tumour_reaches_the_prediction() -> None:
    """With a limit above any case's, no label map has ET, and their cores stay."""
    cases = made_up(2)
    maps = {}
    for least in (0, 10**9):
        model = Baseline(**SMALL, smallest_et=least)
        model.network = Oracle()
        maps[least] = predict(model, cases)
    for plain, ruled in zip(maps[0], maps[10**9], strict=True):
        assert (plain == 3).any()
        assert not (ruled == 3).any()
        assert torch.equal((plain == 1) | (plain == 3), ruled == 1)


def test_a_real_case_trains_and_is_predicted() -> None:
    """The real volumes go through decode, a training step and sliding windows to their whole grid."""
    folder = real_data("brats") / "BraTS-GLI-00001-000"
    files = tuple(folder / f"{folder.name}-{part}.nii.gz" for part in ("t1n", "t1c", "t2w", "t2f"))
    decoded = decode(Case(folder.name, "BraTS-GLI-00001", files), {})
    labels = read_labels(folder / "seg-BraTS23_1.nii.gz", range(4)).labels
    inputs = {name: value[None] for name, value in decoded.items()}
    cases = CaseDataset(inputs, np.arange(1), {"labels": column([Volume.of(labels)])})
    (batch,) = patch_batches(cases, (64, 64, 64), foreground=1.0)
    assert int(batch["labels"][0, 32, 32, 32]) > 0
    model = Baseline(patch=96, width=4, levels=3, per_case=1, overlap=0.0)
    before = [value.clone() for value in model.network.parameters()]
    trainer = fit(model, cases)
    assert torch.isfinite(trainer.callback_metrics["loss"])
    assert sum(not torch.equal(a, b) for a, b in zip(before, model.network.parameters(), strict=True)) > 20
    (found,) = predict(model, cases)
    assert found.shape == (240, 240, 155)
    assert (found.dtype, int(found.max())) in {(torch.uint8, label) for label in range(4)}


# -------------------------------------------------------------------------------------- pretrained
def test_local_weights_are_loaded(tmp_path: Path) -> None:
    """A donor's file fills the network: both answer alike."""
    donor = Baseline(**SMALL).eval()
    torch.save(donor.network.state_dict(), tmp_path / "weights.pth")
    model = Baseline(**SMALL, pretrained=str(tmp_path / "weights.pth")).eval()
    inputs = torch.randn(1, 4, 16, 16, 16)
    assert torch.equal(model(inputs), donor(inputs))
    assert not torch.equal(Baseline(**SMALL).eval()(inputs), donor(inputs))


def test_weights_lie_beside_the_model_and_others_are_refused(tmp_path: Path) -> None:
    """A relative name is looked for in the entry's folder; a wrong file is one sentence."""
    with pytest.raises(UserError, match=r"submissions/brats_segresnet/absent.pth"):
        entry("brats_segresnet", pretrained="absent.pth")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(UserError, match=r"fits 0 of the network's"):
        Baseline(**SMALL, pretrained=str(tmp_path / "linear.pth"))


# --------------------------------------------------------------------------------------- the entries
@pytest.mark.parametrize(
    ("name", "changed"), [*((name, {}) for name in ENTRIES), ("pnu_unet", {"dimensions": 3})]
)
def test_every_entry_trains_and_predicts(name: str, changed: dict[str, Any]) -> None:
    """A step changes nearly every weight; a case gets a label map on its own grid."""
    pl.seed_everything(0, verbose=False)
    cases, model = made_up(1), entry(name, **changed)
    before = {key: value.clone() for key, value in model.network.named_parameters()}
    fit(model, cases, limit_train_batches=1)
    after = dict(model.network.named_parameters())
    assert all(torch.isfinite(value).all() for value in after.values())
    assert sum(not torch.equal(before[key], after[key]) for key in before) > 0.9 * len(before)
    assert [tuple(labels.shape) for labels in predict(model, cases)] == [
        tuple(g) for g in cases.inputs["grid"]
    ]


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("brats_segresnet", (1, 4, 24, 16, 16), 3),
        ("brats_swinunetr", (1, 4, 64, 64, 64), 3),
        ("pnu_unet", (2, 4, 32, 32), 4),
    ],
)
def test_networks_keep_the_shape(name: str, shape: tuple[int, ...], classes: int) -> None:
    """Logits have the shape of the input, one channel a region, or a class in the source's softmax."""
    with torch.no_grad():
        logits = entry(name).eval()(torch.randn(shape))
    assert logits.shape == (shape[0], classes, *shape[2:])


# --------------------------------------------------------------------------------- the source's system
def test_the_source_has_its_own_input() -> None:
    """Slices of the whole grid at the network's size, each modality's brightest voxel of each slice at 1."""
    case = made_up(1)[[0]]
    model = Pnu(size=32, filters=4)
    depths = torch.tensor([2, 7, 15])
    images, targets = model.images_of(case, depths), model.targets_of(case, depths)
    assert images.shape == (3, 4, 32, 32)
    assert targets.shape == (3, 32, 32)
    large = Pnu(size=512, filters=4).images_of(case, depths)
    assert torch.allclose(large.amax((-2, -1)), torch.ones(3, 4), atol=0.02)
    z = int(case["start"][0, 2]) + 7
    wanted = case["labels"][0, :, :, z].unique()
    assert torch.equal(targets[1].unique(), wanted)


def test_the_source_rotates_and_magnifies_labels_with_the_image() -> None:
    """0 degrees and a zoom of 1 change nothing; otherwise a disc stays a disc, and image and labels agree."""
    x, y = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    labels = ((x - 40) ** 2 + (y - 30) ** 2 < 100).to(torch.uint8)[None].repeat(4, 1, 1)
    inputs = labels[:, None].float().repeat(1, 4, 1, 1)
    still = Pnu(size=64, filters=4, rotation=0, zoom=1.0)
    same = still.augment(inputs, labels)
    assert torch.allclose(same[0], inputs, atol=1e-5)
    assert torch.equal(same[1], labels)
    torch.manual_seed(0)
    moved, there = Pnu(size=64, filters=4, rotation=90, zoom=1.1).augment(inputs, labels)
    for image, label, plain in zip(moved, there, labels, strict=True):
        assert dice(image[0] > 0.5, label > 0) > 0.9
        assert 0.98 < float(label.sum() / plain.sum()) < 1.25
        assert dice(label > 0, plain > 0) < 0.99


def test_the_sources_volumes_turn_about_the_axis_of_the_body() -> None:
    """In 3D the axial plane rotates: a column along z stays a column."""
    labels = torch.zeros(1, 32, 32, 32, dtype=torch.uint8)
    labels[:, 20:25, 8:13] = 1
    inputs = labels[:, None].float().repeat(1, 4, 1, 1, 1)
    torch.manual_seed(1)
    _, moved = Pnu(dimensions=3, size=32, filters=4, zoom=1.0).augment(inputs, labels)
    assert not torch.equal(moved, labels)
    assert torch.equal(moved, moved[..., :1].expand_as(moved))
    assert int(moved.sum()) == pytest.approx(int(labels.sum()), rel=0.2)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_sources_labels_return_to_an_anisotropic_grid(dimensions: int) -> None:
    """Each voxel gets the label of the pixel its middle lies in, whatever the ratio of the sizes."""
    grid = [37, 50, 29][:dimensions]
    classes = torch.randint(0, 4, (2, *[16] * dimensions), generator=torch.Generator().manual_seed(0))
    logits = nn.functional.one_hot(classes, 4).movedim(-1, 1).float()
    found = restored(logits, grid)
    index = [torch.div((2 * torch.arange(n) + 1) * 16, 2 * n, rounding_mode="floor") for n in grid]
    wanted = classes[(slice(None), *torch.meshgrid(*index, indexing="ij"))]
    assert torch.equal(found.long(), wanted)


def test_the_sources_system_learns() -> None:
    """Some epochs on slices as they are find most of a made-up tumour, on the original grid."""
    pl.seed_everything(1, verbose=False)
    cases = made_up(2)
    model = Pnu(size=32, filters=8, dropout=0.0, rotation=0, zoom=1.0)
    fit(model, cases, max_epochs=40)
    for found, truth in zip(predict(model, cases), truth_of(cases), strict=True):
        assert dice(found > 0, truth > 0) > 0.6


def test_the_source_is_as_its_card_says() -> None:
    """32 filters double to 512, Adam has epsilon 1e-7, half is dropped at the bottom, sizes that cannot be are refused."""
    model = entry("pnu_unet", filters=32, size=128)
    widths = {m.out_channels for m in model.network.modules() if isinstance(m, nn.Conv2d)}
    assert widths == {4, 32, 64, 128, 256, 512}
    group = model.configure_optimizers().param_groups[0]
    assert (group["lr"], group["eps"], group["betas"]) == (1e-3, 1e-7, (0.9, 0.999))
    assert [m.p for m in model.network.modules() if isinstance(m, nn.Dropout)] == [0.5]
    with pytest.raises(UserError, match=r"multiple of 16, 32 or more, but got model.size=100"):
        Pnu(size=100)
    with pytest.raises(UserError, match=r"2 or 3 dimensions, but got model.dimensions=4"):
        Pnu(dimensions=4)
