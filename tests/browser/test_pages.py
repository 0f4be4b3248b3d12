"""The pages in a real browser, from file://, without a server or a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Builder, Opener, Visit
from tests.leaderboard_fakes import hostile, many, mixed, record, references


@pytest.fixture(scope="module")
def mixed_site(site: Builder) -> Path:
    """Return the site of a board with every kind of row."""
    return site(mixed())


@pytest.fixture(scope="module")
def hostile_site(site: Builder) -> Path:
    """Return the site of entries whose every word is an attack."""
    return site(hostile())


def board(folder: Path) -> Path:
    """Return the only board's page."""
    (path,) = folder.glob("kium/*/index.html")
    return path


def entry(folder: Path, name: str) -> Path:
    """Return an entry's page."""
    (path,) = board(folder).parent.glob(f"entries/{name}-*.html")
    return path


def ranks(seen: Visit) -> list[str]:
    """Return the ranks of the ranked rows that are shown, from top to bottom."""
    return seen.page.locator("tbody.ranked tr:visible td.rank").all_inner_texts()


def test_the_ranking_is_there_when_the_page_opens(mixed_site: Path, visit: Opener) -> None:
    """The first table is visible, styled and complete; nothing is asked of a network, nothing complains."""
    seen = visit(board(mixed_site))
    expect(seen.page.locator("table").first).to_be_visible()
    assert ranks(seen) == ["1", "1", "3", "4", "5", "6", "7", "8", "9", "10"]
    expect(seen.page.locator("tbody.unranked tr").last).to_contain_text("used 16.0 GB of 16 GB")
    expect(seen.page.locator("td.num").first).to_have_css("text-align", "right")
    expect(seen.page.locator("th button").first).to_be_visible()
    assert {Path(url).name for url in seen.requests} >= {
        "index.html",
        "site.css",
        "look.js",
        "data.js",
        "row.js",
        "board.js",
    }
    seen.check()


def test_an_entry_says_where_it_stands(mixed_site: Path, visit: Opener) -> None:
    """Its rank among the others, in the chosen language; without scripts, where to look."""
    ranked = next(path for path in board(mixed_site).parent.glob("entries/entry_*.html"))
    seen = visit(ranked)
    expect(seen.page.locator("p.standing")).to_contain_text(re.compile(r"Rank \d+ of 10 on test"))
    seen.page.locator(".look label", has=seen.page.locator("input[value=ko]")).click()
    expect(seen.page.locator("p.standing")).to_contain_text(re.compile(r"10개 중 \d+위"))
    seen.page.locator("p.standing a").first.click()
    expect(seen.page.locator("tbody tr:target td.rank")).to_have_count(1)
    seen.check()
    still = visit(ranked, script=False)
    expect(still.page.locator("p.standing")).to_contain_text("Its rank stands on the board.")


def test_the_ranking_is_readable_without_scripts(mixed_site: Path, visit: Opener) -> None:
    """With scripts off every row is there, and no control that would do nothing."""
    seen = visit(board(mixed_site), script=False)
    assert len(ranks(seen)) == 10
    expect(seen.page.locator("form.filter")).to_be_hidden()
    expect(seen.page.locator("th button")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_scrolls_sideways(mixed_site: Path, hostile_site: Path, visit: Opener, dark: bool) -> None:
    """On a phone, a tablet and desktops only the tables scroll, in their own boxes."""
    pages = [mixed_site / "index.html", mixed_site / "kium" / "index.html"]
    for folder, name in ((mixed_site, "entry_0"), (hostile_site, "good_6")):
        pages += [board(folder), entry(folder, name)]
    for path in pages:
        seen = visit(path, dark=dark)
        for width in (320, 390, 768, 1024, 1259, 1260, 1280, 1920):
            seen.page.set_viewport_size({"width": width, "height": 900})
            assert seen.overflow() <= 0, (path, width)
        seen.check()


def test_the_phone_scrolls_the_table_and_keeps_the_names(mixed_site: Path, visit: Opener) -> None:
    """At 390 pixels the ranking scrolls in its box and the entry's name stays in view."""
    seen = visit(board(mixed_site), width=390)
    box = seen.page.locator(".box").first
    assert box.evaluate("box => { box.scrollLeft = 500; return box.scrollLeft }") == 500
    name = seen.page.locator("tbody.ranked th.entry a").first.bounding_box()
    assert name is not None
    assert 0 <= name["x"] < 100


def test_dark_mode_is_dark_and_light_mode_light(mixed_site: Path, visit: Opener) -> None:
    """The page follows the reader's setting, and its text keeps a contrast of at least 4.5 to 1."""
    luminance = """(selector) => {
        const shade = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number).reduce((sum, c, i) => {
            const s = c / 255;
            return sum + [0.2126, 0.7152, 0.0722][i] * (s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4);
        }, 0);
        const paper = shade(getComputedStyle(document.body).backgroundColor);
        const ink = shade(getComputedStyle(document.querySelector(selector)).color);
        return [paper, (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)];
    }"""
    for dark in (False, True):
        seen = visit(board(mixed_site), dark=dark)
        for selector in ("h1", "small", "td.reason", "a", ".legend .muted"):
            paper, contrast = seen.page.evaluate(luminance, selector)
            assert (paper < 0.1) == dark
            assert contrast >= 4.5, (selector, dark)


def test_a_click_sorts_and_missing_values_stay_last(mixed_site: Path, visit: Opener) -> None:
    """CV sorts down, then up; the prediction file without a CV score is last both times."""
    seen = visit(board(mixed_site))
    header = seen.page.locator("th", has_text="CV").first
    column = seen.page.locator("tbody.ranked tr td:nth-child(5)")
    for direction in ("descending", "ascending"):
        header.locator("button").click()
        expect(header).to_have_attribute("aria-sort", direction)
        texts = [text.split("\n")[0] for text in column.all_inner_texts()]
        values = [float(text) for text in texts[:-1]]
        assert texts[-1] == "–"
        assert values == sorted(values, reverse=direction == "descending")
    seen.page.locator("th.rank button").click()
    assert ranks(seen) == ["1", "1", "3", "4", "5", "6", "7", "8", "9", "10"]
    seen.check()


def test_numbers_sort_as_numbers(mixed_site: Path, visit: Opener) -> None:
    """Rank 10 comes after 9, and shifts sort by their sign."""
    seen = visit(board(mixed_site))
    seen.page.locator("th.rank button").click()
    assert ranks(seen)[:2] == ["10", "9"]
    seen.page.locator("th", has_text="Shift").locator("button").click()
    texts = seen.page.locator("tbody.ranked td.shift").all_inner_texts()
    signs = ["▲=▼–".index(text[0]) for text in texts]
    assert signs == sorted(signs)


def test_the_keyboard_sorts(mixed_site: Path, visit: Opener) -> None:
    """Tab reaches a header's button, Enter sorts; the failed entries stay below."""
    seen = visit(board(mixed_site))
    button = seen.page.locator("th.entry button")
    button.focus()
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("th.entry").first).to_have_attribute("aria-sort", "ascending")
    names = seen.page.locator("tbody.ranked th.entry a").all_inner_texts()
    assert names[0] == "Aneurysm Imaging Lab"
    assert names != sorted(names, reverse=True)
    expect(seen.page.locator("table.board tr").last).to_contain_text("failed")


def test_filters_show_what_they_say(mixed_site: Path, visit: Opener) -> None:
    """Words and route narrow the rows of both parts; the count is announced."""
    seen = visit(board(mixed_site))
    seen.page.get_by_label("Find").fill("lumen")
    assert ranks(seen) == ["1", "4"]
    expect(seen.page.locator("form.filter output")).to_have_text("2 of 13 entries", use_inner_text=True)
    seen.page.locator(".filter label", has_text="prediction file").click()
    assert ranks(seen) == ["4"]
    seen.page.get_by_label("Find").fill("")
    seen.page.locator("fieldset.chips label", has_text="all").first.click()
    expect(seen.page.locator("form.filter output")).to_have_text("13 entries", use_inner_text=True)
    seen.check()


def test_the_way_from_index_to_entry_and_back(mixed_site: Path, visit: Opener) -> None:
    """Links lead from the index to the board, to the entry, and back to its row."""
    seen = visit(mixed_site / "index.html")
    seen.page.get_by_role("link", name="Real data").click()
    seen.page.get_by_role("link", name="Team Whiting").click()
    expect(seen.page.locator("h1")).to_have_text("ResNet-18 for each view, maximum over angles")
    expect(seen.page.locator("svg.chart").first).to_be_visible()
    seen.page.get_by_text("Provenance").click()
    expect(seen.page.get_by_text("versions.torch")).to_be_visible()
    seen.page.get_by_role("link", name="See it on the board").click()
    expect(seen.page.locator("tr:target")).to_contain_text("Team Whiting")
    seen.check()


def test_the_out_of_fold_figures_stand_side_by_side(mixed_site: Path, visit: Opener) -> None:
    """On a desktop the panels fill two columns that begin at one height, on a phone one."""
    seen = visit(entry(mixed_site, "entry_1"))
    expect(seen.page.get_by_text("they would spell out sealed labels")).to_be_visible()
    boxes = (
        "panels => panels.map(p => [Math.round(p.getBoundingClientRect().x), p.getBoundingClientRect().y])"
    )
    places = seen.page.locator(".panels > div").evaluate_all(boxes)
    tops = {x: min(y for other, y in places if other == x) for x, _ in places}
    assert len(tops) == 2
    assert max(tops.values()) - min(tops.values()) < 1
    seen.page.set_viewport_size({"width": 390, "height": 900})
    assert len({x for x, _ in seen.page.locator(".panels > div").evaluate_all(boxes)}) == 1
    seen.check()


def test_hostile_names_do_nothing(hostile_site: Path, visit: Opener) -> None:
    """No dialog opens, no script runs, no title changes, and the words are there to read."""
    seen = visit(board(hostile_site))
    seen.page.mouse.move(300, 500)
    expect(seen.page.get_by_role("link", name="<script>alert('team')</script>").first).to_be_visible()
    assert "owned" not in seen.page.title()
    assert seen.page.locator("tbody img, tbody script").count() == 0
    seen.check()
    for path in sorted(board(hostile_site).parent.glob("entries/good_[0-4]-*.html")):
        page = visit(path)
        assert page.page.locator("main img, main script").count() == 0
        assert not page.page.title().startswith("owned")
        page.check()


def test_the_policy_stops_a_script_that_would_get_in(mixed_site: Path, visit: Opener, tmp_path: Path) -> None:
    """Inline scripts, handlers and styles are refused by the page's own policy, from file:// too."""
    text = board(mixed_site).read_text(encoding="utf-8")
    attack = "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'><p style='color: red'>x</p>"
    page = tmp_path / "kium" / "board" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(text.replace("<main", attack + "<main"), encoding="utf-8")
    seen = visit(page)
    assert seen.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in seen.complaints)


def test_no_entry_yet(site: Builder, visit: Opener) -> None:
    """With no record the index and the challenge's page say what to type."""
    folder = site([])
    for path in (folder / "index.html", folder / "kium" / "index.html"):
        seen = visit(path)
        expect(seen.page.get_by_text("No entry yet.")).to_be_visible()
        expect(seen.page.get_by_text("harness run challenge=kium").first).to_be_visible()
        seen.check()


def test_one_entry(site: Builder, visit: Opener) -> None:
    """A single phantom entry has a board that says it is phantom, and no filter to narrow one row."""
    seen = visit(board(site([record(phantom=True), *references(True)])))
    assert ranks(seen) == ["1"]
    expect(seen.page.locator("h1")).to_contain_text("on phantom data")
    expect(seen.page.locator("form.filter")).to_be_hidden()
    assert re.match("Phantom board", seen.page.title())
    seen.check()


def test_a_thousand_entries(site: Builder, visit: Opener) -> None:
    """A thousand rows open, sort and filter, each in a time that a reader does not notice as waiting."""
    seen = visit(board(site([*many(1000), *references()])))
    assert seen.page.locator("tbody.ranked tr").count() == 100
    expect(seen.page.locator("nav.pager output")).to_have_text("1–100 of 1,000", use_inner_text=True)
    timed = """(act) => { const start = performance.now(); act === "sort"
        ? document.querySelectorAll("th button")[1].click()
        : document.querySelector("input").dispatchEvent(new Event("input", {bubbles: true}));
        document.body.offsetHeight; return performance.now() - start; }"""
    assert seen.page.evaluate(timed, "sort") < 2000
    seen.page.get_by_label("Find").fill("lumen 7")
    assert seen.page.evaluate(timed, "filter") < 2000
    expect(seen.page.locator("form.filter output")).to_contain_text("of 1,000 entries")
    seen.check()
