"""The search space: its grammar, its conditions, its grid, and what it refuses."""

from __future__ import annotations

import optuna
import pytest

from harness.errors import UserError
from harness.space import parse_space

SOURCE = {
    "optimizer": "choice(sgd, nag, adam)",
    "lr": "geometric(0.25, 0.5, 12)",
    "momentum": "choice(0.3, 0.9) if optimizer in (sgd, nag)",
    "depth": "choice(18, 50, 152, 200)",
}


def test_the_source_s_grid_can_be_enumerated() -> None:
    """240 cells; 288 if Adam had a momentum; 2,880 with ten numbers of epochs on top of that."""
    whole = {**SOURCE, "momentum": "choice(0.3, 0.9)"}
    epochs = {**whole, "trainer.max_epochs": "int(100, 1000, 100)"}
    cells = parse_space(SOURCE, {}).grid()

    assert len(cells) == 240
    assert len(parse_space(whole, {}).grid()) == 288
    assert len(parse_space(epochs, {}).grid()) == 2880
    assert all(("model.momentum" in cell) == (cell["model.optimizer"] != "adam") for cell in cells)
    assert {cell["model.lr"] for cell in cells} == {0.25 * 2**-k for k in range(12)}


def test_a_condition_may_stand_before_what_it_names() -> None:
    """Parameters are asked for in the order of their conditions, whatever the order of the card."""
    space = parse_space({"b": "uniform(0, 1) if a == big", "a": "choice(big, small)"}, {})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = [space.suggest(study.ask()) for _ in range(20)]

    assert all(("model.b" in values) == (values["model.a"] == "big") for values in found)
    assert {values["model.a"] for values in found} == {"big", "small"}


@pytest.mark.parametrize(
    ("text", "low", "high", "kind"),
    [
        ("uniform(0, 0.5)", 0.0, 0.5, float),
        ("uniform(0, 0.5, 0.1)", 0.0, 0.5, float),
        ("loguniform(1e-5, 1e-2)", 1e-5, 1e-2, float),
        ("int(2, 9)", 2, 9, int),
        ("int(2, 10, 4)", 2, 10, int),
        ("logint(8, 256)", 8, 256, int),
    ],
)
def test_a_range_gives_values_inside_it(text: str, low: float, high: float, kind: type) -> None:
    """Whole numbers are int, the others float."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = parse_space({"x": text}, {})
    values = [space.suggest(study.ask())["model.x"] for _ in range(30)]

    assert all(type(value) is kind and low <= value <= high for value in values)  # type: ignore[operator]
    assert len(set(values)) > 2


def test_words_stand_over_the_card() -> None:
    """A word replaces the card's distribution of the same name, with or without "model."; none takes it out."""
    card = {"lr": "loguniform(1e-5, 1e-2)", "width": "int(1, 9)"}
    space = parse_space(card, {"model.lr": "uniform(0, 1)", "width": "none"})

    assert space.texts() == {"model.lr": "uniform(0, 1)"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("normal(0, 1)", "no distribution|Known: choice"),
        ("unifrom(0, 1)", "Did you mean 'uniform'"),
        ("0.1", "known forms"),
        ("[1, 2]", "known forms"),
        ("uniform(0)", "write uniform"),
        ("uniform(1, 0)", "low must lie below high"),
        ("loguniform(0, 1)", "low must lie below high"),
        ("loguniform(1, 2, 3)", r"write loguniform\(low, high\)"),
        ("int(0, 1.5)", "whole numbers"),
        ("int(0, a)", "must be numbers"),
        ("choice()", "commas"),
        ("choice(1, 1)", "must differ"),
        ("geometric(1, 1, 3)", "must differ"),
        ("geometric(1, 2)", "how_many"),
        ("choice(1, 2) if y == 3", "depends on 'model.y'"),
        ("choice(1, 2) if x == 1", "wait for each other"),
        ("none", "nothing to search"),
        ("choice([1, 2], [3, 4])", "plain words"),
        ("choice('a, b', c)", "plain words"),
        ("choice(1:30, 2)", "plain words"),
        ("choice(1, true)", "must differ"),
        ("choice(1, 1.0)", "must differ"),
        ("uniform(-1e308, 1e308)", "between 1e-30 and 1e\\+30"),
        ("uniform(0, 1, 1e-320)", "between 1e-30 and 1e\\+30"),
        ("uniform(0, 1, 1e-9)", "more than 1000000 steps"),
        ("uniform(0, 1, 2)", "a step"),
        ("geometric(1e20, 1e20, 3)", "between 1e-30 and 1e\\+30"),
        ("geometric(0, 2, 3)", "between 1e-30 and 1e\\+30"),
        ("geometric(1, 0.999, 2000)", "at most 1000 values"),
    ],
)
def test_what_is_no_distribution_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    """It names the word, the value and what is known."""
    with pytest.raises(UserError, match=sentence):
        parse_space({"x": text}, {})


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"x": "uniform(0, 1)"}, "A grid needs values"),
        ({"x": "loguniform(1, 2)"}, "A grid needs values"),
        ({"x": "int(1, 1000000000000)"}, "at most 1000 values"),
        ({name: "int(1, 100)" for name in "abc"}, "more than 100000 cells"),
    ],
)
def test_a_grid_without_end_is_refused(space: dict[str, str], sentence: str) -> None:
    """It says which forms have values, and what to type."""
    with pytest.raises(UserError, match=sentence):
        parse_space(space, {}).grid()


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"a": "choice(sgd, nag)", "b": "choice(1, 2) if a in (sdg)"}, "is never sdg"),
        ({"lr": "uniform(0, 1)", "model.lr": "uniform(0, 2)"}, "is given twice"),
        ({"preparation.size": "choice(28, 64)"}, "Known groups: model, trainer, loader"),
        ({f"p{k}": "uniform(0, 1)" for k in range(65)}, "at most 64"),
    ],
)
def test_a_space_that_cannot_be_meant_is_refused(space: dict[str, str], sentence: str) -> None:
    """A condition that never holds, one name twice, what is not a setting of the model, and too much."""
    with pytest.raises(UserError, match=sentence):
        parse_space(space, {})
