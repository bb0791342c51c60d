# SPDX-License-Identifier: GPL-2.0-or-later
"""Which stick on the bus is a modem's: the one its port belongs to, and what is kept of it when that is gone.

    stick          in the spool: place and ids of the stick, and `beside`, the places where others were while it had
                   its port. An uplink is no stick of ours only because ours fell off the bus
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from homesim.config import Config
from homesim.errors import TryAgain
from homesim.spool import Spool
from homesim.usb import VENDORS, Bus, Stick

STATE = "stick"


class Several(TryAgain):
    """More than one stick could be meant, so none is."""


def choose(
    bus: Bus, device: Path, remembered: Stick | None, wanted: str | None, taken: Collection[str] = ()
) -> Stick | None:
    """The stick of a modem: by its port, else by what is `remembered` of it, else the only one there could be.

    `wanted` are health.usb's ids, `taken` the places of those known to be another. Raise Several when it could be one
    or another.
    """
    if stick := bus.of(device):
        return stick
    here = bus.at(remembered.place) if remembered and remembered.place not in taken else None
    if here and remembered and here.vendor == remembered.vendor:
        return here
    vendors = {wanted[:4]} if wanted else {remembered.vendor} if remembered else VENDORS
    found = [stick for stick in bus.sticks() if stick.place not in taken and stick.vendor in vendors]
    if wanted:  # in another mode it has other ids
        found = [stick for stick in found if stick.ids == wanted or stick.mode in ("storage", "hilink")]
    if len(found) > 1:
        places = ", ".join(f"{stick.ids} at {stick.place}" for stick in found)
        raise Several(device, f"gone, and it could be any of {places}; set health.usb, or leave one in")
    return found[0] if found else None


def taken(bus: Bus, settings: Config, modem: str) -> list[str]:
    """The places of what is known to be another: the other modems' sticks, now or when last seen, and bystanders."""
    others = [(Path(other.device), _spool(settings, name)) for name, other in settings.modems.items() if name != modem]
    sticks = [bus.of(device) or recall(spool) for device, spool in others]
    return [stick.place for stick in sticks if stick] + _beside(_spool(settings, modem).state(STATE))


def remember(spool: Spool, bus: Bus, device: Path, stick: Stick | None) -> None:
    """Keep which stick it is, for the time when its port is gone. Written when that is news; None is none."""
    if stick is None:
        return
    known = spool.state(STATE)
    beside = _beside(known)
    if bus.of(device):
        beside = [other.place for other in bus.sticks() if other.place != stick.place]
    now: dict[str, object] = {"place": stick.place, "ids": stick.ids, **({"beside": beside} if beside else {})}
    if now != known:
        spool.set_state(STATE, now)


def recall(spool: Spool) -> Stick | None:
    """The stick that was kept; None when there is none or what is kept is damaged."""
    state = spool.state(STATE)
    place, ids = str(state.get("place")), str(state.get("ids"))
    if re.fullmatch(r"\d+-\d+(\.\d+)*", place) and re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", ids):
        return Stick(place, ids)
    return None


def _beside(state: Mapping[str, object]) -> list[str]:
    beside = state.get("beside")
    return [str(place) for place in beside] if isinstance(beside, list) else []


def _spool(settings: Config, modem: str) -> Spool:
    return Spool(settings.paths.state / modem, read_only=True)
