# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim-poll: moves SMS from the stick to the spool and from the spool to Telegram.

cron starts it every minute. A run takes the modem's lock, watches the stick until the next run is at the door,
and sends what waits meanwhile. It leaves everything it knows in files, so it may end anywhere.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from homesim import config, process, program
from homesim.config import Config
from homesim.errors import EXIT_OK, HomesimError
from homesim.poll.deliver import Delivery, warm
from homesim.poll.dryrun import dry_run
from homesim.poll.fetch import Fetch
from homesim.poll.reassemble import Reassembly
from homesim.poll.watch import Watch
from homesim.stick import match, usb
from homesim.stick.driver import Driver, Stuck
from homesim.stick.serial import Serial
from homesim.stick.status import RunFile, Status
from homesim.store.spool import Spool

NAME = "homesim-poll"
TICK, REST = 0.5, 5.0  # seconds between looks at the clock, the spool and the stick's thread; and when nothing waits
SEND = 45.0  # seconds that even a run which looks once may send
DOOR = 50.0  # seconds to wait at the door, where the next run is a minute later: health may be healing the stick
_ENDS = "HOMESIM_ENDS"  # the process that has started itself anew, and when its time is over (CLOCK_MONOTONIC)
_WORTH = 10.0  # seconds that must be left for a new start to make sense

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    program.leave(program.main(NAME, lambda: poll(argv)))


def poll(argv: Sequence[str] | None) -> int:
    arguments = _arguments(argv)
    program.log_to(NAME, verbose=arguments.verbose)
    settings = config.load(arguments.config)
    names = program.chosen(settings, arguments.modem, arguments.config)
    linger = settings.poll.linger if arguments.linger is None else arguments.linger
    if arguments.dry_run:
        return max(_dry_run(settings, name) for name in names)
    return program.each(NAME, [functools.partial(_serve, settings, name, linger) for name in names])


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = program.parser(
        NAME,
        description="Forward the SMS on the stick to Telegram. cron runs this every minute.",
        epilog="Exit codes: 0 all is well, or another run is at work; 2 usage; 75 try again (the modem or Telegram "
        "is out of reach, SMS are kept); 78 the configuration needs a person.",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be forwarded; change nothing")
    parser.add_argument(
        "--linger",
        type=program.seconds,
        metavar="SECONDS",
        help="how long to watch; 0: look once; default: poll.linger",
    )
    return parser.parse_args(argv)


def _dry_run(settings: Config, name: str) -> int:
    modem = settings.modems[name]
    return program.main(NAME, lambda: dry_run(settings, modem, _driver(settings, modem, None)))


def _driver(settings: Config, modem: config.Modem, spool: Spool | None) -> Callable[..., Driver]:
    """The one place that knows which driver a modem has. What it gives is called with a function that takes its news.

    What a page needs is imported for one only, and here: two threads that import it at once can lock each other out.
    """
    if not modem.page:
        return functools.partial(Serial, modem, spool)
    from homesim.stick.hilink import Hilink

    return functools.partial(Hilink, modem, spool, login=RunFile(settings.paths.run, f"{modem.name}.login"))


def _serve(settings: Config, name: str, linger: float) -> int:
    """One modem, until the run's time is over."""
    clock = Clock(linger)
    turn = process.ModemLock(settings.paths.run, name)
    if not (_wait(turn, settings) if sys.stderr.isatty() else _next(turn)):
        log.info("%s: another run is at work", name)
        return EXIT_OK
    if not clock.anew:
        process.deadline(linger * 1.2 + process.GRACE)
    spool = Spool(settings.paths.state / name)
    bus = usb.Bus(settings.paths.sysfs)
    usb.put_back(bus, match.left(spool, bus), Path(settings.modems[name].device))
    return _Run(settings, name, clock, turn, spool, once=linger == 0).serve()


def _wait(turn: process.ModemLock, settings: Config) -> bool:
    """A person wants to see what a run says, and cron's are at work nearly always."""
    return turn.wait(settings.poll.linger * 1.2 + process.HAND_OVER, log.info)


def _next(turn: process.ModemLock) -> bool:
    """Cron's run. It is complete when it comes to the door, where it is seen, and awaited no more."""
    if turn.take(wait=0, queue=None):
        return True
    warm()
    return turn.take(DOOR)


class Clock:
    """A run's time, then a fifth of it more for the next run to come to the door.

    A run that starts itself anew ends when it would have ended: the kernel's deadline is a timer, which outlives
    execve(2), and whatever a stick says, none is set again.
    """

    def __init__(self, linger: float) -> None:
        pid, _, end = os.environ.get(_ENDS, "").partition(" ")
        self.anew = pid == str(os.getpid())  # not inherited from another run
        self._end = float(end) if self.anew else time.monotonic() + linger
        self.last = self._end + linger / 5

    def over(self, successor: Callable[[], bool]) -> bool:
        """`successor`: whether the next run waits at the door."""
        now = time.monotonic()
        return now >= self.last or (now >= self._end and successor())

    @property
    def rest(self) -> float:
        """Seconds until it may be over."""
        return max(0.0, self._end - time.monotonic())

    def worth(self) -> bool:
        """Whether to start anew, once: what a stick says to two starts it says to a thousand."""
        return not self.anew and self._end - time.monotonic() > _WORTH

    def start_anew(self, modem: str) -> None:
        """Run anew in this very process: nothing of libgammu's is left, no clean-up of its has run."""
        environment = os.environ | {_ENDS: f"{os.getpid()} {self._end}"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:], "--modem", modem], environment)


class _Run:
    """One run for one modem: the watching thread fills the spool, this one empties it."""

    def __init__(
        self, settings: Config, name: str, clock: Clock, turn: process.ModemLock, spool: Spool, *, once: bool
    ) -> None:
        self._turn = turn
        self._modem = settings.modems[name]
        self._status = Status(settings.paths.run, name)
        self._spool = spool
        self._wake = threading.Event()
        self._delivery = Delivery(self._spool, settings.telegram, self._modem)
        self._reassembly = Reassembly(self._spool, settings.poll.multipart_wait)
        connect = _driver(settings, self._modem, self._spool)
        self._fetch = fetch = Fetch(self._spool, self._reassembly, self._status, self._wake)
        self._watch = Watch(self._modem, connect, self._spool, fetch, self._status, self._wake, once=once)
        self._clock = clock
        self._once = once

    def serve(self) -> int:
        """Watch and send until the time is over; the exit code."""
        until = max(time.monotonic() + SEND, self._clock.last)
        self._watch.start()
        log.debug("%s: watching %s", self._modem.name, self._modem.device)
        again = 0.0  # not before Telegram may be tried again
        while True:
            failure = self._watch.failure()
            done = failure is not None or not self._watch.is_alive()
            over = not self._once and self._clock.over(self._turn.successor)
            try:
                if done:  # what waits for its missing parts waits for no stick
                    self._reassembly.step()
                if time.monotonic() >= again or done:
                    again = time.monotonic() + (self._delivery.send_waiting(until) or 0)
            except HomesimError as error:  # the disk takes nothing
                return self._end(error)
            if done and (over or time.monotonic() >= until or not self._reassembly.behind()):
                return self._end(failure or self._watch.problem)
            if over:
                self._watch.leave()
            self._report()
            if self._watch.looked and not (self._once or over):
                warm()
            if not done:
                self._wake.wait(TICK if self._status.seen.spool["new"] else max(TICK, min(REST, self._clock.rest)))
            self._wake.clear()
            if self._fetch.coming:
                self._fetch.coming = False
                self._delivery.prepare()

    def _end(self, problem: BaseException | None) -> int:
        if problem is not None and not isinstance(problem, HomesimError):
            raise problem  # a bug in the watching thread
        if isinstance(problem, Stuck) and self._clock.worth():
            log.warning("%s: %s; starting anew", self._modem.name, problem)
            self._clock.start_anew(self._modem.name)
        try:
            if self._delivery.sent:
                self._spool.sweep(time.time())
        except HomesimError as refused:
            problem = problem or refused
        problems = [error for error in (problem, self._delivery.problem) if error is not None]
        if problem:
            self._status.failed(problem)
        self._report(last=True)
        self._status.alarm()
        for error in problems:
            program.report(NAME, error)
        return max((error.exit_code for error in problems), default=EXIT_OK)

    def _report(self, *, last: bool = False) -> None:
        spool = {folder: self._spool.count(folder) for folder in ("new", "parts", "failed")}
        self._status.set(spool=spool, telegram=str(self._delivery.problem or ""))
        self._status.write(at_once=last)
