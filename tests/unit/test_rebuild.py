"""A build after another one: only what changed is made, and every file is as in a build from nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import leaderboard.site
from harness.cli import app
from harness.records import RunRecord, load_all
from harness.resamples import FILE
from leaderboard import fingerprint, kept, render
from leaderboard.card import Card
from leaderboard.compare import can_compare
from leaderboard.fingerprint import code_digest, digest_of
from leaderboard.kept import FOLDER, KeptResamples, load_kept, whole
from leaderboard.resampled import resample_files
from leaderboard.site import build, check
from leaderboard.standings import standings
from leaderboard.wording import Text
from tests.leaderboard_fakes import card, challenge_yaml, figure, hostile, metric, mixed, record, tuned, write
from tests.resample_fakes import SIZES, drawn, entries, entry, small_card

RANKS = "auroc_aneurysm"
Change = Callable[[Path], Card | None]


def contents(site: Path) -> dict[str, bytes]:
    """Return every file that a site publishes."""
    found = (path for path in sorted(site.rglob("*")) if path.is_file() and path.name[0] != ".")
    return {str(path.relative_to(site)): path.read_bytes() for path in found}


def from_nothing(runs: Path, cards: dict[str, Card]) -> dict[str, bytes]:
    """Return the site that a first build makes of the same runs, nothing kept."""
    copy = Path(shutil.copytree(runs, runs.parent / "copy", ignore=shutil.ignore_patterns(FOLDER)))
    try:
        return contents(build(copy, runs.parent / "fresh", cards).parent)
    finally:
        shutil.rmtree(copy)
        shutil.rmtree(runs.parent / "fresh")


def folder_of(runs: Path, name: str) -> Path:
    """Return the folder of the first run of an entry."""
    paths = sorted(runs.glob("kium/*/record.json"))
    return next(path.parent for path in paths if json.loads(path.read_text())["entry"]["name"] == name)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def add(runs: Path, *more: RunRecord) -> None:
    """Add runs."""
    for number, run in enumerate(more):
        write(runs / "more", [run])
        (runs / "more/kium/run00000").rename(runs / f"kium/zz-{number}-{run.run_id}")
        shutil.rmtree(runs / "more")


# ---------------------------------------------------------------------------------- the same bytes
def a_new_first(runs: Path) -> None:
    """Everybody's rank changes."""
    add(runs, record("new", 0.93, 0.9))


def a_new_last(runs: Path) -> None:
    """Nobody's rank changes, but of how many it is."""
    add(runs, record("new", 0.41, 0.4))


def a_newer_run(runs: Path) -> None:
    """An entry has an earlier run now."""
    add(runs, record("entry_3", 0.7, 0.7, team="Pusan Angio Group", finished="2026-12-20T09:00:00Z"))


def a_new_scorer(runs: Path) -> None:
    """All other runs are outdated, and stand on a board of before."""
    add(runs, record("new", 0.7, 0.7, scorer="e" * 64, finished="2026-12-20T09:00:00Z"))


def one_gone(runs: Path) -> None:
    """A run is removed."""
    shutil.rmtree(folder_of(runs, "entry_2"))


def one_changed(runs: Path) -> None:
    """A record is altered in its panel alone, which the board does not show."""
    edit(folder_of(runs, "entry_2") / "record.json", lambda run: run["cv"]["panel"].pop("roc"))


def wider(runs: Path) -> None:
    """Intervals are so wide that a metric has one decimal less on all pages."""
    for path in runs.glob("kium/*/record.json"):

        def widen(run: dict[str, Any]) -> None:
            if run["test"]:
                run["test"]["metrics"]["auroc_aneurysm"] |= {"low": 0.0, "high": 1.0}

        edit(path, widen)


def figures(runs: Path) -> None:
    """A tuned run has figures now."""
    folder = next(path.parent for path in runs.glob("kium/*/record.json") if '"tuned' in path.read_text())
    (folder / "sweep_figures.json").write_text(json.dumps({"history": figure("x")}))


def another_title(runs: Path) -> Card:
    """The challenge's card says something else, in one language only."""
    return dataclasses.replace(card(), title=Text(card().title, "다른 제목"))


def more_digits(runs: Path) -> Card:
    """The challenge's card has a metric less."""
    return dataclasses.replace(card(), metrics=card().metrics[:-1])


CHANGES: list[Change] = [
    *(a_new_first, a_new_last, a_newer_run, a_new_scorer, one_gone, one_changed, wider, figures),
    *(another_title, more_digits),
]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with runs and the site that was built of them."""
    folder = tmp_path_factory.mktemp("before")
    runs = write(folder / "runs", [*mixed(), tuned("tuned"), record("phantom", phantom=True)])
    build(runs, folder / "site", {"kium": card()})
    return folder


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_build_after_a_change_is_as_one_from_nothing(before: Path, tmp_path: Path, change: Change) -> None:
    """Byte by byte, whatever has changed; a check agrees, and before the build it does not."""
    place = Path(shutil.copytree(before, tmp_path / "place"))
    cards = {"kium": change(place / "runs") or card()}
    assert check(place / "runs", place / "site", cards)

    site = build(place / "runs", place / "site", cards).parent

    assert contents(site) == from_nothing(place / "runs", cards)
    assert check(place / "runs", site, cards) == ()


def test_only_pages_of_new_records_are_made(
    before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild makes no entry's page; after a new record, that record's alone."""
    place, made = Path(shutil.copytree(before, tmp_path / "place")), list[str]()

    def counted(template: str, root: str, **views: object) -> bytes:
        made.append(template)
        return render.render(template, root, **views)

    def pages() -> dict[str, bytes]:
        return {name: content for name, content in contents(place / "site").items() if "/entries/" in name}

    monkeypatch.setattr(leaderboard.site, "render", counted)
    old = pages()
    build(place / "runs", place / "site", {"kium": card()})
    assert made.count("entry.html") == 0
    a_new_first(place / "runs")
    build(place / "runs", place / "site", {"kium": card()})
    assert made.count("entry.html") == 1
    changed = {name for name, content in pages().items() if old.get(name) != content}
    assert len([name for name in changed if name.endswith(".html")]) == 1
    assert {Path(name).name[:9] for name in changed if name.endswith(".js")} == {"standing-"}


def test_a_page_that_was_edited_is_made_again(before: Path, tmp_path: Path) -> None:
    """Also where its size and times say that it was not."""
    site = Path(shutil.copytree(before / "site", tmp_path / "site"))
    page = next(site.glob("kium/data-*/entries/entry_1-*.html"))
    content, about = page.read_bytes(), page.stat()
    page.write_bytes(content.replace(b"Team Whiting", b"Team Another"))
    os.utime(page, ns=(about.st_atime_ns, about.st_mtime_ns))

    build(before / "runs", site, {"kium": card()})

    assert page.read_bytes() == content


def clear() -> None:
    """Forget templates and digests."""
    for known in (code_digest, render._environment, render._compiled):
        known.cache_clear()


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a copy of the leaderboard's folder, whose templates are used."""
    source = Path(leaderboard.site.__file__).parent
    copy = Path(shutil.copytree(source, tmp_path / "code", ignore=shutil.ignore_patterns("__pycache__")))
    monkeypatch.setattr(fingerprint, "FOLDERS", (copy,))
    monkeypatch.setattr(render, "TEMPLATES", copy / "templates")
    clear()
    yield copy
    clear()


def test_a_changed_template_makes_every_page_again(before: Path, tmp_path: Path, code: Path) -> None:
    """As does a change of any sentence or line of code, by the digest of all of them."""
    place = Path(shutil.copytree(before, tmp_path / "place"))
    template = code / "templates" / "parts.html"
    template.write_text(template.read_text().replace("<dl", '<dl data-new=""', 1))

    site = build(place / "runs", place / "site", {"kium": card()}).parent

    assert all(b'data-new=""' in page.read_bytes() for page in site.glob("kium/data-*/entries/*.html"))
    assert contents(site) == from_nothing(place / "runs", {"kium": card()})


@pytest.mark.parametrize("name", ["words/ko.yaml", "templates/entry.html", "entry.py", "new.py"])
def test_the_digest_of_the_code_is_of_every_file_that_makes_pages(code: Path, name: str) -> None:
    """A sentence in one language, a template, a line of code, a new module."""
    known = code_digest()
    with (code / name).open("a") as file:
        file.write("\n")
    code_digest.cache_clear()
    assert code_digest() != known


def test_different_views_have_different_digests() -> None:
    """A twin in another language, an empty text instead of none, one list instead of two."""
    values = [Text("a", "b"), Text("a", "c"), "a", "", None, ["a"], [["a"]], {"a": 1}, 1, True, 1.5]
    assert len({digest_of(value) for value in values}) == len(values)
    assert digest_of("a", "b") != digest_of("ab")


# --------------------------------------------------------------------------------------- what is kept
def bare(run: RunRecord) -> RunRecord:
    """Return what a board shows of a record."""
    halves = {
        name: half and dataclasses.replace(half, panel={})
        for name, half in (("cv", run.cv), ("test", run.test))
    }
    cells = tuple(
        dataclasses.replace(cell, metrics={key: cell.metrics[key] for key in cell.metrics if key == RANKS})
        for cell in run.cells
    )
    entry = dataclasses.replace(run.entry, settings={})
    machine = {name: value for name, value in run.provenance.items() if name == "hardware"}
    return dataclasses.replace(run, **halves, cells=cells, entry=entry, provenance=machine)


def test_a_kept_record_is_what_a_board_shows_of_it(tmp_path: Path) -> None:
    """Whoever wrote it, whatever is in it; the second time nothing is parsed, and the whole is at hand."""
    runs = write(tmp_path, [*mixed(), *hostile(), tuned("tuned")])
    full = load_all(runs, "kium")
    for _ in range(2):
        found = load_kept(runs, card())
        names = [item.name for item in dataclasses.fields(RunRecord)]
        assert [[getattr(run, name) for name in names] for run in found] == [
            [getattr(bare(run), name) for name in names] for run in full
        ]
    assert [whole(run) for run in found] == list(full)


@pytest.mark.parametrize("damage", [b"", b"x", b"x\ny\n", None], ids=["empty", "short", "lines", "changed"])
def test_a_damaged_file_of_kept_records_is_ignored(tmp_path: Path, damage: bytes | None) -> None:
    """Cut off, nonsense, or a line of it altered: the records are read, and kept again."""
    runs = write(tmp_path, [record("a")])
    load_kept(runs, card())
    path = runs / "kium" / FOLDER / "records.jsonl"
    whole_file = path.read_bytes()
    path.write_bytes(whole_file.replace(b"Aneurysm", b"Another ") if damage is None else damage)

    (run,) = load_kept(runs, card())

    assert run.entry.team == "Aneurysm Imaging Lab"
    assert path.read_bytes() == whole_file


def test_what_is_kept_is_private_and_can_be_deleted(tmp_path: Path) -> None:
    """For the owner alone; no run's folder; without a place for it everything is read each time."""
    runs = tmp_path / "runs"
    entries(runs, [2.0, 1.0])
    cards = {"kium": small_card()}
    site = contents(build(runs, tmp_path / "a", cards).parent)
    place = runs / "kium" / FOLDER
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.suffix for path in place.iterdir()} == {".jsonl", ".npz"}
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    shutil.rmtree(place)
    place.write_text("in the way")
    assert contents(build(runs, tmp_path / "b", cards).parent) == site


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each resamples.npz that is read."""
    read = list[str]()

    def reader(runs: Path) -> Any:
        def one(run: RunRecord, half: Any) -> Any:
            read.append(run.run_id)
            return resample_files(runs)(run, half)

        return one

    monkeypatch.setattr(kept, "resample_files", reader)
    return read


def test_resamples_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then from the array of all; a file that is new, replaced or gone is seen; the ranks are the same."""
    runs = tmp_path / "runs"
    entries(runs, [2.0, 1.5, 1.0])
    read = counted_reads(monkeypatch)

    def ranked() -> list[Any]:
        reader = KeptResamples(runs, small_card(), "board")
        found = standings(load_kept(runs, card()), small_card(), resampled=reader)
        reader.keep()
        again = standings(load_all(runs, "kium"), small_card(), resampled=resample_files(runs))
        assert [row.place for row in found.ranked] == [row.place for row in again.ranked]
        assert repr(found.uncertainty) == repr(again.uncertainty)  # a NaN is not equal to itself
        return read[:]

    assert sorted(ranked()) == ["run-e0", "run-e1", "run-e2"]
    read.clear()
    assert ranked() == []
    entry(runs, "e9", {half: drawn(1.2, 9, half) for half in SIZES})
    assert ranked() == ["run-e9"]
    read.clear()
    os.replace(runs / "kium/run-e0" / FILE, runs / "kium/run-e1" / FILE)
    assert sorted(ranked()) == ["run-e0", "run-e1"]


def test_damaged_kept_resamples_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive with a changed byte, or none at all: the runs' own files are read."""
    runs = tmp_path / "runs"
    entries(runs, [2.0, 1.0])
    reader = KeptResamples(runs, small_card(), "board")
    found = standings(load_kept(runs, card()), small_card(), resampled=reader)
    reader.keep()
    (path,) = (runs / "kium" / FOLDER).glob("*.npz")
    read = counted_reads(monkeypatch)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (bytes(content), b"PK", b""):
        path.write_bytes(damaged)
        again = standings(
            load_kept(runs, card()), small_card(), resampled=KeptResamples(runs, small_card(), "board")
        )
        assert [row.place for row in again.ranked] == [row.place for row in found.ranked]
    assert len(read) == 6


def test_pairs_are_compared_again_only_where_one_of_them_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is as from nothing, also after the resamples of a run have come."""
    runs, cards = tmp_path / "runs", {"kium": small_card()}
    entries(runs, [2.0, 1.5])
    entry(runs, "late", {half: drawn(1.0, 7, half) for half in SIZES}, stored=False)
    site = build(runs, tmp_path / "site", cards).parent
    compared = list[int]()
    whole_comparisons = leaderboard.site.compare.comparisons

    def counted(*words: Any) -> Any:
        compared.append(1)
        return whole_comparisons(*words)

    monkeypatch.setattr(leaderboard.site.compare, "comparisons", counted)
    build(runs, site, cards)
    assert compared == []
    entry(runs, "late", {half: drawn(1.0, 7, half) for half in SIZES})
    build(runs, site, cards)
    assert compared == [1]
    assert contents(site) == from_nothing(runs, cards)


def test_no_file_of_pairs_is_made_where_no_two_entries_share_their_draws(tmp_path: Path) -> None:
    """Without resamples of at least two entries there is nothing to compare by."""
    entries(tmp_path, [2.0, 1.0], stored=False)
    entry(tmp_path, "alone", {half: drawn(1.0, 7, half) for half in SIZES})
    standing = standings(load_all(tmp_path, "kium"), small_card(), resampled=resample_files(tmp_path))
    assert not can_compare(standing, resample_files(tmp_path))


# ------------------------------------------------------------------------------------------- --check
def test_check_names_what_differs_and_writes_nothing(before: Path, tmp_path: Path) -> None:
    """A page that was edited, one that is gone, one that no record asks for; a stranger's file is none."""
    place = Path(shutil.copytree(before, tmp_path / "place", ignore=shutil.ignore_patterns(FOLDER)))
    runs, site = place / "runs", place / "site"
    (site / "kium" / "notes.txt").write_text("mine")
    assert check(runs, site, {"kium": card()}) == ()
    (site / "kium" / "index.html").write_text("edited")
    (site / "static" / "site.css").unlink()
    add(runs, record("new", 0.3))
    shutil.rmtree(folder_of(runs, "only_cv"))
    files = {path: path.stat().st_mtime_ns for path in place.rglob("*")}

    found = {item.name: item.how for item in check(runs, site, {"kium": card()})}

    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == files
    assert found["kium/index.html"] == "differs"
    assert found["static/site.css"] == "missing"
    assert [how for name, how in found.items() if "/new-" in name] == ["missing"]
    assert [how for name, how in found.items() if "/only_cv-" in name] == ["left over"]
    assert "kium/notes.txt" not in found


def command(*words: str) -> tuple[int, list[str]]:
    """Return the exit code of `harness leaderboard` and the lines that it printed."""
    done = CliRunner().invoke(app, ["leaderboard", *words])
    return done.exit_code, done.output.splitlines()


def test_the_flag_prints_twenty_lines_and_a_count(tmp_path: Path) -> None:
    """Exit code 1 and what to type where the folder is not the site, 0 and a sentence where it is."""
    places = [f"runs={write(tmp_path / 'runs', mixed())}", f"site={tmp_path / 'site'}"]
    code, lines = command("--check", *places)
    assert (code, len(lines)) == (1, 22)
    assert all(line.startswith("  missing  ") for line in lines[:20])
    assert lines[20].startswith("and ")
    assert lines[21].endswith("files. Type harness leaderboard to renew it.")
    assert not (tmp_path / "site").exists()
    assert not (tmp_path / "runs/kium" / FOLDER).exists()

    assert command(*places)[0] == 0
    code, lines = command("--check", *places)
    assert (code, lines) == (0, [f"{tmp_path / 'site'} is what the records say, file by file."])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--check", "--serve"], "--check and --serve contradict each other: type one of them."),
        (["--port", "8001"], "--port belongs to --serve. Type harness leaderboard --serve --port 8001."),
    ],
)
def test_flags_that_do_not_go_together_are_one_sentence(words: list[str], sentence: str) -> None:
    """With what to type instead."""
    code, lines = command(*words)
    assert (code, lines) == (2, [f"harness: {sentence}"])


def test_a_card_of_another_challenge_changes_its_own_pages_only(tmp_path: Path) -> None:
    """The other challenge's files stay as they are."""
    other = {**challenge_yaml(), "title": "Other"}
    runs = write(tmp_path / "runs", [record("a"), record("b", 0.7)])
    cards = {"kium": card(), "other": dataclasses.replace(card("other"), title="Other")}
    site = build(runs, tmp_path / "site", cards).parent
    before = contents(site)
    from leaderboard.card import card_of

    build(runs, site, {**cards, "other": card_of("other", {**other, "title": "New"}, metric)})
    changed = {name for name, content in contents(site).items() if before[name] != content}
    assert changed == {"index.html", "other/index.html"}
