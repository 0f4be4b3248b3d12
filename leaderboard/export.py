"""Standings as CSV and JSON: every row and metric at full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from harness.records import Half, Interval, SweepFacts
from leaderboard.case_ranks import HALVES, PERMUTATIONS
from leaderboard.inference import seconds_per_case
from leaderboard.standings import Row, Standings, fold_spread
from leaderboard.text import clean
from leaderboard.wording import as_text

__all__ = ["as_csv", "as_json", "as_pairs", "lines_of"]

FORMULA = ("=", "+", "-", "@")
UNDEFINED = Interval(None, None, None)


Line = dict[str, Any]


def lines_of(standing: Standings) -> tuple[Line, ...]:
    """Return what both files say of each row."""
    return tuple(_row(section, row, standing) for section, row in _sections(standing))


def as_json(standing: Standings, lines: Sequence[Line] | None = None) -> str:
    """Return the standings as JSON text without NaN tokens, a row a line."""
    card, board = standing.card, standing.board
    before = {
        "challenge": card.name,
        "board": board.id if board else None,
        "fingerprint": board.fingerprint if board else None,
        "options": dict(board.newest.data.options) if board else None,
        "phantom": board.phantom if board else None,
        "ranking": {
            "metric": "rank_score" if card.by_case else card.ranking.key,
            "half": standing.half,
            "higher_is_better": card.ranking.higher_is_better and not card.by_case,
            "decimals": card.decimals,
            "tie_breakers": list(card.tie_breakers),
            **_rule(standing),
        },
    }
    rows = ",\n".join(as_text(line) for line in (lines_of(standing) if lines is None else lines))
    texts = {name: as_text(value) for name, value in before.items()}
    texts["rows"] = f"[\n{rows}\n]"
    texts["literature"] = as_text(standing.literature)
    inside = ",\n".join(f'"{name}": {text}' for name, text in texts.items())
    return f"{{\n{inside}\n}}\n"


def as_csv(standing: Standings, lines: Sequence[Line] | None = None) -> str:
    """Return one line a row; text that a spreadsheet would read as a formula begins with '."""
    own, metrics = _head(standing), [metric.key for metric in standing.card.metrics]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=",")
    writer.writerow(own)
    text.write(",".join(_columns(metrics)) + "\r\n")
    for line in lines_of(standing) if lines is None else lines:
        writer.writerow(_own_cells(line, own))
        text.write(_number_cells(line, metrics) + "\r\n")
    return text.getvalue()


def as_pairs(standing: Standings) -> str:
    """Return the p-value of each pair of ranked entries, one line an entry, both ways in the same order.

    Raises:
        ValueError: if the board does not rank by case.
    """
    by_case = standing.by_case
    if by_case is None:
        raise ValueError(f"{standing.card.name} does not rank by case")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    rows = standing.ranked[: len(by_case.pairs)]
    writer.writerow(["rank", "team", "id", *(row.id for row in rows)])
    for row, values in zip(rows, by_case.pairs.tolist(), strict=True):
        writer.writerow(
            [row.rank, _inert(clean(row.record.entry.team)), row.id, *(f"{p:.6g}" for p in values)]
        )
    return text.getvalue()


def _rule(standing: Standings) -> dict[str, Any]:
    """Return what a board says besides where it ranks by case."""
    card, by_case = standing.card, standing.by_case
    if by_case is None:
        return {}
    return {
        "rule": card.rule,
        "columns": list(card.columns),
        "cases": by_case.cases,
        "patients": by_case.patients,
        "swaps": PERMUTATIONS,
        "swaps_between_others": by_case.swaps,
    }


def _sections(standing: Standings) -> Iterator[tuple[str, Row]]:
    yield from (("ranked", row) for row in standing.ranked)
    yield from (("unranked", row) for row in standing.unranked)
    yield from (("reference", row) for row in standing.references)


def _row(section: str, row: Row, standing: Standings) -> dict[str, Any]:
    record, entry = row.record, row.record.entry
    spread = fold_spread(record, standing.card.ranking.key)
    return {
        "section": section,
        "rank": row.rank if section == "ranked" else None,
        "would_rank": row.rank if section == "reference" else None,
        "status": row.status,
        "reason": clean(row.reason) if row.reason else "",
        "note": row.note,
        "team": clean(entry.team),
        "title": clean(entry.title),
        "entry": clean(entry.name),
        "overrides": [clean(word) for word in entry.overrides],
        "route": entry.route,
        "isolation": clean(record.isolation),
        "cv_rank": row.cv_rank,
        "test_rank": row.test_rank,
        "shift": row.shift,
        **_place(row),
        "fold_mean": spread.mean,
        "fold_sd": spread.sd,
        "folds_defined": spread.defined,
        "folds": len(spread.values),
        "seconds": record.seconds,
        "seconds_per_case": seconds_per_case(record),
        **_sweep(record.sweep),
        "earlier_runs": row.earlier,
        "run_id": clean(record.run_id),
        "digest": clean(entry.digest),
        "finished": clean(record.finished),
        "id": row.id,
        **_by_case(row, standing),
        "cv": _half(record.cv, standing),
        "test": _half(record.test, standing),
    }


def _place(row: Row) -> dict[str, Any]:
    """Return the rank interval, the tie group, and the difference to the first entry."""
    place, gap = row.place, row.place.difference if row.place else None
    return {
        "rank_low": place.low if place else None,
        "rank_high": place.high if place else None,
        "tied_from": place.first if place else None,
        "tied_to": place.last if place else None,
        "to_first": gap.value if gap else None,
        "to_first_low": gap.low if gap else None,
        "to_first_high": gap.high if gap else None,
        "to_first_p": place.p if place else None,
        "to_first_p_holm": place.p_holm if place else None,
        "over_naive": row.over_naive,
    }


def _sweep(sweep: SweepFacts | None) -> dict[str, Any]:
    tuned = {None: "", False: "tuned", True: "nested"}[sweep.nested if sweep else None]
    return {
        "tuned": tuned,
        "trials": len(sweep.trials) if sweep else None,
        "search_seconds": sweep.seconds if sweep else None,
        "optimism": sweep.optimism if sweep else None,
    }


def _by_case(row: Row, standing: Standings) -> dict[str, Any]:
    """Return the rank scores on both halves and the test against the first entry, where cases rank."""
    by_case = standing.by_case
    if by_case is None:
        return {}
    found: dict[str, Any] = {}
    for half in HALVES:
        score = by_case.of(row.id, main=half == standing.half)
        for part in ("value", "low", "high"):
            suffix = "" if part == "value" else f"_{part}"
            found[f"{half}_rank_score{suffix}"] = None if score is None else getattr(score, part)
    p, corrected = by_case.against_leader.get(row.id, (None, None))
    return {**found, "p_against_first": p, "p_against_first_holm": corrected}


def _half(half: Half | None, standing: Standings) -> dict[str, Any] | None:
    if half is None:
        return None
    metrics = {m.key: half.metrics.get(m.key) for m in standing.card.metrics}
    sizes = {"sizes": dict(half.sizes)} if half.sizes else {}
    return {"n_scored": half.n_scored, "n_expected": half.n_expected, "metrics": metrics, **sizes}


def _columns(metrics: Sequence[str]) -> Iterator[str]:
    """Yield the names of a CSV line's columns behind those of the row's own."""
    for half in ("cv", "test"):
        yield from (f"{half}_n_scored", f"{half}_n_expected")
        yield from (f"{half}_{key}{suffix}" for key in metrics for suffix in ("", "_low", "_high"))


def _own_cells(line: Line, own: Sequence[str]) -> list[object]:
    """Return the cells of a CSV line that are the row's own, in the order of the columns."""
    return [_inert(" ".join(line[name]) if name == "overrides" else line[name]) for name in own]


def _number_cells(line: Line, metrics: Sequence[str]) -> str:
    """Return the other cells as text: numbers as JSON writes them; what is none stays empty."""
    found: list[float | None] = []
    for half in ("cv", "test"):
        scores = line[half] or {"n_scored": None, "n_expected": None, "metrics": {}}
        found += (scores["n_scored"], scores["n_expected"])
        for key in metrics:
            interval: Interval = scores["metrics"].get(key) or UNDEFINED
            found += (interval.value, interval.low, interval.high)
    return as_text(found)[1:-1].replace("null", "")


def _head(standing: Standings) -> list[str]:
    return [*_HEAD, *(_BY_CASE if standing.by_case is not None else ())]


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


_HEAD = (
    *("section", "rank", "would_rank", "status", "reason", "note", "team", "title", "entry", "overrides"),
    *("route", "isolation", "cv_rank", "test_rank", "shift"),
    *("rank_low", "rank_high", "tied_from", "tied_to", "to_first", "to_first_low", "to_first_high"),
    *("to_first_p", "to_first_p_holm", "over_naive", "fold_mean", "fold_sd", "folds_defined"),
    *(
        "folds",
        "seconds",
        "seconds_per_case",
        "tuned",
        "trials",
        "search_seconds",
        "optimism",
        "earlier_runs",
        "run_id",
        "digest",
        "finished",
        "id",
    ),
)
_BY_CASE = (
    *("cv_rank_score", "cv_rank_score_low", "cv_rank_score_high"),
    *("test_rank_score", "test_rank_score_low", "test_rank_score_high"),
    *("p_against_first", "p_against_first_holm"),
)
