# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stick says, for doctor: its answer, SIM, network and memories. It is asked, not set.

A run of homesim-poll that is at work knows all that already: then its status is taken. Else a process of its own
asks (port.py): port and lock are free again when it ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from homesim import process
from homesim.config import Modem, Paths
from homesim.doctor.troubles import Finding, bad, good, unseen
from homesim.errors import TryAgain
from homesim.health.diagnosis import STALE, full, memories
from homesim.health.incident import in_vain
from homesim.process import boottime
from homesim.stick.at import Wire, value
from homesim.stick.commands import REGISTERED, Plain
from homesim.stick.driver import REGISTRATIONS, network
from homesim.stick.sim import SPARED, refused, tries_left
from homesim.store import status
from homesim.store.spool import Spool

LIMIT = 9.0  # seconds: a run that begins meanwhile waits 10
ANSWER = 5.0  # seconds for each command
WEAK = 10  # percent

Said = dict[str, Any]
"""The fields of a status: sim, registration, operator, signal, memories; `receives`: the memory new SMS go to;
`tries`: how many the PIN has left, or None."""


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
        return {"problem": str(error)}
    seen = status.read(runs, modem.name)
    if not said:
        return seen | {"busy": True}
    return said | {key: seen[key] for key in ("reader", "stuck") if key in seen}  # what takes a run to see


def _ask(device: str, turn: process.ModemLock) -> Said:
    """All that there is to say, {} when the modem's lock is not free."""
    if not turn.take(wait=0):
        return {}
    wire = Wire(device, str)
    wire.greet(ANSWER)
    wire.command("AT+CMEE=1", ANSWER)  # errors by number, as poll wants them too
    stick = Plain(wire, ANSWER)
    sim = stick.sim()
    said = {"sim": sim, "tries": tries_left(stick.at) if sim == "SIM PIN" else None} | asdict(stick.network())
    return said | _memories(value(stick.at("AT+CPMS?"), "+CPMS:"))


def _memories(answer: str) -> Said:
    """TS 27.005 3.2.2: of reading, of writing, of receiving."""
    found = re.findall(r'"(\w+)",(\d+),(\d+)', answer)
    counts = {name: {"used": int(used), "free": max(0, int(size) - int(used))} for name, used, size in found}
    return {"memories": counts, "receives": found[2][0] if len(found) > 2 else ""}


def judge(said: Said, modem: Modem, state: Path) -> Iterator[Finding]:
    """Each station behind the port."""
    silent = "still-silent" if in_vain(Spool(state / modem.name, read_only=True)) else "silent"
    if problem := said.get("problem"):
        yield bad(silent, reason=problem)
        return
    source = "as homesim-poll saw it: a run is at work" if said.get("busy") else "it answers"
    if said.get("reader") == "plain AT":
        source += "; read by plain AT, as libgammu does not start on it"
    if said.get("busy") and (age := boottime() - said.get("answered_boottime", 0)) > STALE:
        heard = f"for {ago(age)}" if "answered_boottime" in said else "since the Pi started"
        yield bad(silent, reason=f"{modem.device}: has not answered homesim-poll {heard}")
        return
    yield good("answer", source)
    yield _sim(said, modem, state)
    if said.get("sim") == "READY":
        yield _registered(said)
        yield from _stored(said)


def _sim(said: Said, modem: Modem, state: Path) -> Finding:
    """TS 27.007 8.3, 9.2.1."""
    sim, tries = str(said.get("sim", "")), said.get("tries")
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


def _registered(said: Said) -> Finding:
    registration, signal = str(said.get("registration", "")), said.get("signal")
    words = REGISTRATIONS.get(registration, registration)
    if registration == "RegistrationDenied":
        return bad("denied")
    if registration not in REGISTERED:
        return bad("no-network", registration=words) if words else unseen("network", "the stick does not say")
    if signal is not None and signal < WEAK:
        return bad("weak-signal", signal=signal)
    return good("network", network(said))


def _stored(said: Said) -> Iterator[Finding]:
    counts = memories(said)
    where = f"; new ones go to {said['receives']}" if said.get("receives") else ""
    if hidden := said.get("hidden"):
        yield bad("hidden", count=hidden)
    if stuck := said.get("stuck"):
        yield bad("stuck", count=stuck)
    for name in full(counts):
        yield bad("full-memory", memory=name, used=counts[name]["used"])
    if counts and not full(counts):
        words = [f"{name} {count['used']} of {count['used'] + count['free']}" for name, count in counts.items()]
        yield good("memory", ", ".join(words) + where)
    elif not counts:
        yield unseen("memory", "the stick does not say how many SMS it holds")


def ago(seconds: float) -> str:
    """A time that has passed, as a person says it."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
