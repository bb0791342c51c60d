# SPDX-License-Identifier: GPL-2.0-or-later
"""All that can be known of a modem without opening its port: gathered here, judged in diagnosis.py."""

from __future__ import annotations

from pathlib import Path

from homesim.config import Config
from homesim.health.diagnosis import Evidence
from homesim.process import boottime
from homesim.stick import match, status
from homesim.stick.usb import Bus
from homesim.store import refused
from homesim.store.spool import Spool


def gather(settings: Config, name: str, bus: Bus, spool: Spool) -> Evidence:
    modem = settings.modems[name]
    device = Path(modem.device)
    taken = match.taken(bus, settings, name)
    found = match.choose(bus, device, match.recall(spool), settings.health.usb, taken)
    waiting, oldest = spool.waiting()
    return Evidence(
        device=modem.device,
        stick=found.stick,
        gone=found.gone,
        candidates=found.candidates,
        port=device.exists(),
        low_voltage=bus.low_voltage(),
        status=status.read(settings.paths.run, name),
        boottime=boottime(),
        waiting=waiting,
        oldest=oldest,
        refused=len(refused.lying(spool)),
    )
