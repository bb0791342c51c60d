# SPDX-License-Identifier: GPL-2.0-or-later
"""From the stick to the spool: every SMS stored, then deleted from the stick, long ones joined.

Invariant: nothing is deleted that is not durable in the spool under the name of what it is. So a stick that
lies about deleting, or a kill between the two, brings the same name again, which is known.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable
from threading import Event

from homesim import pdu, sms
from homesim.modem import Memory, Modem, Stored
from homesim.parts import Group, Part, gather
from homesim.spool import Entry, Spool

TRIES = 2  # to delete one SMS in one run
JOIN = 30.0  # seconds between looks at parts that may have waited long enough
KEEP = 7 * 86400.0  # seconds a forwarded part waits for the missing ones: no service centre tries longer

log = logging.getLogger(__name__)


class Intake:
    """Fills one modem's spool: parts/ and new/."""

    def __init__(self, spool: Spool, multipart_wait: float) -> None:
        self._spool = spool
        self._wait = multipart_wait
        self._join_at = 0.0  # time.monotonic()
        self.stored = 0  # SMS, by this run
        self.listed: Counter[str] = Counter()  # SMS in each memory, the last time
        self._tries: Counter[Stored] = Counter()  # to delete it: what a stick keeps is not asked for ever

    def take(self, modem: Modem, memories: dict[str, Memory], wake: Event, hurry: Event) -> bool:
        """Move what is on the stick into the spool; `wake` is set when there is something new to send.

        True when the stick is to be listed again: slots were freed, where the network may have put what it held
        back, or `hurry` was set meanwhile: deleting many takes long, and what has just come is to go on first.
        """
        found = modem.stored(memories)
        self.listed = Counter(one.memory for one in found)
        arrived = [self._store(one.pdu) for one in found]
        if any(arrived):
            self._join_at = 0.0
            wake.set()
        if not all(arrived):  # stored by a run that may have been killed before it was durable
            self._spool.sync()
        self.join_when_due(wake)
        freed = False
        for one in found:
            if self._tries[one] < TRIES:
                self._tries[one] += 1
                freed |= modem.delete(one)
                if hurry.is_set():
                    return True
        return freed

    def join_when_due(self, wake: Event) -> None:
        """Look at the parts that wait, now and then, and whenever one has come."""
        if time.monotonic() >= self._join_at:
            self._join_at = time.monotonic() + JOIN
            if self.join():
                wake.set()

    def _store(self, text: str) -> bool:
        """Keep one PDU. False when it is here already, or was forwarded."""
        name = sms.name([text])
        if self._spool.known(name):
            self._spool.remember(name)
            return False
        part = pdu.decode(text).part
        folder = "parts" if part and part.total > 1 else "new"
        self._spool.put(folder, Entry(name, pdus=(text,), received=time.time()))
        self.stored += 1
        log.info("SMS of %s stored", name.partition("-")[0])  # the rest would tell who guesses the text
        return True

    def join(self) -> bool:
        """Make messages of the parts that are together, or have waited long enough. True when there is one."""
        self._finish_interrupted()
        made = False
        for group in gather(self._parts()):
            overdue = self._waited(group.parts)
            if group.complete and (group.certain or overdue):
                made |= self._whole(group)
            elif overdue and not all(part.told for part in group.parts):
                made |= self._incomplete(group)
            elif all(part.told and time.time() - part.received > KEEP for part in group.parts):
                self._settle(group)
        return made

    def _parts(self) -> list[Part]:
        return [Part(e.name, e.pdus[0], e.received, e.told) for e in self._spool.entries("parts") if e.pdus]

    def _whole(self, group: Group) -> bool:
        name = sms.name(_pdus(group))
        told = any(part.told for part in group.parts)
        if fresh := not self._spool.known(name):
            self._spool.put("new", Entry(name, _pdus(group), received=time.time(), told=told))
        if self._waited(group.copies):
            self._settle(group)
        return fresh

    def _waited(self, parts: Iterable[Part]) -> bool:
        """Whether these parts have waited long enough for others; what looks like a copy may be one that waits."""
        return all(abs(time.time() - part.received) >= self._wait for part in parts)

    def _incomplete(self, group: Group) -> bool:
        """Forward what there is. Its parts stay, for the day when the rest comes."""
        name = f"{sms.name(_pdus(group))}-incomplete"
        if fresh := not self._spool.known(name):
            self._spool.put("new", Entry(name, _pdus(group), received=time.time()))
        for part in group.parts:
            self._spool.put("parts", Entry(part.name, (part.pdu,), received=part.received, told=True))
        return fresh

    def _settle(self, group: Group) -> None:
        """Parts that need nothing more: all are marked before the first is removed."""
        parts = (*group.parts, *group.copies)
        for part in parts:
            self._spool.mark(part.name)
        for part in parts:
            self._spool.remove("parts", part.name)

    def _finish_interrupted(self) -> None:
        """A run was killed while it settled a message: first between the marks, then between the removals."""
        for group in gather(self._parts()):
            if group.complete and self._waited(group.copies) and self._spool.known(sms.name(_pdus(group))):
                self._settle(group)
        for part in self._parts():
            if self._spool.sent(part.name):
                self._spool.remove("parts", part.name)


def _pdus(group: Group) -> tuple[str, ...]:
    return tuple(part.pdu for part in group.parts)
