# SPDX-License-Identifier: GPL-2.0-or-later
"""Which stick on the bus is a modem's: the one its port belongs to, and what is kept of it when that is gone.

Only that one is ever reset, switched or put back, or the one that the owner names in health.usb. What merely could
be it is a candidate: told of, never touched and never kept. It may be what the Pi reaches the Internet by.

    stick          in the spool: place and ids of the stick, as it had its port; `also`, its ids in the mode that it was
                   reset in; `beside`, the places where others were while it had its port: none of those is it
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from homesim.config import Config
from homesim.stick.usb import VENDORS, Bus, Stick
from homesim.store.spool import Spool

STATE = "stick"
_PLACE, _IDS = re.compile(r"\d+-\d+(\.\d+)*"), re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")


@dataclass(frozen=True)
class Kept:
    """What is kept of a modem's stick."""

    place: str
    ids: str
    also: str = ""
    beside: tuple[str, ...] = ()

    def is_it(self, stick: Stick) -> bool:
        """Whether a device in its place is it. As a network card it never had its port: that is an uplink."""
        if stick.place != self.place or stick.mode == "hilink":
            return False
        return stick.ids in (self.ids, self.also) or (stick.mode == "storage" and stick.vendor == self.ids[:4])


@dataclass(frozen=True)
class Found:
    """What of the bus is a modem's."""

    stick: Stick | None = None  # it
    gone: Stick | None = None  # it, when it was last there: its place is empty
    candidates: tuple[Stick, ...] = ()  # any of these could be


def choose(bus: Bus, device: Path, kept: Kept | None, wanted: str | None, taken: Collection[str] = ()) -> Found:
    """By its port, else by what is `kept` of it, else by its ids `wanted` in health.usb.

    `taken`: the places of those known to be another.
    """
    if stick := bus.of(device):
        return Found(stick)
    if device.exists():  # a port, and not on USB, as a HAT's
        return Found()
    others = [stick for stick in bus.sticks() if stick.place not in taken]
    here = bus.at(kept.place) if kept and kept.place not in taken else None
    if here and kept and kept.is_it(here):
        return Found(here)
    if named := [stick for stick in others if stick.ids == wanted]:
        return Found(named[0]) if len(named) == 1 else Found(candidates=tuple(named))
    if kept and here:
        return Found(candidates=(here,) if here.vendor in VENDORS else ())
    if kept:
        return Found(gone=Stick(kept.place, kept.ids) if kept.place not in taken else None)
    return Found(candidates=tuple(others))


def taken(bus: Bus, settings: Config, modem: str) -> list[str]:
    """The places of what is known to be another: the other modems' sticks, now or when last seen, and bystanders."""
    others = [(Path(other.device), _spool(settings, name)) for name, other in settings.modems.items() if name != modem]
    sticks = [bus.of(device) or recall(spool) for device, spool in others]
    kept = recall(_spool(settings, modem))
    return [stick.place for stick in sticks if stick] + [*(kept.beside if kept else ())]


def remember(spool: Spool, bus: Bus, device: Path, stick: Stick | None) -> None:
    """Keep which stick it is, for the time when its port is gone. Written when that is news; None is none.

    Without its port it is one that is about to be reset: a run that is killed then leaves it to be put back.
    """
    if stick is None:
        return
    kept = recall(spool)
    if bus.of(device):
        beside = tuple(other.place for other in bus.sticks() if other.place != stick.place)
        now = Kept(stick.place, stick.ids, beside=beside)
    elif kept and kept.place == stick.place:
        now = Kept(kept.place, kept.ids, stick.ids if stick.ids != kept.ids else kept.also, kept.beside)
    else:  # named in health.usb
        now = Kept(stick.place, stick.ids, beside=kept.beside if kept else ())
    if now != kept:
        spool.save(STATE, now)


def recall(spool: Spool) -> Kept | None:
    """What was kept; None when there is nothing or it is damaged."""
    kept = spool.load(Kept, STATE)
    return kept if kept and _PLACE.fullmatch(kept.place) and _IDS.fullmatch(kept.ids) else None


def left(spool: Spool, bus: Bus) -> Stick | None:
    """The stick that a killed reset may have left off: it, or its empty place. None when that has another in it."""
    if (kept := recall(spool)) is None:
        return None
    here = bus.at(kept.place)
    if here is None:
        return Stick(kept.place, kept.ids)
    return here if kept.is_it(here) else None


def _spool(settings: Config, modem: str) -> Spool:
    return Spool(settings.paths.state / modem, read_only=True)
