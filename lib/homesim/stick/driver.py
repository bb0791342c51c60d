# SPDX-License-Identifier: GPL-2.0-or-later
"""The words for what a stick says, whatever kind of stick it is: its State, and the Slots of its memories.

Who asks a stick gets these, and nobody else reads an answer again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

ROOM = 2  # free slots: the next SMS may find none
_SIGNALS = ((30, "weak"), (55, "fair"), (75, "good"), (101, "very good"))  # percent, below


class Registration(Enum):
    """The states of TS 27.007 7.2, <stat>."""

    HOME = "home"
    ROAMING = "roaming"
    SEARCHING = "searching"
    DENIED = "denied"
    NONE = "none"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return _WORDS[self]

    @property
    def registered(self) -> bool:
        return self in (Registration.HOME, Registration.ROAMING)


_WORDS = {
    Registration.HOME: "registered at home",
    Registration.ROAMING: "registered, roaming",
    Registration.SEARCHING: "searching for a network",
    Registration.DENIED: "refused by the network",
    Registration.NONE: "not registered, and not searching",
    Registration.UNKNOWN: "registration is not known",
}


@dataclass(frozen=True)
class Memory:
    """How many SMS a memory holds, and how many slots it has."""

    used: int
    size: int

    @property
    def full(self) -> bool:
        """Whether the next SMS may find no room, for what is there and not taken."""
        return self.used > 0 and self.size - self.used <= ROOM


@dataclass(frozen=True)
class State:
    """What a stick says of itself; what it does not say is empty."""

    sim: str = ""  # TS 27.007 8.3: "READY", "SIM PIN", "SIM PUK", ..., or the error
    registration: Registration = Registration.UNKNOWN
    operator: str = ""
    signal: int | None = None  # percent
    memories: dict[str, Memory] = field(default_factory=dict)

    @property
    def network(self) -> str:
        """In words."""
        if not self.registration.registered:
            return str(self.registration)
        percent = 101 if self.signal is None else self.signal
        strength = next((f"{word} ({percent} %)" for limit, word in _SIGNALS if percent < limit), "unknown")
        return f"{self.operator or 'an operator without a name'}, {self.registration}, signal {strength}"

    @property
    def used(self) -> int:
        """SMS on the stick."""
        return sum(memory.used for memory in self.memories.values())


@dataclass(frozen=True)
class Slot:
    """What stands in a slot of the stick: an SMS, as a rule."""

    memory: str  # "SM", "ME" (TS 27.005 3.2.2)
    index: int
    pdu: str  # hex, the service centre's address first
    whole: bool = True  # else not all of it could be read, or it is no PDU
