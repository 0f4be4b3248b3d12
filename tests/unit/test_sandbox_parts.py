"""The sandbox's parts that need no process: the filter, the wire, the list of what is visible."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness import mounts, seccomp, watchdog, wire
from harness.contracts import FailureKind, Isolation, SandboxSpec
from harness.volumes import Volume

X86, ARM = seccomp.MACHINES["x86_64"], seccomp.MACHINES["aarch64"]
KILL, ALLOW, REFUSE = seccomp.KILL, seccomp.ALLOW, seccomp.ERRNO


# ---------------------------------------------------------------------------------- the filter
def decide(program: bytes, audit: int, number: int, *arguments: int) -> int:
    """Interpret a filter for one call, as the kernel does."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, audit, 0, *padded)
    lines = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    loaded, at = 0, 0
    while True:
        code, if_true, if_false, operand = lines[at]
        at += 1
        if code == seccomp.LOAD:
            (loaded,) = struct.unpack_from("<I", data, operand)
        elif code == seccomp.RETURN:
            return int(operand)
        else:
            tests = {
                seccomp.JUMP_EQUAL: loaded == operand,
                seccomp.JUMP_ABOVE: loaded >= operand,
                seccomp.JUMP_ANY_BIT: bool(loaded & operand),
            }
            at += if_true if tests[code] else if_false


@pytest.mark.parametrize("machine", [X86, ARM])
@pytest.mark.parametrize("reduced", [False, True])
def test_every_listed_call_is_refused_on_both_machines(machine: seccomp.Machine, reduced: bool) -> None:
    """Each call that the machine has gets EPERM (EACCES for the additional ones), clone3 gets ENOSYS."""
    program = seccomp.program(machine, reduced=reduced)
    assert len(program) // 8 <= 4096  # the kernel's most
    tables = [(seccomp.ALWAYS, errno.EPERM)] + [(seccomp.REDUCED, errno.EACCES)] * reduced
    memory_file = seccomp.MEMORY_FILE[machine.column]
    assert decide(program, machine.audit, memory_file) == REFUSE | errno.ENOSYS
    permissive = seccomp.program(machine, reduced=reduced, memory_files=True)
    assert decide(permissive, machine.audit, memory_file) == ALLOW
    for table, error in tables:
        for name, row in table.items():
            number = row[machine.column]
            if number is not None:
                assert decide(program, machine.audit, number) == REFUSE | error, name
    assert decide(program, machine.audit, 435) == REFUSE | errno.ENOSYS


@pytest.mark.parametrize(("machine", "numbers"), [
    (X86, {"read": 0, "write": 1, "mmap": 9, "execve": 59, "openat": 257, "futex": 202, "kill": 62, "exit": 231}),
    (ARM, {"read": 63, "write": 64, "mmap": 222, "execve": 221, "openat": 56, "futex": 98, "kill": 129}),
])  # fmt: skip
def test_ordinary_calls_pass(machine: seccomp.Machine, numbers: dict[str, int]) -> None:
    """What training needs is allowed in both modes; kill only without namespaces spares groups."""
    for reduced in (False, True):
        program = seccomp.program(machine, reduced=reduced)
        for name, number in numbers.items():
            assert decide(program, machine.audit, number, 1) == ALLOW, name
    everything = 0xFFFFFFFFFFFFFFFF
    assert decide(seccomp.program(machine), machine.audit, numbers["kill"], everything) == ALLOW
    reduced_program = seccomp.program(machine, reduced=True)
    assert decide(reduced_program, machine.audit, numbers["kill"], everything) == REFUSE | errno.EPERM


@pytest.mark.parametrize("machine", [X86, ARM])
def test_a_call_of_another_architecture_kills(machine: seccomp.Machine) -> None:
    """32-bit entry points, where the numbers mean other calls, end the process; x32 does not exist."""
    program = seccomp.program(machine)
    for audit in (0x40000003, 0x40000028, 0):
        assert decide(program, audit, 1) == KILL
    assert decide(program, machine.audit, seccomp.X32 | 1) == REFUSE | errno.ENOSYS
    assert decide(program, machine.audit, 0xFFFFFFFF) == REFUSE | errno.ENOSYS


@pytest.mark.parametrize("machine", [X86, ARM])
def test_arguments_decide(machine: seccomp.Machine) -> None:
    """Fork and threads pass, new namespaces do not; usual socket families pass, others do not exist."""
    program, column = seccomp.program(machine), machine.column
    clone, socket, ioctl = seccomp.CLONE[column], seccomp.SOCKET[column], seccomp.IOCTL[column]

    def decided(number: int, *arguments: int) -> int:
        return decide(program, machine.audit, number, *arguments)

    threads, fork = 0x3D0F00, 0x1200011
    assert {decided(clone, flags) for flags in (threads, fork)} == {ALLOW}
    spaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]
    assert {decided(clone, flag | 17) for flag in spaces} == {REFUSE | errno.EPERM}
    assert {decided(socket, family, 1, 0) for family in (1, 2, 10, 16)} == {ALLOW}
    refused = {decided(socket, family, 1, 0) for family in range(46) if family not in (1, 2, 10, 16)}
    assert refused == {REFUSE | errno.EAFNOSUPPORT}
    assert {decided(socket, 16, 3, protocol) for protocol in range(1, 23)} == {REFUSE | errno.EAFNOSUPPORT}
    assert {decided(ioctl, 1, request) for request in (0x5412, 0x541C)} == {REFUSE | errno.EPERM}
    assert decided(ioctl, 1, 0x5413) == ALLOW


# ------------------------------------------------------------------------------------ the wire
def read_all(raw: bytes, expected: wire.Expected, step: int = 1 << 20) -> wire.ArrayReader:
    """Feed bytes to a reader through a real pipe, so many at a time."""
    reading, writing = os.pipe()
    reader = wire.ArrayReader(expected)
    try:
        for at in range(0, len(raw), step):
            piece = raw[at : at + step]
            os.write(writing, piece)
            os.set_blocking(reading, False)
            with pytest.raises(BlockingIOError):
                while True:
                    reader.read(reading)
        os.close(writing)
        writing = -1
        while reader.read(reading):
            pass
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    return reader


def written(arrays: dict[str, Any], expected: wire.Expected) -> bytes:
    """Return what a fold writes for its arrays."""
    reading, writing = os.pipe()
    wire.write_arrays(writing, arrays, expected)
    os.close(writing)
    with open(reading, "rb") as file:
        return file.read()


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_arrays_survive_any_division_into_pieces(step: int) -> None:
    """Whatever the sizes in which bytes arrive, the arrays are the same."""
    expected = {"a": ((2, 2), "float"), "b": ((0,), "any"), "c": ((), "integer")}
    arrays = {
        "c": np.int16(-3),
        "a": np.array([[1, np.nan], [np.inf, -0.0]], np.float16),
        "b": np.zeros(0, "u1"),
    }
    found = read_all(written(arrays, expected), expected, step).arrays
    assert found is not None
    assert found["a"].tobytes() == arrays["a"].tobytes()
    assert (found["b"].shape, found["c"].item()) == ((0,), -3)


def test_label_maps_come_one_by_one_and_are_kept_compressed() -> None:
    """The fold sends a volume's voxels; the reader holds it deflated; another type or grid is refused."""
    labels = np.zeros((3, 4, 5), dtype=np.uint8)
    labels[1, 2, 3] = 3
    expected = {"heldout/labels/0": ((3, 4, 5), "labels")}
    raw = written({"heldout/labels/0": Volume.of(labels)}, expected)
    found = read_all(raw, expected, 7).arrays

    assert raw == written({"heldout/labels/0": labels}, expected)
    assert found == {"heldout/labels/0": Volume.of(labels)}
    for wrong in (labels.astype(np.int16), labels[:2], labels.astype(bool)):
        with pytest.raises(wire.Refused, match="labels/0"):
            written({"heldout/labels/0": wrong}, expected)


def test_what_numpy_writes_is_what_we_write() -> None:
    """Our npy bytes can be read by numpy."""
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    raw = written({"a": array}, {"a": ((2, 3), "integer")})
    assert np.array_equal(np.load(io.BytesIO(raw[9:]), allow_pickle=False), array)


@given(st.binary(max_size=300))
def test_no_bytes_become_an_unexpected_array(raw: bytes) -> None:
    """Random bytes are refused or incomplete: they never give arrays, and raise nothing but Refused."""
    expected = {"a": ((3,), "float")}
    for start in (b"", b"A", b"F", b"A" + struct.pack("<Q", 104) + wire.MAGIC):
        reading, writing = os.pipe()
        os.write(writing, start + raw)
        os.close(writing)
        reader = wire.ArrayReader(expected)
        try:
            while reader.read(reading):
                pass
        except wire.Refused:
            pass
        finally:
            os.close(reading)
        assert reader.arrays is None


def test_truth_values_are_true_or_false() -> None:
    """A truth value whose byte is neither 0 nor 1 is refused: numpy would count it wrongly."""
    expected = {"yes": ((2,), "integer")}
    raw = written({"yes": np.array([True, False])}, expected)
    assert read_all(raw, expected).arrays is not None
    reading, writing = os.pipe()
    os.write(writing, raw[:-1] + b"\x07")
    os.close(writing)
    reader = wire.ArrayReader(expected)
    with pytest.raises(wire.Refused, match="yes"):
        while reader.read(reading):
            pass
    os.close(reading)


def test_text_is_cleaned_and_shortened() -> None:
    """Escape sequences, control, invisible and direction-changing characters go; letters of any script stay."""
    assert wire.clean("a\x1b[1;31mb\x00\u202ec\u200b\r\nd\te 한국 é") == "abc\nd\te 한국 é"
    assert wire.clean("x" * 50, 10) == "x" * 9 + "…"


# --------------------------------------------------------------------------- what is visible
def test_the_working_folder_is_not_visible() -> None:
    """Of the project's folder only the package itself is shown: not runs, not prepared data, not submissions."""
    shown = mounts.visible(SandboxSpec(Isolation.BUBBLEWRAP))
    package = Path(harness.__file__).parent
    assert str(package) in shown or any(str(package).startswith(path + "/") for path in shown)
    root = package.parent
    if "site-packages" not in str(root):
        assert not any(
            str(root / name).startswith(path) for path in shown for name in ("runs", "prepared", "README.md")
        )
    assert not {"/", "/home", "/root", str(Path.home()), "/tmp", "/etc", "/var", "/proc", "/dev"} & set(shown)


def test_what_lies_inside_another_is_listed_once(tmp_path: Path) -> None:
    """A path inside another is left out; a sibling with the same beginning is not."""
    for name in ("a", "a/b", "ab"):
        (tmp_path / name).mkdir()
    spec = SandboxSpec(Isolation.NONE, read_only=tuple(str(tmp_path / name) for name in ("a/b", "ab", "a")))
    shown = [path for path in mounts.visible(spec) if path.startswith(str(tmp_path))]
    assert shown == [str(tmp_path / "a"), str(tmp_path / "ab")]


def test_every_parent_is_made_open(tmp_path: Path) -> None:
    """Missing folders above a mount are made 0755 first; bubblewrap's own would be closed to the fold."""
    (tmp_path / "inputs").mkdir()
    tmp_path.chmod(0o755)
    words = mounts.bubblewrap_arguments(SandboxSpec(Isolation.BUBBLEWRAP, (str(tmp_path / "inputs"),)), 3, 4)
    made = [words[i + 1] for i, word in enumerate(words) if word == "--dir"]
    bound = [
        words[i + 2] for i, word in enumerate(words) if word in ("--ro-bind", "--dev-bind-try", "--bind")
    ]
    assert str(tmp_path / "inputs") in bound
    for path in bound:
        if path.startswith("/dev/"):
            continue
        for parent in list(Path(path).parents)[:-1]:
            assert str(parent) in [*made, "/tmp", "/etc"], path
    assert all(words[i - 2 : i] == ["--perms", "0755"] for i, word in enumerate(words) if word == "--dir")
    assert "--bind" not in words
    assert words[words.index("--remount-ro") :][:4] == ["--remount-ro", "/dev", "--remount-ro", "/"]


def test_the_environment_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's environment passes but the choice of GPU, libraries and time zone."""
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = mounts.environment("/tmp")
    assert "secret" not in found.values()
    assert found["CUDA_VISIBLE_DEVICES"] == "1"
    assert found["OMP_NUM_THREADS"] == "1"
    assert (found["USER"], found["NO_ALBUMENTATIONS_UPDATE"], found["HF_HUB_OFFLINE"]) == ("fold", "1", "1")


# -------------------------------------------------------------------------------- the watchdog
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_and_processes_of_a_tree_are_measured() -> None:
    """A child that holds 60 MB counts, once; a new interpreter, as a fork shares what this process holds."""
    program = "kept = b'x' * (60 << 20); print(len(kept), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert int(child.stdout.readline()) == 60 << 20
        pids, tasks = watchdog.descendants(child.pid)
        assert (pids, tasks) == ([child.pid], 1)
        assert 60 << 20 < watchdog.memory(child.pid) < 200 << 20
        assert child.pid in watchdog.descendants(os.getpid())[0]
        assert watchdog.end_tree(child.pid, and_root=True)
    assert watchdog.descendants(child.pid)[1] == 0


def test_the_bytes_of_a_folder_are_counted(tmp_path: Path) -> None:
    """Files below a folder count with their blocks, links are not followed."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 300_000)
    (tmp_path / "link").symlink_to("/usr")
    assert 300_000 < watchdog.folder_bytes(str(tmp_path)) < 400_000


def test_a_fold_s_claim_is_limited_to_its_own_kinds() -> None:
    """A fold may say error, predictions, memory, disk or processes; never that the sandbox failed or time is up."""
    assert set(wire.CHILD_KINDS).isdisjoint(
        {FailureKind.SANDBOX, FailureKind.TIMEOUT, FailureKind.OUTPUT, FailureKind.KILLED}
    )
