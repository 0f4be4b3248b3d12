"""Phantom films: the real layout, the real shares, no shortcut, and defects that the reader finds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from challenges.pneumonia import data, phantom
from challenges.pneumonia.names import AGENTS
from harness.errors import UserError
from harness.metrics import auroc

KAGGLE, MNIST = {"variant": "kaggle"}, {"variant": "mnist28"}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest cohort."""
    root = tmp_path_factory.mktemp("films") / "data"
    phantom.write(root, size="smoke")
    return root


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort of a run without data."""
    root = tmp_path_factory.mktemp("films") / "data"
    phantom.write(root)
    return root


def digests(root: Path) -> dict[str, str]:
    """Return the content hash of every file."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_same_bytes(smoke: Path, tmp_path: Path) -> None:
    """A second writing is byte-identical; another seed shares no film."""
    phantom.write(tmp_path / "again", size="smoke")
    phantom.write(tmp_path / "other", size="smoke", seed=1)

    assert digests(tmp_path / "again") == digests(smoke)
    assert not set(digests(tmp_path / "other").values()) & set(digests(smoke).values())


@pytest.mark.parametrize("variant", [KAGGLE, MNIST], ids=lambda v: v["variant"])
def test_the_reader_takes_phantom_films_for_real_ones(smoke: Path, variant: dict[str, str]) -> None:
    """Both variants hold the same numbers of ill and healthy films."""
    dataset = data.read(smoke, None, variant)
    truths = [half.truth or {} for half in (dataset.development, dataset.test)]

    assert [Counter(truth["pneumonia"].tolist()) for truth in truths] == [{0: 6, 1: 18}, {0: 4, 1: 8}]
    assert data.decode(dataset.test.cases[0], {"size": 28})["image"].shape == (1, 28, 28)


def test_labels_and_children_are_those_of_the_description(small: Path) -> None:
    """phantom.json says which agent every film has; some children have several films, none two agents."""
    dataset = data.read(small, None, KAGGLE)
    described = json.loads((small / "phantom.json").read_text())["cases"]
    cases = [*dataset.development.cases, *dataset.test.cases]
    agents = np.concatenate([(half.truth or {})["agent"] for half in (dataset.development, dataset.test)])
    films_of = Counter(case.patient for case in cases)

    assert len(described) == len(cases) == 620
    assert Counter(AGENTS[agent] for agent in agents) == {"normal": 180, "bacteria": 282, "virus": 158}
    assert max(films_of.values()) > 1
    assert len({(case.patient, agent) for case, agent in zip(cases, agents, strict=True)}) == len(films_of)


def test_global_statistics_tell_little(small: Path) -> None:
    """A logistic regression on brightness, contrast, size and proportions stays under an AUROC of .65."""
    import cv2
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    dataset = data.read(small, None, KAGGLE)

    def features(halves: object) -> np.ndarray:
        found = []
        for case in halves.cases:  # type: ignore[attr-defined]
            image = cv2.imread(str(case.files[0]), cv2.IMREAD_GRAYSCALE).astype(float)
            size = case.files[0].stat().st_size
            found.append([image.mean(), image.std(), *image.shape, image.shape[0] / image.shape[1], size])
        return np.array(found)

    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(features(dataset.development), (dataset.development.truth or {})["pneumonia"])
    scores = model.predict_proba(features(dataset.test))[:, 1]

    assert float(auroc.compute((dataset.test.truth or {})["pneumonia"], scores)) < 0.65


@pytest.mark.parametrize("name", sorted(phantom.DEFECTS))
def test_a_defect_is_found_and_named(tmp_path: Path, name: str) -> None:
    """By the reader or, for an image cut off, by the decoder; leavings and a copy within a class are none."""
    phantom.write(tmp_path / "data", size="smoke")
    path = phantom.defect(tmp_path / "data", name)
    if name in ("duplicate_image", "stray_file"):
        assert len(data.read(tmp_path / "data", None, KAGGLE).development.cases) == 24
        return
    with pytest.raises(UserError, match=path.stem if path.suffix else path.name):
        dataset = data.read(tmp_path / "data", None, KAGGLE)
        for case in (*dataset.development.cases, *dataset.test.cases):
            data.decode(case, {"size": 28})


def test_impossible_wishes_are_refused(smoke: Path, tmp_path: Path) -> None:
    """An unknown size, no difficulty, and a folder in use; nothing is written."""
    with pytest.raises(UserError, match="Did you mean 'small'"):
        phantom.write(tmp_path / "data", size="smal")
    with pytest.raises(UserError, match="above 0"):
        phantom.write(tmp_path / "data", difficulty=0)
    before = digests(smoke)
    with pytest.raises(UserError, match="not empty"):
        phantom.write(smoke, size="smoke", seed=1)

    assert not (tmp_path / "data").exists()
    assert digests(smoke) == before
