# SPDX-License-Identifier: GPL-2.0-or-later
"""From the USB bus to the port, for doctor: mode switch, udev rule, the stick, its link, and who holds it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from homesim.config import Config, Modem, Paths
from homesim.doctor.host import Host
from homesim.doctor.troubles import Finding, bad, good, unseen
from homesim.health.incident import in_vain
from homesim.stick import match
from homesim.stick.usb import Bus, Stick
from homesim.store.spool import Spool

# What usb_modeswitch would make a HiLink router of, and where it is told otherwise.
SWITCHED = ("12d1:1f01", "12d1:157d")
SWITCHES = "/etc/usb_modeswitch.d"
SWITCH_CONFIG = "/etc/usb_modeswitch.conf"
RULES = "/etc/udev/rules.d"
RULE = f"{RULES}/78-homesim.rules"
BEHIND = 60  # the number of 60-serial.rules, which finds the number of a port's interface


def mode_switch(host: Host) -> Iterator[Finding]:
    """Its dispatcher takes the last name that begins with the ids, but for dpkg's own leftovers."""
    if re.search(r"^\s*DisableSwitching\s*=\s*(1|yes|true)", host.read(SWITCH_CONFIG), re.MULTILINE | re.IGNORECASE):
        yield bad("switching-off", file=SWITCH_CONFIG)
    names = host.names(SWITCHES)
    for ids in SWITCHED:
        file = f"{SWITCHES}/{ids}"
        above = [name for name in names if re.match(rf"{ids}[^:#]", name) and ".dpkg-" not in name]
        if ids not in names:
            yield bad("no-switch", file=file)
        elif above:
            yield bad("shadowed-switch", file=f"{SWITCHES}/{above[-1]}")
        elif not re.search(r"^HuaweiAltMode=1", host.read(file), re.MULTILINE):
            yield bad("other-switch", file=file)
        else:
            yield good("mode switch", f"{file} asks for serial ports")


def rule(host: Host) -> Iterator[Finding]:
    """udev(7): names that end in .rules, in rules.d; ours must come behind 60-serial.rules."""
    if RULE.rpartition("/")[2] in host.names(RULES):
        yield good("udev rule", RULE)
        return
    for folder in (RULES, "/etc/udev"):
        for name in host.names(folder):
            if "homesim" in name and not name.endswith((".dist", "~")):
                yield bad("rule-elsewhere", file=f"{folder}/{name}", right=RULE)
                return
    yield bad("no-rule", file=RULE)


def stick(bus: Bus, modem: Modem, config: Config | None, paths: Paths) -> tuple[Stick | None, Finding]:
    """The modem's stick, and what there is to say of it."""
    kept = Spool(paths.state / modem.name, read_only=True)
    taken = match.taken(bus, config, modem.name) if config else []
    wanted = config.health.usb if config else None
    found = match.choose(bus, Path(modem.device), match.recall(kept), wanted, taken)
    if len(found.candidates) > 1:
        return None, bad("several-sticks")
    for candidate in found.candidates:
        return candidate, _mode(candidate, ours=False, dead=bus.dead(candidate))
    if found.stick is None:  # a port that is there and not on USB, as a HAT's, is no fault
        return None, unseen("stick", "its port is not on USB") if Path(modem.device).exists() else bad("no-stick")
    return found.stick, _mode(found.stick, ours=True, dead=bus.dead(found.stick) or in_vain(kept))


def _mode(stick: Stick, *, ours: bool, dead: bool) -> Finding:
    """`dead`: it answers nothing on USB, or no reset has helped."""
    if stick.mode == "off":
        return bad("switched-off" if ours else "strange-off", ids=stick.ids, place=stick.place)
    if stick.mode in ("storage", "hilink"):
        return bad(stick.mode, ids=stick.ids)
    if not stick.ttys and dead:
        return bad("dead", ids=stick.ids, place=stick.place)
    if not stick.ttys:
        return bad("no-tty", ids=stick.ids)
    return good("stick", f"{stick.ids} in serial mode at USB {stick.place}: {', '.join(stick.ttys)}")


def port(host: Host, modem: Modem, stick: Stick | None, lock: Path) -> Iterator[Finding]:
    """The modem's device file: is it there, is it a port, and does nobody else have it open?"""
    device = Path(modem.device)
    try:
        mode = os.stat(device).st_mode
    except FileNotFoundError:
        if stick and stick.ttys:
            yield bad("no-link", device=device, ttys=", ".join(stick.ttys))
        else:
            yield unseen("port", f"{device} comes with a stick in serial mode")
        return
    if not stat.S_ISCHR(mode):
        yield bad("no-port", device=device, modem=modem.name)
        return
    programs = host.processes()
    for pid in host.holders(device):
        if not host.holds(pid, lock):  # a run of ours has the lock too
            known = "modemmanager" if programs.get(pid) == "ModemManager" else "held"
            yield bad(known, program=programs.get(pid, "a program"), pid=pid, device=device)
            return
    target = os.path.realpath(device)
    yield good("port", f"{device} is {target}" if target != str(device) else str(device))
