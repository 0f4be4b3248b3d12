"""Watch one fold from outside: its time, memory, processes, disk and bytes; read what it sends; end it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from harness import watchdog, wire
from harness.contracts import Failure, FailureKind, Isolation, Limits, Outcome
from harness.launch import ZygoteGone

__all__ = ["Closed", "FoldPipes", "Supervision"]

OnEvent = Callable[[dict[str, Any]], None]
PIECE = 1 << 16
LONGEST_LINE = 65536
LEAST_EVENT_COST = 256
"""Bytes that one event counts at least, so that empty ones cannot fill the parent's memory."""
DEEPEST, LONGEST_TEXT = 6, 2000
FIRST_SCAN_SECONDS, SCAN_SECONDS, SCAN_SHARE = 0.05, 0.2, 20
DISK_SCAN_SECONDS = 1.0
GRACE_SECONDS = 10.0
MIB = 1 << 20


class Closed(Exception):  # noqa: N818 - not an error: somebody closed the sandbox
    """The sandbox was closed while the fold ran."""


@dataclass(slots=True)
class FoldPipes:
    """The parent's ends of one fold's pipes."""

    result: int
    log: int
    events: int
    status: socket.socket

    def close(self) -> None:
        """Close them all."""
        for descriptor in (self.result, self.log, self.events):
            os.close(descriptor)
        self.status.close()


@dataclass(slots=True)
class Process:
    """The first process of a fold, as the parent sees it."""

    pid: int = 0
    handle: int | None = None
    """A pidfd: the pid cannot have become another's."""

    def end(self) -> None:
        """Kill the fold: its whole namespace, or without one, the tree below its warden."""
        if self.handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        elif self.pid:
            watchdog.end_tree(self.pid)

    def close(self) -> None:
        """Forget the handle."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None


@dataclass(slots=True)
class Supervision:
    """One fold's run, from its start until its last byte."""

    pipes: FoldPipes
    expected: wire.Expected
    limits: Limits
    isolation: Isolation
    on_event: OnEvent | None
    wake: int
    """A descriptor that has news once the sandbox is closed."""
    scratch: str | None
    """The private folder on disk, where there is no tmpfs."""
    process: Process = field(default_factory=Process)
    reader: wire.ArrayReader = field(init=False)
    log: bytearray = field(default_factory=bytearray)
    line: bytearray = field(default_factory=bytearray)
    events: list[dict[str, Any]] = field(default_factory=list)
    spent: int = 0
    peak: int = 0
    failure: Failure | None = None
    code: int | None = None
    started: float = field(default_factory=time.monotonic)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _ended: bool = False
    _stopped: float | None = None
    _kernel_kills: int = field(default_factory=watchdog.kernel_kills)
    _next_scan: float = 0.0
    _next_disk_scan: float = 0.0

    def run(self) -> Outcome:
        """Watch until the fold has ended; kills it whatever happens here.

        Raises:
            Closed: the sandbox was closed.
            ZygoteGone: the fold never started.
        """
        self.reader = wire.ArrayReader(self.expected)
        self._next_scan = self.started + FIRST_SCAN_SECONDS
        self._next_disk_scan = self.started + DISK_SCAN_SECONDS
        try:
            self._watch()
        finally:
            if not self._ended:
                self.process.end()
            self.process.close()
            self.selector.close()
        return self._outcome()

    def _watch(self) -> None:
        readers = {self.pipes.result: self._on_result, self.pipes.log: self._on_log}
        readers |= {self.pipes.events: self._on_events, self.pipes.status.fileno(): self._on_status}
        for descriptor, reader in readers.items():
            os.set_blocking(descriptor, False)
            self.selector.register(descriptor, selectors.EVENT_READ, reader)
        self.pipes.status.setblocking(True)
        self.selector.register(self.wake, selectors.EVENT_READ, self._on_wake)
        while not self._ended:
            self._turn()
        self.selector.unregister(self.wake)
        while self._drain():
            pass

    def _turn(self) -> None:
        """Wait for the next thing to happen and deal with it."""
        deadline = self.started + self.limits.wall_seconds
        wake_up = min(self._next_scan, deadline)
        for key, _ in self.selector.select(max(0.0, wake_up - time.monotonic())):
            key.data(key.fd)
        now = time.monotonic()
        if now >= deadline:
            self._stop(FailureKind.TIMEOUT, f"it ran longer than {self.limits.wall_seconds:g} s")
        if now >= self._next_scan:
            self._scan()
        if self._stopped is not None and now > self._stopped + GRACE_SECONDS:
            self._ended = True  # unkillable, as in a hung file system; nothing more to wait for

    def _drain(self) -> bool:
        """Read what is left in the pipes; False once they are empty or closed."""
        ready = self.selector.select(0) if self.selector.get_map() else []
        for key, _ in ready:
            key.data(key.fd)
        return bool(ready)

    def _stop(self, kind: FailureKind, reason: str) -> None:
        """Kill the fold; the first reason stays."""
        if self._stopped is None:
            self.failure = self.failure or Failure(kind, reason)
            self._stopped = time.monotonic()
        self.process.end()
        self._next_scan = time.monotonic() + SCAN_SECONDS

    # ------------------------------------------------------------------------ what it sends
    def _on_wake(self, descriptor: int) -> None:
        raise Closed

    def _on_status(self, descriptor: int) -> None:
        """Read the trusted warden: the pid at first, the exit code at last."""
        try:
            received = wire.receive(self.pipes.status)
        except (EOFError, OSError):
            received = None
        if received is None:
            self.selector.unregister(descriptor)
            self._ended = True
            return
        message, handles = received
        if "pid" in message:
            self.process = _located(message["pid"], handles)
            if self._stopped is not None:
                self.process.end()
        self.code = message.get("code", self.code)
        if "setup" in message:
            self.failure = Failure(
                FailureKind.SANDBOX, f"the sandbox could not confine the fold: {message['setup']}"
            )

    def _on_result(self, descriptor: int) -> None:
        try:
            more = self.reader.read(descriptor)
        except BlockingIOError:
            return
        except wire.Refused as refused:
            more = False
            self._stop(FailureKind.PREDICTIONS, str(refused))
        if not more:
            self.selector.unregister(descriptor)

    def _on_log(self, descriptor: int) -> None:
        piece = os.read(descriptor, PIECE)
        if not piece:
            self.selector.unregister(descriptor)
            return
        self.log += piece
        self._spend(len(piece))

    def _on_events(self, descriptor: int) -> None:
        piece = os.read(descriptor, PIECE)
        if not piece:
            self.selector.unregister(descriptor)
            return
        *lines, rest = (self.line + piece).split(b"\n")
        self.line = rest[: LONGEST_LINE + 1]
        for line in lines:
            self._spend(max(len(line), LEAST_EVENT_COST))
            if self._stopped is None and len(line) <= LONGEST_LINE:
                self._event(line)
        self._spend(len(rest) if len(rest) > LONGEST_LINE else 0)

    def _event(self, line: bytearray) -> None:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(event, dict):
            plain = _plain(event)
            self.events.append(plain)
            if self.on_event is not None:
                self.on_event(plain)

    def _spend(self, count: int) -> None:
        self.spent += count
        if self.spent > self.limits.output_bytes:
            self._stop(
                FailureKind.OUTPUT, f"it printed or reported more than {self.limits.output_bytes} bytes"
            )

    # ------------------------------------------------------------------------ what it uses
    def _scan(self) -> None:
        """Look at what the fold uses, seldom enough to cost it and us little."""
        began = time.thread_time()
        if self._stopped is not None:
            self.process.end()
        elif self.process.pid:
            self._compare()
            if self.scratch is not None and time.monotonic() >= self._next_disk_scan:
                self._compare_disk(self.scratch)
        took = time.thread_time() - began
        self._next_scan = time.monotonic() + max(SCAN_SECONDS, SCAN_SHARE * took)

    def _compare(self) -> None:
        """Count first: with a fork bomb there is no time to measure memory."""
        pids, tasks = watchdog.descendants(self.process.pid)
        if tasks > self.limits.processes + 2:  # the warden or init, and the worker itself
            most = f"{self.limits.processes} processes and threads"
            self._stop(FailureKind.PROCESSES, f"it ran more than {most}")
            return
        used = sum(map(watchdog.memory, pids))
        self.peak = max(self.peak, used)
        if used > self.limits.memory_bytes:
            most = f"{self.limits.memory_bytes // MIB} MiB of memory"
            self._stop(FailureKind.MEMORY, f"it used more than {most}")

    def _compare_disk(self, scratch: str) -> None:
        began = time.monotonic()
        if watchdog.folder_bytes(scratch) > self.limits.disk_bytes:
            self._stop(FailureKind.DISK, f"it wrote more than {self.limits.disk_bytes // MIB} MiB")
        self._next_disk_scan = began + max(DISK_SCAN_SECONDS, SCAN_SHARE * (time.monotonic() - began))

    # ------------------------------------------------------------------------------- verdict
    def _outcome(self) -> Outcome:
        failure = self.failure or self._verdict()
        return Outcome(
            arrays=None if failure else self.reader.arrays,
            failure=failure,
            log=wire.clean(self.log[: self.limits.output_bytes].decode(errors="replace")),
            seconds=time.monotonic() - self.started,
            peak_memory_bytes=self.peak,
            events=tuple(self.events),
        )

    def _verdict(self) -> Failure | None:
        """Judge a fold that ended by itself."""
        if self.reader.failure is not None:
            return self.reader.failure
        if self.reader.arrays is not None:
            return None
        if self.code is None and not self.process.pid:
            raise ZygoteGone("the sandbox ended before it took the fold")
        if self.code is None:
            return Failure(FailureKind.SANDBOX, "the sandbox ended while the fold ran")
        number = self.code - 128 if self.code > 128 else -self.code
        if number > 0:
            return self._killed(number)
        return Failure(FailureKind.ERROR, f"it exited with code {self.code} before it returned predictions")

    def _killed(self, number: int) -> Failure:
        if number == signal.SIGKILL and watchdog.kernel_kills() > self._kernel_kills:
            return Failure(FailureKind.MEMORY, "the kernel ended it because the machine ran out of memory")
        if number == signal.SIGXFSZ:
            return Failure(
                FailureKind.DISK, f"it wrote a file larger than {self.limits.disk_bytes // MIB} MiB"
            )
        try:
            name = signal.Signals(number).name
        except ValueError:
            return Failure(
                FailureKind.ERROR, f"it exited with code {self.code} before it returned predictions"
            )
        hint = " (often a full /dev/shm)" if number == signal.SIGBUS else ""
        return Failure(FailureKind.KILLED, f"it was ended by the signal {name}{hint}")


def _located(pid: int, handles: list[int]) -> Process:
    """Translate a pid inside the zygote's namespace to ours, by the handle that came with it."""
    if not handles:
        return Process(pid)
    with open(f"/proc/self/fdinfo/{handles[0]}") as file:
        found = next((line.split()[1] for line in file if line.startswith("Pid:")), "0")
    return Process(max(0, int(found)), handles[0])


def _plain(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON from a fold with its texts cleaned and its depth limited."""
    if isinstance(value, str):
        return wire.clean(value, LONGEST_TEXT)
    if isinstance(value, dict) and depth < DEEPEST:
        return {wire.clean(key, LONGEST_TEXT): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list) and depth < DEEPEST:
        return [_plain(inner, depth + 1) for inner in value]
    return None if isinstance(value, dict | list) else value
