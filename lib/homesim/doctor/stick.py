# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stick says, for doctor: its answer, SIM, network and memories. It is asked, not set.

A run of homesim-poll that is at work knows all that already: then its status is taken. Else a process of its own
asks (port.py): port and lock are free again when it ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from homesim import process
from homesim.config import Modem, Paths
from homesim.doctor.troubles import Finding, bad, good, unseen
from homesim.errors import TryAgain
from homesim.health.diagnosis import STALE
from homesim.health.incident import in_vain
from homesim.process import boottime
from homesim.stick import status
from homesim.stick.at import Wire, value
from homesim.stick.commands import Plain
from homesim.stick.driver import Memory, Registration
from homesim.stick.sim import SPARED, refused, tries_left
from homesim.stick.status import Seen
from homesim.store.spool import Spool

LIMIT = 9.0  # seconds: a run that begins meanwhile waits 10
ANSWER = 5.0  # seconds for each command
WEAK = 10  # percent


@dataclass(frozen=True)
class Said:
    """What the stick says, or a run that is at work has seen of it."""

    seen: Seen = field(default_factory=Seen)
    problem: str = ""  # why it says nothing
    busy: bool = False  # it is what a run has seen
    receives: str = ""  # the memory new SMS go to
    tries: int | None = None  # that the PIN has left


def findings(modem: Modem, paths: Paths) -> Iterator[Finding]:
    """Each station behind the port. Raise PermissionError when we may not ask."""
    yield from judge(look(modem, paths.run), modem, paths.state)


def look(modem: Modem, runs: Path) -> Said:
    """What the stick says; `problem` why it says nothing. Raise PermissionError when we may not ask."""
    there = next(folder for folder in (runs, *runs.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK) or not os.access(modem.device, os.R_OK | os.W_OK):
        raise PermissionError
    # What it may raise, it shall raise here; a lock is not for the processes forked later.
    process.ModemLock(runs, modem.name)
    try:
        said = process.in_child(lambda: _ask(modem.device, process.ModemLock(runs, modem.name)), modem.device, LIMIT)
    except TryAgain as error:
        return Said(problem=str(error))
    seen = status.read(runs, modem.name)
    if said is None:
        return Said(seen, busy=True)
    return replace(said, seen=replace(said.seen, reader=seen.reader, stuck=seen.stuck))  # what takes a run to see


def _ask(device: str, turn: process.ModemLock) -> Said | None:
    """All that there is to say, None when the modem's lock is not free."""
    if not turn.take(wait=0):
        return None
    wire = Wire(device, str)
    wire.greet(ANSWER)
    wire.command("AT+CMEE=1", ANSWER)  # errors by number, as poll wants them too
    stick = Plain(wire, ANSWER)
    sim = stick.sim()
    tries = tries_left(stick.at) if sim == "SIM PIN" else None
    network = stick.network()
    # TS 27.005 3.2.2: of reading, of writing, of receiving.
    found = re.findall(r'"(\w+)",(\d+),(\d+)', value(stick.at("AT+CPMS?"), "+CPMS:"))
    memories = {name: Memory(int(used), int(size)) for name, used, size in found}
    seen = Seen(sim, network.registration, network.operator, network.signal, memories)
    return Said(seen, receives=found[2][0] if len(found) > 2 else "", tries=tries)


def judge(said: Said, modem: Modem, state: Path) -> Iterator[Finding]:
    """Each station behind the port."""
    silent = "still-silent" if in_vain(Spool(state / modem.name, read_only=True)) else "silent"
    if said.problem:
        yield bad(silent, reason=said.problem)
        return
    source = "as homesim-poll saw it: a run is at work" if said.busy else "it answers"
    if said.seen.reader == "plain AT":
        source += "; read by plain AT, as libgammu does not start on it"
    answered = said.seen.answered_boottime
    if said.busy and (age := boottime() - (answered or 0.0)) > STALE:
        heard = f"for {ago(age)}" if answered is not None else "since the Pi started"
        yield bad(silent, reason=f"{modem.device}: has not answered homesim-poll {heard}")
        return
    yield good("answer", source)
    yield _sim(said, modem, state)
    if said.seen.sim == "READY":
        yield _registered(said.seen)
        yield from _stored(said)


def _sim(said: Said, modem: Modem, state: Path) -> Finding:
    """TS 27.007 8.3, 9.2.1."""
    sim, tries = said.seen.sim, said.tries
    if sim == "READY":
        return good("SIM", "ready")
    if sim == "SIM PUK":
        return bad("puk")
    if sim == "SIM PIN" and modem.pin and refused(modem, Spool(state / modem.name, read_only=True)):
        return bad("wrong-pin", modem=modem.name)
    if sim == "SIM PIN" and modem.pin and tries is not None and tries <= SPARED:
        return bad("last-tries", left=tries, modem=modem.name)
    if sim == "SIM PIN" and modem.pin:
        return good("SIM", "homesim-poll will enter its PIN")
    if sim == "SIM PIN":
        return bad("pin", modem=modem.name)
    return bad("no-sim") if sim.endswith("ERROR: 10") else bad("sim", sim=sim or "it does not say")


def _registered(seen: Seen) -> Finding:
    if seen.registration is Registration.DENIED:
        return bad("denied")
    if seen.registration is Registration.UNKNOWN:
        return unseen("network", "the stick does not say")
    if not seen.registration.registered:
        return bad("no-network", registration=seen.registration)
    if seen.signal is not None and seen.signal < WEAK:
        return bad("weak-signal", signal=seen.signal)
    return good("network", seen.network)


def _stored(said: Said) -> Iterator[Finding]:
    memories = said.seen.memories
    where = f"; new ones go to {said.receives}" if said.receives else ""
    if said.seen.hidden:
        yield bad("hidden", count=said.seen.hidden)
    if said.seen.stuck:
        yield bad("stuck", count=said.seen.stuck)
    full = [name for name, memory in memories.items() if memory.full]
    for name in full:
        yield bad("full-memory", memory=name, used=memories[name].used)
    if memories and not full:
        words = [f"{name} {memory.used} of {memory.size}" for name, memory in memories.items()]
        yield good("memory", ", ".join(words) + where)
    elif not memories:
        yield unseen("memory", "the stick does not say how many SMS it holds")


def ago(seconds: float) -> str:
    """A time that has passed, as a person says it."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
