"""Cox's model with an elastic net on radiomics, on covariates, or on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from challenges.glioma.columns import TIMES
from harness.errors import UserError
from harness.survival.cox import Cox, Deaths, elastic_net, path
from harness.survival.design import Design
from harness.survival.followup import FollowUp
from harness.training import CaseDataset, ContractError

INPUTS = {"radiomics": ("radiomics",), "clinical": ("covariates",), "both": ("covariates", "radiomics")}


class Model(pl.LightningModule):
    """Features in; log hazard ratio and survival curve out. One batch, the whole training part, fits it."""

    def __init__(
        self, *, inputs: str = "both", mix: float = 0.5, penalty: float | None = None, inner_folds: int = 5
    ) -> None:
        """Keep the hyperparameters.

        Args:
            inputs: "radiomics", "clinical" or "both".
            mix: Of the elastic net: 0 is ridge, 1 is lasso.
            penalty: Its strength; None: chosen by cross-validation inside the training part.
            inner_folds: Of that cross-validation.

        Raises:
            UserError: for other inputs, a mix outside [0, 1], a penalty that is not above 0, one fold.
        """
        super().__init__()
        self.save_hyperparameters()
        if inputs not in INPUTS:
            raise UserError(f"model.inputs must be {', '.join(INPUTS)}, but got {inputs!r}.")
        if not 0 <= mix <= 1 or (penalty is not None and not penalty > 0) or inner_folds < 2:
            raise UserError(
                f"model.mix={mix} must be from 0 to 1, model.penalty={penalty} null or above 0, and "
                f"model.inner_folds={inner_folds} 2 or more."
            )
        self.automatic_optimization = False
        self.coefficients = nn.Parameter(torch.zeros(0))
        self.fitted: tuple[Design, Cox] | None = None

    def features(self, inputs: Mapping[str, Any]) -> np.ndarray:
        """Return the columns that are used, (n, columns); radiomics as signed logarithms: long tails.

        Raises:
            ContractError: the data has no radiomics.
        """
        parts = []
        for name in INPUTS[self.hparams["inputs"]]:
            if name not in inputs:
                raise ContractError(
                    "There are no radiomics here. Type external=none, or model.inputs=clinical."
                )
            values = np.asarray(inputs[name], dtype=np.float64)
            parts.append(np.sign(values) * np.log1p(np.abs(values)) if name == "radiomics" else values)
        return np.concatenate(parts, axis=1)

    def train_loader(self, training: CaseDataset) -> DataLoader[Any]:
        """Return the whole training part as one batch; images are not read."""
        read = {
            name: np.asarray(values[training.rows])
            for name, values in training.inputs.items()
            if name in ("covariates", "radiomics")
        }
        truth = training.truth or {}
        return DataLoader([{**read, "time": truth["time"], "event": truth["event"]}], batch_size=None)

    def training_step(self, batch: Mapping[str, Tensor], _: int) -> None:
        """Choose the penalty and fit the model."""
        values = self.features(batch)
        truth = FollowUp.of(batch["time"], batch["event"])
        design = Design.of(values)
        mix, penalty = self.hparams["mix"], self.hparams["penalty"]
        x = design(values)
        if penalty is None:
            penalty = best_penalty(values, truth, path(x, truth, mix), mix, self.hparams["inner_folds"])
        model = elastic_net(x, truth, penalty, mix)
        self.fitted = design, model
        self.coefficients = nn.Parameter(torch.as_tensor(model.coefficients))

    def predict_step(self, batch: Mapping[str, Tensor], _: int = 0) -> dict[str, Tensor]:
        """Return risk (B,) and survival (B, 20)."""
        if self.fitted is None:
            raise RuntimeError("predict before fit")
        design, model = self.fitted
        features = design(self.features(batch))
        return {
            "risk": torch.as_tensor(model.risk(features)),
            "survival": torch.as_tensor(model.survival(features, TIMES)),
        }

    def configure_optimizers(self) -> None:
        """Return none: the fit is made in one step."""


def best_penalty(values: np.ndarray, truth: FollowUp, penalties: np.ndarray, mix: float, folds: int) -> float:
    """Return the penalty with the highest cross-validated partial likelihood.

    Of each part that is left out: the likelihood of all cases less that of the others, both by the
    coefficients of the others. Source: Verweij and van Houwelingen, Statistics in Medicine 12 (1993).
    """
    part = np.random.default_rng(0).permutation(len(truth)) % folds
    total = np.zeros(len(penalties))
    whole = Deaths.of(truth)
    for fold in range(folds):
        rest = part != fold
        design = Design.of(values[rest])
        x, others = design(values), truth.take(rest)
        start, own = None, Deaths.of(others)
        for k, penalty in enumerate(penalties):
            model = elastic_net(x[rest], others, float(penalty), mix, start)
            start = model.coefficients
            risk = model.risk(x)
            total[k] += whole.likelihood(risk) - own.likelihood(risk[rest])
    return float(penalties[int(np.argmax(total))])
