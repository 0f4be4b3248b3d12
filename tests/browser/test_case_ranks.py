"""A board that ranks by case in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from leaderboard.site import build
from tests.browser.conftest import Opener
from tests.case_rank_fakes import by_case_card, by_case_record, drawn, entries, frame, write_run
from tests.leaderboard_fakes import HOSTILE


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a board of fifteen entries with hostile names, an unranked one and a reference."""
    folder = tmp_path_factory.mktemp("by_case")
    runs = folder / "runs"
    for place, text in enumerate(HOSTILE):
        scores = drawn(place, 0.92 - place / 60)
        run = by_case_record(f"e{place}", scores, team=text, title=text)
        write_run(runs, run, frame(scores))
    entries(runs, [0.95, 0.9])
    write_run(runs, by_case_record("lost", drawn(70, 0.9), team="Lost"), None)
    empty = drawn(71, 0.1)
    write_run(runs, by_case_record("empty", empty, route="reference", title="No tumour"), frame(empty))
    build(runs, folder / "site", {"brats": by_case_card()})
    (page,) = (folder / "site" / "brats").glob("data-*/index.html")
    return page


def test_a_board_by_case_shows_the_score_and_the_tests(board: Path, visit: Opener) -> None:
    """Ranks rise with the score, the leader has no p-value, and nothing complains or is asked of a network."""
    seen = visit(board)
    rows = seen.page.locator("tbody.ranked tr")
    assert rows.count() == 17
    shown = [float(text.split("\n")[0]) for text in rows.locator("td.main").all_inner_texts()]
    assert shown == sorted(shown)
    expect(seen.page.locator("thead th").nth(2)).to_contain_text("Rank score")
    expect(rows.first.locator("td").nth(5)).to_have_text("–")
    expect(seen.page.get_by_role("heading", name="Differences between entries")).to_be_visible()
    expect(seen.page.locator("section[aria-labelledby=pairs] tbody tr")).to_have_count(10)
    expect(seen.page.locator("tbody.unranked")).to_contain_text(
        "are missing, and this board ranks case by case"
    )
    assert "owned" not in seen.page.title()
    seen.check()


def test_p_values_sort_as_numbers_and_the_leader_stays_last(board: Path, visit: Opener) -> None:
    """The column sorts by the value with Holm's correction; a dash is no number."""
    seen = visit(board)
    header = seen.page.locator("thead th", has_text="to the first, Holm")
    header.locator("button").click()
    cells = seen.page.locator("tbody.ranked tr td:nth-child(7)")
    texts = cells.all_inner_texts()
    values = [float(title.split(" ")[0]) for title in cells.evaluate_all("c => c.map(x => x.title)") if title]
    assert texts[-1] == "–"
    assert values == sorted(values, reverse=True)
    assert len(values) == 16


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_board_by_case_does_not_scroll_sideways(board: Path, visit: Opener, dark: bool) -> None:
    """On a phone, a tablet and desktops only the tables scroll, in their own boxes."""
    seen = visit(board, dark=dark)
    for width in (320, 390, 768, 1024, 1259, 1260, 1280, 1920):
        seen.page.set_viewport_size({"width": width, "height": 900})
        assert seen.overflow() <= 0, width
    seen.check()
