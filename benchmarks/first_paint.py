"""How soon a board of thousands of entries is there, opened from file:// in Chromium, and its pages' sizes.

uv run python benchmarks/first_paint.py [--entries 1000 10000] [--resamples 100] [--rounds 5] [--cases 369]

Each opening is a fresh browser context, so that nothing is cached; its time runs from the navigation to the
first frame that is painted with a row of the ranking, and to the end of the scripts. Beside it stands an
empty page. Every console message, and every request for anything but a file, is an error.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rebuild import CHALLENGE, write

from harness.board import cards_of
from leaderboard.site import build

WATCH = """
const look = () => {
  if (!document.querySelector(SELECTOR)) return requestAnimationFrame(look);
  requestAnimationFrame(() => setTimeout(() => { window.PAINTED = performance.now(); }));
};
requestAnimationFrame(look);
"""
EMPTY = "<!doctype html><title>empty</title><table><tr><td>1</td></tr></table>"


def opened(browser: Browser, path: Path, selector: str, width: int) -> tuple[float, float]:
    """Return the seconds to the first row and to the end of the scripts.

    Raises:
        RuntimeError: if the page complained or asked for anything but files.
    """
    context = browser.new_context(viewport={"width": width, "height": 900})
    page: Page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith("file:") or wrong.append(request.url))
    page.add_init_script(WATCH.replace("SELECTOR", repr(selector)))
    page.goto(path.as_uri())
    page.wait_for_function("window.PAINTED !== undefined")
    ended = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    found = (float(page.evaluate("window.PAINTED")) / 1000, float(page.evaluate(ended)) / 1000)
    context.close()
    if wrong:
        raise RuntimeError(f"{path.name}: {wrong[:3]}")
    return found


def size_of(page: Path) -> int:
    """Return the bytes of a page with all that it loads."""
    text = page.read_text(encoding="utf-8")
    sources = re.findall(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"', text)
    return page.stat().st_size + sum((page.parent / name).resolve().stat().st_size for name in sources)


def measure(browser: Browser, board: Path, rounds: int) -> None:
    """Print a line a kind of page."""
    entry = next((board / "entries").glob("*.html"))
    empty = board / "empty.html"
    empty.write_text(EMPTY)
    pages = (
        ("an empty page", empty, "td", 1280),
        ("the board", board / "index.html", "tbody.ranked tr", 1280),
        ("the board, phone", board / "index.html", "tbody.ranked tr", 390),
        ("an entry", entry, "tbody tr", 1280),
        ("the comparison", board / "compare.html", "option", 1280),
    )
    for name, path, selector, width in pages:
        times = [opened(browser, path, selector, width) for _ in range(rounds)]
        painted, ended = (statistics.median(column) for column in zip(*times, strict=True))
        size = size_of(path) / 2**20
        print(f"  {name:18} first row {painted:5.2f} s, scripts ended {ended:5.2f} s, {size:6.2f} MiB")


def main() -> None:
    """Measure boards of several sizes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, nargs="+", default=[1000, 10_000])
    for name, value in (("cases", 369), ("resamples", 100), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    cards = cards_of(None)
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for entries in options.entries:
            folder = Path(tempfile.mkdtemp(prefix="paint-"))
            for number in range(entries):
                write(folder / "runs", cards[CHALLENGE], number, options, stored=True)
            site = build(folder / "runs", folder / "site", cards).parent
            print(f"{entries} entries:")
            measure(browser, next((site / CHALLENGE).glob("data-*")), options.rounds)
            shutil.rmtree(folder)
        browser.close()


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
