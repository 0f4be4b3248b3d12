"""Two entries compared case by case."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from leaderboard.compare import Comparison, Scores, as_script, comparisons, paired_difference
from leaderboard.site import build
from leaderboard.standings import standings
from tests.leaderboard_fakes import HOSTILE, card, record, write

CASES = 40


def scores(values: np.ndarray, patients: list[str] | None = None, *, higher: bool = True) -> Scores:
    """Return the scores of some entries."""
    names = tuple(f"c{k:02d}" for k in range(values.shape[1]))
    return Scores("m", "cv", higher, names, tuple(patients or names), values)


def board_of(runs: Path, names: dict[str, str], *, shift: float = 0.1) -> None:
    """Write runs whose accuracy on both halves is the mean of a column of their cases.parquet."""
    for place, (name, team) in enumerate(names.items()):
        run = record(name, 0.7 - place / 50, 0.7, team=team, title=team, run_id=f"run-{name}")
        draw = np.random.default_rng(place)
        right = draw.random((2, CASES)) < 0.9 - shift * place
        table = pd.DataFrame({
            "case": [f"{half}_{k}" for half in ("cv", "test") for k in range(CASES)],
            "patient": [f"p{k // 2}" for _ in range(2) for k in range(CASES)],
            "half": ["cv"] * CASES + ["test"] * CASES,
            "right": right.ravel(),
            "noise": draw.random(2 * CASES),
        })  # fmt: skip
        for half, values in (("cv", right[0]), ("test", right[1])):
            metrics = {**getattr(run, half).metrics}
            metrics["location_accuracy"] = type(metrics["location_accuracy"])(
                float(values.mean()), None, None
            )
            run = _with(run, half, metrics)
        write(runs, [run])
        folder = runs / "kium" / "run00000"
        folder.rename(runs / "kium" / run.run_id)
        table.to_parquet(runs / "kium" / run.run_id / "cases.parquet")


def _with(run, half, metrics):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    from dataclasses import replace

    return replace(run, **{half: replace(getattr(run, half), metrics=metrics)})


def found_of(runs: Path) -> tuple[Comparison, ...]:
    """Return the comparisons of the runs in a folder."""
    from harness.records import load_all

    return comparisons(standings(load_all(runs, "kium"), card()), runs)


def test_interval_and_p_agree_with_scipy() -> None:
    """On 200 cases with a shift: within Monte-Carlo error of scipy's paired bootstrap and permutation test."""
    draw = np.random.default_rng(3)
    values = draw.random((2, 200)) + np.array([[0.06], [0.0]])
    (found,) = paired_difference(scores(values), [(0, 1)])
    gap = values[0] - values[1]
    boot = stats.bootstrap(
        (gap,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    )
    p = stats.permutation_test((values[0], values[1]), lambda x, y, axis: np.mean(x - y, axis=axis),
                               permutation_type="samples", vectorized=True, n_resamples=4000,
                               rng=np.random.default_rng(1)).pvalue  # fmt: skip
    assert found.value == pytest.approx(gap.mean())
    wide = boot.confidence_interval.high - boot.confidence_interval.low
    assert found.low == pytest.approx(boot.confidence_interval.low, abs=0.07 * wide)
    assert found.high == pytest.approx(boot.confidence_interval.high, abs=0.07 * wide)
    assert found.p == pytest.approx(p, abs=4 * (p * (1 - p) / 2000) ** 0.5 + 1e-3)


def test_equal_entries_differ_by_nothing_and_opposite_pairs_mirror() -> None:
    """The same scores: 0, an interval of 0, p = 1; a pair turned round changes its sign alone."""
    values = np.random.default_rng(0).random((3, 30))
    values[1] = values[0]
    same, there, back = paired_difference(scores(values), [(0, 1), (0, 2), (2, 0)])
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.p == back.p


def test_patients_are_resampled_whole() -> None:
    """Ten copies of each case as one patient are as uncertain as the cases alone."""
    values = np.random.default_rng(5).random((2, 20))
    (alone,) = paired_difference(scores(values), [(0, 1)])
    many = np.repeat(values, 10, axis=1)
    (grouped,) = paired_difference(scores(many, [f"p{k // 10:02d}" for k in range(200)]), [(0, 1)])
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high), abs=0.05)
    assert grouped.p == pytest.approx(alone.p, abs=0.05)


def test_a_case_that_one_entry_lacks_counts_for_neither() -> None:
    """Differences are taken where both have a value."""
    values = np.array([[0.5, np.nan, 0.9, 0.7], [0.4, 0.1, np.nan, 0.5]])
    (found,) = paired_difference(scores(values), [(0, 1)])
    assert found.value == pytest.approx(0.15)


def test_only_metrics_that_are_means_of_a_column_are_compared(tmp_path: Path) -> None:
    """Accuracy is the mean of `right`; AUROC is the mean of nothing, and noise the mean of no metric."""
    board_of(tmp_path, {"a": "A", "b": "B", "c": "C"})
    found = found_of(tmp_path)
    assert len(found) == 3
    assert {(one.key, one.half) for item in found for one in item.differences} == {
        ("location_accuracy", "cv"),
        ("location_accuracy", "test"),
    }
    for item in found:
        assert item.metric == "location_accuracy"
        assert item.cases
        assert all(case.case.startswith("cv_") for case in item.cases)
        gaps = [case.first - case.second for case in item.cases]
        assert gaps == sorted(gaps, reverse=True) or {-1.0, 1.0} >= set(gaps)


def test_no_single_case_of_the_test_set_leaves(tmp_path: Path) -> None:
    """The file for the page names out-of-fold cases alone."""
    board_of(tmp_path, {"a": "A", "b": "B"})
    text = as_script(found_of(tmp_path)).decode()
    assert "cv_" in text
    assert "test_" not in text
    content = json.loads(text.removeprefix("window.PAIRS = ").removesuffix(";\n"))
    assert (content["entries"], len(content["pairs"])) == (2, 1)


def test_runs_without_or_with_other_cases_are_left_out(tmp_path: Path) -> None:
    """A missing file leaves its entry out; other cases leave no metric to compare."""
    board_of(tmp_path, {"a": "A", "b": "B", "c": "C"})
    (tmp_path / "kium" / "run-c" / "cases.parquet").unlink()
    assert len(found_of(tmp_path)) == 1
    path = tmp_path / "kium" / "run-b" / "cases.parquet"
    table = pd.read_parquet(path)
    table.assign(case=table["case"] + "x").to_parquet(path)
    assert found_of(tmp_path) == ()
    path.write_bytes(b"no table")
    assert found_of(tmp_path) == ()


def test_the_page_and_its_files_hold_no_markup_of_names(tmp_path: Path) -> None:
    """Names of teams and cases are data in the two script files: no tag, no end of a script, no NaN."""
    board_of(tmp_path / "runs", {f"e{k}": text for k, text in enumerate(HOSTILE)}, shift=0.02)
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
