"""A row of the standings to what its own page prints: typed, frozen, all text cleaned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.records import Cell as FoldCell
from harness.records import Half, RunRecord
from leaderboard.about import ISOLATION, NO_CODE, Fact, role_of
from leaderboard.card import Card, MetricFacts
from leaderboard.compare import has_page
from leaderboard.explained import ExplainedView
from leaderboard.figures import Strip, strip
from leaderboard.inference import inference_of
from leaderboard.panels import Cell, PanelView, cell_of, panel_views
from leaderboard.place_scripts import script_of, without_script
from leaderboard.plots import Plots
from leaderboard.rows import BOTH, HALVES, ROUTES, Decimals, size_words
from leaderboard.search import SearchView, search_view
from leaderboard.seeds import SeedsView, seeds_view
from leaderboard.standings import Row, Standings, fold_spread, half_of
from leaderboard.text import clean, clean_block, count, duration, memory, number, spread_text
from leaderboard.tuned import tuned_of
from leaderboard.values import Value, value_of
from leaderboard.viewer import ViewerView
from leaderboard.wording import both, date, korean, say, twin

__all__ = ["EntryView", "entry_view"]

MOST_SETTINGS = 400
FEW = 5
NO_VALUES: tuple[object, ...] = (None, "", [], {}, ())


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric on both halves and over the folds."""

    title: str
    role: str
    direction: str
    sizes: str
    """On how many cases it rests, where that is a part of them; "" otherwise."""
    cv: Value
    test: Value
    folds: Value
    strip: Strip | None


@dataclass(frozen=True, slots=True)
class FoldRow:
    """One fold with one seed."""

    fold: int
    seed: int
    done: bool
    time: Value
    memory: str
    n_train: int
    n_heldout: int
    scores: tuple[Value, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Positional:
    """What the organiser's own script, which ignores the case ids, says of a prediction file."""

    title: str
    by_position: Value
    by_id: Value
    differs: bool


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry's page, but for its rank."""

    id: str
    complete: bool
    standing: str
    """Why it has no rank, or where that stands."""
    standing_script: str
    """Has the rank of a complete entry."""
    comparable: bool
    """Whether the board has a page that compares it with another entry."""
    challenge: str
    challenge_title: str
    board_id: str
    options: str
    phantom: bool
    team: str
    title: str
    description: tuple[str, ...]
    note: str
    """Says so where a newer run does not replace this one."""
    failures: tuple[str, ...]
    n_cv: str
    n_test: str
    metrics: tuple[MetricRow, ...]
    positional: tuple[Positional, ...]
    fold_metrics: tuple[str, ...]
    folds: tuple[FoldRow, ...]
    seeds: SeedsView | None
    """Of an entry whose folds were trained with several seeds."""
    panels: tuple[PanelView, ...]
    """Of the out-of-fold half alone: on the test set they would spell out sealed labels."""
    viewer: ViewerView | None
    """Slices of chosen cases, of the out-of-fold half too."""
    explained: ExplainedView | None
    """Grad-CAM maps of held-out cases, where `harness explain` made any."""
    facts: tuple[Fact, ...]
    tuned: str
    """The mark of a tuned entry; empty of another."""
    search: SearchView | None
    settings: tuple[tuple[str, Cell], ...]
    provenance: tuple[tuple[str, Cell], ...]
    command: str
    isolation: str
    isolation_words: str

    @property
    def few(self) -> int:
        """How many metrics the table of folds shows at first."""
        return min(FEW, len(self.fold_metrics))


NO_PLOTS = Plots()


def entry_view(
    row: Row,
    standing: Standings,
    decimals: Decimals,
    plots: Plots = NO_PLOTS,
    viewer: ViewerView | None = None,
    explained: ExplainedView | None = None,
) -> EntryView:
    """Return what an entry's page shows; `plots` are the figures of the search of a tuned one."""
    record, card, board = row.record, standing.card, standing.board
    ranking = {half: decimals[card.ranking.key, half] for half in BOTH}
    code, complete = record.entry.route == "code", row.status == "complete"
    return EntryView(
        id=row.id,
        complete=complete,
        standing=without_script(row, standing),
        standing_script=script_of(row.id),
        comparable=has_page(standing) and complete and record.entry.route != "reference",
        challenge=card.name,
        challenge_title=card.title,
        board_id=board.id if board else "",
        options=clean(board.options) if board and board.options else "",
        phantom=record.data.phantom,
        team=clean(record.entry.team, 300),
        title=clean(record.entry.title, 300),
        description=_paragraphs(record.entry.description),
        note=_as_sentence(row.note),
        failures=_failures(row),
        n_cv=_cases(record.cv),
        n_test=_cases(record.test),
        metrics=tuple(_metric(metric, record, card, decimals) for metric in card.metrics),
        positional=_positional(record, card, decimals),
        fold_metrics=tuple(metric.title for metric in card.metrics) if record.cells else (),
        folds=tuple(_fold(cell, card, decimals) for cell in sorted(record.cells, key=_fold_order)),
        seeds=seeds_view(record, card, decimals),
        panels=panel_views(record.cv),
        viewer=viewer,
        explained=explained,
        facts=_facts(row, card),
        tuned=tuned.mark if (tuned := tuned_of(record.sweep, ranking)) else "",
        search=search_view(record.sweep, card.ranking, ranking, plots) if record.sweep else None,
        settings=_flat(record.entry.settings),
        provenance=_flat(record.provenance),
        command=clean(record.command, 4000),
        isolation=clean(record.isolation, 20) if code else "–",
        isolation_words=ISOLATION.get(record.isolation, "") if code else NO_CODE,
    )


def _as_sentence(note: str) -> str:
    """Return a note with a capital letter and a full stop, in both languages."""
    if not note:
        return ""
    korean_note = korean(note)
    return twin(f"{note[:1].upper()}{note[1:]}.", korean_note + "." * (korean_note[-1] != "."))


def _failures(row: Row) -> tuple[str, ...]:
    """Return the run's failures in sentences; where it left none, those of its folds."""
    if row.record.failures:
        return tuple(clean(text, 400) for text in row.record.failures)
    cells = [cell for cell in sorted(row.record.cells, key=_fold_order) if cell.state != "done"]
    return tuple(say("entry.fold_failed", fold=cell.fold, reason=_failure(cell)) for cell in cells)


def _failure(cell: FoldCell) -> str:
    kind, reason = clean(cell.failure_kind or say("entry.failed_kind"), 40), cell.failure_reason or ""
    return both((kind, clean(reason, 400)), ": ") if reason.strip() else say("entry.no_reason", kind=kind)


def _maybe(text: str | None, longest: int) -> str:
    return clean(text, longest) if text and text.strip() else ""


def _cases(half: Half | None) -> str:
    return (
        say("entry.not_scored")
        if half is None
        else say("entry.cases", n=half.n_scored, expected=half.n_expected)
    )


def _metric(metric: MetricFacts, record: RunRecord, card: Card, decimals: Decimals) -> MetricRow:
    spread = fold_spread(record, metric.key)
    digits = decimals[metric.key, "cv"]
    n = len(spread.values)
    words = say("entry.folds_defined", defined=spread.defined, n=n) if n else ""
    return MetricRow(
        title=metric.title,
        role=role_of(card, metric.key),
        direction=say("board.higher" if metric.higher_is_better else "board.lower"),
        sizes=_sizes(record, metric.key),
        cv=value_of(record.cv, metric.key, digits),
        test=value_of(record.test, metric.key, decimals[metric.key, "test"]),
        folds=Value(spread_text(spread.mean, spread.sd, digits), exact=words),
        strip=None if spread.mean is None else strip(spread.values, spread.mean, digits),
    )


def _sizes(record: RunRecord, key: str) -> str:
    words = {half: size_words([half_of(record, half)], key) for half in BOTH}
    return both((both((HALVES[half], text)) for half, text in words.items() if text), ", ")


def _positional(record: RunRecord, card: Card, decimals: Decimals) -> tuple[Positional, ...]:
    half = record.test
    if half is None or half.positional is None:
        return ()
    rows = []
    for metric in card.metrics:
        if metric.key not in half.positional:
            continue
        value, own = half.positional[metric.key], half.metrics.get(metric.key)
        digits = decimals[metric.key, "test"]
        rows.append(
            Positional(
                metric.title,
                Value(number(value, digits), exact="" if value is None else repr(value)),
                value_of(half, metric.key, digits),
                differs=_differ(None if own is None else own.value, value),
            )
        )
    return tuple(rows)


def _differ(ours: float | None, theirs: float | None) -> bool:
    if ours is None or theirs is None:
        return ours is not theirs
    return abs(ours - theirs) > 1e-9


def _fold(cell: FoldCell, card: Card, decimals: Decimals) -> FoldRow:
    done = cell.state == "done"
    return FoldRow(
        fold=cell.fold,
        seed=cell.seed,
        done=done,
        time=Value(duration(cell.seconds), exact=f"{cell.seconds:.1f} s"),
        memory=memory(cell.peak_memory_bytes),
        n_train=cell.n_train,
        n_heldout=cell.n_heldout,
        scores=tuple(
            _score(cell.metrics.get(metric.key) if done else None, decimals[metric.key, "cv"])
            for metric in card.metrics
        ),
        reason="" if done else _failure(cell),
    )


def _score(value: float | None, decimals: int) -> Value:
    return Value("–") if value is None else Value(number(value, decimals), exact=repr(value))


def _fold_order(cell: FoldCell) -> tuple[int, int]:
    return (cell.fold, cell.seed)


def _facts(row: Row, card: Card) -> tuple[Fact, ...]:
    record, entry = row.record, row.record.entry
    code = entry.route == "code"
    key = "facts.folds_seed_text" if record.n_folds == card.folds else "facts.folds_seed_differ"
    folds = say(key, n=record.n_folds, usual=card.folds, seed=record.seed)
    pairs: list[tuple[str, str, bool]] = [
        ("team", clean(entry.team, 300), False),
        ("entry", clean(entry.name, 200), True),
        ("route", ROUTES[entry.route], False),
        ("overrides", clean(" ".join(entry.overrides), 500) if entry.overrides else "", True),
        ("licence", _maybe(entry.licence, 300), False),
        ("parameters", count(entry.parameters) if entry.parameters else "", False),
        ("folds_seed", folds if code else "", False),
        ("reproduced", row.reproduced, False),
        ("time", duration(record.seconds) if code else "", False),
        ("inference", inference_of(record).exact, False),
        ("started", clean(date(record.started), 40), False),
        ("finished", clean(date(record.finished), 40), False),
        ("earlier", str(row.earlier) if row.earlier else "", False),
        ("digest", clean(entry.digest, 100), True),
        ("run", clean(record.run_id, 200), True),
    ]
    return tuple(Fact(say(f"facts.{term}"), text, code=fixed) for term, text, fixed in pairs if text)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(line for line in clean_block(text, 4000).splitlines() if line.strip())


def _flat(value: Mapping[str, object]) -> tuple[tuple[str, Cell], ...]:
    """Return nested settings as dotted names and values, in their own order."""
    pairs = [(clean(name, 120), cell_of(item)) for name, item in _leaves(value, "") if item not in NO_VALUES]
    return tuple(pairs[:MOST_SETTINGS])


def _leaves(value: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", item
