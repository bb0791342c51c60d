# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stick says, for doctor: its answer, SIM, network and memories. It is asked, not set.

A run of homesim-poll that is at work knows all that already: then its status is taken. Else a process of its own
asks (stick/probe): port and lock are free again when it ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from homesim import process
from homesim.config import Modem, Paths
from homesim.doctor.troubles import Finding, bad, good, unseen
from homesim.errors import TryAgain
from homesim.health.diagnosis import STALE
from homesim.health.incident import in_vain
from homesim.process import boottime
from homesim.stick import probe, status
from homesim.stick.driver import Registration
from homesim.stick.sim import SPARED, refused
from homesim.stick.status import Seen
from homesim.store.spool import Spool

LIMIT = 9.0  # seconds: a run that begins meanwhile waits 10
WEAK = 10  # percent


@dataclass(frozen=True)
class Said:
    """What the stick says, or a run that is at work has seen of it."""

    seen: Seen = field(default_factory=Seen)
    problem: str = ""  # why it says nothing
    busy: bool = False  # it is what a run has seen


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
    seen = status.read(runs, modem.name)
    try:
        state = probe.ask(modem.device, probe.look, LIMIT, turn=lambda: _take(process.ModemLock(runs, modem.name)))
    except _Busy:
        return Said(status.read(runs, modem.name), busy=True)
    except TryAgain as error:
        return Said(problem=str(error))
    return Said(Seen(**vars(state), reader=seen.reader, stuck=seen.stuck))  # what takes a run to see


class _Busy(TryAgain):
    """A run is at work."""


def _take(turn: process.ModemLock) -> None:
    if not turn.take(wait=0):
        raise _Busy("a run", "is at work")


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
    sim, tries = said.seen.sim, said.seen.tries
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
    where = f"; new ones go to {said.seen.receives}" if said.seen.receives else ""
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
