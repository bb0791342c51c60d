# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of the slots of one stick, beyond the end of a run.

An SMS with a time is known by what it is. Two without one, of the same sender and text, are the same octets: so such an
SMS is the same one for as long as a list shows it in its slot, and the next one when the slot has been empty.

    slots          in the spool, before such an SMS is stored: its slot -> what stands there, and the name it was given

What is no whole PDU may have been torn by a line of the stick's own, which passes. What stays so is stored as it
stands, once, and never deleted. Its slot is remembered, not what is read there, which may be torn elsewhere each time.

    torn           in the status: such a slot -> since when (seconds by CLOCK_BOOTTIME); null: it was stored
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime

from homesim.process import boottime
from homesim.sms import message
from homesim.stick.driver import Slot
from homesim.store.spool import Spool

PASSING = 60.0  # seconds: a dozen looks, and the next run too


class Slots:
    """Gives each SMS on one modem's stick its name, and says which are to be stored though they are not whole."""

    def __init__(self, spool: Spool, torn: Mapping[str, float | None]) -> None:
        self.torn = dict(torn)
        self._spool = spool
        named = spool.load(dict[str, tuple[str, ...]], "slots") or {}
        self._named = {place: (what[0], what[1]) for place, what in named.items() if len(what) == 2}  # digest, name

    def look(self, found: Sequence[Slot], memories: Container[str]) -> Sequence[Slot]:
        """Given all that stands in these memories: what is new gets a name, what has left its slot is forgotten.

        What has not been whole for so long that it is to be stored as it stands; `settled` when it is.
        """
        torn = {one.place: one for one in found if not one.whole}  # what was named may be whole the next time
        before = {p: k for p, k in self._named.items() if p in torn or p.partition(" ")[0] not in memories}
        here = {one.place: (message.digest(one.pdu), self.name(one)) for one in found if one.whole and untimed(one)}
        self._keep(before | here)
        self.torn = {place: self.torn.get(place, boottime()) for place in torn}
        return [torn[place] for place, since in self.torn.items() if since is not None and _passed(since)]

    def settled(self, one: Slot) -> None:
        self.torn[one.place] = None

    @property
    def stuck(self) -> int:
        """Slots that hold what was stored and is not whole."""
        return sum(since is None for since in self.torn.values())

    def name(self, one: Slot) -> str:
        """The same for the same SMS, once it has been looked at."""
        if not one.whole or not untimed(one):
            return message.name([one.pdu])
        digest = message.digest(one.pdu)
        known, name = self._named.get(one.place, ("", ""))
        if known == digest:
            return name
        return message.named(message.stamp(datetime.now(UTC)), [digest, one.place, str(time.time_ns())])

    def freed(self, one: Slot) -> None:
        """What comes into its slot next is another one."""
        self._keep({place: kept for place, kept in self._named.items() if place != one.place})

    def _keep(self, named: dict[str, tuple[str, str]]) -> None:
        if named != self._named:
            self._spool.save("slots", named)
            self._named = named


def untimed(one: Slot) -> bool:
    return message.decode(one.pdu).time is None


def _passed(since: float) -> bool:
    """Whether a tear would be over. What is no time of this boot is none."""
    return not 0 <= boottime() - since < PASSING
