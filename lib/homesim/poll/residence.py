# SPDX-License-Identifier: GPL-2.0-or-later
"""Which SMS without a valid time stands in which slot of the stick: there is nothing else to know it by.

Two of the same sender and text are the same octets, so an SMS without a time is the same one for as long as a
list shows it in its slot, and the next one when the slot has been empty. One with a time is known by what it is.

    slots          before such an SMS is stored: its slot -> what stands there, and the name that it was given
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from datetime import UTC, datetime

from homesim.sms import message, pdu
from homesim.stick.driver import Slot
from homesim.store.spool import Spool

_Standing = tuple[str, str]  # digest, name


class Residence:
    """Gives each SMS on one modem's stick its name."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._slots = dict[str, _Standing]()
        for slot, standing in spool.state("slots").items():
            match standing:
                case [str() as digest, str() as name]:
                    self._slots[slot] = (digest, name)

    def look(self, found: Sequence[Slot], memories: Container[str]) -> None:
        """All that stands in these memories: what is new gets a name, what has left its slot is forgotten."""
        torn = {_slot(one) for one in found if not one.whole}  # it may be the same, and is read whole the next time
        before = {slot: k for slot, k in self._slots.items() if slot in torn or slot.partition(" ")[0] not in memories}
        here = {_slot(one): (message.digest(one.pdu), self.name(one)) for one in found if one.whole and untimed(one)}
        self._keep(before | here)

    def name(self, one: Slot) -> str:
        """The same for the same SMS, once it has been looked at."""
        if not untimed(one):
            return message.name([one.pdu])
        digest = message.digest(one.pdu)
        known, name = self._slots.get(_slot(one), ("", ""))
        if known == digest:
            return name
        return message.named(message.stamp(datetime.now(UTC)), [digest, _slot(one), str(time.time_ns())])

    def left(self, one: Slot) -> None:
        """Its slot is empty: what comes into it next is another one."""
        self._keep({slot: kept for slot, kept in self._slots.items() if slot != _slot(one)})

    def _keep(self, slots: dict[str, _Standing]) -> None:
        if slots != self._slots:
            self._spool.set_state("slots", dict(slots))
            self._slots = slots


def untimed(one: Slot) -> bool:
    return pdu.decode(one.pdu).time is None


def _slot(one: Slot) -> str:
    return f"{one.memory} {one.index}"
