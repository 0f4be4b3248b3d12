"""The glioma challenge end to end: a clinical model on phantom patients, trained and by file."""

from __future__ import annotations

from typing import Any

from tests.conftest import Workplace

RUN = ("run", "challenge=glioma", "submission=glioma_clinical", "phantom=smoke", "folds=2")


def newest(workplace: Workplace, name: str) -> dict[str, Any]:
    """Return the newest record of an entry."""
    return [record for record in workplace.records("glioma") if record["entry"]["name"] == name][-1]


def test_a_clinical_model_is_trained_scored_and_shown(workplace: Workplace) -> None:
    """Better than the constant answer on both halves; its file scores the same; a track is a board."""
    workplace.harness(*RUN)
    record = newest(workplace, "glioma_clinical")

    assert record["cv"]["metrics"]["c_index"]["value"] > 0.6
    assert record["test"]["metrics"]["c_index"]["value"] > 0.6
    assert record["test"]["metrics"]["brier_1yr"]["value"] < 0.25
    assert record["test"].get("panel", {}) == {}
    assert {"kaplan_meier", "auc", "calibration", "subgroups"} <= set(record["cv"]["panel"])
    output = workplace.root / "runs/glioma" / record["run_id"] / "predictions/output_test.csv"
    workplace.harness("score", "challenge=glioma", "phantom=smoke", f"predictions={output}", "name=by_file")
    assert newest(workplace, "by_file")["test"]["metrics"] == record["test"]["metrics"]
    page = next((workplace.root / "site").rglob("*glioma_clinical*.html")).read_text()
    assert 'class="band"' in page
    assert "Kaplan-Meier by tertile of risk" in page
    assert '<td class="plot"><svg' in page
    workplace.harness(*RUN, "external=none", "endpoint=1yr")
    other = newest(workplace, "glioma_clinical")
    assert other["data"]["options"] == {"endpoint": "1yr", "cohort": "all", "external": "none"}
    assert other["test"] is None
