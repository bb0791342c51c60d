# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stick says, for doctor: its answer, SIM, network and memories. It is asked, not set.

A run of homesim-poll that is at work knows all that already: then its status is taken. Else a process of its own
asks (port.py): port and lock are free again when it ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from homesim import run, status
from homesim.config import Modem, Paths
from homesim.diagnosis import REGISTRATIONS, STALE, full, memories, network
from homesim.errors import TryAgain
from homesim.incident import in_vain
from homesim.pin import SPARED, refused, tries_left
from homesim.port import REGISTERED
from homesim.spool import Spool
from homesim.troubles import Finding, bad, good, unseen
from homesim.wire import Wire, value

LIMIT = 9.0  # seconds: a run that begins meanwhile waits 10
ANSWER = 5.0  # seconds for each command
WEAK = 10  # percent

# TS 27.007 7.2 <stat>, in libgammu's words, which the status has too.
_STATES = {
    "0": "NoNetwork",
    "2": "RequestingNetwork",
    "3": "RegistrationDenied",
    "4": "Unknown",
    "5": "RoamingNetwork",
    "7": "RoamingNetwork",
    "10": "RoamingNetwork",
}

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
    run.Turn(runs, modem.name)  # what it may raise, it shall raise here; a lock is not for the processes forked later
    try:
        said = run.apart(lambda: _ask(modem.device, run.Turn(runs, modem.name)), modem.device, LIMIT)
    except TryAgain as error:
        return {"problem": str(error)}
    return said or status.read(runs, modem.name) | {"busy": True}


def _ask(device: str, turn: run.Turn) -> Said:
    """All that there is to say, {} when the modem's lock is not free."""
    if not turn.take(wait=0):
        return {}
    wire = Wire(device, str)

    def ask(command: str) -> str:
        lines = wire.command(f"AT{command}", ANSWER)
        return value(lines, command.rstrip("?") + ":") or (lines[-1] if lines[-1] != "OK" else "")

    wire.command("AT", ANSWER)
    wire.command("AT+CMEE=1", ANSWER)  # errors by number, as poll wants them too
    tries = tries_left(lambda command: wire.command(command, ANSWER))
    return {"sim": ask("+CPIN?"), "tries": tries} | _network(ask) | _memories(ask("+CPMS?"))


def _network(ask: Callable[[str], str]) -> Said:
    """TS 27.007 7.2, 7.3, 8.5."""
    found = [re.findall(r"\d+", ask(f"+{name}?")) for name in ("CREG", "CGREG", "CEREG")]
    states = [numbers[1] for numbers in found if len(numbers) > 1]
    state = next((state for state in states if state in REGISTERED), states[0] if states else "")
    operator = re.search(r'"(.*?)"', ask("+COPS?"))
    signal = re.match(r"\d+", ask("+CSQ"))
    level = int(signal[0]) if signal else 99
    return {
        "registration": _STATES.get(state, "HomeNetwork" if state in REGISTERED else ""),
        "operator": operator[1] if operator else "",
        "signal": None if level > 31 else round(level * 100 / 31),
    }


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
    source = "as homesim-poll saw it: a run is at work" if said.get("busy") else ""
    if said.get("busy") and (age := status.boottime() - said.get("answered_boottime", 0)) > STALE:
        heard = f"for {ago(age)}" if "answered_boottime" in said else "since the Pi started"
        yield bad(silent, reason=f"{modem.device}: has not answered homesim-poll {heard}")
        return
    yield good("answer", source or "it answers")
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
    if registration not in ("HomeNetwork", "RoamingNetwork"):
        return bad("no-network", registration=words) if words else unseen("network", "the stick does not say")
    if signal is not None and signal < WEAK:
        return bad("weak-signal", signal=signal)
    return good("network", network(said))


def _stored(said: Said) -> Iterator[Finding]:
    counts = memories(said)
    where = f"; new ones go to {said['receives']}" if said.get("receives") else ""
    if hidden := said.get("hidden"):
        yield bad("hidden", count=hidden)
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
