"""Run trusted entries around untrusted submissions, one isolated process each.

    spec = SandboxSpec(detect("auto", trusted=False), read_only=(inputs,), preload=("torch",))
    with Sandbox(spec) as sandbox:
        expected = {"mort": ((120,), "float")}
        outcome = sandbox.run("harness.training:fit_and_predict", payload, expected, Limits())

`bubblewrap` holds an entry in namespaces of its own. `reduced` (Landlock and seccomp) does not hold: the
names and counts of other processes, the total of what is written until the next look (once a second), and,
before Linux 6.12, signals to the user's other processes. It allows no sockets: no DataLoader workers there.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any, Literal

from harness import landlock, seccomp, wire
from harness.contracts import Failure, FailureKind, Isolation, Limits, Outcome, SandboxSpec
from harness.errors import UserError
from harness.launch import Zygote, ZygoteError, ZygoteGone
from harness.supervise import Closed, FoldPipes, Supervision

__all__ = ["Sandbox", "detect", "shared_sandbox", "why_not"]

Wanted = Literal["auto", "bubblewrap", "reduced", "off"]
FIRST_USER, USERS = 60578, 600
"""User ids that neither Debian nor systemd hands out (systemd: UIDS-GIDS.md); one per fold, as root, so that
the limit on processes counts one fold only."""
PIPE_BYTES = 1 << 20
STRANGER = (
    "This submission does not ship with the project and nothing here can isolate it: "
    "type 'apt install bubblewrap', or sandbox=off if the code is your own"
)


# ------------------------------------------------------------------------------------ choosing
def detect(wanted: Wanted, *, trusted: bool) -> Isolation:
    """Return what an entry will run under; `trusted` is an entry that ships with the project.

    Raises:
        UserError: the wanted mode does not work here, or none does and the entry is a stranger's.
    """
    if not hasattr(os, "fork"):
        raise UserError("Folds need a system with fork: on Windows, type the command inside WSL.")
    if wanted == "off":
        return Isolation.NONE
    modes = [Isolation.BUBBLEWRAP, Isolation.REDUCED] if wanted == "auto" else [Isolation(wanted)]
    reasons = {}
    for mode in modes:
        reasons[mode] = why_not(mode)
        if not reasons[mode]:
            return mode
    told = "; ".join(f"{mode}: {reason}" for mode, reason in reasons.items())
    if wanted != "auto":
        raise UserError(f"sandbox={wanted} does not work here: {told}. Type 'harness doctor' for what does.")
    if trusted:
        return Isolation.NONE
    raise UserError(f"{STRANGER} ({told}).")


@functools.cache
def why_not(mode: Isolation) -> str:
    """Return why a mode does not work on this machine, empty if it does; found by running an empty fold."""
    if mode is Isolation.NONE:
        return ""
    if sys.platform != "linux":
        return f"it needs Linux, this is {sys.platform}"
    if seccomp.machine() is None:
        return f"no seccomp filter is known for {os.uname().machine}"
    if mode is Isolation.REDUCED and not landlock.abi():
        return "this kernel has no Landlock (Linux 5.13 or newer, enabled)"
    try:
        with Sandbox(SandboxSpec(mode)) as sandbox:
            failure = sandbox.run("harness.zygote:nothing", b"", {}, Limits(wall_seconds=20)).failure
    except (UserError, OSError) as error:
        return str(error)
    return failure.reason if failure else ""


# ------------------------------------------------------------------------------------- running
class Sandbox:
    """One zygote and its folds. Several threads may call `run` at once."""

    def __init__(self, spec: SandboxSpec) -> None:
        self.spec = spec
        self._zygote: Zygote | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._wake, self._waker = socket.socketpair()
        self._running = 0
        self._idle = threading.Condition(self._lock)

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to preload, without waiting for it.

        Raises:
            UserError: a path of the spec cannot be shown.
        """
        self._ready_or_new()

    def run(
        self,
        entry: str,
        payload: bytes,
        expected: wire.Expected,
        limits: Limits,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> Outcome:
        """Run `entry` ("module:function", trusted) on the payload in a fold of its own.

        The function gets (payload, emit) and returns the expected arrays: name -> (shape, "float" |
        "integer" | "any"). `on_event` is called in this thread with what it emits; if it raises, the fold
        is killed.
        """
        began = time.monotonic()
        with self._lock:
            self._running += 1
        try:
            return self._run(entry, payload, expected, limits, on_event)
        except Closed:
            return _not_run("the sandbox was closed", began)
        except ZygoteError as error:
            return _not_run("the sandbox was closed" if self._closed else str(error), began)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def close(self) -> None:
        """Kill every fold and the zygote; runs in other threads return at once."""
        with self._idle:
            already, self._closed = self._closed, True
            if already:
                return
            self._waker.send(b"!")
            zygote = self._zygote
            if zygote is not None and self.spec.isolation is not Isolation.BUBBLEWRAP:
                self._idle.wait_for(lambda: not self._running, timeout=1.0)  # each ends its own tree
        if zygote is not None:
            zygote.close()
        with self._idle:
            if self._idle.wait_for(lambda: not self._running, timeout=1.0):
                self._wake.close()
                self._waker.close()

    def _ready_or_new(self) -> Zygote:
        with self._lock:
            if self._closed:
                raise ZygoteError("the sandbox was closed")
            if self._zygote is None or not (self._zygote.alive or self._zygote.hopeless):
                self._zygote = Zygote(self.spec)
            return self._zygote

    def _run(
        self,
        entry: str,
        payload: bytes,
        expected: wire.Expected,
        limits: Limits,
        on_event: Callable[[dict[str, Any]], None] | None,
    ) -> Outcome:
        """Run on the zygote; once more on a new one, if it ended before it took the fold."""
        for last in (False, True):
            zygote = self._ready_or_new()
            try:
                return self._run_on(zygote, entry, payload, expected, limits, on_event)
            except ZygoteGone:
                zygote.close()
                if last:
                    raise
        raise AssertionError

    def _run_on(
        self,
        zygote: Zygote,
        entry: str,
        payload: bytes,
        expected: wire.Expected,
        limits: Limits,
        on_event: Callable[[dict[str, Any]], None] | None,
    ) -> Outcome:
        zygote.wait()
        with ExitStack() as stack:
            scratch = self._scratch(stack)
            user = _next_user() if self._changes_user() else None
            if user is not None and scratch is not None:
                os.chown(scratch, user, -1)
            rights = _rights(limits, user, scratch)
            listed = [(name, shape, group) for name, (shape, group) in expected.items()]
            pipes = _ask(zygote, {"entry": entry, "expected": listed, "rights": rights}, payload)
            stack.callback(pipes.close)
            wake = self._wake.fileno()
            return Supervision(pipes, expected, limits, self.spec.isolation, on_event, wake, scratch).run()

    def _changes_user(self) -> bool:
        return os.geteuid() == 0 and self.spec.isolation is not Isolation.NONE

    def _scratch(self, stack: ExitStack) -> str | None:
        """Make the private folder of a fold that has no tmpfs, to be removed after it."""
        if self.spec.isolation is Isolation.BUBBLEWRAP:
            return None
        folder = tempfile.mkdtemp(prefix="fold-")
        stack.callback(_remove, folder)
        return folder


def shared_sandbox(spec: SandboxSpec) -> Sandbox:
    """Return this process's sandbox for a spec, started at first and closed when the process exits."""
    return _shared(os.getpid(), spec)


@functools.cache
def _shared(process: int, spec: SandboxSpec) -> Sandbox:
    sandbox = Sandbox(spec)
    atexit.register(sandbox.close)
    sandbox.start()
    return sandbox


# ------------------------------------------------------------------------------------ one fold
_fold_numbers = itertools.count(random.SystemRandom().randrange(USERS))


def _next_user() -> int:
    return FIRST_USER + next(_fold_numbers) % USERS


def _rights(limits: Limits, user: int | None, scratch: str | None) -> dict[str, Any]:
    return {
        "user": user,
        "scratch": scratch or "/tmp",  # noqa: S108 - a tmpfs of the fold's own
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
        "disk_bytes": limits.disk_bytes,
    }


def _ask(zygote: Zygote, request: Mapping[str, Any], payload: bytes) -> FoldPipes:
    """Make the pipes, hand the fold its ends, and return ours."""
    ours: list[int] = []
    theirs: list[int] = []
    try:
        for _ in range(3):
            reading, writing = os.pipe()
            ours.append(reading)
            theirs.append(writing)
        _widen(theirs[0])
        status, their_status = socket.socketpair()
        theirs += [their_status.detach(), _payload_file(payload)]
        result, log, events, status_end, payload_end = theirs
        zygote.ask(request, (payload_end, result, log, events, status_end))
    except BaseException:
        for descriptor in ours:
            os.close(descriptor)
        raise
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    return FoldPipes(ours[0], ours[1], ours[2], status)


def _widen(pipe: int) -> None:
    """Let large arrays pass in fewer turns, where the system can."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _payload_file(payload: bytes) -> int:
    """Return a descriptor of an unnamed file in memory that holds the payload, sealed where possible."""
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            file.write(payload)
            file.seek(0)
            return os.dup(file.fileno())
    import fcntl

    descriptor = os.memfd_create("payload", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    left = memoryview(payload)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def _remove(folder: str) -> None:
    """Remove a folder that a submission filled: any depth, any mode, without following links."""
    with suppress(OSError, RecursionError):
        shutil.rmtree(folder)
        return
    for words in (["chmod", "-R", "u+rwX", folder], ["rm", "-rf", folder]):
        with suppress(OSError):
            subprocess.run(words, check=False, capture_output=True)  # noqa: S603


def _not_run(reason: str, began: float) -> Outcome:
    return Outcome(None, Failure(FailureKind.SANDBOX, reason), "", time.monotonic() - began, 0)
