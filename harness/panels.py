"""Tables and curves for an entry's page, JSON-ready: what the scorers of several challenges show alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from harness.curves import OperatingPoint

__all__ = ["curve", "in_korean", "known", "note", "point_row", "reliability_curve", "roc_curve", "table"]

KOREAN: Mapping[str, str] = MappingProxyType(
    {
        "1 - specificity": "1 - 특이도",
        "Sensitivity": "민감도",
        "Mean predicted probability": "예측 확률의 평균",
        "Calibration": "보정",
        "To know": "알아 둘 점",
        "at": "기준",
        "threshold": "문턱값",
        "sensitivity": "민감도",
        "specificity": "특이도",
        "ppv in this set": "이 자료의 양성 예측도",
        "ppv in screening": "검진에서의 양성 예측도",
        "tp": "진양성",
        "fp": "위양성",
        "fn": "위음성",
        "tn": "진음성",
        "subgroup": "하위 집단",
    }
)
"""Of what this module writes itself, and of heads that several challenges share."""
NOWHERE: Mapping[str, float] = MappingProxyType({})


def known(value: float) -> float | None:
    """Return the number, or None if it is undefined."""
    return None if math.isnan(value) else float(value)


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a table of at least one row; the first row's keys are the columns, "_" in them a space."""
    columns = list(rows[0])
    words = [column.replace("_", " ") for column in columns]
    return {
        "kind": "table",
        "title": title,
        "columns": words,
        "rows": [[row[column] for column in columns] for row in rows],
    }


def note(title: str, lines: Sequence[str]) -> dict[str, Any]:
    """Return a text of several lines."""
    return {"kind": "note", "title": title, "text": "\n".join(lines)}


def curve(title: str, x_label: str, y_label: str, series: list[dict[str, Any]]) -> dict[str, Any]:
    """Return lines in the unit square with its diagonal."""
    return {
        "kind": "curve",
        "title": title,
        "x_label": x_label,
        "y_label": y_label,
        "diagonal": True,
        "series": series,
    }


def roc_curve(title: str, corners: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, Any]:
    """Return the ROC curves of `harness.curves.roc` by name, without those that have no corner."""
    series = [
        {"name": name, "x": [x for x, _ in found], "y": [y for _, y in found]}
        for name, found in corners.items()
        if found
    ]
    return curve(title, "1 - specificity", "Sensitivity", series)


def reliability_curve(title: str, observed: str, bins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the bins of `harness.curves.reliability` that hold a case; no series if none does.

    `observed` names what the y axis counts.
    """
    filled = [row for row in bins if row["n"]]
    columns = {"x": "predicted", "y": "observed", "n": "n"}
    values = {axis: [row[key] for row in filled] for axis, key in columns.items()}
    series = [{"name": "Calibration", **values}] if filled else []
    return curve(title, "Mean predicted probability", observed, series)


def point_row(
    name: str, point: OperatingPoint, prevalence: float, elsewhere: Mapping[str, float] = NOWHERE
) -> dict[str, Any]:
    """Return an operating point as a row: its PPV in the evaluated set and at the prevalences elsewhere.

    An infinite threshold, that of decisions without one, is None.
    """
    return {
        "at": name,
        "threshold": None if math.isinf(point.threshold) else point.threshold,
        "sensitivity": known(point.sensitivity),
        "specificity": known(point.specificity),
        "ppv_in_this_set": known(point.ppv(prevalence)),
        **{f"ppv_in_{place}": known(point.ppv(share)) for place, share in elsewhere.items()},
        "tp": point.tp,
        "fp": point.fp,
        "fn": point.fn,
        "tn": point.tn,
    }


def in_korean(panel: Mapping[str, Mapping[str, Any]], words: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the panel with Korean twins of its titles, axes, heads, series and notes, as `<name>_ko`.

    A text that neither `words` nor `KOREAN` has stays as it is in both languages; a note is looked up line by
    line, and `{}` in a word stands for a number or a name without a space.
    """
    known = {**KOREAN, **words}
    return {name: _with_twins(part, known) for name, part in panel.items()}


def _with_twins(part: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    single = ("title", "x_label", "y_label", "name")
    twins: dict[str, Any] = {f"{key}_ko": known[part[key]] for key in single if part.get(key) in known}
    if any(head in known for head in part.get("columns", ())):
        twins["columns_ko"] = [known.get(head, head) for head in part["columns"]]
    if part.get("kind") == "note":
        twins["text_ko"] = "\n".join(_sentence(line, known) for line in part["text"].split("\n"))
    if "series" in part:
        twins["series"] = [_with_twins(series, known) for series in part["series"]]
    return {**part, **twins}


def _sentence(line: str, known: Mapping[str, str]) -> str:
    for english, korean in known.items():
        if found := re.fullmatch(re.escape(english).replace(r"\{\}", r"(\S+?)"), line):
            return korean.format(*found.groups())
    return line
