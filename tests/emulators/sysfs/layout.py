# SPDX-License-Identifier: GPL-2.0-or-later
"""How a kernel lays /sys out, as far as homesim reads or writes it: folders, attributes, links.

Only what is there and what it is called; what happens when it is written is sysfs_tree's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from emulators.sysfs.file_watch import FileWatch

SERIAL, STORAGE, HILINK = "12d1:155e", "12d1:1f01", "12d1:14db"
"""A Huawei stick's three lives: AT ports, a CD drive until its mode is switched, an Ethernet card."""

_INTERFACES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        SERIAL: ("ff", "ff", "ff", "02", "0a"),
        STORAGE: ("08",),
        HILINK: ("02", "0a"),
        "1d6b:0002": ("09",),
        "0424:2514": ("09",),
        "0424:ec00": ("ff",),
        "0781:5567": ("08",),
    }
)
"""bInterfaceClass of each interface: ff vendor, 02 and 0a NCM or Ethernet, 08 storage, 09 hub."""
_DEVICE_CLASS: Mapping[str, str] = MappingProxyType({"1d6b:0002": "09", "0424:2514": "09", "0424:ec00": "ff"})

_TTY_INTERFACES = 3
_HUB_PORTS: Mapping[str, int] = MappingProxyType({"usb1": 1, "1-1": 5})


class SysfsLayout:
    """The tree under `folder`. Not thread-safe: its owner locks."""

    def __init__(self, folder: Path, heard: Callable[[Path], None]) -> None:
        """`heard` gets the path of each attribute that somebody else has written (FileWatch)."""
        self.folder = folder
        self.aside = folder.with_name(f".{folder.name}.aside")
        self.aside.mkdir(parents=True)
        self.watch = FileWatch(self.aside, heard)
        self._bus = folder / "bus/usb"
        self._root = folder / "devices/platform/soc/usb1"
        folders = "devices/platform/soc bus/usb/devices bus/usb/drivers class/tty class/hwmon dev/char"
        for name in folders.split():
            (folder / name).mkdir(parents=True)
        for driver in ("usb", "hub", "option", "usb-storage"):
            self.watch.make(self._bus / "drivers" / driver, {"bind": "", "unbind": ""})
        self.watch.make(folder / "class/hwmon/hwmon0", {"name": "cpu_thermal\n", "temp1_input": "48312\n"})
        self.watch.make(folder / "class/hwmon/hwmon1", {"name": "rpi_volt\n", "in0_lcrit_alarm": "0\n"})

    def path(self, name: str) -> Path:
        """The folder of a device, inside those of its hubs."""
        bus, _, ports = name.partition("-")
        numbers = ports.split(".") if ports else []
        return self._root.joinpath(*(f"{bus}-{'.'.join(numbers[: n + 1])}" for n in range(len(numbers))))

    def hub_port(self, name: str) -> Path:
        """The folder of the hub's port that a device hangs on."""
        if "." in name:
            hub, number = name.rsplit(".", 1)
            return self.path(hub) / f"{hub}:1.0" / f"{hub}-port{number}"
        return self._root / "1-0:1.0" / f"usb1-port{name.split('-')[1]}"

    def add_device(self, name: str, ids: str) -> None:
        """A device, authorized and bound, without interfaces yet."""
        vendor, product = ids.split(":")
        contents: dict[str, str | Path] = {
            "idVendor": f"{vendor}\n",
            "idProduct": f"{product}\n",
            "bDeviceClass": f"{_DEVICE_CLASS.get(ids, '00')}\n",
            "product": "HUAWEI Mobile\n" if vendor == "12d1" else f"{ids}\n",
            "serial": "0123456789ABCDEF\n",
            "authorized": "1\n",
            "busnum": "1\n",
            "uevent": "",
            "driver": self._bus / "drivers/usb",
            "subsystem": self._bus,
        }
        if name != "usb1":
            contents["port"] = self.hub_port(name)
            self._link(self.hub_port(name) / "device", self.path(name))
        self.watch.make(self.path(name), contents)
        self._link(self._bus / "devices" / name, self.path(name))

    def remove_device(self, name: str) -> None:
        """Off the bus, after its interfaces."""
        (self._bus / "devices" / name).unlink()
        (self.hub_port(name) / "device").unlink()
        self.watch.remove(self.path(name))

    def set_driver(self, name: str, on: bool) -> None:
        """The link to the driver `usb`, which a device has while it is bound."""
        driver = self.path(name) / "driver"
        self._link(driver, self._bus / "drivers/usb") if on else driver.unlink()

    def taken(self, file: Path) -> str:
        """What somebody wrote to an attribute; one that is only for writing is empty again."""
        if not file.is_file():
            return ""
        text = file.read_text().strip()
        if file.name in ("bind", "unbind", "uevent"):
            os.truncate(file, 0)
        return text

    def add_interfaces(self, name: str, ids: str, tty: str | None, skip: int = 0) -> None:
        """A device's interfaces, the first three with ttys if `tty`, the first of them, is given.

        They take the lowest ttyUSB numbers that are free, but for the first `skip`.
        """
        device = "1-0" if name == "usb1" else name
        for number, interface_class in enumerate(_INTERFACES.get(ids, ("ff",) * _TTY_INTERFACES)):
            interface = self.path(name) / f"{device}:1.{number}"
            attributes = {"bInterfaceNumber": f"{number:02x}\n", "bInterfaceClass": f"{interface_class}\n"}
            self.watch.make(interface, {**attributes, "uevent": ""})
            self._link(self._bus / "devices" / interface.name, interface)
            if tty is not None and number < _TTY_INTERFACES:
                self._add_tty(interface, tty if number == 0 else None, skip)
        for number in range(_HUB_PORTS.get(name, 0)):
            port = self.path(name) / f"{device}:1.0" / f"{name}-port{number + 1}"
            self.watch.make(port, {"disable": "0\n", "connect_type": "hotplug\n"})

    def _add_tty(self, interface: Path, tty: str | None, skip: int) -> None:
        number = skip
        while (self.folder / "class/tty" / f"ttyUSB{number}").is_symlink():
            number += 1
        name = f"ttyUSB{number}"
        device_number = os.stat(tty).st_rdev if tty else os.makedev(188, number)
        text = f"{os.major(device_number)}:{os.minor(device_number)}"
        self.watch.make(interface / name, {})
        self.watch.make(interface / name / "tty", {})
        self.watch.make(interface / name / "tty" / name, {"dev": f"{text}\n", "device": interface / name, "uevent": ""})
        self._link(self.folder / "class/tty" / name, interface / name / "tty" / name)
        self._link(self.folder / "dev/char" / text, interface / name / "tty" / name)

    def remove_interfaces(self, name: str) -> None:
        """A device's interfaces and their ttys, if there are any."""
        for interface in self.path(name).glob(f"{name}:*"):
            for tty in interface.glob("tty*/tty/*"):
                (self.folder / "class/tty" / tty.name).unlink()
                (self.folder / "dev/char" / (tty / "dev").read_text().strip()).unlink()
            (self._bus / "devices" / interface.name).unlink()
            self.watch.remove(interface)

    def link_without_folder(self, name: str) -> None:
        """A device's link on the bus, dangling."""
        self._link(self._bus / "devices" / name, self.path(name))

    def _link(self, link: Path, target: Path) -> None:
        link.symlink_to(os.path.relpath(target, link.parent))


def treated(where: str, text: str) -> str:
    """Given a path inside the tree and what was written there, return the device that it treats, or ""."""
    if re.search(r"/drivers/\w[\w-]*/(un)?bind$", where):
        return text.partition(":")[0]
    port = re.search(r"([\w.-]+)-port(\d+)/", where)
    if port:
        hub, number = port.groups()
        return f"1-{number}" if hub == "usb1" else f"{hub}.{number}"
    folders: list[str] = re.findall(r"/(usb\d+|\d+-[\d.]+)(?=/)", where)
    return folders[-1] if folders else ""
