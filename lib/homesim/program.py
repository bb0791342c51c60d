# SPDX-License-Identifier: GPL-2.0-or-later
"""What every program has around its work: options, logging, exit codes, a traceback without secrets, the terminal.

A terminal obeys control characters, and what comes from outside may hold some: names of processes, chats and
operators, what servers and sticks answer. So nobody else writes to one.
"""

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
from typing import NoReturn, TextIO

from homesim import __version__
from homesim.config import DEFAULT_PATH, Config
from homesim.errors import EXIT_OK, EXIT_TRY_AGAIN, HomesimError, UsageError

EACH = "only this one; default: every [modem.NAME] in FILE"


def main(name: str, work: Callable[[], int]) -> int:
    """Run a program: expected failures become a line and an exit code, anything else is a bug."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # each step may be the last; nothing needs a farewell
    try:
        return work()
    except HomesimError as error:
        report(name, error)
        return error.exit_code
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:
        tell(f"{name}: a bug in homesim; please report this:", *describe(error).splitlines(), to=sys.stderr)
        return 70  # EX_SOFTWARE of sysexits.h


def parser(
    name: str, description: str, epilog: str, *, modem: str = EACH, logs: bool = True
) -> argparse.ArgumentParser:
    """The options that every program has, `modem` the help of one; -v has who `logs`."""
    parser = argparse.ArgumentParser(name, description=description, epilog=epilog)
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--modem", metavar="NAME", help=modem)
    if logs:
        parser.add_argument("-v", "--verbose", action="store_true", help="tell the system log what a terminal is told")
    parser.add_argument("--version", action="version", version=f"{name} {__version__}")
    return parser


def chosen(settings: Config, modem: str | None, path: Path) -> list[str]:
    """The modems that --modem means. Raise UsageError when there is no such one."""
    if modem and modem not in settings.modems:
        raise UsageError("--modem", f"no [modem.{modem}] in {path}")
    return [modem] if modem else list(settings.modems)


def seconds(text: str) -> float:
    """An option's, for argparse."""
    with contextlib.suppress(ValueError):
        if 0 <= (value := float(text)) <= 86400:
            return value
    raise argparse.ArgumentTypeError(f"{text}: expected seconds, 0 to 86400")


def each(name: str, works: Sequence[Callable[[], int]]) -> int:
    """Do what there is to do for each modem, in a process of its own if there are several; the worst exit code."""
    if len(works) == 1:
        return main(name, works[0])
    children = []
    for work in works:
        if (pid := os.fork()) == 0:
            leave(main(name, work))
        children.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    return max(EXIT_TRY_AGAIN if code < 0 else code for code in codes)


def leave(code: int) -> NoReturn:
    """End without cleaning up: libgammu's clean-up can take ten minutes (stick/serial)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def report(name: str, error: HomesimError) -> None:
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
    syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)
    logger = logging.getLogger("homesim")
    logger.addHandler(_Log())
    logger.setLevel(logging.DEBUG if verbose or sys.stderr.isatty() else logging.INFO)
    logger.propagate = False  # nobody else's handler, and nobody else's messages: urllib3 logs the token


class _Log(logging.Handler):
    """syslog(3) is silent where there is no system log."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr.isatty():
            with contextlib.suppress(OSError):  # it has hung up
                tell(record.getMessage(), to=sys.stderr)
        else:
            problem = record.levelno >= logging.WARNING
            syslog.syslog(syslog.LOG_WARNING if problem else syslog.LOG_INFO, clean(record.getMessage()))


def clean(text: str) -> str:
    """One line, without what a terminal would obey or could not show: a character that does not print is a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def tell(*lines: str, to: TextIO | None = None, colour: str = "") -> None:
    """Write lines, also in letters that the terminal does not have; the first character in `colour`, if any."""
    stream = to or sys.stdout
    text = "\n".join(map(clean, lines))
    if colour:
        text = f"{colour}{text[:1]}\033[0m{text[1:]}"
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def ask(question: str) -> str:
    """What a person types. Raise EOFError at the end of the input."""
    return input(clean(question))
