# SPDX-License-Identifier: GPL-2.0-or-later
"""An incident: from the first unhealthy check to the next healthy one, and what its owner is told of it.

    incident       in the spool: what happened, what was tried, what was told. No file, no incident

Ages are by CLOCK_BOOTTIME, which never jumps, as long as it is still the boot that they began in. An alert is
first kept in that file, together with the change that it tells, and then put into new/: a kill in between
neither loses nor repeats it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homesim.diagnosis import Fault
from homesim.spool import Entry, Spool
from homesim.status import boottime

STATE = "incident"
DAY = 86400.0
YEAR = 366 * DAY  # no age by the wall clock is believed beyond this: it jumped
BACK_OFF, MOST = 600.0, 3600.0  # seconds of peace after the whole ladder was climbed in vain, doubled each time
_DID = {
    "radio": "switched its radio off and on",
    "replay": "had the system look at it anew",
    "authorize": "reset it",
    "bind": "reset it",
    "power": "cut its power",
    "reboot": "rebooted the Raspberry Pi",
}
_TIMES = ("", "", " twice")


@dataclass(frozen=True)
class Incident:
    what: str  # FAULTS' sentence
    began: float  # seconds since the epoch
    boot: str  # the kernel's boot_id, in which these are seconds by CLOCK_BOOTTIME:
    since: float  # when it began
    told: float = -1.0  # when the owner was last told; -1: not yet
    not_before: float = 0.0  # no step before
    checks: int = 0  # unhealthy ones in a row
    step: int = 0  # of the ladder, the next one
    rounds: int = 0  # times that the whole ladder was climbed
    tried: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # kinds of faults that the owner was told to mend
    stored: int = 0  # status.stored when it began

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return boottime() - self.since

    def climbed(self) -> Incident:
        """The whole ladder did not help: peace for a while, then again."""
        pause = min(MOST, BACK_OFF * 2 ** min(self.rounds, 9))  # a float ends at 2**1024, which is six weeks
        return replace(self, step=0, rounds=self.rounds + 1, not_before=boottime() + pause)


def begin(fault: Fault, age: float, stored: int) -> Incident:
    return Incident(fault.what, time.time() - age, _boot(), boottime() - age, stored=stored)


def finish(spool: Spool) -> None:
    """Tell what a check that was killed had still to tell."""
    state = spool.state(STATE)
    alert, name = state.pop("alert", None), state.pop("name", None)
    if isinstance(alert, str) and isinstance(name, str):
        _put(spool, name, alert)
        spool.set_state(STATE, state)


def load(spool: Spool) -> Incident | None:
    """The incident under way, None when there is none, or what is kept of it is damaged."""
    state = spool.state(STATE)
    try:
        fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in state.items()}
        incident = Incident(**fields)
        if not _sound(incident):
            return None
    except TypeError:
        return None
    if incident.boot == _boot():
        return incident
    told = boottime() if incident.told >= 0 else -1.0
    age = time.time() - incident.began  # by the wall clock, which is all that there is
    since = boottime() - (age if 0 < age < YEAR else 0.0)
    return replace(incident, boot=_boot(), since=since, told=told, not_before=0.0)


def _sound(incident: Incident) -> bool:
    whole = (incident.checks, incident.step, incident.rounds, incident.stored)
    seconds = (incident.began, incident.since, incident.told, incident.not_before)
    words = (incident.what, incident.boot, *incident.tried, *incident.needs)
    return (
        all(isinstance(number, int) and 0 <= number < 1e9 for number in whole)
        and all(isinstance(number, int | float) and abs(number) < 1e10 for number in seconds)
        and all(isinstance(word, str) for word in words)
    )


def save(spool: Spool, incident: Incident, alert: str = "") -> None:
    state: dict[str, object] = asdict(incident)
    if alert:
        _tell(spool, state, alert)
    spool.set_state(STATE, state)


def over(spool: Spool, incident: Incident, waited: int) -> None:
    """End it; `waited` SMS came in afterwards."""
    if incident.told >= 0:
        _tell(spool, {}, _ended(incident, waited))
    spool.set_state(STATE, {})


def news(incident: Incident, faults: Sequence[Fault], alert_after: int) -> str:
    """What the owner is to be told now, "" when nothing."""
    if incident.checks < alert_after:
        return ""
    if incident.told < 0 or any(fault.kind not in incident.needs for fault in faults if not fault.reset):
        return _story(incident, faults)
    if boottime() - incident.told >= DAY:
        return f"It is not over yet. {_story(incident, faults)}"
    return ""


def told(incident: Incident, faults: Sequence[Fault]) -> Incident:
    needs = {*incident.needs, *(fault.kind for fault in faults if not fault.reset)}
    return replace(incident, told=boottime(), needs=tuple(sorted(needs)))


def _tell(spool: Spool, state: dict[str, object], alert: str) -> None:
    """Keep the alert with the state that it belongs to, then hand it on."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ-%f}-alert"
    spool.set_state(STATE, {**state, "alert": alert, "name": name})
    _put(spool, name, alert)


def _put(spool: Spool, name: str, alert: str) -> None:
    if not spool.known(name):
        spool.put("new", Entry(name, alert=alert, received=time.time()))


def _story(incident: Incident, faults: Sequence[Fault]) -> str:
    others = [f"{fault.what}." for fault in faults if fault.what != incident.what]
    trying = "I am trying to bring it back." if any(fault.reset for fault in faults) else ""
    todo = [f"{fault.todo}." for fault in faults if fault.todo]
    return " ".join(filter(None, [_began(incident), *others, _done(incident), trying, *todo]))


def _began(incident: Incident) -> str:
    return f"{incident.what} {_clock(time.time() - incident.age)}."  # the clock may have been set since


def _done(incident: Incident) -> str:
    counted = Counter(_DID[step] for step in incident.tried if step in _DID)
    parts = [f"{did}{_TIMES[n] if n < len(_TIMES) else f' {n} times'}" for did, n in counted.items()]
    return f"I {' and '.join(parts)}." if parts else ""


def _ended(incident: Incident, waited: int) -> str:
    minutes = max(1, round(incident.age / 60))
    lasted = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} hours"
    sms = f"{waited} SMS had waited." if waited else ""
    well = f"All is well again since {_clock(time.time()).removeprefix('at ')}, after {lasted}."
    return " ".join(filter(None, [_began(incident), _done(incident), well, sms]))


def _clock(at: float) -> str:
    """A time of day, with its date when that is another one."""
    when = datetime.fromtimestamp(at).astimezone()
    today = when.date() == datetime.now().date()
    return f"at {when:%H:%M}" if today else f"on {when:%Y-%m-%d} at {when:%H:%M}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
