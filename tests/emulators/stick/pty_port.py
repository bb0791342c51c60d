# SPDX-License-Identifier: GPL-2.0-or-later
"""One way to plug an emulated stick in: a pseudo-terminal under a fixed path.

Two threads per plugged-in port: one moves bytes and never waits for the stick, one lets the stick
serve commands, which may take as long as the stick is slow.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import queue
import select
import termios
import threading
import tty
from collections.abc import Callable
from pathlib import Path

from emulators.stick.stick import Stick
from patience import go_first


class PtyPort:
    """A pty whose slave is reachable under `path`, a symlink, while the stick is plugged in."""

    def __init__(self, stick: Stick, path: Path) -> None:
        self._stick = stick
        self.path = path
        self._wire: _Wire | None = None

    def __enter__(self) -> PtyPort:
        self._connect()
        self.link()
        return self

    def __exit__(self, *_error: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """The tty vanishes: first its name, then whoever holds it is hung up. Idempotent."""
        if self._wire is None:
            return
        self.path.unlink(missing_ok=True)
        self._stick.detach()
        self._wire.cut()
        self._wire = None

    def plug(self, *, powered: bool = False, linked: bool = True) -> None:
        """Back with a new tty under the same path.

        Coming back restarts the stick; with `powered` it does not, as after a mere `authorized`
        0 and 1 in sysfs, which keeps the power on. Without `linked` the path waits for `link`.
        """
        if self._wire is not None:
            raise RuntimeError(f"{self.path} is plugged in already")
        self._connect()
        if linked:
            self.link()
        if not powered:
            self._stick.restart()

    @property
    def tty(self) -> str | None:
        """The slave's own name while the stick is plugged in."""
        return None if self._wire is None else self._wire.name

    def link(self) -> None:
        """Give the tty its path, as udev does a while after the kernel has made the tty."""
        new = self.path.with_name(f".{self.path.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(self._plugged().name)
        new.replace(self.path)

    def hold(self) -> None:
        """Take no more bytes: writes block or give EAGAIN at once, as with a blocked bulk OUT."""
        self._plugged().stop_output(True)

    def release(self) -> None:
        """Take bytes again."""
        self._plugged().stop_output(False)

    def _plugged(self) -> _Wire:
        if self._wire is None:
            raise RuntimeError(f"{self.path} is not plugged in")
        return self._wire

    def _connect(self) -> None:
        wire = _Wire(self._stick.feed)
        self._stick.attach(wire.write)
        wire.start()
        self._wire = wire


class _Wire:
    """One tty from plug to unplug.

    The slave is kept open here too, so that the master survives clients that come and go, also
    by SIGKILL. What such a client did not read is there for the next one.
    """

    _PENDING_LIMIT = 1 << 20

    def __init__(self, feed: Callable[[bytes], None]) -> None:
        self._feed = feed
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)
        self._wake_read, self._wake_write = os.pipe()
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending = bytearray()
        self._is_cut = False
        self._pump = threading.Thread(target=self._move_bytes, daemon=True)
        self._server = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._pump.start()
        self._server.start()

    def write(self, data: bytes) -> None:
        """Send to the host without ever waiting for it; a host that never reads loses the rest."""
        with self._lock:
            if self._is_cut or len(self._pending) > self._PENDING_LIMIT:
                return
            was_idle = not self._pending
            self._pending += data
            if was_idle:
                self._flush()
            if was_idle and self._pending:
                os.write(self._wake_write, b"w")

    def cut(self) -> None:
        """Hang up; returns when the tty is gone."""
        with self._lock:
            self._is_cut = True
            os.write(self._wake_write, b"c")
        self._inbox.put(None)
        self._pump.join()

    def stop_output(self, stop: bool) -> None:
        """Stop or restart the host's output at the tty (termios(3), tcflow)."""
        termios.tcflow(self._slave, termios.TCOOFF if stop else termios.TCOON)

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            del self._pending[: os.write(self._master, self._pending)]

    def _serve(self) -> None:
        go_first()
        while (data := self._inbox.get()) is not None and not self._is_cut:
            self._feed(data)

    def _move_bytes(self) -> None:
        go_first()
        while not self._is_cut:
            writers = [self._master] if self._pending else []
            readable, writable, _ = select.select([self._master, self._wake_read], writers, [])
            if self._wake_read in readable:
                os.read(self._wake_read, 4096)
            if writable:
                with self._lock:
                    self._flush()
            if self._master in readable:
                self._take()
        with self._lock:
            for fd in (self._slave, self._master, self._wake_read, self._wake_write):
                os.close(fd)

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError):  # the host flushed what select had seen
            data = os.read(self._master, 4096)
            self._share()
            self._inbox.put(data)

    def _share(self) -> None:
        """End the exclusive use (TIOCEXCL) that gammu asks for.

        On a real tty the last close ends it; here the slave is never closed, and a client that
        was killed would lock out the next one for ever.
        """
        fcntl.ioctl(self._slave, termios.TIOCNXCL)
