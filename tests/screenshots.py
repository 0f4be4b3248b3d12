"""Pictures of a drawn phantom board, for docs/screenshots; run as a script with a Korean font installed.

uv run python tests/screenshots.py docs/screenshots
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
import types
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
HEIGHT = {1280: 1100, 390: 844}
SKILLS = (2.6, 2.5, 2.3, 2.2, 1.9, 1.8, 1.4, 1.2, 1.1, 0.6)


def draw(folder: Path) -> Path:
    """Build a board of ranked, tied, tuned, failed and reference entries and return its folder."""
    from harness.atomic import write_atomic
    from harness.records import dump
    from leaderboard.site import build
    from tests.leaderboard_fakes import TEAMS, TITLES, make_panel, record, references, sweep
    from tests.resample_fakes import SIZES, drawn, entry, scores_of, small_card

    runs = folder / "runs"
    for k, skill in enumerate(SKILLS):
        predicted = {half: drawn(skill, k, half) for half in SIZES}
        score = float(scores_of("cv", predicted["cv"])["auroc_aneurysm"])
        about = {"team": TEAMS[k], "title": TITLES[k % len(TITLES)], "phantom": True, "cv": score}
        run = entry(runs, f"entry_{k}", predicted, finished=f"2026-11-{20 + k % 5}T09:00:00Z", **about)
        assert run.cv is not None
        run = dataclasses.replace(
            run,
            seconds=3245.0 * (1 + (7 * k) % 5),
            data=dataclasses.replace(run.data, n_development=SIZES["cv"], n_test=SIZES["test"]),
            cv=dataclasses.replace(run.cv, panel=make_panel(score, SIZES["cv"])),
            entry=dataclasses.replace(run.entry, parameters=4_010_269 * (1 + (3 * k) % 7)),
            sweep=sweep() if k == 3 else None,
        )
        write_atomic(runs / "kium" / run.run_id / "record.json", dump(run).encode())
    failed = record("broken", team=TEAMS[10], failure=("memory", "used 16.0 GB of 16 GB"), phantom=True)
    for run in (failed, *references(phantom=True)):
        write_atomic(runs / "kium" / run.run_id / "record.json", dump(run).encode())
    build(runs, folder / "site", {"kium": small_card()})
    return next((folder / "site" / "kium").glob("phantom-*"))


def take(browser: Browser, page: Path, target: Path, width: int, at: str = "", **look: str) -> None:
    """Take a picture of a page's first screen, or of the screen that a fragment of its address leads to."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT[width]})
    seen = context.new_page()
    words = "&".join(f"{name}={value}" for name, value in look.items())
    seen.goto(f"{page.as_uri()}?{words}{at}")
    seen.screenshot(path=target)
    context.close()


def main(target: Path) -> None:
    """Take them all."""
    folder = Path(tempfile.mkdtemp())
    place = draw(folder)
    board, compare = place / "index.html", place / "compare.html"
    pages = {path.stem.partition("-")[0]: path for path in (place / "entries").glob("*.html")}
    pair = f"#a={pages['entry_0'].stem}&b={pages['entry_4'].stem}"
    english, korean = {"lang": "en", "theme": "light"}, {"lang": "ko", "theme": "light"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take(browser, board, target / "board-1280.png", 1280, **english)
        take(browser, board, target / "board-1280-ko-dark.png", 1280, lang="ko", theme="dark")
        take(browser, board, target / "board-390.png", 390, **english)
        take(browser, board, target / "ranks-1280.png", 1280, "#stability", **english)
        take(browser, board, target / "cost-1280-ko.png", 1280, "#cost", **korean)
        take(browser, pages["entry_0"], target / "entry-1280-ko.png", 1280, **korean)
        take(browser, pages["entry_0"], target / "entry-390.png", 390, **english)
        take(browser, compare, target / "compare-1280.png", 1280, pair, **english)
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    tests = types.ModuleType("tests")  # a library installs a package of this name too
    tests.__path__ = [str(PROJECT / "tests")]
    sys.modules["tests"] = tests
    main(Path(sys.argv[1]))
