"""What runs inside the isolated process of one fold: fit, then predict.

This module is loaded by the zygote before any fold; the entrant's code only after confinement.
"""

from __future__ import annotations

import importlib
import inspect
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import (
    perf_counter,
)  # by name, before any entry is imported: one that changes `time` changes nothing here
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from harness.catalog import open_packages
from harness.contracts import ArraySpec, FoldJob
from harness.errors import UserError
from harness.gradcam import grad_cam, refuse_unexplainable
from harness.ragged import inputs_of
from harness.volumes import Volume
from harness.wire import Refused

if TYPE_CHECKING:
    from harness.contracts import Array

__all__ = ["CaseDataset", "ContractError", "FoldData", "fit_and_predict", "load_model"]


class ContractError(Refused):
    """The model broke the submission contract; the message says where and how."""


class CaseDataset(Dataset[dict[str, torch.Tensor]]):
    """Cases as dictionaries of tensors: the inputs, and for training cases the truth.

    `dataset[3]` is one case; `dataset[[3, 5]]` is a batch of two, read in one go. Truth is float32,
    label maps uint8; `inputs` and `truth` are there as they lie, for a loader that reads parts of a case.
    """

    def __init__(
        self,
        inputs: Mapping[str, Any],
        rows: Array,
        truth: Mapping[str, Array] | None = None,
        patients: Array | None = None,
    ) -> None:
        self.inputs = inputs
        """Arrays, or `harness.ragged.Ragged` columns."""
        self.rows = np.asarray(rows, dtype=np.int64)
        self.truth = dict(truth) if truth is not None else None
        self.patients = np.arange(len(self.rows)) if patients is None else patients

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.rows)

    def __getitem__(self, index: int | Sequence[int]) -> dict[str, torch.Tensor]:
        """Return one case, or a batch for a list of positions."""
        rows = self.rows[index]
        batch = {name: torch.from_numpy(np.array(array[rows])) for name, array in self.inputs.items()}
        for name, values in (self.truth or {}).items():
            batch[name] = _truth_tensor(values[index])
        return batch

    def subset(self, positions: Array) -> CaseDataset:
        """Return the cases at these positions, in this order."""
        truth = (
            None if self.truth is None else {name: values[positions] for name, values in self.truth.items()}
        )
        return CaseDataset(self.inputs, self.rows[positions], truth, self.patients[positions])

    def split(self, share: float, seed: int) -> tuple[CaseDataset, CaseDataset]:
        """Divide the patients at random: (rest, about `share` of them, at least one if any)."""
        patients = np.unique(self.patients)
        size = max(share > 0, round(share * len(patients)))
        drawn = np.random.default_rng(seed).permutation(patients)[:size]
        inner = np.isin(self.patients, drawn)
        return self.subset(np.flatnonzero(~inner)), self.subset(np.flatnonzero(inner))


def _truth_tensor(values: Any) -> torch.Tensor:  # noqa: ANN401  an element or rows of any column
    """Return truth as float32; label maps, stacked for several cases, as uint8."""
    if isinstance(values, Volume):
        return torch.from_numpy(values.array())
    if isinstance(values, np.ndarray) and values.dtype == object:
        return torch.from_numpy(np.stack([volume.array() for volume in values]))
    return torch.as_tensor(values).float()


def batches(
    dataset: CaseDataset, batch_size: int, *, shuffle: bool = False, workers: int = 0
) -> DataLoader[Any]:
    """Return a loader that reads each batch with one indexed access."""
    order: RandomSampler | SequentialSampler = (
        RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
    )
    sampler = BatchSampler(order, batch_size, drop_last=False)
    return DataLoader(dataset, sampler=sampler, batch_size=None, num_workers=workers)


class FoldData(pl.LightningDataModule):
    """The fold's cases, as loaders."""

    def __init__(
        self, model: pl.LightningModule, training: CaseDataset, loader: Mapping[str, Any], seed: int
    ) -> None:
        super().__init__()
        self.model = model
        self.loader = loader
        self.training, self.validation = training.split(loader["validation"], seed)

    def _batches(self, dataset: CaseDataset, *, shuffle: bool = False) -> DataLoader[Any]:
        return batches(dataset, self.loader["batch_size"], shuffle=shuffle, workers=self.loader["workers"])

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the model's own loader (`train_loader(training)`), or shuffled batches."""
        own = getattr(self.model, "train_loader", None)
        return own(self.training) if own is not None else self._batches(self.training, shuffle=True)

    def training_eval_dataloader(self) -> DataLoader[Any]:
        """Return the training cases in order, for thresholds and calibration."""
        return self._batches(self.training)


class ValidatedFoldData(FoldData):
    """With an inner validation part; a class of its own, because Lightning asks whether the hook exists."""

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the model's own loader (`validation_loader(validation)`), or batches in order."""
        own = getattr(self.model, "validation_loader", None)
        return own(self.validation) if own is not None else self._batches(self.validation)


class _Reporter(pl.Callback):
    """Send each epoch's metrics to the parent."""

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self.emit = emit

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.emit(
            {
                "event": "epoch",
                "epoch": trainer.current_epoch + 1,
                "of": trainer.max_epochs,
                "metrics": metrics,
            }
        )


def load_model(job: FoldJob) -> pl.LightningModule:
    """Import the entry and return `Model(**hyperparameters)`.

    Raises:
        ContractError: if there is no such class, or it does not take the hyperparameters.
    """
    open_packages({name: Path(folder) for name, folder in job.packages.items()})
    module = importlib.import_module(job.module)
    model_class = getattr(module, "Model", None)
    if not (inspect.isclass(model_class) and issubclass(model_class, pl.LightningModule)):
        raise ContractError(f"{job.module} must define class Model(pytorch_lightning.LightningModule).")
    try:
        inspect.signature(model_class).bind(**job.hyperparameters)
    except TypeError as error:
        raise ContractError(
            f"{job.module}.Model does not take the hyperparameters {sorted(job.hyperparameters)}: {error}."
        ) from error
    try:
        model: pl.LightningModule = model_class(**job.hyperparameters)
    except UserError as error:
        raise ContractError(str(error)) from error
    return model


def _trainer(job: FoldJob, emit: Callable[[dict[str, Any]], None]) -> pl.Trainer:
    settings = dict(job.trainer)
    if job.one_batch:
        settings |= {"max_epochs": 1, "limit_train_batches": 1, "limit_val_batches": 1}
    on_gpu = job.gpus > 0 and settings.get("accelerator") != "cpu"
    return pl.Trainer(
        **settings,
        devices=[job.fold % job.gpus] if on_gpu else 1,
        deterministic="warn",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        default_root_dir="/tmp",  # noqa: S108  the fold's private tmpfs
        callbacks=[_Reporter(emit)],
    )


def _check_keys(batch: Any, spec: Mapping[str, ArraySpec]) -> None:  # noqa: ANN401  it is what is checked
    if not isinstance(batch, Mapping):
        raise ContractError(
            f"predict_step must return a dictionary with the keys {', '.join(sorted(spec))}, "
            f"but got {type(batch).__name__}."
        )
    for key in batch:
        if key not in spec:
            raise ContractError(
                f"predict_step returned an unknown key {key!r}. Known: {', '.join(sorted(spec))}."
            )
    for key, wanted in spec.items():
        if wanted.required and key not in batch:
            raise ContractError(f"predict_step returned no {key!r}: {wanted.description or wanted.shape}.")


def _column(parts: list[Any], key: str, wanted: ArraySpec, n: int, which: str) -> Array:
    """Join one key's batches to (n, *shape)."""
    expected = (n, *wanted.shape)
    tensors = [torch.as_tensor(part).detach().cpu().double() for part in parts]
    shapes = [tuple(tensor.shape) for tensor in tensors]
    total = sum(shape[0] for shape in shapes if shape)
    if any(shape[1:] != wanted.shape or not shape for shape in shapes) or total != n:
        got = (total, *shapes[0][1:]) if shapes and shapes[0] else shapes[0]
        raise ContractError(
            f"predict_step's {key!r} has shape {got} over the {n} {which} cases, but must have {expected}."
        )
    return torch.cat(tensors).numpy()


def _joined(batches_of: list[Any], spec: Mapping[str, ArraySpec], n: int, which: str) -> dict[str, Array]:
    """Return one array per key of the spec; an optional key that is missing is all NaN."""
    for batch in batches_of:
        _check_keys(batch, spec)
    joined = {}
    for key, wanted in spec.items():
        if batches_of and all(key in batch for batch in batches_of):
            joined[key] = _column([batch[key] for batch in batches_of], key, wanted, n, which)
        else:
            joined[key] = np.full((n, *wanted.shape), np.nan)
    return joined


class _Collector(pl.Callback):
    """Take each batch's predictions as it comes; label maps are kept compressed."""

    def __init__(self, spec: Mapping[str, ArraySpec], cases: CaseDataset, which: str) -> None:
        self.spec = spec
        self.cases = cases
        self.which = which
        self.batches: list[dict[str, Any]] = []
        self.volumes: dict[str, list[Volume]] = {key: [] for key, wanted in spec.items() if wanted.grid}

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401  it is what is checked
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        _check_keys(outputs, self.spec)
        for key, kept in self.volumes.items():
            kept += _label_maps(outputs[key], key, self.which, self._grids(key, len(kept)))
        self.batches.append({key: part for key, part in outputs.items() if key not in self.volumes})

    def _grids(self, key: str, done: int) -> list[tuple[int, ...]]:
        """Return the shapes of the cases that have no label map yet."""
        shapes = self.cases.inputs[self.spec[key].grid]
        return [tuple(int(n) for n in shapes[int(row)]) for row in self.cases.rows[done:]]

    def results(self) -> dict[str, Any]:
        """Return everything under the names of the wire."""
        n = len(self.cases)
        plain = {key: wanted for key, wanted in self.spec.items() if key not in self.volumes}
        found: dict[str, Any] = {}
        for key, values in _joined(self.batches, plain, n, self.which).items():
            found[f"{self.which}/{key}"] = values
        for key, kept in self.volumes.items():
            if len(kept) != n:
                raise ContractError(f"predict_step's {key!r} has {len(kept)} of the {n} {self.which} cases.")
            found |= {f"{self.which}/{key}/{row}": volume for row, volume in enumerate(kept)}
        return found


def _label_maps(
    part: Any,  # noqa: ANN401  it is what is checked
    key: str,
    which: str,
    grids: Sequence[tuple[int, ...]],
) -> list[Volume]:
    """Return one batch's label maps (batch, x, y, z)."""
    maps = torch.as_tensor(part).detach().cpu().numpy()
    if not grids:
        raise ContractError(f"predict_step returned more {key!r} than there are {which} cases.")
    if maps.ndim != 4 or len(maps) > len(grids) or any(maps.shape[1:] != grid for grid in grids[: len(maps)]):
        raise ContractError(
            f"predict_step's {key!r} has shape {maps.shape}, but must be (batch, "
            f"{', '.join(map(str, grids[0]))}): label maps on the whole grid of each of the {which} cases."
        )
    with np.errstate(invalid="ignore"):
        labels = maps.astype(np.uint8)
    if (labels != maps).any():
        raise ContractError(f"predict_step's {key!r} must hold whole numbers, labels, not probabilities.")
    return [Volume.of(label) for label in labels]


def _explained(
    model: pl.LightningModule, cases: CaseDataset, job: FoldJob, device: torch.device
) -> dict[str, Array]:
    """Return a map of each case that is to be explained, one case at a time."""
    model.to(device).eval()
    found = {}
    for number, case in enumerate(job.explained):
        batch = {name: values.to(device) for name, values in cases[[number]].items()}
        layer, output = model.explained_layer, model.explained_output
        maps = grad_cam(model, layer, output, batch, case.shape[1:])  # type: ignore[arg-type]
        if len(maps) not in (1, case.shape[0]):
            raise ContractError(
                f"explained_layer {layer!r} sees {len(maps)} pictures of a case, which has {case.shape[0]}."
            )
        found[f"map/{number}"] = maps.expand(case.shape).cpu().numpy()
    return found


def fit_and_predict(payload: bytes, emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Train one fold's model and predict its held-out and test cases.

    Returns:
        "heldout/<key>" and "test/<key>", float64, (n cases, *shape), in the store's row order; label maps one
        by one, "test/<key>/<row>". Maps of the job's explained cases, "map/<number>", >= 0.

    Raises:
        ContractError: if the entry breaks the contract.
    """
    job: FoldJob = pickle.loads(payload)  # noqa: S301  written by the parent, never by a fold
    torch.set_num_threads(job.threads)
    pl.seed_everything(job.seed, verbose=False)
    development, test = inputs_of(Path(job.development)), inputs_of(Path(job.test))
    model = load_model(job)
    if job.explained:
        refuse_unexplainable(model)
    training = CaseDataset(development, job.train, job.truth, job.patients)
    trainer = _trainer(job, emit)
    data_class = ValidatedFoldData if job.loader["validation"] > 0 else FoldData
    trainer.fit(model, datamodule=data_class(model, training, job.loader, job.seed))
    emit({"event": "fitted", "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad)})
    results: dict[str, Any] = {}
    n_test = len(next(iter(test.values()))) if test else 0
    for which, inputs, rows in (("heldout", development, job.heldout), ("test", test, np.arange(n_test))):
        collector = _Collector(job.spec, CaseDataset(inputs, rows), which)
        if len(rows):
            loader = batches(collector.cases, job.loader["batch_size"])
            trainer.callbacks.append(collector)  # type: ignore[attr-defined]
            began = perf_counter()
            trainer.predict(model, dataloaders=loader, return_predictions=False)
            emit({"event": "predicted", "half": which, "seconds": perf_counter() - began})
            trainer.callbacks.remove(collector)  # type: ignore[attr-defined]
        results |= collector.results()
    if job.explained:
        chosen = CaseDataset(development, np.array([case.row for case in job.explained]))
        results |= _explained(model, chosen, job, trainer.strategy.root_device)
    return results
