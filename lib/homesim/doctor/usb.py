# SPDX-License-Identifier: GPL-2.0-or-later
"""What makes a port of a stick, for doctor: mode switch, udev rule; and who holds that port."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from homesim.config import Modem
from homesim.doctor.host import Host
from homesim.health.faults import Finding, bad, good

# What usb_modeswitch would make a HiLink router of, and where it is told otherwise.
SWITCHED = ("12d1:1f01", "12d1:157d")
SWITCHES = "/etc/usb_modeswitch.d"
SWITCH_CONFIG = "/etc/usb_modeswitch.conf"
RULES = "/etc/udev/rules.d"
RULE = f"{RULES}/78-homesim.rules"


def mode_switch(host: Host) -> Iterator[Finding]:
    """Its dispatcher takes the last name that begins with the ids, but for dpkg's own leftovers."""
    if re.search(r"^\s*DisableSwitching\s*=\s*(1|yes|true)", host.read(SWITCH_CONFIG), re.MULTILINE | re.IGNORECASE):
        yield bad("switching-off", file=SWITCH_CONFIG)
    names = host.names(SWITCHES)
    for ids in SWITCHED:
        read = [name for name in names if re.match(rf"{ids}(?![:#])", name) and ".dpkg-" not in name]
        file = f"{SWITCHES}/{read[-1] if read else ids}"
        if ids not in read:
            yield bad("no-switch", file=f"{SWITCHES}/{ids}")
        elif not re.search(r"^HuaweiAltMode=1", host.read(file), re.MULTILINE):
            yield bad("other-switch", file=file)
        else:
            yield good("mode switch", f"{file} asks for serial ports")


def rule(host: Host) -> Iterator[Finding]:
    """udev(7): names that end in .rules, in rules.d; ours must come behind 60-serial.rules."""
    if host.path(RULE).exists():
        yield good("udev rule", RULE)
        return
    for folder in (RULES, "/etc/udev"):
        for name in host.names(folder):
            if "homesim" in name and not name.endswith((".dist", "~")):
                yield bad("rule-elsewhere", file=f"{folder}/{name}", right=RULE)
                return
    yield bad("no-rule", file=RULE)


def port(host: Host, modem: Modem, lock: Path) -> Iterator[Finding]:
    """What is wrong with the modem's device file: is it a port, and does nobody else have it open?"""
    device = Path(modem.device)
    if not device.exists():
        return
    if not stat.S_ISCHR(device.stat().st_mode):
        yield bad("not-a-port", device=device, modem=modem.name)
        return
    programs = host.processes()
    for pid in host.holders(device):
        if not host.holds(pid, lock):  # a run of ours has the lock too
            name = programs.get(pid, "a program")
            key = "modemmanager" if name == "ModemManager" else "held"
            yield bad(key, program=f"{name} (pid {pid})", pid=pid, device=device)
            return
