# SPDX-License-Identifier: GPL-2.0-or-later
"""The Pi itself, for doctor: release, packages, power, what an old how-to left, the disk, the clock."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from homesim.doctor import cron
from homesim.doctor.host import Host
from homesim.health.faults import Finding, bad, good, unseen
from homesim.stick.usb import Bus

RELEASES = {"12": "bookworm", "13": "trixie"}
PACKAGES = ("python3-gammu", "python3-requests", "python3-filelock", "usb-modeswitch", "cron")
ROOM = 20  # MB that apt, the log and a thousand SMS may need

# What else reads SMS from a stick: Debian's package, its service and its program.
_OTHERS = (("gammu-smsd", "gammu-smsd"), ("smstools", "smsd"))
_SCRIPTS = ("/gammu.sh", "/reset.sh")
_KEEPERS = ("chronyd", "ntpd")


def release(host: Host) -> Iterator[Finding]:
    """os-release(5)."""
    fields = dict(line.partition("=")[::2] for line in host.read("/etc/os-release").splitlines())
    name, version = fields.get("PRETTY_NAME", "an unknown system").strip('"'), fields.get("VERSION_ID", "").strip('"')
    debian = fields.get("ID") in ("debian", "raspbian")
    if debian and version in RELEASES:
        yield good("release", name)
    elif debian and (not version or (version.isdigit() and int(version) > int(max(RELEASES)))):  # testing has none
        yield unseen("release", f"{name}: newer than what homesim was tried on")
    else:
        yield bad("release", name=name)


def packages(host: Host) -> Iterator[Finding]:
    there = host.packages()
    if missing := [name for name in PACKAGES if name not in there and f"{name}-daemon" not in there]:
        yield bad("packages", names=" ".join(missing))
    else:
        yield good("packages", ", ".join(PACKAGES))


def power(host: Host, sysfs: Path) -> Iterator[Finding]:
    """The kernel's raspberrypi-hwmon now; before, its lines in the kernel log: it clears the firmware's sticky bit."""
    if Bus(sysfs).low_voltage():
        yield bad("voltage")
    elif re.search("[Uu]nder-?voltage detected", _kernel_log(host)):
        yield bad("voltage-before")
    else:
        yield good("power", "no under-voltage seen since the start")


def _kernel_log(host: Host) -> str:
    """/dev/kmsg: a record each read, EAGAIN after the last, EPIPE for one that was overwritten meanwhile."""
    found = b""
    try:
        descriptor = os.open(host.path("/dev/kmsg"), os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with contextlib.closing(os.fdopen(descriptor, "rb", buffering=0)) as log:
        while True:
            try:
                record = log.read(8192)
            except BrokenPipeError:
                continue
            if not record:  # None: EAGAIN
                return found.decode("utf-8", "replace")
            found += record


def old_how_to(host: Host) -> Iterator[Finding]:
    """gammu-smsd with its scripts, which homesim replaces; smstools, which takes SMS away just the same."""
    found = [*_services(host), *_files(host), *_entries(host)]
    yield from found or [good("old how-to", "nothing is left of it")]


def _services(host: Host) -> Iterator[Finding]:
    running = host.processes().values()
    for service, program in _OTHERS:
        if program in running:
            yield bad("old-service", program=program, does="runs", service=service)
        elif f"{service}.service" in host.names("/etc/systemd/system/multi-user.target.wants") or any(
            re.fullmatch(rf"S\d\d{service}", name) for name in host.names("/etc/rc3.d")
        ):
            yield bad("old-service", program=program, does="starts with the Pi", service=service)


def _files(host: Host) -> Iterator[Finding]:
    rules = [f"{folder}/{name}" for folder in ("/etc/udev", "/etc/udev/rules.d") for name in host.names(folder)]
    left = [script for script in _SCRIPTS if host.path(script).exists()]
    left += [rule for rule in rules if "/999-" in rule and "12d1" in host.read(rule)]
    yield from (bad("old-file", file=file) for file in left)


def _entries(host: Host) -> Iterator[Finding]:
    for table, text in cron.tables(host).items():
        for script in _SCRIPTS:
            if re.search(rf"^[^#\n]*(?<![\w/.]){script}\b", text, re.MULTILINE):
                edit = "sudo crontab -e" if table == cron.ROOT_S else f"sudo nano {table}"
                yield bad("old-entry", file=table, script=script, edit=edit)


def disk(host: Host, folder: Path) -> Iterator[Finding]:
    """The state folder of a modem and the file system that it is on."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if folder.exists() and folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield bad("open-folder", folder=folder)
        return
    status = os.statvfs(there)
    free = status.f_bavail * status.f_frsize // 2**20
    mount, kind = host.mount(there)
    if status.f_flag & os.ST_RDONLY:
        yield bad("read-only", folder=folder, mount=mount or there)
    elif free < ROOM or (status.f_files and not status.f_favail):
        yield bad("full-disk", free=free, folder=folder)
    elif kind == "overlay":
        yield bad("overlay", folder=folder)
    else:
        yield good("disk", f"{free} MB are free at {folder}")


def clock(host: Host) -> Iterator[Finding]:
    """systemd-timesyncd(8) makes this file when it has set the clock."""
    keeper = next((name for name in host.processes().values() if name in _KEEPERS), "")
    if host.path("/run/systemd/timesync/synchronized").exists():
        yield good("clock", "set from the network")
    elif keeper:
        yield unseen("clock", f"{keeper} keeps it")
    else:
        yield bad("clock")
