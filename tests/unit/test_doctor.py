"""`harness doctor` tells what a machine can do, quickly, and never fails itself."""

from __future__ import annotations

import py_compile
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import doctor, landlock, mounts, sandbox
from harness.contracts import Isolation
from harness.errors import UserError


def by_name() -> dict[str, doctor.Check]:
    """Return the report by the names of its checks."""
    return {check.name: check for check in doctor.report()}


def test_the_report_is_complete_and_quick() -> None:
    """Every subject has one line, and the whole takes a second, five beside other tests."""
    sandbox.why_not.cache_clear()
    began = time.monotonic()
    checks = by_name()
    assert time.monotonic() - began < 5.0
    assert list(checks) == [
        "isolation of a stranger's entry", "bubblewrap", "user namespaces", "Landlock", "seccomp", "cores",
        "memory", "disk", "bytecode of libraries", "GPU",
    ]  # fmt: skip
    assert all(check.detail for check in checks.values())
    assert all(check.advice for check in checks.values() if not check.ok)


def test_nothing_heavy_is_loaded() -> None:
    """The report imports neither torch nor numpy."""
    script = "import sys; from harness import doctor; doctor.report(); print({'torch', 'numpy'} & set(sys.modules))"
    root = str(Path(doctor.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True
    )
    assert done.stdout == "set()\n"


def test_a_machine_without_bubblewrap_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the program the check fails with the words to type, and the first line falls back."""
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox.why_not.cache_clear()
    checks = by_name()
    sandbox.why_not.cache_clear()
    assert (checks["bubblewrap"].ok, checks["bubblewrap"].advice) == (False, "apt install bubblewrap")
    assert not checks["isolation of a stranger's entry"].ok


def test_libraries_without_bytecode_are_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever this installation has: with the file it is fine, without it there is a command to type."""
    package = tmp_path / "pytorch_lightning" / "__init__.py"
    package.parent.mkdir()
    package.touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pytorch_lightning", raising=False)
    assert by_name()["bytecode of libraries"].advice == "uv sync --compile-bytecode"
    py_compile.compile(str(package))
    assert by_name()["bytecode of libraries"].ok


def test_a_refused_stranger_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing works the first line says that a stranger's entry is refused."""

    def refuse(wanted: str, *, trusted: bool) -> Isolation:
        raise UserError("nothing works")

    monkeypatch.setattr(sandbox, "detect", refuse)
    check = doctor.report()[0]
    assert (check.ok, check.detail, check.advice) == (False, "none: it would be refused", "nothing works")


@pytest.mark.parametrize(("setting", "words"), [("APPARMOR", "apparmor"), ("USERNS_CLONE", "userns_clone")])
def test_a_kernel_setting_in_the_way_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str, words: str
) -> None:
    """The setting that closes user namespaces to ordinary users is the advice."""
    file = tmp_path / "setting"
    file.write_text("1" if setting == "APPARMOR" else "0")
    monkeypatch.setattr(doctor, setting, str(file))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(sandbox, "why_not", lambda mode: "Permission denied")
    checks = by_name()
    if checks["bubblewrap"].detail != "not installed":
        assert words in checks["bubblewrap"].advice
    assert not checks["user namespaces"].ok
    assert str(file) in checks["user namespaces"].detail


def test_an_old_landlock_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before ABI 6 the line says that signals are not held; without Landlock it fails."""
    monkeypatch.setattr(landlock, "abi", lambda: 3)
    assert by_name()["Landlock"].detail == "ABI 3, does not hold signals"
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    assert not by_name()["Landlock"].ok


def test_gpus_are_found_by_their_device_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Device files make a GPU; without nvidia-uvm CUDA cannot start, and the check says how to make it."""
    monkeypatch.setattr(mounts, "gpu_nodes", lambda: ("/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl"))
    assert doctor._gpu().ok
    monkeypatch.setattr(mounts, "gpu_nodes", lambda: ("/dev/nvidia0", "/dev/nvidiactl"))
    assert not doctor._gpu().ok
    assert "nvidia-modprobe" in doctor._gpu().advice
