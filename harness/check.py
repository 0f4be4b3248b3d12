"""`harness check`: one batch on phantom patients, in the sandbox of the real run, in under a minute."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from harness import catalog, sandbox
from harness.config import CheckConfig, RunConfig
from harness.contracts import Limits, Outcome
from harness.errors import UserError
from harness.plan import Plan, fold_jobs, make_plan, prepare_inputs, sandbox_spec
from harness.run import checked, run_fold

__all__ = ["check"]

LIMITS = Limits(wall_seconds=180.0)


def _challenge_of(config: CheckConfig) -> str:
    """Return the challenge that the submission's card names."""
    if config.challenge is not None:
        return config.challenge
    if config.submission == catalog.BASELINE:
        raise UserError("Every challenge has a baseline. Type challenge=NAME too.")
    return catalog.open_submission(config.submission).card.challenge


def _plan(config: CheckConfig) -> Plan:
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
    own = catalog.submission(config.submission, catalog.challenge(run_config.challenge)).card
    smaller = {key: value for key, value in own.check.items() if key in own.hyperparameters}
    preparation = {key: value for key, value in own.check.items() if key not in own.hyperparameters}
    return make_plan(run_config.model_copy(update={"model": smaller, "preparation": preparation}), [])


def check(config: CheckConfig, say: Callable[[str], None]) -> Outcome:
    """Train one batch and predict two folds' worth of cases; say what holds.

    Raises:
        UserError: for a card or folder that is not a submission.
    """
    plan = _plan(config)
    say(f"{plan.submission.name} answers {plan.challenge.name}: submission.yaml and model.py are there.")
    say(f"Training one batch and predicting phantom patients under isolation {plan.isolation.value} ...")
    store = prepare_inputs(plan)
    spec = sandbox_spec(plan.challenge, plan.submission, store, plan.isolation)
    job = dataclasses.replace(fold_jobs(plan, store, [0])[0], one_batch=True)
    try:
        outcome = run_fold(job, spec, LIMITS, len(plan.source.dataset.test.cases))
    finally:
        sandbox.shared_sandbox(spec).close()
    outcome = checked(plan, 0, outcome)
    for name, values in (outcome.arrays or {}).items():
        say(f"  {name}: {values.dtype} {values.shape}")
    return outcome
