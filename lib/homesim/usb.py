# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick on the USB bus: the only reader and writer of sysfs.

    devices/.../1-1/1-1.2/          a stick: idVendor, idProduct, authorized, driver
    devices/.../1-1/1-1.2/1-1.2:1.0/ttyUSB0/...           its interfaces and their ttys
    devices/.../1-1/1-1:1.0/1-1-port2/disable             the port of the hub that it is in

Sources: the kernel's Documentation/ABI (sysfs-bus-usb, sysfs-devices), Documentation/usb/authorization.rst.
A write is judged by what becomes of the stick, not by its return: `authorized` of a dead stick reads 1 too.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from homesim.errors import TryAgain

VENDORS = ("12d1", "3566")  # Huawei, and Brovi, which sells its sticks now
_HUB = "09"  # bDeviceClass

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


class Several(TryAgain):
    """More than one stick could be meant, so none is."""


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
        vendor, product = _read(folder / "idVendor"), _read(folder / "idProduct")
        if not vendor or not product or _read(folder / "bDeviceClass") == _HUB:
            return None
        return Stick(place, f"{vendor}:{product}", *self._mode(folder))

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

    def low_voltage(self) -> bool:
        """Whether the Raspberry Pi sees too low a voltage now (the kernel's raspberrypi-hwmon)."""
        sensors = self._sysfs.glob("class/hwmon/*/name")
        return any(_read(s) == "rpi_volt" and _read(s.parent / "in0_lcrit_alarm") == "1" for s in sensors)

    def authorize(self, stick: Stick, *, on: bool) -> None:
        """Off: all its interfaces go, its power stays. On: it is configured anew."""
        self._guard(stick)
        _write(self._devices / stick.place / "authorized", "1" if on else "0")

    def bind(self, stick: Stick, *, on: bool) -> None:
        """Take the driver from the device as a whole, or give it back."""
        self._guard(stick)
        _write(self._sysfs / "bus/usb/drivers/usb" / ("bind" if on else "unbind"), stick.place)

    def power(self, stick: Stick, *, on: bool) -> bool:
        """Switch its port. False when this hub or kernel has no switch (kernel 6.0 and newer have)."""
        if self.at(stick.place):
            self._guard(stick)
        return _write(self._port(stick.place) / "disable", "0" if on else "1")

    def replay(self, stick: Stick) -> None:
        """Let udev see its plug again: links that are missing, a mode switch that never came."""
        self._guard(stick)
        for uevent in (
            self._devices / stick.place / "uevent",
            *(self._sysfs / "class/tty" / tty / "uevent" for tty in stick.ttys),
        ):
            _write(uevent, "add")

    def restore(self, stick: Stick) -> bool:
        """Put back what a run that was killed in the middle of a reset left off. True when there was something."""
        folder = self._devices / stick.place
        if left := _read(self._port(stick.place) / "disable") == "1":
            self.power(stick, on=True)
        elif left := _read(folder / "authorized") == "0":
            self.authorize(stick, on=True)
        elif left := (folder / "authorized").exists() and not (folder / "driver").exists():
            self.bind(stick, on=True)
        return left

    def _mode(self, folder: Path) -> tuple[str, tuple[str, ...]]:
        """What its interfaces make of it: sticks come with far too many product ids to know them all."""
        interfaces = sorted(folder.glob(f"{folder.name}:*"))
        ttys = tuple(tty.name for interface in interfaces for tty in sorted(interface.glob("tty*")))
        classes = {_read(interface / "bInterfaceClass") for interface in interfaces} - {""}
        if _read(folder / "authorized") == "0":
            return "off", ()
        if ttys or "ff" in classes or not classes:
            return "serial", ttys
        return ("storage" if classes == {"08"} else "hilink"), ()

    def _guard(self, stick: Stick) -> None:
        """Never the wrong device: who is there now, at the very moment of the write?"""
        there = self.at(stick.place)
        if there is None or there.vendor != stick.vendor:
            raise TryAgain(f"USB {stick.place}", "another device is there now, or none; not touched")

    def _port(self, place: str) -> Path:
        """The folder of the hub's port (drivers/usb/core/port.c): 1-1-port2, usb1-port1 for one of the root."""
        hub, _, port = place.rpartition("." if "." in place else "-")
        root = "." not in place
        name, interface = (f"usb{hub}", f"{hub}-0:1.0") if root else (hub, f"{hub}:1.0")
        return self._devices / name / interface / f"{name}-port{port}"


def choose(
    bus: Bus, device: Path, remembered: Stick | None, wanted: str | None, taken: Collection[str] = ()
) -> Stick | None:
    """The stick of a modem: by its port, else by what is `remembered` of it, else the only one there could be.

    `wanted` are health.usb's ids, `taken` the places of other modems' sticks. Raise Several when it could be one
    or another.
    """
    if stick := bus.of(device):
        return stick
    if remembered and (stick := bus.at(remembered.place)) and stick.vendor == remembered.vendor:
        return stick
    vendors = {wanted[:4]} if wanted else {remembered.vendor} if remembered else VENDORS
    found = [stick for stick in bus.sticks() if stick.place not in taken and stick.vendor in vendors]
    if wanted:  # in another mode it has other ids
        found = [stick for stick in found if stick.ids == wanted or stick.mode in ("storage", "hilink")]
    if len(found) > 1:
        places = ", ".join(f"{stick.ids} at {stick.place}" for stick in found)
        raise Several(device, f"gone, and it could be any of {places}; set health.usb, or leave one in")
    return found[0] if found else None


def _read(path: Path) -> str:
    """An attribute, "" when it is not there: it can vanish between a look and a read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _write(path: Path, text: str) -> bool:
    """False when the attribute is not there; an error of the device (ETIMEDOUT) is for the look afterwards."""
    log.debug("%s > %s", text, path)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, text.encode("ascii"))
        except OSError as error:
            log.warning("%s: %s", path, error.strerror)
        finally:
            os.close(descriptor)
        return True
    return False
