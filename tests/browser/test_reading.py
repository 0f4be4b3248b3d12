"""What a reader does with the pages: language, colours, columns, leafing, comparing; and what axe-core says of them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from leaderboard.site import build
from tests.browser.conftest import Builder, Opener, Visit
from tests.leaderboard_fakes import HOSTILE, card, challenge_yaml, many, mixed, references, tuned
from tests.unit.test_compare import board_of

KOREAN = {**challenge_yaml(), "title_ko": "혈관조영술 뇌동맥류 검출"}


@pytest.fixture(scope="module")
def mixed_site(site: Builder) -> Path:
    """Return the site of a board with every kind of row and a tuned entry."""
    return site([*mixed(phantom=True), tuned("t", team="Tuners", phantom=True)])


@pytest.fixture(scope="module")
def large_site(site: Builder) -> Path:
    """Return the site of a board with three pages of rows."""
    return site([*many(250), *references()])


@pytest.fixture(scope="module")
def paired_board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the board's folder of entries with hostile names and scores by case."""
    folder = tmp_path_factory.mktemp("paired")
    names = {"a": "Alpha", "b": "Beta", **{f"e{k}": text for k, text in enumerate(HOSTILE[:6])}}
    board_of(folder / "runs", names, shift=0.04)
    build(folder / "runs", folder / "site", {"kium": card(content=KOREAN)})
    (page,) = (folder / "site" / "kium").glob("data-*/index.html")
    return page.parent


def board(folder: Path) -> Path:
    """Return the only board's page."""
    (path,) = folder.glob("kium/*/index.html")
    return path


def choose(seen: Visit, name: str) -> None:
    """Choose a language or colours at the top of the page."""
    seen.page.locator(".look label", has=seen.page.locator(f"input[value={name}]")).click()


def ranks(seen: Visit) -> list[str]:
    """Return the ranks that are shown."""
    return seen.page.locator("tbody.ranked tr:visible td.rank").all_inner_texts()


# ---------------------------------------------------------------------------------------- language
def test_korean_is_chosen_once_and_stays_from_page_to_page(paired_board: Path, visit: Opener) -> None:
    """Text, title, attributes and <html lang> change without a load; links and memory keep the choice."""
    seen = visit(paired_board / "index.html")
    expect(seen.page.get_by_role("heading", name="Ranking")).to_be_visible()
    loads = len(seen.requests)
    choose(seen, "ko")
    expect(seen.page.locator("html")).to_have_attribute("lang", "ko")
    expect(seen.page.get_by_role("heading", name="순위", exact=True)).to_be_visible()
    expect(seen.page.locator("h1")).to_have_text("혈관조영술 뇌동맥류 검출", use_inner_text=True)
    assert seen.page.title() == "혈관조영술 뇌동맥류 검출 · MEDAL"
    assert seen.page.get_by_label("찾기").get_attribute("placeholder") == "팀, 제목, 단어"
    shown = seen.page.locator("main").inner_text()
    assert not any(word in shown for word in ("Ranking", "trained here", "complete", "Take part"))
    assert len(seen.requests) == loads
    seen.page.locator("#board").get_by_role("link", name="Alpha").click()
    expect(seen.page.get_by_role("heading", name="지표", exact=True)).to_be_visible()
    assert "?" not in seen.page.url
    expect(seen.page.get_by_text("2026년 11월 20일 08:00 UTC")).to_be_visible()
    choose(seen, "en")
    expect(seen.page.get_by_role("heading", name="Metrics")).to_be_visible()
    assert seen.page.title() == "Alpha: Alpha · kium · MEDAL"
    seen.page.reload()
    expect(seen.page.locator("html")).to_have_attribute("lang", "en")
    seen.check()


def test_links_keep_the_language_where_a_browser_remembers_nothing(mixed_site: Path, visit: Opener) -> None:
    """With storage refused the choice goes along in the address, also from rows that a script draws."""
    seen = visit(board(mixed_site))
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('refused'); }})"
    seen.page.add_init_script(refuse)
    seen.page.reload()
    choose(seen, "ko")
    seen.page.locator("th.entry button").click()
    seen.page.locator("#board").get_by_role("link", name="Vessel & Co.").click()
    assert "lang=ko" in seen.page.url
    expect(seen.page.get_by_role("heading", name="지표", exact=True)).to_be_visible()
    seen.page.get_by_role("link", name="보드에서 보기").click()
    expect(seen.page.locator("html")).to_have_attribute("lang", "ko")
    seen.check()


def test_rows_that_a_script_draws_read_as_those_of_the_page(mixed_site: Path, visit: Opener) -> None:
    """Sorted twice by rank, every row has the text, the tips and the order of before, in both languages."""
    for language in ("en", "ko"):
        seen = visit(board(mixed_site))
        choose(seen, language)
        read = """rows => rows.map(row => [row.id, row.innerText.replace(/\\s+/g, ' ').trim(),
            ...Array.from(row.cells).filter(cell => !cell.classList.contains("blank")).map(cell => `${cell.title}|${cell.colSpan}|${cell.hidden}`)].join('\\n'))"""
        rows = seen.page.locator("#board tbody tr")
        before = rows.evaluate_all(read)
        for _ in range(2):
            seen.page.locator("th.rank button").click()
        assert rows.evaluate_all(read) == before
        assert len(before) == 15
        seen.check()


def test_without_scripts_the_switches_work_by_style_alone(mixed_site: Path, visit: Opener) -> None:
    """Korean and dark are a click away where no script runs."""
    seen = visit(board(mixed_site), script=False)
    choose(seen, "ko")
    expect(seen.page.get_by_text("순위를 정하는 방법")).to_be_visible()
    expect(seen.page.get_by_text("How this board ranks")).to_be_hidden()
    choose(seen, "dark")
    expect(seen.page.locator("body")).to_have_css("background-color", "rgb(18, 20, 23)")


def test_colours_are_chosen_against_the_system(mixed_site: Path, visit: Opener) -> None:
    """Dark on a light system, light on a dark one, and the system's again; a reload remembers."""
    paper = {"dark": "rgb(18, 20, 23)", "light": "rgb(253, 253, 251)"}
    for system in ("light", "dark"):
        seen = visit(board(mixed_site), dark=system == "dark")
        for theme in ("dark", "light"):
            choose(seen, theme)
            expect(seen.page.locator("body")).to_have_css("background-color", paper[theme])
            seen.page.reload()
            expect(seen.page.locator("body")).to_have_css("background-color", paper[theme])
        choose(seen, "auto")
        expect(seen.page.locator("body")).to_have_css("background-color", paper[system])
        seen.check()


# ---------------------------------------------------------------------------------------- the table
def test_columns_are_hidden_and_shown_by_keyboard_and_remembered(mixed_site: Path, visit: Opener) -> None:
    """Hiding leaves no gap in ranked or unranked rows; another metric comes; the first state comes back."""
    seen = visit(board(mixed_site))
    summary = seen.page.locator(".chooser summary")
    summary.focus()
    seen.page.keyboard.press("Enter")
    box = seen.page.locator(".chooser label", has_text="mean ± sd").locator("input")
    box.focus()
    seen.page.keyboard.press("Space")
    header = seen.page.locator("#board th", has_text="mean ± sd")
    expect(header).to_be_hidden()
    seen.page.locator(".chooser label", has_text="Brier").click()
    expect(seen.page.locator("#board th", has_text="Brier")).to_be_visible()
    widths = """rows => rows.map(row => Array.from(row.cells).filter(c => !c.hidden && getComputedStyle(c).display !== 'none')
        .reduce((sum, c) => sum + c.colSpan, 0))"""
    found = seen.page.locator("#board tr").evaluate_all(widths)
    assert len(set(found)) == 1, found
    seen.page.reload()
    expect(header).to_be_hidden()
    seen.page.locator("th.entry button").click()
    assert len(set(seen.page.locator("#board tr").evaluate_all(widths))) == 1
    summary.click()
    seen.page.get_by_role("button", name="As at first").click()
    expect(header).to_be_visible()
    seen.check()


def test_a_large_board_is_leafed_through_and_searched_whole(large_site: Path, visit: Opener) -> None:
    """A hundred rows a page, the failed ones last; a search and a link find rows of every page."""
    seen = visit(board(large_site))
    assert len(ranks(seen)) == 100
    following = seen.page.get_by_role("button", name="Next")
    following.click()
    following.click()
    expect(following).to_be_disabled()
    expect(seen.page.locator("nav.pager output")).to_have_text("201–250 of 250", use_inner_text=True)
    expect(seen.page.locator("tbody.unranked tr").last).to_contain_text("ran past 6 hours")
    last = seen.page.locator("tbody.ranked tr").last.get_attribute("id") or ""
    seen.page.locator(".filter label", has_text="not ranked").click()
    expect(seen.page.locator("tbody.ranked tr")).to_have_count(0)
    assert seen.page.locator("tbody.unranked tr.unranked").count() == 36
    again = visit(board(large_site))
    again.page.goto("about:blank")
    again.page.goto(f"{board(large_site).as_uri()}#{last}")
    expect(again.page.locator(f"[id='{last}']")).to_be_in_viewport()
    again.page.get_by_label("Find").fill("<script>alert")
    expect(again.page.locator("tbody tr.unranked, tbody.ranked tr").first).to_contain_text(
        "<script>alert('team')</script>"
    )
    for visited in (seen, again):
        visited.check()


def test_a_board_without_scripts_says_where_its_other_rows_are(large_site: Path, visit: Opener) -> None:
    """The first hundred rows, and a link to all."""
    seen = visit(board(large_site), script=False)
    assert len(ranks(seen)) == 100
    said = seen.page.locator("noscript p")
    expect(said).to_be_visible()
    assert "first 100 of 250 entries" in said.inner_text()


# ------------------------------------------------------------------------------------------ compare
def test_two_entries_are_compared_and_exchanged(paired_board: Path, visit: Opener) -> None:
    """Difference, interval and p of the paired metric; turned round, the signs change and p stays."""
    seen = visit(paired_board / "index.html")
    seen.page.get_by_role("link", name="Compare two entries").click()
    row = seen.page.locator(".versus tbody tr", has_text="Location accuracy").first
    expect(row.locator("svg circle")).to_have_count(1)
    before = row.locator("td.num").all_inner_texts()
    cases = seen.page.locator(".deciding tbody tr")
    assert 1 <= cases.count() <= 10
    expect(cases.first).to_contain_text("cv_")
    seen.page.get_by_role("button", name="Exchange").click()
    after = row.locator("td.num").all_inner_texts()
    assert (after[0], after[1], after[3]) == (before[1], before[0], before[3])
    assert after[2] == before[2].translate(str.maketrans("+−", "−+"))
    auroc = seen.page.locator(".versus tbody tr", has_text="AUROC").first
    expect(auroc.locator("td").last).to_have_text("–")
    seen.page.get_by_label("Second entry").select_option(
        label=seen.page.get_by_label("First entry").locator("option:checked").inner_text()
    )
    expect(seen.page.get_by_text("Choose two different entries.")).to_be_visible()
    assert "owned" not in seen.page.title()
    seen.check()


def test_a_link_to_a_comparison_opens_it(paired_board: Path, visit: Opener) -> None:
    """From an entry's page, with that entry first; no page scrolls sideways on a phone."""
    (entry,) = paired_board.glob("entries/b-*.html")
    seen = visit(entry, width=390)
    seen.page.get_by_role("link", name="Compare two entries").click()
    expect(seen.page.get_by_label("First entry").locator("option:checked")).to_contain_text("Beta")
    for width in (320, 390, 768, 1280):
        seen.page.set_viewport_size({"width": width, "height": 900})
        assert seen.overflow() <= 0, width
    seen.check()


# ------------------------------------------------------------------------------------ accessibility
def axe() -> str:
    """Return axe-core: from the file that AXE names, or from the package that ships it."""
    if named := os.environ.get("AXE"):
        return Path(named).read_text(encoding="utf-8")
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("axe-core is not installed")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def violations(seen: Visit) -> list[Mapping[str, Any]]:
    """Return what axe-core calls serious or critical."""
    seen.page.evaluate(axe())
    found = seen.page.evaluate("axe.run().then(result => result.violations)")
    return [
        {"id": item["id"], "nodes": [node["html"][:200] for node in item["nodes"][:3]]}
        for item in found
        if item["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(("dark", "language"), [(False, "en"), (True, "ko")], ids=["light-en", "dark-ko"])
def test_axe_finds_no_serious_violation(
    mixed_site: Path, paired_board: Path, visit: Opener, dark: bool, language: str
) -> None:
    """On index, challenge, board, entry and comparison, in both colours and languages."""
    entry = next(board(mixed_site).parent.glob("entries/t-*.html"))
    compare = paired_board / "compare.html"
    for path in (
        mixed_site / "index.html",
        mixed_site / "kium" / "index.html",
        board(mixed_site),
        entry,
        compare,
    ):
        seen = visit(path, dark=dark)
        choose(seen, language)
        if path == board(mixed_site):
            seen.page.locator(".chooser summary").click()
        assert violations(seen) == [], path
