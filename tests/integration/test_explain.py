"""`harness explain` on a challenge small enough: one fold is honest, the others try to send what is no map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cells import seed_of
from harness.config import ExplainConfig, parse_words
from harness.errors import UserError
from harness.explain import explain
from tests.conftest import Workplace
from tests.spots import MODEL, write_entry, write_spots

FOLDS = 5
CASES = ",".join(f"development{k:02d}" for k in range(20))
HOSTILE = (
    MODEL.replace(
        """    def explained_output(self, batch):
        return self(batch)
""",
        f"""    @property
    def fold(self):
        return {[seed_of(0, fold) for fold in range(FOLDS)]}.index(torch.initial_seed())

    @property
    def explained_layer(self):
        if self.fold == 1:
            raise AttributeError
        return "look"

    def explained_output(self, batch):
        return self(batch)[:, None] if self.fold == 4 else self(batch)
""",
    )
    .replace('    explained_layer = "look"\n\n', "")
    .replace(
        "    def predict_step",
        """    def on_predict_end(self):
        import harness.training as training
        if self.fold == 2:
            training.grad_cam = lambda *_: torch.full((1, 16, 16), float("nan"))
        if self.fold == 3:
            training._explained = lambda *_: {"map/%d" % k: torch.zeros(1, 1000, 1000).numpy() for k in range(4)}

    def predict_step""",
    )
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A working folder with one finished run."""
    place = Workplace(tmp_path_factory.mktemp("explain"))
    write_spots(place.root)
    place.harness("run", "challenge=spots", write_entry(place.root, "sly", HOSTILE))
    return place


def run_id(place: Workplace) -> str:
    """Return the only run of code."""
    found: str = place.records("spots")[-1]["run_id"]
    return found


def explained(place: Workplace) -> list[Path]:
    """Return the folders of stored maps."""
    return sorted(path.parent for path in place.root.glob("runs/spots/.explained/*/*/explained.json"))


def test_an_honest_fold_is_explained_and_what_is_no_map_is_refused(place: Workplace) -> None:
    """All 20 cases are asked for: four folds fail by their reason with nothing stored, one shows the spots."""
    printed = place.harness("explain", f"run={run_id(place)}", f"cases={CASES}", code=1)
    again = place.harness("explain", f"run={run_id(place)}", "cases=best:1", "fold=0")

    for fold, reason in (
        (1, "Model has no explained_layer, so nothing can be explained. Add explained_layer"),
        (2, "holds nan (256 such values)"),
        (3, "map/0: shape (1, 1000, 1000) where (1, 16, 16) is expected"),
        (4, "explained_output returned (1, 1) for a batch of 1"),
    ):
        line = next(line for line in printed.splitlines() if f"fold {fold}: FAILED" in line)
        assert "FAILED (predictions)" in line
        assert reason in line
    assert "Already explained: 1 of 1 case." in again
    assert "to train again" not in again

    found: list[dict[str, Any]] = [json.loads((f / "explained.json").read_text()) for f in explained(place)]
    assert [item["fold"] for item in found] == [0] * 4
    assert all(item["differs"] == 0.0 for item in found)
    for folder, item in zip(explained(place), found, strict=True):
        with np.load(folder / "map.npz", allow_pickle=False) as archive:
            heat = archive["map"]
        assert heat.shape == (1, 16, 16)
        if item["truth"] == [["spot", 1]]:
            _, row, column = np.unravel_index(int(heat.argmax()), heat.shape)
            assert 0 <= row <= 6
            assert 8 <= column <= 14
    assert any(item["truth"] == [["spot", 1]] for item in found)
    page = next(place.root.glob("site/spots/*/entries/sly*.html")).read_text(encoding="utf-8")
    assert "are exactly the stored out-of-fold ones" in page
    assert all(item["case"] in page for item in found)


def mistake(place: Workplace, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """Return the sentence that the verb answers, without a process of its own."""
    monkeypatch.chdir(place.root)
    with pytest.raises(UserError) as found:
        explain(parse_words(ExplainConfig, words), words)
    return str(found.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run=nobody",), "No run 'nobody' in runs. The newest: "),
        (("run=../../etc",), "No run '../../etc'"),
        (("run=ID", "cases=test00"), "is of the test set, which stays sealed"),
        (("run=ID", "fold=7"), "has the folds 0 to 4, but got fold=7"),
        (("run=ID", "case=x"), "Did you mean 'cases'?"),
    ],
)
def test_a_users_mistake_is_one_sentence(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    """And nothing is trained."""
    assert sentence in mistake(place, monkeypatch, *(word.replace("ID", run_id(place)) for word in words))


def test_a_changed_entry_cannot_be_explained_as_the_old_one(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maps would be another model's."""
    model = place.root / "entries/sly/model.py"
    before = model.read_text()
    model.write_text(before + "\n# changed\n")
    try:
        said = mistake(place, monkeypatch, f"run={run_id(place)}")
    finally:
        model.write_text(before)

    assert "the files of sly have changed since" in said
