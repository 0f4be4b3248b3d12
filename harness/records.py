"""The record of a run: written once, atomically, then never changed.

runs/<challenge>/<run id>/
    record.json      this module's `RunRecord`, full precision; NaN is written as null
    cases.parquet    per-case scores: case, patient, half (cv or test), fold, one column a score
    resamples.npz    every metric in every bootstrap resample, for rank intervals; absent in old runs
    folds.csv        case, patient, fold
    sweep_figures.json   of a tuned entry: name -> Plotly figure
    predictions/     cv.npz and test.npz, and both in the organiser's format
    log/             what each fold printed
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.contracts import Isolation
from harness.errors import UserError

__all__ = [
    "Cell",
    "ChallengeFacts",
    "DataFacts",
    "Entry",
    "Half",
    "Interval",
    "RunRecord",
    "SeedFacts",
    "SeedScore",
    "SeedVariance",
    "SweepFacts",
    "SweepTrial",
    "dump",
    "load",
    "load_all",
]

SCHEMA = 1
Route = Literal["code", "file", "reference"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric's value with its 95 % bootstrap interval over patients; None where undefined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Half:
    """The scores on one half: out-of-fold ("cv") or test."""

    n_scored: int
    n_expected: int
    metrics: Mapping[str, Interval]
    """By metric key, in challenge.yaml's order; the first ranks. Empty if anything is missing."""
    panel: Mapping[str, Any] = field(default_factory=dict)
    """Tables and curves, as the challenge's scorer made them."""
    positional: Mapping[str, float | None] | None = None
    """What the organiser's own script, which ignores the case ids, says of a prediction file."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """By metric key, how many cases those rest on that rest on a part of them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One fold with one seed."""

    fold: int
    seed: int
    key: str
    state: Literal["done", "failed"]
    failure_kind: str | None
    failure_reason: str | None
    started: str
    finished: str
    seconds: float
    peak_memory_bytes: int
    n_train: int
    n_heldout: int
    metrics: Mapping[str, float | None]
    """Of this fold's held-out part."""
    prediction_seconds: float | None = None
    """To predict the held-out and the test cases, loading included; part of `seconds`. None if not known."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who answers, and with what."""

    name: str
    route: Route
    team: str
    title: str
    description: str
    licence: str
    digest: str
    """Of the submission's files, or of the prediction file."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters, trainer and loader as used."""
    overrides: tuple[str, ...] = ()
    """The words that changed them; another set of words is another entry."""
    parameters: int | None = None
    """Trainable parameters, as the model reports them."""


@dataclass(frozen=True, slots=True)
class SweepTrial:
    """One set of hyperparameters that a sweep tried."""

    number: int
    state: Literal["complete", "pruned", "failed"]
    value: float | None
    """The ranking metric, pooled out-of-fold, of a complete trial; of the folds so far of a pruned one."""
    parameters: Mapping[str, Any]
    folds: int
    """How many it took, those that an earlier sweep had stored included."""
    seconds: float
    reason: str | None = None
    """Why it was pruned or failed."""
    outer: int | None = None
    """The outer fold inside which it was tried, in a nested sweep."""


@dataclass(frozen=True, slots=True)
class SweepFacts:
    """How a tuned entry found its hyperparameters, and what that cost."""

    sampler: str
    pruner: str
    trials: tuple[SweepTrial, ...]
    space: Mapping[str, str]
    """Hyperparameter -> distribution, as written."""
    nested: bool
    seed: int
    folds_trained: int
    folds_planned: int
    """Trials x folds: what the sweep would have trained without pruning."""
    seconds: float
    """Of all trials' folds together."""
    inner_best: float | None
    """The best trial's out-of-fold score; nested: the mean over the outer folds."""
    outer_score: float | None
    """The same metric on cases that had no part in the choice: the test set, or nested, the outer folds."""
    optimism: float | None
    """inner_best minus outer_score, turned round where lower is better: above 0 if it hoped too much."""
    best: tuple[Mapping[str, Any], ...]
    """The chosen hyperparameters: one set, or nested, one for each outer fold."""


@dataclass(frozen=True, slots=True)
class SeedScore:
    """What the models of one seed score together: what ranks, pooled as the board pools it."""

    seed: int
    cv: Mapping[str, float | None]
    """By metric key."""
    test: Mapping[str, float | None]
    """Empty where there is no test truth."""


@dataclass(frozen=True, slots=True)
class SeedVariance:
    """Where the spread of a metric over the folds' held-out parts comes from."""

    seeds: float
    """Variance between the seeds of one fold."""
    folds: float
    """Variance between folds, beyond what seeds alone would make; not below 0."""


@dataclass(frozen=True, slots=True)
class SeedFacts:
    """How much of an entry's score is luck of the seed; the entry stands for its first seed."""

    scores: tuple[SeedScore, ...]
    """The first seed's first; a further seed's only if all its folds are done."""
    variance: Mapping[str, SeedVariance]
    """By metric key; without a metric that is undefined in some fold."""


@dataclass(frozen=True, slots=True)
class ChallengeFacts:
    """Which question, in which version."""

    name: str
    version: str
    digest: str
    """Of the challenge's scorer and metrics."""


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Which data; the fingerprint decides the board."""

    fingerprint: str
    phantom: bool
    n_development: int
    n_test: int
    test_truth: bool
    truth_digest: str = ""
    """Of the test truth; scores against different truths cannot be compared."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The challenge's own words, such as variant; each value has its own board."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything the board shows of one run, and what it takes to recompute it."""

    run_id: str
    key: str
    """Same key, same computation: the latest record of a key stands."""
    challenge: ChallengeFacts
    data: DataFacts
    entry: Entry
    state: Literal["complete", "failed"]
    failures: tuple[str, ...]
    """One sentence each."""
    n_folds: int
    seed: int
    """The first; score, predictions and resamples are of its models."""
    cells: tuple[Cell, ...]
    """Of the first seed, then those of the further ones."""
    cv: Half | None
    test: Half | None
    isolation: str
    started: str
    """UTC, ISO 8601."""
    finished: str
    seconds: float
    """Of the folds together, not of the wall; of the first seed alone."""
    command: str
    provenance: Mapping[str, Any]
    """git, versions, hardware, seeds, environment."""
    sweep: SweepFacts | None = None
    """Of a tuned entry."""
    origin: str = ""
    """The run whose stored predictions these scores are of; empty where they are its own."""
    seeds: SeedFacts | None = None
    """Of an entry that was trained with more than one."""
    schema: int = SCHEMA

    @property
    def first_cells(self) -> tuple[Cell, ...]:
        """The folds that the score rests on: those of the first seed."""
        return tuple(cell for cell in self.cells if cell.seed == self.seed)


def plain(value: Any) -> Any:  # noqa: ANN401  JSON is dynamic
    """Return the value as JSON types; NaN and infinities become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # a lone surrogate, from hostile YAML, is no text
    return value


def dump(value: Any, *, indent: int | None = 1) -> str:  # noqa: ANN401  JSON is dynamic
    """Return JSON text at full precision, without NaN tokens."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class _Schema:
    schema: int


def parse(text: str | bytes) -> RunRecord:
    """Return the record that `dump` wrote; fields that it does not know are passed over.

    Raises:
        RecursionError, ValueError: if it is not one.
    """
    try:
        schema = msgspec.json.decode(text, type=_Schema).schema
        if schema != SCHEMA:
            raise ValueError(f"schema {schema}, this harness reads {SCHEMA}")
        record = msgspec.json.decode(text, type=RunRecord)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    if record.isolation not in tuple(Isolation):
        raise ValueError(f"isolation is {record.isolation!r:.60}")
    return record


@contextmanager
def unless_broken(path: Path) -> Iterator[None]:
    """Name the file of a record that cannot be read.

    Raises:
        UserError: where it is none.
    """
    try:
        yield
    except (OSError, RecursionError, ValueError) as error:
        raise UserError(
            f"{path} is not a run record ({error}). Move the folder out of runs/ and type the command again."
        ) from error


def load(folder: Path) -> RunRecord:
    """Read one record.

    Raises:
        UserError: if the folder's record.json is not a record.
    """
    path = folder / "record.json"
    with unless_broken(path):
        return parse(path.read_bytes())


def load_named(runs: Path, challenge: str, run_id: str) -> RunRecord:
    """Read the record of one run.

    Raises:
        UserError: if there is no such run; names those that there are.
    """
    known = {record.run_id: record for record in load_all(runs, challenge)}
    if run_id not in known:
        raise UserError(f"No run {run_id!r} in {runs / challenge}. Known: {', '.join(known)}.")
    return known[run_id]


def load_all(runs: Path, challenge: str) -> tuple[RunRecord, ...]:
    """Read every record of a challenge, sorted by run id."""
    return tuple(load(path.parent) for path in files(runs, challenge))


def files(runs: Path, challenge: str) -> list[Path]:
    """Return the file of every record of a challenge, sorted by run id."""
    return sorted((runs / challenge).glob("[!.]*/record.json"))
