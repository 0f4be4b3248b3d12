"""The trusted process that preloads libraries once and forks one confined process for each fold.

It never imports a submission, never reads a fold's payload, never starts a thread and never touches a GPU.

    parent --control--> zygote --fork--> warden --fork--> pid 1 of the fold --fork--> worker: the entry
                                         (waits, reports)   (reaps)                     (untrusted from here)
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import os
import re
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from harness import mounts, watchdog, wire
from harness.contracts import Failure, FailureKind, Isolation
from harness.jail import FOLD_NAMESPACES, Rights, confine_in_place, enter_namespaces, give_up_rights

__all__ = ["main", "nothing"]

LONGEST_EVENT = 65536
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MEMORY_WORDS = re.compile(r"can't allocate memory|out of memory|cannot allocate memory", re.IGNORECASE)
PROCESS_WORDS = re.compile(r"can't start new thread|cannot fork|pthread_create failed", re.IGNORECASE)
DISK_WORDS = re.compile(r"Bus error|No space left|insufficient shared memory", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pipes:
    """The descriptors of one fold, on the fold's side."""

    payload: int
    result: int
    log: int
    events: int
    status: int


def nothing(payload: bytes, emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Return no arrays: the fold that only shows that folds work."""
    return {}


# ------------------------------------------------------------------------------------- zygote
def main(descriptor: int) -> None:
    """Preload, then fork for every request until the parent is gone."""
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    started = wire.receive(control)
    if started is None:
        return
    config = started[0]
    if sys.platform == "linux":
        _end_with(config["parent"])
    began = time.monotonic()
    failed = _preload(config)
    if not failed:
        gc.collect()
        gc.freeze()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # wardens report to the parent, not here
    wire.send(control, {"failed": failed, "seconds": time.monotonic() - began, "threads": _threads()})
    while not failed and (request := wire.receive(control)) is not None:
        _fork_fold(control, config, *request)


def _end_with(parent: int | None) -> None:
    """Die with the process that started this one; in a pid namespace bubblewrap sees to it."""
    from harness import confine

    confine.die_with_parent()
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def _preload(config: Mapping[str, Any]) -> str:
    """Import the trusted modules; return what failed, in one sentence."""
    sys.path[:0] = [path for path in config["python_path"] if path not in sys.path]
    for name in config["preload"]:
        try:
            importlib.import_module(name)
        except Exception as error:
            traceback.print_exc()
            return f"importing {name} failed: {type(error).__name__}: {error}"
    return ""


def _threads() -> int:
    with suppress(OSError):
        return len(os.listdir("/proc/self/task"))
    return 1


def _fork_fold(
    control: socket.socket, config: Mapping[str, Any], request: Mapping[str, Any], fds: list[int]
) -> None:
    """Fork a warden and forget the fold's descriptors at once, unread."""
    if os.fork() == 0:
        try:
            control.close()
            _guard(_rights(config, request), request, Pipes(*fds))
        finally:
            os._exit(70)
    for descriptor in fds:
        os.close(descriptor)


def _rights(config: Mapping[str, Any], request: Mapping[str, Any]) -> Rights:
    return Rights(
        isolation=Isolation(config["isolation"]),
        read_only=config["read_only"],
        devices=config["devices"],
        has_gpu=config["has_gpu"],
        **request["rights"],
    )


# ------------------------------------------------------------------------------------- warden
def _guard(rights: Rights, request: Mapping[str, Any], pipes: Pipes) -> NoReturn:
    """Fork the fold, wait for it, end what it left behind, report how it ended."""
    status = socket.socket(fileno=pipes.status)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        child = _split(rights, request, pipes, status)
    except OSError as error:
        wire.send(status, {"setup": str(error)})
        os._exit(1)
    for descriptor in (pipes.payload, pipes.result, pipes.log, pipes.events):
        os.close(descriptor)
    if rights.isolation is Isolation.BUBBLEWRAP:
        handle = os.pidfd_open(child)
        wire.send(status, {"pid": child}, [handle])
        os.close(handle)
    else:
        wire.send(status, {"pid": os.getpid()})
    _, code = os.waitpid(child, 0)
    if rights.isolation is not Isolation.BUBBLEWRAP:
        _end_descendants(child)
    wire.send(status, {"code": os.waitstatus_to_exitcode(code)})
    os._exit(0)


def _split(rights: Rights, request: Mapping[str, Any], pipes: Pipes, status: socket.socket) -> int:
    """Take new namespaces (or adopt orphans, without them) and fork; return the child's pid."""
    if rights.isolation is Isolation.BUBBLEWRAP:
        from harness import confine

        confine.die_with_parent()
        confine.unshare(FOLD_NAMESPACES)
    else:
        _adopt_orphans()
    child = os.fork()
    if child == 0:
        try:
            _first(rights, request, pipes, status)
        finally:
            os._exit(70)
    return child


def _adopt_orphans() -> None:
    """Become the subreaper, so that no daemon escapes, and take the tree along when the zygote dies."""
    if sys.platform == "linux":
        from harness import confine

        confine.subreaper()
        signal.signal(signal.SIGTERM, lambda *_: (watchdog.end_tree(os.getpid()), os._exit(1)))
        confine.die_with_parent(signal.SIGTERM)


def _end_descendants(child: int) -> None:
    """Kill and reap whatever the fold's worker left behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    watchdog.end_tree(os.getpid())
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


# ------------------------------------------------------------------------------- inside the fold
def _first(rights: Rights, request: Mapping[str, Any], pipes: Pipes, status: socket.socket) -> NoReturn:
    """Confine this process; with namespaces it then is their init and the worker a fork of it."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        if rights.isolation is Isolation.BUBBLEWRAP:
            enter_namespaces(rights)
            give_up_rights(rights)
        else:
            _in_place(rights)
    except Exception as error:  # still trusted: anything here is our failure, not the entrant's
        wire.send(status, {"setup": f"{type(error).__name__}: {error}"})
        os._exit(1)
    status.close()
    if rights.isolation is Isolation.BUBBLEWRAP:
        _be_init(pipes)
    _work(request, pipes)


def _in_place(rights: Rights) -> None:
    """Confine without namespaces; `none` only lowers the limit on core files."""
    os.chdir(rights.scratch)
    os.environ.update(mounts.temporary_places(rights.scratch))
    tempfile.tempdir = None  # libraries may have asked for it already
    if rights.isolation is Isolation.REDUCED:
        confine_in_place(rights)
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _be_init(pipes: Pipes) -> None:
    """Return in a fork, the worker; stay behind as pid 1, reap, and end with the worker's code."""
    from harness import confine

    confine.set_dumpable(on=False)  # before there is anyone to look into it
    worker = os.fork()
    if worker == 0:
        confine.set_dumpable(on=True)
        os.chdir("/tmp")  # noqa: S108 - its own
        return
    _keep_only(set())
    while True:
        pid, code = os.wait()
        if pid == worker:
            exit_code = os.waitstatus_to_exitcode(code)
            os._exit(exit_code if exit_code >= 0 else 128 - exit_code)


def _keep_only(wanted: set[int]) -> None:
    """Close every descriptor but these."""
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    for descriptor in [int(name) for name in os.listdir(folder)]:
        if descriptor not in wanted:
            with suppress(OSError):
                os.close(descriptor)


def _work(request: Mapping[str, Any], pipes: Pipes) -> NoReturn:
    """Run the entry on the payload and send back its arrays, or why there are none."""
    for standard in (1, 2):
        os.dup2(pipes.log, standard)
    _keep_only({0, 1, 2, pipes.payload, pipes.result, pipes.events})
    expected = {name: (tuple(shape), group) for name, shape, group in request["expected"]}
    failed, worker = 1, os.getpid()
    try:
        with open(pipes.payload, "rb") as file:
            payload = file.read()
        module, _, function = request["entry"].partition(":")
        entry = getattr(importlib.import_module(module), function)
        arrays = entry(payload, _emitter(pipes.events))
        if os.getpid() == worker:  # a forked child that comes back here has no say
            wire.write_arrays(pipes.result, arrays, expected)
            failed = 0
    except BaseException as error:
        with suppress(BaseException):
            if os.getpid() == worker:
                wire.write_failure(pipes.result, _describe(error))
            traceback.print_exc()
    with suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(failed)


def _emitter(descriptor: int) -> Callable[[dict[str, Any]], None]:
    """Return the function that sends one event as a line of JSON."""

    def emit(event: dict[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        if len(line) > LONGEST_EVENT:
            raise ValueError(f"an event of {len(line)} bytes: the most is {LONGEST_EVENT}")
        while line:
            line = line[os.write(descriptor, line) :]

    return emit


# ------------------------------------------------------------------------------- what went wrong
def _describe(error: BaseException) -> Failure:
    """Say in one sentence what was raised, and where in the submission."""
    if isinstance(error, wire.Refused):
        return Failure(FailureKind.PREDICTIONS, str(error))
    text = " ".join(str(error).split())
    return Failure(_kind(error), f"{type(error).__name__}: {text[:600]}{_place(error)}")


def _kind(error: BaseException) -> FailureKind:
    """Tell want of memory, processes or disk from an ordinary error, also where one caused the other."""
    seen: BaseException | None = error
    while seen is not None:
        kind = _own_kind(seen)
        if kind is not FailureKind.ERROR:
            return kind
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return FailureKind.ERROR


def _own_kind(error: BaseException) -> FailureKind:
    number = error.errno if isinstance(error, OSError) else None
    words = str(error) if isinstance(error, RuntimeError | OSError) else ""
    if isinstance(error, MemoryError) or number == errno.ENOMEM or MEMORY_WORDS.search(words):
        return FailureKind.MEMORY
    if number in DISK_ERRORS or DISK_WORDS.search(words):
        return FailureKind.DISK
    forked = isinstance(error, BlockingIOError) and error.filename is None
    return FailureKind.PROCESSES if forked or PROCESS_WORDS.search(words) else FailureKind.ERROR


def _place(error: BaseException) -> str:
    """Return " (model.py:12)", the innermost line that is not a library's or the harness's."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not _is_library(frame.filename)] or list(frames)
    return f" ({os.path.basename(theirs[-1].filename)}:{theirs[-1].lineno})" if theirs else ""


def _is_library(path: str) -> bool:
    """Tell libraries and the harness from a submission, which may itself be an installed one."""
    own = os.path.dirname(os.path.abspath(__file__))
    installed = path.startswith((sys.prefix, sys.base_prefix, own, "<frozen"))
    packages = "/site-packages/" in path or "/dist-packages/" in path
    return (installed or packages) and "/submissions/" not in path
