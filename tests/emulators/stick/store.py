# SPDX-License-Identifier: GPL-2.0-or-later
"""The SMS slots of an emulated stick (3GPP TS 27.005 section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

UNREAD, READ, UNSENT, SENT = range(4)
"""<stat> in PDU mode, 3GPP TS 27.005 section 3.1."""


@dataclass(frozen=True)
class Slot:
    """A message: its PDU in hex including the SMSC, and its <stat>. Not hex is a ValueError."""

    pdu: str
    stat: int

    def __post_init__(self) -> None:
        bytes.fromhex(self.pdu)

    @property
    def length(self) -> int:
        """<length> of 3GPP TS 27.005: octets of the TPDU, that is without the SMSC."""
        octets = bytes.fromhex(self.pdu)
        return max(len(octets) - 1 - octets[0], 0) if octets else 0


class Store:
    """Memories with numbered slots. A freed slot is the next one used, as on real sticks."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._slots: dict[str, dict[int, Slot]] = {memory: {} for memory in sizes}
        self._sizes = sizes

    def indices(self, memory: str) -> range:
        """All slot numbers of a memory, used or not."""
        return range(self._sizes[memory])

    def free(self, memory: str) -> int | None:
        """The lowest free slot; None when the memory is full."""
        slots = self._slots[memory]
        return next((index for index in self.indices(memory) if index not in slots), None)

    def used(self, memory: str) -> int:
        return len(self._slots[memory])

    def put(self, memory: str, index: int, slot: Slot) -> None:
        """Fill a slot; what was in it is gone. Raise ValueError if there is no such slot."""
        if index not in self.indices(memory):
            raise ValueError(f"{memory} has no slot {index}")
        self._slots[memory][index] = slot

    def get(self, memory: str, index: int) -> Slot | None:
        return self._slots[memory].get(index)

    def slots(self, memory: str) -> list[tuple[int, Slot]]:
        """The used slots of one memory, in order."""
        return sorted(self._slots[memory].items())

    def mark_read(self, memory: str, index: int) -> None:
        """Reading or listing an unread message makes it a read one (27.005 sections 4.1, 4.2)."""
        slot = self._slots[memory][index]
        if slot.stat == UNREAD:
            self._slots[memory][index] = replace(slot, stat=READ)

    def delete(self, memory: str, index: int) -> None:
        """Free a slot; one that is free already stays so."""
        self._slots[memory].pop(index, None)

    def __iter__(self) -> Iterator[tuple[str, int, Slot]]:
        for memory in self._slots:
            for index, slot in self.slots(memory):
                yield memory, index, slot
