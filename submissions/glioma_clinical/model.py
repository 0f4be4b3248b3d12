"""Cox's model of the covariates: what is known of a patient without looking at an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from challenges.glioma.columns import COVARIATES, PREOPERATIVE, TIMES
from harness.errors import UserError
from harness.survival.cox import Cox, ridge
from harness.survival.design import Design
from harness.survival.followup import FollowUp
from harness.training import CaseDataset

CHOICES = ("all", "preoperative")


class Model(pl.LightningModule):
    """Covariates in; log hazard ratio and survival curve out. One batch, the whole training part, fits it."""

    def __init__(self, *, ridge: float = 1.0, covariates: str = "all") -> None:
        """Keep the hyperparameters.

        Args:
            ridge: Half of it times the squared coefficients is taken from the likelihood.
            covariates: "all", or "preoperative" for those known before the operation.

        Raises:
            UserError: for other covariates, or a ridge that is not above 0.
        """
        super().__init__()
        self.save_hyperparameters()
        if covariates not in CHOICES:
            raise UserError(f"model.covariates must be {' or '.join(CHOICES)}, but got {covariates!r}.")
        if not ridge > 0:
            raise UserError(f"model.ridge must be above 0, but got {ridge}.")
        self.automatic_optimization = False
        self.coefficients = nn.Parameter(torch.zeros(0))
        self.fitted: tuple[Design, Cox] | None = None

    def columns(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """Return the covariates that are used, (n, columns)."""
        table = np.asarray(inputs["covariates"], dtype=np.float64)
        if self.hparams["covariates"] == "all":
            return table
        return table[:, [k for k in range(table.shape[1]) if COVARIATES[k] in PREOPERATIVE]]

    def train_loader(self, training: CaseDataset) -> DataLoader[Any]:
        """Return the whole training part as one batch; images are not read."""
        whole = {"covariates": np.asarray(training.inputs["covariates"][training.rows])}
        truth = training.truth or {}
        return DataLoader([{**whole, "time": truth["time"], "event": truth["event"]}], batch_size=None)

    def training_step(self, batch: Mapping[str, Tensor], _: int) -> None:
        """Fit the model."""
        values = self.columns({"covariates": batch["covariates"]})
        design = Design.of(values)
        truth = FollowUp.of(batch["time"], batch["event"])
        model = ridge(design(values), truth, self.hparams["ridge"])
        self.fitted = design, model
        self.coefficients = nn.Parameter(torch.as_tensor(model.coefficients))

    def predict_step(self, batch: Mapping[str, Tensor], _: int = 0) -> dict[str, Tensor]:
        """Return risk (B,) and survival (B, 20)."""
        if self.fitted is None:
            raise RuntimeError("predict before fit")
        design, model = self.fitted
        features = design(self.columns(batch))
        return {
            "risk": torch.as_tensor(model.risk(features)),
            "survival": torch.as_tensor(model.survival(features, TIMES)),
        }

    def configure_optimizers(self) -> None:
        """Return none: the fit needs no gradient."""
