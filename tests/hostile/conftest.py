"""One sandbox per isolation for all attacks, with a sealed file beside the folder that folds may read."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contracts import Isolation, Limits, Outcome, SandboxSpec
from harness.sandbox import Sandbox, why_not

HERE = Path(__file__).parent
SEALED = "sealed labels: 0 1 1 0"
SECRET = "token-of-the-parent-0xC0FFEE"
LIMITS = Limits(
    wall_seconds=30, memory_bytes=600 << 20, processes=32, disk_bytes=32 << 20, output_bytes=1 << 20
)


def need(mode: Isolation) -> None:
    """Skip where a mode does not work; fail in CI, where it has to."""
    reason = why_not(mode)
    if reason and os.environ.get("CI"):
        pytest.fail(f"{mode} must work in CI: {reason}")
    if reason:
        pytest.skip(f"{mode} does not work here: {reason}")


@dataclass(frozen=True)
class Arena:
    """A sandbox and what lies around it."""

    sandbox: Sandbox
    mode: Isolation
    inputs: Path
    sealed: Path

    def attack(
        self, name: str, payload: object = b"", expected: dict[str, Any] | None = None, **limits: Any
    ) -> Outcome:
        """Run an attack; what is not bytes is pickled."""
        raw = payload if isinstance(payload, bytes) else pickle.dumps(payload)
        chosen = Limits(**{**{f: getattr(LIMITS, f) for f in Limits.__slots__}, **limits})
        return self.sandbox.run(f"attacks:{name}", raw, expected or {}, chosen)

    def honest(self) -> None:
        """Assert that an honest fold works, whatever was tried before."""
        outcome = self.attack("normal", np.arange(3.0).tobytes(), {"score": ((3,), "float")})
        assert outcome.failure is None, outcome
        assert outcome.arrays is not None
        assert outcome.arrays["score"].tolist() == [0.0, 2.0, 4.0]
        assert outcome.log == "honest work\n"
        assert outcome.events == ({"event": "epoch", "loss": 0.5},)


def make_arena(mode: Isolation, folder: Path) -> Arena:
    """Lay out inputs and sealed labels, both open to every user, and start a sandbox."""
    inputs, sealed = folder / "prepared" / "inputs", folder / "prepared" / "sealed"
    for place in (inputs, sealed):
        place.mkdir(parents=True)
    (sealed / "labels.txt").write_text(SEALED)
    np.save(sealed / "labels.npy", np.array([0.0, 1.0, 1.0]))
    (inputs / "image.txt").write_text("an input")
    for place in folder.rglob("*"):
        place.chmod(0o755 if place.is_dir() else 0o644)
    (inputs / "loose").mkdir()
    (inputs / "loose" / "image.txt").write_text("an input that anybody may write")
    (inputs / "loose").chmod(0o777)
    (inputs / "loose" / "image.txt").chmod(0o666)
    spec = SandboxSpec(mode, read_only=(str(inputs),), preload=("numpy",), python_path=(str(HERE),))
    return Arena(Sandbox(spec), mode, inputs, sealed)


def _arena(mode: Isolation, factory: pytest.TempPathFactory) -> Iterator[Arena]:
    need(mode)
    patch = pytest.MonkeyPatch()
    patch.setenv("MEDAL_SECRET", SECRET)
    arena = make_arena(mode, factory.mktemp(mode.value))
    with arena.sandbox:
        yield arena
    patch.undo()


@pytest.fixture(scope="session")
def jailed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Bubblewrap."""
    yield from _arena(Isolation.BUBBLEWRAP, tmp_path_factory)


@pytest.fixture(scope="session")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Landlock and seccomp."""
    yield from _arena(Isolation.REDUCED, tmp_path_factory)


@pytest.fixture(scope="session")
def unconfined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """No isolation: shows that an attack works where nothing holds it."""
    yield from _arena(Isolation.NONE, tmp_path_factory)


@pytest.fixture(params=["jailed", "reduced"])
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """Each isolation in turn; an honest fold still works after every attack."""
    found: Arena = request.getfixturevalue(request.param)
    yield found
    found.honest()


@pytest.fixture
def jail(jailed: Arena) -> Iterator[Arena]:
    """Bubblewrap, for what Landlock alone does not hold; an honest fold still works after the attack."""
    yield jailed
    jailed.honest()
