# SPDX-License-Identifier: GPL-2.0-or-later
"""Incoming calls: rejects them if so configured, and tells who called and when.

    Rings, Rings(who), Rings, Rings(who), ... Ended    one call, over when the stick says so or has been QUIET

Who calls is reported as soon as the stick has said who it is, to ring back and to copy the code that some services
put into the number they call from; then not again for a WINDOW. There are at most MOST messages in that time: who
calls on top of that waits, and all of them share the next one.

    NAME.calls     in the run folder: what rings and who has called (History), written before a call is rejected, and
                   when it was reported; removed when nothing can follow any more

A run that is killed has forgotten no call whose caller it knew, and at most repeats the message it was making. A power
cut forgets what was not reported yet: anybody can call, and what a call costs the card is only what is reported of it.

Times are seconds since the epoch, as they outlive a run; one in the future was before a clock jump.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event

from homesim.config import Modem
from homesim.sms.message import named, stamp
from homesim.stick.driver import UNKNOWN, Driver, Ended, Rings
from homesim.stick.status import Status
from homesim.store.entry import Entry
from homesim.store.spool import Spool

WINDOW = 600.0  # seconds
MOST = 6  # messages in a WINDOW
APART = 40  # callers in a WINDOW that are told apart
QUIET = 10.0  # seconds without a ring after which a call is over: a Huawei MU509 rings each 5 s, and some say no more
ENDLESS = 90.0  # seconds: networks give up after a minute; what rings longer is ended, however it is configured
COPIES = 4, 6  # last digits that services use as a code
OTHERS = "other numbers"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ringing:
    """The call that rings now."""

    began: float
    last: float  # the last ring of it
    caller: str = ""  # "": not said yet


@dataclass(frozen=True)
class Caller:
    at: float  # of the first call in the WINDOW
    rejected: bool = False
    reported: float = 0.0  # 0: not yet


@dataclass(frozen=True)
class History:
    ringing: Ringing | None = None
    callers: dict[str, Caller] = field(default_factory=dict)


def hear(history: History, news: Rings | Ended | None, at: float) -> History:
    """What is known after what the stick said, or after it was silent (None)."""
    before = history.ringing
    call = before if before and 0 <= at - before.last < QUIET else None
    if isinstance(news, Ended):
        call = None
    elif news and (who := news.caller):  # another's is the next call, without a word of this one's end
        call = replace(call, caller=who) if call and call.caller in ("", UNKNOWN, who) else Ringing(at, at, who)
    elif news:  # the caller would have followed the first RING
        call = replace(call, last=at, caller=call.caller or UNKNOWN) if call else Ringing(at, at)
    callers = dict(history.callers)
    if before and not before.caller and (call is None or call.began != before.began):
        _add(callers, UNKNOWN, before.began)
    if call and call.caller:
        _add(callers, call.caller, call.began)
    return History(call, callers)


def _add(callers: dict[str, Caller], who: str, at: float) -> None:
    callers.setdefault(who if who in callers or len(callers) < APART else OTHERS, Caller(at))


def due(history: History) -> dict[str, Caller]:
    """Who is to be reported now, in one message."""
    waiting = {who: one for who, one in history.callers.items() if not one.reported}
    messages = {one.reported for one in history.callers.values() if one.reported}
    return waiting if len(messages) < MOST else {}


def expire(history: History, now: float) -> History:
    """Without the callers that were reported a WINDOW ago."""
    kept = {who: one for who, one in history.callers.items() if not one.reported or 0 <= now - one.reported < WINDOW}
    return replace(history, callers=kept)


class Calls:
    """Attends to the calls of one stick. `keep` may be called in any thread, the rest in the one that watches."""

    def __init__(self, modem: Modem, spool: Spool, status: Status, wake: Event) -> None:
        """`wake` is set when there is something new to send."""
        self._wanted = modem.calls
        self._spool, self._status, self._wake = spool, status, wake
        self._news: deque[tuple[Rings | Ended, float]] = deque()
        self._history = status.calls.load(History) or History()
        if (call := self._history.ringing) and 0 <= time.time() - call.last < WINDOW:  # it may ring on
            self._history = replace(self._history, ringing=replace(call, last=time.time()))
        self._saved = self._history
        self._resumed = self._history.ringing.last if self._history.ringing else 0.0
        self._tried = self._resumed  # the ring at which we last tried to reject a call
        for old in ("calls", "missed"):  # 0.1.0's, on the card
            spool.save(old, {})

    def keep(self, news: Rings | Ended) -> None:
        """Keep what the stick says of a call."""
        self._news.append((news, time.time()))

    def attend(self, driver: Driver) -> None:
        """Do what is to be done now. That is nothing, and cheap, when there is no call."""
        self._history = expire(self._history, time.time())
        while self._news:
            self._history = hear(self._history, *self._news.popleft())
        now = time.time()
        self._history = hear(self._history, None, now)
        call = self._history.ringing
        age = now - call.began if call and call.last != self._resumed else 0.0
        if call and call.caller and call.last != self._tried and (self._wanted == "hangup" or age > ENDLESS):
            self._tried = call.last
            self._save()
            if driver.hang_up() and (one := self._history.callers.get(call.caller)):
                self._set({call.caller: replace(one, rejected=True)})
        if callers := due(self._history):
            if self._wanted != "ignore":
                self._put(callers)
            self._set({who: replace(one, reported=time.time()) for who, one in callers.items()})
        self._save()
        self._status.set(call=round(age))

    def _set(self, callers: dict[str, Caller]) -> None:
        self._history = replace(self._history, callers=self._history.callers | callers)

    def _save(self) -> None:
        if self._history != self._saved:
            self._status.calls.save(self._history if self._history != History() else None)
            self._saved = self._history

    def _put(self, callers: dict[str, Caller]) -> None:
        identity = " ".join(f"{who} {one.at}" for who, one in callers.items())  # the same if a killed run has put it
        begin = stamp(datetime.fromtimestamp(min(one.at for one in callers.values()), UTC))
        name = named(f"{begin}-call", [identity])
        if self._spool.known(name):
            return
        digits = re.sub(r"\D", "", "".join(callers)) if len(callers) == 1 else ""
        copy = tuple(digits[-count:] for count in COPIES if len(digits) >= count)
        text = "\n".join(_words(who, one) for who, one in callers.items())
        self._spool.put("new", Entry(name, alert=text, copy=copy, received=time.time()))
        log.info("call of %s stored", begin)
        self._wake.set()


def _words(who: str, one: Caller) -> str:
    at = datetime.fromtimestamp(one.at).astimezone()
    return f"{who.capitalize()} called at {at:%Y-%m-%d %H:%M:%S %Z}{', rejected' if one.rejected else ''}"
