"""What comes back: the expected arrays, exactly, or a failure that names the key; text without tricks."""

from __future__ import annotations

import io
import pickle
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.contracts import FailureKind

if TYPE_CHECKING:
    from .conftest import Arena

ONE = {"score": ((3,), "float")}


def npy(array: object, header: str | None = None) -> bytes:
    """Return an array in npy format, with a header of one's own if wanted."""
    if header is None:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=True)  # type: ignore[arg-type]
        return buffer.getvalue()
    raw = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + np.asarray(array).tobytes()


def framed(body: bytes, length: int | None = None) -> bytes:
    """Return a result with one array, of a length that may be a lie."""
    return b"A" + struct.pack("<Q", len(body) if length is None else length) + body


def test_every_accepted_kind_comes_back_exact(arena: Arena) -> None:
    """Floats, integers, truth values, empty arrays, numbers and large volumes return bit by bit."""
    expected: dict[str, Any] = {
        "volume": ((300, 100, 100), "integer"), "float": ((2, 3), "float"), "label": ((4,), "any"),
        "yes": ((2,), "integer"), "none": ((0, 3), "float"), "one": ((), "float"),
    }  # fmt: skip
    outcome = arena.attack("many", expected=expected)
    assert outcome.failure is None, outcome.failure
    assert outcome.arrays is not None
    assert list(outcome.arrays) == list(expected)
    assert np.array_equal(outcome.arrays["float"], np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3))
    assert outcome.arrays["label"].tolist() == [0, 1, 2, 3]
    assert outcome.arrays["yes"].tolist() == [True, False]
    assert outcome.arrays["none"].shape == (0, 3)
    assert outcome.arrays["one"] == 7.0
    assert (outcome.arrays["volume"] == 3).all()


@pytest.mark.parametrize(("arrays", "words"), [
    ({"score": np.zeros(4)}, "shape (4,) where (3,) is expected"),
    ({"score": np.zeros((3, 1))}, "shape (3, 1)"),
    ({"score": np.zeros(3, dtype=int)}, "type '<i8' where float is expected"),
    ({"score": np.array(["a", "b", "c"])}, "type '<U1'"),
    ({"score": np.array([1, None, {}], dtype=object)}, "type '|O'"),
    ({"score": np.zeros(3, dtype=complex)}, "type '<c16'"),
    ({}, "missing: ['score']"),
    ({"score": np.zeros(3), "truth": np.zeros(3)}, "unknown: ['truth']"),
])  # fmt: skip
def test_wrong_arrays_are_a_predictions_failure(jail: Arena, arrays: dict[str, Any], words: str) -> None:
    """A wrong shape, type or key is refused by name."""
    outcome = jail.attack("give", arrays, ONE)
    assert outcome.arrays is None
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.PREDICTIONS
    assert words in outcome.failure.reason
    assert "score" in outcome.failure.reason


GOOD = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n"


@pytest.mark.parametrize("raw", [
    framed(npy(np.array([1, "x", None], dtype=object))),
    framed(pickle.dumps(np.zeros(3))),
    framed(npy(np.zeros(3), GOOD.replace("<f8", "nan"))),
    framed(npy(np.zeros(3), GOOD.replace("(3,)", "(-3,)"))),
    framed(npy(np.zeros(3), GOOD.replace("(3,)", "(nan,)"))),
    framed(npy(np.zeros(3), GOOD.replace("(3,)", "(" + "9" * 300 + ",)"))),
    framed(npy(np.zeros(3), GOOD.replace("(3,)", "(" * 900))),
    framed(npy(np.zeros(3), GOOD.replace("<f8", "|O"))),
    framed(npy(np.zeros(3), GOOD.replace("<f8", ">f8"))),
    framed(npy(np.zeros(3), GOOD.replace("False", "True"))),
    framed(npy(np.zeros(3), " " * 3000 + GOOD)),
    framed(npy(np.zeros(3), GOOD), 1 << 60),
    framed(npy(np.zeros(3), GOOD), 10),
    framed(npy(np.zeros(3), GOOD)) + b"more",
    b"Zanything", b"F\xff\xff\xff\xff", b"F\x02\x00\x00\x00{}", b"F\x05\x00\x00\x00[[[[[",
])  # fmt: skip
def test_forged_bytes_are_a_predictions_failure(jail: Arena, raw: bytes) -> None:
    """Bytes written straight into the result pipe are taken only if they are the expected arrays."""
    outcome = jail.attack("forge", raw, ONE)
    assert outcome.arrays is None
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.PREDICTIONS, outcome.failure


def test_well_formed_bytes_are_taken(jail: Arena) -> None:
    """The same route accepts an exact array, so that the refusals above have a cause."""
    outcome = jail.attack("forge", framed(npy(np.array([1.0, 2.0, 3.0]), GOOD)), ONE)
    assert outcome.failure is None
    assert outcome.arrays is not None
    assert outcome.arrays["score"].tolist() == [1.0, 2.0, 3.0]


def test_half_a_result_is_no_result(jail: Arena) -> None:
    """A fold that leaves in the middle of its result failed."""
    outcome = jail.attack("forge", framed(npy(np.zeros(3), GOOD))[:-4], ONE)
    assert outcome.arrays is None
    assert outcome.failure is not None


def test_a_fold_cannot_claim_to_be_the_harness_s_fault(jail: Arena) -> None:
    """A forged failure of the kind `sandbox` or `timeout` counts as the entry's error, its text cleaned."""
    body = b'{"kind": "sandbox", "reason": "not\\u001b[31m mine\\n\\u202e"}'
    outcome = jail.attack("forge", b"F" + struct.pack("<I", len(body)) + body, ONE)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.ERROR
    assert outcome.failure.reason == "not mine"


def test_malformed_events_are_left_out(arena: Arena) -> None:
    """What is not one JSON object in a line of 64 KiB is ignored, and texts are cleaned."""
    outcome = arena.attack("odd_events")
    assert outcome.failure is None
    assert outcome.events[0] == {"n": 1}
    assert outcome.events[-1] == {"n": 2, "text": "ared", "deep": {"a": [1, {"b": None}]}}
    assert len(outcome.events) == 2


def test_the_log_is_plain_text(arena: Arena) -> None:
    """Escape sequences, control characters and bytes that are not text do not reach the log."""
    assert arena.attack("odd_log").log == "before � after\nnext\n"
