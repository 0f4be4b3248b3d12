"""A run's configuration to its fold jobs: everything that is decided before anything is trained."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import catalog, sandbox
from harness.cells import cell_key, key_of, seed_of
from harness.compose import truth_key
from harness.config import LimitsConfig, LoaderConfig, RunConfig, TrainerConfig, merged, open_section
from harness.contracts import Fold, FoldJob, Isolation, Limits, SandboxSpec
from harness.errors import UserError
from harness.folds import audit, make_folds
from harness.prepare import Store, digests_of, fingerprint, prepare
from harness.provenance import gpu_count
from harness.source import Source, open_source
from harness.staging import refuse_inside, stage

if TYPE_CHECKING:
    from harness.catalog import Challenge, Submission
    from harness.contracts import Arrays

__all__ = ["ENTRY", "Plan", "further_plans", "make_plan"]

ENTRY = "harness.training:fit_and_predict"
ALWAYS = ("torch", "pytorch_lightning", "harness.training")
WHERE_NAMED = ("timm", "monai", "albumentations", "cv2")
PRELOAD = (*ALWAYS, *WHERE_NAMED)
"""Trusted libraries that a zygote may hold: always, and where the entry or its challenge names them."""
SECTIONS = {
    "model": "hyperparameters",
    "trainer": "trainer",
    "loader": "loader",
    "preparation": "preparation",
}
"""Words and the section of the settings that they change."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run, decided."""

    config: RunConfig
    words: tuple[str, ...]
    challenge: Challenge
    submission: Submission
    source: Source
    fingerprint: str
    digests: Mapping[Path, str]
    folds: tuple[Fold, ...]
    settings: Mapping[str, Mapping[str, Any]]
    """hyperparameters, trainer, loader, preparation."""
    overrides: tuple[str, ...]
    """What makes this another entry than the submission as it is written, sorted."""
    limits: Limits
    isolation: Isolation
    keys: tuple[str, ...]
    """Of the folds."""
    key: str
    """Of the run."""
    packages: Mapping[str, str]
    """The units that a fold may import, as copies of exactly what their digests cover."""

    @property
    def jobs(self) -> int:
        """How many folds run at once."""
        return min(self.config.jobs or gpu_count() or os.cpu_count() or 1, len(self.folds))

    @property
    def cells(self) -> Path:
        """Where finished folds are stored."""
        return self.config.runs / self.challenge.name / ".cells"


def settings_of(
    config: RunConfig, challenge: Challenge, submission: Submission, source: Source
) -> dict[str, Any]:
    """Return what an entry is trained with: the cards' sections with the words over them.

    Raises:
        UserError: for a word or a key of a card that is not known.
    """
    card, path = submission.card, str(submission.card_path)
    default = challenge.preparation(source.options, phantom=source.phantom)
    own = open_section(default, card.preparation, f"{path}: preparation")
    trainer = merged(TrainerConfig, {}, card.trainer, f"{path}: trainer").model_dump(exclude_unset=True)
    loader = merged(LoaderConfig, {}, card.loader, f"{path}: loader").model_dump(exclude_unset=True)
    return {
        "hyperparameters": open_section(card.hyperparameters, config.model, "model"),
        "trainer": merged(TrainerConfig, trainer, config.trainer, "trainer").model_dump(),
        "loader": merged(LoaderConfig, loader, config.loader, "loader").model_dump(),
        "preparation": open_section(own, config.preparation, "preparation"),
    }


def overrides_of(
    config: RunConfig, challenge: Challenge, submission: Submission, source: Source
) -> tuple[str, ...]:
    """Return the words that change the submission as it is written, sorted."""
    used = settings_of(config, challenge, submission, source)
    bare = config.model_copy(update={name: {} for name in SECTIONS})
    plain = settings_of(bare, challenge, submission, source)
    changed = [
        f"{word}.{key}={value}"
        for word, section in SECTIONS.items()
        for key, value in used[section].items()
        if plain[section].get(key) != value
    ]
    folds = config.folds or challenge.card.folds
    changed += [f"folds={folds}"] if folds != challenge.card.folds else []
    changed += [f"seed={config.seed}"] if config.seed else []
    return tuple(sorted(changed))


def limits_of(challenge: Challenge, words: Mapping[str, Any]) -> Limits:
    """Return a fold's limits: the challenge's, with the words over them."""
    card = merged(LimitsConfig, challenge.card.limits, words, "limits")
    return Limits(
        wall_seconds=card.hours * 3600,
        memory_bytes=int(card.memory_gb * 2**30),
        processes=card.processes,
        disk_bytes=int(card.disk_gb * 2**30),
        output_bytes=int(card.output_mb * 2**20),
    )


def identity_of(plan: Plan) -> dict[str, Any]:
    """Return what decides a fold's predictions, besides the settings and the fold itself."""
    challenge = plan.challenge
    return {
        "challenge": [challenge.name, challenge.card.version, challenge.training_digest],
        "data": [plan.fingerprint, challenge.data.PREPARATION],
        "submission": plan.submission.digest,
        "isolation": plan.isolation.value,
    }


def changed(plan: Plan, **fields: Any) -> Plan:  # noqa: ANN401  any fields of the plan
    """Return the plan with other settings, folds or overrides, and the keys that follow from them."""
    new = replace(plan, **fields)
    identity = {**identity_of(new), "settings": new.settings}
    keys = tuple(
        cell_key(identity, fold.index, seed_of(new.config.seed, fold.index), _rows(fold))
        for fold in new.folds
    )
    return with_keys(new, keys)


def _rows(fold: Fold) -> bytes:
    return json.dumps([fold.train.tolist(), fold.heldout.tolist()]).encode()


def with_keys(plan: Plan, keys: tuple[str, ...]) -> Plan:
    """Return the plan of exactly these stored folds."""
    scored = [plan.challenge.scoring_digest, truth_key(plan.source.dataset)]
    card = plan.submission.card.model_dump(mode="json")
    return replace(plan, keys=keys, key=key_of([keys, *scored, card, plan.overrides]))


def further_plans(plan: Plan) -> tuple[Plan, ...]:
    """Return the plan once for each further seed; its cells are those that a run of that seed would make."""
    seeds = range(plan.config.seed + 1, plan.config.seed + plan.config.seeds)
    configs = [plan.config.model_copy(update={"seed": seed}) for seed in seeds]
    return tuple(replace(changed(plan, config=config), key=plan.key) for config in configs)


def make_plan(config: RunConfig, words: Sequence[str]) -> Plan:
    """Decide a run.

    Raises:
        UserError: for every mistake that can be seen before training.
    """
    challenge = catalog.challenge(config.challenge, config.options)
    submission = catalog.submission(config.submission, challenge)
    catalog.executor(config.executor)
    isolation = sandbox.detect(config.sandbox, trusted=submission.trusted)
    limits = limits_of(challenge, config.limits)
    source = open_source(challenge, config)
    settings = settings_of(config, challenge, submission, source)
    development = source.dataset.development
    if development.truth is None:
        raise UserError(f"The development set in {source.root} has no truth, so nothing can be trained.")
    if not submission.is_baseline:
        places = {"data": source.root, "truth": config.truth, "runs": config.runs}
        refuse_inside(submission.folder, {**places, "store": config.store, "site": config.site})
    digests = digests_of(source.dataset)
    data = fingerprint(source.dataset, digests, source.options)
    strata = challenge.data.strata(development.truth)
    folds = make_folds(development.cases, strata, config.folds or challenge.card.folds, seed=0)
    audit(source.dataset, folds, digests)
    plan = Plan(
        config=config,
        words=tuple(words),
        challenge=challenge,
        submission=submission,
        source=source,
        fingerprint=data,
        digests=digests,
        folds=folds,
        settings=settings,
        overrides=overrides_of(config, challenge, submission, source),
        limits=limits,
        isolation=isolation,
        keys=(),
        key="",
        packages=stage_packages(challenge, submission, config.store),
    )
    return changed(plan)


def fold_jobs(plan: Plan, store: Store, indices: Sequence[int]) -> dict[int, FoldJob]:
    """Return the jobs of these folds: training labels in, no other label."""
    cases = plan.source.dataset.development
    truth: Arrays = cases.truth or {}
    patients = np.unique([case.patient for case in cases.cases], return_inverse=True)[1]
    jobs = {}
    for index in indices:
        fold = plan.folds[index]
        jobs[index] = FoldJob(
            packages=plan.packages,
            module=plan.submission.module,
            hyperparameters=plan.settings["hyperparameters"],
            trainer=plan.settings["trainer"],
            loader=_loader(plan),
            development=str(store.development.resolve()),
            test=str(store.test.resolve()),
            train=fold.train,
            heldout=fold.heldout,
            truth={name: values[fold.train] for name, values in truth.items()},
            patients=patients[fold.train],
            spec=dict(plan.challenge.scorer.PREDICTIONS),
            fold=index,
            seed=seed_of(plan.config.seed, index),
            threads=max(1, (os.cpu_count() or 1) // plan.jobs),
            gpus=gpu_count(),
        )
    return jobs


def stage_packages(challenge: Challenge, submission: Submission, store: Path) -> dict[str, str]:
    """Return the units that a fold may import, as copies of exactly what their digests cover."""
    root = store / challenge.name / "units"
    seen = stage(challenge.training_files, challenge.folder, challenge.training_digest, root)
    packages = {f"challenges.{challenge.name}": str(seen.resolve())}
    if not submission.is_baseline:
        own = stage(submission.files, submission.folder, submission.digest, root)
        packages[f"submissions.{submission.name}"] = str(own.resolve())
    return packages


def _loader(plan: Plan) -> Mapping[str, Any]:
    """Return the loader's settings; the reduced isolation has no shared memory for worker processes."""
    without = {"workers": 0} if plan.isolation is Isolation.REDUCED else {}
    return {**plan.settings["loader"], **without}


def sandbox_spec(plan: Plan, store: Store) -> SandboxSpec:
    """Return what every fold may see: the units it is made of and the inputs."""
    inputs = [str(path.resolve()) for path in (store.development, store.test)]
    reached = plan.challenge.training_files_of(plan.submission)
    return SandboxSpec(
        isolation=plan.isolation,
        read_only=(*plan.packages.values(), *inputs),
        preload=(*ALWAYS, *named_libraries([*reached, *plan.submission.files])),
    )


def named_libraries(files: Sequence[Path]) -> list[str]:
    """Return the preloadable libraries that these files import; others would only slow every fold's start."""
    code = "\n".join(path.read_text("utf-8", "replace") for path in files if path.suffix == ".py")
    return [name for name in WHERE_NAMED if re.search(rf"^\s*(?:import|from)\s+{name}\b", code, re.M)]


def prepare_inputs(plan: Plan) -> Store:
    """Return the prepared store of the plan's data."""
    return prepare(
        plan.challenge, plan.source.dataset, plan.digests, plan.settings["preparation"], plan.config.store
    )
