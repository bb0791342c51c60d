# SPDX-License-Identifier: GPL-2.0-or-later
"""make test-chroot: the life of an installation in fresh Debian systems, by the README's commands.

Each system is debootstrap's, "minimal" as that makes it or "lite" with what of Raspberry Pi OS Lite matters here. It
is kept in .chroots/ for the next time. What is left over is found by comparing two copies: one in which homesim was
installed and removed, and one that has got the same Debian packages and nothing else.

Two systems are of other architectures, by qemu-user, which is many times slower: they run the quick tests only.
HOMESIM_CHROOTS names other systems, as "trixie-minimal-arm64", for all that is here.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from install.chroot import APT, DEVICES, Chroot, base, difference, host
from rig import ROOT

NATIVE = host("dpkg", "--print-architecture").strip()
DEFAULT = " ".join(f"{release}-{kind}-{NATIVE}" for release in ("bookworm", "trixie") for kind in ("minimal", "lite"))
FOREIGN = ("trixie-minimal-arm64", "bookworm-minimal-armhf")  # a Pi's; qemu-user runs them, where it is registered
ASKED = os.environ.get("HOMESIM_CHROOTS", "").split()
SYSTEMS = ASKED or DEFAULT.split()
SUITES = [*(system for system in SYSTEMS if "minimal" in system), *(() if ASKED else FOREIGN)]
EMULATORS = {"arm64": "aarch64", "armhf": "arm", "amd64": "x86_64"}  # as Debian and as qemu name them


@pytest.fixture(params=SYSTEMS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chroot]:
    """A system with a checkout."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    arch = request.param.rpartition("-")[2]
    if arch != NATIVE and not Path("/proc/sys/fs/binfmt_misc", f"qemu-{EMULATORS[arch]}").exists():
        pytest.skip(f"needs qemu-user for {arch}")
    system = base(request.param, tmp_path / "pi")
    system.run(f"{APT} update && {APT} install -y git make")  # the README's first step
    source = system.path("home/pi/homesim")
    for name in host("git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    host("chown", "-R", "1000:1000", str(system.path("home/pi")))  # pi's, with sudo
    yield system
    host("rm", "-rf", "--one-file-system", str(tmp_path))


def test_the_life_of_an_installation(fresh: Chroot, tmp_path: Path) -> None:
    pi, twin = fresh, fresh.copy(tmp_path / "twin")
    started = time.monotonic()
    said = pi.make("install")
    print(f"\ninstall: {time.monotonic() - started:.1f} s")
    assert "now run: sudo homesim-setup" in said
    [asked] = re.findall(r"asking apt for(.*)", said)
    print(f"packages:{asked}")
    assert "python3-gammu" in asked
    twin.run(f"{APT} update && {APT} install -y --no-install-recommends {asked}")
    check_that_it_works(pi)

    once = pi.listing()
    said = pi.make("install")
    assert "apt" not in said
    assert difference(once, pi.listing()) == {}

    check_cron(pi)

    pi.path("var/lib/homesim/home/new/20261122T120000-a").write_text("an SMS")  # in the spool that runs have made
    assert "/var/lib/homesim stays, with 1 SMS" in pi.make("uninstall")
    left = difference(twin.listing(), pi.listing())
    assert {"etc/homesim/config.toml", "var/lib/homesim/home/new/20261122T120000-a"} <= left.keys()
    assert {name for name in left if not re.match("(etc|var/lib)/homesim(/|$)", name)} == set()

    assert "CONFIRM=yes" in pi.make("purge", code=2)
    pi.make("purge CONFIRM=yes")
    assert difference(twin.listing(), pi.listing()) == {}


def test_what_udev_and_usb_modeswitch_make_of_it(fresh: Chroot) -> None:
    """The distribution's own programs, on sticks whose sysfs is umockdev's."""
    fresh.run(f"{APT} install -y --no-install-recommends udev umockdev")
    fresh.make("install")
    check_names(fresh)
    # From here on the dispatcher's and install's choice is what counts: the program that they call would look for a
    # real stick, for 20 s. A stick that it is to switch with -X becomes 155e, as a real one is hoped to.
    switch = 'case "$*" in *" -X") echo 155e >/sys/bus/usb/devices/1-1/idProduct ;; esac'
    fresh.path("usr/sbin/usb_modeswitch").write_text(f'#!/bin/sh\necho "$@" | tee -a /tmp/called\n{switch}\n')
    check_mode_switch(fresh)
    check_hilink(fresh)


@pytest.mark.parametrize("fresh", SUITES, indirect=True)
def test_the_suite_passes_with_the_distribution_s_python(fresh: Chroot) -> None:
    """`make test-quick` without its .venv: the packages that a Pi has, and pytest of the same release."""
    tools = "python3-pytest python3-pytest-xdist python3-hypothesis strace procps"
    fresh.make("install")
    fresh.run(f"{APT} install -y --no-install-recommends {tools}")
    suite = "cd /home/pi/homesim && python3 -m pytest -q -p no:cacheprovider -n auto -m 'not slow'"
    print(fresh.run(f"{DEVICES}; {suite}").splitlines()[-1])


def device(path: str, subsystem: str, attributes: str = "", **properties: str) -> str:
    """A device as umockdev wants it described."""
    lines = [f"P: {path}", f"E: SUBSYSTEM={subsystem}", *(f"E: {name}={value}" for name, value in properties.items())]
    return "\n".join([*lines, *(f"A: {attribute}\\n" for attribute in attributes.split())]) + "\n\n"


BUS = "/devices/pci0000:00/usb1"


def stick(port: str, first: int, vendor: str, product: str, interface_class: str = "ff") -> str:
    """A stick in a USB port: `ttyUSBn` from `first` on, or its storage when the class is 08."""
    ids = f"idVendor={vendor} idProduct={product} manufacturer=HUAWEI product=x bDeviceClass=00 busnum=1 devnum=2"
    configuration = "bNumConfigurations=1 bConfigurationValue=1"
    text = device(f"{BUS}/{port}", "usb", f"{ids} {configuration}", DEVTYPE="usb_device")
    for number in range(1 if interface_class == "08" else 3):
        interface, tty = f"{BUS}/{port}/{port}:1.{number}", f"ttyUSB{first + number}"
        attributes = f"bInterfaceNumber={number:02} bInterfaceClass={interface_class} bInterfaceSubClass=06"
        text += device(interface, "usb", f"{attributes} bInterfaceProtocol=50", DEVTYPE="usb_interface")
        if interface_class == "ff":
            text += device(f"{interface}/{tty}", "usb-serial", "port_number=0")
            properties = {"DEVNAME": f"/dev/{tty}", "MAJOR": "188", "MINOR": str(first + number)}
            text += device(f"{interface}/{tty}/tty/{tty}", "tty", f"dev=188:{first + number}", **properties)
    return text


SERIAL = "1001 1003 1406 140c 1436 1442 1465 14ac 14c9 14cf 1506 155e 1c05 1c07 1c10"


def check_names(pi: Chroot) -> None:
    sticks = {f"12d1:{product}": f"1-1.{number}" for number, product in enumerate(SERIAL.split(), 1)}
    sticks |= {"3566:2001": "1-2", "0403:6001": "1-3"}  # the last is no stick of ours
    bus = device(BUS, "usb", "idVendor=1d6b idProduct=0002", DEVTYPE="usb_device")
    for number, (ids, port) in enumerate(sticks.items()):
        bus += stick(port, 3 * number, *ids.split(":"))
    pi.path("tmp/bus").write_text(bus)

    def udev(action: str, path: str) -> str:
        return pi.run(f"umockdev-run -d /tmp/bus -- udevadm test --action={action} /sys{BUS}/{path} 2>&1")

    def links(action: str, port: str, first: int, number: int) -> set[str]:
        tty = f"ttyUSB{first + number}"
        said = udev(action, f"{port}/{port}:1.{number}/{tty}/tty/{tty}")
        [names] = re.findall(r"^ *DEVLINKS=(.*)", said, re.MULTILINE) or [""]
        return {name for name in names.split() if "sms" in name}

    for first, (ids, port) in enumerate(sticks.items()):
        ours = {"/dev/sms", f"/dev/sms-{port}"} if port != "1-3" else set()
        assert links("change", port, 3 * first, 0) == ours, ids
        assert ("ID_MM_DEVICE_IGNORE=1" in udev("add", port)) == bool(ours), ids
    for action in ("add", "bind", "change"):
        assert links(action, "1-1.1", 0, 0) == {"/dev/sms", "/dev/sms-1-1.1"}
        assert links(action, "1-1.1", 0, 1) == links(action, "1-1.1", 0, 2) == set()
    assert "new_id" in udev("add", "1-2/1-2:1.0")
    assert "new_id" not in udev("unbind", "1-2/1-2:1.0") + udev("add", "1-1.1/1-1.1:1.0") + udev("add", "1-2")


# What usb_modeswitch sends to a stick in storage mode: alternative to those that would become HiLink routers, to the
# others what its own data says.
MESSAGES = {"1f01": "Alt", "157d": "Alt", "1446": "New", "14fe": "New", "15ca": "New", "1c0b": "New", "1520": "New"}


def check_mode_switch(pi: Chroot) -> None:
    pi.run("sed -i s/EnableLogging=0/EnableLogging=1/ /etc/usb_modeswitch.conf")

    def message(product: str) -> str:
        pi.path("tmp/bus").write_text(stick("1-1", 0, "12d1", product, interface_class="08"))
        pi.run("umockdev-run -d /tmp/bus -- timeout 60 usb_modeswitch_dispatcher --switch-mode 1-1 >/dev/null 2>&1")
        log = pi.path("var/log/usb_modeswitch_1-1").read_text()
        return ",".join(re.findall(r"^Huawei(\w+)Mode=1", log, re.MULTILINE))

    assert {product: message(product) for product in MESSAGES} == MESSAGES
    # With a file that its owner changed, the new one is beside it and not used.
    own = pi.path("etc/usb_modeswitch.d/12d1:1f01")
    own.write_text(own.read_text().replace("HuaweiAltMode", "HuaweiNewMode"))
    pi.make("install")
    assert pi.path(f"{own.relative_to(pi.root)}.dpkg-dist").exists()
    assert message("1f01") == "New"


def check_hilink(pi: Chroot) -> None:
    """A stick that is in HiLink mode as install runs: one with a storage interface is switched."""
    for product, interface_class, said, called in (
        ("14db", "02", "(12d1:14db): pull it out", ""),
        ("14dc", "08", "switching 12d1:14dc", "-v 12d1 -p 14dc -i 0 -X\n"),
        ("155e", "ff", "", ""),
    ):
        bus = device(BUS, "usb", "idVendor=1d6b idProduct=0002", DEVTYPE="usb_device")
        pi.path("tmp/bus").write_text(bus + stick("1-1", 0, "12d1", product, interface_class))
        pi.path("tmp/called").write_text("")
        told = pi.run("cd /home/pi/homesim && umockdev-run -d /tmp/bus -- make install 2>&1")
        assert said in told
        assert ("HiLink" in told, "pull it out" in told) == (bool(said), product == "14db")
        assert pi.path("tmp/called").read_text() == called


def check_that_it_works(pi: Chroot) -> None:
    """All that a system without a stick can show: the program starts, finds its packages and its configuration."""
    assert "homesim" in pi.run("homesim-poll --version")
    assert "/dev/sms: no such device" in pi.run("homesim-poll --linger 0", code=75)
    pi.run("/usr/bin/python3 -c 'import gammu, requests, filelock'")
    assert stat.S_IMODE(pi.path("etc/homesim/config.toml").stat().st_mode) == 0o600
    if pi.path("usr/bin/udevadm").exists() and "verify" in pi.run("udevadm --help"):  # not bookworm's
        pi.run("udevadm verify /etc/udev/rules.d/78-homesim.rules")


def check_cron(pi: Chroot) -> None:
    """Debian's cron takes the file as it is, and runs what it says as root."""
    logger = pi.path("usr/local/sbin/logger")  # where cron.d/homesim's PATH looks first
    logger.write_text('#!/bin/sh\n{ echo "$@"; cat; } >/tmp/logged.part && mv /tmp/logged.part /tmp/logged\n')
    logger.chmod(0o755)
    pi.run("timeout -k 5 150 sh -c 'cron -f & while [ ! -s /tmp/logged ]; do sleep 0.2; done'")
    logged = pi.path("tmp/logged").read_text()
    assert logged.startswith("-t homesim\n")
    assert "/dev/sms: no such device" in logged
    logger.unlink()
