"""The system's Chromium on pages from file://, with everything it does to be asked about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from harness.records import RunRecord
from leaderboard.site import build
from tests.leaderboard_fakes import card, write

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass
class Visit:
    """A page and what happened on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Console messages, script errors and dialogs."""
    requests: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        """Close a dialog and keep its words: no page of ours opens one."""
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def check(self) -> None:
        """Refuse a page that complained, or asked for anything but files."""
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:"))] == []

    def overflow(self) -> int:
        """Return by how many pixels the page scrolls sideways."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(script))


def rank_scripts(page: Path) -> list[str]:
    """Return the names of the scripts that say on an entry's page where it stands, in their order."""
    return [f"standing-{page.stem[-1]}.js", "standing.js"]


Opener = Callable[..., Visit]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium; without one the tests are skipped, and in CI they fail."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no Chromium found (looked for {', '.join(NAMES)})"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Opener]:
    """Open a file and watch it: `visit(path, width=390, dark=True, script=False)`."""
    contexts = []

    def opened(path: Path, *, width: int = 1280, dark: bool = False, script: bool = True) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        contexts.append(context)
        found = Visit(context.new_page())
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("dialog", found.dismiss)
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


Builder = Callable[..., Path]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Build the site of some records, with figures by run id, and return its folder."""

    def built(records: list[RunRecord], figures: Mapping[str, Any] | None = None) -> Path:
        folder = tmp_path_factory.mktemp("site")
        runs = write(folder / "runs", records, figures)
        return build(runs, folder / "site", {"kium": card()}).parent

    return built
