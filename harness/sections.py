"""The groups of words with a dot, such as `trainer.max_epochs=20`: one typed record each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from harness.validated import Frozen

__all__ = ["LimitsConfig", "LoaderConfig", "SweepConfig", "TrainerConfig", "WandbConfig"]


class TrainerConfig(Frozen):
    """What reaches `pytorch_lightning.Trainer`."""

    max_epochs: int = Field(default=10, ge=1, le=10**9)
    max_steps: int = Field(default=-1, ge=-1, le=10**12)
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    gradient_clip_val: float | None = Field(default=None, gt=0)
    accumulate_grad_batches: int = Field(default=1, ge=1, le=10**6)


class LoaderConfig(Frozen):
    """How the harness feeds the model."""

    batch_size: int = Field(default=16, ge=1, le=10**6)
    validation: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the training patients kept for the entrant's own validation."""
    workers: int = Field(default=0, ge=0, le=1024)


class LimitsConfig(Frozen):
    """Of one fold."""

    hours: float = Field(default=6.0, gt=0, le=8760)
    memory_gb: float = Field(default=16.0, gt=0, le=65536)
    processes: int = Field(default=64, ge=1, le=2**22)
    disk_gb: float = Field(default=1.0, gt=0, le=65536)
    output_mb: float = Field(default=16.0, gt=0, le=65536)


class WandbConfig(Frozen):
    """Weights & Biases, from the parent only."""

    mode: Literal["disabled", "offline", "online"] = "disabled"
    project: str = "medal"


class SweepConfig(Frozen):
    """A search for hyperparameters; one trial is a cross-validation on the development set."""

    trials: int | None = Field(default=None, ge=1, le=10**6)
    """How many, failed and pruned ones included; a grid is searched whole by default."""
    sampler: Literal["tpe", "random", "grid", "cmaes"] = "tpe"
    pruner: Literal["wilcoxon", "none"] = "wilcoxon"
    p: float = Field(default=0.25, gt=0, lt=0.5)
    """A trial is pruned once it looks worse than the best one at this p-value; earlier folds ask for less."""
    space: Mapping[str, str] = Field(default_factory=dict)
    """Hyperparameter -> distribution, over those of the submission's card; "none" takes one out."""
    storage: str | None = None
    """URL of a database that several machines share; a journal file beside the runs by default."""
    nested: bool = False
    """Search inside each outer fold, so that the out-of-fold score had no part in the choice."""
    inner_folds: int = Field(default=5, ge=2)
    """Of a nested sweep."""

    @property
    def wanted(self) -> bool:
        """Whether any sweep was asked for."""
        return self.trials is not None or self.sampler == "grid"

    @model_validator(mode="after")
    def _is_whole(self) -> SweepConfig:
        if self.model_fields_set and not self.wanted:
            raise ValueError("a sweep needs the number of its trials. Type sweep.trials=40")
        if "inner_folds" in self.model_fields_set and not self.nested:
            raise ValueError("inner_folds belongs to a nested sweep. Type sweep.nested=true")
        if self.sampler == "cmaes" and self.storage is not None:
            # Its state in the study is a pickle, which whoever writes to the database could replace.
            raise ValueError("the cmaes sampler keeps its state in a journal only. Leave sweep.storage out")
        return self
