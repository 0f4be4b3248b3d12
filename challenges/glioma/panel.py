"""What the entry's page shows beside the metrics: curves, numbers at risk and subgroups, JSON-ready."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.glioma.columns import TIMES, UNKNOWN, YEAR
from challenges.glioma.output import rising
from challenges.glioma.views import View
from harness.metrics import c_index
from harness.panels import curve, in_korean, known, note, table
from harness.scoring import RESAMPLES, SEED
from harness.statistics import bootstrap_counts, percentile_interval
from harness.survival.calibration import observed_to_expected, risk_groups
from harness.survival.d_calibration import d_calibration_test
from harness.survival.dynamic_auc import dynamic_auc
from harness.survival.followup import FollowUp
from harness.survival.kaplan_meier import at_risk, kaplan_meier
from harness.survival.logrank import logrank_test

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.contracts import Array, Arrays

__all__ = ["facts", "panel", "tertiles"]

ONE_GROUP = "no log-rank test: one group"
TERTILES = ("low risk", "middle risk", "high risk")
YEARS = tuple(YEAR * k for k in range(6))
FEWEST = 10
"""Cases of a subgroup whose C is shown with an interval."""
AGES = ((0, 50), (50, 65), (65, math.inf))


KOREAN = {
    "Years": "년",
    "Alive": "생존",
    "Tertiles of risk, and how many are still at risk": "위험도 삼분위와 시점별 위험 집단의 수",
    "Calibration at one year": "1년 시점의 보정",
    "Predicted risk of death": "예측한 사망 위험",
    "Observed (Kaplan-Meier)": "관찰 (Kaplan-Meier)",
    "Tenths of predicted risk": "예측 위험의 십분위",
    "AUC for death until a time": "어느 시점까지의 사망에 대한 AUC",
    "C by subgroup, with 95 % intervals": "하위 집단별 C와 95 % 구간",
    "group": "집단",
    "deaths": "사망",
    "median in days": "중앙값 (일)",
    **{f"at risk after {year} y": f"{year}년 뒤 위험 집단" for year in range(6)},
    "of": "항목",
    "value": "값",
    "low": "하한",
    "high": "상한",
    "There is no case.": "증례가 없습니다.",
    "The risk is the same for every case: C is 0.5 whatever the truth.": (
        "모든 증례의 위험도가 같습니다. 정답과 관계없이 C는 0.5입니다."
    ),
    "No survival curve was predicted: Brier score and calibration are undefined.": (
        "생존 곡선을 예측하지 않아 Brier 점수와 보정을 구할 수 없습니다."
    ),
    "The survival curve of {} cases rises, which no survival does.": (
        "{}건의 생존 곡선이 올라갑니다. 생존 확률은 올라갈 수 없습니다."
    ),
    "The survival at one year is lower where the risk is lower: is the risk's sign right?": (
        "위험도가 낮은 증례의 1년 생존 확률이 더 낮습니다. 위험도의 부호가 맞습니까?"
    ),
}
KOREAN_TERTILES = {"low risk": "저위험", "middle risk": "중간 위험", "high risk": "고위험"}


def panel(truth: Arrays, view: View) -> dict[str, Any]:
    """Return what the page shows: the facts as curves, tables and notes."""
    found = facts(truth, view)
    if not len(view.follow_up):
        return in_korean({"notes": note("To know", ["There is no case."])}, KOREAN)
    title = f"Kaplan-Meier by tertile of risk ({_p_words(found['logrank_p'])})"
    shown: dict[str, Any] = {
        "kaplan_meier": _lines(title, "Years", "Alive", found["kaplan_meier"]),
        "at_risk": table("Tertiles of risk, and how many are still at risk", found["at_risk"]),
    }
    if found["calibration"]["x"]:
        series = [{"name": "Tenths of predicted risk", **found["calibration"]}]
        shown["calibration"] = curve(
            "Calibration at one year", "Predicted risk of death", "Observed (Kaplan-Meier)", series
        )
        shown["calibration_in_numbers"] = table("Calibration", found["calibration_in_numbers"])
    if found["auc"]["x"]:
        series = [{"name": "AUC", **found["auc"]}]
        shown["auc"] = _lines("AUC for death until a time", "Years", "AUC", series)
    shown["subgroups"] = {
        **table("C by subgroup, with 95 % intervals", found["subgroups"]),
        "forest": {"value": "C", "low": "low", "high": "high", "reference": 0.5},
    }
    if found["notes"]:
        shown["notes"] = note("To know", found["notes"])
    p_words = _p_words(found["logrank_p"]).replace(ONE_GROUP, "집단이 하나뿐이라 로그순위 검정 없음")
    p_words = p_words.replace("log-rank", "로그순위")
    curves = {line["name"]: _tertile_in_korean(line["name"]) for line in found["kaplan_meier"]}
    return in_korean(shown, {**KOREAN, title: f"위험도 삼분위별 Kaplan-Meier ({p_words})", **curves})


def _tertile_in_korean(name: str) -> str:
    for english, korean in KOREAN_TERTILES.items():
        name = name.replace(english, korean)
    return name


def facts(truth: Arrays, view: View) -> dict[str, Any]:
    """Return tertiles, calibration, AUC over time, subgroups and notes; every undefined number is None."""
    n = len(view.follow_up)
    ids = [str(case) for case in truth.get("id", np.arange(n))]
    counts = bootstrap_counts(ids, resamples=RESAMPLES, seed=SEED) if n else None
    groups = tertiles(view.risk)
    several = len(np.unique(groups)) > 1
    return {
        "logrank_p": known(logrank_test(view.follow_up, groups).p) if several else None,
        "kaplan_meier": [_steps(view, name, groups == k) for k, name in _there(groups)],
        "at_risk": [_tertile_row(view, name, groups == k) for k, name in _there(groups)],
        "calibration": _calibration(view),
        "calibration_in_numbers": list(_calibration_rows(view, counts)),
        "auc": _auc(view, counts),
        "subgroups": [_subgroup_row(name, rows, view, counts) for name, rows in _subgroups(truth)],
        "notes": notes(view),
    }


def notes(view: View) -> list[str]:
    """Return what an entrant should know about legal but unwise answers."""
    found = []
    if len(view.risk) > 1 and len(np.unique(view.risk)) == 1:
        found.append("The risk is the same for every case: C is 0.5 whatever the truth.")
    if view.survival is None:
        found.append("No survival curve was predicted: Brier score and calibration are undefined.")
    elif (count := int(rising(view.survival).sum())) > 0:
        found.append(f"The survival curve of {count} cases rises, which no survival does.")
    elif _against(view):
        found.append("The survival at one year is lower where the risk is lower: is the risk's sign right?")
    return found


def _against(view: View) -> bool:
    """Return whether risk and survival at one year are ordered alike, as they never should be."""
    alive = view.survival[:, view.year] if view.survival is not None else np.zeros(0)
    if len(alive) < 3 or not (np.ptp(alive) > 0 and np.ptp(view.risk) > 0):
        return False
    by_survival, by_risk = (np.argsort(np.argsort(values)).astype(float) for values in (alive, view.risk))
    return bool(np.corrcoef(by_survival, by_risk)[0, 1] > 0)


# -------------------------------------------------------------------------------------------- tertiles
def tertiles(risk: Array) -> Array:
    """Return 0, 1 or 2 for the lowest, middle and highest third of the risks; equal ones stay together."""
    lower = np.searchsorted(np.sort(risk), risk)
    return np.asarray(len(TERTILES) * lower // max(1, len(risk)))


def _there(groups: Array) -> list[tuple[int, str]]:
    return [(k, name) for k, name in enumerate(TERTILES) if (groups == k).any()]


def _steps(view: View, name: str, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the corners of a Kaplan-Meier curve with its band, in years, until the endpoint's end."""
    estimate = kaplan_meier(view.follow_up.take(rows))
    inside = estimate.times <= view.end
    falls = inside & (estimate.events > 0)
    last = min(view.end, float(estimate.times[-1]))
    days = np.concatenate([[0.0], np.repeat(estimate.times[falls], 2), [last]])

    def corners(values: Array) -> list[float]:
        after = np.concatenate([[1.0], values[falls]])
        return [float(value) for value in np.repeat(after, 2)]

    return {
        "name": f"{name} (n = {int(rows.sum())})",
        "x": [float(day) for day in days / YEAR],
        "y": corners(estimate.survival),
        "low": corners(estimate.low),
        "high": corners(estimate.high),
    }


def _tertile_row(view: View, name: str, rows: NDArray[np.bool_]) -> dict[str, Any]:
    own = view.follow_up.take(rows)
    estimate = kaplan_meier(own)
    marks = [day for day in YEARS if day <= view.end]
    return {
        "group": name,
        "n": len(own),
        "deaths": int(own.event.sum()),
        "median_in_days": None if math.isnan(estimate.median) else round(estimate.median),
        **{
            f"at_risk_after_{day / YEAR:.0f}_y": int(n)
            for day, n in zip(marks, at_risk(own, marks), strict=True)
        },
    }


# ------------------------------------------------------------------------------------------ calibration
def _calibration(view: View) -> dict[str, list[Any]]:
    """Return predicted and observed risk of death within a year in tenths of it, with the observed band."""
    empty: dict[str, list[Any]] = {"x": [], "y": [], "n": [], "low": [], "high": []}
    if view.survival is None or not view.reaches(YEAR):
        return empty
    found = risk_groups(view.follow_up, view.survival[:, view.year], YEAR)
    shown = [group for group in found if not math.isnan(group.observed)]
    return {
        "x": [group.expected for group in shown],
        "y": [group.observed for group in shown],
        "n": [group.n for group in shown],
        "low": [group.low for group in shown],
        "high": [group.high for group in shown],
    }


def _calibration_rows(view: View, counts: Array | None) -> Iterator[dict[str, Any]]:
    if view.survival is None or counts is None:
        return
    alive = view.survival[:, view.year]
    value = known(float(observed_to_expected(view.follow_up, alive, YEAR)))
    low, high = percentile_interval(observed_to_expected(view.follow_up, alive, YEAR, counts))
    yield {
        "of": "deaths within a year, observed / expected",
        "value": value,
        **_interval(low, high),
        "p": None,
    }
    end = view.until_end
    test = d_calibration_test(view.follow_up, TIMES[:end], view.survival[:, :end])
    yield {
        "of": "D-calibration, chi-square of 9 df",
        "value": known(test.statistic),
        "low": None,
        "high": None,
        "p": known(test.p),
    }


def _interval(low: float, high: float) -> dict[str, float | None]:
    return {"low": known(low), "high": known(high)}


# -------------------------------------------------------------------------------------------------- AUC
def _auc(view: View, counts: Array | None) -> dict[str, list[Any]]:
    """Return the AUC after each quarter of a year until tau, in years, with its bootstrap interval."""
    found: dict[str, list[Any]] = {"x": [], "y": [], "low": [], "high": []}
    days = [day for day in TIMES if view.tau is not None and day <= view.tau and view.reaches(day)]
    for day in days:
        value = known(float(dynamic_auc(view.follow_up, view.risk, day, view.follow_up)))
        if value is None or counts is None:
            continue
        resampled = dynamic_auc(view.follow_up, view.risk, day, view.follow_up, counts)
        ends = _interval(*percentile_interval(resampled))
        for key, part in (("x", day / YEAR), ("y", value), *ends.items()):
            found[key].append(part)
    return found


# -------------------------------------------------------------------------------------------- subgroups
def _subgroups(truth: Arrays) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield name and rows of all cases and of each subgroup that has a case, known values first."""
    yield "all", np.ones(len(truth["time"]), dtype=np.bool_)
    coded: Mapping[str, Mapping[int, str]] = {
        "grade": {2: "grade 2", 3: "grade 3", 4: "grade 4", 0: "grade unknown"},
        "idh": {0: "IDH-wildtype", 1: "IDH-mutant", UNKNOWN: "IDH unknown"},
        "gbm": {1: "glioblastoma, IDH-wildtype"},
        "sex": {1: "women", 0: "men", UNKNOWN: "sex unknown"},
    }
    for key, names in coded.items():
        if key in truth:
            yield from ((name, rows) for code, name in names.items() if (rows := truth[key] == code).any())
    if "age" in truth:
        yield from _by_age(truth["age"])


def _by_age(age: Array) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for low, high in AGES:
        rows = (age >= low) & (age < high)
        name = f"{low} years or older" if math.isinf(high) else f"{low} to {high - 1} years"
        if rows.any():
            yield name if low else f"younger than {high}", rows
    if (unknown := np.isnan(age)).any():
        yield "age unknown", unknown


def _subgroup_row(name: str, rows: NDArray[np.bool_], view: View, counts: Array | None) -> dict[str, Any]:
    own: FollowUp = view.follow_up.take(rows)
    sides = view.truth[rows], view.risk[rows]
    ends = (math.nan, math.nan)
    if counts is not None and len(own) >= FEWEST:
        ends = percentile_interval(c_index.compute(*sides, np.ascontiguousarray(counts[:, rows])))
    return {
        "subgroup": name,
        "n": len(own),
        "deaths": int(own.event.sum()),
        "C": known(float(c_index.compute(*sides))),
        **_interval(*ends),
    }


# ---------------------------------------------------------------------------------------------- drawing
def _lines(title: str, x_label: str, y_label: str, series: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return lines over years whose y axis goes from 0 to 1."""
    return {
        **curve(title, x_label, y_label, list(series)),
        "diagonal": False,
        "y_from_0_to_1": True,
    }


def _p_words(p: float | None) -> str:
    if p is None:
        return ONE_GROUP
    return "log-rank p < 0.001" if p < 0.001 else f"log-rank p = {p:.3f}"
