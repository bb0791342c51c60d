# SPDX-License-Identifier: GPL-2.0-or-later
"""From the stick to the spool: every SMS stored, then deleted from the stick.

Invariant: nothing is deleted that is not durable in the spool under the name of what it is. So a stick that
lies about deleting, or a kill between the two, brings the same name again, which is known.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Sequence
from threading import Event

from homesim.poll.reassemble import Reassembly
from homesim.poll.slots import Slots, untimed
from homesim.sms import message
from homesim.stick.driver import Arrived, Driver, Memory, Slot
from homesim.stick.status import Status
from homesim.store.entry import Entry
from homesim.store.spool import Spool

TRIES = 2  # to delete one SMS in one run
NAMED = 4  # places that are read alone: of more than that the list is sooner there

log = logging.getLogger(__name__)


class Fetch:
    """Fills one modem's spool: parts/ and new/. `wake` is set when there is something new to send."""

    def __init__(self, spool: Spool, reassembly: Reassembly, status: Status, wake: Event) -> None:
        self.taken = 0  # SMS, by this run
        self._spool = spool
        self._reassembly = reassembly
        self._status = status
        self._wake = wake
        self._slots = Slots(spool, status.seen.torn)
        self._fresh: set[Slot] = set()  # not stored before this run
        self._tries: Counter[Slot] = Counter()  # to delete it: what a stick keeps is not asked for ever
        self._announced: set[str] = set()  # places in which the stick says something new
        self._unread: deque[str] = deque(maxlen=NAMED)  # of those, what has not been looked for
        self._watches = False  # what comes now comes while we are there
        self.coming = False  # something that was announced is to be sent soon

    def announced(self, news: Arrived) -> None:
        """May be called in any thread."""
        self._announced.add(news.place)
        self._unread.append(news.place)
        self.coming = True
        self._wake.set()

    def take_announced(self, driver: Driver) -> None:
        """Store what the stick has named, before all is counted and listed. A notice may lie; the list is the truth.

        What leaves a doubt is left to the list: which SMS it is when it has no time, what it is when it is not whole.
        """
        for _ in range(len(self._unread)):
            one = driver.read(self._unread.popleft())
            if one and one.whole and not untimed(one) and self._store(one):
                self.reassemble()
                self._wake.set()
                self._judge([one])

    def take(self, driver: Driver, memories: dict[str, Memory], hurry: Event) -> bool:
        """Move what is on the stick into the spool.

        True when the stick is to be listed again: slots were freed, where the network may have put what it held
        back, or `hurry` was set meanwhile: deleting many takes long, and what has just come is to go on first.
        """
        found = driver.slots(memories)
        listed = Counter(one.memory for one in found)
        due = self._slots.look(found, memories)
        hidden = sum(max(0, memory.used - listed[name]) for name, memory in memories.items())
        self._status.set(hidden=hidden, torn=dict(self._slots.torn))
        stored = [one for one in found if one.whole or one in due]
        arrived = [self._store(one) for one in stored]
        for one in due:
            self._slots.settled(one)
        self._status.set(torn=dict(self._slots.torn))
        if any(arrived):
            self._wake.set()
            self._judge([one for one, new in zip(stored, arrived, strict=True) if new])
        if any(one not in self._fresh for one in stored):  # by a run that may have been killed before it was durable
            self._spool.sync()
        self._watches = True
        self.reassemble()
        freed = False
        whole = [one for one in found if one.whole]
        for one in whole:
            if self._tries[one] < TRIES:
                freed |= self._delete(driver, one)
                if hurry.is_set():
                    return True
        if not freed:  # else the next list shows whether that was true
            self._status.set(stuck=self._slots.stuck + sum(one not in self._fresh for one in whole))
        return freed

    def reassemble(self) -> bool:
        """Work on the parts that wait, if there is anything to do, for an instant. True when that was not all."""
        if self._reassembly.behind() and self._reassembly.step():
            self._wake.set()
        return self._reassembly.behind()

    def _judge(self, came: Sequence[Slot]) -> None:
        """Whether the stick says what comes, as far as we were there to hear it."""
        if self._watches:
            noticed = all(one.place in self._announced for one in came)
            self._status.set(noticed=self._status.seen.noticed + len(came) if noticed else 0)

    def _store(self, one: Slot) -> bool:
        """Keep it. False when it is here already, or was forwarded."""
        name = self._slots.name(one)
        if self._spool.known(name):
            self._spool.remember(name)
            return False
        part = message.decode(one.pdu).part if one.whole else None
        entry = Entry(name, pdus=(one.pdu,), received=time.time())
        if part and part.total > 1:
            self._spool.put("parts", entry)
            self._reassembly.add(entry)
        else:
            self._spool.put("new", entry)
        self._fresh.add(one)
        self.taken += 1
        if part is None or part.number == 1:  # a long one is one message
            self._status.set(stored=self._status.seen.stored + 1)
        log.info("SMS of %s stored", name.partition("-")[0])  # the rest would tell who guesses the text
        return True

    def _delete(self, driver: Driver, one: Slot) -> bool:
        """True when its slot may be free now."""
        self._tries[one] += 1
        self._announced.discard(one.place)
        asked = driver.delete(one)
        # At once: what comes there next may be the same octets, and has perhaps come already.
        if asked and untimed(one) and (not driver.holds(one) or one.place in self._announced):
            self._slots.freed(one)
            del self._tries[one]
        return asked
