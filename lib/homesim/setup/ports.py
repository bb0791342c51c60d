# SPDX-License-Identifier: GPL-2.0-or-later
"""Which port is the stick's, and what stands behind it.

The look happens in a process of its own: it ends with the lock, the port and libgammu given back, so cron's runs
go on while a person thinks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from homesim import process
from homesim.config import Config, Modem
from homesim.errors import TryAgain
from homesim.stick import match, probe
from homesim.stick.commands import Plain
from homesim.stick.driver import State
from homesim.stick.sim import unlock
from homesim.stick.usb import Bus
from homesim.store.spool import Spool

PATIENCE = 90.0  # seconds that another run may hold the stick: its time of 55 and a fifth, and to end
LIMIT = 90.0  # seconds for a look


def find(bus: Bus, wanted: str | None, others: Collection[str], dev: Path = Path("/dev")) -> list[str]:
    """The ports that could be meant: `wanted` if it is there, else one of each stick that is not the `others`'.

    Raise TryAgain when there is none, with the reason.
    """
    if wanted and os.path.exists(wanted):
        return [wanted]
    taken = {stick.place for device in others if (stick := bus.of(Path(device)))}
    sticks = [stick for stick in bus.sticks() if stick.place not in taken]
    names = [*sorted(dev.glob("sms-*")), *sorted(dev.glob("serial/by-path/*-if00-port0"))]
    names.insert(0 if len(sticks) < 2 else len(names), dev / "sms")  # of several sticks it could be any one's
    ports: dict[str, str] = {}
    for name in names:
        if (stick := bus.of(name)) and stick.place not in taken:
            ports.setdefault(stick.place, str(name))
    if ports:
        return list(ports.values())
    for stick in sticks:
        why = f"has no port for SMS, its mode is {stick.mode}; run homesim-doctor, which knows the cure"
        raise TryAgain(f"the stick {stick.ids} at USB {stick.place}", why)
    raise TryAgain("USB", "no stick is in, or the Pi does not see it; try another port, or a powered hub")


def look(settings: Config, modem: Modem, tell: Callable[[str], None]) -> State:
    """What is behind a modem's port; of a SIM that wants its PIN no more than that.

    The PIN is tried once, if there is one. Raise HomesimError.
    """

    def opened(stick: Plain) -> State:
        spool, bus = Spool(settings.paths.state / modem.name), Bus(settings.paths.sysfs)
        match.remember(spool, bus, Path(modem.device), bus.of(Path(modem.device)))
        stick.radio_on()
        if (sim := stick.sim()) == "SIM PIN" and modem.pin is None:
            return State(sim)
        unlock(stick, sim, modem, spool)
        return replace(probe.count(stick), sim="READY")

    def turn() -> None:
        if not process.ModemLock(settings.paths.run, modem.name).wait(PATIENCE, tell):
            raise TryAgain(modem.name, "another run holds the stick and does not end; run homesim-doctor")

    return probe.ask(modem.device, opened, PATIENCE + LIMIT, turn=turn)
