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
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homesim.health import alert
from homesim.health.diagnosis import Fault
from homesim.process import boottime
from homesim.store.spool import Entry, Spool

STATE, LATELY = "incident", "lately"
DAY = 86400.0
YEAR = 366 * DAY  # no age by the wall clock is believed beyond this: it jumped
BACK_OFF, MOST = 600.0, 3600.0  # seconds of peace after the whole ladder was climbed in vain, doubled each time
HOLD = (0.0, 6 * 3600.0, DAY)  # seconds well until one is over: the first in a day, the second, any other
HAND = "hand"  # in `needs`: that no reset helps, and a person must


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
    begun: bool = False  # the last step, and what came of it is not known
    vain: bool = False  # the last step did not help, as the stick itself said after it
    usb: str = ""  # place and devnum of the stick, as they were when it began or after the last step
    well: float = -1.0  # when it became well, by CLOCK_BOOTTIME; -1: it is ill
    earlier: int = 0  # of LATELY when it began
    times: int = 1  # that it became ill

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return (boottime() if self.well < 0 else self.well) - self.since

    @property
    def hold(self) -> float:
        """Seconds that it must have been well to be over."""
        return HOLD[min(self.earlier + self.times, len(HOLD)) - 1]

    def climbed(self) -> Incident:
        """The whole ladder did not help: peace for a while, then again."""
        pause = min(MOST, BACK_OFF * 2 ** min(self.rounds, 9))  # a float ends at 2**1024, which is six weeks
        return replace(self, step=0, vain=True, rounds=self.rounds + 1, not_before=boottime() + pause)


def begin(fault: Fault, age: float, stored: int, *, earlier: int = 0, usb: str = "") -> Incident:
    return Incident(fault.what, time.time() - age, _boot(), boottime() - age, stored=stored, earlier=earlier, usb=usb)


def lately(spool: Spool) -> list[float]:
    """When those incidents ended that were told, in seconds since the epoch; of a day."""
    ended = spool.state(LATELY).get("ended")
    times = [at for at in ended if isinstance(at, int | float)] if isinstance(ended, list) else []
    return [at for at in times if 0 <= time.time() - at < DAY]


def finish(spool: Spool) -> None:
    """Tell what a check that was killed had still to tell."""
    state = spool.state(STATE)
    text, name = state.pop("alert", None), state.pop("name", None)
    if isinstance(text, str) and isinstance(name, str):
        _put(spool, name, text)
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
    well = boottime() if incident.well >= 0 else -1.0
    age = time.time() - incident.began  # by the wall clock, which is all that there is
    since = boottime() - (age if 0 < age < YEAR else 0.0)
    return replace(incident, boot=_boot(), since=since, told=told, not_before=0.0, well=well)


def in_vain(spool: Spool) -> bool:
    """Whether an incident is under way in which the whole ladder was climbed."""
    known = load(spool)
    return known is not None and known.rounds > 0


def _sound(incident: Incident) -> bool:
    whole = (incident.checks, incident.step, incident.rounds, incident.stored, incident.earlier, incident.times)
    seconds = (incident.began, incident.since, incident.told, incident.not_before, incident.well)
    words = (incident.what, incident.boot, incident.usb, *incident.tried, *incident.needs)
    return (
        isinstance(incident.vain, bool)
        and isinstance(incident.begun, bool)
        and all(isinstance(number, int) and 0 <= number < 1e9 for number in whole)
        and all(isinstance(number, int | float) and abs(number) < 1e10 for number in seconds)
        and all(isinstance(word, str) for word in words)
    )


def save(spool: Spool, incident: Incident, text: str = "") -> None:
    state: dict[str, object] = asdict(incident)
    if text:
        _tell(spool, state, text)
    spool.set_state(STATE, state)


def over(spool: Spool, incident: Incident, waited: int, *, unread: int = 0, usb: str = "") -> None:
    """End it; `waited` SMS came in afterwards, in `unread` slots are more. `usb`: place and devnum of the stick now."""
    if incident.told >= 0:
        spool.set_state(LATELY, {"ended": [*lately(spool), time.time()]})
        helped = "" if incident.vain else alert.done(incident.tried)
        words = [
            alert.began(incident.what, boottime() - incident.since),
            alert.again(incident.times),
            helped,
            alert.well(incident.age, boottime() - incident.since - incident.age),
            "" if helped else alert.moved(incident.usb, usb),
            alert.waited(waited, unread) if incident.times == 1 else "",
        ]
        _tell(spool, {}, " ".join(filter(None, words)))
    spool.set_state(STATE, {})


def news(incident: Incident, faults: Sequence[Fault], alert_after: int) -> str:
    """What the owner is to be told now, "" when nothing."""
    if incident.checks < alert_after:
        return ""
    if incident.told < 0 or any(fault.kind not in incident.needs for fault in faults if not fault.reset):
        return _story(incident, faults)
    if incident.rounds and HAND not in incident.needs and any(fault.reset for fault in faults):
        return _story(incident, faults)
    if boottime() - incident.told >= DAY:
        return f"It is not over yet. {_story(incident, faults)}"
    return ""


def told(incident: Incident, faults: Sequence[Fault]) -> Incident:
    needs = {*incident.needs, *(fault.kind for fault in faults if not fault.reset)}
    if incident.rounds and any(fault.reset for fault in faults):
        needs.add(HAND)
    return replace(incident, told=boottime(), needs=tuple(sorted(needs)))


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


def _tell(spool: Spool, state: dict[str, object], text: str) -> None:
    """Keep the alert with the state that it belongs to, then hand it on."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ-%f}-alert"
    spool.set_state(STATE, {**state, "alert": text, "name": name})
    _put(spool, name, text)


def _put(spool: Spool, name: str, text: str) -> None:
    if not spool.known(name):
        spool.put("new", Entry(name, alert=text, received=time.time()))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
