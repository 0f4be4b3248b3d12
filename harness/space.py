"""The search space: what a sweep may change, as text, as Optuna's distributions, and as a grid.

    lr: loguniform(1e-5, 1e-2)              width: int(8, 64)         batch_size: logint(8, 256)
    dropout: uniform(0, 0.5, 0.1)           optimizer: choice(sgd, nag, adam)
    lr: geometric(0.25, 0.5, 12)            0.25, 0.125, ... twelve values
    momentum: choice(0.3, 0.9) if optimizer in (sgd, nag)

A name is a hyperparameter of the submission, or a word such as trainer.max_epochs or loader.batch_size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from harness.config import value_of
from harness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import optuna

__all__ = ["Parameter", "Space", "Value", "parse_space"]

Value = str | int | float | bool | None

SPEC = re.compile(
    r"\s*(?P<kind>[a-z]+)\s*\((?P<arguments>[^()]*)\)"
    r"(?:\s+if\s+(?P<parent>[\w.]+)\s+(?:in\s*\((?P<values>[^()]*)\)|==\s*(?P<value>[^()\s]+)))?\s*"
)
KINDS = ("uniform", "loguniform", "int", "logint", "choice", "geometric")
GROUPS = ("model", "trainer", "loader")
FORMS = (
    "loguniform(1e-5, 1e-2), uniform(0, 1), int(1, 9), logint(8, 256), choice(a, b), geometric(0.25, 0.5, 12)"
)
PLAIN = re.compile(r"[-+]?[\w.][\w.+-]*", re.ASCII)
SMALLEST, LARGEST = 1e-30, 1e30
MOST_PARAMETERS, MOST_VALUES, MOST_STEPS, MOST_CELLS = 64, 1000, 10**6, 100_000


@dataclass(frozen=True, slots=True)
class Condition:
    """A parameter exists only where another has one of these values."""

    parent: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One dimension."""

    name: str
    """The word that it changes: model.lr, trainer.max_epochs."""
    text: str
    """As written."""
    choices: tuple[Value, ...] = ()
    """Of a categorical parameter; a numeric one has a range."""
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    integer: bool = False
    condition: Condition | None = None

    def suggest(self, trial: optuna.Trial) -> Value:
        """Ask Optuna for a value."""
        if self.choices:
            chosen: Value = trial.suggest_categorical(self.name, self.choices)
            return chosen
        if self.integer:
            step = 1 if self.step is None else int(self.step)
            return int(trial.suggest_int(self.name, int(self.low), int(self.high), step=step, log=self.log))
        return float(trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log))

    def between(self) -> Value:
        """Return a number inside the range, a whole one only of a whole range."""
        return int(self.low) if self.integer else self.low + (self.high - self.low) / math.pi

    def values(self) -> tuple[Value, ...]:
        """Return all values of a discrete parameter.

        Raises:
            UserError: if it is continuous.
        """
        if self.choices:
            return self.choices
        step = self.step or (1 if self.integer else None)
        if step is None or self.log:
            raise UserError(
                f"A grid needs values, but sweep.space.{self.name} is {self.text!r}. Write choice(...), "
                "geometric(first, ratio, how_many), int(low, high, step) or uniform(low, high, step)."
            )
        count = int((self.high - self.low) / step + 1e-9) + 1
        if count > MOST_VALUES:
            raise UserError(f"A grid takes at most {MOST_VALUES} values, but {self.name} has {count}.")
        found = [self.low + k * step for k in range(count)]
        return tuple(int(v) if self.integer else v for v in found)

    def applies(self, chosen: Mapping[str, Value]) -> bool:
        """Say whether it exists beside the values chosen so far."""
        condition = self.condition
        return condition is None or (
            condition.parent in chosen and chosen[condition.parent] in condition.values
        )


@dataclass(frozen=True, slots=True)
class Space:
    """The parameters, each after those that its condition names."""

    parameters: tuple[Parameter, ...]

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """Return a value for every parameter that exists in this trial."""
        return self._chosen(lambda parameter: parameter.suggest(trial))

    def example(self) -> dict[str, Value]:
        """Return some cell of the space, all parameters included, to see whether the words are known."""
        return {p.name: p.choices[0] if p.choices else p.between() for p in self.parameters}

    def _chosen(self, choose: Callable[[Parameter], Value]) -> dict[str, Value]:
        chosen: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.applies(chosen):
                chosen[parameter.name] = choose(parameter)
        return chosen

    def grid(self) -> list[dict[str, Value]]:
        """Return every cell of a discrete space once, the last parameter fastest.

        Raises:
            UserError: if a parameter is continuous, or the cells are too many.
        """
        found = list(islice(self._cells(0, {}), MOST_CELLS + 1))
        if len(found) > MOST_CELLS:
            raise UserError(
                f"The grid has more than {MOST_CELLS} cells. Make it coarser, or type sweep.sampler=random."
            )
        return found

    def _cells(self, position: int, chosen: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if position == len(self.parameters):
            yield chosen
            return
        parameter = self.parameters[position]
        if not parameter.applies(chosen):
            yield from self._cells(position + 1, chosen)
            return
        for value in parameter.values():
            yield from self._cells(position + 1, {**chosen, parameter.name: value})

    def texts(self) -> dict[str, str]:
        """Return name -> distribution, as written."""
        return {parameter.name: parameter.text for parameter in self.parameters}


def parse_space(card: Mapping[str, Any], words: Mapping[str, str]) -> Space:
    """Return the card's space with the words over it.

    Raises:
        UserError: for a distribution that cannot be read, or a condition on what is not searched.
    """
    merged = {**_named(card), **_named(words)}
    found = {name: _parameter(name, text) for name, text in merged.items() if text.strip() != "none"}
    if not found:
        raise UserError(f"There is nothing to search. Type sweep.space.NAME='...', such as {FORMS}.")
    if len(found) > MOST_PARAMETERS:
        raise UserError(f"The space has {len(found)} parameters; at most {MOST_PARAMETERS} can be searched.")
    return Space(tuple(_in_order(found)))


def _named(specs: Mapping[str, Any]) -> dict[str, str]:
    named = [(full_name(name), str(text)) for name, text in specs.items()]
    for (name, _), (other, _) in pairwise(sorted(named)):
        if name == other:
            raise UserError(f"sweep.space.{name} is given twice, with and without 'model.'. Keep one.")
    return dict(named)


def full_name(name: str) -> str:
    """Return "model.lr" for "lr"; words with their group stay as they are.

    Raises:
        UserError: for a group that cannot be searched.
    """
    group, dot, _ = name.partition(".")
    if dot and group not in GROUPS:
        raise UserError(f"sweep.space.{name} cannot be searched. Known groups: {', '.join(GROUPS)}.")
    return name if dot else f"model.{name}"


def _bad(name: str, text: str, why: str) -> UserError:
    return UserError(f"sweep.space.{name} is {text!r}; {why}.")


def _parameter(name: str, text: str) -> Parameter:
    match = SPEC.fullmatch(text)
    if match is None:
        raise _bad(name, text, f"known forms: {FORMS}")
    kind = match["kind"]
    if kind not in KINDS:
        raise _bad(name, text, did_you_mean(kind, KINDS)[:-1])
    arguments = _values(name, text, match["arguments"])
    condition = None
    if match["parent"] is not None:
        values = match["values"] if match["values"] is not None else match["value"]
        condition = Condition(full_name(match["parent"]), _values(name, text, values))
    if kind == "choice":
        if len(set(arguments)) < len(arguments):  # 1, 1.0 and true are one value to Optuna
            raise _bad(name, text, "its values must differ")
        if len(arguments) > MOST_VALUES:
            raise _bad(name, text, f"it has more than {MOST_VALUES} values")
        return Parameter(name, text, choices=arguments, condition=condition)
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in arguments):
        raise _bad(name, text, "its limits must be numbers")
    numbers = [float(value) for value in arguments if isinstance(value, int | float)]
    if kind == "geometric":
        return Parameter(name, text, choices=_geometric(name, text, numbers), condition=condition)
    return _range(name, text, kind, numbers, condition)


def _values(name: str, text: str, listed: str) -> tuple[Value, ...]:
    parts = [part.strip() for part in listed.split(",")]
    if not all(PLAIN.fullmatch(part) for part in parts):
        raise _bad(name, text, "write numbers, true, false or plain words, with commas between them")
    found = [value_of(part) for part in parts]
    if any(not isinstance(value, str | int | float | bool) for value in found):
        raise _bad(name, text, "its values must be numbers, true, false or words")
    numbers = [value for value in found if isinstance(value, int | float)]
    if any(value != 0 and not SMALLEST <= abs(value) <= LARGEST for value in numbers):
        raise _bad(name, text, f"its numbers must lie between {SMALLEST:g} and {LARGEST:g} in size")
    return tuple(found)


def _geometric(name: str, text: str, numbers: Sequence[float]) -> tuple[Value, ...]:
    if len(numbers) != 3 or numbers[2] != int(numbers[2]) or not 1 <= numbers[2] <= MOST_VALUES:
        raise _bad(name, text, f"write geometric(first, ratio, how_many), of at most {MOST_VALUES} values")
    first, ratio, count = numbers
    last = math.log(abs(first)) + (count - 1) * math.log(abs(ratio)) if first and ratio else math.inf
    if not math.log(SMALLEST) <= last <= math.log(LARGEST):
        raise _bad(name, text, f"its values must lie between {SMALLEST:g} and {LARGEST:g} in size")
    values = tuple(first * ratio**k for k in range(int(count)))
    if len(set(values)) < len(values):
        raise _bad(name, text, "its values must differ")
    return values


def _range(
    name: str, text: str, kind: str, numbers: Sequence[float], condition: Condition | None
) -> Parameter:
    log, integer = kind.startswith("log"), kind.endswith("int")
    if len(numbers) not in ((2,) if log else (2, 3)):
        raise _bad(name, text, f"write {kind}(low, high{'' if log else '[, step]'})")
    low, high, *rest = numbers
    step = rest[0] if rest else None
    if integer and any(value != int(value) for value in numbers):
        raise _bad(name, text, "its limits must be whole numbers")
    if not low < high or (log and low <= 0) or (step is not None and not 0 < step <= high - low):
        raise _bad(name, text, "low must lie below high, and a step and a logarithm's low above 0")
    if step is not None and (high - low) / step > MOST_STEPS:
        raise _bad(name, text, f"it has more than {MOST_STEPS} steps")
    return Parameter(name, text, low=low, high=high, step=step, log=log, integer=integer, condition=condition)


def _in_order(found: Mapping[str, Parameter]) -> Iterator[Parameter]:
    """Yield the parameters, each after the one that its condition names."""
    placed: set[str] = set()
    waiting = dict(found)
    while waiting:
        ready = [n for n, p in waiting.items() if p.condition is None or p.condition.parent in placed]
        if not ready:
            _refuse_condition(next(iter(waiting.values())), found)
        for name in ready:
            placed.add(name)
            _refuse_impossible(waiting[name], found)
            yield waiting.pop(name)


def _refuse_impossible(parameter: Parameter, found: Mapping[str, Parameter]) -> None:
    """Refuse a condition on values that the other parameter never has."""
    condition = parameter.condition
    known = found[condition.parent].choices if condition else ()
    for value in condition.values if condition and known else ():
        if value not in known:
            raise _bad(
                parameter.name, parameter.text, f"{condition.parent if condition else ''} is never {value}"
            )


def _refuse_condition(parameter: Parameter, found: Mapping[str, Parameter]) -> None:
    parent = parameter.condition.parent if parameter.condition else ""
    if parent in found:
        raise UserError(f"sweep.space.{parameter.name} and sweep.space.{parent} wait for each other.")
    raise UserError(
        f"sweep.space.{parameter.name} depends on {parent!r}, which is not searched. "
        f"{did_you_mean(parent, [name for name in found if name != parameter.name])}"
    )
