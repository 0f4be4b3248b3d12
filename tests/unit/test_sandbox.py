"""A sandbox's life: it starts without waiting, survives its folds, and takes everything along when it ends."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness import sandbox as module
from harness.contracts import FailureKind, Isolation, Limits, SandboxSpec
from harness.errors import UserError
from harness.sandbox import Sandbox, detect, shared_sandbox, why_not

PROBE = """
import os, time
import numpy as np

def double(payload, emit):
    return {"x": np.frombuffer(payload) * 2}

def sleep(payload, emit):
    emit({"event": "asleep"})
    if os.fork() == 0:
        os.setsid()
        os.execv("/bin/sleep", [payload.decode(), "300"])
    time.sleep(300)

def count(payload, emit):
    for number in range(100):
        emit({"n": number})
        time.sleep(0.02)
    return {}

def import_name(payload, emit):
    __import__(payload.decode())
    return {}

def read(payload, emit):
    with open(payload.decode()) as file:
        emit({"text": file.read()})
    return {}
"""
X = {"x": ((2,), "float")}
PAYLOAD = np.array([1.0, 2.0]).tobytes()
QUICK = Limits(wall_seconds=30, memory_bytes=1 << 30)


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the trusted entries of these tests."""
    folder = tmp_path_factory.mktemp("probes")
    folder.chmod(0o755)
    (folder / "probe.py").write_text(PROBE)
    return folder


@pytest.fixture(params=list(Isolation))
def spec(request: pytest.FixtureRequest, probes: Path) -> SandboxSpec:
    """Return what to start, under each isolation."""
    reason = why_not(request.param)
    if reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{request.param}: {reason}")
    return SandboxSpec(request.param, python_path=(str(probes),), preload=("numpy",))


@pytest.fixture
def sandbox(spec: SandboxSpec) -> Iterator[Sandbox]:
    """Return a sandbox that is closed after the test."""
    with Sandbox(spec) as opened:
        yield opened


def works(sandbox: Sandbox) -> bool:
    """Run an honest fold."""
    outcome = sandbox.run("probe:double", PAYLOAD, X, QUICK)
    return outcome.arrays is not None and outcome.arrays["x"].tolist() == [2.0, 4.0]


def none_left(token: str, seconds: float = 3.0) -> bool:
    """Wait until no process has the token in its command line."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            with suppress(OSError):
                found += [path] * (token.encode() in Path(path).read_bytes())
        if not found:
            return True
        time.sleep(0.02)
    return False


def test_starting_does_not_wait(probes: Path) -> None:
    """A sandbox that takes three seconds to preload starts in a few milliseconds; its first fold waits."""
    (probes / "slow.py").write_text("import time; time.sleep(3)")
    began = time.monotonic()
    with Sandbox(
        SandboxSpec(Isolation.NONE, python_path=(str(probes),), preload=("slow", "numpy"))
    ) as opened:
        assert time.monotonic() - began < 2.0
        assert works(opened)
        assert time.monotonic() - began > 3.0


def test_folds_run_at_once(sandbox: Sandbox) -> None:
    """Several threads run folds of one sandbox at the same time, each with its own result."""
    results: dict[int, Any] = {}

    def run(number: int) -> None:
        outcome = sandbox.run("probe:double", np.array([number, 0.0]).tobytes(), X, QUICK)
        results[number] = outcome.arrays["x"][0] if outcome.arrays else outcome

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: 2.0 * number for number in range(8)}


def test_a_fold_outlives_no_thread_that_started_it(spec: SandboxSpec) -> None:
    """The zygote lives on when the thread that opened the sandbox has ended."""
    opened: list[Sandbox] = []

    def start() -> None:
        opened.append(Sandbox(spec))
        opened[0].start()
        assert works(opened[0])

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    with opened[0]:
        assert works(opened[0])


def test_closing_ends_running_folds_at_once(spec: SandboxSpec) -> None:
    """Closing from another thread returns within a second, ends the run, and leaves no process."""
    token, opened, asleep = f"medal-close-{secrets.token_hex(4)}", Sandbox(spec), threading.Event()
    outcomes: list[Any] = []

    def run() -> None:
        outcomes.append(opened.run("probe:sleep", token.encode(), {}, QUICK, lambda _: asleep.set()))

    thread = threading.Thread(target=run)
    thread.start()
    assert asleep.wait(20)
    began = time.monotonic()
    opened.close()
    assert time.monotonic() - began < 5.0
    thread.join(5.0)
    assert not thread.is_alive()
    assert outcomes[0].failure.kind is FailureKind.SANDBOX
    assert outcomes[0].failure.reason == "the sandbox was closed"
    assert none_left(token)
    assert opened.run("probe:double", PAYLOAD, X, QUICK).failure is not None
    opened.close()


def test_an_exception_in_the_callback_kills_the_fold(sandbox: Sandbox) -> None:
    """What on_event raises (a pruned trial, Ctrl-C) reaches the caller at once and ends the fold."""
    token = f"medal-prune-{secrets.token_hex(4)}"

    def stop(_: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sandbox.run("probe:sleep", token.encode(), {}, QUICK, stop)
    assert time.monotonic() - began < 8.0
    assert none_left(token)
    assert works(sandbox)


def test_events_arrive_while_the_fold_runs(sandbox: Sandbox) -> None:
    """Events are handed over in order, as they come."""
    times = []
    outcome = sandbox.run(
        "probe:count", b"", {}, QUICK, lambda event: times.append((time.monotonic(), event["n"]))
    )
    assert [number for _, number in times] == list(range(100))
    assert [event["n"] for event in outcome.events] == list(range(100))
    assert times[-1][0] - times[0][0] > 1.0


def test_a_dead_zygote_is_a_sandbox_failure_and_is_replaced(sandbox: Sandbox) -> None:
    """When the zygote is killed the running fold fails through no fault of its own; the next run works."""
    asleep = threading.Event()
    outcomes: list[Any] = []
    token = f"medal-dead-{secrets.token_hex(4)}"

    def run() -> None:
        outcomes.append(sandbox.run("probe:sleep", token.encode(), {}, QUICK, lambda _: asleep.set()))

    thread = threading.Thread(target=run)
    thread.start()
    assert asleep.wait(20)
    process = sandbox._zygote._process  # type: ignore[union-attr]
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    thread.join(5)
    assert outcomes[0].failure.kind is FailureKind.SANDBOX
    assert none_left(token)
    assert works(sandbox)


PARENT = """
import sys
sys.path.insert(0, {root!r})
from harness.contracts import *
from harness.sandbox import Sandbox
spec = SandboxSpec(Isolation({mode!r}), python_path=({probes!r},), preload=("numpy",))
with Sandbox(spec) as sandbox:
    sandbox.run("probe:sleep", {token!r}.encode(), {{}}, Limits(), lambda event: print("asleep", flush=True))
"""


def test_killing_the_parent_takes_everything_down(spec: SandboxSpec, probes: Path, tmp_path: Path) -> None:
    """After kill -9 of the harness neither the zygote, the fold nor its daemon is left."""
    token = f"medal-parent-{secrets.token_hex(4)}"
    words = {"root": str(Path(harness.__file__).parents[1]), "mode": spec.isolation.value}
    script = PARENT.format(**words, probes=str(probes), token=token)
    own = os.environ | {"TMPDIR": str(tmp_path)}  # what a killed harness leaves behind
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=own)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"asleep\n"
    assert not none_left(token, 0.3)
    parent.kill()
    parent.wait()
    assert none_left(token)


def test_a_failed_preload_says_so_every_time(probes: Path) -> None:
    """A module that cannot be imported is named, and not tried again for each fold."""
    with Sandbox(SandboxSpec(Isolation.NONE, preload=("no_such_module",))) as opened:
        for _ in range(2):
            outcome = opened.run("probe:double", b"", X, QUICK)
            assert outcome.failure is not None
            assert outcome.failure.kind is FailureKind.SANDBOX
            assert "no_such_module" in outcome.failure.reason


def test_an_unknown_path_is_a_user_error() -> None:
    """A path that is not there, or is relative, is refused by name before anything starts."""
    for path in ("/no/such/folder", "relative"):
        with pytest.raises(UserError, match=path):
            Sandbox(SandboxSpec(Isolation.NONE, read_only=(path,))).start()


def test_a_closed_folder_shows_its_open_entries(probes: Path, tmp_path: Path) -> None:
    """A 0700 folder (as pytest and mkdtemp make them) is visible with what is open in it, file or folder."""
    if why_not(Isolation.BUBBLEWRAP):
        pytest.skip(why_not(Isolation.BUBBLEWRAP))
    tmp_path.chmod(0o700)
    (tmp_path / "open.txt").write_text("shown")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner.txt").write_text("also shown")
    paths = (str(tmp_path),)
    with Sandbox(SandboxSpec(Isolation.BUBBLEWRAP, read_only=paths, python_path=(str(probes),))) as opened:
        for name, text in {"open.txt": "shown", "folder/inner.txt": "also shown"}.items():
            outcome = opened.run("probe:read", str(tmp_path / name).encode(), {}, QUICK)
            assert outcome.events == ({"text": text},), outcome


def test_a_single_file_can_be_shown(probes: Path, tmp_path: Path) -> None:
    """A spec's path may be a file; its neighbours stay hidden."""
    if why_not(Isolation.BUBBLEWRAP):
        pytest.skip(why_not(Isolation.BUBBLEWRAP))
    (tmp_path / "shown.txt").write_text("shown")
    (tmp_path / "hidden.txt").write_text("hidden")
    paths = (str(tmp_path / "shown.txt"),)
    with Sandbox(SandboxSpec(Isolation.BUBBLEWRAP, read_only=paths, python_path=(str(probes),))) as opened:
        shown = opened.run("probe:read", str(tmp_path / "shown.txt").encode(), {}, QUICK)
        hidden = opened.run("probe:read", str(tmp_path / "hidden.txt").encode(), {}, QUICK)
    assert shown.events == ({"text": "shown"},)
    assert hidden.failure is not None
    assert "FileNotFoundError" in hidden.failure.reason


def test_a_shared_sandbox_is_one_per_spec(probes: Path) -> None:
    """The same spec gives the same sandbox, another spec another one."""
    first = SandboxSpec(Isolation.NONE, python_path=(str(probes),), preload=("numpy",))
    assert shared_sandbox(first) is shared_sandbox(
        SandboxSpec(Isolation.NONE, (), ("numpy",), (str(probes),))
    )
    assert works(shared_sandbox(first))
    other = shared_sandbox(SandboxSpec(Isolation.NONE, python_path=(str(probes),)))
    assert other is not shared_sandbox(first)
    other.close()
    shared_sandbox(first).close()


def test_many_folds_leave_no_descriptor_behind(sandbox: Sandbox) -> None:
    """Twenty folds later the parent has as many open descriptors as after the first."""
    assert works(sandbox)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert works(sandbox)
    assert len(os.listdir("/proc/self/fd")) == before


# ------------------------------------------------------------------------------------ choosing
def test_off_is_none() -> None:
    """Typing sandbox=off gives no isolation, labelled as such."""
    assert detect("off", trusted=False) is Isolation.NONE


def broken(monkeypatch: pytest.MonkeyPatch, *modes: Isolation) -> None:
    """Let some modes not work on this machine."""
    monkeypatch.setattr(module, "why_not", lambda mode: "it is broken" if mode in modes else "")


def test_auto_takes_the_strongest_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bubblewrap first, then reduced, then none for an entry that ships with the project."""
    broken(monkeypatch)
    assert detect("auto", trusted=False) is Isolation.BUBBLEWRAP
    broken(monkeypatch, Isolation.BUBBLEWRAP)
    assert detect("auto", trusted=False) is Isolation.REDUCED
    broken(monkeypatch, Isolation.BUBBLEWRAP, Isolation.REDUCED)
    assert detect("auto", trusted=True) is Isolation.NONE


def test_a_stranger_is_refused_where_nothing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any isolation a stranger's entry does not run, and the sentence says what to install or type."""
    broken(monkeypatch, Isolation.BUBBLEWRAP, Isolation.REDUCED)
    with pytest.raises(UserError, match=r"apt install bubblewrap.*sandbox=off.*broken"):
        detect("auto", trusted=False)


@pytest.mark.parametrize("wanted", ["bubblewrap", "reduced"])
def test_an_explicit_mode_never_becomes_another(monkeypatch: pytest.MonkeyPatch, wanted: Any) -> None:
    """A mode that was typed and does not work is an error that says why, also for a trusted entry."""
    broken(monkeypatch, Isolation.BUBBLEWRAP, Isolation.REDUCED)
    with pytest.raises(UserError, match=f"sandbox={wanted} does not work here.*it is broken"):
        detect(wanted, trusted=True)


def test_a_missing_bubblewrap_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a machine without bubblewrap the reason names it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    why_not.cache_clear()
    reason = why_not(Isolation.BUBBLEWRAP)
    why_not.cache_clear()
    assert "bubblewrap is not installed" in reason


def test_a_bubblewrap_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What bubblewrap complains about is the reason."""
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    why_not.cache_clear()
    reason = why_not(Isolation.BUBBLEWRAP)
    why_not.cache_clear()
    assert "setting up uid map: Permission denied" in reason


# ----------------------------------------------------------------------------- ordinary user
ORDINARY = 1234
HOSTILE = Path(__file__).parents[1] / "hostile"


@pytest.fixture
def ordinary_home() -> Iterator[Path]:
    """Return a folder that is not below root's own, where pytest keeps its temporary folders."""
    with tempfile.TemporaryDirectory(prefix="medal-user-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_what_runs_preload_leaves_one_thread() -> None:
    """The modules that a run preloads start no thread: a fork of several threads may hang."""
    from harness.plan import PRELOAD

    if why_not(Isolation.BUBBLEWRAP):
        pytest.skip(why_not(Isolation.BUBBLEWRAP))
    with Sandbox(SandboxSpec(Isolation.BUBBLEWRAP, preload=PRELOAD)) as opened:
        assert opened.run("harness.zygote:nothing", b"", {}, QUICK).failure is None
        assert opened._zygote is not None
        assert opened._zygote.threads == 1


@pytest.mark.slow
def test_an_ordinary_user_is_held_as_well(ordinary_home: Path) -> None:
    """The attacks on files, rights and results fail in the same way without root, in a user namespace."""
    if os.geteuid() != 0 or why_not(Isolation.BUBBLEWRAP):
        pytest.skip("needs root, to become an ordinary user, and bubblewrap")
    python, setpriv = f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}", shutil.which("setpriv")
    packages = os.path.dirname(os.path.dirname(np.__file__))
    if not os.path.exists(python) or setpriv is None:
        pytest.skip(f"needs {python} outside root's home, and setpriv")
    os.chown(ordinary_home, ORDINARY, ORDINARY)
    root = str(Path(harness.__file__).parents[1])
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(ordinary_home),
        "PYTHONPATH": f"{root}:{packages}",
        "CI": "1",
    }
    words = [
        setpriv,
        f"--reuid={ORDINARY}",
        f"--regid={ORDINARY}",
        "--clear-groups",
        python,
        "-B",
        "-m",
        "pytest",
    ]
    words += [
        "-q",
        "-p",
        "no:cacheprovider",
        f"--basetemp={ordinary_home}/tests",
        str(HOSTILE),
        "-k",
        "files or rights or results",
    ]
    done = subprocess.run(words, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
