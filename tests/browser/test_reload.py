"""A page that the server sent reloads itself once the site was built again."""

from __future__ import annotations

import queue
import threading
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from leaderboard import serve as module
from leaderboard.serve import serve, state_of
from leaderboard.site import build
from tests.leaderboard_fakes import card, record, write


def test_an_open_page_shows_a_new_record(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a hand: the row is there, the script still asks, and nothing complains."""
    monkeypatch.setattr(module, "PAUSE", 0.1)
    runs, site = write(tmp_path / "runs", [record("first", team="First Lab")]), tmp_path / "site"
    said, ends = queue.Queue[str](), threading.Event()

    def state() -> object:
        if ends.is_set():
            raise KeyboardInterrupt
        return state_of(runs, [])

    rebuild = partial(build, runs, site, {"kium": card()})
    served = threading.Thread(target=serve, args=(site, 0, state, rebuild, said.put))
    served.start()
    try:
        address, _ = said.get(timeout=30).partition("http://")[2].split(" ", 1)
        assert "built in" in said.get(timeout=30)
        (board,) = site.glob("kium/data-*")
        complaints = list[str]()
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"http://{address}kium/{board.name}/")
        expect(page.locator("tbody.ranked tr")).to_have_count(1)

        write(runs, [record("first", team="First Lab"), record("second", 0.9, team="Second Lab")])

        expect(page.locator("tbody.ranked tr").first).to_contain_text("Second Lab", timeout=20_000)
        assert page.locator("script[src='/.reload.js']").get_attribute("data-build")
        assert complaints == []
        page.close()
    finally:
        ends.set()
        served.join(timeout=30)
    assert not served.is_alive()
