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

from homesim.health.faults import Fault
from homesim.process import boottime
from homesim.store import records
from homesim.store.entry import Entry
from homesim.store.spool import Spool

STATE, LATELY = "incident", "lately"
EVERY = 300.0  # seconds from one check to the next, in which `alert_after` counts; cron is a little early now and then:
EARLY = 20.0
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
    again: float = 0.0  # when it became ill again, like `since`; 0: it was not well in between
    step: int = 0  # of the ladder, the next one
    rounds: int = 0  # times that the whole ladder was climbed
    tried: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # keys of faults that the owner was told to mend
    stored: int = 0  # status.stored when it began
    begun: bool = False  # the last step, and what came of it is not known
    vain: bool = False  # the last step did not help, as the stick itself said after it
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

    def lasted(self, checks: int) -> bool:
        """Whether it is ill for so many checks, as they are when nobody calls for one."""
        ill = boottime() - max(self.since, self.again)
        return self.checks >= checks and ill >= (checks - 1) * EVERY - EARLY

    @property
    def unknown(self) -> bool:
        """Whether its owner has no reason to know of it: neither told, nor was anything done."""
        return self.told < 0 and not self.tried

    @property
    def long(self) -> bool:
        """Whether its owner was told of it, and that was a day ago."""
        return self.told >= 0 and boottime() - self.told >= DAY

    def news(self, faults: Sequence[Fault], alert_after: int) -> bool:
        """Whether the owner is to be told something of it now."""
        news = self.told < 0 or self.long or not _needs(self, faults) <= {*self.needs}
        return news and self.lasted(alert_after)

    def relapsed(self) -> Incident:
        return replace(self, well=-1.0, times=self.times + 1, checks=0, again=boottime())

    def now_told(self, faults: Sequence[Fault]) -> Incident:
        return replace(self, told=boottime(), needs=tuple(sorted(_needs(self, faults).union(self.needs))))

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


def begin(fault: Fault, age: float, stored: int, *, earlier: int = 0) -> Incident:
    return Incident(fault.what, time.time() - age, _boot(), boottime() - age, stored=stored, earlier=earlier)


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
    return replace(incident, boot=_boot(), since=since, told=told, not_before=0.0, well=well, again=0.0)


def save(spool: Spool, incident: Incident | None, text: str = "") -> None:
    """Keep it, with what is to be told if anything, then hand that on. None: it is over."""
    state = records.to(incident) if incident else {}
    if text:
        waiting = _Alert(text, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ-%f}-alert")
        spool.save(STATE, {**state, **records.to(waiting)})
        _put(spool, waiting)
    spool.save(STATE, state)


def over(spool: Spool, text: str = "") -> None:
    """It ends, with a word to the owner if he knows of it."""
    if text:
        spool.save(LATELY, _Ended((*ended_today(spool), time.time())))
    save(spool, None, text)


def _needs(incident: Incident, faults: Sequence[Fault]) -> set[str]:
    """What only a person can mend."""
    needs = {fault.key for fault in faults if not fault.reset}
    return needs | {HAND} if incident.rounds and any(fault.reset for fault in faults) else needs


def _put(spool: Spool, waiting: _Alert) -> None:
    if not spool.known(waiting.name):
        spool.put("new", Entry(waiting.name, alert=waiting.alert, received=time.time()))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
