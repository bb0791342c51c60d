# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS in front of the Bot API stand-in, at the end of a long line if wanted.

    with Tls(folder, api, round_trip=0.05) as tls:
        ...                     # run the program with api_url = tls.url and the environment tls.trusted

The line takes half a round trip each way. What the kernel does on loopback at once, the TCP handshake, is held back
from the first octets.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from emulators.botapi.server import BotApi


class Tls:
    """A certificate of its own, which only who has `trusted` in its environment trusts. Use it as a context manager."""

    def __init__(self, folder: Path, api: BotApi, round_trip: float = 0.0) -> None:
        self.handshakes = 0  # that were completed
        self.trusted = {**os.environ, "PYTHONPATH": str(folder)}
        self.certificate = folder / "pem"
        self._api, self._round_trip = api, round_trip
        command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        files = ["-keyout", str(folder / "key"), "-out", str(self.certificate)]
        subprocess.run([*command.split(), *files], check=True, capture_output=True)
        # requests asks certifi for the authorities to trust, and homesim lets no environment tell it others.
        (folder / "certifi.py").write_text(f"def where():\n    return {str(self.certificate)!r}\n")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, folder / "key")
        self._inner, self._outer = _listening(), _listening()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._outer.getsockname()[1]}"

    def __enter__(self) -> Self:
        for listener, serve in ((self._inner, self._terminate), (self._outer, self._carry)):
            threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        for listener in (self._inner, self._outer):
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _carry(self, client: socket.socket) -> None:
        """The line."""
        server = socket.create_connection(self._inner.getsockname())
        began, half = time.monotonic(), self._round_trip / 2
        _pipe(client, server, lambda: max(time.monotonic(), began + self._round_trip) + half)
        _pipe(server, client, lambda: time.monotonic() + half)

    def _terminate(self, line: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(line, server_side=True)
        except OSError:  # who does not trust us hangs up
            return
        self.handshakes += 1
        server = socket.create_connection(("127.0.0.1", int(self._api.url.rpartition(":")[2])))
        _pipe(client, server, time.monotonic)
        _pipe(server, client, time.monotonic)


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with contextlib.suppress(OSError):  # the end
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(client,), daemon=True).start()


def _pipe(source: socket.socket, target: socket.socket, due: Callable[[], float]) -> None:
    """Octets from one to the other, each at its time."""
    line: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def read() -> None:
        octets = b"..."
        while octets:
            try:
                octets = source.recv(1 << 16)
            except OSError:
                octets = b""
            line.put((due(), octets))

    def write() -> None:
        with contextlib.suppress(OSError):
            while True:
                at, octets = line.get()
                time.sleep(max(0.0, at - time.monotonic()))
                if not octets:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(octets)

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()
