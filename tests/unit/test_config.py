"""Words become typed settings; a wrong word is one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import catalog
from harness.cards import SubmissionCard
from harness.config import (
    RunConfig,
    ScoreConfig,
    chosen,
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


# ---------------------------------------------------------------------------------------- sweeps
def test_a_space_is_words_of_its_own() -> None:
    """Its names are free, its texts are kept as they are written, and the rest of a sweep is typed."""
    words = ["challenge=kium", "sweep.trials=40", "sweep.space.lr=loguniform(1e-5, 1e-2)"]
    found = parse_words(
        RunConfig, [*words, "sweep.space.trainer.max_epochs=choice(1, 2)", "sweep.nested=true"]
    ).sweep

    assert (found.trials, found.nested, found.wanted) == (40, True, True)
    assert found.space == {"lr": "loguniform(1e-5, 1e-2)", "trainer.max_epochs": "choice(1, 2)"}
    assert not RunConfig(challenge="kium").sweep.wanted


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("sweep.trails=40", "Did you mean 'sweep.trials'"),
        ("sweep.trials=0", "sweep.trials: input should be greater than or equal to 1"),
        ("sweep.sampler=tp", "sweep.sampler: input should be 'tpe', 'random', 'grid' or 'cmaes'"),
        ("sweep.pruner=none", "Type sweep.trials=40"),
        ("sweep.space.lr=uniform(0, 1)", "Type sweep.trials=40"),
        ("sweep.space.=uniform(0, 1)", "No option 'sweep.space.'"),
        ("sweep.p=1.5", "sweep.p"),
    ],
)
def test_a_mistyped_sweep_is_one_sentence(word: str, sentence: str) -> None:
    """It names the word, and what to type."""
    with pytest.raises(UserError, match=re.escape(sentence)):
        parse_words(RunConfig, ["challenge=kium", word])


# ------------------------------------------------------------------------- words of a challenge
def test_a_challenge_has_words_of_its_own() -> None:
    """They are known once the challenge is named, before or after them, to run and to score."""
    for kind in (RunConfig, ScoreConfig):
        assert parse_words(kind, ["variant=mnist28", "challenge=pneumonia"]).options == {"variant": "mnist28"}
    with pytest.raises(UserError, match="No option 'variant'"):
        parse_words(RunConfig, ["challenge=kium", "variant=mnist28"])
    with pytest.raises(UserError, match="Did you mean 'variant'"):
        parse_words(RunConfig, ["challenge=pneumonia", "varient=mnist28"])
    with pytest.raises(UserError, match="No option 'options'"):
        parse_words(RunConfig, ["challenge=pneumonia", "options=1"])


def test_a_word_of_a_challenge_has_known_values() -> None:
    """Without the word the first one stands."""
    declared = catalog.challenge("pneumonia").card.options

    assert chosen(declared, {}) == {"variant": "kaggle"}
    assert chosen(declared, {"variant": "mnist28"}) == {"variant": "mnist28"}
    with pytest.raises(UserError, match="Did you mean 'mnist28'"):
        chosen(declared, {"variant": "mnist"})
