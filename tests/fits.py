"""Training and predicting as a fold does, for the tests of models."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from harness.training import CaseDataset, FoldData, ValidatedFoldData, batches


def fit(
    model: pl.LightningModule,
    training: CaseDataset,
    validation: float = 0.0,
    batch_size: int = 8,
    **settings: Any,
) -> pl.Trainer:
    """Train as a fold does; return the trainer."""
    trainer = pl.Trainer(
        **{"max_epochs": 1, **settings},
        accelerator="cpu",
        deterministic="warn",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
    )
    loader = {"batch_size": batch_size, "workers": 0, "validation": validation}
    data_class = ValidatedFoldData if validation > 0 else FoldData
    trainer.fit(model, datamodule=data_class(model, training, loader, 0))
    return trainer


def predict(model: pl.LightningModule, cases: CaseDataset) -> dict[str, Tensor]:
    """Return the predictions of cases without their truth."""
    model.eval()
    with torch.no_grad():
        parts = [model.predict_step(batch, 0) for batch in batches(CaseDataset(cases.inputs, cases.rows), 8)]
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
