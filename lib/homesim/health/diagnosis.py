# SPDX-License-Identifier: GPL-2.0-or-later
"""Would an SMS arrive? Each station of its way with a verdict and a sentence, from what is known already. Pure.

"AT OK is not health": a stick that answers and is not registered, or counts SMS that it does not list, is as
dead as a silent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from homesim.stick.driver import Registration
from homesim.stick.status import Seen
from homesim.stick.usb import Stick

STALE = 150.0  # seconds: two runs of poll have ended without an answer
ENDLESS = 240.0  # seconds that a call may ring; poll has tried to end it since 90
OLD = 300.0  # seconds that an entry may wait for Telegram
_NO_NETWORK = {Registration.NONE, Registration.SEARCHING, Registration.DENIED}  # nothing arrives


@dataclass(frozen=True)
class Fault:
    """What is wrong, in words for its owner."""

    kind: str
    what: str  # what happened, to be followed by a time
    todo: str = ""  # what the owner can do
    reset: bool = True  # a reset of the stick can help
    hand: str = "pull the stick out, wait ten seconds and put it back"  # when no reset has helped


@dataclass(frozen=True)
class Finding:
    """One station of the way; all is well there when there is no fault."""

    station: str
    sentence: str
    fault: Fault | None = None
    age: float = 0.0  # seconds since the fault began, as far as is known


@dataclass(frozen=True)
class Evidence:
    """All that is looked at; nothing of it opens the port."""

    device: str
    stick: Stick | None
    gone: Stick | None = None  # ours, when it was last there
    candidates: Sequence[Stick] = ()  # any of these could be ours, and none was seen to be
    port: bool = True  # the device is there
    low_voltage: bool = False
    status: Seen = field(default_factory=Seen)
    boottime: float = 0.0
    waiting: int = 0  # entries for Telegram
    oldest: float = 0.0  # seconds that the oldest of them has waited
    refused: int = 0  # SMS that Telegram will not take

    def age(self, at: float | None) -> float:
        """Seconds since `at` in the status, or since boot; no clock that jumps is in it."""
        if at is None or not 0 <= at <= self.boottime:  # of another boot
            return self.boottime
        return self.boottime - at

    @property
    def failed(self) -> bool:
        """Whether poll's last word is bad news: said after the stick last showed its SMS."""
        since = self.age(self.status.error_boottime)
        return bool(self.status.error) and since < self.age(self.status.answered_boottime)


_DOCTOR = "If it stays so, run homesim-doctor"
FAULTS = {fault.kind: fault for fault in (
    Fault("several", "The stick's port was gone, and several sticks could be it",
          "Set health.usb, or leave only one in", reset=False),
    Fault("unknown", "I found no stick that I know, only another one",
          "I leave it alone, as it may be your Internet. If it is the one for SMS: pull it out, wait ten seconds and "
          "put it back; if that does not help, run homesim-setup", reset=False),
    Fault("absent", "The stick vanished from USB", "If it does not come back, somebody has to plug it in again"),
    Fault("off", "The stick was found switched off on the USB bus"),
    Fault("storage", "The stick turned into a CD-ROM (storage mode)", _DOCTOR),
    Fault("hilink", "The stick was found in HiLink mode, a network card without a port for SMS", _DOCTOR),
    Fault("no-port", "The stick lost its port"),
    Fault("no-link", "The stick's port lost its name", _DOCTOR),
    Fault("voltage", "The Raspberry Pi's voltage fell too low",
          "It needs a better power supply, or the stick a powered hub", reset=False),
    Fault("poll", "homesim-poll stopped running", "Look at its cron entry, or run homesim-doctor", reset=False),
    Fault("held", "Another program took the stick's port", "Stop it; homesim-doctor names it", reset=False),
    Fault("silent", "The stick stopped answering"),
    Fault("pin", "The SIM asked for its PIN",
          "Set pin in the configuration, or turn it off in a telephone", reset=False),
    Fault("wrong-pin", "The SIM refused the PIN that is configured",
          "It is not tried again, as the SIM would lock. Correct pin in the configuration", reset=False),
    Fault("puk", "The SIM asked for its PUK", "Put it into a telephone and enter it there", reset=False),
    Fault("no-sim", "The stick lost sight of its SIM", "If it stays so, take it out, clean it and put it back",
          hand="pull the stick out, take the SIM out, clean it, and put both back"),
    Fault("unregistered", "The stick lost its network", "If it stays so, ask the operator whether the SIM is valid",
          hand="pull the stick out, wait ten seconds and put it back; and ask the operator whether the SIM is valid"),
    Fault("call", "A call began that does not end"),
    Fault("full", "The stick ran out of room for SMS, and does not let go of those it has", _DOCTOR),
    Fault("hidden", "The stick began to count SMS that it does not show", _DOCTOR),
    Fault("stuck", "The stick began to keep an SMS that cannot be taken off it",
          "What could be read of it is in the chat. Delete it with the SIM in a telephone, or run homesim-doctor",
          reset=False),
    Fault("refused", "An SMS could not be forwarded", reset=False),
    Fault("telegram", "Telegram stopped taking messages", "The system log says why", reset=False),
)}  # fmt: skip
UNTOLD = ("telegram",)  # it cannot carry this news itself: the log and the ping do
NAMED = ("refused",)  # lies there until a person looks, who was told (refused.py): the next SMS arrives all the same
SAID = ("no-sim", "pin", "wrong-pin", "puk")  # by the stick itself, which takes no second run to believe


def diagnose(seen: Evidence) -> Sequence[Finding]:
    """The stations, cheapest first. What lies behind a fault is left out: what is known of it is old."""
    findings = [_usb(seen)]
    if not findings[0].fault:
        findings.append(_port(seen))
    if not findings[-1].fault:
        findings.append(_answer(seen))
    if not findings[-1].fault and seen.status.answered_boottime is not None:
        findings += [_sim(seen), _network(seen), _call(seen), _storage(seen)]
    return [*findings, _power(seen), _telegram(seen), *_refused(seen)]


def _usb(seen: Evidence) -> Finding:
    if seen.candidates:
        names = ", ".join(f"{stick.ids} at {stick.place}, {stick.mode}" for stick in seen.candidates)
        kind = "several" if len(seen.candidates) > 1 else "unknown"
        return Finding("USB", f"{names}; not seen with {seen.device}, left alone", FAULTS[kind])
    if seen.stick is None:  # a port that is there and not on USB, as a HAT's, is no fault
        return Finding("USB", "no stick", None if seen.port else FAULTS["absent"])
    return Finding("USB", f"{seen.stick.ids} at {seen.stick.place}, {seen.stick.mode}", FAULTS.get(seen.stick.mode))


def _port(seen: Evidence) -> Finding:
    if seen.port:
        return Finding("port", f"{seen.device} is there")
    kind = "no-link" if seen.stick and seen.stick.ttys else "no-port"
    return Finding("port", f"{seen.device} is not there", FAULTS[kind])


def _answer(seen: Evidence) -> Finding:
    """When poll last saw the stick's SMS, which takes the port, libgammu and the SIM."""
    status = seen.status
    age, error = seen.age(status.answered_boottime), status.error
    kind = _why_silent(seen)
    if age <= STALE and not (seen.failed and kind in SAID):
        started = status.answered_boottime is None
        return Finding("answer", f"none yet, {age:.0f} s after the start" if started else f"{age:.0f} s ago")
    if (idle := seen.age(status.updated_boottime)) > STALE:
        return Finding("answer", f"homesim-poll has not run for {idle:.0f} s", FAULTS["poll"], age)
    return Finding("answer", f"none for {age:.0f} s: {error}", FAULTS[kind], age)


def _why_silent(seen: Evidence) -> str:
    return seen.status.fault if seen.status.fault in FAULTS else "silent"


def _sim(seen: Evidence) -> Finding:
    return Finding("SIM", seen.status.sim)


def _network(seen: Evidence) -> Finding:
    fault = FAULTS["unregistered"] if seen.status.registration in _NO_NETWORK else None
    return Finding("network", seen.status.network, fault)


def _call(seen: Evidence) -> Finding:
    """Poll rejects one that rings for too long; on some sticks no SMS arrives as long as it rings."""
    seconds = seen.status.call
    sentence = f"rings for {seconds} s" if seconds else "none"
    return Finding("call", sentence, FAULTS["call"] if seconds > ENDLESS else None)


def _storage(seen: Evidence) -> Finding:
    memories = seen.status.memories
    if hidden := seen.status.hidden:
        return Finding("storage", f"{hidden} SMS counted and not shown", FAULTS["hidden"])
    if names := [name for name, memory in memories.items() if memory.full]:
        return Finding("storage", f"{' and '.join(names)} full", FAULTS["full"])
    if stuck := seen.status.stuck:
        return Finding("storage", f"{stuck} SMS cannot be taken off the stick", FAULTS["stuck"])
    return Finding("storage", f"{seen.status.used} SMS on the stick")


def _power(seen: Evidence) -> Finding:
    if seen.low_voltage:
        return Finding("power", "the voltage is too low", FAULTS["voltage"])
    return Finding("power", "no complaint")


def _telegram(seen: Evidence) -> Finding:
    sentence = f"{seen.waiting} waiting" + (f", {seen.oldest:.0f} s the oldest" if seen.waiting else "")
    if problem := seen.status.telegram:
        sentence += f": {problem.removeprefix('Telegram: ')}"
    return Finding("Telegram", sentence, FAULTS["telegram"] if seen.oldest > OLD else None)


def _refused(seen: Evidence) -> Sequence[Finding]:
    if not seen.refused:
        return []
    return [Finding("failed", f"{seen.refused} SMS that cannot be forwarded", FAULTS["refused"])]
