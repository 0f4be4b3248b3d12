"""Fixtures: a working folder of one's own, the command, and small submissions."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent
HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]


def needs(command: str) -> None:
    """Skip without a system command, with the reason; fail in CI, where it must be there."""
    if shutil.which(command) is None:
        reason = f"{command} is not installed: apt install {command}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(frozen=True)
class Workplace:
    """A working folder and the command in it."""

    root: Path

    def harness(self, *words: str, code: int | None = 0, minutes: int = 10, **environment: str) -> str:
        """Run the command and return what it printed; the exit code must be `code`."""
        done = subprocess.run(
            [*HARNESS, *words],
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            timeout=60 * minutes,
        )
        assert code is None or done.returncode == code, done.stdout
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command in a process group of its own, one that Ctrl-C ends.

        Whoever starts the tests in the background of a shell ignores Ctrl-C, which children inherit.
        """
        return subprocess.Popen(
            [*HARNESS, *words],
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def submission(self, name: str, model: str, **card: Any) -> str:
        """Write a submission of the K-ium challenge and return its path as a word."""
        folder = self.root / "entries" / name
        folder.mkdir(parents=True, exist_ok=True)
        content = {"challenge": "kium", "team": "Test", "title": name, **card}
        (folder / "submission.yaml").write_text(json.dumps(content))  # JSON is YAML
        (folder / "model.py").write_text(model)
        return f"submission=./entries/{name}"

    def records(self, challenge: str = "kium") -> list[dict[str, Any]]:
        """Return every record, oldest first."""
        paths = sorted((self.root / "runs" / challenge).glob("[!.]*/record.json"))
        return [json.loads(path.read_text()) for path in paths]

    def record(self, name: str) -> dict[str, Any]:
        """Return the newest record of an entry."""
        return [record for record in self.records() if record["entry"]["name"] == name][-1]


_units: dict[str, ModuleType] = {}
"""The modules of the project's own challenges and submissions, each as it was first imported."""


def _restore_units() -> None:
    """Put back what was imported first; tests of other folders replace units by others of the same name."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in ("challenges", "submissions") or "." not in name:
            continue
        places = [module.__file__] if getattr(module, "__file__", None) else list(module.__path__)
        if all(PROJECT in Path(str(place)).parents for place in places):
            _units.setdefault(name, module)
        else:
            del sys.modules[name]
    sys.modules.update(_units)


def pytest_collection_finish() -> None:
    """Know the modules that the tests' own imports see; train as a fold does, in one thread.

    Threads that wait for each other are slow beside other work.
    """
    _restore_units()
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def units_as_they_were() -> Iterator[None]:
    """Give every test the units that its imports see."""
    _restore_units()
    yield
    _restore_units()


SHIPPED = ("brats", "glioma", "kium", "pneumonia")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store for many working folders: phantom patients are drawn and decoded once."""
    folder = tmp_path_factory.mktemp("store")
    for name in SHIPPED:
        (folder / name).mkdir()
    return folder


def place_with(root: Path, store: Path) -> Workplace:
    """Return a working folder whose shipped challenges are prepared elsewhere."""
    (root / "prepared").mkdir()
    for name in SHIPPED:
        (root / "prepared" / name).symlink_to(store / name)
    return Workplace(root)


@pytest.fixture
def workplace(tmp_path: Path, store: Path) -> Workplace:
    """A working folder in which nothing was run yet."""
    return place_with(tmp_path, store)


@pytest.fixture(scope="session")
def main_job(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A working folder in which the README's main job has run once."""
    place = Workplace(tmp_path_factory.mktemp("main_job"))
    place.harness("run", "challenge=kium")
    return place


@pytest.fixture
def chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Enter an empty folder."""

    def enter() -> Path:
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return enter
