"""What a hostile submission would try, run inside a fold; each emits what it got, and the tests judge that.

Every function is an entry: (payload, emit) -> arrays. None is a mock: what is named is really done.
"""

from __future__ import annotations

import ctypes
import glob
import hashlib
import mmap
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

Emit = Callable[[dict[str, Any]], None]
Arrays = dict[str, Any]
LIBC = ctypes.CDLL(None, use_errno=True)
SHM_KEY = 0x6D6564
NEW_USER, NEW_NAMESPACE = 0x10000000, 0x20000


# ------------------------------------------------------------------------------- honest work
def normal(payload: bytes, emit: Emit) -> Arrays:
    """Do what an honest entry does."""
    emit({"event": "epoch", "loss": 0.5})
    print("honest work")
    return {"score": np.frombuffer(payload, dtype=np.float64) * 2}


def many(payload: bytes, emit: Emit) -> Arrays:
    """Return one array of each kind."""
    return {
        "float": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
        "label": np.arange(4, dtype=np.uint8),
        "yes": np.array([True, False]),
        "none": np.zeros((0, 3)),
        "one": np.float64(7.0),
        "volume": np.full((300, 100, 100), 3, dtype=np.int16),
    }


def whoami(payload: bytes, emit: Emit) -> Arrays:
    """Report the rights that are left."""
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file.read().splitlines())
    keys = ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb", "NoNewPrivs", "Seccomp")
    spaces = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "pid", "ipc", "uts", "net")}
    emit(spaces | {key: status[key].strip() for key in keys} | {"uid": os.getuid(), "groups": os.getgroups()})
    return {}


# ------------------------------------------------------------------------------------- files
def read_files(payload: bytes, emit: Emit) -> Arrays:
    """Read the given paths, also through every process's root, cwd and descriptors."""
    paths = pickle.loads(payload)
    for path in paths:
        tries = [path, *(f"{p}/root{path}" for p in glob.glob("/proc/[0-9]*"))]
        tries += [f"{p}/cwd{path}" for p in glob.glob("/proc/[0-9]*")]
        tries += [os.path.join("/tmp", "../" * 12, path.lstrip("/"))]
        for attempt in tries:
            with suppress(OSError), open(attempt, "rb") as file:
                emit({"path": attempt, "got": file.read(60).decode(errors="replace")})
    return {}


def read_by_symlink(payload: bytes, emit: Emit) -> Arrays:
    """Plant a link to the sealed labels and return what it leads to as predictions."""
    link = os.path.join(os.environ["TMPDIR"], "predictions.npy")
    os.symlink(pickle.loads(payload), link)
    return {"score": np.load(link)}


def read_by_handle(payload: bytes, emit: Emit) -> Arrays:
    """Open files by handle (inode numbers), past every mount."""
    handle = ctypes.create_string_buffer(b"\x08\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0", 24)
    fd = os.open(os.path.dirname(__file__), os.O_RDONLY)
    got = LIBC.open_by_handle_at(fd, handle, os.O_RDONLY)
    emit({"got": got, "errno": ctypes.get_errno()})
    return {}


def environments(payload: bytes, emit: Emit) -> Arrays:
    """Collect every environment there is."""
    texts = [repr(dict(os.environ))]
    for path in [*glob.glob("/proc/[0-9]*/environ"), "/proc/1/environ"]:
        with suppress(OSError), open(path, "rb") as file:
            texts.append(file.read().decode(errors="replace"))
    emit({"got": "\n".join(texts)[:60000]})
    return {}


def descriptors(payload: bytes, emit: Emit) -> Arrays:
    """List the open descriptors and read from each that can be read."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            os.set_blocking(int(name), False)
            got = b""
            with suppress(OSError):
                got = os.read(int(name), 200)
            emit({"fd": int(name), "target": target, "got": got.decode(errors="replace")})
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        if not path.startswith(f"/proc/{os.getpid()}/"):
            with suppress(OSError), open(path, "rb") as file:
                emit({"fd": path, "target": os.readlink(path), "got": file.read(50).decode(errors="replace")})
    return {}


def others_memory(payload: bytes, emit: Emit) -> Arrays:
    """Open the memory and maps of every other process."""
    for path in glob.glob("/proc/[0-9]*"):
        if path != f"/proc/{os.getpid()}":
            for name in ("mem", "maps", "environ", "auxv", "stack", "syscall"):
                with suppress(OSError), open(f"{path}/{name}", "rb") as file:
                    text = file.read(20).hex()
                    if text or name == "mem":  # the maps of the kernel's own threads are empty
                        emit({"got": f"{path}/{name}", "text": text})
    return {}


def scan_memory(payload: bytes, emit: Emit) -> Arrays:
    """Search this process's whole memory for a secret of which only the hash is known."""
    wanted = payload[:64].decode()
    pattern = re.compile(rb"LABELS" + rb":[0-9a-f]{32}")
    seen = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            span, rights, *_ = line.split()
            low, high = (int(text, 16) for text in span.split("-"))
            if "r" not in rights or "[v" in line or high - low > 1 << 32:
                continue
            with suppress(OSError, ValueError):
                memory.seek(low)
                block = memory.read(high - low)
                seen += len(block)
                for match in pattern.findall(block):
                    if hashlib.sha256(match).hexdigest() == wanted:
                        emit({"found": line})
    emit({"scanned": seen})
    return {}


def keep_payload(payload: bytes, emit: Emit) -> Arrays:
    """Hold the payload in as many places as possible until the end."""
    np.medal_leak = payload  # type: ignore[attr-defined]
    os.environ["LEAK"] = payload.decode()
    globals()["copy"] = bytearray(payload) * 100
    return {}


def leave_state(payload: bytes, emit: Emit) -> Arrays:
    """Leave something behind in every place that might outlive this fold."""
    np.medal_leak = "left"  # type: ignore[attr-defined]
    os.environ["LEAK"] = "left"
    for folder in ("/tmp", "/dev/shm", "/var/tmp", os.environ["TMPDIR"]):
        with suppress(OSError), open(f"{folder}/medal-left-behind", "w") as file:
            file.write("left")
            emit({"wrote": folder})
    with suppress(OSError):
        emit({"shm": LIBC.shmget(SHM_KEY, 4096, 0o1666)})
    return {}


def find_state(payload: bytes, emit: Emit) -> Arrays:
    """Look for what another fold left."""
    found = [name for name in ("medal_leak",) if hasattr(np, name)]
    found += ["env"] if "LEAK" in os.environ else []
    for folder in ("/tmp", "/dev/shm", "/var/tmp", os.environ["TMPDIR"]):
        found += glob.glob(f"{folder}/medal-left-behind")
    found += ["shm"] if LIBC.shmget(SHM_KEY, 4096, 0) >= 0 else []
    emit({"found": found})
    return {}


def write_everywhere(payload: bytes, emit: Emit) -> Arrays:
    """Create a file in every folder within reach, and open known files to write."""
    for path in pickle.loads(payload):
        with suppress(OSError), open(path, "r+b"):
            emit({"opened": path})
    for top in ("/", os.environ["TMPDIR"]):
        for folder, folders, _ in os.walk(top):
            if folder.count("/") > 4 or folder.startswith(("/proc/self", "/proc/thread-self")):
                folders.clear()
                continue
            name = os.path.join(folder, "medal-was-here")
            with suppress(OSError):
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
                os.unlink(name)
                emit({"created": folder})
    return {}


def change_modes(payload: bytes, emit: Emit) -> Arrays:
    """Change mode, owner, times and names of the given files, link and remove them."""
    for path in pickle.loads(payload):
        changes: list[tuple[Any, ...]] = [
            (os.chmod, path, 0o777),
            (os.utime, path, (1, 1)),
            (os.unlink, path),
        ]
        changes += [(os.rename, path, path + ".moved"), (os.chown, path, os.getuid(), -1)]
        changes += [(os.link, path, os.path.join(os.environ["TMPDIR"], "link")), (os.truncate, path, 0)]
        changes += [(os.setxattr, path, "user.medal", b"1")]
        for change, *arguments in changes:
            with suppress(OSError):
                change(*arguments)
                emit({"did": change.__name__, "path": path})
    return {}


# ----------------------------------------------------------------------------------- network
def connect(payload: bytes, emit: Emit) -> Arrays:
    """Connect to each given address and to the world."""
    for family, address in pickle.loads(payload):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with suppress(OSError), socket.socket(family, kind) as caller:
                caller.settimeout(1)
                caller.connect(address)
                emit({"reached": repr(address), "kind": int(kind)})
    return {}


def odd_sockets(payload: bytes, emit: Emit) -> Arrays:
    """Open sockets of every family, and raw ones."""
    usual = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
    for family in range(1, 46):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            if family in usual and kind != socket.SOCK_RAW:
                continue
            for protocol in range(1 if family == socket.AF_NETLINK else 0, 17):
                with suppress(OSError), socket.socket(family, kind, protocol) as opened:
                    if family != socket.AF_UNIX:  # a raw unix socket is a datagram one
                        emit({"opened": [family, int(kind), protocol, opened.fileno()]})
    return {}


# -------------------------------------------------------------------------------- privileges
def system_calls(payload: bytes, emit: Emit) -> Arrays:
    """Make calls by number, with null arguments; emit the error of each."""
    for name, number in pickle.loads(payload).items():
        got = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6)
        emit({"call": name, "got": got, "errno": ctypes.get_errno()})
    return {}


def namespaces(payload: bytes, emit: Emit) -> Arrays:
    """Make nested namespaces by each way there is."""
    clone = 56 if os.uname().machine == "x86_64" else 220
    for name, flag in {"user": NEW_USER, "mount": NEW_NAMESPACE, "both": NEW_USER | NEW_NAMESPACE}.items():
        if LIBC.unshare(flag) == 0:
            emit({"did": f"unshare {name}"})
        pid = LIBC.syscall(
            ctypes.c_long(clone), ctypes.c_long(flag | signal.SIGCHLD), *[ctypes.c_long(0)] * 4
        )
        if pid == 0:
            os._exit(0)
        if pid > 0:
            emit({"did": f"clone {name}"})
    for words in (["unshare", "-U", "true"], ["bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"]):
        with suppress(OSError):
            if subprocess.run(words, capture_output=True, check=False).returncode == 0:
                emit({"did": " ".join(words)})
    return {}


def mounts(payload: bytes, emit: Emit) -> Arrays:
    """Mount, unmount, and run setuid programs to regain rights."""
    where = os.environ["TMPDIR"].encode()
    for kind in (b"tmpfs", b"proc", b"sysfs", b"devpts"):
        if LIBC.mount(b"none", where, kind, 0, None) == 0:
            emit({"did": f"mount {kind!r}"})
    for path in (b"/tmp", b"/dev/shm", b"/proc", b"/proc/sys", b"/"):
        if LIBC.umount2(path, 2) == 0:
            emit({"did": f"umount {path!r}"})
    for flags in (4096, 32 | 4096, 32):
        if LIBC.mount(b"/proc", where, None, flags, None) == 0:
            emit({"did": "bind"})
    for words in (["su", "-c", "id"], ["sudo", "-n", "id"], ["mknod", "/tmp/disk", "b", "254", "0"]):
        with suppress(OSError):
            if (
                subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode
                == 0
            ):
                emit({"did": " ".join(words)})
    with suppress(OSError):
        os.setuid(0)
        emit({"did": "setuid"})
    return {}


# --------------------------------------------------------------------------------- processes
def kill_all(payload: bytes, emit: Emit) -> Arrays:
    """Kill everything within reach."""
    with suppress(OSError):
        os.kill(-1, signal.SIGKILL)
    for pid in [int(path[6:]) for path in glob.glob("/proc/[0-9]*")]:
        if pid not in (os.getpid(), 1):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    with suppress(OSError):
        os.kill(os.getppid(), signal.SIGKILL)
    return {}


def daemon(payload: bytes, emit: Emit) -> Arrays:
    """Leave a daemon behind: two forks, a session of its own, all descriptors closed."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            os.execv("/bin/sleep", [payload.decode(), "300"])
        os._exit(0)
    os.wait()
    time.sleep(0.1)
    return {}


def hang(payload: bytes, emit: Emit) -> Arrays:
    """Never end, ignore every signal that can be ignored, and have children that do the same."""
    for number in range(1, 32):
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            os.execv("/bin/sleep", [payload.decode(), "300"])
    emit({"event": "hanging"})
    while True:
        time.sleep(0.01)


def fork_bomb(payload: bytes, emit: Emit) -> Arrays:
    """Fork without end, in every process."""
    while True:
        os.fork()


def patient_fork_bomb(payload: bytes, emit: Emit) -> Arrays:
    """Fork without end, and survive every refusal."""
    while True:
        with suppress(OSError):
            os.fork()


def thread_bomb(payload: bytes, emit: Emit) -> Arrays:
    """Start threads without end."""
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()


# ------------------------------------------------------------------------------------ limits
def huge_array(payload: bytes, emit: Emit) -> Arrays:
    """Allocate 100 GB at once."""
    return {"score": np.ones(100 * (1 << 30) // 8)}


def many_arrays(payload: bytes, emit: Emit) -> Arrays:
    """Allocate and touch 8 MB at a time, in four processes, for ever."""
    for _ in range(2):
        os.fork()
    kept = []
    while True:
        kept.append(np.ones(1 << 20))
        time.sleep(0.005)


def shared_memory(payload: bytes, emit: Emit) -> Arrays:
    """Allocate anonymous shared memory, which is nobody's private data."""
    kept = []
    while True:
        block = mmap.mmap(-1, 16 << 20)
        block.write(b"x" * (16 << 20))
        kept.append(block)
        time.sleep(0.005)


def hidden_memory(payload: bytes, emit: Emit) -> Arrays:
    """Fill memory that belongs to no process: files in memory, System V segments."""
    with suppress(OSError):
        kept = [os.memfd_create(str(number)) for number in range(3)]
        for descriptor in kept:
            emit({"hidden": os.write(descriptor, bytes(1 << 20))})
    for size in (1 << 20, 1 << 30):
        if LIBC.shmget(0, ctypes.c_size_t(size), 0o1600) >= 0:
            emit({"hidden": size})
    return {}


def fill_disk(payload: bytes, emit: Emit) -> Arrays:
    """Write to the given folder until it is full."""
    folder = payload.decode() or os.environ["TMPDIR"]
    for number in range(100_000):
        with open(f"{folder}/{number}", "wb") as file:
            file.write(bytes(1 << 20))
    return {}


def fill_both(payload: bytes, emit: Emit) -> Arrays:
    """Write to both temporary folders in turn; emit how much they hold together."""
    total = 0
    try:
        for number in range(100_000):
            with open(f"{('/tmp', '/dev/shm')[number % 2]}/{number}", "wb", buffering=0) as file:
                total += file.write(bytes(1 << 20))
    finally:
        emit({"written": total})
    return {}


def fill_inodes(payload: bytes, emit: Emit) -> Arrays:
    """Make empty files until there can be no more."""
    for number in range(10_000_000):
        with open(f"{os.environ['TMPDIR']}/{number}", "wb"):
            pass
    return {}


def deep_tree(payload: bytes, emit: Emit) -> Arrays:
    """Leave a tree that is 1200 folders deep, and closed folders."""
    os.chdir(os.environ["TMPDIR"])
    os.mkdir("closed", 0o000)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    return {}


def flood(payload: bytes, emit: Emit) -> Arrays:
    """Print without end."""
    while True:
        os.write(1, b"A" * 65536)


def flood_events(payload: bytes, emit: Emit) -> Arrays:
    """Emit without end."""
    while True:
        emit({})


def odd_events(payload: bytes, emit: Emit) -> Arrays:
    """Write what is not an event between two events, straight into the pipe."""
    emit({"n": 1})
    pipe = emit.__closure__[0].cell_contents  # type: ignore[index]
    os.write(pipe, b"[1]\nnot json\n" + b"[" * 5000 + b"\n" + b'{"x": ' + b"9" * 6000 + b"}\n\xff\xfe\n")
    os.write(pipe, b'{"long": "' + b"y" * 70000 + b'"}\n')
    emit({"n": 2, "text": "a\x1b[31mred\u202e", "deep": {"a": [1, {"b": None}]}})
    return {}


def odd_log(payload: bytes, emit: Emit) -> Arrays:
    """Print escape sequences and bytes that are not text."""
    os.write(1, b"before\x1b[2J\x1b]0;title\x07\x08\x00 \xff after\r\nnext\n")
    return {}


# ------------------------------------------------------------------------------------- deaths
def segfault(payload: bytes, emit: Emit) -> Arrays:
    """Read address zero."""
    ctypes.string_at(0)
    return {}


def end_by_signal(payload: bytes, emit: Emit) -> Arrays:
    """Send this process the given signal."""
    os.kill(os.getpid(), int(payload))
    time.sleep(5)
    return {}


def abort(payload: bytes, emit: Emit) -> Arrays:
    """Abort, as a failed assertion in C does."""
    os.abort()


def leave(payload: bytes, emit: Emit) -> Arrays:
    """Exit at once with the given code."""
    os._exit(int(payload))


def system_exit(payload: bytes, emit: Emit) -> Arrays:
    """Exit as a script does."""
    sys.exit(0)


def raise_error(payload: bytes, emit: Emit) -> Arrays:
    """Raise the pickled exception."""
    raise pickle.loads(payload)


def raise_from(payload: bytes, emit: Emit) -> Arrays:
    """Raise an ordinary error from the pickled exception."""
    try:
        raise pickle.loads(payload)
    except Exception as error:
        raise ValueError("wrapped") from error


# ------------------------------------------------------------------------------------ results
def give(payload: bytes, emit: Emit) -> Arrays:
    """Return the pickled arrays."""
    got: Arrays = pickle.loads(payload)
    return got


def forge(payload: bytes, emit: Emit) -> Arrays:
    """Write the payload straight into the result pipe and leave."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        with suppress(OSError):
            if descriptor > 2 and os.readlink(f"/proc/self/fd/{name}").startswith("pipe:"):
                os.set_blocking(descriptor, True)
                os.write(descriptor, payload)
    os._exit(0)


# ---------------------------------------------------------------------------------- two at once
def hide(payload: bytes, emit: Emit) -> Arrays:
    """Put a secret in every shared place, and stay for a while."""
    for folder in ("/tmp", "/dev/shm"):
        with suppress(OSError), open(f"{folder}/medal-other", "w") as file:
            file.write("secret")
    LIBC.shmget(SHM_KEY + 1, 4096, 0o1666)
    listener = None
    with suppress(OSError):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind("\0medal-other")
        listener.listen()
    emit({"event": "hidden"})
    time.sleep(float(payload))
    emit({"uid": os.getuid(), "listening": listener is not None})
    return {}


def seek(payload: bytes, emit: Emit) -> Arrays:
    """Look for another fold: its files, memory, sockets and processes."""
    found = [p for p in ("/tmp/medal-other", "/dev/shm/medal-other") if os.path.exists(p)]
    found += ["shm"] if LIBC.shmget(SHM_KEY + 1, 4096, 0) >= 0 else []
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.connect("\0medal-other")
        found.append("socket")
    for path in glob.glob("/proc/[0-9]*"):
        if path not in ("/proc/1", f"/proc/{os.getpid()}"):
            with suppress(OSError):
                found.append(os.readlink(f"{path}/fd/0"))
            with suppress(OSError):
                os.kill(int(path[6:]), 0)
                found.append(f"signal {path}")
    emit({"found": found})
    return {}
