"""Conformance suites, shipped: what every challenge, metric and executor must do, whoever wrote it.

from harness import catalog, testing
testing.assert_challenge(catalog.challenge("mine"), tmp_path)
"""

from __future__ import annotations

import math
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.config import chosen
from harness.folds import audit, make_folds
from harness.predictions import check
from harness.prepare import digests_of, prepare
from harness.scoring import score_half

if TYPE_CHECKING:
    from harness.catalog import Challenge
    from harness.contracts import Array, Dataset, ExecutorUnit, Metric

__all__ = ["assert_challenge", "assert_executor", "assert_metric"]


def require(holds: bool, otherwise: str) -> None:
    """Raise AssertionError with the sentence, also under python -O."""
    if not holds:
        raise AssertionError(otherwise)


def assert_challenge(challenge: Challenge, folder: Path) -> None:
    """Walk a challenge's phantom patients from files to a scored reference row.

    Raises:
        AssertionError: naming the first promise of the contract that is not kept.
    """
    phantom = folder / "phantom"
    phantom.mkdir()
    challenge.phantom.write(phantom, size="smoke")
    dataset = challenge.data.read(phantom, None, chosen(challenge.card.options, {}))
    _assert_dataset(challenge, dataset)
    options = challenge.preparation(chosen(challenge.card.options, {}), phantom=True)
    store = prepare(challenge, dataset, digests_of(dataset), options, folder / "store")
    for path in store.development.glob("*.npy"):
        rows = len(np.load(path, mmap_mode="r"))
        require(rows == len(dataset.development.cases), f"{path.name} has {rows} rows")
    _assert_scorer(challenge, dataset, folder)


def _assert_dataset(challenge: Challenge, dataset: Dataset) -> None:
    for half in (dataset.development, dataset.test):
        require(len(set(half.ids)) == len(half.ids), "case ids must be unique")
        for key, values in (half.truth or {}).items():
            require(len(values) == len(half.cases), f"truth {key!r} must have a row per case")
    truth = dataset.development.truth
    require(truth is not None and dataset.test.truth is not None, "the phantom must write both truths")
    strata = challenge.data.strata(truth or {})
    require(strata.ndim == 2 and len(strata) == len(dataset.development.cases), "strata must be (n, labels)")
    folds = make_folds(dataset.development.cases, strata, 3, seed=0)
    audit(dataset, folds, digests_of(dataset))


def _assert_scorer(challenge: Challenge, dataset: Dataset, folder: Path) -> None:
    scorer, cases = challenge.scorer, dataset.test
    keys = [metric.key for metric in challenge.card.metrics]
    references = scorer.references(dataset.development.truth or {}, cases)
    require(len(references) > 0, "a challenge must bring at least one reference row")
    for name, (title, predictions) in references.items():
        require(bool(title), f"reference {name!r} needs a title")
        spec = {key: scorer.PREDICTIONS[key] for key in predictions}
        kept, failure = check(predictions, spec, cases.ids)
        require(failure is None, f"reference {name!r}: {failure.reason if failure else ''}")
        half = score_half(scorer, cases, kept, sealed=False)
        require(
            list(half.metrics) == keys, f"score must return the card's keys {keys}, got {list(half.metrics)}"
        )
        require(set(half.sizes) <= set(keys), f"sizes must be of the card's keys, got {sorted(half.sizes)}")
        for column, values in scorer.per_case(cases.truth or {}, kept).items():
            require(len(values) == len(cases.cases), f"per-case score {column!r} must have a row per case")
        path = folder / f"{name}{scorer.SUFFIX}"
        scorer.write_predictions(path, cases, kept)
        back = scorer.read_predictions(path, cases)
        for key, values in back.items():
            require(np.array_equal(values, kept[key]), f"{key!r} must survive writing and reading")
        joined = scorer.combine([kept, kept])
        require(
            all(_alike(joined[key], kept[key]) for key in joined),
            "two equal folds must combine to themselves",
        )


def _alike(first: Array, second: Array) -> bool:
    """Say whether numbers are equal but for rounding, and label maps are equal."""
    return np.array_equal(first, second) if first.dtype == object else np.allclose(first, second)


def assert_metric(metric: Metric, truth: Array, prediction: Array) -> None:
    """Check a metric's declared bounds, and that case counts mean repeated cases.

    Raises:
        AssertionError: naming what does not hold.
    """
    value = float(metric.compute(truth, prediction))
    within = math.isnan(value) or metric.low - 1e-12 <= value <= metric.high + 1e-12
    require(within, f"{metric.name} is {value}, outside [{metric.low}, {metric.high}]")
    counts = np.random.default_rng(0).integers(0, 3, size=(4, len(truth)))
    counts[:, 0] += 1
    resampled = metric.compute(truth, prediction, counts)
    require(resampled.shape == (4,), f"{metric.name} must return one value per row of counts")
    for row, found in zip(counts, resampled, strict=True):
        repeated = np.repeat(np.arange(len(truth)), row)
        wanted = float(metric.compute(truth[repeated], prediction[repeated]))
        same = np.isclose(found, wanted, rtol=0, atol=1e-12, equal_nan=True)
        require(bool(same), f"{metric.name} with counts is {found}, on the repeated cases {wanted}")


def assert_executor(unit: ExecutorUnit) -> None:
    """Check that tasks run, return, and raise through their futures.

    Raises:
        AssertionError: naming what does not hold.
    """
    with unit.open(2) as pool:
        futures: list[Future[Any]] = [pool.submit(divmod, n, 3) for n in range(5)]
        require([f.result(60) for f in futures] == [divmod(n, 3) for n in range(5)], "results must come back")
        failing = pool.submit(divmod, 1, 0)
        require(isinstance(failing.exception(60), ZeroDivisionError), "an exception must reach its future")
    require(isinstance(unit.SHARES_MEMORY, bool), "SHARES_MEMORY must say where tasks run")
