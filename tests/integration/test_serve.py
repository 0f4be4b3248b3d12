"""`harness leaderboard --serve`: a record that is added is on the page a moment later."""

from __future__ import annotations

import re
import signal
import time
import urllib.request
from pathlib import Path

from tests.conftest import Workplace
from tests.leaderboard_fakes import record, write


def page_with(address: str, words: str, seconds: float = 60) -> str:
    """Return the board's page once it says these words."""
    until = time.monotonic() + seconds
    text = ""
    while time.monotonic() < until:
        with urllib.request.urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
        if words in text:
            return text
        time.sleep(0.1)
    raise AssertionError(f"no {words!r} in {text}")


def test_a_new_record_is_shown_and_a_broken_one_is_survived(workplace: Workplace) -> None:
    """One line a build, one a problem, one at the end; the site's own files never have the script."""
    runs = write(workplace.root / "runs", [record("first", team="First Lab")])
    server = workplace.start("leaderboard", "--serve", "--port", "0", "challenge=kium")
    assert server.stdout is not None
    address = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
    assert address is not None
    assert " built in " in server.stdout.readline()
    (board,) = (workplace.root / "site/kium").glob("data-*")
    url = f"{address[0]}kium/{board.name}/"
    page_with(url, "First Lab")

    write(runs / "new", [record("second", team="Second Lab")])
    (runs / "new/kium/run00000").rename(runs / "kium/second")
    assert ".reload.js" in page_with(url, "Second Lab")
    assert "reload" not in (board / "index.html").read_text(encoding="utf-8")
    assert " built in " in server.stdout.readline()

    (runs / "kium/second/record.json").write_text("{")
    problem = server.stdout.readline()
    assert "not built: " in problem
    assert str(Path("runs/kium/second/record.json")) in problem
    page_with(url, "Second Lab")
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    assert server.stdout.read() == "Ended.\n"
