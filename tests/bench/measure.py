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
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pdus
from bench.systems import MINUTE, Family, Place, System, each
from emulators.botapi.server import BotApi
from emulators.botapi.tls import Tls
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Stick
from homesim.sms import message
from homesim.store.entry import Entry, content
from homesim.store.spool import Spool
from rig import now

PROFILE, LATENCY = "E3372", 0.02
SIM = 50  # slots of its SIM
SAMPLE = 0.25  # seconds between two looks at the resident memory
BEFORE = 5  # SMS
EARLY = 0.05  # seconds before cron's tick
PROBES = 0.3, 0.8  # seconds after cron's tick at which an SMS arrives in any case: the hand-over
ROUND_TRIP = 0.05  # seconds to Telegram and back, where it is behind TLS
FEW, MANY, SENDS = 400, 10_000, 9  # SMS that wait, and how many messages are sent of them: packed, of some 50 each
PARTS = 20_000  # of SMS that never become whole
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
    hand_overs: int  # over which they arrive
    hurried: float  # seconds from one of these to the next
    idle: float  # seconds without an SMS
    first: int  # SMS, each the first of a run
    far: int  # the same, by TLS
    drain: int
    backlog: int
    warm_up: float = 3.0  # seconds that a daemon gets after its first look at the memories
    grace: float = 3.0  # seconds in which a repeat may still come


FULL = Extent(MINUTE, messages=60, hand_overs=10, hurried=20, idle=MINUTE, first=20, far=10, drain=SIM, backlog=300)
QUICK = Extent(
    6, messages=6, hand_overs=1, hurried=3, idle=2, first=2, far=1, drain=6, backlog=60, warm_up=1, grace=1
)
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
    far: Arrivals
    drain: float | None  # seconds, infinite: not all came within PATIENCE; None: not measured
    own: float  # of one core, what stick, stand-in and measuring took while SMS arrived
    backlog: Backlog | None = None
    with_calls: Arrivals | None = None
    sends: tuple[float, float] | None = None  # CPU seconds of one message while FEW wait, and MANY
    beside_parts: float | None = None  # seconds from the start of a run to its SMS, beside PARTS


class Lab:
    """A stick on a port, a stand-in, a folder."""

    def __init__(self, folder: Path, api: BotApi, tls: Tls | None) -> None:
        self.stick = Stick(PROFILE, latency=LATENCY)
        self.api = api
        self.place = Place(folder, folder / "sms", api, tls)

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
def lab(*, rate: bool = False, far: bool = False) -> Iterator[Lab]:
    """`far`: Telegram is behind TLS, ROUND_TRIP away."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homesim-bench-")))
        api = stack.enter_context(BotApi(rate=rate))
        place = Lab(folder, api, stack.enter_context(Tls(folder, api, ROUND_TRIP)) if far else None)
        stack.enter_context(PtyPort(place.stick, place.place.port))
        yield place


def sms(serial: int) -> str:
    """A plain SMS of today."""
    return pdus.deliver(sms_text(serial), time=now())


def sms_text(serial: int) -> str:
    """It holds no code, which would go out alone."""
    return f"[serial {serial}] Your parcel is on its way and comes between noon and evening."


def measure(system: System, hurried: System, extent: Extent) -> Result:
    """At rest; then SMS arrive; then on other sticks the first SMS of a run, and a full SIM.

    `hurried`: the same, which cron starts each extent.hurried seconds.
    """
    idle = _idle(system, extent)
    with lab() as here, hurried.running(here.place) as family:
        _looked(here)
        before = time.process_time(), time.monotonic()
        arrivals = _arrivals(here, family, extent)
        own = (time.process_time() - before[0]) / (time.monotonic() - before[1])
    slow = extent is QUICK and system.every is None
    first, far = measure_first(system, extent.first), measure_first(system, extent.far, far=True)
    return Result(system, idle, arrivals, first, far, None if slow else _drain(system, extent.drain), own)


def _looked(here: Lab) -> None:
    here.stick.wait_for(lambda stick: any("+CPMS" in c.text for c in stick.commands), timeout=PATIENCE)


def measure_first(system: System, count: int, *, far: bool = False) -> Arrivals:
    """What people have, one SMS now and then: it comes to a run that has found nothing yet, at any moment between two
    looks. Each on a stick of its own.
    """
    dice = random.Random(SEED)
    moments = [dice.uniform(0, system.look) for _ in range(count)]
    with ThreadPoolExecutor(AT_ONCE if system.every is None else 1) as pool:
        alone = list(pool.map(partial(_first, system, far), moments))
    return Arrivals(
        latencies=tuple(sorted(latency for one in alone for latency in one.latencies)),
        lost=sum(one.lost for one in alone),
        repeated=sum(one.repeated for one in alone),
        resident=max(one.resident for one in alone),
        failures=tuple(code for one in alone for code in one.failures),
    )


def _first(system: System, far: bool, moment: float) -> Arrivals:
    with lab(far=far) as here, system.running(here.place) as family:
        _looked(here)
        time.sleep(SETTLED + moment)
        return _deliver(here, family, [time.monotonic()], grace=0)


def measure_calls(hurried: System, extent: Extent) -> Arrivals:
    """The same arrivals again, while calls come in, each of another number."""
    with lab() as here, hurried.running(here.place) as family:
        _looked(here)
        numbers = itertools.count(1)
        with each(extent.period / CALLS, time.monotonic(), lambda: here.stick.call(f"+4930{100000 + next(numbers)}")):
            return _arrivals(here, family, extent)


def _idle(system: System, extent: Extent) -> Idle:
    """Of one that has forwarded a few SMS before: some time of a daemon, all of a minute of cron's, its start too."""
    seconds = system.every or extent.idle
    with lab() as here, system.running(here.place) as family:
        _looked(here)
        for serial in range(BEFORE):
            here.stick.deliver(sms(serial))
            here.wait_for(serial + 1, PATIENCE)
        time.sleep(extent.warm_up)
        if system.every:
            ticks = (time.monotonic() - family.started) // system.every
            time.sleep(max(0.0, family.started + (ticks + 1) * system.every - EARLY - time.monotonic()))
        before, begin, resident = family.cpu(), time.monotonic(), []
        while (rest := begin + seconds - time.monotonic()) > 0:
            resident.append(family.resident())
            time.sleep(min(rest, SAMPLE))
        return Idle((family.cpu() - before) * MINUTE / seconds, statistics.median(resident))


def schedule(extent: Extent) -> list[float]:
    """Seconds after the start at which SMS arrive: some right after each later tick of cron's, else at random."""
    ticks = [index * extent.hurried for index in range(1, extent.hand_overs + 1)]
    probes = [tick + probe for tick in ticks for probe in PROBES][: extent.messages]
    dice, end = random.Random(SEED), ticks[-1] + extent.hurried / 2
    return sorted(probes + [dice.uniform(extent.hurried / 2, end) for _ in range(extent.messages - len(probes))])


def _arrivals(here: Lab, family: Family, extent: Extent) -> Arrivals:
    return _deliver(here, family, [family.started + offset for offset in schedule(extent)], extent.grace)


def _deliver(here: Lab, family: Family, moments: Sequence[float], grace: float) -> Arrivals:
    """SMS at these moments, and what comes of them; `grace`: seconds in which a repeat may still come."""
    arrived: list[float] = []
    resident = 0.0
    for serial, moment in enumerate(moments):
        time.sleep(max(0.0, moment - time.monotonic()))
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

    They get into the spool through the stick, which this time answers at once, while Telegram is down, and with a whole
    core: that is not measured. The runs that did this are killed; cron starts the next one when Telegram is back.
    """
    with lab(rate=True) as here:
        here.api.down()
        here.stick.latency = 0.0
        with replace(system, core=None).running(here.place):
            for serial in range(count):
                here.stick.deliver(sms(serial))
            here.stick.wait_for(lambda stick: not stick.stored() and not stick.waiting(), timeout=PATIENCE)
        here.stick.latency = LATENCY
        here.api.up()
        with system.running(here.place) as family:
            if not here.wait_for(count, 5 * PATIENCE):
                raise RuntimeError(f"{len(here.serials())} of {count} SMS of the backlog came; {family.said()}")
            return Backlog(max(here.accepted().values()) - family.started, len(here.api.sent))


def measure_sends(homesim: System, waiting: int) -> float:
    """CPU seconds of one message of a few, while so many SMS wait: the median, by the scheduler's nanoseconds."""
    with lab() as here:
        spool = Spool(here.place.folder / "state" / "home")
        for number in range(waiting):
            _lay(spool, "new", pdus.deliver(sms_text(number), time=now() - timedelta(days=1, seconds=-number)))
        seen: list[float] = []
        with homesim.running(here.place) as family:
            here.api.on_request = lambda phase, _: seen.append(family.scheduled()) if phase == "received" else None
            here.api.wait_for(lambda _: len(seen) > SENDS, PATIENCE)
        return statistics.median(after - before for before, after in itertools.pairwise(seen))


def measure_beside_parts(homesim: System, parts: int) -> float:
    """Seconds from the start of a run to its SMS, beside so many that told "1 of 2" and never told the other."""
    with lab() as here:
        spool = Spool(here.place.folder / "state" / "home")
        for number in range(parts):
            half = pdus.deliver(f"{number}", "STRANGER", udh=[pdus.concat(7, 2, 1)], time=now())
            _lay(spool, "parts", half)
        here.stick.store("SM", None, sms(0))
        with homesim.running(here.place) as family:
            here.wait_for(1, PATIENCE)
            return here.accepted().get(0, float("inf")) - family.started


def _lay(spool: Spool, folder: str, pdu: str) -> None:
    """As Spool.put() does, but for its fsyncs."""
    entry = Entry(message.name([pdu]), (pdu,), received=time.time())
    (spool.root / folder / f"{entry.name}.json").write_text(content(entry))


def run(homesim: Callable[[float], System], others: Sequence[System], extent: Extent) -> Iterator[Result | System]:
    """One after another, homesim first; the bare system where it is not installed."""
    ours, hurried = homesim(extent.period), homesim(extent.hurried)
    yield replace(
        measure(ours, hurried, extent),
        backlog=measure_backlog(ours, extent.backlog),
        with_calls=measure_calls(hurried, extent),
        sends=None if extent is QUICK else (measure_sends(ours, FEW), measure_sends(ours, MANY)),
        beside_parts=None if extent is QUICK else measure_beside_parts(ours, PARTS),
    )
    for system in others:
        yield measure(system, system, extent) if system.installed() else system
