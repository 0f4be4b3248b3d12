"""What a person sees of a long run: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Progress", "open_progress", "say"]

STEPS = ("epoch", "fold")
"""Events that move a part on, and the key of the number reached."""


def say(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


class Progress(Protocol):
    """Told of folds, or of a sweep's trials, by the threads that supervise them."""

    def event(self, number: int, event: dict[str, Any]) -> None:
        """An epoch has ended in a fold, or a fold in a trial."""

    def done(self, number: int, line: str) -> None:
        """A fold or a trial has ended."""


class PlainProgress:
    """One line per finished part, and a line on the way at most every ten seconds."""

    def __init__(self, total: int, part: str, done: int) -> None:
        self._total = total
        self._part = part
        self._done = done
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def event(self, number: int, event: dict[str, Any]) -> None:
        """Print the epoch, if nothing was printed lately."""
        with self._lock:
            if event.get("event") in STEPS and time.monotonic() - self._last > 10:
                self._last = time.monotonic()
                say(f"  {self._part} {number}: {step_text(event)}")

    def done(self, number: int, line: str) -> None:
        """Print the part's line."""
        with self._lock:
            self._done += 1
            self._last = time.monotonic()
            say(f"  [{self._done}/{self._total}] {self._part} {number}: {line}")


def step_text(event: dict[str, Any]) -> str:
    """Return "epoch 3/10, loss 0.52" for an epoch event, whatever an entry may have put in it."""
    text = f"{event['event']} {event.get(event['event'])}/{event.get('of')}"
    metrics = event.get("metrics")
    numbers = (
        [f"{k} {v:.4g}" for k, v in metrics.items() if isinstance(v, float)]
        if isinstance(metrics, dict)
        else []
    )
    return ", ".join([text, *numbers[:3]])[:120]


class RichProgress:
    """A bar for the run and one for each part at work."""

    def __init__(self, display: Any, total: int, part: str, done: int) -> None:  # noqa: ANN401  rich's own
        self._display = display
        self._part = part
        self._run = display.add_task(f"{part}s", total=total, completed=done)
        self._bars: dict[int, Any] = {}
        self._lock = threading.Lock()

    def event(self, number: int, event: dict[str, Any]) -> None:
        """Move the part's bar."""
        kind = event.get("event")
        of, step = event.get("of"), event.get(kind) if isinstance(kind, str) else None
        if kind not in STEPS or not isinstance(of, int) or not isinstance(step, int):
            return
        with self._lock:
            if number not in self._bars:
                self._bars[number] = self._display.add_task(f"{self._part} {number}", total=of)
            self._display.update(self._bars[number], completed=step)

    def done(self, number: int, line: str) -> None:
        """Remove the part's bar, keep its line."""
        from rich.text import Text

        with self._lock:
            if number in self._bars:
                self._display.remove_task(self._bars.pop(number))
            self._display.console.print(Text(f"  {self._part} {number}: {line}"))
            self._display.advance(self._run)


@contextmanager
def open_progress(total: int, part: str = "fold", done: int = 0) -> Iterator[Progress]:
    """Yield the display that suits standard output; `done` of the `total` parts were done before."""
    if not sys.stdout.isatty():
        yield PlainProgress(total, part, done)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Display(*columns) as display:
        yield RichProgress(display, total, part, done)
