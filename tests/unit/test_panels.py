"""Tables and curves that the scorers of several challenges share."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from harness import catalog
from harness.config import chosen
from harness.curves import operating_point, point_at_specificity, reliability, roc
from harness.panels import in_korean, known, note, point_row, reliability_curve, roc_curve, table
from harness.records import Half
from harness.segmentation.editions import EDITIONS
from leaderboard.panels import panel_views
from leaderboard.wording import korean

TRUTH = np.array([1, 0, 1, 1, 0, 0, 0, 1], dtype=np.uint8)
SCORES = np.array([0.9, 0.1, 0.4, 0.8, 0.6, 0.1, 0.2, 0.7])


def test_every_panel_is_json_that_the_page_can_show() -> None:
    """Each kind is known to the leaderboard, and no number in it is NaN or infinite."""
    point = point_at_specificity(TRUTH, SCORES, 90)
    panel = {
        "table": table("Points", [point_row("90 %", point, 0.5, {"screening": 0.03})]),
        "roc": roc_curve("ROC", {"all": roc(TRUTH, SCORES)}),
        "reliability": reliability_curve("Reliability", "Share", reliability(TRUTH, SCORES)),
        "note": note("To know", ["one", "two"]),
    }
    json.dumps(panel, allow_nan=False)
    views = panel_views(Half(8, 8, {}, panel))
    assert [view.kind for view in views] == ["table", "curve", "curve", "note"]


def test_an_undefined_number_is_none() -> None:
    """NaN has no place in JSON; a numpy number becomes a plain one."""
    assert known(math.nan) is None
    assert type(known(np.float64(0.5))) is float


def test_an_infinite_threshold_is_none_and_a_ppv_follows_its_prevalence() -> None:
    """Without a positive call there is no PPV; elsewhere stands after the evaluated set."""
    point = operating_point(TRUTH, SCORES, 0.5)
    row = point_row("0.5", point, 0.5, {"screening": 0.03})
    assert list(row)[3:6] == ["specificity", "ppv_in_this_set", "ppv_in_screening"]
    sensitivity, false = 3 / 4, 1 / 4
    assert row["ppv_in_screening"] == pytest.approx(sensitivity * 0.03 / (sensitivity * 0.03 + false * 0.97))
    nobody = operating_point(TRUTH, SCORES, math.inf)
    assert (
        point_row("none", nobody, 0.5)["threshold"],
        point_row("none", nobody, 0.5)["ppv_in_this_set"],
    ) == (
        None,
        None,
    )


def test_what_is_empty_is_left_out_of_the_curves() -> None:
    """A class that is not there has no ROC; a bin without a case has no point."""
    assert roc_curve("ROC", {"all": roc(TRUTH, SCORES), "none": []})["series"][0]["name"] == "all"
    assert len(roc_curve("ROC", {"all": roc(TRUTH, SCORES), "none": []})["series"]) == 1
    (series,) = reliability_curve("R", "Share", reliability(TRUTH, SCORES))["series"]
    assert sum(series["n"]) == len(TRUTH)
    assert len(series["x"]) == len(series["y"]) == len(series["n"]) < 10
    empty = reliability(TRUTH[:0], SCORES[:0])
    assert reliability_curve("R", "Share", empty)["series"] == []


def test_a_change_of_the_panels_asks_for_scoring_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scoring digest of every challenge covers what this module shows."""
    read = []
    digest = catalog.digest
    monkeypatch.setattr(catalog, "digest", lambda files, base: read.extend(files) or digest(files, base))
    assert catalog.challenge("kium").scoring_digest
    assert "panels.py" in {path.name for path in read}


def test_titles_heads_axes_and_series_have_korean_twins() -> None:
    """Those that are known; the rest is the same in both languages, and the English panel is unchanged."""
    panel = {
        "table": table("Points", [{"at": 1, "unknown": 2}]),
        "roc": roc_curve("ROC", {"all": roc(TRUTH, SCORES)}),
        "note": note("To know", ["one", "12 cases of 2023-met."]),
    }
    shown = in_korean(panel, {"Points": "기준점", "all": "전체", "{} cases of {}.": "{1}의 {0}건."})
    assert {key: shown["table"][key] for key in panel["table"]} == panel["table"]
    points, curve, told = panel_views(Half(8, 8, {}, json.loads(json.dumps(shown))))
    assert (points.title, korean(points.title)) == ("Points", "기준점")
    assert [korean(head) for head in points.columns] == ["기준", "unknown"]
    assert points.columns == ("at", "unknown")
    assert curve.chart is not None
    assert (korean(curve.chart.y_label), korean(curve.chart.series[0].name)) == ("민감도", "전체")
    assert (curve.title, korean(curve.title)) == ("ROC", "ROC")
    assert korean(told.title) == "알아 둘 점"
    assert (told.text, korean(told.text)) == ("one 12 cases of 2023-met.", "one 2023-met의 12건.")


@pytest.mark.parametrize("name", ["brats", "glioma", "kium", "pneumonia"])
def test_every_sentence_of_a_note_has_a_korean_twin(name: str) -> None:
    """Whatever a challenge's own code may say in a note, read from the code itself, is in its vocabulary."""
    module = importlib.import_module(f"challenges.{name}.panel")
    if name == "brats":
        said = [line for edition in EDITIONS.values() for line in module.definitions(edition)]
    else:
        tree = ast.parse(inspect.getsource(module.notes))
        said = [text(call.args[0]) for call in ast.walk(tree) if isinstance(call, ast.Call) and call.args
                and isinstance(call.func, ast.Attribute) and call.func.attr == "append"]  # fmt: skip
    assert said
    for line in said:
        twin = in_korean({"note": note("To know", [line])}, module.KOREAN)["note"]["text_ko"]
        assert re.search("[가-힣]", twin), line


def text(node: ast.expr) -> str:
    """Return a string of the code, with 7 for every value in it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "7"


@pytest.mark.parametrize("twins", [["only one"], "no list", [1, 2], None])
def test_a_twin_of_another_shape_is_left_out(twins: object) -> None:
    """The table is shown with its English heads."""
    panel = {**table("Points", [{"a": 1, "b": 2}]), "columns_ko": twins, "title_ko": 7}
    (view,) = panel_views(Half(8, 8, {}, {"table": panel}))
    assert (view.kind, view.columns, korean(view.title)) == ("table", ("a", "b"), "Points")
    assert [korean(head) for head in view.columns] == ["a", "b"]


def test_a_twin_is_text_like_everything_in_a_record() -> None:
    """Markup in it is escaped, in both languages."""
    panel = {**note("<b>", ["x"]), "title_ko": "<i>한</i>"}
    (view,) = panel_views(Half(8, 8, {}, {"note": panel}))
    html = view.title.__html__()  # type: ignore[attr-defined]
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&lt;i&gt;한" in html


@pytest.mark.parametrize("name", ["kium", "pneumonia", "glioma", "brats"])
def test_every_title_of_a_challenges_panel_is_translated(name: str, tmp_path: Path) -> None:
    """On phantom patients; ROC, AUC, C, n and the like are the same in both languages."""
    challenge = catalog.challenge(name)
    challenge.phantom.write(tmp_path, size="smoke")
    cases = challenge.data.read(tmp_path, None, chosen(challenge.card.options, {})).development
    truth = cases.truth or {}
    _, predictions = next(reversed(challenge.scorer.references(truth, cases).values()))
    panel = challenge.scorer.panel({**truth, "id": np.array(cases.ids)}, predictions)
    assert {part["title"] for part in panel.values() if "title_ko" not in part} <= {"ROC"}
    assert all("columns_ko" in part for part in panel.values() if part["kind"] == "table")
    assert [view.kind for view in panel_views(Half(1, 1, {}, panel))] == [p["kind"] for p in panel.values()]
