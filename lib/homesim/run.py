# SPDX-License-Identifier: GPL-2.0-or-later
"""What every program needs around its work: logging, exit codes, the lock, the deadline."""

from __future__ import annotations

import logging
import os
import signal
import sys
import syslog
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, NoReturn

from homesim.errors import EXIT_OK, HomesimError, TryAgain

HAND_OVER = 10.0  # seconds that a run waits for the one before it
KNOCK = 0.3  # seconds to get to the door: the run inside holds it for an instant to see who is there


def main(name: str, program: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """Run a program: expected failures become a line and an exit code, anything else is a bug."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # each step may be the last; nothing needs a farewell
    try:
        return program(argv)
    except HomesimError as error:
        complain(name, error)
        return error.exit_code
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:
        print(f"{name}: a bug in homesim; please report this:\n{describe(error)}", file=sys.stderr)
        return 70  # EX_SOFTWARE of sysexits.h


def leave(code: int) -> NoReturn:
    """End without cleaning up: libgammu's clean-up can take ten minutes (modem.py)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def complain(name: str, error: HomesimError) -> None:
    for line in error.lines():
        print(f"{name}: {line}", file=sys.stderr)


def describe(error: BaseException) -> str:
    """A traceback without the values in its messages, which may be SMS text or the token."""
    lines: list[str] = []
    while True:
        reason = f": {error.strerror}" if isinstance(error, OSError) else ""
        lines.insert(0, "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__ + reason)
        if (before := error.__cause__ or error.__context__) is None:
            return "\n\n".join(lines)
        error = before


def log_to(name: str, *, verbose: bool) -> None:
    """To a terminal what it does; from cron to the system log, and less unless `verbose`: nothing when nothing is."""
    terminal = sys.stderr.isatty()
    logger = logging.getLogger("homesim")
    logger.addHandler(logging.StreamHandler() if terminal else _SystemLog(name))
    logger.setLevel(logging.DEBUG if verbose or terminal else logging.INFO)
    logger.propagate = False  # nobody else's handler, and nobody else's messages: urllib3 logs the token


class _SystemLog(logging.Handler):
    """syslog(3), which is silent where there is no system log."""

    def __init__(self, name: str) -> None:
        super().__init__()
        syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.levelno >= logging.WARNING
        syslog.syslog(syslog.LOG_WARNING if problem else syslog.LOG_INFO, record.getMessage())


def deadline(seconds: float) -> None:
    """The kernel ends this process then, also inside a C call that never returns."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


class Turn:
    """The right to use one modem. The kernel takes it back when the process ends, however it ends.

    It is never given back before: the port is ours until then, and a filelock that is forgotten is released.
    """

    _taken: ClassVar[list[Turn]] = []

    def __init__(self, folder: Path, modem: str) -> None:
        import filelock  # doctor must start without it, to say that it is missing

        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # who can open a lock can hold it
        except OSError as error:
            raise TryAgain(folder, (error.strerror or "cannot be made").lower()) from None
        self._lock = filelock.FileLock(folder / f"{modem}.lock")
        self._door = filelock.FileLock(folder / f"{modem}.next")

    def take(self, wait: float = HAND_OVER) -> bool:
        """Whether the lock was free within `wait` seconds. At most one run waits at the door for it."""
        try:
            with self._door.acquire(timeout=min(wait, KNOCK), poll_interval=0.02):
                self._lock.acquire(timeout=wait, poll_interval=0.05)
        except TimeoutError:  # filelock's is one
            return False
        except OSError as error:
            raise TryAgain(self._lock.lock_file, (error.strerror or "cannot be locked").lower()) from None
        self._taken.append(self)
        return True

    def successor(self) -> bool:
        """Whether the next run waits at the door."""
        try:
            with self._door.acquire(timeout=0):
                return False
        except TimeoutError:
            return True


class Clock:
    """How long a run stays: its time, then a fifth of it more for the next run to come to the door."""

    def __init__(self, linger: float) -> None:
        self._end = time.monotonic() + linger
        self.last = self._end + linger / 5

    def rest(self) -> float:
        """Seconds of its time that are left."""
        return max(0.0, self._end - time.monotonic())

    def over(self, turn: Turn) -> bool:
        now = time.monotonic()
        return now >= self.last or (now >= self._end and turn.successor())
