"""The server on this machine's own address: what it sends, to whom, and what it survives."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.errors import UserError
from leaderboard import serve as module
from leaderboard.serve import Handler, Live, serve, state_of, with_reload
from leaderboard.site import build
from tests.leaderboard_fakes import card, record, write


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a built site, with a stranger's link out of it."""
    folder = tmp_path_factory.mktemp("serve")
    built = build(
        write(folder / "runs", [record("a"), record("b")]), folder / "site", {"kium": card()}
    ).parent
    (folder / "secret.txt").write_text("secret")
    (built / "link.txt").symlink_to(folder / "secret.txt")
    return built


@pytest.fixture(scope="module")
def live() -> Live:
    """Return what says which build is shown."""
    return Live()


@pytest.fixture(scope="module")
def port(site: Path, live: Live) -> Iterator[int]:
    """Return the port of a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, site, live)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def asked(
    port: int, path: str, host: str | None = "localhost", method: str = "GET"
) -> tuple[http.client.HTTPResponse, bytes]:
    """Return the answer to a request and its content."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def test_a_page_is_sent_with_the_script_that_reloads_it(port: int, site: Path, live: Live) -> None:
    """The file has neither the script nor a policy that lets it ask; other files are sent as they are."""
    answer, content = asked(port, "/kium/")
    file = (site / "kium/index.html").read_bytes()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert content == with_reload(file, live.name)
    assert b'<script src="/.reload.js" data-build="' in content
    assert content.count(b"connect-src 'self'") == 1
    assert b"reload.js" not in file
    assert b"connect-src" not in file
    for name, kind in (("site.css", "text/css"), ("look.js", "text/javascript")):
        answer, content = asked(port, f"/static/{name}")
        assert content == (site / "static" / name).read_bytes()
        assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"


def test_the_script_is_told_of_another_build(port: int, live: Live) -> None:
    """Every build has a name of its own, and so has every start of the server."""
    (_, script), (_, first) = asked(port, "/.reload.js"), asked(port, "/.build")
    live.renewed()
    assert b'fetch("/.build"' in script
    assert first.decode() != live.name == asked(port, "/.build")[1].decode()
    assert Live().name != Live().name


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("127.0.0.1:8000", 200), ("LOCALHOST:80", 200)),
        *(("evil.example", 403), ("localhost.evil.example", 403), ("evil.example:8000", 403)),
        *(("localhost@evil.example", 403), ("localhost:80.evil.example", 403), ("", 403), (None, 403)),
    ],
)
@pytest.mark.parametrize("path", ["/index.html", "/.build"])
def test_only_this_machines_own_names_are_answered(
    port: int, host: str | None, status: int, path: str
) -> None:
    """A page elsewhere whose name was made to lead to 127.0.0.1 reads nothing."""
    answer, content = asked(port, path, host)
    assert answer.status == status
    assert status == 200 or content == b"This server answers to 127.0.0.1 and localhost only."


@pytest.mark.parametrize(
    "path",
    [
        *("/missing.html", "/.files", "/.lock", "/kium/.part-x", "/../secret.txt", "/%2e%2e/secret.txt"),
        *("/link.txt", "//etc/passwd", "/kium/..%2f..%2fsecret.txt", "/%00", "/static/", "index.html"),
    ],
)
def test_what_is_no_file_of_the_site_is_not_found(port: int, path: str) -> None:
    """Hidden files, places outside, links that lead there, listings of folders."""
    answer, content = asked(port, path)
    assert (answer.status, content) == (404, b"The site has no such file.")


def test_a_folder_leads_to_its_page_and_a_head_has_no_content(port: int) -> None:
    """So that relative links hold."""
    answer, _ = asked(port, "/kium")
    assert (answer.status, answer.headers["Location"]) == (301, "/kium/")
    answer, content = asked(port, "/", method="HEAD")
    assert (answer.status, content) == (200, b"")
    assert asked(port, "/", method="POST")[0].status == 501


def test_a_port_in_use_is_one_sentence(site: Path) -> None:
    """With the command that takes the next one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as caught:
            serve(site, port, lambda: 0, lambda: None, print)
    other = port + 1 if port < 65535 else 8000
    assert str(caught.value) == (
        f"Port {port} is in use by another program. Type harness leaderboard --serve --port {other}."
    )


def test_a_record_that_cannot_be_read_is_a_line_and_ctrl_c_ends_it(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line a build, and none where nothing changed."""
    monkeypatch.setattr(module, "PAUSE", 0)
    states: Iterator[object] = iter([1, 1, 2, 2, 3])
    problems: Iterator[Exception | None] = iter(
        [None, UserError("x is not a run record."), PermissionError(13, "no", "/runs/x")]
    )
    said = list[str]()

    def state() -> object:
        try:
            return next(states)
        except StopIteration:
            raise KeyboardInterrupt from None

    def rebuild() -> None:
        if (problem := next(problems)) is not None:
            raise problem

    serve(site, 0, state, rebuild, said.append)
    assert said[0].startswith("Leaderboard: http://127.0.0.1:")
    assert [line.partition(" ")[2].partition(" in ")[0] for line in said[1:4]] == [
        "built",
        "not built: x is not a run record.",
        "not built: /runs/x may not be read or written by this user. Change its rights, "
        "or give other places with runs=, site= and store=.",
    ]
    assert said[4:] == ["Ended."]


def test_the_state_changes_with_records_and_cards(tmp_path: Path) -> None:
    """A record comes, changes and goes, a run is reproduced, a card is edited; a half-written run is none."""
    path = tmp_path / "challenge.yaml"
    path.write_text("a")
    runs = write(tmp_path / "runs", [record("a")])
    seen = [state_of(runs, [path])]

    def changed() -> bool:
        seen.append(state_of(runs, [path]))
        return seen[-1] != seen[-2]

    write(runs, [record("a"), record("b")])
    assert changed()
    (runs / "kium/run00001/record.json").write_text("{}")
    assert changed()
    (runs / "kium/run00001/record.json").unlink()
    assert changed()
    (runs / "kium/.reproductions").mkdir()
    (runs / "kium/.reproductions/a.json").write_text("{}")
    assert changed()
    path.write_text("ab")
    assert changed()
    (runs / "kium/.part-x").mkdir()
    (runs / "kium/.part-x/record.json").write_text("{}")
    assert not changed()
    path.unlink()
    assert changed()
