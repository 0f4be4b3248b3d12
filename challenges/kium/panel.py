"""What the entry's page shows beside the metrics: tables and curves, JSON-ready."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from challenges.kium.columns import LOCATIONS, RARE
from harness.curves import operating_point, point_at_specificity, reliability, roc
from harness.metrics import auroc, f1_micro
from harness.panels import in_korean, known, note, point_row, reliability_curve, roc_curve, table

if TYPE_CHECKING:
    from harness.contracts import Array, Arrays

POOLED = f"rare posterior ({', '.join(RARE)})"
POINTS = "Aneurysm at three operating points; PPV in this set and at a screening prevalence of 3 %"
SCREENING = 0.03
"""Prevalence of unruptured aneurysms in a screened population; the contest's is .464."""


KOREAN = {
    "ROC (aneurysm)": "ROC (동맥류)",
    "Reliability (aneurysm)": "신뢰도 (동맥류)",
    "Share with an aneurysm": "동맥류가 있는 비율",
    POINTS: "세 기준점에서의 동맥류. 양성 예측도는 이 자료에서, 그리고 유병률 3 %인 검진에서의 값",
    "Locations": "위치",
    "location": "위치",
    "positives": "양성",
    "{} cases have Aneurysm below 0.5 and a location all the same.": (
        "{}건은 Aneurysm이 0.5 미만인데도 위치가 표시되어 있습니다."
    ),
    "Aneurysm is only 0 or 1: ties count half in AUROC; submit probabilities.": (
        "Aneurysm이 0 또는 1뿐입니다. AUROC에서 동점은 절반으로 계산되니 확률을 제출하십시오."
    ),
    "Aneurysm is the same for every case: AUROC is 0.5 whatever the truth.": (
        "모든 증례의 Aneurysm이 같습니다. 정답과 관계없이 AUROC는 0.5입니다."
    ),
}


def panel(truth: Arrays, predictions: Arrays) -> dict[str, Any]:
    """Return what the page shows: the facts as tables, curves and notes."""
    found = facts(truth, predictions)
    curves = {
        "roc": roc_curve("ROC (aneurysm)", {"ROC": found["roc"]}),
        "reliability": reliability_curve(
            "Reliability (aneurysm)", "Share with an aneurysm", found["reliability"]
        ),
    }
    shown: dict[str, Any] = {name: curve for name, curve in curves.items() if curve["series"]}
    shown["operating_points"] = table(POINTS, found["operating_points"])
    shown["locations"] = table("Locations", found["locations"])
    if found["notes"]:
        shown["notes"] = note("To know", found["notes"])
    return in_korean(shown, KOREAN)


def facts(truth: Arrays, predictions: Arrays) -> dict[str, Any]:
    """Return the location table, ROC corners, reliability, operating points and notes.

    Every undefined number is None. `prevalence` is the evaluated set's own.
    """
    labels, scores = truth["aneurysm"], predictions["aneurysm"]
    prevalence = float(labels.mean()) if len(labels) else math.nan
    points = {
        "threshold 0.5": operating_point(labels, scores, 0.5),
        "specificity >= 90 %": point_at_specificity(labels, scores, 90),
        "specificity >= 95 %": point_at_specificity(labels, scores, 95),
    }
    return {
        "prevalence": known(prevalence),
        "locations": location_table(truth["locations"], predictions),
        "roc": roc(labels, scores),
        "reliability": reliability(labels, scores),
        "operating_points": [
            point_row(name, point, prevalence, {"screening": SCREENING}) for name, point in points.items()
        ],
        "notes": notes(scores, predictions["locations"]),
    }


def location_table(truth: Array, predictions: Arrays) -> list[dict[str, Any]]:
    """Return a row for each location, and one in which the rare posterior ones are pooled.

    Of the pooled row the cells are counted together, so that six labels with a handful of patients
    say something; it has no AUROC, since scores of different labels are not on one scale.
    """
    decisions, scores = predictions["locations"], predictions.get("location_scores")
    rows = [
        _location_row(name, truth[:, k], decisions[:, k], None if scores is None else scores[:, k])
        for k, name in enumerate(LOCATIONS)
    ]
    rare = [LOCATIONS.index(name) for name in RARE]
    pooled = _location_row(POOLED, truth[:, rare].ravel(), decisions[:, rare].ravel(), None)
    return [*rows, pooled]


def notes(scores: Array, decisions: Array) -> list[str]:
    """Return what an entrant should know about legal but unwise answers."""
    found = []
    against = int(((scores < 0.5) & decisions.any(axis=1)).sum())
    if against:
        found.append(f"{against} cases have Aneurysm below 0.5 and a location all the same.")
    if len(scores) > 1 and np.isin(scores, (0, 1)).all():
        found.append("Aneurysm is only 0 or 1: ties count half in AUROC; submit probabilities.")
    elif len(scores) > 1 and len(np.unique(scores)) == 1:
        found.append("Aneurysm is the same for every case: AUROC is 0.5 whatever the truth.")
    return found


def _location_row(name: str, truth: Array, decisions: Array, scores: Array | None) -> dict[str, Any]:
    point = operating_point(truth, decisions, 1)
    return {
        "location": name,
        "n": len(truth),
        "positives": point.tp + point.fn,
        "auroc": None if scores is None else known(float(auroc.compute(truth, scores))),
        "sensitivity": known(point.sensitivity),
        "specificity": known(point.specificity),
        "f1": known(float(f1_micro.compute(truth, decisions))),
        "tp": point.tp,
        "fp": point.fp,
        "fn": point.fn,
        "tn": point.tn,
    }
