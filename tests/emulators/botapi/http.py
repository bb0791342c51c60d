# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTTP side of the Bot API stand-in: requests in, bytes out, connections under control.

A thread a connection, keep-alive, GET and POST. What to answer is decided elsewhere: every
request goes to the `serve` function with the `Wire` that it came by.
"""

import json
import os
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from emulators.botapi.rules import BrokenRequest, read_parameters

JSON_TYPE = "application/json"
HTML_TYPE = "text/html"


@dataclass(frozen=True)
class Request:
    """A request as it arrived.

    `method` is the last part of the path. `broken` is the bare status with which HTTP itself refuses the request,
    before it has parameters.
    """

    path: str
    method: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes
    broken: int | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.params}"


def http_answer(status: int, body: bytes, kind: str = JSON_TYPE, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP/1.1 answer. Production stands behind nginx; its headers are assumed."""
    lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}", "Server: nginx/1.18.0"]
    if body:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def bare_answer(status: int) -> bytes:
    """HttpConnectionBase.cpp's answer to what it can't read. It closes without announcing it;
    the header, as a proxy would set it, spares tests a race for the connection.
    """
    return http_answer(status, b"", headers={"Connection": "close"})


def json_answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    """The Bot API's JSON: no blanks, ASCII only."""
    return http_answer(status, json.dumps(body, separators=(",", ":")).encode(), headers=headers)


def error_answer(code: int, description: str, parameters: Mapping[str, int]) -> bytes:
    """JsonQueryError of the Bot API, with HttpConnection's Retry-After header."""
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    headers = {}
    if parameters:
        body["parameters"] = dict(parameters)
    if "retry_after" in parameters:
        headers["Retry-After"] = str(parameters["retry_after"])
    return json_answer(code, body, headers)


class Wire:
    """The server's end of one connection, for the time of one request."""

    def __init__(self, sock: socket.socket, released: threading.Event) -> None:
        self._sock = sock
        self._released = released
        self.closed = False

    def write(self, data: bytes) -> None:
        self._sock.sendall(data)

    def wait(self, seconds: float | None = None) -> bool:
        """Keep the client waiting, until release() or stop() at the latest: then it is True."""
        return self._released.wait(seconds)

    def close(self) -> None:
        """End the connection in order: the client sees end of file."""
        self.closed = True

    def reset(self) -> None:
        """End the connection with RST, which is what closing without lingering sends."""
        self.closed = True
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self._sock.detach())


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 from start() to stop(); `port` 0 lets the kernel choose."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, serve: Callable[[Wire, Request], None]) -> None:
        self.serve = serve
        self._stopping = False
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.accepted = 0  # connections so far
        self._thread = threading.Thread(target=self._run, daemon=True)
        super().__init__(("127.0.0.1", port), _Handler)
        self.port: int = self.socket.getsockname()[1]

    def server_bind(self) -> None:
        """Bind without HTTPServer's reverse look-up of the name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Refuse new connections and cut the open ones.

        Shutting a listening socket down (Linux) wakes the thread in it, so that it need not poll.
        """
        self._stopping = True
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.server_close()
        with self._lock:
            for sock in self._connections:
                _cut(sock)
        self.release()

    def release(self) -> None:
        """End every Wire.wait() under way."""
        with self._lock:
            self._released.set()
            self._released = threading.Event()

    def wire(self, sock: socket.socket) -> Wire:
        with self._lock:
            return Wire(sock, self._released)

    def connected(self, sock: socket.socket) -> None:
        with self._lock:
            self._connections.add(sock)
            self.accepted += 1

    def disconnected(self, sock: socket.socket) -> None:
        with self._lock:
            self._connections.discard(sock)

    def quiet(self, seconds: float) -> None:
        """See BotApi.quiet."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:  # connections are accepted in their order
            last.shutdown(socket.SHUT_WR)
            last.recv(1)
        end = time.monotonic() + seconds
        while self._connections and time.monotonic() < end:
            time.sleep(0.005)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is a bug and shows its traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def _run(self) -> None:
        while not self._stopping:
            self.handle_request()


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client or a fault was faster


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connected(self.connection)

    def finish(self) -> None:
        self.server.disconnected(self.connection)
        super().finish()

    def handle_any(self) -> None:
        wire = self.server.wire(self.connection)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) == length:  # else the client died while it sent
            self.server.serve(wire, self._request(body))
        self.close_connection |= wire.closed or len(body) < length

    do_GET = do_POST = handle_any  # noqa: N815  # http.server's names

    def _request(self, body: bytes) -> Request:
        params, broken = {}, None
        try:
            params = read_parameters(self.headers.get("Content-Type", ""), body)
        except BrokenRequest as e:
            broken = e.status
        path = unquote(self.path.partition("?")[0])
        return Request(path, path.rpartition("/")[2], params, dict(self.headers.items()), body, broken)

    def send_error(self, code: int, *_words: str | None) -> None:
        """What is not HTTP gets a bare status; verbs but GET and POST get 501 (HttpReader.cpp)."""
        self.wfile.write(bare_answer(code))
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: BotApi.requests has it all."""
