# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick's serial port beside libgammu: the probe before it, the quiet between its calls, its wake-up.

libgammu waits minutes for a silent port, and a line it does not know, arriving between two of its commands,
makes the next one wait 20 to 200 s. So a port is asked with a short time limit first, and whatever the stick
says on its own is read away here before libgammu is called again. Both descriptors are one tty (termios and
input queue are shared), and only one of the two is used at a time.
"""

from __future__ import annotations

import errno
import os
import re
import select
import termios
import time
from collections.abc import Sequence

from homesim.errors import TryAgain

_FINAL = re.compile(r"OK|ERROR|\+CM[ES] ERROR: ?.*|COMMAND NOT SUPPORT")  # TS 27.005 3.2.5, TS 27.007 9.2; E173
_QUIET = 0.03  # seconds without a byte: the stick has finished its sentence
_REASONS = {
    errno.ENOENT: "no such device; is the stick plugged in? run homesim-doctor",
    errno.EACCES: "permission denied; run it as root",
    errno.EBUSY: "another program holds the port; run homesim-doctor",
    errno.EIO: "the stick has gone",
}


class Silent(TryAgain):
    """The port is there and nothing answers."""


class Port:
    """The tty, open without waiting and without becoming a terminal."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            _raw(self._descriptor)
            termios.tcflush(self._descriptor, termios.TCIOFLUSH)
        except (OSError, termios.error) as error:
            raise self._gone(error) from None

    def command(self, text: str, seconds: float) -> list[str]:
        """Send one AT command; return the lines of its answer, the final result code last.

        Raise Silent when none has come within `seconds`. Lines the stick says on its own may be among them.
        """
        deadline = time.monotonic() + seconds
        self._write(f"{text}\r".encode("ascii"), deadline)
        received = b""
        while True:
            *lines, _ = received.decode("latin-1").replace("\r", "\n").split("\n")
            said = [line for line in lines if line and line != text]
            for count, line in enumerate(said, 1):
                if _FINAL.fullmatch(line):
                    return said[:count]  # what comes behind it the stick says on its own
            if not self._readable(deadline - time.monotonic()):
                raise Silent(self.path, f"no answer to {text.split('=')[0]} within {seconds:.0f} s")
            received += self._read()

    def wait(self, seconds: float, leave: int) -> bool:
        """Wait until the stick says something on its own, or the descriptor `leave` becomes readable.

        True when the stick did: it has been read away.
        """
        said = self._descriptor in select.select([self._descriptor, leave], [], [], seconds)[0]
        if said:
            self.drain()
        return said

    def drain(self) -> bytes:
        """Read away what the stick says on its own, up to the end of its sentence."""
        received = b""
        while self._readable(_QUIET if received else 0) and len(received) < 65536:
            received += self._read()
        return received

    def _write(self, octets: bytes, deadline: float) -> None:
        while octets:
            if not select.select([], [self._descriptor], [], max(0, deadline - time.monotonic()))[1]:
                raise Silent(self.path, "takes no bytes; the stick has hung itself up")
            try:
                octets = octets[os.write(self._descriptor, octets) :]
            except OSError as error:
                raise self._gone(error) from None

    def _readable(self, seconds: float) -> bool:
        return bool(select.select([self._descriptor], [], [], max(0, seconds))[0])

    def _read(self) -> bytes:
        try:
            octets = os.read(self._descriptor, 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error) from None
        if not octets:  # the kernel's hang-up
            raise TryAgain(self.path, _REASONS[errno.EIO])
        return octets

    def _gone(self, error: OSError | termios.error) -> TryAgain:
        number = error.args[0]
        return TryAgain(self.path, _REASONS.get(number) or os.strerror(number).lower())


def answer(lines: Sequence[str], prefix: str) -> str:
    """What stands behind `prefix` in an answer, "" when it is not there."""
    return next((line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)), "")


def _raw(descriptor: int) -> None:
    """Eight bits, no echo, no signals, no modem lines; the speed means nothing over USB."""
    attributes = termios.tcgetattr(descriptor)
    attributes[0] = attributes[1] = attributes[3] = 0
    attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    attributes[4] = attributes[5] = termios.B115200
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
