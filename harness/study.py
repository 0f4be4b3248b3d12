"""Optuna as a sweep uses it: a study that is found again, seeded trials, and pruning by paired scores.

Every trial gets a sampler of its own, seeded by the trial's number: a sweep that was killed and goes on
asks for the same trials as one that never stopped.
"""

from __future__ import annotations

import os
import platform
import random
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cells import seed_of
from harness.errors import UserError
from harness.prepare import locked

if TYPE_CHECKING:
    import optuna

    from harness.config import SweepConfig
    from harness.space import Space

__all__ = [
    "adopted",
    "ask",
    "begun",
    "best_trial",
    "ended",
    "enqueue_grid",
    "is_worse",
    "level_after",
    "open_study",
    "report",
    "running_elsewhere",
    "tell",
]

OWNER = "owner"


class FileLock:
    """The journal's lock, as Optuna asks for it; released by the system however this process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._held.enter_context(locked(self._path))
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._held.close()


def _drop_torn_line(journal: Path) -> None:
    """Cut off what a killed process wrote of its last line; Optuna would read no further."""
    if journal.is_file():
        content = journal.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(journal, whole)


def _storage(url: str | None, folder: Path) -> optuna.storages.BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if url is not None:
        try:
            return RDBStorage(url)
        except Exception as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise UserError(
                f"sweep.storage cannot be opened: {reason}. Type a URL such as sqlite:///sweeps.db, or leave "
                "it out to keep a journal file beside the runs."
            ) from None
    folder.mkdir(parents=True, exist_ok=True)
    _drop_torn_line(folder / "journal.log")
    lock: Any = FileLock(folder / ".journal.lock")
    return JournalStorage(JournalFileBackend(str(folder / "journal.log"), lock_obj=lock))


def open_study(url: str | None, folder: Path, name: str, *, maximize: bool) -> optuna.Study:
    """Return the study of that name, made if it is not there.

    Raises:
        UserError: for a database that cannot be opened.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.create_study(
            storage=_storage(url, folder),
            study_name=name,
            direction="maximize" if maximize else "minimize",
            pruner=optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
    except ValueError as error:  # a line that is no JSON, or no log of Optuna's
        raise UserError(
            f"{folder / 'journal.log'} is damaged ({error}). Move it away: stored folds are used again."
        ) from None


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """Return a sampler; that of CMA-ES learns from pruned trials too, or pruning would starve it."""
    from optuna import samplers

    if name == "tpe":
        return samplers.TPESampler(seed=seed)
    if name == "cmaes":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False, consider_pruned_trials=True)
    return samplers.RandomSampler(seed=seed)


def begun(study: optuna.Study) -> int:
    """Return how many trials were begun: running, complete, pruned and failed ones."""
    from optuna.trial import TrialState

    return sum(trial.state is not TrialState.WAITING for trial in study.get_trials(deepcopy=False))


def ended(study: optuna.Study) -> int:
    """Return how many trials are complete, pruned or failed."""
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def enqueue_grid(study: optuna.Study, space: Space, seed: int, most: int | None) -> int:
    """Queue each cell of a discrete space once (or `most` of them), in a seeded random order.

    Returns:
        How many trials the study then has.
    """
    cells = space.grid()
    random.Random(seed).shuffle(cells)  # noqa: S311  an order, no secret
    for cell in cells[len(study.get_trials(deepcopy=False)) : most]:
        study.enqueue_trial(cell, skip_if_exists=True)  # another machine may queue them too
    return len(cells[:most])


def ask(study: optuna.Study, config: SweepConfig, seed: int) -> optuna.Trial:
    """Return the next trial; what it suggests depends on the seed and on the trials before it only."""
    trial = study.ask()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna's notes on experimental samplers are for its developers
        study.sampler = _sampler(config.sampler, seed_of(seed, trial.number))
    trial.set_user_attr(OWNER, _owner())
    return trial


def _owner() -> list[str]:
    return [platform.node(), *_process(os.getpid())]


def _process(pid: int) -> tuple[str, str]:
    """Return what names a process: its number, and when it began, as numbers are used again."""
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return str(pid), file.read().rpartition(")")[2].split()[19]
    return str(pid), ""


def running_elsewhere(study: optuna.Study) -> list[int]:
    """Return the numbers of the trials that other processes are at work on."""
    from optuna.trial import TrialState

    return [trial.number for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))]


def adopted(study: optuna.Study, config: SweepConfig, seed: int) -> list[optuna.Trial]:
    """Return the trials that another process began and did not live to finish.

    A journal has one process at a time, so that all are its predecessors'. Of a database's, those
    are whose process ran on this machine and is gone.
    """
    import optuna

    found = []
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        if config.storage is None or _is_abandoned(trial.user_attrs.get(OWNER)):
            study.sampler = _sampler(config.sampler, seed_of(seed, trial.number))
            taken = optuna.Trial(study, trial._trial_id)
            taken.set_user_attr(OWNER, _owner())
            found.append(taken)
    return found


def _is_abandoned(owner: object) -> bool:
    """Say whether the process that began a trial is gone; of one killed before it signed, nobody knows."""
    if not (isinstance(owner, list) and len(owner) == 3 and owner[0] == platform.node()):
        return False
    number = owner[1]
    if not (isinstance(number, str) and number.isdigit()):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return list(_process(int(number))) != owner[1:]


def report(trial: optuna.Trial, value: float, fold: int) -> None:
    """Store a fold's score, unless it was stored before the sweep was stopped; NaN is left out."""
    if np.isfinite(value):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial.report(value, fold)


def tell(study: optuna.Study, trial: optuna.Trial, state: str, value: float | None, **facts: Any) -> None:  # noqa: ANN401  JSON
    """End a trial: complete with a value, pruned, or failed; `facts` are stored with it."""
    from optuna.trial import TrialState

    for name, fact in facts.items():
        trial.set_user_attr(name, fact)
    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    study.tell(trial, value, state=states[state])


def best_trial(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """Return the complete trial with the best value, the first of equal ones; None before there is one."""
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = -1 if study.direction is StudyDirection.MAXIMIZE else 1
    return min(trials, key=lambda trial: (sign * (trial.value or 0.0), trial.number), default=None)


def level_after(done: int, of: int, p: float) -> float:
    """Return the p-value below which a trial is pruned after so many folds; `p` after all of them.

    The boundary of a group-sequential test: the quantile is p's times all folds over those done. The cases
    of a fold share a model, and one odd fold of the better trial is no evidence against the other.

    >>> [round(level_after(done, 10, 0.25), 4) for done in (2, 5, 10)]
    [0.0004, 0.0887, 0.25]
    """
    normal = NormalDist()
    return normal.cdf(normal.inv_cdf(p) * of / done)


def is_worse(scores: Mapping[int, float], best: Mapping[int, float], p: float) -> bool:
    """Say whether a trial is worse than the best one by the paired scores that both have, at level p.

    Higher is better. The test is Optuna's WilcoxonPruner (one-sided signed-rank test on the
    differences), which also keeps a trial whose mean is not below the best one's. It is asked after
    every fold, and takes cases that one model ranked together for independent ones: a rule to spend
    folds by, not a test to report.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pairs = {k: (scores[k], best[k]) for k in scores if k in best and np.isfinite([scores[k], best[k]]).all()}
    if len(pairs) < 2:
        return False
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    theirs = {k: pair[1] for k, pair in pairs.items()}
    mean = float(np.mean(list(theirs.values())))
    study.add_trial(optuna.create_trial(value=mean, intermediate_values=theirs))
    ours = {k: pair[0] for k, pair in pairs.items()}
    state = optuna.trial.TrialState.RUNNING
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental, and a note on ties in small samples
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=p)
        return pruner.prune(study, optuna.create_trial(state=state, intermediate_values=ours))
