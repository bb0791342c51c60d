# SPDX-License-Identifier: GPL-2.0-or-later
"""Would an SMS arrive? Each station of its way with a verdict and a sentence, from what is known already. Pure.

"AT OK is not health": a stick that answers and is not registered, or counts SMS that it does not list, is as
dead as a silent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from homesim.health.evidence import Evidence
from homesim.health.faults import FAULTS, Finding, bad, good, unseen
from homesim.stick.driver import Registration
from homesim.stick.sim import SPARED
from homesim.stick.status import SEARCH

STALE = 150.0  # seconds: two runs of poll have ended without an answer
ENDLESS = 240  # seconds that a call may ring; poll has tried to end it since 90
OLD = 300.0  # seconds that an entry may wait for Telegram
WEAK = 10  # percent


def diagnose(seen: Evidence) -> Sequence[Finding]:
    """The stations, cheapest first. What lies behind a fault is left out: what is known of it is old."""
    found = [*on_bus(seen)]
    if not found[-1].fault:
        found += behind_port(seen)
    return [*found, _power(seen), *spool(seen)]


def on_bus(seen: Evidence) -> Sequence[Finding]:
    """The stick, and behind it its port."""
    stick = _stick(seen)
    return [stick] if stick.fault or seen.page else [stick, _port(seen)]


def behind_port(seen: Evidence) -> Sequence[Finding]:
    """What the stick says, or has said to poll."""
    answer = _answer(seen)
    if answer.fault or seen.status.answered_boottime is None:
        return [answer]
    sim = _sim(seen)
    closed = seen.status.sim not in ("READY", "")
    return [answer, sim] if closed else [answer, sim, _network(seen), _call(seen), _memory(seen)]


def last_run(seen: Evidence) -> Finding:
    """When homesim-poll was here."""
    idle = seen.age(seen.status.updated_boottime)
    if idle > STALE:
        return bad("poll", idle, ago=ago(idle))
    if seen.status.updated_boottime is None:
        return unseen("last run", f"none yet, {ago(idle)} after the start")
    return good("last run", f"{ago(idle)} ago")


def spool(seen: Evidence) -> Sequence[Finding]:
    """What waits for Telegram, and what it refused."""
    found = []
    if seen.oldest > OLD:
        reason = f"; {seen.status.telegram}" if seen.status.telegram else ""
        found.append(bad("waiting", seen.oldest, count=seen.waiting, ago=ago(seen.oldest), reason=reason))
    if seen.refused:
        found.append(bad("refused", count=seen.refused, folder=seen.failed))
    parts = f", {seen.parts} parts of long ones" if seen.parts else ""
    return found or [good("spool", f"{seen.waiting} SMS wait{parts}")]


def _bad(seen: Evidence, key: str, age: float = 0.0, **names: object) -> Finding:
    """A fault of the stick's. What the owner was told when no reset had helped is the cure then."""
    finding = bad(key, age, modem=seen.modem, device=seen.device, **names)
    if seen.in_vain and FAULTS[key].reset:
        return replace(finding, says=f"{finding.says}; no reset has helped", cure=FAULTS[key].hand)
    return finding


def _stick(seen: Evidence) -> Finding:
    stick = seen.stick
    if seen.candidates:
        sticks = ", ".join(f"{each.ids} at {each.place}, {each.mode}" for each in seen.candidates)
        return _bad(seen, "several" if len(seen.candidates) > 1 else "unknown", sticks=sticks)
    if seen.page:
        return unseen("stick", f"it is asked by its web page, {seen.device}")
    if stick is None and seen.port:  # as a HAT's
        return unseen("stick", "its port is not on USB")
    if stick is None:
        return _bad(seen, "absent")
    key = "" if stick.mode == "serial" else stick.mode
    if not key and not stick.ttys and not seen.port:
        key = "dead" if seen.dead else "no-port"
    if key:
        return _bad(seen, key, ids=stick.ids, place=stick.place)
    return good("stick", f"{stick.ids} at USB {stick.place}, {stick.mode}: {', '.join(stick.ttys)}")


def _port(seen: Evidence) -> Finding:
    if seen.port or not seen.stick:
        return good("port", f"{seen.device} is there")
    return _bad(seen, "no-link", ttys=", ".join(seen.stick.ttys))


def _answer(seen: Evidence) -> Finding:
    """The stick's own, or when poll last saw its SMS, which takes the port, libgammu and the SIM."""
    status, age = seen.status, seen.age(seen.status.answered_boottime)
    key = status.fault if status.fault in FAULTS else "silent"
    if age <= STALE and not (status.error if seen.asked else seen.bad_news):
        if status.answered_boottime is None:
            return unseen("answer", f"none yet, {ago(age)} after the start")
        reader = f"; its SMS are read by {status.reader}" if status.reader else ""
        return good("answer", ("it answers" if seen.asked else f"homesim-poll had one {ago(age)} ago") + reader)
    if not seen.asked and (run := last_run(seen)).fault:
        return replace(run, age=age)
    reason = status.error if seen.asked else f"{status.error or seen.device}, for {ago(age)}"
    names = {"reason": reason, "sim": status.sim, "program": "another program", "pid": "PID"}
    return _bad(seen, key, age, **names)


def _sim(seen: Evidence) -> Finding:
    """TS 27.007 8.3, 9.2.1."""
    sim, tries = seen.status.sim, seen.status.tries
    if sim in ("READY", ""):
        return good("SIM", "ready") if sim else unseen("SIM", "the stick does not say")
    if sim == "SIM PUK":
        return _bad(seen, "puk")
    if sim != "SIM PIN":
        return _bad(seen, "no-sim", sim=sim)
    if not seen.pin:
        return _bad(seen, "pin")
    if seen.pin_refused:
        return _bad(seen, "wrong-pin")
    if tries is not None and tries <= SPARED:
        return _bad(seen, "last-tries")
    return good("SIM", "homesim-poll will enter its PIN")


def _network(seen: Evidence) -> Finding:
    status = seen.status
    if status.registration is Registration.UNKNOWN:
        return unseen("network", "the stick does not say")
    if not status.registration.registered:
        since = status.unregistered_boottime
        lost = seen.age(since) if since is not None and not seen.asked else SEARCH
        if lost < SEARCH:
            return unseen("network", f"{status.registration}, for {ago(lost)}")
        return _bad(seen, "unregistered", lost, registration=status.registration)
    if status.signal is not None and status.signal < WEAK:
        return _bad(seen, "weak-signal", signal=status.signal)
    return good("network", status.network)


def _call(seen: Evidence) -> Finding:
    """Poll rejects one that rings for too long; on some sticks no SMS arrives as long as it rings."""
    if seen.status.call > ENDLESS:
        return _bad(seen, "call", ago=ago(seen.status.call))
    return good("call", f"rings for {seen.status.call} s" if seen.status.call else "none")


def _memory(seen: Evidence) -> Finding:
    status = seen.status
    if status.hidden:
        return _bad(seen, "hidden", count=status.hidden)
    if full := [name for name, memory in status.memories.items() if memory.full]:
        return _bad(seen, "full", memories=" and ".join(full))
    if status.stuck:
        return _bad(seen, "stuck", count=status.stuck)
    if not status.memories:
        return unseen("memory", "the stick does not say how many SMS it holds")
    counts = ", ".join(f"{name} {memory.used} of {memory.size}" for name, memory in status.memories.items())
    return good("memory", counts + (f"; new ones go to {status.receives}" if status.receives else ""))


def _power(seen: Evidence) -> Finding:
    return bad("voltage") if seen.low_voltage else good("power", "no under-voltage now")


def ago(seconds: float) -> str:
    """A time that has passed, as a person says it."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
