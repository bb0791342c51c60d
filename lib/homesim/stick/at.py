# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire between the stick and libgammu.

    stick's tty  <->  Wire  <->  pty  <->  libgammu

libgammu takes whatever comes between its command and the answer for the answer, and waits 20 to 200 s when it
was not: a line the stick says on its own (^LTERSRP, ^CEND, +CGEV, NULs), a missing echo, a tty that has gone.
Wire lets through what was asked for and keeps the rest back, so libgammu sees a stick without habits. On the
way it keeps what was answered, which is how we get at the PDUs, and hands libgammu a harmless one for each; and it
asks commands of its own while libgammu is quiet.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from homesim.errors import TryAgain

# Final result codes: V.250 5.7, TS 27.005 3.2.5, TS 27.007 9.2; the fourth is an E173's.
_FINAL = re.compile(r"OK|ERROR|\+CM[ES] ERROR: ?.*|COMMAND NOT SUPPORT")
_NAME = re.compile(r"[+^][A-Z]+")
_PDU = re.compile(r"[0-9A-Fa-f]{24,}")  # the shortest has 28 digits; the longest other number, an ICCID, has 20
# What libgammu gets in the place of an SMS that somebody wrote: 1.42 dies of some of them ("stack smashing detected").
_HARMLESS = "0791947101670000040181F1000002101000000000012D"
_SMS = re.compile(r"AT\+CMG[LR]=")
_CALLS = ("RING", "NO CARRIER", "BUSY", "NO ANSWER")  # V.250 result codes of a call
_REASONS = {
    errno.ENOENT: "no such device; is the stick plugged in? run homesim-doctor",
    errno.EACCES: "permission denied; run it as root",
    errno.EBUSY: "another program holds the port; run homesim-doctor",
    errno.EWOULDBLOCK: "another program holds the port; run homesim-doctor",
    errno.EIO: "the stick has gone",
}
_WRITE = 10.0  # seconds in which a living stick takes a command
# Octets that are kept: of a line without an end, and for a libgammu that does not read. A list of 255 SMS has 90,000.
_LINE, _UNREAD = 1 << 14, 1 << 20
_LATE = 0.3  # seconds at least for what comes late


@dataclass(frozen=True)
class Exchange:
    """One AT command and its answer, the final result code last."""

    command: str
    answer: tuple[str, ...]


class Wire:
    """The stick's port, and `device`, a pty where libgammu finds it. Ends with the process."""

    def __init__(self, path: str, news: Callable[[str], object]) -> None:
        """`news` is called, in another thread, with each line the stick says on its own, and "" when it has gone."""
        self.path = path
        self.problem: TryAgain | None = None  # why nothing will ever come from this port again
        self.exchanges: list[Exchange] = []
        self._news = news
        self._changed = threading.Condition()
        self._asked = ""  # the command whose answer is awaited
        self._ours = False  # it is not libgammu's
        self._answer: list[str] = []
        self._echoed = False  # it came back, so what follows is its own answer
        self._typed = self._partial = self._unread = b""
        self._port = self._open()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._slave)
        threading.Thread(target=self._carry, daemon=True).start()

    def greet(self, seconds: float) -> None:
        """The first command. Raise TryAgain when nothing answers it within `seconds`.

        ESC before it: another program may have left the port at the prompt of AT+CMGS, where all we say would be an
        SMS (TS 27.005 3.5.1). CR ends what a stick makes of it that knows no ESC; either says OK or ERROR at most.
        """
        with self._changed:
            self._write(b"\x1b\r", seconds)
        began = time.monotonic()
        self.command("AT", seconds)
        if not self._echoed:  # that was to ESC, perhaps, or to the run before us: its own comes, as slowly, and alone
            time.sleep(max(_LATE, 2 * (time.monotonic() - began)))

    def command(self, text: str, seconds: float) -> Sequence[str]:
        """Ask one AT command; the lines of its answer, the final result code last.

        Not while libgammu is at work. Raise TryAgain when none has come within `seconds`.
        """
        end = time.monotonic() + seconds
        with self._changed:
            self._begin(text, ours=True)
            self._write(f"{text}\r".encode("ascii"), seconds)
            rest = max(0.0, end - time.monotonic())
            answered = self._changed.wait_for(lambda: not self._asked or self.problem, rest)
            if self.problem:
                raise self.problem
            if not answered:
                raise TryAgain(self.path, f"no answer to {text.split('=')[0]} within {seconds:.0f} s")
            return self.exchanges[-1].answer

    def _open(self) -> int:
        """The tty, without waiting for it, without becoming our terminal, for us alone."""
        try:
            port = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)  # what every libgammu does with its port
            fcntl.ioctl(port, termios.TIOCEXCL)
            attributes = termios.tcgetattr(port)
            attributes[0] = attributes[1] = attributes[3] = 0
            attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
            attributes[4] = attributes[5] = termios.B115200  # means nothing over USB
            termios.tcsetattr(port, termios.TCSANOW, attributes)
            termios.tcflush(port, termios.TCIOFLUSH)
        except (OSError, termios.error) as error:
            raise self._failure(error.args[0]) from None
        return port

    def _carry(self) -> None:
        try:
            while True:
                waits = [self._master] if self._unread else []
                ready, takes, _ = select.select([self._port, self._master], waits, [])
                typed = self._typing() if self._master in ready else b""
                with self._changed:
                    if self._port in ready:
                        self._from_stick(self._read())
                    if typed:
                        self._from_libgammu(typed)
                    if takes:
                        self._show(b"")
                if typed:  # without the lock: a stick that takes nothing holds up no command of ours
                    self._write(typed, _WRITE)
        except TryAgain as error:
            with self._changed:
                self.problem = error
                self._changed.notify_all()
            self._news("")

    def _typing(self) -> bytes:
        with contextlib.suppress(BlockingIOError):  # it has flushed what select had seen
            return os.read(self._master, 4096)
        return b""

    def _from_libgammu(self, octets: bytes) -> None:
        """Its commands go on as they are. Each is echoed here: some sticks forget to, now and then."""
        self._typed += octets
        while b"\r" in self._typed:
            typed, _, self._typed = self._typed.partition(b"\r")
            command = typed.decode("latin-1").strip("\x1b\n ")
            if command.upper().startswith("AT"):
                self._begin(command, ours=False)
                self._show(command.encode("latin-1") + b"\r")

    def _show(self, octets: bytes) -> None:
        """To libgammu, now or when it reads: never wait for it, and never keep more than _UNREAD for it."""
        if len(self._unread) + len(octets) <= _UNREAD:
            self._unread += octets
        with contextlib.suppress(BlockingIOError):
            self._unread = self._unread[os.write(self._master, self._unread) :]

    def _from_stick(self, octets: bytes) -> None:
        self._partial += octets.translate(None, b"\0\x1b")
        *lines, rest = re.split(rb"[\r\n]+", self._partial)
        self._partial = rest[-_LINE:]
        for line in lines:
            if line:
                self._take(line.decode("latin-1"))

    def _take(self, line: str) -> None:
        if line == self._asked:
            self._echoed = True
            return
        if not self._asked or _unasked(line, self._asked):
            self._news(line)
            return
        self._answer.append(line)
        if _FINAL.fullmatch(line):  # kept before libgammu sees its end, and returns, and is asked what passed
            self.exchanges.append(Exchange(self._asked, tuple(self._answer)))
            self._asked = ""
            self._changed.notify_all()
        if not self._ours and (shown := self._shown(line)):
            self._show(f"\r\n{shown}\r\n".encode("latin-1"))

    def _shown(self, line: str) -> str:
        """What libgammu gets to see of a line of an answer: of an SMS only that there is one, and in which slot."""
        if not _SMS.match(self._asked):
            return _HARMLESS if _PDU.fullmatch(line) else line
        if listed := re.match(r"\+CMGL:\s*(\d+)", line):
            return f"+CMGL: {listed[1]},1,,15\r\n{_HARMLESS}"
        return f"+CMGR: 1,,15\r\n{_HARMLESS}" if line.startswith("+CMGR:") else ""

    def _begin(self, command: str, *, ours: bool) -> None:
        self._asked, self._ours, self._answer, self._echoed = command, ours, [], False

    def _write(self, octets: bytes, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while octets:
            if not select.select([], [self._port], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TryAgain(self.path, "takes no commands any more")
            try:
                octets = octets[os.write(self._port, octets) :]
            except OSError as error:
                raise self._failure(error.errno) from None

    def _read(self) -> bytes:
        try:
            octets = os.read(self._port, 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._failure(error.errno) from None
        if not octets:  # the kernel's hang-up
            raise self._failure(errno.EIO)
        return octets

    def _failure(self, number: int | None) -> TryAgain:
        fault = "held" if number in (errno.EBUSY, errno.EWOULDBLOCK) else ""
        return TryAgain(self.path, _REASONS.get(number or 0) or os.strerror(number or 0).lower(), fault=fault)


def _unasked(line: str, command: str) -> bool:
    """Whether the stick says this line on its own, though a command is being answered."""
    name = _NAME.match(line)
    if name and not _FINAL.fullmatch(line):
        return name[0] not in command.upper()
    return line in _CALLS
