"""The site on this machine's own address: built again when the runs change; open pages reload themselves.

What reloads a page is added to the answer alone; the files of the site ask for nothing. Only 127.0.0.1 is
listened on, and a request that names another host is refused: it comes from a page elsewhere whose name was
made to lead here.
"""

from __future__ import annotations

import errno
import mimetypes
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

from harness.errors import UserError, of_file_system

__all__ = ["Live", "serve", "state_of"]

ADDRESS = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost")
BUILD, SCRIPT = "/.build", "/.reload.js"
CLOSED, OPEN = b"default-src 'none'; ", b"default-src 'none'; connect-src 'self'; "
"""The pages' policy, and the answer's: it lets the script ask whether the site was built again."""
WATCHED = ("[!.]*/record.json", "looks.jsonl", ".reproductions/*.json", ".explained/*/*/explained.json")
PAUSE = 1.0

State = tuple[tuple[str, int, int], ...]


def state_of(runs: Path, cards: list[Path]) -> State:
    """Return what changes when a record comes, goes or changes, or a challenge's card does."""
    found = [path for pattern in WATCHED for path in runs.glob(f"[!.]*/{pattern}")]
    states = []
    for path in sorted([*found, *cards]):
        with suppress(FileNotFoundError):
            about = path.stat()
            states.append((str(path), about.st_mtime_ns, about.st_size))
    return tuple(states)


# ----------------------------------------------------------------------------------------- answers
class Live:
    """Which build of the site is shown; a name that no other run of the server has had."""

    def __init__(self) -> None:
        self._started, self._builds = f"{os.getpid()}-{time.time_ns()}", 0

    @property
    def name(self) -> str:
        """The build that pages are sent of."""
        return f"{self._started}-{self._builds}"

    def renewed(self) -> None:
        """Say that the site was built again."""
        self._builds += 1


class Handler(BaseHTTPRequestHandler):
    """One request for a file of the site."""

    def __init__(self, site: Path, live: Live, *request: Any) -> None:  # noqa: ANN401  what the server passes on
        self._site, self._live = site.resolve(), live
        super().__init__(*request)

    def do_GET(self) -> None:
        """Answer with a file."""
        build, path = self._live.name, urlsplit(self.path).path
        if not is_own(self.headers.get("Host", "")):
            words = b"This server answers to 127.0.0.1 and localhost only."
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", words)
        elif path == BUILD:
            self._answer(HTTPStatus.OK, "text/plain", build.encode())
        elif path == SCRIPT:
            self._answer(HTTPStatus.OK, "text/javascript", RELOAD.read_bytes())
        else:
            self._send(path, build)

    do_HEAD = do_GET  # noqa: N815  the name that http.server calls

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal shows builds."""

    def _send(self, path: str, build: str) -> None:
        file = file_of(self._site, path)
        if file is not None and file.is_dir():
            self._answer(HTTPStatus.MOVED_PERMANENTLY, "text/plain", b"", where=f"{quote(unquote(path))}/")
            return
        try:
            content = b"" if file is None else file.read_bytes()
        except OSError:
            file, content = None, b""
        if file is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"The site has no such file.")
        elif file.suffix == ".html":
            self._answer(HTTPStatus.OK, "text/html", with_reload(content, build))
        else:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self._answer(HTTPStatus.OK, kind, content)

    def _answer(self, status: HTTPStatus, kind: str, content: bytes, where: str = "") -> None:
        self.send_response(status)
        textual = kind.startswith("text/") or kind.endswith(("json", "javascript"))
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if textual else kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if where:
            self.send_header("Location", where)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


RELOAD = Path(__file__).parent / "reload.js"


def is_own(host: str) -> bool:
    """Say whether a request's Host header names this machine's own address."""
    name, _, port = host.partition(":")
    return name.lower() in HOSTS and (not port or port.isdecimal())


def file_of(site: Path, path: str) -> Path | None:
    """Return the file of the site that a request names; a folder without its last / as it is; else None."""
    name = unquote(path)
    if not name.startswith("/") or name.startswith("//") or "\0" in name:
        return None
    if any(part.startswith(".") for part in name.split("/")):
        return None
    file = (site / name[1:]).resolve()
    if not file.is_relative_to(site):
        return None
    return file / "index.html" if name.endswith("/") else file


def with_reload(page: bytes, build: str) -> bytes:
    """Return a page with the script that reloads it once another build is shown."""
    script = f'<script src="{SCRIPT}" data-build="{build}" defer></script>\n</head>'.encode()
    return page.replace(CLOSED, OPEN, 1).replace(b"</head>", script, 1)


# ----------------------------------------------------------------------------------------- serving
def serve(
    site: Path,
    port: int,
    state: Callable[[], object],
    rebuild: Callable[[], object],
    say: Callable[[str], None],
) -> None:
    """Serve the site until Ctrl-C, and rebuild it whenever `state` is another than before.

    Raises:
        UserError: if the port cannot be had.
    """
    live = Live()
    with _listening(port, partial(Handler, site, live)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say(f"Leaderboard: http://{ADDRESS}:{server.server_port}/ (Ctrl-C ends it)")
        try:
            _watch(live, state, rebuild, say)
        except KeyboardInterrupt:
            say("Ended.")
        finally:
            server.shutdown()


class Server(ThreadingHTTPServer):
    """One that says nothing of a page that was closed before it was sent."""

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  the base's
        """Show what is our bug."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _listening(port: int, handler: Callable[..., BaseHTTPRequestHandler]) -> Server:
    try:
        return Server((ADDRESS, port), cast("type[BaseHTTPRequestHandler]", handler))
    except PermissionError:
        other = 8000
        why = "may not be used by this user"
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        other = port + 1 if port < 65535 else 8000
        why = "is in use by another program"
    raise UserError(f"Port {port} {why}. Type harness leaderboard --serve --port {other}.")


def _watch(
    live: Live, state: Callable[[], object], rebuild: Callable[[], object], say: Callable[[str], None]
) -> None:
    seen: object = None
    while True:
        if (now := state()) != seen:
            seen = now
            began = time.perf_counter()
            if (problem := _problem(rebuild)) is None:
                live.renewed()
                say(f"{time.strftime('%H:%M:%S')} built in {time.perf_counter() - began:.1f} s")
            else:
                say(f"{time.strftime('%H:%M:%S')} not built: {problem}")
        time.sleep(PAUSE)


def _problem(rebuild: Callable[[], object]) -> UserError | None:
    """Build, and return what the user has to put right first, if anything."""
    try:
        rebuild()
    except UserError as error:
        return error
    except OSError as error:
        if (sentence := of_file_system(error)) is None:
            raise
        return sentence
    return None
