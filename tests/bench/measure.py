# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmark measures, each on a fresh emulated stick and a fresh stand-in for Telegram.

All clocks are time.monotonic() of this process, which holds the stick and the stand-in: an SMS arrives when
Stick.deliver is called and is accepted when the stand-in puts it into the chat. Each carries a serial number.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pdus
from bench.systems import MINUTE, Family, Place, System, each
from emulators.botapi.server import BotApi
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Stick
from rig import now

PROFILE, LATENCY = "E3372", 0.02
SIM = 50  # slots of its SIM
SAMPLE = 0.25  # seconds between two looks at the resident memory
PROBES = 0.3, 0.8  # seconds after cron's tick at which an SMS arrives in any case: the hand-over
CALLS = 3  # in a period: each 20 s of cron's minute
PATIENCE = 60.0  # seconds after the last arrival until what is not there is lost
SEED = 2
SETTLED = 2.0  # seconds after the first question for SMS: it has found none, and rests
AT_ONCE = 5  # daemons that wait for their first SMS: they do nothing else, and cron's homesim goes alone


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    period: float  # cron's minute, seconds
    messages: int
    minutes: float  # periods over which they arrive
    idle: float  # seconds without an SMS
    first: int  # SMS, each the first of a run
    drain: int
    backlog: int
    warm_up: float = 3.0  # seconds that a daemon gets after its first look at the memories
    grace: float = 3.0  # seconds in which a repeat may still come


FULL = Extent(MINUTE, messages=25, minutes=1.0, idle=MINUTE, first=20, drain=SIM, backlog=300)
QUICK = Extent(6, messages=6, minutes=0.3, idle=2, first=2, drain=6, backlog=60, warm_up=1, grace=1)
"""A smoke test: too little to judge any speed."""


@dataclass(frozen=True)
class Idle:
    cpu: float  # seconds a minute
    resident: float  # MiB


@dataclass(frozen=True)
class Arrivals:
    latencies: tuple[float, ...]  # seconds, of what arrived, sorted
    lost: int
    repeated: int
    resident: float  # MiB, the most that was seen at an arrival
    failures: tuple[int, ...]  # exit codes other than 0

    def percentile(self, share: float) -> float:
        """The nearest rank; infinite where so many were lost."""
        rank = max(0, round(share * (len(self.latencies) + self.lost)) - 1)
        return self.latencies[rank] if rank < len(self.latencies) else float("inf")


@dataclass(frozen=True)
class Backlog:
    seconds: float
    messages: int


@dataclass(frozen=True)
class Result:
    system: System
    idle: Idle
    arrivals: Arrivals
    first: Arrivals
    drain: float | None  # seconds, infinite: not all came within PATIENCE; None: not measured
    own: float  # of one core, what stick, stand-in and measuring took while SMS arrived
    backlog: Backlog | None = None
    with_calls: Arrivals | None = None


class Lab:
    """A stick on a port, a stand-in, a folder."""

    def __init__(self, folder: Path, api: BotApi) -> None:
        self.stick = Stick(PROFILE, latency=LATENCY)
        self.api = api
        self.place = Place(folder, folder / "sms", api)

    def serials(self) -> Counter[int]:
        """How often each serial number is in the chat."""
        return Counter(int(serial) for serial in re.findall(r"\[serial (\d+)\]", self.api.text()))

    def accepted(self) -> dict[int, float]:
        """When each was accepted for the first time."""
        times: dict[int, float] = {}
        for sent in list(self.api.sent):
            for serial in re.findall(r"\[serial (\d+)\]", sent.text):
                times.setdefault(int(serial), sent.time)
        return times

    def wait_for(self, count: int, timeout: float) -> bool:
        """Whether serials 0 to `count` - 1 are all in the chat within `timeout` seconds."""
        try:
            self.api.wait_for(lambda _: len(self.serials()) >= count, timeout)
        except AssertionError:
            return False
        return True


@contextlib.contextmanager
def lab(*, rate: bool = False) -> Iterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="homesim-bench-") as name, BotApi(rate=rate) as api:
        place = Lab(Path(name), api)
        with PtyPort(place.stick, place.place.port):
            yield place


def sms(serial: int) -> str:
    """A plain SMS of today; it holds no code, which would go out alone."""
    return pdus.deliver(f"[serial {serial}] Your parcel is on its way and comes between noon and evening.", time=now())


def measure(system: System, extent: Extent) -> Result:
    """Start, wait without SMS, let them arrive; then on other sticks the first SMS of a run, and a full SIM."""
    with lab() as here, system.running(here.place) as family:
        if system.every is None:
            _looked(here)
            time.sleep(extent.warm_up)
            idle = _idle(family, time.monotonic(), extent.idle)
        else:
            idle = _idle(family, family.started, system.every)  # with the interpreter's start
        before = time.process_time(), time.monotonic()
        arrivals = _arrivals(here, family, extent)
        own = (time.process_time() - before[0]) / (time.monotonic() - before[1])
    slow = extent is QUICK and system.every is None
    first = measure_first(system, extent.first)
    return Result(system, idle, arrivals, first, None if slow else _drain(system, extent.drain), own)


def _looked(here: Lab) -> None:
    here.stick.wait_for(lambda stick: any("+CPMS" in c.text for c in stick.commands), timeout=PATIENCE)


def measure_first(system: System, count: int) -> Arrivals:
    """What people have, one SMS now and then: it comes to a run that has found nothing yet, at any moment between two
    looks. Each on a stick of its own.
    """
    dice = random.Random(SEED)
    moments = [dice.uniform(0, system.look) for _ in range(count)]
    with ThreadPoolExecutor(AT_ONCE if system.every is None else 1) as pool:
        alone = list(pool.map(partial(_first, system), moments))
    return Arrivals(
        latencies=tuple(sorted(latency for one in alone for latency in one.latencies)),
        lost=sum(one.lost for one in alone),
        repeated=sum(one.repeated for one in alone),
        resident=max(one.resident for one in alone),
        failures=tuple(code for one in alone for code in one.failures),
    )


def _first(system: System, moment: float) -> Arrivals:
    with lab() as here, system.running(here.place) as family:
        _looked(here)
        time.sleep(SETTLED + moment)
        return _deliver(here, family, [0.0], grace=0)


def measure_calls(system: System, extent: Extent) -> Arrivals:
    """The same arrivals again, from a tick of cron's on, while calls come in, each of another number."""
    with lab() as here, system.running(here.place) as family:
        time.sleep(max(0.0, family.started + extent.period - time.monotonic()))
        numbers = itertools.count(1)
        with each(extent.period / CALLS, time.monotonic(), lambda: here.stick.call(f"+4930{100000 + next(numbers)}")):
            return _arrivals(here, family, extent)


def _idle(family: Family, begin: float, seconds: float) -> Idle:
    """Until `seconds` after `begin`, which is now or the start of the system."""
    before = 0.0 if begin == family.started else family.cpu()
    resident = 0.0
    while (rest := begin + seconds - time.monotonic()) > 0:
        resident = max(resident, family.resident())
        time.sleep(min(rest, SAMPLE))
    return Idle((family.cpu() - before) * MINUTE / seconds, resident)


def schedule(extent: Extent) -> list[float]:
    """Seconds from now at which SMS arrive: at each tick of cron's the probes, else at random."""
    span = extent.minutes * extent.period
    ticks = [index * extent.period for index in range(int(extent.minutes) + 1)]
    probes = [tick + probe for tick in ticks for probe in PROBES][: extent.messages]
    dice = random.Random(SEED)
    return sorted(probes + [dice.uniform(0, span) for _ in range(extent.messages - len(probes))])


def _arrivals(here: Lab, family: Family, extent: Extent) -> Arrivals:
    return _deliver(here, family, schedule(extent), extent.grace)


def _deliver(here: Lab, family: Family, offsets: Sequence[float], grace: float) -> Arrivals:
    """SMS at these seconds from now, and what comes of them; `grace`: in which a repeat may still come."""
    begin = time.monotonic()
    arrived: list[float] = []
    resident = 0.0
    for serial, offset in enumerate(offsets):
        time.sleep(max(0.0, begin + offset - time.monotonic()))
        arrived.append(time.monotonic())
        here.stick.deliver(sms(serial))
        resident = max(resident, family.resident())
    here.wait_for(len(arrived), PATIENCE)
    time.sleep(grace)
    accepted = here.accepted()
    return Arrivals(
        latencies=tuple(sorted(accepted[serial] - arrived[serial] for serial in accepted)),
        lost=len(arrived) - len(accepted),
        repeated=sum(count - 1 for count in here.serials().values()),
        resident=resident,
        failures=tuple(family.failures()),
    )


def _drain(system: System, count: int) -> float:
    """Seconds from the start of the system to the last of `count` SMS that lie on the SIM."""
    with lab() as here:
        for serial in range(count):
            here.stick.store("SM", None, sms(serial))
        with system.running(here.place) as family:
            if not here.wait_for(count, PATIENCE):
                return float("inf")
            return max(here.accepted().values()) - family.started


def measure_backlog(system: System, count: int) -> Backlog:
    """From the moment that Telegram is back to the last of `count` SMS, with Telegram's limit of one a second.

    They get into the spool through the stick, which this time answers at once, while Telegram is down. The runs
    that did this are killed; cron starts the next one when Telegram is back.
    """
    with lab(rate=True) as here:
        here.api.down()
        here.stick.latency = 0.0
        with system.running(here.place):
            for serial in range(count):
                here.stick.deliver(sms(serial))
            here.stick.wait_for(lambda stick: not stick.stored() and not stick.waiting(), timeout=PATIENCE)
        here.stick.latency = LATENCY
        here.api.up()
        with system.running(here.place) as family:
            if not here.wait_for(count, 5 * PATIENCE):
                raise RuntimeError(f"{len(here.serials())} of {count} SMS of the backlog came; {family.said()}")
            return Backlog(max(here.accepted().values()) - family.started, len(here.api.sent))


def run(systems: Sequence[System], extent: Extent) -> Iterator[Result | System]:
    """One after another; the bare system where it is not installed. The first is homesim."""
    for system in systems:
        if not system.installed():
            yield system
            continue
        result = measure(system, extent)
        if system is systems[0]:
            backlog = measure_backlog(system, extent.backlog)
            result = replace(result, backlog=backlog, with_calls=measure_calls(system, extent))
        yield result
