"""What a model's predict_step may return for label maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.contracts import ArraySpec
from harness.training import CaseDataset, ContractError, _Collector
from harness.volumes import Volume, column

SPEC = {
    "labels": ArraySpec((), 0, 3, integer=True, grid="grid"),
    "volume": ArraySpec((), 0, 9, required=False),
}
GRIDS = np.array([[2, 3, 4], [2, 3, 4], [3, 3, 3]])


def collected(*batches: dict[str, torch.Tensor]) -> dict[str, object]:
    """Return what the parent would be sent after these batches."""
    collector = _Collector(SPEC, CaseDataset({"grid": GRIDS}, np.arange(3)), "test")
    for batch in batches:
        collector.on_predict_batch_end(None, None, batch, None, 0)  # type: ignore[arg-type]
    return collector.results()


def maps(*shape: int, fill: float = 1, dtype: torch.dtype = torch.uint8) -> dict[str, torch.Tensor]:
    """Return one batch."""
    return {"labels": torch.full(shape, fill, dtype=dtype), "volume": torch.ones(shape[0])}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_maps_are_kept_case_by_case_whatever_the_batches(dtype: torch.dtype) -> None:
    """Two of one grid and one of another; any type with whole numbers."""
    found = collected(maps(2, 2, 3, 4, dtype=dtype), maps(1, 3, 3, 3, fill=3, dtype=dtype))

    assert [found[f"test/labels/{row}"].labels() for row in range(3)] == [(1,), (1,), (3,)]  # type: ignore[attr-defined]
    assert found["test/labels/2"] == Volume.of(np.full((3, 3, 3), 3, np.uint8))
    assert np.array_equal(found["test/volume"], np.ones(3))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        ([maps(1, 1, 3, 4)], r"shape \(1, 1, 3, 4\), but must be \(batch, 2, 3, 4\)"),
        ([maps(1, 2, 3)], "label maps on the whole grid"),
        ([{"labels": maps(2, 2, 3, 4)["labels"]}], "has 2 of the 3 test cases"),
        ([maps(3, 2, 3, 4)], "label maps on the whole grid"),
        ([maps(2, 2, 3, 4), maps(1, 3, 3, 3), maps(1, 3, 3, 3)], "more 'labels' than there are test cases"),
        ([maps(1, 2, 3, 4, fill=0.5, dtype=torch.float32)], "must hold whole numbers"),
        ([maps(1, 2, 3, 4, fill=float("nan"), dtype=torch.float32)], "must hold whole numbers"),
        ([maps(1, 2, 3, 4, fill=300, dtype=torch.int64)], "must hold whole numbers"),
        ([{"volume": torch.ones(1)}], "returned no 'labels'"),
    ],
)
def test_what_is_no_label_map_is_refused(batches: list[dict[str, torch.Tensor]], said: str) -> None:
    """With the shape that is needed, or what is wrong with the values."""
    with pytest.raises(ContractError, match=said):
        collected(*batches)


def test_training_gets_label_maps_as_bytes_and_numbers_as_floats() -> None:
    """One case, or several of one grid stacked."""
    labels = column(Volume.of(np.full((2, 3, 4), k, np.uint8)) for k in (1, 2))
    cases = CaseDataset({"grid": GRIDS[:2]}, np.arange(2), {"labels": labels, "age": np.array([40, 50])})

    assert cases[1]["labels"].dtype == torch.uint8
    assert cases[[1, 0]]["labels"].amax((1, 2, 3)).tolist() == [2, 1]
    assert cases[[1, 0]]["age"].dtype == torch.float32
    assert [volume.labels() for volume in cases.subset(np.array([1])).truth["labels"]] == [(2,)]  # type: ignore[index]
