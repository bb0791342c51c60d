# SPDX-License-Identifier: GPL-2.0-or-later
"""All that can be known of a modem without opening its port: gathered here, judged in diagnosis.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from homesim.config import Config
from homesim.health import incident
from homesim.process import boottime
from homesim.stick import match, sim, status
from homesim.stick.status import Seen
from homesim.stick.usb import Bus, Stick
from homesim.store.spool import Spool


@dataclass(frozen=True)
class Evidence:
    """What is looked at."""

    device: str
    stick: Stick | None
    gone: Stick | None = None  # ours, when it was last there
    candidates: Sequence[Stick] = ()  # any of these could be ours, and none was seen to be
    dead: bool = False  # it answers nothing on USB
    port: bool = True  # the device is there
    page: bool = False  # it has a web page instead
    low_voltage: bool = False
    status: Seen = field(default_factory=Seen)
    asked: bool = False  # the stick itself, just now; else `status` is what poll saw
    boottime: float = 0.0
    modem: str = ""
    pin: bool = False  # one is configured
    pin_refused: bool = False  # and is not tried again
    in_vain: bool = False  # no reset has helped
    waiting: int = 0  # entries for Telegram
    oldest: float = 0.0  # seconds that the oldest of them has waited
    parts: int = 0  # of long SMS, which wait for the others
    refused: int = 0  # SMS that Telegram will not take
    failed: Path = Path()  # where those are

    def age(self, at: float | None) -> float:
        """Seconds since `at` in the status, or since boot; no clock that jumps is in it."""
        if at is None or not 0 <= at <= self.boottime:  # of another boot
            return self.boottime
        return self.boottime - at

    @property
    def bad_news(self) -> bool:
        """Whether poll's last word is bad news: said after the stick last showed its SMS."""
        since = self.age(self.status.error_boottime)
        return bool(self.status.error) and since < self.age(self.status.answered_boottime)


def gather(settings: Config, name: str, bus: Bus, spool: Spool) -> Evidence:
    modem = settings.modems[name]
    device = Path(modem.device)
    taken = match.taken(bus, settings, name)
    kept = match.recall(spool)
    found = match.Found() if modem.page else match.choose(bus, device, kept, settings.health.usb, taken)
    waiting, oldest = spool.waiting()
    known = incident.load(spool)
    return Evidence(
        device=modem.device,
        stick=found.stick,
        gone=found.gone,
        candidates=found.candidates,
        dead=any(bus.dead(stick) for stick in (found.stick, *found.candidates) if stick),
        port=bool(modem.page) or device.exists(),
        page=bool(modem.page),
        low_voltage=bus.low_voltage(),
        status=status.read(settings.paths.run, name),
        boottime=boottime(),
        modem=name,
        pin=modem.pin is not None,
        pin_refused=modem.pin is not None and sim.refused(modem, spool),
        in_vain=known is not None and known.rounds > 0,
        waiting=waiting,
        oldest=oldest,
        parts=spool.count("parts"),
        refused=len(spool.refused()),
        failed=spool.root / "failed",
    )
