# SPDX-License-Identifier: GPL-2.0-or-later
"""The stand-in for /sys: what is written has the effect that a kernel gives it, and is told."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Cure, Stick
from emulators.sysfs.layout import treated
from emulators.sysfs.tree import BYSTANDERS, SERIAL, STORAGE, Device, SysfsTree

WHERE = "devices/platform/soc/usb1/1-1"


@pytest.fixture
def stick() -> Stick:
    return Stick()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[SysfsTree]:
    with SysfsTree(tmp_path / "sys") as tree:
        yield tree


@pytest.fixture
def port(stick: Stick, tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(stick, tmp_path / "sms") as port:
        yield port


@pytest.fixture
def device(tree: SysfsTree, stick: Stick, port: PtyPort) -> Device:
    return tree.plug(stick, port)


def on_bus(tree: SysfsTree) -> dict[str, str]:
    """Devices and their ids, as a program finds them."""
    found = {}
    for folder in (tree.folder / "bus/usb/devices").iterdir():
        if (folder / "idVendor").exists():
            found[folder.name] = ":".join((folder / name).read_text().strip() for name in ("idVendor", "idProduct"))
    return found


def device_of(tree: SysfsTree, path: Path) -> str:
    """The USB device of a tty, found as a program finds it: by its number, then up."""
    number = os.stat(path).st_rdev
    folder = (tree.folder / "dev/char" / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    while not (folder / "idVendor").exists():
        folder = folder.parent
    return folder.name


def write(tree: SysfsTree, file: Path | str, text: str) -> None:
    """Write to an attribute that is there, and wait for the effect."""
    with open(tree.folder / file, "r+") as attribute:
        attribute.write(text)
    assert tree.writes[-1][1] == text.strip()


def reset(tree: SysfsTree, by: Cure) -> None:
    """The two writes that treat 1-1.2."""
    folder = tree.folder / "bus/usb/devices/1-1.2"
    if by is Cure.AUTHORIZE:
        steps = [(folder / "authorized", "0"), (folder / "authorized", "1")]
    else:
        port = (folder / "port").resolve(strict=True)
        steps = [(port / "disable", "1"), (port / "disable", "0")]
    for file, text in steps:
        write(tree, file, text)


def said(port: PtyPort) -> bytes:
    """All that a program reads from the port up to the answer to AT."""
    fd = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    os.write(fd, b"AT\r")
    got = b""
    while not got.endswith(b"\r\nOK\r\n"):
        got += os.read(fd, 4096)
    os.close(fd)
    return got


RESETS = [Cure.AUTHORIZE, Cure.POWER]


def test_a_program_finds_the_stick_and_its_neighbours(tree: SysfsTree, device: Device, port: PtyPort) -> None:
    assert on_bus(tree) == {**BYSTANDERS, "1-1.2": SERIAL}
    assert device_of(tree, port.path) == device.name
    interfaces = sorted((tree.path("1-1.2")).glob("1-1.2:*"))
    assert [(i / "bInterfaceClass").read_text() for i in interfaces] == ["ff\n", "ff\n", "ff\n", "02\n", "0a\n"]
    assert sorted(os.listdir(tree.folder / "class/tty")) == ["ttyUSB0", "ttyUSB1", "ttyUSB2"]
    assert (tree.path("1-1.2") / "port").resolve() == tree.hub_port("1-1.2")
    assert (tree.hub_port("1-1.2") / "device").resolve() == tree.path("1-1.2")
    assert (tree.path("1-1") / "port/disable").read_text() == "0\n"
    assert [link for link in tree.folder.rglob("*") if link.is_symlink() and not link.exists()] == []
    assert tree.writes == []


def test_deauthorized_the_device_stays_and_its_tty_goes(tree: SysfsTree, device: Device, port: PtyPort) -> None:
    holder = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
    tty_number = os.stat(port.path).st_rdev
    write(tree, "bus/usb/devices/1-1.2/authorized", "0")
    assert on_bus(tree)["1-1.2"] == device.ids
    assert list(tree.path("1-1.2").glob("1-1.2:*")) == []
    assert os.listdir(tree.folder / "dev/char") == os.listdir(tree.folder / "class/tty") == []
    assert not port.path.is_symlink()
    assert os.read(holder, 1) == b""
    write(tree, "bus/usb/devices/1-1.2/authorized", "1\n")
    assert device_of(tree, port.path) == "1-1.2"
    assert os.stat(port.path).st_rdev != tty_number, "the old one is still held"
    assert tree.writes == [(f"{WHERE}/1-1.2/authorized", "0"), (f"{WHERE}/1-1.2/authorized", "1")]
    os.close(holder)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("bus/usb/devices/1-1.2/authorized", "1"),
        ("bus/usb/devices/1-1.2/authorized", "2"),
        ("bus/usb/drivers/usb/bind", "1-1.2"),
        ("bus/usb/drivers/usb/unbind", "1-1.3"),
        ("bus/usb/drivers/option/unbind", "1-1.2:1.0"),
        ("bus/usb/devices/1-1.2/port/disable", "0"),
        ("bus/usb/devices/1-1.2:1.0/uevent", "add"),
    ],
)
def test_what_changes_nothing(tree: SysfsTree, device: Device, stick: Stick, file: str, text: str) -> None:
    tty = device.port.tty
    stick.faults.freeze()
    write(tree, file, text)
    assert (device.port.tty, stick.faults.frozen, device.on_bus) == (tty, True, True)


@pytest.mark.parametrize("by", RESETS)
def test_only_a_power_cut_restarts_the_stick(tree: SysfsTree, device: Device, by: Cure) -> None:
    reset(tree, by)
    assert said(device.port).startswith(b"\r\n^BOOT:") == (by is Cure.POWER)


@pytest.mark.parametrize("until", [*RESETS, Cure.REPLUG, Cure.NEVER])
@pytest.mark.parametrize("by", [*RESETS, Cure.REPLUG])
def test_frozen_until_something_as_strong(
    tree: SysfsTree, device: Device, stick: Stick, until: Cure, by: Cure
) -> None:
    stick.faults.freeze(until)
    tree.replug("1-1.2") if by is Cure.REPLUG else reset(tree, by)
    assert device.port.tty is not None
    assert stick.faults.frozen == (by < until)


def test_no_rule_no_mode_switch(tree: SysfsTree, device: Device) -> None:
    device.comes_back_as = STORAGE
    reset(tree, Cure.AUTHORIZE)
    for rule, ids in ((None, STORAGE), (SERIAL, SERIAL)):
        tree.mode_switch = rule
        write(tree, "bus/usb/devices/1-1.2:1.0/uevent", "add")
        assert on_bus(tree)["1-1.2"] == ids


def test_what_was_treated(tree: SysfsTree, device: Device) -> None:
    reset(tree, Cure.AUTHORIZE)
    reset(tree, Cure.POWER)
    assert len(tree.writes_to(device.name)) == 4
    assert tree.writes_to(*BYSTANDERS) == []
    write(tree, "bus/usb/devices/1-1/authorized", "0")
    write(tree, tree.hub_port("1-1.4") / "disable", "1")
    write(tree, tree.hub_port("1-1") / "disable", "1")
    write(tree, "bus/usb/drivers/usb/unbind", "usb1")
    write(tree, "bus/usb/drivers/usb-storage/unbind", "1-1.4:1.0")
    assert [treated(*write) for write in tree.writes_to(*BYSTANDERS)] == ["1-1", "1-1.4", "1-1", "usb1", "1-1.4"]


def test_the_hook_comes_before_the_effect(tree: SysfsTree, device: Device) -> None:
    seen = []
    tree.on_write = lambda where, text: seen.append((where, text, device.port.tty is None, len(tree.writes)))
    reset(tree, Cure.AUTHORIZE)
    assert seen == [(f"{WHERE}/1-1.2/authorized", "0", False, 1), (f"{WHERE}/1-1.2/authorized", "1", True, 2)]


def test_a_hook_that_fails_fails_the_test(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path / "sys").__enter__()
    tree.on_write = lambda *_: print(1 / 0)
    (tree.path("1-1") / "authorized").write_text("0")
    with pytest.raises(ZeroDivisionError):
        assert tree.writes
    with pytest.raises(ZeroDivisionError):
        tree.__exit__()


def test_what_does_not_come_is_told(tree: SysfsTree) -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.01 s; writes: \[\]"):
        tree.wait_for(lambda tree: bool(tree.writes), timeout=0.01)


def test_attributes_that_vanish(tree: SysfsTree, device: Device) -> None:
    tree.dangle("1-1.5")
    assert "1-1.5" in os.listdir(tree.folder / "bus/usb/devices")
    assert "1-1.5" not in on_bus(tree)
    tree.unreadable("1-1.4", "idVendor")
    assert (tree.path("1-1.4") / "idVendor").exists()
    with pytest.raises(IsADirectoryError):
        on_bus(tree)
    seen: set[bool] = set()
    file = tree.path("1-1.2") / "idVendor"
    with tree.flickering(device.name):
        while len(seen) < 2:
            seen.add(file.exists())
        while device.port.tty is not None:
            with contextlib.suppress(FileNotFoundError):
                (tree.path("1-1.2") / "authorized").write_text("0")
            assert {text for _, text in tree.writes} <= {"0"}
    assert file.exists()
