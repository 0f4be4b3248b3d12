"""Start a zygote, keep it, and ask it for folds: the parent's end of the control socket."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness import mounts, wire
from harness.contracts import Isolation, SandboxSpec

__all__ = ["Zygote", "ZygoteError", "ZygoteGone"]

LONGEST_COMPLAINT = 65536
START_SECONDS = 900.0
CLOSE_SECONDS = 1.0
START = "import sys; sys.path.insert(0, sys.argv[1]); from harness.zygote import main; main(int(sys.argv[2]))"


class ZygoteError(Exception):
    """The sandbox could not be started, or ended; the text says why in one sentence."""


class ZygoteGone(ZygoteError):  # noqa: N818 - a state, dealt with by starting another
    """It was there and has ended before it took the fold: another one may take it."""


class Zygote:
    """One running zygote; the constructor returns at once and `wait` until it is ready.

    A thread of its own starts and keeps it: the kernel's "die with your parent" means the thread that forked,
    and the threads that run folds come and go.
    """

    def __init__(self, spec: SandboxSpec) -> None:
        self._spec = spec
        self._visible = mounts.visible(spec)
        self._control, self._theirs = socket.socketpair()
        self._sending = threading.Lock()
        self._ready = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._output = -1
        self._complaint = bytearray()
        self._reason = ""
        self._was_ready = False
        self._temporary: str | None = None
        self._closed = False
        self.hopeless = False
        """It could not import what is to be preloaded: another would not either."""
        self.seconds = 0.0
        """Spent importing what is preloaded."""
        self.threads = 0
        """Of the zygote before the first fork: has to be 1."""
        self._keeper = threading.Thread(target=self._keep, name="zygote keeper", daemon=True)
        self._keeper.start()

    @property
    def alive(self) -> bool:
        """False once it ended or could not start."""
        return self._keeper.is_alive() and not self._reason

    def wait(self) -> None:
        """Wait until folds can be asked for.

        Raises:
            ZygoteError: it could not start; ZygoteGone if it ended since.
        """
        if not self._ready.wait(START_SECONDS):
            raise ZygoteError(f"the sandbox was not ready within {START_SECONDS:.0f} s")
        if self._reason:
            raise (ZygoteGone if self._was_ready else ZygoteError)(self._reason)

    def ask(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Ask for one fold, which gets copies of the descriptors.

        Raises:
            ZygoteGone: it has ended.
        """
        try:
            with self._sending:
                wire.send(self._control, request, descriptors)
        except OSError as error:
            raise ZygoteGone(self._reason or f"the sandbox has ended ({error})") from error

    def close(self) -> None:
        """Kill it with every fold in it."""
        self._closed = True
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            self._process.kill()
        if threading.current_thread() is not self._keeper:
            self._keeper.join(CLOSE_SECONDS)

    # ----------------------------------------------------------------------- keeper's thread
    def _keep(self) -> None:
        """Start it, tell when it is ready, read what it complains about, reap it."""
        try:
            self._process = self._start()
            if self._closed:
                self._process.kill()
            self._first_message()
        except (OSError, ZygoteError) as error:
            self._reason = self._reason or str(error)
        except Exception as error:
            self._reason = f"{type(error).__name__}: {error}"
        self._ready.set()
        if self._process is not None:
            if self._reason:
                self._process.kill()
            self._listen(None)
            code = self._process.wait()
            self._reason = self._reason or f"the sandbox ended with code {code}{self._last_words()}"
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        self._control.close()

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._theirs.fileno()
        python = [sys.executable, "-I", "-c", START, mounts.code_paths(self._spec)[0], str(descriptor)]
        files = [_memory_file(data) for data in mounts.accounts()]
        jailed = self._spec.isolation is Isolation.BUBBLEWRAP
        self._temporary = None if jailed else tempfile.mkdtemp(prefix="zygote-")
        try:
            words = self._bubblewrap(*files) if jailed else []
            process = subprocess.Popen(  # noqa: S603 - the words are ours
                words + python,
                env=mounts.environment(self._temporary or "/tmp"),  # noqa: S108 - its own tmpfs
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(descriptor, *files),
                cwd="/",
                start_new_session=True,
            )
            self._output = process.stdout.fileno() if process.stdout else -1
        finally:
            self._theirs.close()
            for file in files:
                os.close(file)
        return process

    def _bubblewrap(self, passwd: int, group: int) -> list[str]:
        program = shutil.which("bwrap")
        if program is None:
            raise ZygoteError("bubblewrap is not installed: type 'apt install bubblewrap'")
        return [program, *mounts.bubblewrap_arguments(self._spec, passwd, group), "--"]

    def _first_message(self) -> None:
        in_place = self._spec.isolation is not Isolation.BUBBLEWRAP
        config = {
            "isolation": self._spec.isolation,
            "preload": self._spec.preload,
            "python_path": mounts.code_paths(self._spec),
            "read_only": self._visible,
            "devices": mounts.devices(),
            "has_gpu": bool(mounts.gpu_nodes()),
            "parent": os.getpid() if in_place else None,
        }
        with suppress(ConnectionError):  # what it complained about says more
            wire.send(self._control, config)
        if not self._listen(self._control.fileno()):
            raise ZygoteError(f"the sandbox did not start{self._last_words()}")
        answer = None
        with suppress(ConnectionError):
            answer = wire.receive(self._control)
        if answer is None:
            self._listen(None)
            raise ZygoteError(f"the sandbox did not start{self._last_words()}")
        if answer[0]["failed"]:
            self.hopeless = True
            raise ZygoteError(f"the sandbox did not start: {answer[0]['failed']}")
        self.seconds, self.threads = answer[0]["seconds"], answer[0]["threads"]
        self._was_ready = True

    def _listen(self, until: int | None) -> bool:
        """Keep what it prints until another descriptor has news (True) or its output ends (False)."""
        output = self._output
        wanted = [output] if until is None else [output, until]
        while True:
            ready, _, _ = select.select(wanted, [], [])
            if until in ready:
                return True
            printed = os.read(output, LONGEST_COMPLAINT)
            if not printed:
                return False
            self._complaint += printed
            del self._complaint[:-LONGEST_COMPLAINT]

    def _last_words(self) -> str:
        lines = wire.clean(self._complaint.decode(errors="replace")).strip().splitlines()
        return f": {lines[-1][:500]}" if lines else ""


def _memory_file(data: bytes) -> int:
    """Return a descriptor, at its start, of an unnamed file with the data."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return os.dup(file.fileno())
