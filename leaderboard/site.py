"""Run records to a static site: the same records, in any order, give the same bytes.

site/index.html                                  every challenge and its boards
site/<challenge>/index.html                      one challenge
site/<challenge>/<board>/index.html              one board: the standings
site/<challenge>/<board>/standings.{csv,json}    the same, at full precision
site/<challenge>/<board>-before-<scorer>/        the board before a change of scorer or test truth
site/<challenge>/<board>/pvalues.csv             where cases rank: the tests between all entries
site/<challenge>/<board>/compare.html            any two entries side by side
site/<challenge>/<board>/{data,pairs}.js         all rows, and the first entries' differences, for scripts
site/<challenge>/<board>/entries/<entry>.html    one entry
site/<challenge>/<board>/entries/standing-<x>.js the rank of each entry whose id ends with x, in a sentence
site/<challenge>/<board>/entries/<entry>/        its slice viewer's label maps and downloads, if it has one
site/<challenge>/<board>/viewer/                 the pictures of all slice viewers of the board, by content
site/<challenge>/<board>/explained/              the pictures of all Grad-CAM maps of the board, by content
site/static/                                     style and scripts; Plotly too, if a tuned entry has figures
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import UserError
from harness.records import RunRecord, load_all
from harness.reproductions import Reproduction, badges
from leaderboard import compare
from leaderboard.card import Card
from leaderboard.case_ranks import case_files
from leaderboard.earlier import earlier_boards, earlier_standings, link_of
from leaderboard.entry import entry_view
from leaderboard.explained import NO_MAPS, Maps, maps_of
from leaderboard.export import as_csv, as_json, as_pairs, lines_of
from leaderboard.files import Difference, File, differences, ready, write_files
from leaderboard.fingerprint import code_digest, digest_of
from leaderboard.kept import KeptRecord, KeptResamples, load_kept, states_of, whole
from leaderboard.moments import Moment, as_of, until
from leaderboard.pages import BoardView, IndexView, board_view, challenge_view, compare_view, for_scripts
from leaderboard.place_scripts import place_scripts
from leaderboard.plots import NO_PLOTLY, Bundle, Plots, bundle, plots_of
from leaderboard.render import render
from leaderboard.resampled import resample_files
from leaderboard.rows import Decimals, shared_decimals
from leaderboard.sealed import shown, with_looks
from leaderboard.standings import Row, Standings, boards, standings
from leaderboard.table import as_script
from leaderboard.viewer import NO_SLICES, Slices, slices_of
from leaderboard.wording import both, say

__all__ = ["build", "check", "files_of"]

STATIC = Path(__file__).parent / "static"

Files = Iterator[File]


def build(
    runs: Path,
    site: Path,
    challenges: Mapping[str, Card],
    only: str | None = None,
    moment: Moment | None = None,
) -> Path:
    """Write the site of all challenges, or renew one challenge's part of it, and return its index.

    Files are replaced one by one, each atomically; files of an earlier build that no record asks for
    any more are removed, and no file that another program put there. Builds wait for each other. What the
    build before read and made is taken from it where nothing that it was made of has changed. The boards of
    an earlier moment lie in a folder of their own within the site, which no other build touches.

    Raises:
        UserError: if a record cannot be read or lies in another challenge's folder.
        KeyError: if `only` is no challenge.
    """
    site = site if moment is None else site / moment.folder
    with _uncollected():
        records = {
            name: until(_checked(runs, name, load_kept(runs, card)), moment)
            for name, card in sorted(challenges.items())
        }
        renewed = sorted(challenges) if only is None else [challenges[only].name]

        def keeps(name: str) -> bool:
            return only is not None and name.partition("/")[0] not in (*renewed, "static")

        write_files(site, files_of(records, challenges, renewed, runs, moment), keeps)
    return site / "index.html"


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: what a build reads it uses to its end, however often one looks."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def check(
    runs: Path, site: Path, challenges: Mapping[str, Card], moment: Moment | None = None
) -> tuple[Difference, ...]:
    """Make the whole site again, from the records alone, and return how the folder differs from it.

    Raises:
        UserError: if a record cannot be read or lies in another challenge's folder.
    """
    records = {name: until(_checked(runs, name, load_all(runs, name)), moment) for name in sorted(challenges)}
    made = files_of(records, challenges, sorted(challenges), runs, moment, kept=False)
    return differences(site if moment is None else site / moment.folder, made, lambda _: False)


def _checked(runs: Path, name: str, records: Sequence[RunRecord]) -> Sequence[RunRecord]:
    for record in records:
        if record.challenge.name != name:
            raise UserError(
                f"Run {record.run_id!r} in {runs / name} answers challenge {record.challenge.name!r}. "
                f"Move its folder to {runs / record.challenge.name}."
            )
    return records


def files_of(
    records: Mapping[str, Sequence[RunRecord]],
    challenges: Mapping[str, Card],
    renewed: Sequence[str],
    runs: Path,
    moment: Moment | None = None,
    *,
    kept: bool = True,
) -> Files:
    """Yield every file: entries first, then what points at them.

    `runs` holds what is too large for records: the figures of tuned runs, the slices of chosen cases. What
    was read of the runs before is taken from there, unless `kept` is false.
    """
    views: dict[str, list[BoardView]] = {}
    read = case_files(runs)
    plotly: Bundle | None = None
    notice = moment.notice if moment else ""
    yield from (ready(f"static/{path.name}", path.read_bytes()) for path in sorted(STATIC.iterdir()))
    for name, card in sorted(challenges.items()):
        views[name] = []
        for board in boards(records[name]):
            resampled = KeptResamples(runs, card, board.id) if kept else resample_files(runs)
            ranked = as_of(standings(board.records, card, read, resampled), moment)
            standing = with_looks(with_badges(ranked, runs), runs)
            if isinstance(resampled, KeptResamples):
                resampled.keep()
            plots = _plots(runs, standing)
            if plotly is None and any(found.plots for found in plots.values()):
                plotly = bundle()
            before = [(item, earlier_standings(item, board, card, read)) for item in earlier_boards(board)]
            old = [(item, as_of(found, moment)) for item, found in before]
            links = tuple(link_of(item, found) for item, found in old)
            pages = _Pages.of(standing)
            views[name].append(view := board_view(standing, earlier=links, decimals=pages.decimals))
            if name in renewed:
                for item, found in old:
                    yield from _board_files(
                        f"{name}/{item.id}", _Pages.of(found), board_view(found), {}, None
                    )
                yield from _board_files(f"{name}/{board.id}", pages, view, _drawable(plots, plotly), runs)
        if name in renewed:
            page = IndexView((challenge_view(card, views[name]),), True, notice)
            yield ready(f"{name}/index.html", render("index.html", "../", page=page))
    if plotly is not None:
        yield ready("static/plotly.min.js", plotly.content)
    everything = tuple(challenge_view(card, views[name]) for name, card in sorted(challenges.items()))
    yield ready("index.html", render("index.html", "", page=IndexView(everything, False, notice)))


def with_badges(standing: Standings, runs: Path) -> Standings:
    """Add the badge of each row whose run was reproduced."""
    code = [row.record.run_id for row in standing.rows if row.record.entry.route == "code"]
    found = badges(runs, standing.card.name, code)
    if not found:
        return standing

    def marked(rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(replace(row, reproduced=badge_of(found.get(row.record.run_id))) for row in rows)

    return replace(standing, ranked=marked(standing.ranked), unranked=marked(standing.unranked))


def badge_of(found: Reproduction | None) -> str:
    """Return the badge of a run that was trained again; "" without one."""
    if found is None:
        return ""
    key = "badge.exact" if found.exact else "badge.close"
    how = say(key, within=f"{found.largest:.1g}")
    if len(found.folds) == found.n_folds:
        return how
    return both((how, say("badge.folds", n=len(found.folds), of=found.n_folds)), ", ")


def _plots(runs: Path, standing: Standings) -> dict[str, Plots]:
    """Return the figures of each tuned entry that has any, or why they are not shown."""
    metric = standing.card.ranking.title
    return {row.id: plots_of(runs, row.record, metric) for row in standing.rows if row.record.sweep}


def _drawable(plots: Mapping[str, Plots], plotly: Bundle | None) -> dict[str, Plots]:
    """Return the figures as this installation's Plotly draws them; without it, a sentence instead."""
    if plotly is None:
        return {name: Plots(note=NO_PLOTLY) if found.plots else found for name, found in plots.items()}
    return {name: replace(found, styles=plotly.styles) for name, found in plots.items()}


def _board_files(
    folder: str, pages: _Pages, view: BoardView, plots: Mapping[str, Plots], runs: Path | None
) -> Files:
    """Yield a board's files; without `runs`, its entries' pages have no slices."""
    standing, pictures = pages.standing, set[str]()
    for row in standing.rows:
        slices = slices_of(runs, row.record, row.id) if runs is not None else NO_SLICES
        maps = maps_of(runs, row.record) if runs is not None else NO_MAPS
        yield pages.file(folder, row, plots.get(row.id, Plots()), slices, maps)
        files = (*slices.files, *maps.files)
        yield from (ready(f"{folder}/{name}", file) for name, file in files if name not in pictures)
        pictures.update(name for name, _ in files)
    yield from place_scripts(folder, standing)
    lines = lines_of(standing)
    yield ready(f"{folder}/standings.csv", as_csv(standing, lines).encode())
    yield ready(f"{folder}/standings.json", as_json(standing, lines).encode())
    if standing.by_case is not None:
        yield ready(f"{folder}/pvalues.csv", as_pairs(standing).encode())
    if view.entries:
        script = as_script(view.head, view.ranked, view.unranked, for_scripts(view))
        yield ready(f"{folder}/data.js", script)
    if compare.has_page(standing):
        pairs = _pairs(f"{folder}/pairs.js", standing, runs)
        yield from pairs
        page = compare_view(view, paired=bool(pairs))
        yield ready(f"{folder}/compare.html", render("compare.html", "../../", page=page))
    yield ready(f"{folder}/index.html", render("board.html", "../../", page=view))


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of a board's entries: what they share, and its digest."""

    standing: Standings
    decimals: Decimals
    shared: str

    @classmethod
    def of(cls, standing: Standings) -> _Pages:
        board, decimals = standing.board, shared_decimals(standing)
        about = (board.id, board.options) if board else ()
        places = [[*where, digits] for where, digits in decimals.items()]
        shared = (standing.as_of, compare.has_page(standing), standing.card, about, places)
        return cls(standing, decimals, digest_of(code_digest(), shared))

    def file(self, folder: str, row: Row, plots: Plots, slices: Slices, maps: Maps) -> File:
        """Return an entry's page: made anew where its record or what stands beside it has changed."""

        def make() -> bytes:
            (record,) = shown([whole(row.record)], self.standing.card)
            known = replace(row, record=record)
            page = entry_view(known, self.standing, self.decimals, plots, slices.view, maps.view)
            return render("entry.html", "../../../", page=page)

        return File(f"{folder}/entries/{row.id}.html", make, self._key(row, plots, slices, maps))

    def _key(self, row: Row, plots: Plots, slices: Slices, maps: Maps) -> str:
        record = row.record
        if not isinstance(record, KeptRecord):
            return ""
        about = (row.id, row.status, row.reason, row.note, row.earlier, row.reproduced)
        return digest_of(self.shared, record.file_digest, about, plots, slices.view, maps.view)


def _pairs(name: str, standing: Standings, runs: Path | None) -> tuple[File, ...]:
    """Return the first entries' differences as a file; none of an earlier board, whose scorer is gone."""
    if runs is None or not compare.can_compare(standing, resample_files(runs)):
        return ()

    def make() -> bytes:
        found = compare.comparisons(standing, resample_files(runs), case_files(runs))
        return compare.as_script(found, standing.card.ranking.key)

    return (File(name, make, _key_of_pairs(standing, runs)),)


def _key_of_pairs(standing: Standings, runs: Path) -> str:
    """Return what the differences depend on; where cases rank, that is every run, and there is no key."""
    first = [(row.id, row.record) for row in standing.ranked[: compare.MOST_ENTRIES]]
    known = [(name, record) for name, record in first if isinstance(record, KeptRecord)]
    if standing.by_case is not None or not known:
        return ""
    about = [(name, record.file_digest, *states_of(runs, record)) for name, record in known]
    return digest_of(code_digest(), standing.card, standing.half, about)
