"""Names to units: the name you type is the path you open.

A unit is looked up in the working folder first, then beside the installed packages, so that the harness
works from a clone and from a wheel alike. There is no registry: a unit exists because its folder does.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from harness.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from harness.cards import ChallengeCard, SubmissionCard
    from harness.contracts import (
        Array,
        Arrays,
        CaseSet,
        DataUnit,
        ExecutorUnit,
        Metric,
        PhantomUnit,
        ScorerUnit,
    )

__all__ = [
    "Challenge",
    "Submission",
    "ViewerUnit",
    "challenge",
    "digest",
    "executor",
    "metric",
    "names",
    "open_submission",
    "submission",
]

NAME = re.compile(r"[a-z][a-z0-9_]*")
PACKAGE_ROOT = Path(__file__).resolve().parent.parent
CARDS = {"challenges": "challenge.yaml", "submissions": "submission.yaml"}
BASELINE = "baseline"


def roots() -> tuple[Path, ...]:
    """Return the folders that hold `challenges/` and `submissions/`, the first wins."""
    return tuple(dict.fromkeys([Path.cwd().resolve(), PACKAGE_ROOT]))


def names(kind: str) -> tuple[str, ...]:
    """Return the sorted names of all "challenges", "submissions", "metrics" or "executors"."""
    if kind in CARDS:
        found = {card.parent.name for root in roots() for card in (root / kind).glob(f"*/{CARDS[kind]}")}
    else:
        found = {path.stem for path in (PACKAGE_ROOT / "harness" / kind).glob("*.py")}
    return tuple(sorted(name for name in found if NAME.fullmatch(name)))


def _folder(kind: str, name: str) -> Path:
    for root in roots():
        if NAME.fullmatch(name) and (root / kind / name / CARDS[kind]).is_file():
            return root / kind / name
    raise UserError(f"No {kind.removesuffix('s')} named {name!r}. {did_you_mean(name, names(kind))}")


def open_packages(packages: Mapping[str, Path]) -> None:
    """Make each dotted name, such as "challenges.kium", importable as the package of its folder.

    No parent folder is listed: inside a fold it is not readable.
    """
    for name, folder in packages.items():
        known = sys.modules.get(name)
        if known is not None and list(known.__path__) == [str(folder)]:
            continue
        for stale in [other for other in sys.modules if other == name or other.startswith(f"{name}.")]:
            del sys.modules[stale]
        space, _, unit = name.partition(".")
        module = types.ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module
        parent = sys.modules.setdefault(space, types.ModuleType(space))
        parent.__path__ = list(getattr(parent, "__path__", []))
        setattr(parent, unit, module)


def digest(paths: Iterable[Path], base: Path) -> str:
    """Return the SHA-256 of the files' names (relative to `base`) and contents, in sorted order."""
    total = hashlib.sha256()
    for path in sorted(paths):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(base).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def unit_files(folder: Path) -> list[Path]:
    """Return a unit's files, sorted; hidden files and byte code are not part of it, in a fold neither.

    Raises:
        UserError: for a symbolic link, which might lead to what is sealed.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if any(p.startswith(".") or p == "__pycache__" for p in path.relative_to(folder).parts):
            continue
        if path.is_symlink():
            raise UserError(f"{path} is a symbolic link. Copy the file itself into the folder.")
        if path.is_file():
            found.append(path)
    return found


class ViewerUnit(Protocol):
    """`challenges/<name>/viewer.py`, which a challenge need not have.

    The module itself, or what its `for_options(options)` returns.
    """

    def write(self, folder: Path, cases: CaseSet, predictions: Arrays, scores: Mapping[str, Array]) -> None:
        """Write pictures of a few of these cases, and viewer.json, which `leaderboard.viewer` reads.

        `folder` is there and empty; `scores` are the scorer's `per_case` of these predictions. A unit that
        is there for the maps of `harness explain` alone (`contracts.DataUnit`) has no such function.
        """


@dataclass(frozen=True)
class Challenge:
    """The question: a folder under `challenges/`."""

    name: str
    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)
    """Values of the card's options that the scorer follows; the default of each that is not here."""

    @cached_property
    def card(self) -> ChallengeCard:
        """The typed content of challenge.yaml."""
        from harness.cards import ChallengeCard
        from harness.validated import read_card

        return read_card(ChallengeCard, self.folder / "challenge.yaml")

    def preparation(self, options: Mapping[str, str], *, phantom: bool) -> dict[str, Any]:
        """Return the preparation of its cases, before a submission or a word changes it."""
        found = {**self.card.preparation, **(self.card.phantom.preparation if phantom else {})}
        for name, value in options.items():
            found |= self.card.options[name].values[value].preparation
        return found

    def _module(self, name: str) -> types.ModuleType:
        open_packages({f"challenges.{self.name}": self.folder})
        return importlib.import_module(f"challenges.{self.name}.{name}")

    @property
    def data(self) -> DataUnit:
        """The reader of the organiser's layout."""
        return cast("DataUnit", self._module("data"))

    @property
    def phantom(self) -> PhantomUnit:
        """The writer of synthetic patients."""
        return cast("PhantomUnit", self._module("phantom"))

    @property
    def scorer(self) -> ScorerUnit:
        """The judge by the rules of the options; runs in the parent only."""
        return cast("ScorerUnit", self._by_options("scorer"))

    @property
    def viewer(self) -> ViewerUnit | None:
        """The writer of pictures of chosen cases, if the challenge has one."""
        there = (self.folder / "viewer.py").is_file()
        return cast("ViewerUnit", self._by_options("viewer")) if there else None

    def _by_options(self, name: str) -> Any:  # noqa: ANN401  a module or what it makes
        module = self._module(name)
        if not hasattr(module, "for_options"):
            return module
        from harness.config import chosen

        return module.for_options(chosen(self.card.options, self.options))

    @cached_property
    def training_digest(self) -> str:
        """Of the code that makes the inputs or that entries may extend; a change asks for training again."""
        return digest(self.training_files, self.folder)

    @property
    def training_files(self) -> list[Path]:
        """All that a fold sees of the challenge: no phantom, no judge, no data that lies here."""
        return _reachable(self.folder, ("baseline", "data"))

    def training_files_of(self, submission: Submission) -> list[Path]:
        """Return those of the training files that an entry's code names, and what these import."""
        if submission.is_baseline:
            return _reachable(self.folder, (BASELINE,))
        python = [path for path in submission.files if path.suffix == ".py"]
        code = "\n".join(path.read_text("utf-8", "replace") for path in python)
        named = re.findall(rf"\bchallenges\.{self.name}(?:\.(\w+)|\s+import\s+\(?([\w\s,]+))", code)
        modules = re.findall(r"\w+", " ".join(map(" ".join, named)))
        seen = set(self.training_files)
        return [path for path in _reachable(self.folder, sorted(set(modules))) if path in seen]

    @cached_property
    def scoring_digest(self) -> str:
        """Of the code that turns predictions into numbers; a change asks for scoring again."""
        harness = PACKAGE_ROOT / "harness"
        shared = [harness / f"{name}.py" for name in ("curves", "panels", "scoring", "statistics")]
        files = _reachable(self.folder, ("scorer",))
        code = "\n".join(path.read_text(encoding="utf-8") for path in files)
        if "harness.segmentation" in code:
            shared += [harness / "volumes.py", *(harness / "segmentation").glob("*.py")]
        if "harness.survival" in code:
            shared += (harness / "survival").glob("*.py")
        own = digest(files, self.folder)
        numbers = digest([*shared, *(harness / "metrics").glob("*.py")], harness)
        return hashlib.sha256((own + numbers).encode()).hexdigest()


def _reachable(folder: Path, modules: Iterable[str]) -> list[Path]:
    """Return the files of a unit that these modules import from it, directly or not, and their own."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = folder / f"{name}.py"
        if name not in found and path.is_file():
            found[name] = path
            waiting += _imported(path.read_text(encoding="utf-8"), f"challenges.{folder.name}")
    return list(found.values())


def _imported(code: str, package: str) -> Iterator[str]:
    """Yield the names of a package's own modules that code may import, whatever the form."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, (package if node.level else "", node.module)))
            dotted = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in dotted:
            if name.startswith(f"{package}."):
                yield name.removeprefix(f"{package}.").partition(".")[0]


@dataclass(frozen=True)
class Submission:
    """The answer: a folder with submission.yaml and model.py, or a challenge's own baseline."""

    name: str
    folder: Path
    model: Path
    """The file with `class Model`."""
    card_path: Path

    @cached_property
    def card(self) -> SubmissionCard:
        """The typed content of submission.yaml."""
        from harness.cards import SubmissionCard
        from harness.validated import read_card

        return read_card(SubmissionCard, self.card_path)

    @cached_property
    def digest(self) -> str:
        """Of every file of the entry."""
        return digest(self.files, self.folder)

    @property
    def files(self) -> list[Path]:
        """What the entry is made of, and all that a fold sees of it."""
        return [self.model, self.card_path] if self.is_baseline else unit_files(self.folder)

    @property
    def module(self) -> str:
        """The dotted name of the module with `class Model`."""
        space = "challenges" if self.is_baseline else "submissions"
        return f"{space}.{self.folder.name}.{self.model.stem}"

    @property
    def is_baseline(self) -> bool:
        """Whether it is part of its challenge."""
        return self.model.name == f"{BASELINE}.py"

    @property
    def trusted(self) -> bool:
        """Whether it ships with the project, unchanged: a challenge's baseline or a digest in shipped.txt."""
        shipped = (PACKAGE_ROOT / "harness" / "shipped.txt").read_text(encoding="utf-8").split()
        return self.is_baseline or self.digest in shipped


def challenge(name: str, options: Mapping[str, str] | None = None) -> Challenge:
    """Return the challenge of that name, scored by these options.

    Raises:
        UserError: if there is none.
    """
    return Challenge(name, _folder("challenges", name), dict(options or {}))


def submission(word: str, of: Challenge) -> Submission:
    """Return the entry of that name, or in that folder; "baseline" is the challenge's own.

    Raises:
        UserError: if there is none, or it answers another challenge.
    """
    if word == BASELINE:
        return Submission(BASELINE, of.folder, of.folder / "baseline.py", of.folder / "baseline.yaml")
    found = open_submission(word)
    if found.card.challenge != of.name:
        raise UserError(
            f"Submission {found.name!r} answers challenge {found.card.challenge!r}, not {of.name!r}. "
            f"Type challenge={found.card.challenge}."
        )
    return found


def open_submission(word: str) -> Submission:
    """Return the entry of that name, or in that folder, whatever it answers.

    Raises:
        UserError: if there is none, or it lacks a file.
    """
    folder = Path(word).expanduser().resolve() if "/" in word else _folder("submissions", word)
    if not NAME.fullmatch(folder.name) or folder.name == BASELINE:
        raise UserError(
            "A submission's folder is named in lower case letters, digits and _, and not 'baseline', "
            f"but got {folder.name!r}. Rename the folder."
        )
    for needed in ("submission.yaml", "model.py"):
        if not (folder / needed).is_file():
            raise UserError(
                f"{folder} has no {needed}. Write one with: harness new submission NAME challenge=NAME"
            )
    return Submission(folder.name, folder, folder / "model.py", folder / "submission.yaml")


def metric(name: str) -> Metric:
    """Return the metric of `harness/metrics/<name>.py`."""
    if name not in names("metrics"):
        raise UserError(f"No metric named {name!r}. {did_you_mean(name, names('metrics'))}")
    return cast("Metric", importlib.import_module(f"harness.metrics.{name}").metric)


def executor(name: str) -> ExecutorUnit:
    """Return the executor of `harness/executors/<name>.py`."""
    if name not in names("executors"):
        raise UserError(f"No executor named {name!r}. {did_you_mean(name, names('executors'))}")
    return cast("ExecutorUnit", importlib.import_module(f"harness.executors.{name}"))
