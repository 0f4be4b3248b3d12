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
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from harness import catalog
from harness.errors import UserError
from harness.records import Half, Interval, RunRecord
from leaderboard.card import card_of
from leaderboard.entry import entry_view, shared_decimals
from leaderboard.export import as_csv, as_json
from leaderboard.figures import axis_for
from leaderboard.pages import board_view
from leaderboard.panels import PanelView, panel_views
from leaderboard.site import build
from leaderboard.standings import standings
from leaderboard.terminal import render
from leaderboard.text import clean, clean_block, decimals_for, duration, memory, number, span
from tests.leaderboard_fakes import (
    HOSTILE,
    card,
    cell,
    challenge_yaml,
    hostile,
    many,
    metric,
    mixed,
    record,
    references,
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
        self.feed(text)

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


def site_of(tmp_path: Path, records: list[RunRecord], name: str = "site") -> Path:
    """Write the records and build their site."""
    runs = write(tmp_path / f"runs-{name}", records)
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
    from leaderboard.site import _render

    standing = standings([run], card())
    (row,) = standing.rows
    return _render("entry.html", entry_view(row, standing, shared_decimals(standing)), "../../../").decode()


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
    """Of the harness: atomic writing, records, metrics, statistics, errors and contracts."""
    allowed = {"atomic", "records", "metrics", "statistics", "errors", "contracts"}
    for path in (ROOT / "leaderboard").glob("*.py"):
        found = set(re.findall(r"(?:from|import) harness\.(\w+)", path.read_text(encoding="utf-8")))
        assert found <= allowed, path.name


def test_our_style_and_script_are_small() -> None:
    """Each file that a browser runs or applies has under 200 lines."""
    files = list((ROOT / "leaderboard" / "static").iterdir())
    assert {path.suffix for path in files} == {".css", ".js"}
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 200 for path in files)


# ------------------------------------------------------------------------------------- safe pages
def test_hostile_words_are_text_on_every_page(tmp_path: Path) -> None:
    """No element, attribute or file name comes from an entrant."""
    site = site_of(tmp_path, hostile())
    known = {"html", "head", "meta", "title", "link", "script", "body", "a", "header", "nav", "span", "main",
             "p", "code", "h1", "h2", "h3", "dl", "div", "dt", "dd", "section", "form", "label", "input",
             "select", "option", "output", "svg", "defs", "g", "path", "table", "colgroup", "col", "thead",
             "tr", "th", "td", "small", "tbody", "bdi", "use", "circle", "text", "footer", "pre", "aside",
             "ul", "li", "details", "summary", "strong"}  # fmt: skip
    for path, page in pages(site):
        assert {tag for tag, _ in page.elements} <= known, path
        assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a), path
        scripts = [a.get("src") for tag, a in page.elements if tag == "script"]
        assert all(source and source.endswith("static/table.js") for source in scripts), path
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
                assert not anchor or f'id="{anchor}"' in found.read_text(encoding="utf-8"), (path, target)


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
    assert "<title>Phantom board" in text
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
    for text in ("0.71 0.57–0.85", "0.650 0.621–0.679", "Rank 1 of 1 on test", "Confusion at 0.5", "R_PCA",
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
        UserError, match=r"No metric named 'aurok'\. Did you mean 'auroc'\? Known: accuracy, auprc"
    ):
        card_of("kium", content, catalog.metric)
    for name in ("_confusion", "auroc.x", "../auroc", ""):
        with pytest.raises(UserError, match="No metric"):
            catalog.metric(name)
    assert catalog.metric("auroc").higher_is_better
