"""What the entry's page shows beside the metrics: tables and curves, JSON-ready."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.pneumonia.names import AGENTS, BACTERIA, NORMAL, UNKNOWN, VIRUS
from harness.curves import operating_point, point_at_specificity, reliability, roc
from harness.metrics import auroc, sensitivity_at_specificity_95
from harness.panels import in_korean, known, note, point_row, reliability_curve, roc_curve, table

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays

SUBGROUPS = "By agent; AUROC and the sensitivity at 95 % specificity against the normal films"
THRESHOLD = 0.5


KOREAN = {
    "Reliability": "신뢰도",
    "Share with pneumonia": "폐렴이 있는 비율",
    "Operating points": "기준점",
    SUBGROUPS: "병원체별. AUROC와 특이도 95 %에서의 민감도는 정상 영상과 비교한 값",
    "All": "전체",
    "Bacteria against normal": "세균 대 정상",
    "Virus against normal": "바이러스 대 정상",
    "called": "양성 판정",
    "share called": "양성 판정 비율",
    "mean probability": "평균 확률",
    "sensitivity at 95 %": "특이도 95 %에서의 민감도",
    "The probability is only 0 or 1: ties count half in AUROC; submit probabilities.": (
        "확률이 0 또는 1뿐입니다. AUROC에서 동점은 절반으로 계산되니 확률을 제출하십시오."
    ),
    "The probability is the same for every case: AUROC is 0.5 whatever the truth.": (
        "모든 증례의 확률이 같습니다. 정답과 관계없이 AUROC는 0.5입니다."
    ),
    "The decisions are no threshold on the probability: a called case scores below an uncalled.": (
        "판정이 확률의 문턱값과 맞지 않습니다. 양성으로 판정한 증례의 확률이 음성으로 판정한 증례보다 "
        "낮습니다."
    ),
}


def decisions(predictions: Arrays) -> Array:
    """Return the entry's own decisions, or whether the probability is at least .5; uint8 (n,)."""
    own = predictions.get("decision")
    return np.asarray(predictions["pneumonia"] >= THRESHOLD if own is None else own, dtype=np.uint8)


def panel(truth: Arrays, predictions: Arrays) -> dict[str, Any]:
    """Return what the page shows: the facts as tables, curves and notes."""
    found = facts(truth, predictions)
    curves = {
        "roc": roc_curve("ROC", found["roc"]),
        "reliability": reliability_curve("Reliability", "Share with pneumonia", found["reliability"]),
    }
    shown: dict[str, Any] = {name: curve for name, curve in curves.items() if curve["series"]}
    shown["operating_points"] = table("Operating points", found["operating_points"])
    shown["subgroups"] = table(SUBGROUPS, found["subgroups"])
    if found["notes"]:
        shown["notes"] = note("To know", found["notes"])
    return in_korean(shown, KOREAN)


def facts(truth: Arrays, predictions: Arrays) -> dict[str, Any]:
    """Return ROC corners by subgroup, reliability, operating points, the subgroup table and notes.

    Every undefined number is None.
    """
    labels, scores, called = truth["pneumonia"], predictions["pneumonia"], decisions(predictions)
    return {
        "roc": {name: roc(truth["pneumonia"][rows], scores[rows]) for name, rows in _groups(truth)},
        "reliability": reliability(labels, scores),
        "operating_points": list(_points(labels, predictions)),
        "subgroups": [_subgroup_row(agent, truth, scores, called) for agent in _agents(truth)],
        "notes": notes(scores, called),
    }


def notes(scores: Array, called: Array) -> list[str]:
    """Return what an entrant should know about legal but unwise answers."""
    found = []
    if len(scores) > 1 and np.isin(scores, (0, 1)).all():
        found.append("The probability is only 0 or 1: ties count half in AUROC; submit probabilities.")
    elif len(scores) > 1 and len(np.unique(scores)) == 1:
        found.append("The probability is the same for every case: AUROC is 0.5 whatever the truth.")
    if called.any() and not called.all() and scores[called == 1].min() < scores[called == 0].max():
        found.append(
            "The decisions are no threshold on the probability: a called case scores below an uncalled."
        )
    return found


# --------------------------------------------------------------------------------------- subgroups
def _agents(truth: Arrays) -> list[int]:
    """Return the agents to list; the last only where there are such cases."""
    return [a for a in range(len(AGENTS)) if a != UNKNOWN or (truth["agent"] == UNKNOWN).any()]


def _against_normal(truth: Arrays, agent: int) -> Array:
    return np.isin(truth["agent"], (NORMAL, agent))


def _subgroup_row(agent: int, truth: Arrays, scores: Array, called: Array) -> dict[str, Any]:
    own = truth["agent"] == agent
    rows = _against_normal(truth, agent)
    n, calls = int(own.sum()), int(called[own].sum())
    area = float(auroc.compute(truth["pneumonia"][rows], scores[rows]))
    high = float(sensitivity_at_specificity_95.compute(truth["pneumonia"][rows], scores[rows]))
    return {
        "subgroup": AGENTS[agent],
        "n": n,
        "called": calls,
        "share_called": calls / n if n else None,
        "mean_probability": float(scores[own].mean()) if n else None,
        "auroc": None if agent == NORMAL else known(area),
        "sensitivity_at_95_%": None if agent == NORMAL else known(high),
    }


def _groups(truth: Arrays) -> Iterator[tuple[str, Array]]:
    """Yield name and rows of all cases, and of each agent with the normal ones."""
    yield "All", np.ones(len(truth["agent"]), dtype=np.bool_)
    for agent in (BACTERIA, VIRUS):
        yield f"{AGENTS[agent].capitalize()} against normal", _against_normal(truth, agent)


# -------------------------------------------------------------------------------- operating points
def _points(labels: Array, predictions: Arrays) -> Iterator[dict[str, Any]]:
    scores, prevalence = predictions["pneumonia"], float(labels.mean()) if len(labels) else math.nan
    if "decision" in predictions:
        own = operating_point(labels, predictions["decision"], 1)
        yield point_row("the entry's decisions", replace(own, threshold=math.inf), prevalence)
    yield point_row(f"threshold {THRESHOLD}", operating_point(labels, scores, THRESHOLD), prevalence)
    for percent in (90, 95):
        point = point_at_specificity(labels, scores, percent)
        yield point_row(f"specificity >= {percent} %", point, prevalence)
