# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick on the USB bus: the only reader and writer of sysfs.

    devices/.../1-1/1-1.2/          a stick: idVendor, idProduct, authorized, driver
    devices/.../1-1/1-1.2/1-1.2:1.0/ttyUSB0/...           its interfaces and their ttys
    devices/.../1-1/1-1:1.0/1-1-port2/disable             the port of the hub that it is in

Sources: the kernel's Documentation/ABI (sysfs-bus-usb, sysfs-devices), Documentation/usb/authorization.rst.
A write is judged by what becomes of the stick, not by its return: `authorized` of a dead stick reads 1 too.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from homesim.errors import TryAgain
from homesim.process import until

VENDORS = ("12d1", "3566")  # Huawei, and Brovi, which sells its sticks now
RETURN = 10.0  # seconds until a stick that is switched on has its port: 0.3 s, and 1.7 s for udev's link
_HUB = "09"  # bDeviceClass
_IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stick:
    """A USB device as the bus shows it now."""

    place: str  # bus and ports, as "1-1.2": stays over resets, and over a replug into the same port
    ids: str  # idVendor:idProduct, as "12d1:155e"
    mode: str = "serial"  # "serial", "storage" or "hilink" (both without a port for SMS), "off": not authorized
    ttys: tuple[str, ...] = ()  # by interface, as ("ttyUSB0", "ttyUSB1", "ttyUSB2")

    @property
    def vendor(self) -> str:
        return self.ids.partition(":")[0]


class Bus:
    """`sysfs` is /sys."""

    def __init__(self, sysfs: Path) -> None:
        self._sysfs = sysfs
        self._devices = sysfs / "bus/usb/devices"

    def sticks(self) -> list[Stick]:
        """Every stick of VENDORS, in whatever mode."""
        try:
            names = sorted(os.listdir(self._devices))
        except OSError:
            return []
        found = [self.at(name) for name in names if ":" not in name]
        return [stick for stick in found if stick and stick.vendor in VENDORS]

    def at(self, place: str) -> Stick | None:
        """The device in a place, None when there is none, or a hub."""
        folder = self._devices / place
        ids = f"{_read(folder / 'idVendor')}:{_read(folder / 'idProduct')}"
        if not _IDS.fullmatch(ids) or _read(folder / "bDeviceClass") == _HUB:
            return None
        return Stick(place, ids, *self._mode(folder))

    def of(self, device: Path) -> Stick | None:
        """The stick that a tty belongs to; None when the tty is not there, or on no USB device."""
        try:
            number = os.stat(device).st_rdev
        except OSError:
            return None
        tty = (self._sysfs / f"dev/char/{os.major(number)}:{os.minor(number)}").resolve()
        for folder in tty.parents:
            if (folder / "idVendor").exists():
                return self.at(folder.name)
        return None

    def dead(self, stick: Stick) -> bool:
        """Whether it answers no control transfer: `authorized` reads 1, and the kernel has none of its interfaces."""
        return stick.mode == "serial" and not _glob(self._devices / stick.place, f"{stick.place}:*")

    def low_voltage(self) -> bool:
        """Whether the Raspberry Pi sees too low a voltage now (the kernel's raspberrypi-hwmon)."""
        sensors = _glob(self._sysfs, "class/hwmon/*/name")
        return any(_read(s) == "rpi_volt" and _read(s.parent / "in0_lcrit_alarm") == "1" for s in sensors)

    def authorize(self, stick: Stick, *, on: bool) -> None:
        """Off: all its interfaces go, its power stays. On: it is configured anew."""
        self._guard(stick)
        _write(self._devices / stick.place / "authorized", "1" if on else "0")

    def switchable(self, stick: Stick) -> bool:
        """Whether the kernel can switch its hub's port; 6.0 and newer can, if the hub can."""
        return (self._port(stick.place) / "disable").exists()

    def power(self, stick: Stick, *, on: bool) -> None:
        """Switch its port. A stick that has vanished is in it still."""
        if (self._devices / stick.place).exists():
            self._guard(stick)
        _write(self._port(stick.place) / "disable", "0" if on else "1")

    def replay(self, stick: Stick) -> None:
        """Let udev see its plug again: its interfaces for a mode switch that never came, its ttys for their links."""
        self._guard(stick)
        folder = self._devices / stick.place
        for uevent in (*folder.glob(f"{stick.place}:*/uevent"), *folder.glob(f"{stick.place}:*/tty*/tty/*/uevent")):
            _write(uevent, "add")

    def restore(self, stick: Stick) -> bool:
        """Put back what a run that was killed in the middle of a reset left off. True when there was something.

        Not known for a port without power, whose `disable` may read 0 all the same: it is switched on at any rate.
        Raise TryAgain when another device is in its place.
        """
        folder = self._devices / stick.place
        there = self.at(stick.place)
        if not folder.exists() and self.switchable(stick):
            self.power(stick, on=True)
        if there is None:
            return False
        if left := there.mode == "off":
            self.authorize(stick, on=True)
        elif left := not (folder / "driver").exists():  # 0.1.0 took it away
            self._guard(stick)
            _write(self._sysfs / "bus/usb/drivers/usb/bind", stick.place)
        return left

    def _mode(self, folder: Path) -> tuple[str, tuple[str, ...]]:
        """What its interfaces make of it: sticks come with far too many product ids to know them all."""
        interfaces = _glob(folder, f"{folder.name}:*")
        ttys = tuple(tty.name for interface in interfaces for tty in _glob(interface, "tty*"))
        classes = {_read(interface / "bInterfaceClass") for interface in interfaces} - {""}
        if _read(folder / "authorized") == "0":
            return "off", ()
        if ttys or "ff" in classes or not classes:
            return "serial", ttys
        return ("storage" if classes == {"08"} else "hilink"), ()

    def _guard(self, stick: Stick) -> None:
        """Never the wrong device: who is there now, at the very moment of the write?"""
        there = self.at(stick.place)
        if there is None or there.ids != stick.ids:
            raise TryAgain(f"USB {stick.place}", "another device is there now, or none; not touched")

    def _port(self, place: str) -> Path:
        """The folder of the hub's port (drivers/usb/core/port.c): 1-1-port2, usb1-port1 for one of the root."""
        hub, _, port = place.rpartition("." if "." in place else "-")
        root = "." not in place
        name, interface = (f"usb{hub}", f"{hub}-0:1.0") if root else (hub, f"{hub}:1.0")
        return self._devices / name / interface / f"{name}-port{port}"


def put_back(bus: Bus, stick: Stick | None, device: Path) -> bool:
    """Undo what a killed reset left, and wait for the port. True when there was something to undo."""
    try:
        if stick is None or device.exists() or not bus.restore(stick):
            return False
    except TryAgain:  # it went away just now
        return False
    log.warning("%s: USB %s was left off in a reset; switched on again", device, stick.place)
    until(RETURN, device.exists)
    return True


def _read(path: Path) -> str:
    """An attribute, "" when it is not there: it can vanish between a look and a read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _glob(folder: Path, pattern: str) -> list[Path]:
    """What fits, sorted; none when the folder vanishes meanwhile (Python 3.13 never raises, 3.11 does)."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _write(path: Path, text: str) -> None:
    """What the device makes of it (ETIMEDOUT, or it is gone) is for the look afterwards."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("%s: cannot write %s: %s", path, text, error.strerror)
