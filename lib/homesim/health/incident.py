# SPDX-License-Identifier: GPL-2.0-or-later
"""An incident: from the first unhealthy check until it is well, and when its owner is told of it.

    incident       in the spool: what happened, what was tried, what was told. No file, no incident
    lately         when those ended that were told, for a day

The first one of a day is over with the first healthy check. A stick that comes and goes has one story: the next ones
are over when it has been well for hours, and what happens until then belongs to them.

Ages are by CLOCK_BOOTTIME, which never jumps, as long as it is still the boot that they began in. An alert is
first kept in that file, together with the change that it tells, and then put into new/: a kill in between
neither loses nor repeats it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from homesim.health import alert
from homesim.health.faults import Fault
from homesim.process import boottime
from homesim.store import records
from homesim.store.entry import Entry
from homesim.store.spool import Spool

STATE, LATELY = "incident", "lately"
DAY = 86400.0
YEAR = 366 * DAY  # no age is believed beyond this: a clock jumped, or the file is damaged
BACK_OFF, MOST = 600.0, 3600.0  # seconds of peace after the whole ladder was climbed in vain, doubled each time
HOLD = (0.0, 6 * 3600.0, DAY)  # seconds well until one is over: the first in a day, the second, any other
HAND = "hand"  # in `needs`: that no reset helps, and a person must


@dataclass(frozen=True)
class Incident:
    what: str  # the fault's
    began: float  # seconds since the epoch
    boot: str  # the kernel's boot_id, in which these are seconds by CLOCK_BOOTTIME:
    since: float  # when it began
    told: float = -1.0  # when the owner was last told; -1: not yet
    not_before: float = 0.0  # no step before
    checks: int = 0  # unhealthy ones in a row
    step: int = 0  # of the ladder, the next one
    rounds: int = 0  # times that the whole ladder was climbed
    tried: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # keys of faults that the owner was told to mend
    stored: int = 0  # status.stored when it began
    begun: bool = False  # the last step, and what came of it is not known
    vain: bool = False  # the last step did not help, as the stick itself said after it
    usb: str = ""  # place and devnum of the stick, as they were when it began or after the last step
    well: float = -1.0  # when it became well, by CLOCK_BOOTTIME; -1: it is ill
    earlier: int = 0  # of LATELY when it began
    times: int = 1  # that it became ill

    @property
    def ago(self) -> float:
        """Seconds since it began."""
        return min(max(0.0, boottime() - self.since), YEAR)

    @property
    def age(self) -> float:
        """Seconds that it was ill, until now if it is."""
        return self.ago if self.well < 0 else min(max(0.0, self.well - self.since), YEAR)

    @property
    def hold(self) -> float:
        """Seconds that it must have been well to be over."""
        return HOLD[min(max(1, self.earlier + self.times), len(HOLD)) - 1]

    @property
    def rests(self) -> bool:
        return 0 < self.not_before - boottime() <= MOST

    def climbed(self) -> Incident:
        """The whole ladder did not help: peace for a while, then again."""
        pause = min(MOST, BACK_OFF * 2 ** min(self.rounds, 9))  # a float ends at 2**1024, which is six weeks
        return replace(self, step=0, vain=True, rounds=self.rounds + 1, not_before=boottime() + pause)


@dataclass(frozen=True)
class _Alert:
    """What is to be told, in the same file as what it tells of."""

    alert: str
    name: str


@dataclass(frozen=True)
class _Ended:
    ended: tuple[float, ...] = ()  # seconds since the epoch


def begin(fault: Fault, age: float, stored: int, *, earlier: int = 0, usb: str = "") -> Incident:
    return Incident(fault.what, time.time() - age, _boot(), boottime() - age, stored=stored, earlier=earlier, usb=usb)


def ended_today(spool: Spool) -> list[float]:
    """When those incidents ended that were told, in seconds since the epoch; of a day."""
    known = spool.load(_Ended, LATELY) or _Ended()
    return [at for at in known.ended if 0 <= time.time() - at < DAY]


def finish(spool: Spool) -> None:
    """Tell what a check that was killed had still to tell."""
    if waiting := spool.load(_Alert, STATE):
        _put(spool, waiting)
        spool.save(STATE, spool.load(Incident, STATE) or {})


def load(spool: Spool) -> Incident | None:
    """The incident under way, None when there is none, or what is kept of it is damaged."""
    incident = spool.load(Incident, STATE)
    if incident is None or incident.boot == _boot():
        return incident
    told = boottime() if incident.told >= 0 else -1.0
    well = boottime() if incident.well >= 0 else -1.0
    age = time.time() - incident.began  # by the wall clock, which is all that there is
    since = boottime() - (age if 0 < age < YEAR else 0.0)
    return replace(incident, boot=_boot(), since=since, told=told, not_before=0.0, well=well)


def in_vain(spool: Spool) -> bool:
    """Whether an incident is under way in which the whole ladder was climbed."""
    known = load(spool)
    return known is not None and known.rounds > 0


def save(spool: Spool, incident: Incident, text: str = "") -> None:
    _keep(spool, records.to(incident), text)


def over(spool: Spool, incident: Incident, waited: int, *, unread: int = 0, usb: str = "") -> None:
    """End it; `waited` SMS came in afterwards, in `unread` slots are more. `usb`: place and devnum of the stick now."""
    if incident.told >= 0:
        spool.save(LATELY, _Ended((*ended_today(spool), time.time())))
        helped = "" if incident.vain else alert.done(incident.tried)
        words = [
            alert.began(incident.what, incident.ago),
            alert.again(incident.times),
            helped,
            alert.well(incident.age, incident.ago - incident.age),
            "" if helped else alert.moved(incident.usb, usb),
            alert.waited(waited, unread) if incident.times == 1 else "",
        ]
        _keep(spool, {}, " ".join(filter(None, words)))
    spool.save(STATE, {})


def news(incident: Incident, faults: Sequence[Fault], alert_after: int) -> str:
    """What the owner is to be told now, "" when nothing."""
    if incident.checks < alert_after:
        return ""
    if incident.told < 0 or _needs(incident, faults) - {*incident.needs}:
        return _story(incident, faults)
    if boottime() - incident.told >= DAY:
        return f"It is not over yet. {_story(incident, faults)}"
    return ""


def told(incident: Incident, faults: Sequence[Fault]) -> Incident:
    needs = _needs(incident, faults).union(incident.needs)
    return replace(incident, told=boottime(), needs=tuple(sorted(needs)))


def _needs(incident: Incident, faults: Sequence[Fault]) -> set[str]:
    """What only a person can mend."""
    needs = {fault.key for fault in faults if not fault.reset}
    return needs | {HAND} if incident.rounds and any(fault.reset for fault in faults) else needs


def _story(incident: Incident, faults: Sequence[Fault]) -> str:
    """What is told of one that is not over."""
    curable = [fault for fault in faults if fault.reset]
    in_vain = bool(curable and incident.rounds)
    others = [f"{fault.what}." for fault in faults if fault.what != incident.what]
    tried = alert.in_vain(incident.tried, curable[0].hand) if in_vain else alert.done(incident.tried)
    trying = "I am trying to bring it back." if curable and not in_vain else ""
    todo = [f"{fault.todo}." for fault in faults if fault.todo and not (in_vain and fault.reset)]
    began = alert.began(incident.what, incident.age)
    return " ".join(filter(None, [began, *others, tried, trying, *todo, alert.held(incident.hold)]))


def _keep(spool: Spool, state: dict[str, object], text: str) -> None:
    """Keep an alert, if any, with the state that it belongs to, then hand it on."""
    if not text:
        spool.save(STATE, state)
        return
    waiting = _Alert(text, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ-%f}-alert")
    spool.save(STATE, {**state, **records.to(waiting)})
    _put(spool, waiting)


def _put(spool: Spool, waiting: _Alert) -> None:
    if not spool.known(waiting.name):
        spool.put("new", Entry(waiting.name, alert=waiting.alert, received=time.time()))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
