# SPDX-License-Identifier: GPL-2.0-or-later
"""A healthy Pi for homesim-doctor: a rig, and beside it a folder that stands for the root of its system.

Its files are what a Debian with homesim on it has. Stick, port, Bot API and configuration are the rig's; sysfs is
a few files here, whose tty is the emulated stick's pty (136:N instead of 188:N). What is assumed of dpkg's status,
/proc and sysfs is written below, and nowhere else in these tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Stick
from homesim.process import boottime
from homesim.stick.status import Status
from patience import PATIENCE
from rig import BIN, ROOT, Rig

PROGRAM = (
    "import sys; from pathlib import Path; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1]); "
    "from homesim.doctor.main import main; main(sys.argv[3:], root=Path(sys.argv[2]))"
)
PACKAGES = ("python3-gammu", "python3-requests", "python3-filelock", "usb-modeswitch", "cron")
# Commands of a cure that can be carried out on files and processes here.
CARRIED = r"sudo (?:rm|mv|chmod|chown|sed|kill|mount) .*|echo 1? ?\| sudo tee (?:-a )?\S+"
STATION, POLL = "1-1.2", "`sudo homesim-poll --linger 0`"


class System:
    """Use it with a Rig that is entered; healthy until a test breaks it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.root = rig.folder / "root"
        self.sysfs = self.root / "sys"
        self.port = rig.port.path
        self.stick = self.sysfs / "bus/usb/devices" / STATION
        rig.config = self.root / "etc/homesim/config.toml"
        self._distribution()
        self.install()
        self.plug()
        self.configure()
        self.ran()

    def write(self, path: str, text: str = "") -> Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def _distribution(self) -> None:
        self.write("/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n')
        self.packages(*PACKAGES)
        self.write("/dev/kmsg")
        self.mounted()
        self.process(1, "systemd")
        self.process(300, "cron")
        self.write("/run/systemd/timesync/synchronized")
        (self.root / "dev/sms").unlink(missing_ok=True)
        (self.root / "dev/sms").symlink_to(self.port)

    def packages(self, *names: str) -> None:
        """dpkg's list; the others are removed but for their configuration."""
        states = {name: "install ok installed" if name in names else "deinstall ok config-files" for name in PACKAGES}
        entries = [f"Package: {name}\nStatus: {state}\nVersion: 1\n" for name, state in states.items()]
        self.write("/var/lib/dpkg/status", "\n".join(entries))

    def mounted(self) -> None:
        """The state is on the card, whatever / is."""
        self.write("/proc/mounts", f"/dev/mmcblk0p2 {self.rig.folder} ext4 rw,noatime 0 0\noverlay / overlay rw 0 0\n")

    def process(self, pid: int, name: str, *files: object) -> None:
        self.write(f"/proc/{pid}/comm", f"{name}\n")
        folder = self.root / f"proc/{pid}/fd"
        folder.mkdir(exist_ok=True)
        for number, file in enumerate(files):
            (folder / str(number)).symlink_to(os.path.realpath(str(file)))

    def end(self, pid: int) -> None:
        shutil.rmtree(self.root / f"proc/{pid}")

    def install(self) -> None:
        command = ["make", "-s", "-C", str(ROOT), "install", f"DESTDIR={self.root}"]
        subprocess.run(command, check=True, capture_output=True)

    def plug(self, ids: str = "12d1:155e", place: str = STATION, *, interface: str = "ff", ttys: int = 3) -> None:
        """A stick on the bus. The first tty is the rig's port, if that is plugged in."""
        folder = self.sysfs / "bus/usb/devices" / place
        shutil.rmtree(folder, ignore_errors=True)
        vendor, product = ids.split(":")
        for name, text in {"idVendor": vendor, "idProduct": product, "authorized": "1", "bDeviceClass": "00"}.items():
            self.write(f"{folder.relative_to(self.root)}/{name}", f"{text}\n")
        for number in range(max(1, ttys)):
            self.write(f"{folder.relative_to(self.root)}/{place}:1.{number}/bInterfaceClass", f"{interface}\n")
            if ttys:
                (folder / f"{place}:1.{number}" / f"ttyUSB{number}").mkdir()
        if ttys and place == STATION and self.rig.port.path.exists():
            tty = self.rig.port.path.stat().st_rdev
            link = self.sysfs / f"dev/char/{os.major(tty)}:{os.minor(tty)}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(folder / f"{place}:1.0/ttyUSB0")
        self.write("/sys/class/hwmon/hwmon0/name", "rpi_volt\n")
        self.voltage(low=False)

    def unplug(self, place: str = STATION) -> None:
        shutil.rmtree(self.sysfs / "bus/usb/devices" / place)

    def lock(self, pin: str) -> None:
        """Another stick in the same place, whose SIM asks for its PIN."""
        self.rig.port.unplug()
        self.rig.stick = Stick("E3372", pin=pin)
        self.rig.port = PtyPort(self.rig.stick, self.port)
        self.rig.port.plug()
        self.plug()

    def voltage(self, *, low: bool) -> None:
        self.write("/sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n" if low else "0\n")

    def configure(self, **tables: str) -> None:
        self.rig.config.parent.mkdir(parents=True, exist_ok=True)
        self.rig.configure(more=f'sysfs = "{self.sysfs}"\n' + tables.pop("more", ""), **tables)

    def ran(self, ago: float = 0.0, **fields: object) -> None:
        """homesim-poll was here."""
        self.rig.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.rig.run_folder.mkdir(mode=0o700, exist_ok=True)
        status = Status(self.rig.run_folder, "home")
        status.set(error="")
        status.set(**fields)
        status.write(at_once=True)
        file = self.rig.run_folder / "home.json"
        times = {"updated_boottime": boottime() - ago, "answered_boottime": boottime() - ago}
        file.write_text(json.dumps(json.loads(file.read_text()) | times))

    def doctor(self, *arguments: str, wrap: tuple[str, ...] = (), **options: Any) -> subprocess.CompletedProcess[str]:
        """Run homesim-doctor on this system."""
        command = [*wrap, self.rig.python, "-c", PROGRAM, str(BIN.parent / "lib"), str(self.root), *arguments]
        if "--config" not in arguments:
            command += ["--config", str(self.rig.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)

    def findings(self, *arguments: str, wrap: tuple[str, ...] = (), **options: Any) -> list[dict[str, Any]]:
        run = self.doctor("--json", *arguments, wrap=wrap, **options)
        assert run.stderr == ""
        report = json.loads(run.stdout)
        findings: list[dict[str, Any]] = report["findings"]
        assert report["ok"] == (run.returncode == 0) == all(finding["ok"] is not False for finding in findings)
        assert run.returncode in (0, 75)
        return findings

    def carry_out(self, cure: str) -> None:
        """The commands of a cure as they are printed: files of the system below our root, and no sudo."""
        done = 0
        for command in re.findall(r"`([^`]+)`", cure):
            if command == POLL.strip("`"):
                assert self.rig.poll().returncode == 0
            elif re.fullmatch(CARRIED, command):
                ours = rf"(?<![\w/.])(?!{self.rig.folder})/(?=(?:etc|sys|gammu|reset)\b)"
                here = re.sub(ours, f"{self.root}/", command)
                subprocess.run(["sh", "-ec", here.replace("sudo ", "")], check=True, stdout=subprocess.DEVNULL)
            elif command == "sudo make install":
                self.install()
            else:
                continue
            done += 1
        assert done, f"nothing of this can be carried out here: {cure}"


def first_bad(findings: list[dict[str, Any]]) -> dict[str, Any]:
    return next(finding for finding in findings if finding["ok"] is False)

