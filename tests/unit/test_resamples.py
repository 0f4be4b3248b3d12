"""The resamples beside a record: what is stored, that it is the record's own interval, and that it is private."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from harness import compose, score
from harness.catalog import Challenge, challenge
from harness.config import ScoreConfig
from harness.contracts import Case, CaseSet, Dataset
from harness.records import load, load_all
from harness.resamples import FILE, Resamples, as_bytes, draws_of, from_file
from harness.scoring import RESAMPLES, SEED, resampled, score_half
from harness.statistics import bootstrap_counts, percentile_interval
from tests.toy import CARD, DATA, PHANTOM, SCORER


def stored() -> Resamples:
    """Return resamples of two metrics, one of them undefined once."""
    values = {"a": np.array([0.1, 0.2, 0.3]), "b": np.array([1.0, np.nan, 2.0])}
    return Resamples("d" * 64, 7, values, np.array([0.5, np.nan]))


def test_halves_read_back_as_they_were_written(tmp_path: Path) -> None:
    """To the last bit, NaN included; a half that is not there is None."""
    (tmp_path / FILE).write_bytes(as_bytes({"cv": stored()}))
    found = from_file(tmp_path / FILE, "cv")
    assert found is not None
    assert (found.draws, found.patients, list(found.values)) == ("d" * 64, 7, ["a", "b"])
    for key, values in stored().values.items():
        assert np.array_equal(found.values[key], values, equal_nan=True)
    assert found.parts is not None
    assert np.array_equal(found.parts, [0.5, np.nan], equal_nan=True)
    assert from_file(tmp_path / FILE, "test") is None


def spoilt(**arrays: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of a file, with some of them replaced."""
    about = '{"draws": "d", "patients": 7, "metrics": ["a"]}'
    return {"cv/about": np.array(about), "cv/values": np.zeros((1, 3))} | {
        f"cv/{k}": v for k, v in arrays.items()
    }


@pytest.mark.parametrize(
    "arrays",
    [
        spoilt(values=np.zeros((2, 3))),
        spoilt(values=np.zeros(3)),
        spoilt(values=np.zeros((1, 3), dtype=np.float32)),
        spoilt(values=np.full((1, 3), np.inf)),
        spoilt(parts=np.zeros((2, 2))),
        spoilt(about=np.array("[1, 2]")),
        spoilt(about=np.array("no json")),
        spoilt(about=np.array('{"draws": "d", "patients": "7", "metrics": ["a"]}')),
        spoilt(about=np.array('{"draws": "d", "patients": 7, "metrics": [["a"]]}')),
    ],
)
def test_what_is_no_file_of_resamples_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Arrays that do not fit, by a sentence and not by a crash in the board."""
    np.savez(tmp_path / FILE, **arrays)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="holds no resamples"):
        from_file(tmp_path / FILE, "cv")


def test_a_damaged_or_pickled_file_is_refused(tmp_path: Path) -> None:
    """Half a file, and one that would run code when unpickled."""
    whole = as_bytes({"cv": stored()})
    (tmp_path / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="holds no resamples"):
        from_file(tmp_path / FILE, "cv")
    np.savez(tmp_path / FILE, **{"cv/about": np.array([{"draws": 1}], dtype=object)})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="holds no resamples"):
        from_file(tmp_path / FILE, "cv")
    with pytest.raises(FileNotFoundError):
        from_file(tmp_path / "none.npz", "cv")


def test_the_draws_are_named_by_cases_patients_seed_and_number() -> None:
    """Any order of the cases is the same draws; another patient, seed or number is another."""
    cases = [Case("a", "p", ()), Case("b", "p", ()), Case("c", "q", ())]
    name = draws_of(cases, 1000, 1)
    assert draws_of(cases[::-1], 1000, 1) == name
    others = [
        draws_of(cases[:2], 1000, 1),
        draws_of([*cases[:2], Case("c", "p", ())], 1000, 1),
        draws_of(cases, 999, 1),
        draws_of(cases, 1000, 2),
    ]
    assert len({name, *others}) == 5


# --------------------------------------------------------------------------------- in a run
@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Challenge, Dataset]:
    """Return a small challenge in the working folder, and its phantom cases."""
    folder = tmp_path / "challenges" / "toy"
    folder.mkdir(parents=True)
    (folder / "challenge.yaml").write_text(CARD)
    for name, text in (("data", DATA), ("phantom", PHANTOM), ("scorer", SCORER)):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    unit = challenge("toy")
    (tmp_path / "phantom").mkdir()
    unit.phantom.write(tmp_path / "phantom")
    return unit, unit.data.read(tmp_path / "phantom", None, {})


def guesses(cases: CaseSet, seed: int) -> dict[str, np.ndarray]:
    """Return probabilities that know something."""
    labels = (cases.truth or {})["label"]
    return {"label": np.clip(labels * 0.3 + np.random.default_rng(seed).random(len(labels)) * 0.7, 0, 1)}


def test_the_stored_values_are_the_metric_on_the_drawn_patients(toy: tuple[Challenge, Dataset]) -> None:
    """Row k is the scorer's value with the k-th draw, and the record's interval is their quantiles."""
    unit, data = toy
    predictions = guesses(data.test, 0)
    found = resampled(unit.scorer, data.test, predictions)
    counts = bootstrap_counts([case.patient for case in data.test.cases], RESAMPLES, SEED)
    repeated = np.repeat(np.arange(100), counts[3])
    truth = {key: values[repeated] for key, values in (data.test.truth or {}).items()}
    drawn = unit.scorer.score(truth, {"label": predictions["label"][repeated]})
    assert found.values["auroc"][3] == pytest.approx(float(drawn["auroc"]), abs=1e-12)
    assert found.patients == 50
    half = score_half(unit.scorer, data.test, predictions, sealed=True)
    interval = half.metrics["auroc"]
    assert (interval.low, interval.high) == percentile_interval(found.values["auroc"])
    assert half == score_half(unit.scorer, data.test, predictions, sealed=True, drawn=found)


def test_the_parts_are_sorted_by_case(toy: tuple[Challenge, Dataset]) -> None:
    """Two entries whose cases came in another order have theirs side by side."""
    unit, data = toy
    order = np.random.default_rng(1).permutation(100)
    predictions = guesses(data.test, 0)
    turned = CaseSet(
        tuple(data.test.cases[k] for k in order), {"label": (data.test.truth or {})["label"][order]}
    )
    plain = resampled(unit.scorer, data.test, predictions)
    again = resampled(unit.scorer, turned, {"label": predictions["label"][order]})
    assert plain.draws == again.draws
    assert np.array_equal(plain.values["auroc"], again.values["auroc"])
    assert plain.parts is not None
    assert again.parts is not None
    assert np.array_equal(plain.parts, again.parts)


def test_predictions_that_do_not_cover_the_cases_are_not_resampled(toy: tuple[Challenge, Dataset]) -> None:
    """Nothing missing leaves the denominator."""
    unit, data = toy
    with pytest.raises(ValueError, match="100 cases"):
        resampled(unit.scorer, data.test, {"label": np.zeros(99)})


def test_scoring_a_file_stores_private_resamples_and_the_same_command_fills_them_in(
    toy: tuple[Challenge, Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of before there were resamples is scored again by the command that scored it; then it stands."""
    unit, _ = toy
    monkeypatch.setattr(unit.scorer, "read_predictions", lambda path, cases: guesses(cases, 0), raising=False)
    monkeypatch.setattr(score.catalog, "challenge", lambda *_: unit)
    (tmp_path / "output.csv").write_text("the same bytes\n")
    words = ["challenge=toy", "predictions=output.csv"]
    config = ScoreConfig(challenge="toy", predictions=Path("output.csv"))
    first = score.score(config, words)
    file = tmp_path / "runs" / "toy" / first.run_id / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert from_file(file, "cv") is None
    found = from_file(file, "test")
    assert found is not None
    assert first.test is not None
    value = first.test.metrics["auroc"]
    assert (value.low, value.high) == percentile_interval(found.values["auroc"])
    assert score.score(config, words).run_id == first.run_id
    file.unlink()
    again = score.score(config, words)
    assert again.run_id != first.run_id
    assert again.test == first.test
    assert from_file(tmp_path / "runs" / "toy" / again.run_id / FILE, "test") is not None
    references = [r for r in load_all(tmp_path / "runs", "toy") if r.entry.route == "reference"]
    assert len(references) == 1
    assert compose.has_resamples(tmp_path / "runs", references[0])
    assert load(file.parent) == first
