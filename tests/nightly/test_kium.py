"""The K-ium baseline learns from the images, and from nothing else: minutes.

Not in `uv run pytest`, where the main job shows the same of all folds; type `uv run pytest tests/nightly`.
"""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
from sklearn.metrics import roc_auc_score

from challenges.kium import data, phantom
from challenges.kium.baseline import Model as Baseline
from harness.training import CaseDataset
from tests.conftest import Workplace
from tests.fits import fit, predict

SHUFFLED = '''
import torch
from challenges.kium.baseline import Model as Baseline


class Model(Baseline):
    """The baseline, its images shuffled against the labels: there is nothing to learn."""

    def training_step(self, batch, batch_idx):
        order = torch.randperm(len(batch["views"]))
        return super().training_step({**batch, "views": batch["views"][order]}, batch_idx)
'''


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseDataset, CaseDataset]:
    """The phantom's development set and test set."""
    root = tmp_path_factory.mktemp("phantom") / "data"
    phantom.write(root, size="small")
    dataset = data.read(root)
    halves = []
    for half in (dataset.development, dataset.test):
        views = np.stack([data.decode(case, {"size": 64})["views"] for case in half.cases])
        halves.append(CaseDataset({"views": views}, np.arange(len(views)), half.truth))
    return halves[0], halves[1]


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_baseline_learns_from_the_images(fold: tuple[CaseDataset, CaseDataset], shuffled: bool) -> None:
    """It tells unseen patients apart and beats "no location anywhere"; not if its labels are shuffled."""
    training, test = fold
    truth = test.truth or {}
    if shuffled:
        order = np.random.default_rng(0).permutation(len(training))
        shuffle = {name: values[order] for name, values in (training.truth or {}).items()}
        training = CaseDataset(training.inputs, training.rows, shuffle)
    pl.seed_everything(0, verbose=False)
    model = Baseline()
    fit(model, training, max_epochs=12, gradient_clip_val=1.0)
    found = predict(model, test)
    auroc = roc_auc_score(truth["aneurysm"], found["aneurysm"])
    if shuffled:
        assert 0.3 < auroc < 0.7
        return
    assert auroc > 0.8
    assert (found["locations"].numpy() == truth["locations"]).mean() > 1 - truth["locations"].mean()


def test_images_shuffled_against_the_labels_teach_nothing(workplace: Workplace) -> None:
    """Its interval holds chance, on CV and on test."""
    entry = workplace.submission(
        "shuffled", SHUFFLED, hyperparameters={"lr": 0.01}, trainer={"max_epochs": 4}
    )
    workplace.harness("run", entry, "challenge=kium")
    record = workplace.record("shuffled")

    for half in ("cv", "test"):
        found = record[half]["metrics"]["auroc_aneurysm"]
        assert found["low"] <= 0.5 <= found["high"]
