# SPDX-License-Identifier: GPL-2.0-or-later
"""From the stick to the spool: every SMS stored, then deleted from the stick.

Invariant: nothing is deleted that is not durable in the spool under the name of what it is. So a stick that
lies about deleting, or a kill between the two, brings the same name again, which is known.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from threading import Event

from homesim.poll.reassemble import Joining
from homesim.poll.remains import Remains
from homesim.poll.residence import Residence, untimed
from homesim.sms import message, pdu
from homesim.stick.driver import Driver, Memory, Slot
from homesim.store.spool import Entry, Spool

_CMTI = re.compile(r'\+C[MD][TS]I: ?"(\w+)", ?(\d+)')
TRIES = 2  # to delete one SMS in one run

log = logging.getLogger(__name__)


class Intake:
    """Fills one modem's spool: parts/ and new/."""

    def __init__(self, spool: Spool, joining: Joining) -> None:
        self._spool = spool
        self._joining = joining
        self._residence = Residence(spool)
        self.taken = 0  # SMS, by this run
        self.stored = 0  # the same in messages: a long one is one
        self.listed: Counter[str] = Counter()  # SMS in each memory, the last time
        self.stuck = 0  # slots that are not freed, though what is in them was stored, the last time
        self._fresh: set[Slot] = set()  # not stored before this run
        self._tries: Counter[Slot] = Counter()  # to delete it: what a stick keeps is not asked for ever
        self._announced: set[tuple[str, int]] = set()  # slots in which the stick says something new

    def announced(self, line: str) -> None:
        """Note which slot +CMTI names (TS 27.005 3.4.1). May be called in any thread."""
        if named := _CMTI.match(line):
            self._announced.add((named[1], int(named[2])))

    def take(self, driver: Driver, memories: dict[str, Memory], remains: Remains, wake: Event, hurry: Event) -> bool:
        """Move what is on the stick into the spool; `wake` is set when there is something new to send.

        True when the stick is to be listed again: slots were freed, where the network may have put what it held
        back, or `hurry` was set meanwhile: deleting many takes long, and what has just come is to go on first.
        """
        found = driver.slots(memories)
        self.listed = Counter(one.memory for one in found)
        self._residence.look(found, memories)
        due = remains.due(found)
        arrived = [self._store(one) for one in found if one.whole or one in due]
        for one in due:
            remains.told(one)
        if any(arrived):
            wake.set()
        if not all(arrived):  # stored by a run that may have been killed before it was durable
            self._spool.sync()
        self.join(wake)
        whole = {one for one in found if one.whole}
        kept = set(whole)
        for one in found:
            if one.whole and self._tries[one] < TRIES:
                if self._delete(driver, one):
                    kept.discard(one)
                if hurry.is_set():
                    return True
        if kept == whole:  # else the next list shows whether that was true
            self.stuck = remains.count + len(kept - self._fresh)
        return kept != whole

    def join(self, wake: Event) -> bool:
        """Work on the parts that wait, if there is anything to do, for an instant. True when that was not all."""
        if self._joining.behind() and self._joining.step():
            wake.set()
        return self._joining.behind()

    def _store(self, one: Slot) -> bool:
        """Keep it. False when it is here already, or was forwarded."""
        name = self._residence.name(one) if one.whole else message.name([one.pdu])
        if self._spool.known(name):
            self._spool.remember(name)
            return False
        part = pdu.decode(one.pdu).part if one.whole else None
        entry = Entry(name, pdus=(one.pdu,), received=time.time())
        if part and part.total > 1:
            self._spool.put("parts", entry)
            self._joining.add(entry)
        else:
            self._spool.put("new", entry)
        self._fresh.add(one)
        self.taken += 1
        self.stored += part is None or part.number == 1
        log.info("SMS of %s stored", name.partition("-")[0])  # the rest would tell who guesses the text
        return True

    def _delete(self, driver: Driver, one: Slot) -> bool:
        """True when its slot may be free now."""
        self._tries[one] += 1
        slot = one.memory, one.index
        self._announced.discard(slot)
        asked = driver.delete(one)
        # At once: what comes there next may be the same octets, and has perhaps come already.
        if asked and untimed(one) and (not driver.holds(one) or slot in self._announced):
            self._residence.left(one)
            del self._tries[one]
        return asked
