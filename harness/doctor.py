"""What this machine can do: isolation, cores, memory, disk, GPU; loads nothing heavy."""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass

from harness import landlock, mounts, sandbox, seccomp
from harness.contracts import Isolation
from harness.errors import UserError

__all__ = ["Check", "report"]

GIB = 1 << 30
LEAST_MEMORY, LEAST_DISK = 8 * GIB, 20 * GIB
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
USERNS_CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
MOST_USERNS = "/proc/sys/user/max_user_namespaces"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    """What is there, in one line."""
    advice: str = ""
    """What to type if it is not ok."""


def report() -> list[Check]:
    """Look at everything, what a stranger's entry would run under first."""
    looks = (
        _stranger,
        _bubblewrap,
        _user_namespaces,
        _landlock,
        _seccomp,
        _cores,
        _memory,
        _disk,
        _bytecode,
        _gpu,
    )
    return [look() for look in looks]


def _stranger() -> Check:
    """Say which isolation `sandbox=auto` gives a submission that does not ship with the project."""
    name = "isolation of a stranger's entry"
    try:
        found = sandbox.detect("auto", trusted=False)
    except UserError as error:
        return Check(name, False, "none: it would be refused", str(error))
    if found is Isolation.BUBBLEWRAP:
        return Check(name, True, found.value)
    return Check(name, False, f"{found}: weaker than bubblewrap", "apt install bubblewrap")


def _bubblewrap() -> Check:
    program = shutil.which("bwrap")
    if sys.platform != "linux":
        return Check(
            "bubblewrap", False, "needs Linux", "develop with sandbox=off; let Linux run strangers' entries"
        )
    if program is None:
        return Check("bubblewrap", False, "not installed", "apt install bubblewrap")
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = asked.stdout.strip().removeprefix("bubblewrap ")
    reason = sandbox.why_not(Isolation.BUBBLEWRAP)
    if reason:
        return Check("bubblewrap", False, f"{version}, does not work: {reason}", _bubblewrap_advice())
    return Check("bubblewrap", True, f"{version}, works")


def _bubblewrap_advice() -> str:
    """Return the likely cause that the kernel's settings show."""
    if _number(APPARMOR) == 1 and os.geteuid() != 0:
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if _number(USERNS_CLONE) == 0:
        return "sudo sysctl kernel.unprivileged_userns_clone=1"
    if _number(MOST_USERNS) == 0:
        return "sudo sysctl user.max_user_namespaces=15000"
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return (
            "start the container with --cap-add SYS_ADMIN --security-opt seccomp=unconfined, or --privileged"
        )
    return "run as an ordinary user outside a container"


def _user_namespaces() -> Check:
    """Tell whether an ordinary user may make them; root needs none."""
    name = "user namespaces"
    if os.geteuid() == 0:
        return Check(name, True, "not needed as root")
    closed = {APPARMOR: 1, USERNS_CLONE: 0, MOST_USERNS: 0}
    reasons = [path for path, value in closed.items() if _number(path) == value]
    if reasons or sys.platform != "linux":
        return Check(name, False, f"closed by {', '.join(reasons) or sys.platform}", _bubblewrap_advice())
    return Check(name, True, f"open, at most {_number(MOST_USERNS)}")


def _landlock() -> Check:
    version = landlock.abi()
    if not version:
        return Check("Landlock", False, "not offered by this kernel", "Linux 5.13 or newer with lsm=landlock")
    return Check("Landlock", True, f"ABI {version}" + ("" if version >= 6 else ", does not hold signals"))


def _seccomp() -> Check:
    known = seccomp.machine() is not None and os.path.exists("/proc/sys/kernel/seccomp")
    return Check(
        "seccomp", known, os.uname().machine, "" if known else "x86_64 or aarch64 with Linux 4.14 or newer"
    )


def _cores() -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check(
        "cores", usable >= 2, f"{usable} usable of {os.cpu_count()}", "" if usable >= 2 else "two or more"
    )


def _memory() -> Check:
    total, free = _memory_bytes()
    ok = total >= LEAST_MEMORY
    return Check("memory", ok, f"{total / GIB:.1f} GiB, {free / GIB:.1f} free", "" if ok else "8 GiB or more")


def _memory_bytes() -> tuple[int, int]:
    """Return the total and the available memory; 0 where the system does not say."""
    with suppress(OSError), open("/proc/meminfo") as file:
        fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}
        return fields["MemTotal"], fields.get("MemAvailable", fields["MemFree"])
    with suppress(ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), 0
    return 0, 0


def _disk() -> Check:
    """Look at the working folder, where prepared data and runs go, and at the temporary folder."""
    here, temporary = (shutil.disk_usage(folder).free for folder in (os.getcwd(), tempfile.gettempdir()))
    detail = f"{here / GIB:.1f} GiB free here, {temporary / GIB:.1f} in {tempfile.gettempdir()}"
    return Check(
        "disk", here >= LEAST_DISK, detail, "" if here >= LEAST_DISK else "20 GiB free for prepared data"
    )


def _bytecode() -> Check:
    """Look whether Lightning is compiled: uv leaves that to the first import, which no sandbox can keep."""
    name, found = "bytecode of libraries", importlib.util.find_spec("pytorch_lightning")
    if found is None or found.origin is None:
        return Check(name, False, "Lightning is not installed", "uv sync --compile-bytecode")
    if os.path.exists(importlib.util.cache_from_source(found.origin)):
        return Check(name, True, "there")
    return Check(name, False, "none: every run compiles them again", "uv sync --compile-bytecode")


def _gpu() -> Check:
    """Look for device files; loading CUDA would take seconds."""
    nodes = mounts.gpu_nodes()
    names = [_model(folder) for folder in sorted(glob.glob("/proc/driver/nvidia/gpus/*"))]
    if not nodes:
        return Check("GPU", True, "none: training runs on the processor")
    uvm = "/dev/nvidia-uvm" in nodes or not any("nvidia" in node for node in nodes)
    detail = f"{', '.join(filter(None, names)) or 'unknown model'} ({len(nodes)} device files)"
    return Check("GPU", uvm, detail, "" if uvm else "nvidia-modprobe -u -c 0")


def _model(folder: str) -> str:
    with suppress(OSError), open(f"{folder}/information") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("Model:")), "")
    return ""


def _number(path: str) -> int | None:
    """Return the number in a file of /proc, None if there is none."""
    with suppress(OSError, ValueError), open(path) as file:
        return int(file.read())
    return None
