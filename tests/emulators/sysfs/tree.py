# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder that stands in for /sys: USB devices, their ttys, hwmon. Emulated sticks hang on it.

What is written to an attribute has the effect on the stick, its tty and the tree that it has in a
kernel, as far as measured. What differs:

- A kernel's write returns when its effect is there. Here it returns at once and the effect comes
  some ms later. That is stricter: who looks right after a write finds the old state, as with
  udev's symlinks in reality. It is laxer too: no write fails (no ETIMEDOUT, ENODEV, EINVAL) or
  takes its time, and of two writes to one attribute within that moment only the second is seen.
- Between the opening of an attribute and the write a reader finds it empty.
- The number of a tty is its pty's, 136:N instead of 188:N.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Cure, Stick
from emulators.sysfs.layout import HILINK, SERIAL, STORAGE, SysfsLayout, treated
from patience import PATIENCE

__all__ = ["BYSTANDERS", "HILINK", "SERIAL", "STORAGE", "Cure", "Device", "SysfsTree"]

BYSTANDERS: Mapping[str, str] = MappingProxyType(
    {"usb1": "1d6b:0002", "1-1": "0424:2514", "1-1.1": "0424:ec00", "1-1.4": "0781:5567"}
)
"""Root hub, the hub with the sticks' ports, the Pi's Ethernet, a disk: never to be touched."""


@dataclass
class Device:
    """A stick on a port of the tree."""

    name: str
    ids: str
    stick: Stick
    port: PtyPort
    on_bus: bool = False
    authorized: bool = True
    bound: bool = True
    cut: bool = False
    """Its port's power."""
    deaf_until: Cure | None = None
    """Endpoint 0 is silent: what is weaker brings no interface back, though `authorized` reads 1."""
    comes_back_as: str | None = None
    """The ids (STORAGE, say) that it has after its next enumeration."""
    old_tty: int | None = None
    """A file descriptor that keeps the last tty's number taken."""


class SysfsTree:
    """Use it as a context manager. The bystanders are there; sticks are plugged in at 1-1.2, 1-1.3, 1-1.5.

    Methods may be called from any thread; without a stick's lock, as from Stick.wait_for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.devices: dict[str, Device] = {}
        """The sticks by their place, also when they are off the bus."""
        self.on_write: Callable[[str, str], None] | None = None
        """Called with what was written where, before it has its effect; no lock is held."""
        self.mode_switch: str | None = SERIAL
        """What an interface's `add` event makes of a stick in storage mode, as udev's rule does; None: nothing."""
        self.symlink_late = False
        """Whether a port's path, udev's symlink, waits for `settle` when its tty comes back."""
        self.numbers_shift = False
        """Whether ttys come back under other numbers, as when somebody still holds the old one."""
        self._changed = threading.Condition(threading.RLock())
        self._events = 0
        self._writes: list[tuple[str, str]] = []
        self._layout = SysfsLayout(folder, self._written)
        self.path = self._layout.path
        self.hub_port = self._layout.hub_port
        for name, ids in BYSTANDERS.items():
            self._layout.add_device(name, ids)
            self._layout.add_interfaces(name, ids, None)

    def __enter__(self) -> SysfsTree:
        self._layout.watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._layout.watch.stop()
        finally:
            for device in self.devices.values():
                device.port.unplug()
                self._let_go(device)

    # --- what tests watch ---

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What was written where (path inside the tree without symlinks, text), oldest first.

        Every write that ended before is in it and has had its effect, unless `on_write` asks.
        """
        self._layout.watch.catch_up()
        return list(self._writes)

    def writes_to(self, *names: str) -> list[tuple[str, str]]:
        """Those of `writes` that treat one of these devices; a port's treat what hangs on it."""
        return [write for write in self.writes if treated(*write) in names]

    def wait_for(self, predicate: Callable[[SysfsTree], bool], timeout: float = PATIENCE) -> None:
        """Wait until `predicate(tree)`, looked at after each event, or raise AssertionError."""
        deadline = time.monotonic() + timeout
        seen = -1
        while not predicate(self):
            with self._changed:
                is_new = self._changed.wait_for(partial(self._has_news, seen), deadline - time.monotonic())
                seen = self._events
            self._layout.watch.check()
            assert is_new, f"not within {timeout} s; writes: {self._writes}"

    def _has_news(self, seen: int) -> bool:
        return self._events != seen

    # --- what the owner, the world and udev do ---

    def plug(self, stick: Stick, port: PtyPort | Path, at: str = "1-1.2", ids: str = SERIAL) -> Device:
        """Plug a stick in. From now on the tree plugs and unplugs its AT port, plugged in already or not."""
        port = port if isinstance(port, PtyPort) else PtyPort(stick, port)
        device = self.devices[at] = Device(at, ids, stick, port)
        with self._event():
            self._appear(device)
            self._configure(device, powered=True)
        return device

    def unplug(self, name: str) -> None:
        """Pull it out, or let it fall off the bus."""
        with self._event():
            self._vanish(self.devices[name])

    def replug(self, name: str, at: str | None = None) -> None:
        """By hand, on its port or another: cures all that can be cured."""
        with self._event():
            device = self.devices.pop(name)
            self._vanish(device)
            device.name = at or name
            self.devices[device.name] = device
            self._appear(device)
            self._come_back(device, Cure.REPLUG)

    def switch_mode(self, name: str, ids: str = SERIAL) -> None:
        """It leaves the bus and is another device, with this "vendor:product": what usb_modeswitch does."""
        with self._event():
            self._become(self.devices[name], ids)
            self._configure(self.devices[name], powered=False)

    def settle(self) -> None:
        """Let udev make the symlinks that `symlink_late` has kept back."""
        with self._event():
            for device in self.devices.values():
                if device.port.tty is not None:
                    device.port.link()

    def under_voltage(self, on: bool = True) -> None:
        """The alarm of the Pi's firmware."""
        with self._event():
            self.set(self.folder / "class/hwmon/hwmon1/in0_lcrit_alarm", f"{on:d}")

    def set(self, file: Path, text: str) -> None:
        """An attribute as somebody else has it; no write of ours is heard."""
        self._layout.watch.set(file, f"{text}\n")

    # --- attributes that vanish ---

    def dangle(self, name: str = "1-1.5") -> None:
        """A device that vanishes while the bus is read: its link is there, its folder is not."""
        self._layout.link_without_folder(name)

    def unreadable(self, name: str, attribute: str) -> None:
        """An attribute that vanishes after a look: it exists, but opening it is an OSError (EISDIR, not ENODEV)."""
        file = self.path(name) / attribute
        file.unlink()
        file.mkdir()

    @contextlib.contextmanager
    def flickering(self, name: str) -> Iterator[None]:
        """A device whose folder goes and comes back all the time: readers meet each half-way state."""
        ends = threading.Event()
        thread = threading.Thread(target=self._flicker, args=(name, ends), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()

    def _flicker(self, name: str, ends: threading.Event) -> None:
        folder, away = self.path(name), self._layout.aside / f"{name}-away"
        while not ends.wait(0.0002):
            with self._changed:
                if folder.exists():
                    folder.rename(away)
                    ends.wait(0.0002)
                    away.rename(folder)

    # --- writes and their effects ---

    def _written(self, file: Path) -> None:
        where = str(file.relative_to(self.folder))
        with self._changed:
            text = self._layout.taken(file)
            self._writes.append((where, text))
        if self.on_write is not None:
            self.on_write(where, text)
        with self._event():
            device = self.devices.get(treated(where, text))
            if device is not None:
                self._take_effect(device, file, text)

    def _take_effect(self, device: Device, file: Path, text: str) -> None:
        match file.name, text:
            case "authorized", ("0" | "1"):
                self._authorize(device, text == "1")
            case ("bind" | "unbind"), device.name:
                self._bind(device, file.name == "bind")
            case "disable", "1":
                self._vanish(device)
                device.cut = True
                self.set(file, "0")  # vhci's hub does not own up to it
            case "disable", "0" if device.cut:
                device.cut = False
                self._appear(device)
                self._come_back(device, Cure.POWER)
            case "uevent", "add" if device.ids == STORAGE and self.mode_switch and ":" in file.parent.name:
                self.switch_mode(device.name, self.mode_switch)

    def _authorize(self, device: Device, on: bool) -> None:
        """usb_authorize_device and usb_deauthorize_device, drivers/usb/core/hub.c."""
        if device.authorized != on:
            device.authorized = on
            self._configure_anew(device, Cure.AUTHORIZE)

    def _bind(self, device: Device, on: bool) -> None:
        """usb_generic_driver_probe and usb_generic_driver_disconnect, drivers/usb/core/generic.c."""
        if device.bound != on and device.on_bus:
            device.bound = on
            self._layout.set_driver(device.name, on)
            self._configure_anew(device, Cure.AUTHORIZE)

    def _configure_anew(self, device: Device, by: Cure) -> None:
        """Only a device that is both authorized and bound has interfaces."""
        if device.authorized and device.bound:
            self._come_back(device, by)
        else:
            self._deconfigure(device)

    def _come_back(self, device: Device, by: Cure) -> None:
        """Enumerated again: cured by that or not, and perhaps not what it was."""
        device.stick.faults.cure(by)
        if device.deaf_until is not None and by >= device.deaf_until:
            device.deaf_until = None
        if device.comes_back_as is not None:
            self._become(device, device.comes_back_as)
            device.comes_back_as = None
        if device.deaf_until is None:
            self._configure(device, powered=by < Cure.POWER)

    # --- a device's states ---

    def _appear(self, device: Device) -> None:
        device.on_bus = device.authorized = device.bound = True
        self._layout.add_device(device.name, device.ids)

    def _vanish(self, device: Device) -> None:
        """Off the bus, folder and all."""
        if device.on_bus:
            self._deconfigure(device)
            self._layout.remove_device(device.name)
            device.on_bus = False

    def _become(self, device: Device, ids: str) -> None:
        self._vanish(device)
        device.ids = ids
        self._appear(device)

    def _configure(self, device: Device, *, powered: bool) -> None:
        """Interfaces come, then the tty, which first has a number and then a path."""
        if device.ids in (STORAGE, HILINK):
            device.port.unplug()
        elif device.port.tty is None:
            device.port.plug(powered=powered, linked=False)
        is_held = device.old_tty is not None
        self._layout.add_interfaces(device.name, device.ids, device.port.tty, skip=int(is_held))
        if device.port.tty is not None and not self.symlink_late:
            device.port.link()
        self._let_go(device)

    def _deconfigure(self, device: Device) -> None:
        """Interfaces and ttys go, whoever holds the port is hung up."""
        self._let_go(device)
        if self.numbers_shift and device.port.tty is not None:
            device.old_tty = os.open(device.port.tty, os.O_RDWR | os.O_NOCTTY)
        device.port.unplug()
        self._layout.remove_interfaces(device.name)

    def _let_go(self, device: Device) -> None:
        if device.old_tty is not None:
            os.close(device.old_tty)
            device.old_tty = None

    @contextlib.contextmanager
    def _event(self) -> Iterator[None]:
        with self._changed:
            yield
            self._events += 1
            self._changed.notify_all()
