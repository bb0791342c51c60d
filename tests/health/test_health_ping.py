# SPDX-License-Identifier: GPL-2.0-or-later
"""The dead man's switch: told what healthchecks.io defines, and never in the way of the work."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from homesim.health import ping as room
from homesim.health.ping import ping

SECRET = "4f1c7bd2-secret"


class Switch(ThreadingHTTPServer):
    """Keeps what it is told; answers with `status`, or `raw` octets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[tuple[str, str]] = []
        self.status = 200
        self.raw: bytes | None = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Switch)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.told.append((self.path, body.decode()))
        if server.raw is not None:
            self.wfile.write(server.raw)
            return
        self.send_response(server.status)
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def switch() -> Iterator[Switch]:
    server = Switch()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_success_is_its_url(switch: Switch) -> None:
    ping(switch.url, "")
    assert switch.told == [(f"/{SECRET}", "")]


@pytest.mark.parametrize("end", ["", "/"])
def test_failure_is_fail_with_the_reason(switch: Switch, end: str) -> None:
    ping(switch.url + end, "USB: no stick\npower: the voltage is too low – now")
    assert switch.told == [(f"/{SECRET}/fail", "USB: no stick\npower: the voltage is too low – now")]


def test_a_server_in_trouble_is_asked_twice(switch: Switch, caplog: pytest.LogCaptureFixture) -> None:
    switch.status = 500
    ping(switch.url, "")
    assert len(switch.told) == room.TRIES
    assert "ping_url: HTTPError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("raw", [b"", b"\0\xff garbage\r\n\r\n", b"HTTP/1.1 banana\r\n\r\n", b"x" * 100_000])
def test_a_server_that_says_anything(
    switch: Switch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], raw: bytes
) -> None:
    switch.raw = raw
    with caplog.at_level(logging.DEBUG):
        ping(switch.url, "")
    assert "ping_url: " in caplog.text
    assert SECRET not in caplog.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://[", "http://127.0.0.1:99999/x", "https://\x7f/x",
                                 "http://nowhere.invalid/x"])  # fmt: skip
def test_a_url_that_leads_nowhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], url: str
) -> None:
    ping(url, "")
    assert "ping_url: " in caplog.text
    assert "/x" not in caplog.text
    assert capfd.readouterr() == ("", "")


@contextlib.contextmanager
def hangs(backlog: int, *octets: bytes) -> Iterator[str]:
    """A server that takes nobody (no backlog), or says these and never ends, each of its lines in time; its URL."""
    over = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            for line in itertools.chain(octets, itertools.repeat(octets[-1] if octets else b"")):
                connection.sendall(line)
                if over.wait(0.05):
                    return

    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        thread = threading.Thread(target=drip, daemon=True)
        if backlog:
            thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"
        over.set()


@pytest.mark.parametrize(
    "server",
    [hangs(0), hangs(1), hangs(1, b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n")],
    ids=["takes nobody", "says nothing", "never ends"],
)
def test_a_server_that_hangs_is_left(
    server: contextlib.AbstractContextManager[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert room.WAIT <= 10
    monkeypatch.setattr(room, "WAIT", 0.4)
    with server as url:
        ping(url, "")
    assert "ping_url: " in caplog.text
    assert SECRET not in caplog.text
