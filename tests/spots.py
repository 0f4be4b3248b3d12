"""A challenge whose images hold a bright spot or none, and a model that finds it: small enough to explain in a test."""

from __future__ import annotations

from pathlib import Path

from tests.toy import write_challenge

CARD = """
title: Spots
task: binary classification
version: "1"
metrics: [{key: auroc, metric: auroc, title: AUROC}]
folds: 5
preparation: {size: 16}
"""

DATA = """
import csv
import numpy as np
from harness.contracts import Case, CaseSet, Dataset

PREPARATION = "1"


def read(root, truth, options):
    return Dataset(_half(root / "development"), _half(root / "test"))


def _half(folder):
    rows = list(csv.DictReader((folder / "truth.csv").open()))
    cases = tuple(Case(r["id"], r["id"], (folder / f"{r['id']}.npy",)) for r in rows)
    return CaseSet(cases, {"spot": np.array([int(r["spot"]) for r in rows], dtype=np.uint8)})


def decode(case, options):
    image = np.load(case.files[0])
    return {"image": image[None], "kind": np.zeros(1, dtype=np.float32)}


def strata(truth):
    return truth["spot"][:, None].astype(bool)
"""

PHANTOM = """
import numpy as np

VERSION = "1"


def write(root, *, seed=0, size="small"):
    draw = np.random.default_rng(seed)
    for half, n in (("development", 20), ("test", 4)):
        (root / half).mkdir()
        rows = ["id,spot"]
        for k in range(n):
            spot = int(draw.integers(2)) if k > 9 else k % 2
            image = draw.integers(0, 40, (16, 16)).astype(np.uint8)
            if spot:
                image[2:5, 10:13] = 250
            np.save(root / half / f"{half}{k:02d}.npy", image)
            rows.append(f"{half}{k:02d},{spot}")
        (root / half / "truth.csv").write_text("\\n".join(rows) + "\\n")
"""

SCORER = """
import numpy as np
from harness.contracts import ArraySpec
from harness.metrics import auroc
from harness.statistics import placements

SUFFIX = ".csv"
PREDICTIONS = {"spot": ArraySpec((), 0, 1)}


def score(truth, predictions, counts=None):
    return {"auroc": auroc.compute(truth["spot"], predictions["spot"], counts)}


def ranking_parts(truth, predictions):
    return placements(truth["spot"], predictions["spot"])


def per_case(truth, predictions):
    return {"error": np.abs(truth["spot"] - predictions["spot"])}


def panel(truth, predictions):
    return {}


def combine(folds):
    return {"spot": np.mean([fold["spot"] for fold in folds], axis=0)}


def references(development, cases):
    return {}


def write_predictions(path, cases, predictions):
    path.write_text("".join(f"{i},{float(p)!r}\\n" for i, p in zip(cases.ids, predictions["spot"], strict=True)))
"""

MODEL = '''
import pytorch_lightning as pl
import torch


class Model(pl.LightningModule):
    """One convolution, its maximum, and a logit; its ReLU works in place."""

    explained_layer = "look"

    def __init__(self, lr=0.05):
        super().__init__()
        self.lr = lr
        self.look = torch.nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.relu = torch.nn.ReLU(inplace=True)
        self.head = torch.nn.Linear(4, 1)

    def forward(self, batch):
        seen = self.relu(self.look(batch["image"].float() / 255))
        return self.head(seen.amax((-2, -1)))[:, 0]

    def explained_output(self, batch):
        return self(batch)

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.binary_cross_entropy_with_logits(self(batch), batch["spot"])

    def predict_step(self, batch, batch_idx):
        return {"spot": self(batch).sigmoid()}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)
'''

BASELINE = """
challenge: spots
team: T
title: Spots
hyperparameters: {lr: 0.05}
trainer: {max_epochs: 15}
loader: {batch_size: 8}
"""


def write_spots(root: Path) -> None:
    """Write `challenges/spots` into a working folder."""
    write_challenge(root / "challenges" / "spots", CARD, DATA, PHANTOM, SCORER, MODEL, BASELINE)


def write_entry(root: Path, name: str, model: str) -> str:
    """Write a submission to it and return its path as a word."""
    folder = root / "entries" / name
    folder.mkdir(parents=True)
    (folder / "submission.yaml").write_text(BASELINE.replace("title: Spots", f"title: {name}"))
    (folder / "model.py").write_text(model)
    return f"submission=./entries/{name}"
