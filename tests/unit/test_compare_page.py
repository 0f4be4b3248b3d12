"""The page that compares two entries: the numbers of the terminal, in a file that holds no markup."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from leaderboard.case_ranks import Found, case_files
from leaderboard.compare import MOST_ENTRIES, as_script, comparisons
from leaderboard.comparison import Comparison, compare
from leaderboard.resampled import resample_files
from leaderboard.site import build
from leaderboard.standings import Standings, standings
from tests.case_rank_fakes import by_case_card
from tests.case_rank_fakes import entries as by_case_entries
from tests.leaderboard_fakes import HOSTILE, card
from tests.resample_fakes import SIZES, drawn, entries, entry, small_card

KEY = "auroc_aneurysm"


def board_of(runs: Path, names: dict[str, str]) -> None:
    """Write runs of these names and teams with their resamples and scores by case."""
    for place, (name, team) in enumerate(names.items()):
        predicted = {half: drawn(2.0 - 0.2 * place, place, half) for half in SIZES}
        entry(runs, name, predicted, team=team, title=team)


def standing_of(runs: Path) -> Standings:
    """Return the standings of the runs in a folder."""
    from harness.records import load_all

    return standings(load_all(runs, "kium"), small_card(), case_files(runs), resample_files(runs))


def found_of(runs: Path) -> tuple[Comparison, ...]:
    """Return the comparisons of the runs in a folder."""
    return comparisons(standing_of(runs), resample_files(runs), case_files(runs))


def content_of(script: bytes) -> dict[str, Any]:
    """Return what the page reads."""
    return json.loads(script.decode().removeprefix("window.PAIRS = ").removesuffix(";\n"))  # type: ignore[no-any-return]


def test_the_page_has_the_numbers_of_the_terminal_for_every_metric(tmp_path: Path) -> None:
    """Three pairs; of each, every metric on both halves with its interval and p, the folds and the cases."""
    entries(tmp_path, [2.0, 1.5, 1.0])
    standing = standing_of(tmp_path)
    content = content_of(as_script(found_of(tmp_path), KEY))
    assert content["metric"] == KEY
    assert len(content["pairs"]) == 3
    for names, pair in content["pairs"].items():
        rows = [next(row for row in standing.ranked if row.id == name) for name in names.split()]
        told = compare(*rows, standing, resample_files(tmp_path), case_files(tmp_path))
        assert len(pair["differences"]) == 6
        for half in told.halves:
            for metric in half.metrics:
                gap = metric.difference
                assert gap is not None
                expected = (gap.value, gap.low, gap.high, metric.p)
                assert pair["differences"][f"{metric.key} {half.half}"] == pytest.approx(expected, rel=1e-5)
        assert told.folds is not None
        assert pair["folds"][3:] == [pytest.approx(told.folds.p, rel=1e-5), told.folds.folds]
        assert [case[0] for case in pair["cases"]] == [case.case for case in told.cases]


def test_each_file_is_read_once_and_the_pairs_are_limited(tmp_path: Path) -> None:
    """However many entries, the first twenty make 190 pairs from forty halves."""
    entries(tmp_path, [2.0 - 0.05 * k for k in range(MOST_ENTRIES + 2)])
    standing, read, tables = standing_of(tmp_path), [], []

    def drawn_of(record: Any, half: Any) -> Any:
        read.append((record.run_id, half))
        return resample_files(tmp_path)(record, half)

    def table_of(record: Any, columns: tuple[str, ...]) -> Found | str:
        tables.append(record.run_id)
        return case_files(tmp_path)(record, columns)

    assert len(comparisons(standing, drawn_of, table_of)) == 190
    assert len(read) == len(set(read)) == 2 * MOST_ENTRIES
    assert len(tables) == len(set(tables)) <= MOST_ENTRIES


def test_no_single_case_of_the_test_set_leaves(tmp_path: Path) -> None:
    """The file for the page names out-of-fold cases alone."""
    board_of(tmp_path, {"a": "A", "b": "B"})
    text = as_script(found_of(tmp_path), KEY).decode()
    assert '"cv0' in text
    assert "test0" not in text


def test_runs_without_resamples_or_with_others_are_left_out(tmp_path: Path) -> None:
    """A missing or broken file leaves the pairs of its entry out."""
    board_of(tmp_path, {"a": "A", "b": "B", "c": "C"})
    path = tmp_path / "kium" / "run-c" / "resamples.npz"
    path.unlink()
    assert len(found_of(tmp_path)) == 1
    (tmp_path / "kium" / "run-b" / "resamples.npz").write_bytes(b"no table")
    assert found_of(tmp_path) == ()


def test_rank_scores_are_compared_on_a_board_that_ranks_by_case(tmp_path: Path) -> None:
    """They need no resamples: their difference comes from the ranks by case."""
    found = standings(
        by_case_entries(tmp_path, [0.9, 0.85, 0.7]),
        by_case_card(),
        case_files(tmp_path),
        resample_files(tmp_path),
    )
    pairs = content_of(as_script(comparisons(found, resample_files(tmp_path), case_files(tmp_path)), "dice"))
    first = pairs["pairs"][f"{found.ranked[0].id} {found.ranked[2].id}"]["differences"]["rank_score test"]
    assert first[0] < 0
    assert first[1] <= first[0] <= first[2]
    assert 0 < first[3] <= 1


def test_the_page_and_its_files_hold_no_markup_of_names(tmp_path: Path) -> None:
    """Names of teams and cases are data in the two script files: no tag, no end of a script, no NaN."""
    board_of(tmp_path / "runs", {f"e{k}": text for k, text in enumerate(HOSTILE)})
    site = build(tmp_path / "runs", tmp_path / "site", {"kium": card()}).parent
    (folder,) = site.glob("kium/data-*")
    for name in ("data.js", "pairs.js"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not set("<>&\u2028\u2029\u202e") & set(text)
        body = re.fullmatch(r"window\.[A-Z]+ = (.*);\n", text)
        assert body is not None

        def refuse(token: str) -> None:
            raise AssertionError(token)

        json.loads(body[1], parse_constant=refuse)
    assert "alert" not in (folder / "compare.html").read_text(encoding="utf-8")
