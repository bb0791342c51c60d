# SPDX-License-Identifier: GPL-2.0-or-later
"""All that can be known of a modem without opening its port: gathered here, judged in diagnosis.py."""

from __future__ import annotations

from pathlib import Path

from homesim import identity, pin, refused, status
from homesim.config import Config
from homesim.diagnosis import Evidence
from homesim.spool import Spool
from homesim.usb import Bus


def gather(settings: Config, name: str, bus: Bus, spool: Spool) -> Evidence:
    modem = settings.modems[name]
    device = Path(modem.device)
    taken = identity.taken(bus, settings, name)
    found = identity.choose(bus, device, identity.recall(spool), settings.health.usb, taken)
    waiting, oldest = spool.waiting()
    return Evidence(
        device=modem.device,
        stick=found.stick,
        gone=found.gone,
        candidates=found.candidates,
        port=device.exists(),
        low_voltage=bus.low_voltage(),
        status=status.read(settings.paths.run, name),
        boottime=status.boottime(),
        waiting=waiting,
        oldest=oldest,
        refused=len(refused.lying(spool)),
        wrong_pin=pin.refused(modem, spool),
    )
