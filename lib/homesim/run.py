# SPDX-License-Identifier: GPL-2.0-or-later
"""What every program needs around its work: logging, exit codes, the lock, the deadline."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import syslog
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar, cast

from homesim import __version__
from homesim.config import DEFAULT_PATH
from homesim.errors import EXIT_OK, EXIT_TRY_AGAIN, HomesimError, TryAgain, reason
from homesim.terminal import clean, tell

T = TypeVar("T")

HAND_OVER = 10.0  # seconds that a run waits for the one before it
GRACE = 90.0  # seconds beyond its time after which the kernel ends a run of poll
CLOSE = 40.0  # seconds that the kernel may need to close a port whose stick takes nothing
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
        tell(f"{name}: a bug in homesim; please report this:", *describe(error).splitlines(), to=sys.stderr)
        return 70  # EX_SOFTWARE of sysexits.h


def parser(name: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """The options that every program has."""
    parser = argparse.ArgumentParser(name, description=description, epilog=epilog)
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--modem", metavar="NAME", help="only this one; default: every [modem.NAME] in FILE")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell the system log what a terminal is told")
    parser.add_argument("--version", action="version", version=f"{name} {__version__}")
    return parser


def seconds(text: str) -> float:
    """An option's, for argparse."""
    with contextlib.suppress(ValueError):
        if 0 <= (value := float(text)) <= 86400:
            return value
    raise argparse.ArgumentTypeError(f"{text}: expected seconds, 0 to 86400")


def each(name: str, works: Sequence[Callable[[], int]]) -> int:
    """Do what there is to do for each modem, in a process of its own if there are several; the worst exit code."""
    if len(works) == 1:
        return main(name, lambda _: works[0](), None)
    codes = []
    for pid in [_fork(name, work) for work in works]:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        codes.append(EXIT_TRY_AGAIN if code < 0 else code)
    return max(codes)


class Late(TryAgain):
    """A process of its own has not come to its end."""


def apart(work: Callable[[], T], thing: object, seconds: float) -> T:
    """What `work` returns, or HomesimError that it raises, from a process of its own.

    When this returns, what `work` has taken is free again: lock, port, libgammu. Raise Late after `seconds`.
    """
    import multiprocessing  # poll, which starts each minute, has no use for it

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, work), daemon=True)
    process.start()
    sender.close()
    try:
        found, error = receiver.recv() if receiver.poll(seconds) else (None, Late(thing, "too slow"))
    except EOFError:
        found, error = None, Late(thing, "the process that asked it was killed")
    process.kill()
    process.join(CLOSE)
    if error:
        raise error
    return cast(T, found)


def _send(sender: Any, work: Callable[[], object]) -> None:
    try:
        sender.send((work(), None))
    except HomesimError as error:
        sender.send((None, error))
    except Exception as error:
        tell(*describe(error).splitlines(), to=sys.stderr)


def _fork(name: str, work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        leave(main(name, lambda _: work(), None))
    return pid


def leave(code: int) -> NoReturn:
    """End without cleaning up: libgammu's clean-up can take ten minutes (modem.py)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def complain(name: str, error: HomesimError) -> None:
    for line in error.lines():
        tell(f"{name}: {line}", to=sys.stderr)


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
    logger.addHandler(_Terminal() if terminal else _SystemLog(name))
    logger.setLevel(logging.DEBUG if verbose or terminal else logging.INFO)
    logger.propagate = False  # nobody else's handler, and nobody else's messages: urllib3 logs the token


class _Terminal(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # it has hung up
            tell(record.getMessage(), to=sys.stderr)


class _SystemLog(logging.Handler):
    """syslog(3), which is silent where there is no system log."""

    def __init__(self, name: str) -> None:
        super().__init__()
        syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.levelno >= logging.WARNING
        syslog.syslog(syslog.LOG_WARNING if problem else syslog.LOG_INFO, clean(record.getMessage()))


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
            raise TryAgain(folder, reason(error)) from None
        self._lock = filelock.FileLock(folder / f"{modem}.lock")
        self._door = filelock.FileLock(folder / f"{modem}.next")

    def take(self, wait: float = HAND_OVER, knock: float = KNOCK) -> bool:
        """Whether the lock was free within `wait` seconds. At most one run waits at the door for it.

        `knock`: seconds to get to the door.
        """
        try:
            with self._door.acquire(timeout=min(wait, knock), poll_interval=0.02):
                self._lock.acquire(timeout=wait, poll_interval=0.05)
        except TimeoutError:  # filelock's is one
            return False
        except OSError as error:
            raise TryAgain(self._lock.lock_file, reason(error)) from None
        self._taken.append(self)
        return True

    def holder(self) -> int:
        """The process that has the lock, as the kernel names it (proc_locks(5)); 0 when there is none."""
        lock = os.stat(self._lock.lock_file)
        name = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return next((int(fields[4]) for fields in held if fields[1] == "FLOCK" and fields[5] == name), 0)

    def successor(self) -> bool:
        """Whether the next run waits at the door."""
        try:
            with self._door.acquire(timeout=0):
                return False
        except TimeoutError:
            return True


def is_poll(pid: int) -> bool:
    """Whether a process is homesim-poll of this very installation."""
    poll = Path(__file__).resolve().parents[2] / "bin/poll"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return False
    return any(Path(word).resolve() == poll for word in command[:4] if word)
