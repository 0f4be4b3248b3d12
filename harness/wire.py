"""What crosses the boundary: control messages with descriptors, and arrays as npy bytes.

Towards the fold everything is trusted. From the fold nothing is: the reader takes a fixed order of arrays,
each with an exact shape and length and a dtype from a list, and never unpickles or evaluates anything.
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.contracts import Failure, FailureKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["ArrayReader", "Expected", "Refused", "clean", "receive", "send", "write_arrays", "write_failure"]

Expected = Mapping[str, tuple[tuple[int, ...], str]]
"""Name -> (shape, "float" | "integer" | "any" | "labels"), in the order of the wire."""

ARRAYS, FAILURE = b"A", b"F"
MAGIC = b"\x93NUMPY\x01\x00"
LONGEST_HEADER, LONGEST_FAILURE, LONGEST_REASON = 2000, 16384, 1000
HEADER = re.compile(
    rb"\{'descr': '([<|][biuf][1248])', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n"
)
FLOATS = ("<f2", "<f4", "<f8")
INTEGERS = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8")
GROUPS = {"float": FLOATS, "integer": INTEGERS, "any": FLOATS + INTEGERS, "labels": ("|u1",)}
CHILD_KINDS = (
    FailureKind.ERROR, FailureKind.PREDICTIONS, FailureKind.MEMORY, FailureKind.DISK, FailureKind.PROCESSES,
)  # fmt: skip
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


class Refused(ValueError):  # noqa: N818 - it is a verdict, not an error of ours
    """Bytes from a fold that are not what was asked for."""


# ------------------------------------------------------------------------------- text, messages
def clean(text: str, longest: int | None = None) -> str:
    """Return the text without escape sequences, control and direction-changing characters."""
    plain = ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    plain = UNPRINTABLE.sub("", plain)
    return plain if longest is None or len(plain) <= longest else plain[: longest - 1] + "…"


def send(channel: socket.socket, message: Mapping[str, Any], descriptors: Iterable[int] = ()) -> None:
    """Send one message, with descriptors that the receiver gets copies of."""
    body = json.dumps(message).encode()
    frame = struct.pack("<I", len(body)) + body
    sent = socket.send_fds(channel, [frame], list(descriptors))
    channel.sendall(frame[sent:])


def receive(channel: socket.socket, most: int = 8) -> tuple[dict[str, Any], list[int]] | None:
    """Receive one message and its descriptors; None at the end."""
    head, descriptors, _, _ = socket.recv_fds(channel, 4, most)
    if not head:
        return None
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    head += _exactly(channel, 4 - len(head))
    message: dict[str, Any] = json.loads(_exactly(channel, struct.unpack("<I", head)[0]))
    return message, descriptors


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = channel.recv(count - len(parts))
        if not part:
            raise EOFError("the other side closed within a message")
        parts += part
    return bytes(parts)


# --------------------------------------------------------------------------------- fold's side
def write_arrays(descriptor: int, arrays: Mapping[str, Any], expected: Expected) -> None:
    """Write the arrays in the expected order.

    Raises:
        Refused: a key is missing, extra, or not an array of numbers.
    """
    missing, extra = expected.keys() - arrays.keys(), arrays.keys() - expected.keys()
    if missing or extra:
        found = f"missing: {sorted(missing)}, unknown: {sorted(map(str, extra))}"
        raise Refused(f"the keys {list(expected)} are expected ({found})")
    if not expected:
        _write(descriptor, ARRAYS)
        return
    import numpy as np

    from harness.volumes import Volume

    for name in expected:
        dtype, shape = _kind(arrays[name])
        problem = _problem(dtype, shape, *expected[name])
        if problem:
            raise Refused(f"{name}: {problem}")
    _write(descriptor, ARRAYS)
    for name in expected:
        value = arrays[name]
        array = np.ascontiguousarray(value.array() if isinstance(value, Volume) else value)
        header = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {expected[name][0]}, }}"
        padded = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
        start = MAGIC + struct.pack("<H", len(padded)) + padded
        _write(descriptor, struct.pack("<Q", len(start) + array.nbytes) + start)
        _write(descriptor, array.reshape(-1).view(np.uint8).data if array.size else b"")


def _kind(value: Any) -> tuple[str, tuple[int, ...]]:  # noqa: ANN401  what an entry returned
    """Return an array's type and shape; a volume's without inflating it."""
    import numpy as np

    from harness.volumes import Volume

    if isinstance(value, Volume):
        return "|u1", value.shape
    array = np.asarray(value)
    return array.dtype.str, array.shape


def write_failure(descriptor: int, failure: Failure) -> None:
    """Write what went wrong instead of arrays."""
    body = json.dumps({"kind": failure.kind, "reason": failure.reason[:LONGEST_REASON]}).encode()
    _write(descriptor, FAILURE + struct.pack("<I", len(body)) + body)


def _write(descriptor: int, data: bytes | memoryview) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left[: 1 << 24]) :]


# ------------------------------------------------------------------------------- parent's side
class ArrayReader:
    """Reads arrays, or a failure, from a pipe, piece by piece and straight into place."""

    def __init__(self, expected: Expected) -> None:
        self._expected = list(expected.items())
        self._arrays: dict[str, Any] = {}
        self._left = memoryview(b"")
        self._buffer = bytearray()
        self._then: Callable[[], None] = self._done
        self._length = 0
        self.arrays: dict[str, Any] | None = None
        """All of them, once complete; label maps are kept compressed."""
        self.failure: Failure | None = None
        self._ask(1, self._on_tag)

    def read(self, descriptor: int) -> bool:
        """Take what is there, at most one piece; False at the end of the pipe.

        Raises:
            Refused: the bytes are not the expected arrays; the message names the key.
        """
        if not self._left:
            if os.read(descriptor, 1):
                raise Refused("more bytes came than the predictions have")
            return False
        count = os.readv(descriptor, [self._left])
        self._left = self._left[count:]
        if count and not self._left:
            self._then()
        return count > 0

    def _ask(self, count: int, then: Callable[[], None]) -> None:
        self._buffer = bytearray(count)
        self._left, self._then = memoryview(self._buffer), then

    def _done(self) -> None:
        self._left = memoryview(b"")

    def _on_tag(self) -> None:
        if self._buffer == ARRAYS:
            self._next_array()
        elif self._buffer == FAILURE:
            self._ask(4, self._on_failure_length)
        else:
            raise Refused("the result does not start as one")

    def _on_failure_length(self) -> None:
        (length,) = struct.unpack("<I", self._buffer)
        if not 0 < length <= LONGEST_FAILURE:
            raise Refused("the result is malformed")
        self._ask(length, self._on_failure)

    def _on_failure(self) -> None:
        try:
            message = json.loads(self._buffer)
            kind, reason = FailureKind(message["kind"]), str(message["reason"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refused("the result is malformed") from error
        allowed = kind if kind in CHILD_KINDS else FailureKind.ERROR
        self.failure = Failure(allowed, " ".join(clean(reason, LONGEST_REASON).split()))
        self._done()

    def _next_array(self) -> None:
        if len(self._arrays) == len(self._expected):
            self.arrays = self._arrays
            self._done()
        else:
            self._ask(8 + len(MAGIC) + 2, self._on_start)

    @property
    def _name(self) -> str:
        return self._expected[len(self._arrays)][0]

    def _on_start(self) -> None:
        self._length, magic, header = struct.unpack("<Q8sH", self._buffer)
        if magic != MAGIC or not 0 < header <= LONGEST_HEADER:
            raise Refused(f"{self._name}: not an array in npy format")
        self._ask(header, self._on_header)

    def _on_header(self) -> None:
        import numpy as np

        name, (shape, group) = self._expected[len(self._arrays)]
        found = HEADER.fullmatch(self._buffer)
        if not found:
            raise Refused(f"{name}: the npy header is malformed or of a type that is not accepted")
        dtype, numbers = found[1].decode(), re.findall(rb"\d+", found[2])
        problem = _problem(dtype, tuple(int(number[:20]) for number in numbers), shape, group)
        if problem:
            raise Refused(f"{name}: {problem}")
        count = math.prod(shape) * np.dtype(dtype).itemsize
        if self._length != len(MAGIC) + 2 + len(self._buffer) + count:
            raise Refused(f"{name}: {self._length} bytes came for an array of {count}")
        array = np.empty(shape, dtype)
        self._left = array.reshape(-1).view(np.uint8).data if count else memoryview(b"")
        self._then = lambda: self._keep(name, array)
        if not count:
            self._then()

    def _keep(self, name: str, array: Array) -> None:
        import numpy as np

        from harness.volumes import Volume

        if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            raise Refused(f"{name}: bytes that are neither true nor false")
        is_map = self._expected[len(self._arrays)][1][1] == "labels"
        self._arrays[name] = Volume.of(array) if is_map else array
        self._next_array()


def _problem(dtype: str, found: tuple[int, ...], shape: tuple[int, ...], group: str) -> str:
    """Say what is wrong with an array's type or shape; empty if nothing is."""
    if dtype not in GROUPS[group]:
        return f"type {dtype!r} where {'a number' if group == 'any' else group} is expected"
    if found != tuple(shape):
        return f"shape {found} where {tuple(shape)} is expected"
    return ""
