"""`harness check`: one batch on phantom patients, in the sandbox of the real run, in under a minute."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from harness import catalog, sandbox
from harness.config import CheckConfig, RunConfig
from harness.contracts import Limits, Outcome, SandboxSpec
from harness.errors import UserError
from harness.plan import Plan, fold_jobs, make_plan, prepare_inputs, sandbox_spec
from harness.run import checked, run_fold

if TYPE_CHECKING:
    from harness.catalog import Challenge, Submission
    from harness.prepare import Store

__all__ = ["check", "one_batch", "planned", "smaller_settings"]

LIMITS = Limits(wall_seconds=180.0)


def _challenge_of(config: CheckConfig) -> str:
    """Return the challenge that the submission's card names."""
    if config.challenge is not None:
        return config.challenge
    if config.submission == catalog.BASELINE:
        raise UserError("Every challenge has a baseline. Type challenge=NAME too.")
    return catalog.open_submission(config.submission).card.challenge


def planned(config: CheckConfig) -> Plan:
    """Return the plan of a check: phantom patients, two folds, the sizes that the card asks for."""
    words = {
        "challenge": _challenge_of(config),
        "submission": config.submission,
        "sandbox": config.sandbox,
        "store": config.store,
        "phantom": "smoke",
        "folds": 2,
        "jobs": 1,
    }
    run_config = RunConfig.model_validate(words)
    challenge = catalog.challenge(run_config.challenge)
    smaller = smaller_settings(challenge, catalog.submission(config.submission, challenge))
    return make_plan(run_config.model_copy(update=smaller), [])


def smaller_settings(challenge: Challenge, submission: Submission) -> dict[str, dict[str, Any]]:
    """Return the card's `check:` section, divided into "model" and "preparation".

    Raises:
        UserError: for a key that is neither a hyperparameter nor an option of the preparation.
    """
    model = submission.card.hyperparameters
    options = challenge.preparation({}, phantom=True)
    given = submission.card.check
    for key in given:
        if key not in model and key not in options:
            near = get_close_matches(key, [*model, *options], n=1)
            raise UserError(
                f"{submission.card_path} has an unknown key 'check.{key}'. "
                + (f"Did you mean 'check.{near[0]}'? " if near else "")
                + f"Known hyperparameters: {', '.join(model) or 'none'}; "
                f"known preparation options: {', '.join(options) or 'none'}."
            )
    return {
        "model": {key: value for key, value in given.items() if key in model},
        "preparation": {key: value for key, value in given.items() if key not in model},
    }


def check(config: CheckConfig, say: Callable[[str], None]) -> Outcome:
    """Train one batch and predict two folds' worth of cases; say what holds.

    Raises:
        UserError: for a card or folder that is not a submission.
    """
    plan = planned(config)
    say(f"{plan.submission.name} answers {plan.challenge.name}: submission.yaml and model.py are there.")
    say(f"Training one batch and predicting phantom patients under isolation {plan.isolation.value} ...")
    store = prepare_inputs(plan)
    spec = sandbox_spec(plan, store)
    try:
        outcome = one_batch(plan, store, spec)
    finally:
        sandbox.shared_sandbox(spec).close()
    for name, values in (outcome.arrays or {}).items():
        say(f"  {name}: {values.dtype} {values.shape}")
    return outcome


def one_batch(plan: Plan, store: Store, spec: SandboxSpec) -> Outcome:
    """Train one batch in a sandbox that sees the plan's units and inputs, predict and check the answer."""
    # One thread: a single small batch gains nothing from more, and waits for them on a busy machine.
    job = dataclasses.replace(fold_jobs(plan, store, [0])[0], one_batch=True, threads=1)
    return checked(plan, 0, run_fold(job, spec, LIMITS, len(plan.source.dataset.test.cases)))
