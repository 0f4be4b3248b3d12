"""The prepared store: decoded once, keyed by content, shared."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from harness import catalog
from harness.config import RunConfig
from harness.errors import UserError
from harness.prepare import digests_of, fingerprint, prepare
from harness.source import open_source

KIUM = catalog.challenge("kium")


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of smoke-sized phantom patients."""
    root = tmp_path_factory.mktemp("phantom")
    KIUM.phantom.write(root, size="smoke")
    return root


def test_every_case_is_decoded_once_and_then_never(patients: Path, tmp_path: Path) -> None:
    """The second call decodes nothing and returns the same folder."""
    data = KIUM.data.read(patients)
    first = prepare(KIUM, data, digests_of(data), {"size": 32}, tmp_path)
    second = prepare(KIUM, data, digests_of(data), {"size": 32}, tmp_path)

    assert first.decoded == len(data.development.cases) + len(data.test.cases)
    assert (second.folder, second.decoded) == (first.folder, 0)


def test_rows_are_the_cases_in_order(patients: Path, tmp_path: Path) -> None:
    """Row k of the memory-mapped array is case k."""
    data = KIUM.data.read(patients)
    store = prepare(KIUM, data, digests_of(data), {"size": 32}, tmp_path)
    views = np.load(store.development / "views.npy", mmap_mode="r")

    assert np.array_equal(views[5], KIUM.data.decode(data.development.cases[5], {"size": 32})["views"])


def test_a_changed_file_decodes_its_case_alone(patients: Path, tmp_path: Path) -> None:
    """One image replaced: one case decoded, another key, another fingerprint."""
    root = tmp_path / "copy"
    shutil.copytree(patients, root)
    data = KIUM.data.read(root)
    before = prepare(KIUM, data, digests_of(data), {"size": 32}, tmp_path / "store")
    shutil.copy(data.test.cases[1].files[0], data.development.cases[0].files[0])
    again = KIUM.data.read(root)
    after = prepare(KIUM, again, digests_of(again), {"size": 32}, tmp_path / "store")

    assert after.decoded == 1
    assert before.folder != after.folder
    assert fingerprint(data, digests_of(again)) != "" != fingerprint(again, digests_of(again))


def test_the_fingerprint_ignores_the_test_truth_and_sees_the_development_truth(
    patients: Path, tmp_path: Path
) -> None:
    """The board does not move when the organiser's truth arrives, and does when a label changes."""
    root = tmp_path / "copy"
    shutil.copytree(patients, root)
    data = KIUM.data.read(root)
    original = fingerprint(data, digests_of(data))
    (root / "groundtruth.csv").unlink()
    sealed = KIUM.data.read(root)
    assert sealed.test.truth is None
    assert original == fingerprint(sealed, digests_of(sealed))

    truth = data.development.truth or {}
    truth["locations"][0, 0] ^= 1
    assert original != fingerprint(data, digests_of(data))


def test_no_label_lies_in_the_store(patients: Path, tmp_path: Path) -> None:
    """The store holds the inputs and a table of keys, nothing else."""
    data = KIUM.data.read(patients)
    store = prepare(KIUM, data, digests_of(data), {"size": 32}, tmp_path)
    files = sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file())

    assert ["development/views.npy", "rows.json", "test/views.npy"] == files


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """It names the folder and the way to phantom patients."""
    with pytest.raises(UserError, match="leave data= out"):
        open_source(KIUM, RunConfig(challenge="kium", data=tmp_path / "nowhere", store=tmp_path))
