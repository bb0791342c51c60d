# SPDX-License-Identifier: GPL-2.0-or-later
"""The way to Telegram, opened ahead of a request: while the stick is read, not after it.

Neither requests nor urllib3 has a call that connects and asks nothing. The names of urllib3's two that do it have not
changed since 2010.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable
from typing import Any


class Way:
    """One connection at a time, which the next request finds in the pool where it would look for one."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: to connect."""
        self._seconds = seconds
        self._opening = threading.Lock()
        self._connection: Any = None  # urllib3's, which was opened last

    def open(self, pool: Callable[[], Any]) -> None:
        """In a thread of its own: to look a name up can take minutes."""
        if not self._opening.locked():
            threading.Thread(target=self._open, args=(pool,), daemon=True).start()

    def ready(self) -> None:
        """Before a request, which else would make a second connection beside the one that is being opened."""
        if self._opening.acquire(timeout=self._seconds):
            self._opening.release()
        if self._connection and isinstance(self._connection.sock, ssl.SSLSocket) and not _quiet(self._connection.sock):
            self._connection.close()

    def _open(self, make_pool: Callable[[], Any]) -> None:
        with self._opening, contextlib.suppress(Exception):  # the request finds what is wrong, and tells it
            pool = make_pool()
            connection = pool._get_conn()
            if connection.sock is None:
                connection.timeout = self._seconds
                connection.connect()
            pool._put_conn(connection)
            self._connection = connection


def _quiet(sock: ssl.SSLSocket) -> bool:
    """Whether nothing has come but the tickets of TLS 1.3, which unread are a connection's end to urllib3."""
    timeout = sock.gettimeout()
    sock.settimeout(0.0)
    try:
        sock.recv(1)
    except ssl.SSLWantReadError:
        sock.settimeout(timeout)
        return True
    except OSError:
        pass
    return False
