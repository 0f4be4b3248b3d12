"""Label maps: compressed, compared by content, stored as plain arrays, checked by label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.contracts import ArraySpec, Fold
from harness.predictions import as_bytes, check, expected_results, from_file, gathered
from harness.ragged import Ragged, inputs_of, row_file
from harness.scoring import assemble
from harness.volumes import Volume, column, packed, raw_bytes, unpacked

SPEC = {"labels": ArraySpec((), 0, 3, integer=True, grid="grid"), "p": ArraySpec((), 0, 1)}
MAPS = arrays.arrays(
    np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 255)
)


def corner(shape: tuple[int, int, int], label: int) -> np.ndarray:
    """Return a map that is 0 but for its last voxel."""
    labels = np.zeros(shape, dtype=np.uint8)
    labels[-1, -1, -1] = label
    return labels


@settings(max_examples=100, deadline=None)
@given(labels=MAPS, fortran=st.booleans())
def test_a_map_survives_compression(labels: np.ndarray, fortran: bool) -> None:
    """Any map in any memory order comes back, with the labels that occur."""
    volume = Volume.of(np.asfortranarray(labels) if fortran else labels)

    assert np.array_equal(volume.array(), labels)
    assert volume.labels() == tuple(np.unique(labels).tolist())


@pytest.mark.parametrize("wrong", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 2), np.int16)])
def test_only_uint8_with_three_axes_is_a_map(wrong: np.ndarray) -> None:
    """Anything else is refused with its type and shape."""
    with pytest.raises(ValueError, match="not "):
        Volume.of(wrong)


def test_a_small_tumour_takes_little_room() -> None:
    """Only the box of what is not 0 is kept."""
    assert len(Volume.of(corner((240, 240, 155), 3)).content) < 100


def test_the_content_identifies_a_column() -> None:
    """Equal maps have equal bytes; a moved voxel, another label or another grid has not."""
    base, moved = corner((4, 4, 4), 1), np.roll(corner((4, 4, 4), 1), 1)
    others = [moved, corner((4, 4, 4), 2), corner((4, 4, 5), 1)]

    same = raw_bytes(column([Volume.of(base)]))
    assert same == raw_bytes(column([Volume.of(np.asfortranarray(base))]))
    assert len({same, *(raw_bytes(column([Volume.of(other)])) for other in others)}) == 4


def test_a_column_is_stored_without_pickle(tmp_path: Path) -> None:
    """Volumes of different grids and ordinary arrays read back; an empty column too."""
    maps = column([Volume.of(corner((3, 4, 5), 2)), Volume.of(corner((2, 2, 2), 1))])
    given_arrays = {"test/labels": maps, "test/p": np.array([0.1, 0.2]), "heldout/labels": column([])}
    (tmp_path / "a.npz").write_bytes(as_bytes(given_arrays))
    back = from_file(tmp_path / "a.npz")

    assert all(values.dtype != object for values in packed(given_arrays).values())
    assert sorted(back) == sorted(given_arrays)
    assert (back["test/labels"] == maps).all()
    assert len(back["heldout/labels"]) == 0
    assert unpacked(packed({"p": maps}))["p"].dtype == object


def test_rows_of_a_column_go_where_the_folds_say() -> None:
    """Out-of-fold maps return to the order of the cases."""
    maps = column(Volume.of(corner((2, 2, 2), label)) for label in (1, 2, 3))
    nothing = np.array([], dtype=int)
    folds = {
        0: (Fold(0, nothing, np.array([2])), {"labels": maps[[2]]}),
        1: (Fold(1, nothing, np.array([0, 1])), {"labels": maps[:2]}),
    }
    assert (assemble(folds, 3)["labels"] == maps).all()


def test_each_map_is_expected_on_its_own_grid() -> None:
    """Names and shapes of the wire follow the cases, and what comes is gathered by half."""
    grids = {"heldout": {"labels": [(2, 2, 2), (3, 3, 3)]}, "test": {"labels": []}}
    expected = expected_results(SPEC, 2, 0, grids)
    came = {name: Volume.of(corner(shape, 1)) for name, (shape, kind) in expected.items() if kind == "labels"}
    found = gathered({**came, "heldout/p": np.zeros(2), "test/p": np.zeros(0)}, SPEC)

    assert expected["heldout/labels/1"] == ((3, 3, 3), "labels")
    assert expected["test/p"] == ((0,), "float")
    assert [volume.shape for volume in found["heldout/labels"]] == [(2, 2, 2), (3, 3, 3)]
    assert len(found["test/labels"]) == 0
    assert expected_results(SPEC, 0, 0, {"heldout": {}, "test": {}}) == {
        "heldout/p": ((0,), "float"),
        "test/p": ((0,), "float"),
    }


def test_an_unknown_label_is_named_by_case() -> None:
    """A label outside the spec is a failure of the predictions."""
    maps = column([Volume.of(corner((2, 2, 2), 1)), Volume.of(corner((2, 2, 2), 4))])
    kept, failure = check({"labels": maps, "p": np.zeros(2)}, SPEC, ["a", "b"])

    assert not kept
    assert failure is not None
    assert failure.reason == "labels of case b holds the label 4, but 0 to 3 are known."


def test_ragged_inputs_are_read_case_by_case(tmp_path: Path) -> None:
    """One file a case; several of one shape are stacked, of different shapes refused with the way out."""
    (tmp_path / "image").mkdir()
    cases = [np.full((2, size), size) for size in (3, 4, 3)]
    for row, values in enumerate(cases):
        np.save(row_file(tmp_path, "image", row), values)
    np.save(tmp_path / "age.npy", np.arange(3))
    found = inputs_of(tmp_path)

    assert sorted(found) == ["age", "image"]
    assert isinstance(found["image"], Ragged)
    assert len(found["image"]) == 3
    assert np.array_equal(found["image"][np.int64(1)], cases[1])
    assert np.array_equal(found["image"][[0, 2]], np.stack([cases[0], cases[2]]))
    with pytest.raises(ValueError, match="batch_size to 1"):
        found["image"][[0, 1]]
