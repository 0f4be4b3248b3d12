"""What a fold may see of this machine: system libraries, this Python, the harness, and the run's inputs.

The list is the same for bubblewrap (as mounts) and for Landlock (as rules).
"""

from __future__ import annotations

import glob
import os
import site
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import harness
from harness.contracts import SandboxSpec
from harness.errors import UserError

__all__ = [
    "accounts",
    "bubblewrap_arguments",
    "code_paths",
    "devices",
    "environment",
    "gpu_nodes",
    "temporary_places",
    "visible",
]

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone", "nsswitch.conf")
STORES = ("/nix/store", "/gnu/store")
HARDWARE = ("/sys/devices/system",)
GPU_NODES = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/kfd", "/dev/dri/render*", "/dev/dxg")
PLAIN_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
"""Of the zygote: what it takes to give each fold its namespaces and then nothing. Folds have none."""
ACCOUNTS = "root:x:0:0::/:/bin/sh\nfold:x:{uid}:{gid}::/tmp:/bin/sh\n"
GROUP = "root:x:0:\nfold:x:{gid}:\n"
FOLD_GROUP = 65534
PRELOAD_BYTES = 64 << 20
"""What libraries may write while they are imported, before any fold."""
CONFIGURED = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "TZ")
"""The only variables that pass from the caller's environment: which GPU, which libraries, which time zone."""


def temporary_places(folder: str) -> dict[str, str]:
    """Return the variables that make libraries keep their caches in a temporary folder."""
    caches = {"MPLCONFIGDIR": "matplotlib", "XDG_CACHE_HOME": "cache", "NUMBA_CACHE_DIR": "numba"}
    caches |= {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton", "CUDA_CACHE_PATH": "cuda"}
    return {"HOME": folder, "TMPDIR": folder} | {key: f"{folder}/{name}" for key, name in caches.items()}


def environment(temporary: str) -> dict[str, str]:
    """Return the whole environment of a zygote and its folds."""
    fixed = temporary_places(temporary) | {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "USER": "fold",
        "LOGNAME": "fold",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # one thread at the fork
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "disabled",
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
    }
    threads = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM", "NUMBA", "RAYON", "POLARS_MAX")
    fixed |= {f"{library}_NUM_THREADS": "1" for library in threads}
    return fixed | {name: os.environ[name] for name in CONFIGURED if name in os.environ}


def gpu_nodes() -> tuple[str, ...]:
    """Return the device files of the GPUs."""
    return tuple(
        sorted(node for pattern in GPU_NODES for node in glob.glob(pattern) if not os.path.isdir(node))
    )


def devices() -> tuple[str, ...]:
    """Return every device file that a fold may open."""
    return PLAIN_DEVICES + gpu_nodes()


def code_paths(spec: SandboxSpec) -> tuple[str, ...]:
    """Return the folders to put on sys.path: the harness's own, the spec's, and other site-packages."""
    packages = [p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages")]
    if site.ENABLE_USER_SITE:
        packages.append(site.getusersitepackages())
    return tuple(dict.fromkeys([_harness_root(), *spec.python_path, *filter(os.path.isdir, packages)]))


def visible(spec: SandboxSpec) -> tuple[str, ...]:
    """Return the absolute paths that every fold may read, parents first, none inside another.

    Raises:
        UserError: a path of the spec does not exist or is not absolute.
    """
    for path in (*spec.read_only, *spec.python_path):
        if not os.path.isabs(path) or not os.path.exists(path):
            raise UserError(
                f"{path!r} does not exist (or is not an absolute path): the sandbox cannot show it."
            )
    own = [_harness_folder(), *_python(), *(p for p in code_paths(spec) if p != _harness_root())]
    libraries = [p for p in os.environ.get("LD_LIBRARY_PATH", "").split(":") if _is_library_folder(p)]
    stores = [p for p in STORES if os.path.isdir(p) and sys.base_prefix.startswith(p)]
    hardware = ["/sys"] if gpu_nodes() else list(HARDWARE)
    wanted = [*_real_system(), *stores, *hardware, *own, *libraries, *spec.read_only]
    return _outermost(os.path.normpath(p) for p in wanted if os.path.exists(p))


def bubblewrap_arguments(spec: SandboxSpec, passwd: int, group: int) -> list[str]:
    """Return bubblewrap's arguments; passwd and group are descriptors to read these files from."""
    root = os.geteuid() == 0
    words = ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    words += ["--unshare-cgroup-try", "--hostname", "medal", "--cap-drop", "ALL"]
    words += [word for name in CAPABILITIES for word in ("--cap-add", name)]
    if not root:  # CAP_SYS_RESOURCE there means the user namespace's own limits only
        words += ["--cap-add", "CAP_SYS_RESOURCE"]
        words += ["--unshare-user", "--uid", str(FOLD_GROUP), "--gid", str(FOLD_GROUP)]
    words += ["--dev", "/dev", "--proc", "/proc", "--perms", "1777"]
    words += ["--size", str(PRELOAD_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - folds get their own
    for path in SYSTEM:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
    seen = {"/", "/dev", "/proc", "/tmp"}  # noqa: S108
    for path in [p for top in visible(spec) for p in _readable_by_others(top, root=root)]:
        words += [*_parents(path, seen), "--ro-bind", path, path]
    words += _parents("/etc/passwd", seen)
    words += [w for name in ETC for w in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")]
    words += ["--perms", "0644", "--ro-bind-data", str(passwd), "/etc/passwd"]
    words += ["--perms", "0644", "--ro-bind-data", str(group), "/etc/group"]
    words += [word for node in gpu_nodes() for word in ("--dev-bind-try", node, node)]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]


def accounts() -> tuple[bytes, bytes]:
    """Return the contents of /etc/passwd and /etc/group inside."""
    numbers = {"uid": FOLD_GROUP, "gid": FOLD_GROUP}
    return ACCOUNTS.format(**numbers).encode(), GROUP.format(**numbers).encode()


def _harness_folder() -> str:
    return str(Path(harness.__file__).resolve().parent)


def _harness_root() -> str:
    return os.path.dirname(_harness_folder())


def _real_system() -> list[str]:
    return [path for path in SYSTEM if os.path.isdir(path) and not os.path.islink(path)]


def _is_library_folder(path: str) -> bool:
    return os.path.isabs(path) and os.path.isdir(path) and os.path.normpath(path) != "/"


def _python() -> Iterator[str]:
    """Yield the prefixes of this interpreter, through every link between the venv's and the real one."""
    yield from (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    link = sys.executable
    while os.path.islink(link):
        link = os.path.join(os.path.dirname(link), os.readlink(link))
        prefix = os.path.dirname(os.path.dirname(link))
        library = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
        yield prefix if os.path.isdir(os.path.join(prefix, library)) else link


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Sort the paths and leave out those inside another."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda p: (p.count("/"), p)):
        if not any(path == top or path.startswith(top.rstrip("/") + "/") for top in kept):
            kept.append(path)
    return tuple(kept)


def _parents(path: str, seen: set[str]) -> list[str]:
    """Make the missing folders above a path 0755; bubblewrap's own would be 0700."""
    words: list[str] = []
    for parent in reversed(Path(path).parents):
        if str(parent) not in seen:
            seen.add(str(parent))
            words += ["--perms", "0755", "--dir", str(parent)]
    return words


def _readable_by_others(path: str, *, root: bool) -> Sequence[str]:
    """Return the path, or what is in it where it is closed to others and root's rights are dropped.

    Raises:
        UserError: a file that the fold's user could not read.
    """
    if not root:
        return [path]
    if _open_to_others(path):
        return [path]
    if not os.path.isdir(path):
        raise UserError(
            f"{path!r} is closed to other users, and root's rights are dropped in the sandbox: "
            f"type 'chmod -R a+rX {path}', or run as an ordinary user."
        )
    return [inner for entry in sorted(os.listdir(path)) for inner in _inside(os.path.join(path, entry))]


def _inside(path: str) -> list[str]:
    """Return the entry of a closed folder if others may read it; links and closed entries are left out."""
    return [path] if not os.path.islink(path) and _open_to_others(path) else []


def _open_to_others(path: str) -> bool:
    mode = os.stat(path).st_mode
    needed = 0o005 if stat.S_ISDIR(mode) else 0o004
    return mode & needed == needed
