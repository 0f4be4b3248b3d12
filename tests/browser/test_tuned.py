"""A tuned entry in a real browser, from file://: Plotly's figures, the trials, and the board's columns."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest
from playwright.sync_api import expect

from harness.sweep_figures import figures
from tests.browser.conftest import Builder, Opener, Visit, rank_scripts
from tests.leaderboard_fakes import mixed, sweep, tuned

NAMES = ('<a href="javascript:alert(1)">', "%{x}<br><b>t</b>", "</script><img src=x>")
CHOICES = ("sgd", "<i onclick=alert(2)>")
KINDS = {"history", "folds", "importances", "parallel_coordinates", "slices"}


def study() -> optuna.Study:
    """Return a search over parameters whose names and values are attacks."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(24):
        trial = found.ask()
        rate, share = trial.suggest_float(NAMES[0], 1e-5, 1e-2, log=True), trial.suggest_float(NAMES[1], 0, 1)
        bonus = 0.02 * (trial.suggest_categorical(NAMES[2], CHOICES) == "sgd")
        value = 0.7 + 0.02 * math.log10(rate) - 0.1 * share + bonus
        for fold in range(2 if number % 4 == 3 else 4):
            trial.report(value + 0.01 * fold, fold)
        pruned = optuna.trial.TrialState.PRUNED if number % 4 == 3 else None
        found.tell(trial, None if pruned else value, state=pruned)
    return found


@pytest.fixture(scope="module")
def tuned_site(site: Builder) -> Path:
    """Return the site of a board with tuned and untuned entries, one of them with figures."""
    drawn = tuned("drawn", sweep(24, names=NAMES), run_id="drawn", team="<b>Tuners</b>", test=0.7)
    nested = tuned("nested", sweep(5, nested=True), run_id="nested", team="Nested", test=0.69)
    return site([*mixed(), drawn, nested], {"drawn": figures(study())})


def entry(folder: Path, name: str) -> Path:
    """Return an entry's page."""
    (path,) = folder.glob(f"kium/*/entries/{name}-*.html")
    return path


def board(folder: Path) -> Path:
    """Return the only board's page."""
    (path,) = folder.glob("kium/*/index.html")
    return path


def wait_for_figures(seen: Visit) -> None:
    """Return when Plotly has drawn all figures."""
    for kind in KINDS:
        expect(seen.page.locator(f"figure.{kind} .main-svg").first).to_be_visible(timeout=20_000)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_figures_of_a_search_are_drawn_from_the_folder_alone(
    tuned_site: Path, visit: Opener, dark: bool
) -> None:
    """Plotly draws every figure under the page's policy: no complaint, no request outside the folder."""
    seen = visit(entry(tuned_site, "drawn"), dark=dark)
    wait_for_figures(seen)
    assert {figure.get_attribute("class") for figure in seen.page.locator("figure").all()} == KINDS
    assert seen.page.locator("figure.history .scatterlayer .point").count() == 18
    assert {Path(url).name for url in seen.requests} == {
        *(entry(tuned_site, "drawn").name, "site.css", "look.css", "look.js", "figures.css"),
        *("table.js", "plotly.min.js", "figures.js"),
        *rank_scripts(entry(tuned_site, "drawn")),
    }
    seen.check()


def test_hostile_names_are_text_in_the_figures(tuned_site: Path, visit: Opener) -> None:
    """Labels, ticks and hover texts spell an attack out; no link, no picture, no template of it is there."""
    seen = visit(entry(tuned_site, "drawn"))
    wait_for_figures(seen)
    for kind in ("importances", "slices"):
        words = " ".join(seen.page.locator(f"figure.{kind} svg text").all_text_contents())
        assert all(name in words for name in NAMES), (kind, words)
    assert '<a href="javascri...' in " ".join(
        seen.page.locator("figure.parallel_coordinates svg text").all_text_contents()
    )
    for bar in seen.page.locator("figure.importances .bars .point path").all():
        bar.hover(force=True)
        expect(seen.page.locator("figure.importances .hoverlayer text").first).to_be_visible()
    hovered = seen.page.locator("figure.importances .hoverlayer").text_content() or ""
    assert "Distribution): 0." in hovered
    assert any(name in hovered for name in NAMES)
    assert seen.page.locator("main :is(img, b, i), figure a, figure svg a").count() == 0
    seen.check()


def test_the_figures_follow_light_dark_and_width(tuned_site: Path, visit: Opener) -> None:
    """Text is dark on light and light on dark, also when the reader changes it; no figure is wider than the page."""
    seen = visit(entry(tuned_site, "drawn"), width=1280)
    wait_for_figures(seen)
    label = seen.page.locator("figure.history .xtick text").first
    brightness = (
        "text => getComputedStyle(text).fill.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b)"
    )
    assert label.evaluate(brightness) < 200
    seen.page.emulate_media(color_scheme="dark")
    expect(label).not_to_have_css("fill", "rgb(23, 25, 30)")
    assert label.evaluate(brightness) > 500
    for width in (768, 390):
        seen.page.set_viewport_size({"width": width, "height": 900})
        for kind in KINDS:
            box = seen.page.locator(f"figure.{kind} .box")
            fits = seen.page.wait_for_function(
                "([kind, narrow]) => { const box = document.querySelector(`figure.${kind} .box`);"
                "  return box.clientWidth <= narrow && (kind === 'parallel_coordinates'"
                "    || box.scrollWidth <= box.clientWidth + 1 || kind === 'importances'); }",
                arg=[kind, width],
            )
            assert fits
            assert box.evaluate("box => box.clientHeight") > 100
        assert seen.overflow() <= 0
    seen.check()


def test_the_trials_are_there_before_and_without_the_figures(tuned_site: Path, visit: Opener) -> None:
    """With scripts off the table of trials is whole, and a line says that only the figures are missing."""
    seen = visit(entry(tuned_site, "drawn"), script=False)
    rows = seen.page.locator("section[aria-labelledby=search] table.sortable tbody tr")
    assert rows.count() == 24
    expect(rows.first).to_be_visible()
    assert "<noscript><p" in entry(tuned_site, "drawn").read_text(encoding="utf-8")
    scripts = seen.page.locator("head script[src]")
    assert scripts.evaluate_all("all => all.slice(1).every(script => script.defer)")
    order = [Path(script.get_attribute("src") or "").name for script in scripts.all()]
    ranks = rank_scripts(entry(tuned_site, "drawn"))
    assert order == ["look.js", *ranks, "table.js", "plotly.min.js", "figures.js"]


def test_the_trials_sort_by_value_and_by_parameter(tuned_site: Path, visit: Opener) -> None:
    """Click and keyboard sort the trials; a failed one, without a value, stays last."""
    seen = visit(entry(tuned_site, "nested"))
    table = seen.page.locator("section[aria-labelledby=search] table.sortable")
    for column, name in ((4, "AUROC (aneurysm)"), (7, "model.lr")):
        button = table.locator("thead th", has_text=name).locator("button")
        button.focus()
        for direction in (-1, 1):
            seen.page.keyboard.press("Enter")
            texts = table.locator(f"tbody tr td:nth-child({column})").all_inner_texts()
            values = [float(text) for text in texts if text != "–"]
            assert len(values) >= 13
            assert texts[len(values) :] == ["–"] * (15 - len(values))
            assert values == sorted(values, reverse=direction < 0)
    seen.check()


def test_a_page_without_figures_loads_no_plotly(tuned_site: Path, visit: Opener) -> None:
    """The board, an untuned entry and a tuned one without figures ask for our own files only."""
    for path in (board(tuned_site), entry(tuned_site, "entry_1"), entry(tuned_site, "nested")):
        seen = visit(path)
        assert not any("plotly" in url for url in seen.requests)
        seen.check()


def test_more_metrics_are_shown_on_request(tuned_site: Path, visit: Opener) -> None:
    """The space bar shows the other metrics, on the phone too and without scripts; no page scrolls sideways."""
    for width, script in ((1280, True), (390, True), (1280, False)):
        seen = visit(board(tuned_site), width=width, script=script)
        header = seen.page.locator("#board th", has_text="AUPRC (aneurysm)")
        expect(header).to_be_hidden()
        seen.page.get_by_label("Show all columns").focus()
        seen.page.keyboard.press("Space")
        expect(header).to_be_visible()
        assert seen.page.locator("tbody.ranked tr").first.locator("td.more:visible").count() == 4
        if script:
            assert seen.overflow() <= 0
        box = seen.page.locator(".box").first
        box.evaluate("box => { box.scrollLeft = 600 }")
        name = seen.page.locator("tbody.ranked th.entry a").first.bounding_box()
        assert name is not None
        assert 0 <= name["x"] < 100
        seen.page.keyboard.press("Space")
        expect(header).to_be_hidden()
        seen.check()


def test_a_tuned_board_fits_every_width(tuned_site: Path, visit: Opener) -> None:
    """With three columns of searches the ranking fits a desktop, and scrolls in its box on a phone."""
    seen = visit(board(tuned_site))
    row = seen.page.locator("tbody.ranked tr", has_text="<b>Tuners</b>")
    expect(row).to_contain_text("tuned")
    for width in (320, 390, 768, 1259, 1260, 1280, 1920):
        seen.page.set_viewport_size({"width": width, "height": 900})
        assert seen.overflow() <= 0, width
        if width >= 1260:
            last = seen.page.locator("#board thead th:visible").last.bounding_box()
            assert last is not None
            assert last["x"] + last["width"] <= width
    seen.check()
