"""BraTS from files to board with small models: label maps out of the sandbox, scored, stored, refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.predictions import from_file
from tests.conftest import Workplace

THRESHOLD = """
import pytorch_lightning as pl
import torch


class Model(pl.LightningModule):
    '''Calls bright FLAIR oedema and bright T1ce within it enhancing; learns nothing.'''

    def __init__(self, fault=""):
        super().__init__()
        self.fault = fault
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        assert batch["labels"].dtype == torch.uint8
        assert tuple(batch["labels"].shape[1:]) == tuple(batch["grid"][0].tolist())
        return (self.bias - batch["labels"].float().mean()).square().sum()

    def predict_step(self, batch, batch_idx):
        assert "labels" not in batch
        image = (batch["image"].float() - batch["mean"][:, :, None, None, None]) / batch["std"][:, :, None, None, None]
        found = (2 * (image[:, 3] > 1.0)).to(torch.uint8)
        found[(found > 0) & (image[:, 1] > 2.0)] = 3
        if self.fault == "label":
            found[:, 0, 0, 0] = 4
        whole = torch.zeros((1, *batch["grid"][0].tolist()), dtype=torch.uint8)
        x, y, z = batch["start"][0].tolist()
        whole[:, x : x + found.shape[1], y : y + found.shape[2], z : z + found.shape[3]] = found
        return {"labels": whole}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""
SMALL = ("challenge=brats", "phantom=smoke", "folds=2", "trainer.max_epochs=1")


def entry(place: Workplace, fault: str = "") -> str:
    """Write the small entry."""
    card: dict[str, Any] = {"hyperparameters": {"fault": fault}, "loader": {"batch_size": 1}}
    return place.submission("threshold", THRESHOLD, challenge="brats", **card)


def test_an_entry_is_scored_and_stored_on_the_grid_of_each_case(workplace: Workplace) -> None:
    """Every case is scored, maps are stored as plain arrays, and the written zip scores the same."""
    words = ("challenge=brats", "phantom=smoke", "edition=2023")
    workplace.harness("run", *SMALL, "edition=2023", entry(workplace))
    (record,) = [r for r in workplace.records("brats") if r["entry"]["name"] == "threshold"]
    folder = workplace.root / "runs/brats" / record["run_id"] / "predictions"
    maps = from_file(folder / "cv.npz")["labels"]
    workplace.harness("score", *words, f"predictions={folder / 'output_test.zip'}", "name=again")
    (again,) = [r for r in workplace.records("brats") if r["entry"]["name"] == "again"]

    assert record["state"] == "complete"
    assert record["data"]["options"] == {"edition": "2023"}
    assert {len(volume.shape) for volume in maps} == {3}
    assert len(maps) == record["cv"]["n_scored"] == record["data"]["n_development"]
    assert all(np.isin(volume.labels(), (0, 2, 3)).all() for volume in maps)
    assert 0.05 < record["cv"]["metrics"]["dice_wt"]["value"] < 1
    assert again["test"]["metrics"] == record["test"]["metrics"]


def test_an_unknown_label_is_a_failure_with_its_reason(workplace: Workplace) -> None:
    """It fails the fold, is named by case, and ranks nowhere."""
    workplace.harness("run", *SMALL, entry(workplace, "label"), code=None)
    (record,) = [r for r in workplace.records("brats") if r["entry"]["name"] == "threshold"]

    assert record["state"] == "failed"
    assert {cell["failure_kind"] for cell in record["cells"]} == {"predictions"}
    assert all(
        "holds the label 4, but 0 to 3 are known" in cell["failure_reason"] for cell in record["cells"]
    )
    assert all(half is None or half["metrics"] == {} for half in (record["cv"], record["test"]))
