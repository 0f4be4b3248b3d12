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
site/<challenge>/<board>/entries/<entry>/        its slice viewer's label maps and downloads, if it has one
site/<challenge>/<board>/viewer/                 the pictures of all slice viewers of the board, by content
site/<challenge>/<board>/explained/              the pictures of all Grad-CAM maps of the board, by content
site/at-<day>/                                   all of it as of an earlier moment, where one was asked for
site/static/                                     style and scripts; Plotly too, if a tuned entry has figures
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import escape

from harness.atomic import write_atomic
from harness.errors import UserError
from harness.records import RunRecord, load_all
from harness.reproductions import Reproduction, badges
from leaderboard import compare
from leaderboard.card import Card
from leaderboard.case_ranks import case_files
from leaderboard.comparison import Comparison
from leaderboard.earlier import earlier_boards, earlier_standings, link_of
from leaderboard.entry import EntryView, entry_view, shared_decimals
from leaderboard.explained import NO_MAPS, maps_of
from leaderboard.export import as_csv, as_json, as_pairs
from leaderboard.moments import Moment, as_of, until
from leaderboard.pages import (
    BoardView,
    CompareView,
    IndexView,
    board_view,
    challenge_view,
    compare_view,
    for_scripts,
)
from leaderboard.plots import NO_PLOTLY, Bundle, Plots, bundle, plots_of
from leaderboard.resampled import resample_files
from leaderboard.sealed import with_looks
from leaderboard.standings import Row, Standings, boards, standings
from leaderboard.table import as_script
from leaderboard.values import number_cell
from leaderboard.viewer import NO_SLICES, slices_of
from leaderboard.wording import both, in_svg, korean, label, say, tip

__all__ = ["build", "files_of"]

HERE = Path(__file__).parent
LOCK, LISTING = ".lock", ".files"
SENTENCE = re.compile(r'\{\{ t\("([a-z_]+\.[a-z_]+)"\) \}\}')

Files = Iterator[tuple[str, bytes]]
Loader = Callable[[Path, str], tuple[RunRecord, ...]]


def build(
    runs: Path,
    site: Path,
    challenges: Mapping[str, Card],
    only: str | None = None,
    load: Loader = load_all,
    moment: Moment | None = None,
) -> Path:
    """Write the site of all challenges, or renew one challenge's part of it, and return its index.

    Files are replaced one by one, each atomically; files of an earlier build that no record asks for
    any more are removed, and no file that another program put there. Builds wait for each other. The boards
    of an earlier moment lie in a folder of their own within the site, which no other build touches.

    Raises:
        UserError: if a record cannot be read or lies in another challenge's folder.
        KeyError: if `only` is no challenge.
    """
    records = {name: until(_checked(runs, name, load), moment) for name in sorted(challenges)}
    site = site if moment is None else site / moment.folder
    renewed = sorted(challenges) if only is None else [challenges[only].name]
    site.mkdir(parents=True, exist_ok=True)
    with _locked(site / LOCK):
        before = _listed(site)
        kept = {
            name for name in before if only is not None and name.partition("/")[0] not in (*renewed, "static")
        }
        written = set(kept)
        for name, content in files_of(records, challenges, renewed, runs, moment):
            written.add(name)
            _write(site, name, content, before)
        _forget(site, before - written)
        _list(site, written)
    return site / "index.html"


def _checked(runs: Path, name: str, load: Loader) -> tuple[RunRecord, ...]:
    records = load(runs, name)
    for record in records:
        if record.challenge.name != name:
            raise UserError(
                f"Run {record.run_id!r} in {runs / name} answers challenge {record.challenge.name!r}. "
                f"Move its folder to {runs / record.challenge.name}."
            )
    return records


def files_of(
    records: Mapping[str, tuple[RunRecord, ...]],
    challenges: Mapping[str, Card],
    renewed: list[str],
    runs: Path,
    moment: Moment | None = None,
) -> Files:
    """Yield name and content of every file: entries first, then what points at them.

    `runs` holds what is too large for records: the figures of tuned runs, the slices of chosen cases.
    """
    views: dict[str, list[BoardView]] = {}
    read = case_files(runs)
    plotly: Bundle | None = None
    notice = moment.notice if moment else ""
    for path in sorted((HERE / "static").iterdir()):
        yield f"static/{path.name}", path.read_bytes()
    for name, card in sorted(challenges.items()):
        views[name] = []
        for board in boards(records[name]):
            ranked = as_of(standings(board.records, card, read, resample_files(runs)), moment)
            standing = with_looks(with_badges(ranked, runs), runs)
            plots = _plots(runs, standing)
            if plotly is None and any(found.plots for found in plots.values()):
                plotly = bundle()
            before = [(item, earlier_standings(item, board, card, read)) for item in earlier_boards(board)]
            old = [(item, as_of(found, moment)) for item, found in before]
            links = tuple(link_of(item, found) for item, found in old)
            views[name].append(view := board_view(standing, earlier=links))
            if name in renewed:
                for item, found in old:
                    yield from _board_files(f"{name}/{item.id}", found, board_view(found), {}, None)
                yield from _board_files(f"{name}/{board.id}", standing, view, _drawable(plots, plotly), runs)
        if name in renewed:
            page = IndexView((challenge_view(card, views[name]),), True, notice)
            yield f"{name}/index.html", _render("index.html", page, "../")
    if plotly is not None:
        yield "static/plotly.min.js", plotly.content
    everything = tuple(challenge_view(card, views[name]) for name, card in sorted(challenges.items()))
    yield "index.html", _render("index.html", IndexView(everything, False, notice), "")


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
    folder: str, standing: Standings, view: BoardView, plots: Mapping[str, Plots], runs: Path | None
) -> Files:
    """Yield a board's files; without `runs`, its entries' pages have no slices."""
    decimals, pictures = shared_decimals(standing), set[str]()
    for row in standing.rows:
        slices = slices_of(runs, row.record, row.id) if runs is not None else NO_SLICES
        maps = maps_of(runs, row.record) if runs is not None else NO_MAPS
        page = entry_view(row, standing, decimals, plots.get(row.id, Plots()), slices.view, maps.view)
        yield f"{folder}/entries/{row.id}.html", _render("entry.html", page, "../../../")
        files = (*slices.files, *maps.files)
        yield from ((f"{folder}/{name}", file) for name, file in files if name not in pictures)
        pictures.update(name for name, _ in files)
    yield f"{folder}/standings.csv", as_csv(standing).encode()
    yield f"{folder}/standings.json", as_json(standing).encode()
    if standing.by_case is not None:
        yield f"{folder}/pvalues.csv", as_pairs(standing).encode()
    if view.entries:
        yield f"{folder}/data.js", as_script(view.head, view.ranked, view.unranked, for_scripts(view))
    if len(view.ranked) > 1:
        found = _pairs(standing, runs)
        if found:
            yield f"{folder}/pairs.js", compare.as_script(found, standing.card.ranking.key)
        yield f"{folder}/compare.html", _render("compare.html", compare_view(view, found), "../../")
    yield f"{folder}/index.html", _render("board.html", view, "../../")


def _pairs(standing: Standings, runs: Path | None) -> tuple[Comparison, ...]:
    """Return the first entries' differences; none of an earlier board, whose scorer is gone."""
    if runs is None:
        return ()
    return compare.comparisons(standing, resample_files(runs), case_files(runs))


def _template(name: str) -> str:
    """Return a template in which every sentence without a value stands already, for it is always the same."""
    source = (HERE / "templates" / name).read_text(encoding="utf-8")
    return SENTENCE.sub(lambda found: str(escape(say(found[1]))), source)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"t": say, "tip": tip, "label": label, "num": number_cell}
    environment.filters |= {"en": str.__str__, "ko": korean, "svg": in_svg}
    return environment


def _render(template: str, page: IndexView | BoardView | CompareView | EntryView, root: str) -> bytes:
    """Return a page; `root` leads from it to the site's folder."""
    return _environment().get_template(template).render(page=page, root=root).encode()


# ---------------------------------------------------------------------------------------- files
@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(site: Path, name: str, content: bytes, before: set[str]) -> None:
    """Write a file that is new or different, and list it first, so that no crash leaves it unlisted."""
    path = site / name
    if path.is_file() and path.read_bytes() == content:
        return
    if name not in before:
        with (site / LISTING).open("a", encoding="utf-8") as file:
            file.write(name + "\n")
    write_atomic(path, content)


def _listed(site: Path) -> set[str]:
    """Return the files that earlier builds wrote; a name that leads out of the site is not one."""
    try:
        names = (site / LISTING).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {name for name in names if name and ".." not in name.split("/") and not name.startswith("/")}


def _list(site: Path, names: set[str]) -> None:
    content = "".join(f"{name}\n" for name in sorted(names)).encode()
    if (site / LISTING).read_bytes() != content:
        write_atomic(site / LISTING, content)


def _forget(site: Path, names: set[str]) -> None:
    """Remove files that are no longer part of the site, and folders that this empties."""
    for name in sorted(names):
        path = site / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == site or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
