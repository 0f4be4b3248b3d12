"""`harness new submission NAME`: a folder that runs as it is."""

from __future__ import annotations

from pathlib import Path

from harness import catalog
from harness.cards import SubmissionCard
from harness.config import NewConfig
from harness.errors import UserError
from harness.validated import parse_card

__all__ = ["new_submission"]

CARD = """\
challenge: {question}
team: {team}
title: {title}
description: >-
  What is new in it, in a sentence or two.
licence: not stated

# Keyword arguments of Model in model.py; change one for a run with model.KEY=VALUE.
hyperparameters:
{hyperparameters}
# pytorch_lightning.Trainer; change with trainer.KEY=VALUE.
trainer:
{trainer}
# How the harness feeds the model; change with loader.KEY=VALUE.
loader:
{loader}"""

MODEL = '''\
"""{name}: the baseline of {challenge}, to be made better.

Any pytorch_lightning.LightningModule called Model does; this one starts from the baseline and may override
any of its methods (see challenges/{challenge}/baseline.py and challenges/{challenge}/README.md).
"""

from __future__ import annotations

from challenges.{challenge}.baseline import Model as Baseline


class Model(Baseline):
    """The baseline, unchanged so far."""
'''


def _section(values: object) -> str:
    import yaml

    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True) if values else "{}\n"
    return "".join(f"  {line}\n" for line in text.splitlines())


def new_submission(name: str, config: NewConfig) -> Path:
    """Write `submissions/<name>/` in the working folder and return it.

    Raises:
        UserError: for a bad name, a team no card may hold, or a folder that is there already.
    """
    challenge = catalog.challenge(config.challenge)
    if not catalog.NAME.fullmatch(name) or name == catalog.BASELINE:
        raise UserError(
            f"A name has lower case letters, digits and _, and is not 'baseline', but got {name!r}. "
            f"Type for example: harness new submission my_first_model challenge={challenge.name}"
        )
    folder = Path("submissions") / name
    if folder.exists():
        raise UserError(f"{folder} is there already. Choose another name, or change what is in it.")
    baseline = catalog.submission(catalog.BASELINE, challenge).card
    words = {
        "name": name,
        "title": _scalar(name),
        "challenge": challenge.name,
        "question": _scalar(challenge.name),
        "team": _scalar(config.team),
        "hyperparameters": _section(dict(baseline.hyperparameters)),
        "trainer": _section(dict(baseline.trainer)),
        "loader": _section(dict(baseline.loader)),
    }
    card = CARD.format(**words)
    parse_card(SubmissionCard, card, f"The card of {folder}")
    folder.mkdir(parents=True)
    (folder / "submission.yaml").write_text(card, encoding="utf-8")
    (folder / "model.py").write_text(MODEL.format(**words), encoding="utf-8")
    return folder


def _scalar(text: str) -> str:
    """Return text as YAML in quotes: a name such as `yes` stays a name."""
    import json

    return json.dumps(text, ensure_ascii=False)
