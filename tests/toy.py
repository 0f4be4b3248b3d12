"""A challenge small enough to sweep in a test: one number a case, and a model that may add noise to it."""

from __future__ import annotations

from pathlib import Path

CARD = """
title: Toy
task: binary classification
version: "1"
metrics: [{key: auroc, metric: auroc, title: AUROC}]
folds: 5
options:
  variant: {values: {plain: {}, doubled: {preparation: {factor: 2}}}}
preparation: {factor: 1}
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
    cases = tuple(Case(r["id"], r["patient"], (folder / f"{r['id']}.txt",)) for r in rows)
    return CaseSet(cases, {"label": np.array([int(r["label"]) for r in rows], dtype=np.uint8)})


def decode(case, options):
    return {"x": np.array([float(case.files[0].read_text()) * options["factor"]], dtype=np.float32)}


def strata(truth):
    return truth["label"][:, None].astype(bool)
"""

PHANTOM = """
import numpy as np

VERSION = "1"


def write(root, *, seed=0, size="small"):
    draw = np.random.default_rng(seed)
    for half, n in (("development", 300), ("test", 100)):
        (root / half).mkdir()
        rows = ["id,patient,label"]
        for k in range(n):
            label = int(draw.integers(2))
            (root / half / f"{half}{k:03d}.txt").write_text(repr(2 * label + draw.normal()))
            rows.append(f"{half}{k:03d},{half}{k // 2:03d},{label}")
        (root / half / "truth.csv").write_text("\\n".join(rows) + "\\n")
"""

SCORER = """
import numpy as np
from harness.contracts import ArraySpec
from harness.metrics import auroc
from harness.statistics import placements

SUFFIX = ".csv"
PREDICTIONS = {"label": ArraySpec((), 0, 1)}


def score(truth, predictions, counts=None):
    return {"auroc": auroc.compute(truth["label"], predictions["label"], counts)}


def ranking_parts(truth, predictions):
    return placements(truth["label"], predictions["label"])


def per_case(truth, predictions):
    return {"error": np.abs(truth["label"] - predictions["label"])}


def panel(truth, predictions):
    return {}


def combine(folds):
    return {"label": np.mean([fold["label"] for fold in folds], axis=0)}


def references(development, cases):
    return {"constant": ("Constant", {"label": np.full(len(cases.cases), 0.5)})}


def write_predictions(path, cases, predictions):
    rows = [f"{i},{float(p)!r}" for i, p in zip(cases.ids, predictions["label"], strict=True)]
    path.write_text("\\n".join(["id,label", *rows]) + "\\n")
"""

MODEL = '''
import os
import time
import pytorch_lightning as pl
import torch


class Model(pl.LightningModule):
    """Predicts the number, with as much noise as it is told to add."""

    def __init__(self, noise=0.0, kind="good", strength=1.0, sleep=0.0):
        super().__init__()
        if kind == "bad":
            raise RuntimeError("this kind cannot be built")
        self.noise, self.kind, self.sleep = noise, kind, sleep
        self.gain = torch.nn.Parameter(torch.ones(1))

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.binary_cross_entropy_with_logits(self.gain * batch["x"][:, 0], batch["label"])

    def on_fit_end(self):
        time.sleep(self.sleep)

    def predict_step(self, batch, batch_idx):
        x = batch["x"][:, 0]
        if self.kind == "nan":
            return {"label": x * float("nan")}
        return {"label": torch.sigmoid(x + self.noise * torch.randn_like(x))}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)
'''

BASELINE = """
challenge: toy
team: T
title: Toy
hyperparameters: {noise: 0.0, kind: good, strength: 1.0, sleep: 0.0}
trainer: {max_epochs: 1}
loader: {batch_size: 64}
space: {noise: "uniform(0, 5)"}
"""


def write_toy(root: Path) -> None:
    """Write `challenges/toy` into a working folder."""
    write_challenge(root / "challenges" / "toy", CARD, DATA, PHANTOM, SCORER, MODEL, BASELINE)


def write_challenge(folder: Path, *texts: str) -> None:
    """Write a challenge's folder: card, data, phantom, scorer, baseline and the baseline's card."""
    names = ("challenge.yaml", "data.py", "phantom.py", "scorer.py", "baseline.py", "baseline.yaml")
    folder.mkdir(parents=True)
    for name, text in zip(names, texts, strict=True):
        (folder / name).write_text(text)
