"""The site as files: same records, same bytes; whatever an entrant wrote is text."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from harness import catalog
from harness.errors import UserError
from harness.records import Half, Interval, RunRecord
from leaderboard.card import Card, card_of
from leaderboard.entry import entry_view
from leaderboard.export import as_csv, as_json
from leaderboard.figures import axis_for
from leaderboard.pages import board_view
from leaderboard.panels import PanelView, panel_views
from leaderboard.plots import Plots, bundle, plots_of
from leaderboard.render import render as render_page
from leaderboard.rows import shared_decimals
from leaderboard.search import search_view
from leaderboard.site import build
from leaderboard.standings import standings
from leaderboard.terminal import render
from leaderboard.text import clean, clean_block, decimals_for, duration, memory, number, signed, span
from tests.leaderboard_fakes import (
    HOSTILE,
    card,
    cell,
    challenge_yaml,
    english,
    figure,
    hostile,
    many,
    metric,
    mixed,
    record,
    references,
    sweep,
    tuned,
    with_test,
    write,
)

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "sklearn", "pandas", "pytorch_lightning", "lightning", "monai", "timm", "scipy", "plotly")


class Page(HTMLParser):
    """Collects the elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(english(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """The page's words, white space collapsed."""
        return " ".join(" ".join(self.words).split())


def site_of(
    tmp_path: Path, records: list[RunRecord], name: str = "site", figures: Mapping[str, Any] | None = None
) -> Path:
    """Write the records, and figures by run id, and build their site."""
    runs = write(tmp_path / f"runs-{name}", records, figures)
    return build(runs, tmp_path / name, {"kium": card()}).parent


def contents(site: Path) -> dict[str, bytes]:
    """Return every file of a site, hidden ones too."""
    return {str(p.relative_to(site)): p.read_bytes() for p in sorted(site.rglob("*")) if p.is_file()}


def pages(site: Path) -> Iterator[tuple[Path, Page]]:
    """Return every page, parsed."""
    for path in sorted(site.rglob("*.html")):
        yield path, Page(path.read_text(encoding="utf-8"))


def board_page(site: Path) -> Page:
    """Return the only board's page."""
    (path,) = site.glob("kium/*/index.html")
    return Page(path.read_text(encoding="utf-8"))


def entry_page(run: RunRecord) -> str:
    """Return the HTML of the only entry's page."""
    standing = standings([run], card())
    (row,) = standing.rows
    page = entry_view(row, standing, shared_decimals(standing))
    return render_page("entry.html", "../../../", page=page).decode()


# -------------------------------------------------------------------------------------- the files
def test_the_same_records_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    """The site is a pure function of the records: no time, no order, no place in it."""
    runs = mixed()
    shuffled = runs[:]
    random.Random(3).shuffle(shuffled)
    assert contents(site_of(tmp_path, runs, "a")) == contents(site_of(tmp_path, shuffled, "b"))


def test_a_second_build_changes_no_file(tmp_path: Path) -> None:
    """A rebuild rewrites nothing: every file keeps its modification time."""
    site = site_of(tmp_path, mixed())
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.name != ".lock"}
    build(tmp_path / "runs-site", site, {"kium": card()})
    assert before == {path: path.stat().st_mtime_ns for path in site.rglob("*") if path.name != ".lock"}


def test_pages_of_records_that_are_gone_go_and_foreign_files_stay(tmp_path: Path) -> None:
    """After a record is removed the site is as if it had never been; what we did not write is kept."""
    runs = mixed()
    site = site_of(tmp_path, [*runs, record("leaves", phantom=True)])
    (site / "kium" / "notes.txt").write_text("mine")
    (folder,) = (p.parent for p in tmp_path.glob("runs-site/kium/*/record.json") if "leaves" in p.read_text())
    (folder / "record.json").unlink()
    build(tmp_path / "runs-site", site, {"kium": card()})
    assert (site / "kium" / "notes.txt").read_text() == "mine"
    (site / "kium" / "notes.txt").unlink()
    assert contents(site) == contents(site_of(tmp_path, runs, "fresh"))
    assert not list(site.glob("kium/phantom-*"))


def test_a_build_that_dies_half_way_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    """Pages of a build that could not end are known: the next one removes them if no record asks for them."""
    site, runs = tmp_path / "site", write(tmp_path / "runs", mixed())
    obstacle = site / "kium" / "data-3f9a1c07be" / "index.html"
    obstacle.mkdir(parents=True)
    with pytest.raises(OSError, match="index.html"):
        build(runs, site, {"kium": card()})
    assert len(list(obstacle.parent.glob("entries/*.html"))) == 15
    obstacle.rmdir()
    for path in runs.rglob("record.json"):
        path.unlink()
    build(runs, site, {"kium": card()})
    assert contents(site) == contents(site_of(tmp_path, [], "fresh"))


def test_renewing_one_challenge_leaves_the_pages_of_others_alone(tmp_path: Path) -> None:
    """`only` writes one challenge's pages and the index of all."""
    cards = {"kium": card(), "other": card_of("other", challenge_yaml(), metric)}
    runs = write(tmp_path / "runs", [record("a")])
    moved = dataclasses.replace(
        record("b"), challenge=dataclasses.replace(record("b").challenge, name="other")
    )
    write(runs, [moved])
    site = build(runs, tmp_path / "site", cards).parent
    everything = contents(site)
    write(runs, [record("a"), record("c", 0.9)])
    build(runs, site, cards, only="kium")
    after = contents(site)
    same = [name for name in everything if name.startswith("other/")]
    assert same
    assert all(after[name] == everything[name] for name in same)
    assert after == contents(build(runs, tmp_path / "whole", cards).parent)


def test_builds_at_once_leave_one_whole_site(tmp_path: Path) -> None:
    """Four builds of the same records end with the site that one makes."""
    runs = write(tmp_path / "runs", mixed())
    threads = [
        threading.Thread(target=build, args=(runs, tmp_path / "site", {"kium": card()})) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = build(runs, tmp_path / "alone", {"kium": card()}).parent
    assert contents(tmp_path / "site") == contents(alone)


def test_a_listing_that_leads_outside_the_site_removes_nothing(tmp_path: Path) -> None:
    """A tampered list of files cannot make the build delete elsewhere."""
    site = site_of(tmp_path, [record("a")])
    victim = tmp_path / "victim.txt"
    victim.write_text("here")
    with (site / ".files").open("a") as file:
        file.write(f"../victim.txt\n{victim}\nkium/../../victim.txt\n")
    build(tmp_path / "runs-site", site, {"kium": card()})
    assert victim.read_text() == "here"


def test_a_broken_record_is_a_user_error(tmp_path: Path) -> None:
    """A record that cannot be read is named; the site is not built without it."""
    runs = write(tmp_path / "runs", [record("a")])
    (runs / "kium" / "run00000" / "record.json").write_text("{}")
    with pytest.raises(UserError, match="run00000"):
        build(runs, tmp_path / "site", {"kium": card()})


def test_a_record_in_another_challenges_folder_is_a_user_error(tmp_path: Path) -> None:
    """A misplaced run is named with the folder it belongs to, and enters no board."""
    runs = write(tmp_path / "runs", [record("a", run_id="lost")])
    (runs / "kium").rename(runs / "other")
    cards = {"other": card_of("other", challenge_yaml(), metric)}
    with pytest.raises(UserError, match="'lost'.*answers challenge 'kium'"):
        build(runs, tmp_path / "site", cards)


def test_importing_the_site_loads_nothing_heavy() -> None:
    """A fresh interpreter that imports the leaderboard has no training library in it."""
    code = (
        "import sys, leaderboard.site, leaderboard.terminal;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_leaderboard_imports_only_what_it_may() -> None:
    """Of the harness: atomic writing, records, resamples, reproductions and ledgers of looks, metrics, ranking, statistics, errors, contracts."""
    allowed = {
        *("atomic", "records", "resamples", "metrics", "ranking", "stability", "comparisons", "statistics"),
        *("errors", "contracts", "reproductions", "sealing"),
    }
    for path in (ROOT / "leaderboard").glob("*.py"):
        found = set(re.findall(r"(?:from|import) harness\.(\w+)", path.read_text(encoding="utf-8")))
        assert found <= allowed, path.name


def test_our_style_and_script_are_small() -> None:
    """Each file that a browser runs or applies has under 200 lines."""
    files = list((ROOT / "leaderboard" / "static").iterdir())
    assert {path.suffix for path in files} == {".css", ".js"}
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 200 for path in files)


# ------------------------------------------------------------------------------------- safe pages
OWN_SCRIPTS = {"look.js", "row.js", "board.js", "compare.js", "data.js", "standing.js"} | {
    f"standing-{letter}.js" for letter in "0123456789abcdef"
}


def test_hostile_words_are_text_on_every_page(tmp_path: Path) -> None:
    """No element, attribute or file name comes from an entrant."""
    site = site_of(tmp_path, hostile())
    known = {"html", "head", "meta", "title", "link", "script", "body", "a", "header", "nav", "span", "main",
             "p", "code", "h1", "h2", "h3", "dl", "div", "dt", "dd", "section", "form", "label", "input",
             "select", "option", "output", "svg", "defs", "g", "path", "table", "colgroup", "col", "thead",
             "tr", "th", "td", "small", "tbody", "bdi", "use", "circle", "text", "footer", "pre", "aside",
             "ul", "li", "details", "summary", "strong", "fieldset", "legend", "button", "noscript", "caption"}  # fmt: skip
    for path, page in pages(site):
        assert {tag for tag, _ in page.elements} <= known, path
        assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a), path
        scripts = [a.get("src") for tag, a in page.elements if tag == "script"]
        assert {str(source).rpartition("/")[2] for source in scripts} <= OWN_SCRIPTS, path
    for path in site.rglob("*"):
        assert re.fullmatch(r"[a-z0-9_.\-]+", path.name), path


def test_hostile_words_are_shown_as_they_are_written(tmp_path: Path) -> None:
    """Markup and template code in a team's name is printed, not run and not lost."""
    words = board_page(site_of(tmp_path, hostile())).text
    for text in ("<script>alert('team')</script>", "{{ 7 * 7 }} {% raw %}", "&lt;b&gt;bold&amp;", "뇌동맥류"):
        assert text in words
    assert "49" not in re.findall(r"\b49\b %", words)
    assert not any(control in words for control in "\u202e\x00\x07\x1b")


def test_every_page_has_a_strict_policy_and_asks_for_nothing_elsewhere(tmp_path: Path) -> None:
    """No page names another host, and the policy forbids what it does not need."""
    for path, page in pages(site_of(tmp_path, mixed())):
        policies = [a["content"] or "" for t, a in page.elements if a.get("http-equiv")]
        assert len(policies) == 1, path
        assert policies[0].startswith("default-src 'none'; ")
        assert "unsafe" not in policies[0]
        loaded = [a.get("src") or a.get("href") for t, a in page.elements if t in ("script", "link", "img")]
        assert all(source and "//" not in source for source in loaded), path


def test_every_link_leads_to_a_file_of_the_site(tmp_path: Path) -> None:
    """No relative link is dead, and every anchor exists."""
    site = site_of(tmp_path, [*mixed(), record("synthetic", phantom=True)])
    for path, page in pages(site):
        for tag, attributes in page.elements:
            target = attributes.get("href") or ""
            if tag in ("a", "link") and not target.startswith("data:"):
                file, _, anchor = target.partition("#")
                found = (path.parent / file).resolve() if file else path
                assert found.is_file(), (path, target)
                chosen = file.endswith("compare.html")  # whose anchor says which entries
                assert not anchor or chosen or f'id="{anchor}"' in found.read_text(encoding="utf-8"), (
                    path,
                    target,
                )


@pytest.mark.parametrize("text", HOSTILE)
def test_clean_text_is_one_visible_line_that_any_file_can_hold(text: str) -> None:
    """Cleaning leaves no control, no surrogate, no override, no tower of marks."""
    shown = clean(text)
    shown.encode("utf-8")
    assert shown.strip()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]", shown)
    assert not re.search(r"[\u0300-\u036f]{4}", shown)
    assert clean(shown) == shown


def test_an_empty_or_invisible_name_is_said_to_be_one() -> None:
    """A row can always be pointed at."""
    assert {clean(text) for text in ("", " ", "\u200b", "\u3164", "\u2800\u00a0")} == {"(unnamed)"}
    assert clean_block("a\n  b\x00\u202e") == "a\n  b\ufffd"


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\u00ad", "\U000e0041", "\ufe0f"]
)
def test_a_name_cannot_hide_a_character_in_another(hidden: str) -> None:
    """Characters without a width are gone, also between letters and their accents."""
    assert clean(f"Lu{hidden}men") == "Lumen"
    assert clean_block(f"Lu{hidden}men") == "Lumen"
    assert clean("Z" + f"\u0335{hidden}" * 9) == "Z" + "\u0335" * 3


# --------------------------------------------------------------------------------------- the board
def test_the_board_shows_failures_last_with_their_reason(tmp_path: Path) -> None:
    """The last table rows are the entries without a rank, and say why."""
    words = board_page(site_of(tmp_path, mixed())).text
    ranked, unranked = words.index("DSA Study Group"), words.index("Not ranked – Posterior Circulation")
    assert ranked < unranked
    assert "used 16.0 GB of 16 GB" in words[unranked:]
    assert "AUROC (aneurysm) is undefined (NaN) on the test predictions." in words[unranked:]


def test_a_phantom_board_says_so_in_its_title(tmp_path: Path) -> None:
    """Title, heading and a notice say that the patients are synthetic; a real board says nothing of it."""
    site = site_of(tmp_path, [record("a"), record("b", phantom=True)])
    (phantom,) = site.glob("kium/phantom-*/index.html")
    (real,) = site.glob("kium/data-*/index.html")
    text = phantom.read_text(encoding="utf-8")
    assert re.search("<title[^>]*>Phantom board", text)
    assert "on phantom data" in text
    assert "are synthetic" in text
    assert "made by public code, so nothing here is sealed: a rank shows that the machine works" in text
    assert "hantom" not in real.read_text(encoding="utf-8")


def test_a_challenge_without_a_run_says_what_to_type(tmp_path: Path) -> None:
    """With no entry there are an index, a challenge page and the command."""
    site = site_of(tmp_path, [])
    assert len(list(site.rglob("*.html"))) == 2
    for _, page in pages(site):
        assert "No entry yet." in page.text
        assert "harness run challenge=kium" in page.text


def test_a_board_of_references_only_has_no_ranked_entry(tmp_path: Path) -> None:
    """References do not fill an empty ranking."""
    words = board_page(site_of(tmp_path, references())).text
    assert "No entry yet." in words
    assert "No aneurysm anywhere" in words


def test_shown_decimals_follow_the_number_of_cases() -> None:
    """50 cases carry two decimals of an AUROC, 1,127 three; every digit is in the title."""
    view = board_view(standings([record("a", 0.7123456, 0.6987654)], card()))
    (row,) = view.ranked
    assert (row.main.text, row.other.text) == ("0.71", "0.699")
    assert row.main.exact.startswith("0.7123456 ")
    assert row.other.exact.startswith("0.6987654 ")


def warnings(*runs: RunRecord) -> tuple[str, ...]:
    """Return what a board warns of."""
    return board_view(standings(runs, card())).warnings


def test_a_board_scored_by_two_scorers_says_so_until_all_are_scored_again() -> None:
    """Scores of an earlier scorer are out of the ranking, and a line on top says why."""
    newer = record("b", scorer="e" * 64, finished="2026-12-01")
    assert warnings(record("a")) == ()
    (warning,) = warnings(record("a"), newer)
    assert "2 versions of the scorer" in warning
    assert "1 entry is not" in warning
    assert warnings(record("a"), newer, record("a", scorer="e" * 64, finished="2026-12-01")) == ()


def test_a_board_scored_against_two_truths_says_so() -> None:
    """Two known truths are a warning; one truth, and records of before truths had digests, are none."""
    old, new = record("a", truth="1" * 64), record("b", truth="2" * 64, finished="2026-12-01")
    assert warnings(old, record("c")) == ()
    (warning,) = warnings(old, new)
    assert "2 different test truths" in warning


@pytest.mark.parametrize("twin", ["Lu\u200bmen", "Lumen\u202e", "\uff2cumen", "LUMEN", " Lumen\u3164"])
def test_look_alike_teams_are_told_apart(twin: str) -> None:
    """Another team's name with an invisible difference is another row, and a line spells both out."""
    runs = [record("a", team="Lumen"), record("a", team=twin)]
    (warning,) = warnings(*runs)
    assert warning.startswith("2 different teams have names that look alike: ")
    assert "'Lumen'" in warning
    assert repr(twin) in warning or ascii(twin) in warning
    assert len(standings(runs, card()).ranked) == 2
    assert warnings(record("a", team="Lumen"), record("b", team="Lumen"), record("c", team="Lumens")) == ()


def test_a_newer_failed_run_is_on_the_board_the_page_and_the_terminal(tmp_path: Path) -> None:
    """The row of the complete run says that a newer one failed, wherever it is shown."""
    runs = [record("a"), record("a", failure=("error", "boom"), finished="2026-12-01T00:00:00Z")]
    site, words = site_of(tmp_path, runs), "ewest run failed; this is the newest complete one"
    assert words in board_page(site).text
    (entry,) = site.glob("kium/*/entries/*.html")
    assert words in Page(entry.read_text(encoding="utf-8")).text
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(render(standings(runs, card())))
    assert "newest run failed" in console.export_text()
    assert json.loads(as_json(standings(runs, card())))["rows"][0]["note"].startswith("newest run failed")


def test_an_entry_with_other_folds_is_marked() -> None:
    """Five folds instead of ten is another protocol, and its row says so."""
    rows = board_view(standings([dataclasses.replace(record("a"), n_folds=5), record("b")], card())).ranked
    assert {row.name: row.folds_differ for row in rows} == {"a": "5 folds instead of 10", "b": ""}


def test_every_interval_lies_on_the_common_axis() -> None:
    """Dots and whiskers keep the order of the numbers and stay inside the plot."""
    view = board_view(standings([*many(30, hostile=False), *references()], card()))
    rows = [row for row in view.ranked if row.plot]
    dots = [row.plot.dot for row in rows if row.plot]
    assert dots == sorted(dots, reverse=True)
    for row in rows:
        assert row.plot is not None
        start, end = map(float, re.findall(r"M([\d.]+) 9H([\d.]+)", row.plot.line)[0])
        assert 6 <= start <= row.plot.dot <= end <= 174
    assert [line.value for line in view.lines] == ["0.50"]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([0.5, 0.87], 0, 1), ([], 0, 1), ([0.5], 0, 1), ([1.0], 0, 1), ([3, 1e7], 0, math.inf), ([-2, 5], -math.inf, 9)],
)  # fmt: skip
def test_an_axis_holds_its_values_with_few_distinct_round_ticks(
    values: list[float], low: float, high: float
) -> None:
    """Ticks are labelled apart, inside the metric's bounds, and enclose the values."""
    axis = axis_for(values, low, high)
    labels = [text for _, text in axis.marks(0, 100)]
    assert 2 <= len(labels) == len(set(labels)) <= 8
    assert all(axis.low <= value <= axis.high for value in values)
    assert low <= axis.low < axis.high <= high


def test_numbers_are_written_as_readers_expect() -> None:
    """A real minus, no negative zero, a dash for nothing, units for times and sizes."""
    assert [number(v, 2) for v in (-0.001, -1.005, None, math.nan, 0.5)] == [
        "0.00",
        "−1.00",
        "–",
        "–",
        "0.50",
    ]
    assert [signed(v, 2) for v in (0.031, -0.031, 0.001, 0.0)] == ["+0.03", "−0.03", "0.00", "0.00"]
    assert span(-0.1, 0.2, 1) == "−0.1 to 0.2"
    assert span(0.1, None, 1) == ""
    assert [duration(s) for s in (0.4, 99, 100, 3600, 7200)] == ["0 s", "99 s", "2 min", "60 min", "2.0 h"]
    assert [memory(b) for b in (1 << 20, 999 << 20, 4 << 30)] == ["1 MB", "999 MB", "4.0 GB"]
    assert decimals_for([math.nan, 0.0], 50, 4) == decimals_for([], 50, 4) == 2


# --------------------------------------------------------------------------------------- the entry
def test_the_entry_page_shows_both_halves_every_fold_and_the_panel() -> None:
    """Metrics on CV and test, folds, curves, tables, notes, unknown kinds, and the command."""
    html = entry_page(record("a", 0.71, 0.65))
    words = Page(html).text
    for text in ("0.71 0.57–0.85", "0.650 0.621–0.679", "Its rank stands on the board.", "Confusion at 0.5", "R_PCA",
                 "Posterior locations are rare: pool them.", '"kind": "matrix"', "Folds",
                 "harness run challenge=kium submission=a", "4,010,269", "Apache-2.0", "no labels",
                 "Curves and counts are shown for the out-of-fold half only: on the test set they would spell "
                 "out sealed labels."):  # fmt: skip
        assert text in words
    assert html.count('<svg class="chart"') == 2
    assert "n = " in html


def test_no_curve_or_count_of_the_test_half_is_on_a_page(tmp_path: Path) -> None:
    """Distinct scores and the corners of a ROC curve spell out sealed labels: an old record's are not shown."""
    run = record("a", panel=False)
    assert run.test is not None
    secret = {"roc": {"kind": "curve", "title": "Sealed ROC", "series": [{"name": "s", "x": [0.123], "y": [1]}]},
              "counts": {"kind": "table", "title": "Sealed counts", "columns": ["n"], "rows": [[31337]]},
              "threshold": 0.424242}  # fmt: skip
    leaky = dataclasses.replace(run, test=dataclasses.replace(run.test, panel=secret))
    for content in contents(site_of(tmp_path, [leaky])).values():
        for word in (b"Sealed", b"31337", b"31,337", b"0.424", b"threshold"):
            assert word not in content
    assert "in detail" not in entry_page(leaky)


def test_a_failed_entry_page_says_kind_and_reason() -> None:
    """The failed fold is in the sentence on top and in the table of folds."""
    words = Page(entry_page(record("a", failure=("timeout", "ran past 6 hours")))).text
    assert "Not ranked: Fold 3 failed (timeout): ran past 6 hours" in words
    assert "timeout: ran past 6 hours" in words[words.index("Held out") :]


def test_a_failure_without_words_still_has_a_reason() -> None:
    """A failed record that says nothing is shown with what its folds say, or with that it says nothing."""
    run = record("a", failure=("memory", ""))
    silent = dataclasses.replace(run, failures=())
    assert standings([silent], card()).unranked[0].reason == "1 of 10 folds failed (memory)."
    mute = dataclasses.replace(silent, cells=())
    assert standings([mute], card()).unranked[0].reason == "It failed, without a reason given."
    assert "memory, no reason given" in Page(entry_page(silent)).text


def test_the_organisers_positional_score_stands_beside_ours() -> None:
    """A prediction file in another order shows how far the organiser's script is off."""
    run = record("out", 0.7, None, route="file")
    assert run.test is not None
    run = dataclasses.replace(run, test=dataclasses.replace(run.test, positional={"auroc_aneurysm": 0.512}))
    words = Page(entry_page(run)).text
    assert "ignores the case ids" in words
    assert "AUROC (aneurysm) 0.51 0.70 0.56–0.84 no" in words


def test_an_undefined_positional_score_is_a_dash() -> None:
    """Where the organiser's script has no value and we have one, the two are not the same."""
    run = record("out", 0.7, None, route="file")
    assert run.test is not None
    run = dataclasses.replace(run, test=dataclasses.replace(run.test, positional={"auroc_aneurysm": None}))
    assert "AUROC (aneurysm) – 0.70 0.56–0.84 no" in Page(entry_page(run)).text


def view_of(panel: object) -> PanelView:
    """Return the view of a panel."""
    (view,) = panel_views(Half(1, 1, {}, {"some_panel": panel}))
    return view


@pytest.mark.parametrize(
    "panel",
    [
        {"kind": "table", "columns": ["a"], "rows": [[1, 2]]},
        {"kind": "table"},
        {"kind": "curve", "series": [{"x": [1, 2], "y": [1]}]},
        {"kind": "curve", "series": None},
        {"kind": "note"},
        {"kind": ["table"]},
        {"kind": "table", "columns": 3, "rows": 4},
        [1, 2],
        [[0, 0], [1, 1]],
        {},
    ],
)
def test_a_malformed_panel_is_shown_as_it_is(panel: object) -> None:
    """What cannot be drawn is printed as JSON: neither hidden nor an error."""
    view = view_of(panel)
    assert view.kind == "json"
    assert json.loads(view.text) == panel
    assert view.title == "Some panel"


def test_a_panel_without_a_kind_is_shown_by_its_shape() -> None:
    """Records are a table, sentences a note, single numbers one table in front; an empty list is nothing."""
    panel = {
        "n": 50,
        "rows": [{"a": 1, "b_c": None}, {"a": 2}],
        "notes": ["One.", "Two."],
        "share": 0.5,
        "no": [],
    }
    views = panel_views(Half(1, 1, {}, panel))
    assert [(view.kind, view.title) for view in views] == [
        ("table", "In numbers"),
        ("table", "Rows"),
        ("note", "Notes"),
    ]
    numbers, records, notes = views
    assert [[cell.text for cell in row] for row in numbers.rows] == [["n", "50"], ["share", "0.500"]]
    assert (records.columns, [[cell.text for cell in row] for row in records.rows]) == (
        ("a", "b c"),
        [["1", "–"], ["2", ""]],
    )
    assert notes.text == "One. Two."


def test_a_curve_leaves_out_undefined_points() -> None:
    """None in a reliability bin breaks no figure and draws no point."""
    view = view_of(
        {"kind": "curve", "series": [{"name": "s", "x": [0, 0.5, 1], "y": [0, None, 1], "n": [1, 0, 3]}]}
    )
    assert view.chart is not None
    assert len(view.chart.series[0].dots) == 2
    assert view.chart.series[0].path.count("L") == 1


def test_a_table_shows_undefined_as_a_dash_and_keeps_every_digit_in_the_title() -> None:
    """Three decimals on the page, all of them on pointing; numbers align right."""
    view = view_of({"kind": "table", "columns": ["a", "b"], "rows": [["x", 0.123456], ["y", None]]})
    assert [[cell.text for cell in row] for row in view.rows] == [["x", "0.123"], ["y", "–"]]
    assert view.rows[0][1].exact == "0.123456"
    assert view.numeric == (False, True)


# --------------------------------------------------------------------------------- export, terminal
def test_the_csv_holds_no_formula_and_every_digit() -> None:
    """Text that a spreadsheet would run begins with '; numbers are as stored."""
    runs = [record("a", 0.7123456789, team=t) for t in ("=1+1", "+1", "-1", "@x", "plain")]
    rows = list(csv.DictReader(io.StringIO(as_csv(standings([*runs, *references()], card())), newline="")))
    assert sorted(row["team"] for row in rows[:5]) == ["'+1", "'-1", "'=1+1", "'@x", "plain"]
    assert {row["test_auroc_aneurysm"] for row in rows[:5]} == {"0.7123456789"}
    assert [row["section"] for row in rows] == ["ranked"] * 5 + ["reference"] * 2
    assert [row["rank"] for row in rows[5:]] == ["", ""]


def test_the_json_has_no_nan_and_failures_have_no_rank() -> None:
    """Any JSON reader takes it; an undefined value is null."""

    def refuse(token: str) -> None:
        raise AssertionError(token)

    runs = [record("a"), with_test(record("b"), math.nan), record("c", failure=("error", "boom"))]
    content = json.loads(as_json(standings(runs, card())), parse_constant=refuse)
    assert [(row["entry"], row["rank"]) for row in content["rows"]] == [("a", 1), ("b", None), ("c", None)]
    assert content["rows"][1]["test"]["metrics"]["auroc_aneurysm"]["value"] is None


def test_the_terminal_table_fits_80_columns() -> None:
    """Every line fits, failures stand below the ranking with their reason, names are inert."""
    console = Console(
        width=80, record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    console.print(render(standings([*mixed(), *hostile()], card())))
    text = console.export_text()
    assert max(map(cell_len, text.splitlines())) <= 80
    order = [
        text.index(w) for w in ("DSA Study", "Not ranked", "used 16.0", "Reference answers", "literature")
    ]
    assert order == sorted(order)
    assert "\x1b[31mred" not in text
    assert "0.74  0.60–0.88  0.705    0.060     0.970  50/50  54 min" in text


def test_the_terminal_says_when_there_is_no_entry() -> None:
    """No record is one line, not an empty table."""
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(standings([], card())))
    assert "no entry yet" in console.export_text()


def test_an_interval_without_ends_is_shown_as_a_bare_number() -> None:
    """Too many undefined resamples: the value stands alone."""
    run = with_test(record("a"), 0.66)
    (row,) = board_view(standings([run], card())).ranked
    assert (row.main.text, row.main.span) == ("0.66", "")
    assert row.plot is not None
    assert row.plot.line == ""
    assert Interval(0.66, None, None) == (run.test and run.test.metrics["auroc_aneurysm"])


def test_a_fold_without_a_value_shows_a_dash() -> None:
    """An undefined fold score is a dash in its own row, and its fold still done."""
    run = record("a")
    cells = (dataclasses.replace(cell(0, 0.5), metrics={"auroc_aneurysm": None}), *run.cells[1:])
    standing = standings([dataclasses.replace(run, cells=cells)], card())
    view = entry_view(standing.ranked[0], standing, shared_decimals(standing))
    assert (view.folds[0].done, view.folds[0].scores[0].text) == (True, "–")
    assert view.metrics[0].folds.exact == "9 of 10 folds have a value"


def test_a_metric_that_does_not_exist_is_a_user_error() -> None:
    """A misspelt metric, a private module or a path is refused with the metrics that are known."""
    content = challenge_yaml()
    content["metrics"][0]["metric"] = "aurok"
    with pytest.raises(
        UserError, match=r"No metric named 'aurok'\. Did you mean 'auroc'\? Known: accuracy, auc_1yr"
    ):
        card_of("kium", content, catalog.metric)
    for name in ("_confusion", "auroc.x", "../auroc", ""):
        with pytest.raises(UserError, match="No metric"):
            catalog.metric(name)
    assert catalog.metric("auroc").higher_is_better


# ------------------------------------------------------------------------------------- many metrics
def many_metrics() -> Card:
    """Return the card with four more metrics, nine in all."""
    content = challenge_yaml()
    content["metrics"] += [
        {"key": f"more_{k}", "metric": "auroc", "title": f"Subgroup {k}"} for k in range(4)
    ]
    return card(content=content)


def widths_of(table: str) -> set[int]:
    """Return how many columns the rows of a table's HTML have."""
    widths = set()
    for row in table.split("<tr")[1:]:
        cells = re.findall(r"<t[hd](?=[ >])[^>]*", row)
        widths.add(sum(int((re.findall(r'colspan="(\d+)"', cell) or ["1"])[0]) for cell in cells))
    return widths


def test_a_board_hides_the_metrics_that_neither_rank_nor_break_ties(tmp_path: Path) -> None:
    """They stand last, behind one checkbox, in every row; a challenge without any has no checkbox."""
    view = board_view(standings(mixed(), many_metrics()))
    assert view.more == ("AUPRC (aneurysm)", "Brier score (aneurysm)", "Macro F1 (locations)",
                         *(f"Subgroup {k}" for k in range(4)))  # fmt: skip
    assert all(len(row.more) == 7 for row in (*view.ranked, *view.unranked))
    assert view.ranked[0].more[0].text == "0.70"
    site = build(write(tmp_path / "r", mixed()), tmp_path / "s", {"kium": many_metrics()}).parent
    (path,) = site.glob("kium/*/index.html")
    html = english(path.read_text(encoding="utf-8"))
    assert "(8 more columns)" in html
    assert widths_of(html.partition('id="board"')[2].partition("</table>")[0]) == {19}
    two = {**challenge_yaml(), "metrics": challenge_yaml()["metrics"][:2]}
    few = build(write(tmp_path / "r2", mixed()), tmp_path / "s2", {"kium": card(content=two)}).parent
    assert "(1 more column)" in english(next(few.glob("kium/*/index.html")).read_text(encoding="utf-8"))


def test_the_folds_of_an_entry_show_five_metrics_at_first(tmp_path: Path) -> None:
    """The others are behind a checkbox, in done and in failed folds alike."""
    runs = write(tmp_path / "r", [record("a", failure=("memory", "used all"))])
    site = build(runs, tmp_path / "s", {"kium": many_metrics()}).parent
    table = entry_text(site, "a").partition('<h2 id="folds"')[2].partition("</table>")[0]
    assert "(4 more columns)" in table
    assert table.partition("</thead>")[0].count('class="num more"') == 4
    assert widths_of(table) == {16}


# ------------------------------------------------------------------------------------ tuned entries
def entry_text(site: Path, name: str) -> str:
    """Return the HTML of an entry's page."""
    (path,) = site.glob(f"kium/*/entries/{name}-*.html")
    return english(path.read_text(encoding="utf-8"))


def test_a_board_has_columns_of_searches_only_where_an_entry_was_tuned(tmp_path: Path) -> None:
    """Trials, search time and signed optimism, in the ranking metric's digits; untuned rows are empty there."""
    facts = dataclasses.replace(sweep(), seconds=7260.0, optimism=0.0312, nested=False)
    page = board_page(site_of(tmp_path, [record("a"), tuned("b", facts, team="Tuners")], "tuned"))
    assert "Trials tried Search time Optimism in − out" in page.text
    assert re.search(
        r"Tuners EfficientNet-B0, eight views as channels tuned .* 20 2\.0 h \+0\.03 ", page.text
    )
    plain = board_page(site_of(tmp_path, [record("a")], "plain")).text
    assert not any(word in plain for word in ("Trials", "Optimism", "tuned"))


def test_all_rows_of_a_board_have_as_many_cells_as_its_header(tmp_path: Path) -> None:
    """With tuned, untuned and unranked rows and three columns that are shown on request, none is shifted."""
    site = site_of(tmp_path, [*mixed(), tuned("t"), tuned("u", sweep(4, nested=True))])
    (path,) = site.glob("kium/*/index.html")
    table = path.read_text(encoding="utf-8").partition('id="board"')[2].partition("</table>")[0]
    assert table.count("<tr") == 17
    assert widths_of(table) == {14 + 4}


@pytest.mark.parametrize(("nested", "mark"), [(False, "[tuned] "), (True, "[tuned, nested] ")])
def test_the_terminal_marks_a_tuned_entry(nested: bool, mark: str) -> None:
    """The mark stands before the entry's name; untuned entries have none."""
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(standings([tuned("best", sweep(6, nested=nested)), record("other")], card())))
    text = console.export_text()
    assert f"{mark}best" in text
    assert text.count("[tuned") == 1


def test_the_export_says_what_a_search_cost() -> None:
    """Mark, trials, seconds and optimism are in CSV and JSON at full precision."""
    facts = sweep(6, nested=True)
    standing = standings([tuned("a", facts), record("b", 0.5)], card())
    tuned_row, plain = csv.DictReader(io.StringIO(as_csv(standing), newline=""))
    assert [tuned_row[key] for key in ("tuned", "trials")] == ["nested", "18"]
    assert float(tuned_row["search_seconds"]) == facts.seconds
    assert float(tuned_row["optimism"]) == facts.optimism
    assert [plain[key] for key in ("tuned", "trials", "search_seconds", "optimism")] == [""] * 4
    assert json.loads(as_json(standing))["rows"][1]["optimism"] is None


def test_the_entry_page_tells_the_search() -> None:
    """Sampler, pruner, seed, space, cost, choice, optimism in words, and every trial with its reason."""
    facts = sweep()
    words = Page(entry_page(tuned("a", facts))).text
    best = max((t for t in facts.trials if t.state == "complete"), key=lambda t: t.value or 0.0)
    for text in ("TPE (tree-structured Parzen estimator)", "Wilcoxon signed-rank test", "model.lr",
                 "loguniform(1e-5, 1e-2)", "Folds trained 168 of 200", "Best inside the search 0.655",
                 "On the test set 0.62", "Optimism +0.03", "which had no part in it: the search looked 0.03 better than it was",
                 f"{best.number} complete chosen {best.value:.4f} 10", "worse than trial 2 on 3 folds (p = 0.03)",
                 "failed – 1", "fold 0: loss is NaN"):  # fmt: skip
        assert text in words
    assert words.count(" chosen ") == 1
    assert "Hyperparameter search" not in Page(entry_page(record("a"))).text


def test_a_nested_search_has_a_choice_for_each_outer_fold() -> None:
    """One row of hyperparameters an outer fold, one chosen trial in each, and the outer folds' score."""
    facts = sweep(8, nested=True)
    words = Page(entry_page(tuned("a", facts))).text
    assert "Choice in each outer fold" in words
    assert "On the outer folds 0.620" in words
    assert words.count(" chosen ") == 3
    for fold, best in enumerate(facts.best):
        rate = best["model.lr"]
        assert f"{fold} {rate:.4g} " in words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outer_score": None, "optimism": None}, "nothing says how much of that is luck"),
        ({"optimism": -0.01}, "the search did not look better than it was"),
        ({"inner_best": None, "optimism": None, "best": ()}, "No trial was complete"),
        ({"trials": (), "best": (), "inner_best": None, "optimism": None}, "No trial was complete"),
    ],
)
def test_the_optimism_is_said_in_a_sentence(changes: dict[str, Any], words: str) -> None:
    """Without an outer score, without optimism, without a complete trial: each has its sentence."""
    assert words in Page(entry_page(tuned("a", dataclasses.replace(sweep(), **changes)))).text


@pytest.mark.parametrize("higher", [True, False])
def test_the_chosen_trial_is_the_best_in_the_metrics_direction(higher: bool) -> None:
    """Of two trials with the chosen hyperparameters the better one is marked."""
    facts = sweep(3)
    twins = tuple(dataclasses.replace(t, parameters=facts.best[0]) for t in facts.trials)
    ranking = dataclasses.replace(card().ranking, higher_is_better=higher)
    view = search_view(dataclasses.replace(facts, trials=twins), ranking, {"cv": 3, "test": 2}, plots=Plots())
    values = [trial.value or 0.0 for trial in twins]
    wanted = values.index((max if higher else min)(values))
    assert [row.number for row in view.trials if row.chosen] == [wanted]


@pytest.mark.parametrize(
    "text", ['<a href="javascript:x">y</a>', "<b>&lt;", "</script><script>z()", "a\u2028b"]
)
def test_no_text_of_a_figure_is_markup(tmp_path: Path, text: str) -> None:
    """In labels, ticks, titles and hover texts `<` is a reference; no picture, no size, one line, no `</`."""
    run = tuned("a", run_id="r1")
    runs = write(tmp_path / "runs", [run], {"r1": {"history": figure(text)}})
    (plot,) = plots_of(runs, run, "AUROC <i>").plots
    assert not set("<>&\u2028\u2029") & set(plot.content)
    drawn = json.loads(plot.content)
    bar, scatter = drawn["data"]
    shown = clean(text, 400).replace("<", "&lt;").replace(">", "&gt;")
    assert [bar["name"], bar["y"][0], drawn["layout"]["xaxis"]["title"]["text"]] == [shown] * 3
    assert bar["hovertemplate"] == [f"{shown}: 1<extra></extra>", shown]
    assert (scatter["name"], scatter["x"]) == ("AUROC &lt;i&gt;", [1, None])
    assert set(drawn["layout"]) == {"xaxis", "yaxis", "annotations"}


@pytest.mark.parametrize(
    ("hover", "shown"),
    [
        ("Trial %{marker.color}<br>%{x}: %{y}<extra></extra>",) * 2,
        ("%{customdata[0]}: %{customdata[1]}<extra></extra>",) * 2,
        ("%{x}<b> %{meta.x}<extra>a</extra>", "%{x}&lt;b&gt; &#37;{meta.x}&lt;extra&gt;a&lt;/extra&gt;"),
        ("50 % (<0.01)", "50 &#37; (&lt;0.01)"),
    ],
)
def test_hover_texts_keep_optunas_own_markup_alone(tmp_path: Path, hover: str, shown: str) -> None:
    """Line breaks and the templates of coordinates stay; every other tag and template is text."""
    run = tuned("a", run_id="r1")
    drawing = {"data": [{"type": "scatter", "hovertemplate": hover, "__proto__": 1, "x": [1]}], "layout": {}}
    (plot,) = plots_of(write(tmp_path, [run], {"r1": {"slices": drawing}}), run, "AUROC").plots
    assert json.loads(plot.content)["data"] == [{"type": "scatter", "hovertemplate": shown, "x": [1]}]


def test_a_figure_of_the_best_trials_says_so(tmp_path: Path) -> None:
    """The harness names in the title how many lines it kept; the caption repeats it."""
    run = tuned("a", run_id="r1")
    title = {"title": {"text": "Parallel Coordinate Plot (200 best trials)"}}
    drawing = {"parallel_coordinates": {"data": [], "layout": title}}
    (plot,) = plots_of(write(tmp_path, [run], {"r1": drawing}), run, "AUROC").plots
    assert plot.caption.endswith("is a better one. Drawn: 200 best trials.")


def test_a_characters_reference_in_a_figure_is_not_escaped_again(tmp_path: Path) -> None:
    """The harness writes an entrant's words as references, which Plotly shows as the words."""
    run = tuned("a", run_id="r1")
    runs = write(tmp_path / "runs", [run], {"r1": {"slices": figure("&lt;b&gt;&#37;")}})
    assert json.loads(plots_of(runs, run, "AUROC").plots[0].content)["data"][0]["name"] == "&lt;b&gt;&#37;"


@pytest.mark.parametrize(
    "content",
    ["", "[]", "[1]", '{"a": 1}', '{"a": {"data": 1, "layout": {}}}', '{"a": {"data": []}}', "[" * 100_000,
     '{"a": {"data": [{"type": "scattergeo"}], "layout": {}}}', '{"a": {"data": [{}], "layout": {}}}'],
)  # fmt: skip
def test_figures_that_cannot_be_read_are_said_to_be_so(tmp_path: Path, content: str) -> None:
    """A broken or foreign figure file, maps too, costs the figures and nothing else."""
    site = site_of(tmp_path, [tuned("a", run_id="r1")], "whole", {"r1": {}})
    runs = tmp_path / "runs-whole"
    (runs / "kium" / "r1" / "sweep_figures.json").write_text(content)
    build(runs, site, {"kium": card()})
    assert "sweep_figures.json cannot be read" in Page(entry_text(site, "a")).text
    assert not (site / "static" / "plotly.min.js").exists()


@pytest.mark.parametrize("name", ["../a", "/etc", "a/b", ".hidden", ""])
def test_a_run_id_leads_to_no_other_folder(tmp_path: Path, name: str) -> None:
    """Figures are read from the run's own folder only."""
    write(tmp_path / "runs", [tuned("a", run_id="r1")], {"r1": {"history": figure("x")}})
    stray = dataclasses.replace(tuned("a"), run_id=name)
    (tmp_path / "runs" / "a").mkdir()
    (tmp_path / "runs" / "a" / "sweep_figures.json").write_text(json.dumps({"history": figure("x")}))
    assert plots_of(tmp_path / "runs", stray, "AUROC").plots == ()


def test_plotly_is_one_file_of_the_site_and_only_where_a_figure_needs_it(tmp_path: Path) -> None:
    """The installed bundle is copied, byte for byte; pages without figures load none of it."""
    found = bundle()
    assert found is not None
    figures = {"r1": {"history": figure("x"), "mine": figure("y")}}
    runs = [record("plain"), tuned("bare", run_id="r0"), tuned("drawn", run_id="r1")]
    site = site_of(tmp_path, runs, "a", figures)
    assert (site / "static" / "plotly.min.js").read_bytes() == found.content
    assert "plotly" not in entry_text(site, "plain") + entry_text(site, "bare")
    drawn = entry_text(site, "drawn")
    assert drawn.count("<figure") == drawn.count('<script type="application/json">') == 2
    assert '<script src="../../../static/plotly.min.js" defer></script>' in drawn
    assert all(f'<template id="{name}">' in drawn for name in found.styles)
    assert contents(site) == contents(site_of(tmp_path, runs[::-1], "b", figures))
    assert not (site_of(tmp_path, runs[:2], "c") / "static" / "plotly.min.js").exists()


def test_renewing_another_challenge_keeps_plotly(tmp_path: Path) -> None:
    """A figure of a challenge that is not renewed still has what draws it."""
    cards = {"kium": card(), "other": card_of("other", challenge_yaml(), metric)}
    runs = write(tmp_path / "runs", [tuned("a", run_id="r1")], {"r1": {"history": figure("x")}})
    site = build(runs, tmp_path / "site", cards).parent
    before = contents(site)
    build(runs, site, cards, only="other")
    assert contents(site) == before


def test_without_plotly_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Plotly is not installed the trials are there, and a line in place of the figures."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    site = site_of(tmp_path, [tuned("a", run_id="r1")], "a", {"r1": {"history": figure("x")}})
    words = Page(entry_text(site, "a")).text
    assert "Plotly is not installed where these pages were built" in words
    assert "fold 0: loss is NaN" in words


def test_hostile_words_of_a_search_are_text(tmp_path: Path) -> None:
    """Names, values and reasons of trials add no element to the page and no line to its scripts."""
    rows = []
    for i, text in enumerate(HOSTILE):
        facts = sweep(4, names=(text, "b", "c"))
        trial = dataclasses.replace(
            facts.trials[0], parameters={text: text, "b": None, "c": [text]}, reason=text
        )
        changed = dataclasses.replace(
            facts, sampler=text, pruner=text, trials=(trial, *facts.trials[1:]), space={text: text}
        )
        rows.append(tuned(f"good_{i}", changed, run_id=f"r{i}"))
    site = site_of(tmp_path, rows, "a", {f"r{i}": {text: figure(text)} for i, text in enumerate(HOSTILE)})
    known = OWN_SCRIPTS | {"table.js", "plotly.min.js", "figures.js"}
    for path, page in pages(site):
        scripts = [a for tag, a in page.elements if tag == "script"]
        assert {str(a["src"]).rpartition("/")[2] for a in scripts if "src" in a} <= known, path
        assert [a for a in scripts if "src" not in a] in ([], [{"type": "application/json"}]), path
        assert not any(tag in ("img", "b", "iframe") for tag, _ in page.elements), path
        assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a), path


# ---------------------------------------------------------------------------------- boards by option
def with_options(run: RunRecord, **options: str) -> RunRecord:
    """Return the record of data that these words of the challenge chose."""
    fingerprint = "".join(f"{ord(c):x}" for c in "".join(options.values()))[:12].ljust(12, "0")
    data = dataclasses.replace(run.data, options=options, fingerprint=fingerprint)
    return dataclasses.replace(run, data=data)


def test_a_board_is_named_by_its_options(tmp_path: Path) -> None:
    """Title, heading, index, terminal, export and commands say which variant; a board without has no word."""
    small = with_options(record("a"), variant="mnist28")
    site = site_of(tmp_path, [small, with_options(record("b"), variant="kaggle"), record("c")])
    titles = sorted(
        re.findall("<title>(.*?)</title>", p.read_text())[0] for p in site.glob("kium/*/index.html")
    )
    assert [re.findall(r"variant=\w+", title) for title in titles] == [
        [],
        ["variant=kaggle"],
        ["variant=mnist28"],
    ]
    index = Page((site / "index.html").read_text(encoding="utf-8")).text
    assert "Real data, variant=mnist28" in index
    (board,) = (p for p in site.glob("kium/*/index.html") if "mnist28" in p.read_text())
    words = Page(board.read_text(encoding="utf-8")).text
    assert "harness run challenge=kium variant=mnist28 submission=NAME" in words
    assert "angiography variant=mnist28" in words
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(standings([small], card())))
    assert "real data, variant=mnist28, board" in console.export_text()
    assert json.loads(as_json(standings([small], card())))["options"] == {"variant": "mnist28"}


def test_a_record_of_before_searches_and_options_loads(tmp_path: Path) -> None:
    """Neither key in record.json: no search, no option, and the same page as with empty ones."""
    runs = write(tmp_path / "runs", [record("a")])
    before = contents(build(runs, tmp_path / "new", {"kium": card()}).parent)
    (path,) = runs.glob("kium/*/record.json")
    content = json.loads(path.read_text())
    del content["sweep"], content["data"]["options"]
    path.write_text(json.dumps(content))
    after = contents(build(runs, tmp_path / "old", {"kium": card()}).parent)
    assert before.pop(".files") != after.pop(".files")  # it lists of which file a page was made
    assert after == before
