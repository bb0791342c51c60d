# SPDX-License-Identifier: GPL-2.0-or-later
"""Watches one stick for the length of a run, in a thread of its own: a frozen stick holds up nobody else.

The slot that the stick's own notice (+CMTI) names is read at once; a count each LOOK finds what came without notice,
and is spared where the last ones all came with it; a full list each LIST finds what was not counted.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from homesim.config import Modem
from homesim.errors import HomesimError, TryAgain
from homesim.poll.calls import Calls
from homesim.poll.fetch import Fetch
from homesim.stick.driver import Arrived, Driver, Ended, Memory, News, Rings, Stuck
from homesim.stick.status import Status
from homesim.store.spool import Spool

LOOK, LIST, ASK = 1.0, 5.0, 60.0  # seconds between counts, lists of what is not whole, questions about the network
PROVEN = 3  # SMS in a row that the stick has announced: then only the lists count
VAIN = 5  # notices in a row that brought nothing: then the stick's notices do not hurry us any more
GIVE_WAY = 0.1  # seconds that belong to the sending thread when there are many parts to work on

log = logging.getLogger(__name__)


class Watch(threading.Thread):
    """Runs until `leave` is called, or for a look before and one after libgammu has started; sets `wake` for news."""

    def __init__(
        self,
        modem: Modem,
        connect: Callable[[Callable[[News], object]], Driver],
        spool: Spool,
        fetch: Fetch,
        status: Status,
        wake: threading.Event,
        *,
        once: bool,
    ) -> None:
        """`connect` makes the stick's driver, given whom it tells its news."""
        super().__init__(daemon=True)
        self.problem: BaseException | None = None
        self.looked = False  # what lay on the stick is in the spool
        self._stir = threading.Event()  # the stick said something, or it is time to leave
        self._noticed = True  # what it said is a reason to list its SMS
        self._vain = 0
        self._leaving = False
        self._modem = modem
        self._connect = connect
        self._fetch = fetch
        self._status = status
        self._wake = wake
        self._calls = Calls(modem, spool, status, wake)
        self._once = once
        self._driver: Driver | None = None
        self._counts: dict[str, Memory] = {}
        self._listed = self._asked = float("-inf")

    def run(self) -> None:
        try:
            self._watch()
        except BaseException as error:  # handed to the main thread, which tells failures from bugs
            self.problem = error
        self._farewell()
        self._wake.set()

    def _farewell(self) -> None:
        if self._driver and not isinstance(self.problem, Stuck):
            with contextlib.suppress(HomesimError):
                self._driver.leave()

    def leave(self) -> None:
        """End soon; what is under way on the stick is left to the next run."""
        self._leaving = True
        self._stir.set()

    def failure(self) -> TryAgain | None:
        """Why this thread will never end. Then nobody may touch the driver again."""
        return self._driver.failure() if self._driver and self.is_alive() else None

    def _watch(self) -> None:
        driver = self._driver = self._connect(self._news)
        try:
            driver.open()
        finally:
            if driver.sim:
                self._status.set(sim=driver.sim)
        self._look(driver)
        self.looked = True
        self._wake.set()
        driver.start()
        self._status.set(reader=driver.reader)
        while not self._leaving:
            self._look(driver)
            if self._once:
                return
            self._wait(driver)

    def _wait(self, driver: Driver) -> None:
        """Until it is time for a look; calls and parts that wait are attended to meanwhile."""
        until = time.monotonic() + (LIST if self._status.seen.noticed >= PROVEN else LOOK)
        while not ((self._noticed and self._vain < VAIN) or self._leaving) and (rest := until - time.monotonic()) > 0:
            behind = self._fetch.reassemble()
            if self._stir.wait(min(rest, GIVE_WAY) if behind else rest):
                self._stir.clear()
                self._calls.attend(driver)

    def _news(self, news: News) -> None:
        if isinstance(news, Rings | Ended):
            self._calls.keep(news)
        else:
            if isinstance(news, Arrived):
                self._fetch.announced(news)
            self._noticed = True
        self._stir.set()

    def _look(self, driver: Driver) -> None:
        began, taken = time.monotonic(), self._fetch.taken
        noticed, memories = self._count(driver)
        every = LIST if self._status.seen.torn else driver.listing
        if noticed or memories != self._counts or began - self._listed >= every:
            while self._fetch.take(driver, memories, self._stir) and not self._leaving:
                _, memories = self._count(driver)
            self._listed = began
        self._vain = self._vain + 1 if noticed and self._fetch.taken == taken else 0
        self._counts = memories
        self._status.answered(memories)
        if self.looked and began - self._asked >= ASK:  # not before libgammu has started, when nobody would look
            state = driver.state()
            self._status.network(state)
            log.debug("%s: %s", self._modem.name, state.network)
            self._asked = began

    def _count(self, driver: Driver) -> tuple[bool, dict[str, Memory]]:
        """Whether the stick had said that something has come, and what it counts now."""
        self._stir.clear()
        if noticed := self._noticed:  # else left as it is: it may be set just now
            self._noticed = False
        if self._vain < VAIN:
            self._fetch.take_announced(driver)
        self._calls.attend(driver)
        if memories := driver.memories():
            return noticed, memories
        raise TryAgain(self._modem.device, "the stick does not show its SMS; run homesim-doctor")
