"""The records that cross the boundaries, and what each unit (challenge, metric, executor) provides.

Arrays are numpy arrays whose first axis is the case, in the order of the `CaseSet` they belong to; a column
of label maps is an object array of `harness.volumes.Volume`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Arrays = Mapping[str, NDArray[Any]]


# ------------------------------------------------------------------------------------- cases
@dataclass(frozen=True, slots=True)
class Case:
    """One scored unit."""

    id: str
    patient: str
    """Cases of one patient are never divided between the halves of a fold."""
    files: tuple[Path, ...]
    """The input files, in the order that the challenge's `decode` reads them."""
    digest: str = ""
    """SHA-256 of the case's own content, where one file holds many cases; else the files are hashed."""


@dataclass(frozen=True, slots=True)
class CaseSet:
    """The development set or the test set, in an order that tells nothing of the truth."""

    cases: tuple[Case, ...]
    truth: Arrays | None
    """Sealed; first axis = cases. None where the organiser keeps it."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The case ids, in order."""
        return tuple(case.id for case in self.cases)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a challenge's `data.read` returns."""

    development: CaseSet
    test: CaseSet


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """What one prediction key holds for one case."""

    shape: tuple[int, ...]
    """Of one case: () for a number, (21,) for a vector."""
    low: float
    high: float
    integer: bool = False
    required: bool = True
    description: str = ""
    grid: str = ""
    """For a label map of each case, uint8: the input (n, 3) that holds each case's shape; `shape` is ()."""


# ------------------------------------------------------------------------ what a challenge provides
class DataUnit(Protocol):
    """`challenges/<name>/data.py`.

    It may hold `RAGGED`, the names of the inputs whose shape differs from case to case; for the maps of
    `harness explain`, which a viewer unit may say as well, `explained_image(inputs)`, the image (h, w) or
    (x, y, z) of one case, and `EXPLAINED_AXES`, where its axes run to ("LPS": left, posterior, superior).
    """

    PREPARATION: str
    """Version of `decode`; part of the key of the prepared store."""

    def read(self, root: Path, truth: Path | None, options: Mapping[str, str]) -> Dataset:
        """Read the organiser's layout; `truth` names the test truth's file if it lies elsewhere.

        `options` holds a value for each of the card's `options`.

        Raises:
            UserError: by file, row and column, for everything wrong with it.
        """

    def decode(self, case: Case, options: Mapping[str, Any]) -> dict[str, Array]:
        """Decode one case's files to arrays whose shapes, but for `RAGGED`, depend on the options only."""

    def strata(self, truth: Arrays) -> NDArray[np.bool_]:
        """Return the labels that the folds balance, (n, labels)."""


class PhantomUnit(Protocol):
    """`challenges/<name>/phantom.py`."""

    VERSION: str

    def write(self, root: Path, *, seed: int = 0, size: str = "small") -> None:
        """Write synthetic patients in the organiser's layout, test truth included; "smoke" or "small".

        All values of the card's `options` are written: `data.read` chooses among them.
        """


class ScorerUnit(Protocol):
    """`challenges/<name>/scorer.py`; the only code that sees the truth, and it runs in the parent.

    The module itself, or what its `for_options(options)` returns where the rules depend on the challenge's
    options. Label maps are columns of `harness.volumes.Volume`. It may hold `sizes(truth, predictions)`, the
    number of cases that a metric rests on, by its key, where that is a part of them: a subgroup, or those
    that have a value.
    """

    PREDICTIONS: Mapping[str, ArraySpec]
    SUFFIX: str
    """Of a prediction file in the organiser's format, such as ".csv"."""

    def score(
        self, truth: Arrays, predictions: Arrays, counts: NDArray[np.integer] | None = None
    ) -> dict[str, Array]:
        """Return every metric of challenge.yaml; NaN where undefined.

        `counts` (resamples, n) are the multiplicities of the cases in bootstrap resamples; each
        metric then has shape (resamples,), otherwise ().
        """

    def per_case(self, truth: Arrays, predictions: Arrays) -> dict[str, Array]:
        """Return the per-case scores, each (n,)."""

    def panel(self, truth: Arrays, predictions: Arrays) -> dict[str, Any]:
        """Return tables and curves for the entry's page, JSON-ready (None where undefined).

        Beside the truth, `truth` holds the cases' ids as `id`.

        name -> {"kind": "table", "title", "columns": [..], "rows": [[..]]}, which may draw its intervals:
        "forest": {"value": column, "low": column, "high": column, "reference": number},
        {"kind": "curve", "title", "x_label", "y_label", "diagonal": bool,
        "series": [{"name", "x": [..], "y": [..], "n": [..] or absent}]}, a series may have "low" and "high",
        its intervals, and the curve "y_from_0_to_1": True,
        or {"kind": "note", "title", "text"}. Titles, labels, heads, series and texts may have
        Korean twins: "title_ko", "x_label_ko", "columns_ko" and so on (`harness.panels.in_korean`).
        """

    def combine(self, folds: Sequence[Arrays]) -> dict[str, Array]:
        """Join the fold models' predictions of the same cases into one."""

    def references(self, development: Arrays, cases: CaseSet) -> dict[str, tuple[str, dict[str, Array]]]:
        """Return reference predictions for the cases: name -> (title, predictions).

        Of the cases it may use how many they are and on which grids they lie; `development` is a truth.
        """

    def read_predictions(self, path: Path, cases: CaseSet) -> dict[str, Array]:
        """Read a prediction file, or a folder, in the order of the cases.

        Raises:
            UserError: missing, extra, doubled or malformed rows, by row and column.
        """

    def write_predictions(self, path: Path, cases: CaseSet, predictions: Arrays) -> None:
        """Write predictions in the organiser's format."""

    def read_truth(self, path: Path, ids: Sequence[str]) -> dict[str, Array]:
        """Read a truth file, cases in the order of `ids`."""

    def truth_ids(self, path: Path) -> tuple[str, ...]:
        """Return the case ids of a truth file, sorted."""


@dataclass(frozen=True, slots=True)
class Metric:
    """`harness/metrics/<name>.py` holds one as `metric`."""

    name: str
    title: str
    compute: Callable[..., Array]
    """(truth, prediction, counts=None) -> value; counts (resamples, n) -> (resamples,)."""
    higher_is_better: bool
    low: float
    high: float
    digits: int = 4


class ExecutorUnit(Protocol):
    """`harness/executors/<name>.py`."""

    SHARES_MEMORY: bool
    """Whether tasks run in this process, so that they can report their progress as they go."""

    def open(self, jobs: int) -> Executor:
        """Return an executor that runs up to `jobs` folds at once."""


# ------------------------------------------------------------------------------------ fold jobs
@dataclass(frozen=True, slots=True)
class Fold:
    """Row numbers of the development set, sorted."""

    index: int
    train: NDArray[np.int64]
    heldout: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ExplainedCase:
    """A held-out case whose map is wanted."""

    row: int
    """Of the development set."""
    shape: tuple[int, ...]
    """Of the map: (pictures, height, width) or (1, x, y, z)."""


@dataclass(frozen=True, slots=True)
class FoldJob:
    """All that the isolated process of one fold gets: no label of a held-out or test case."""

    packages: Mapping[str, str]
    """The units it is made of: dotted name -> folder, such as "challenges.kium"."""
    module: str
    """The dotted name of the module with `class Model`."""
    hyperparameters: Mapping[str, Any]
    trainer: Mapping[str, Any]
    loader: Mapping[str, Any]
    development: str
    """Folder of the development set's input arrays (npy, memory-mapped)."""
    test: str
    train: NDArray[np.int64]
    heldout: NDArray[np.int64]
    truth: Arrays
    """Of the training rows, in the order of `train`."""
    patients: NDArray[np.int64]
    """A number per training row, equal within a patient."""
    spec: Mapping[str, ArraySpec]
    fold: int
    seed: int
    threads: int = 1
    gpus: int = 0
    """How many this machine has; folds take turns."""
    one_batch: bool = False
    """`harness check`: train one batch, then predict."""
    explained: tuple[ExplainedCase, ...] = ()
    """`harness explain`: held-out cases whose Grad-CAM maps are sent back too, as "map/0", "map/1" ..."""


# ------------------------------------------------------------------------------------- isolation
class Isolation(StrEnum):
    """What an entry ran under, as the board shows it."""

    BUBBLEWRAP = "bubblewrap"
    REDUCED = "reduced"
    NONE = "none"


class FailureKind(StrEnum):
    """Why a fold has no predictions."""

    ERROR = "error"
    """The submission raised."""
    PREDICTIONS = "predictions"
    """Wrong keys, shapes, types or values."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    OUTPUT = "output"
    """More log or result bytes than allowed."""
    KILLED = "killed"
    """Ended by a signal, such as a segmentation fault."""
    SANDBOX = "sandbox"
    """The harness could not start it: not the entrant's fault."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A typed state with its reason; never a number."""

    kind: FailureKind
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one fold."""

    wall_seconds: float = 6 * 3600.0
    memory_bytes: int = 16 << 30
    processes: int = 64
    """Processes and threads."""
    disk_bytes: int = 1 << 30
    """Of the private temporary folders together."""
    output_bytes: int = 16 << 20
    """Of log and events together."""


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a zygote is started with; the same for all folds of a run."""

    isolation: Isolation
    read_only: tuple[str, ...] = ()
    """Absolute paths visible to every fold at the same place: inputs, units, never a label."""
    preload: tuple[str, ...] = ()
    """Trusted modules imported once, before any fold."""
    python_path: tuple[str, ...] = ()
    """Extra folders of trusted code for sys.path."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back from one isolated process."""

    arrays: dict[str, Array] | None
    failure: Failure | None
    log: str
    """Standard output and error, as text, at most `output_bytes`."""
    seconds: float
    peak_memory_bytes: int
    events: tuple[dict[str, Any], ...] = field(default=())
