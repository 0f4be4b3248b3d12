"""Tables and curves that the scorers of several challenges share."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from harness import catalog
from harness.curves import operating_point, point_at_specificity, reliability, roc
from harness.panels import known, note, point_row, reliability_curve, roc_curve, table
from harness.records import Half
from leaderboard.panels import panel_views

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
