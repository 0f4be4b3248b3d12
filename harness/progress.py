"""What a person sees of a long run: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Progress", "open_progress", "say"]


def say(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


class Progress(Protocol):
    """Told of folds by the thread that supervises each."""

    def event(self, fold: int, event: dict[str, Any]) -> None:
        """An epoch has ended in a fold."""

    def done(self, fold: int, line: str) -> None:
        """A fold has ended."""


class PlainProgress:
    """One line per finished fold, and an epoch line at most every ten seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._last = time.monotonic()
        self._lock = threading.Lock()

    def event(self, fold: int, event: dict[str, Any]) -> None:
        """Print the epoch, if nothing was printed lately."""
        with self._lock:
            if event.get("event") == "epoch" and time.monotonic() - self._last > 10:
                self._last = time.monotonic()
                say(f"  fold {fold}: {epoch_text(event)}")

    def done(self, fold: int, line: str) -> None:
        """Print the fold's line."""
        with self._lock:
            self._done += 1
            self._last = time.monotonic()
            say(f"  [{self._done}/{self._total}] fold {fold}: {line}")


def epoch_text(event: dict[str, Any]) -> str:
    """Return "epoch 3/10, loss 0.52" for an epoch event, whatever an entry may have put in it."""
    text = f"epoch {event.get('epoch')}/{event.get('of')}"
    metrics = event.get("metrics")
    numbers = (
        [f"{k} {v:.4g}" for k, v in metrics.items() if isinstance(v, float)]
        if isinstance(metrics, dict)
        else []
    )
    return ", ".join([text, *numbers[:3]])[:120]


class RichProgress:
    """A bar for the run and one for each fold at work."""

    def __init__(self, display: Any, total: int) -> None:  # noqa: ANN401  rich is imported where it is used
        self._display = display
        self._run = display.add_task("folds", total=total)
        self._bars: dict[int, Any] = {}
        self._lock = threading.Lock()

    def event(self, fold: int, event: dict[str, Any]) -> None:
        """Move the fold's bar."""
        of, epoch = event.get("of"), event.get("epoch")
        if event.get("event") != "epoch" or not isinstance(of, int) or not isinstance(epoch, int):
            return
        with self._lock:
            if fold not in self._bars:
                self._bars[fold] = self._display.add_task(f"fold {fold}", total=of)
            self._display.update(self._bars[fold], completed=epoch)

    def done(self, fold: int, line: str) -> None:
        """Remove the fold's bar, keep its line."""
        from rich.text import Text

        with self._lock:
            if fold in self._bars:
                self._display.remove_task(self._bars.pop(fold))
            self._display.console.print(Text(f"  fold {fold}: {line}"))
            self._display.advance(self._run)


@contextmanager
def open_progress(total: int) -> Iterator[Progress]:
    """Yield the display that suits standard output."""
    if not sys.stdout.isatty():
        yield PlainProgress(total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Display(*columns) as display:
        yield RichProgress(display, total)
