# SPDX-License-Identifier: GPL-2.0-or-later
"""Attends to the calls of one stick: rejects them if so configured, and puts what is to be told into the spool.

    NAME.calls     in the run folder: what rings and has rung (Calls.state), written before a call is rejected, and when
                   it was told; removed when nothing can follow any more
    missed         the stick's own list of missed calls, as it was last told

A run that is killed has forgotten no call whose caller it knew, and at most repeats the message it was making. A power
cut forgets what was not told yet: anybody can call, and what a call costs the card is only what is told of it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from threading import Event

from homesim.config import Modem as Settings
from homesim.poll import calls
from homesim.poll.calls import Calls, Series
from homesim.stick.serial import Modem
from homesim.stick.status import Status
from homesim.store.spool import Entry, Spool

ENDLESS = 90.0  # seconds: networks give up after a minute; what rings longer is ended, however it is configured
SHOWN = 40  # lines of one message
COPIES = 4, 6  # last digits that services use as a code

log = logging.getLogger(__name__)


class Reception:
    """`heard` may be called in any thread, the rest in the one that watches."""

    def __init__(self, settings: Settings, spool: Spool, status: Status, wake: Event) -> None:
        self._wanted = settings.calls
        self._spool = spool
        self._status = status
        self._wake = wake  # set when there is something new to send
        self._lines: deque[tuple[str, float]] = deque()
        self._status.set(call=0)
        if before := spool.state("calls"):  # 0.1.0's, on the card
            status.calls.save(before)
            spool.set_state("calls", {})
        self._saved = status.calls.load()
        self._calls = Calls(self._saved, time.time())

    def heard(self, line: str) -> bool:
        """Keep a line that the stick says on its own; True when it is about a call."""
        if about := calls.concerns(line):
            self._lines.append((line, time.time()))
        return about

    def attend(self, modem: Modem) -> None:
        """Do what is to be done now. That is nothing, and cheap, when there is no call."""
        news = self._listen()
        call = self._calls.ringing
        if call and call.caller and call.rings > call.tried and (self._wanted == "hangup" or self._age() > ENDLESS):
            self._save()
            call.tried = call.rings
            if modem.hang_up():
                self._calls.rejected(time.time())
            self._listen()
            news = True
        self._tell()
        if news or not self._calls.state():
            self._save()
        self._status.set(call=round(self._age()))

    def missed(self, modem: Modem) -> None:
        """Tell what the stick's own list has of calls that nobody attended to: who called is all it says."""
        now = None if self._wanted == "ignore" else calls.missed(modem.missed())
        before = self._spool.state("missed").get("callers")
        told = before if isinstance(before, list) else []
        if now is not None and now != told:
            ringing = [self._calls.ringing.caller] if self._calls.ringing else []
            fresh = Counter(now) - Counter([*told, *self._calls.since, *ringing])
            if callers := list(fresh):
                text = _lines(["Missed while nobody watched, as the stick lists it:", *callers])
                self._put(time.time(), text, callers, " ".join(callers))
            self._spool.set_state("missed", {"callers": now})
        if self._calls.since:
            self._calls.since = []
            self._save()

    def _age(self) -> float:
        """Seconds since the call that rings now began; 0 when this run has not heard it."""
        call = self._calls.ringing
        return max(0.0, time.time() - call.began) if call and call.rings else 0.0

    def _listen(self) -> bool:
        """True when something has changed."""
        before, news = self._calls.ringing, bool(self._lines)
        while self._lines:
            self._calls.hear(*self._lines.popleft())
        self._calls.listen(time.time())
        return news or self._calls.ringing is not before

    def _tell(self) -> None:
        if series := self._calls.due(time.time()):
            if self._wanted != "ignore":
                identity = " ".join(f"{one.caller} {one.first} {one.tries}" for one in series)
                self._put(series[0].first, _lines(map(_words, series)), [one.caller for one in series], identity)
            self._calls.tell(series, time.time())
            self._save()

    def _save(self) -> None:
        if (state := self._calls.state()) != self._saved:
            self._status.calls.save(state)
            self._saved = state

    def _put(self, at: float, text: str, callers: Sequence[str], identity: str) -> None:
        stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{stamp}-call-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"
        digits = re.sub(r"\D", "", callers[0]) if len(callers) == 1 else ""
        copy = tuple(digits[-count:] for count in COPIES if len(digits) >= count)
        if not self._spool.known(name):
            self._spool.put("new", Entry(name, alert=text, copy=copy, received=time.time()))
            log.info("call of %s stored", stamp)
            self._wake.set()


def _lines(lines: Iterable[str]) -> str:
    lines = list(lines)
    return "\n".join([*lines[:SHOWN], *([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])])


def _words(one: Series) -> str:
    first, last = (datetime.fromtimestamp(at).astimezone() for at in (one.first, one.last))
    several = one.tries > 1
    often = f"called {one.tries} times from" if several else "called at"
    until = f" to {last:%H:%M:%S}" if several else ""
    rang = f"rang for {max(1, round(one.rang))} s{'' if one.exact else ' or more'}{' in all' if several else ''}"
    rejected = ", rejected" if one.rejected else ""
    return f"{one.caller.capitalize()} {often} {first:%Y-%m-%d %H:%M:%S %Z}{until}, {rang}{rejected}"
