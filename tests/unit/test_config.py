"""Words become typed settings; a wrong word is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cards import SubmissionCard
from harness.config import (
    RunConfig,
    ScoreConfig,
    open_section,
    parse_words,
    value_of,
)
from harness.errors import UserError
from harness.validated import read_card


def test_words_become_a_typed_frozen_config() -> None:
    """Numbers, paths and groups arrive with their types."""
    words = [
        "challenge=kium",
        "folds=5",
        "data=/x",
        "trainer.max_epochs=3",
        "model.lr=1e-3",
        "wandb.mode=offline",
    ]
    config = parse_words(RunConfig, words)

    assert (config.folds, config.data, config.model, config.wandb.mode) == (
        5,
        Path("/x"),
        {"lr": 0.001},
        "offline",
    )
    assert config.trainer == {"max_epochs": 3}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["chalenge=kium"], "Did you mean 'challenge'?"),
        (["challenge=kium", "trainer.max_epoch=3"], "Did you mean 'trainer.max_epochs'?"),
        (["challenge=kium", "trainer.max_epochs=abc"], "but got 'abc'"),
        (["challenge=kium", "trainer.max_epochs=0"], "greater than or equal to 1, but got 0"),
        (["challenge=kium", "folds=1"], "but got '1'"),
        (["kium"], "form key=value"),
        (["challenge", "kium"], "but got 'challenge'. Type challenge=VALUE."),
        (["chalenge"], "Did you mean 'challenge'?"),
        ([], "Option 'challenge' is missing"),
        (["challenge=kium", "seed=1", "seed=2"], "given twice"),
        (["challenge=kium", "sandbox=none"], "'auto', 'bubblewrap', 'reduced' or 'off'"),
        (["challenge=kium", "trainer=5"], "No option 'trainer'"),
    ],
)
def test_a_wrong_word_is_one_sentence(words: list[str], sentence: str) -> None:
    """The value, what is known and what to type are in it."""
    with pytest.raises(UserError) as caught:
        parse_words(RunConfig, words)

    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_word_must_be_a_hyperparameter_of_the_card() -> None:
    """`model.lrr` names `model.lr`."""
    with pytest.raises(UserError, match=r"Did you mean 'model\.lr'"):
        open_section({"lr": 1e-3}, {"lrr": 1}, "model")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("a: b: c", "a: b: c"),
        ("007x", "007x"),
    ],
)
def test_open_values_are_read_as_yaml(text: str, value: object) -> None:
    """With 1e-3 a number, as everywhere but in YAML 1.1."""
    assert value == value_of(text)


def test_a_score_word_stays_text_where_text_is_wanted() -> None:
    """A team called 007 keeps its zeros."""
    assert parse_words(ScoreConfig, ["challenge=kium", "team=007"]).team == "007"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("challenge: kium\nteam: T\n", "lacks the key 'title'"),
        ("challenge: kium\nteam: T\ntitle: t\nauthor: me\n", "unknown key 'author'"),
        ("- a\n", "must hold key: value lines"),
        ("a: [\n", "cannot be read"),
        ("a: &x [1]\nb: [*x, *x]\n", "aliases"),
        ("a: " + "[" * 60000, "cannot be read"),
        ("a: " + "x" * 200000, "longer than"),
        ("challenge: kium\nteam: ''\ntitle: t\n", "team"),
    ],
)
def test_a_wrong_card_is_refused_by_file(tmp_path: Path, text: str, sentence: str) -> None:
    """The sentence names the file and the key."""
    path = tmp_path / "submission.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="submission.yaml") as caught:
        read_card(SubmissionCard, path)

    assert sentence in str(caught.value)
