# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stick can do, and the words for what it says, whatever kind of stick it is.

A Driver asks it; who uses one gets States and Slots, and nobody else reads an answer again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from homesim.errors import TryAgain

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
    receives: str = ""  # the memory that new SMS go to
    tries: int | None = None  # wrong PINs in a row that the SIM bears

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

    memory: str  # "SM", "ME" (TS 27.005 3.2.2), "inbox"
    index: int
    pdu: str  # hex in capitals, the service centre's address first; or what stands there, or is told, instead of a PDU
    whole: bool = True  # else not all of it is there yet or could be read, or it is no PDU

    @property
    def place(self) -> str:
        return f"{self.memory} {self.index}"


WITHHELD, UNKNOWN = "withheld number", "unknown number"  # callers


@dataclass(frozen=True)
class Arrived:
    """Something new is in the stick's memory."""

    place: str = ""  # as Slot.place; "": it does not say where


@dataclass(frozen=True)
class Rings:
    """A call rings, once more."""

    caller: str = ""  # a number to dial, WITHHELD or UNKNOWN; "": not said yet


@dataclass(frozen=True)
class Ended:
    """No call rings any more."""


@dataclass(frozen=True)
class Gone:
    """The stick has gone."""


News = Arrived | Rings | Ended | Gone


class Stuck(TryAgain):
    """The stick, or the driver's idea of it, has lost the thread; a new process may find it again."""


class Driver(Protocol):
    """One stick, in the hands of one thread until its process ends: there is no close, which could take minutes.

    It is made with a function that it calls, in another thread, with the News that the stick says on its own. To make
    one, and each call, raises HomesimError with its fault: Stuck when a new process may do better.
    """

    @property
    def sim(self) -> str:
        """State.sim, as far as it is known."""

    @property
    def listing(self) -> float:
        """Seconds after which all is listed though nothing was counted or announced."""

    @property
    def reader(self) -> str:
        """Who reads the stick, in a word or two: not each stick goes with each library."""

    def open(self) -> None:
        """Ready to be read when this returns: it answers, and its SIM is open. A PIN is never tried to its end."""

    def start(self) -> None:
        """Whatever takes long and is not needed to read what lies there: done once that has been read."""

    def memories(self) -> dict[str, Memory]:
        """How many SMS it counts: the cheapest look there is. A memory that it refuses is left out."""

    def slots(self, memories: dict[str, Memory]) -> list[Slot]:
        """All that stands in these memories, read or unread, also what cannot be decoded or was not counted."""

    def read(self, place: str) -> Slot | None:
        """What stands in a place that Arrived has named, by the shortest way; None: nothing, or it will not say."""

    def delete(self, slot: Slot) -> bool:
        """Free the slot if it still holds this very SMS. False when it does not, or the stick will not say.

        What came of it the next list shows: sticks say OK and keep it, or ERROR and have deleted it.
        """

    def holds(self, slot: Slot) -> bool:
        """Whether the slot holds this very SMS, or one that is the same to the octet."""

    def hang_up(self) -> bool:
        """Reject what rings."""

    def state(self) -> State:
        """SIM, registration, operator and signal, empty where it refuses to say."""

    def leave(self) -> None:
        """The last call, where one more is worth it: whatever others would have to wait for is given back."""

    def failure(self) -> TryAgain | None:
        """Why the call in progress will never return; asked by another thread. Then the driver is of no more use."""
