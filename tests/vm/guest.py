# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian guest under QEMU: started, snapshot, resumed, its plug pulled.

The disk is an overlay that is thrown away with the guest. What runs in the guest is ordered from its agent (agent.py),
over a virtio port, which works from early in the boot on and goes on after a resume.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QEMU = "qemu-system-x86_64"
HOST = "10.0.2.2"  # this machine's loopback, as the guest sees it: QEMU's user network
BOOT = 400.0  # seconds at most; TCG on a busy machine is slow
PATIENCE = 300.0  # seconds for QEMU to save or load all memory


@dataclass(frozen=True)
class Result:
    """A command that ended in the guest."""

    status: int
    stdout: str
    stderr: str


class Guest:
    """One virtual machine. Use it as a context manager; `boot` first."""

    def __init__(self, image: Path, disk: Path | None = None, memory: int = 512) -> None:
        """Given what tests/vm/image left in a folder, and what another guest's `keep` left; memory in MiB."""
        self._image = image
        self._memory = memory
        self._folder = Path(tempfile.mkdtemp(prefix="homesim-vm-"))
        self._disk = self._folder / "disk.qcow2"
        self._qemu: subprocess.Popen[bytes] | None = None
        if disk:
            shutil.copyfile(disk, self._disk)
        else:
            base = ["-b", str(image.resolve() / "disk"), "-F", "raw"]
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *base, str(self._disk)], check=True)

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *error: object) -> None:
        self.cut_power()
        shutil.rmtree(self._folder)

    # --- its life ---

    def boot(self, snapshot: str = "") -> None:
        """Power on; returns when the agent is there, which is before cron is. Or begin with a snapshot."""
        console = (self._folder / "console").open("ab")
        command = ["setpriv", "--pdeathsig", "KILL", QEMU, *accelerator(self._image), *self._machine()]
        command += ["-S"] if snapshot else []  # the agent's port must be connected when it wakes
        self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        console.close()
        self._monitor = _Monitor(_connect(self._folder / "qmp", self._qemu))
        self._agent = _Agent(_connect(self._folder / "agent", self._qemu))
        if snapshot:
            self._monitor.human(f"loadvm {snapshot}")
            self._monitor.human("cont")
        else:
            self._agent.wait_for_answer(0, BOOT)

    def wait_until_up(self) -> None:
        """Return when the boot is over and cron runs."""
        self.run("systemctl is-system-running --wait || systemctl --failed", timeout=BOOT)
        self.check("systemctl is-active cron")

    def cut_power(self) -> None:
        """As a mains failure: nothing is written back, nobody is asked. Idempotent."""
        if self._qemu is None:
            return
        self.kill()
        self._qemu.wait()
        self._monitor.close()
        self._agent.close()
        self._qemu = None

    def kill(self) -> None:
        """The part of `cut_power` that any thread may do."""
        if self._qemu:
            self._qemu.kill()

    def save(self, name: str) -> None:
        """A snapshot of memory and disk, for `resume`."""
        self._monitor.human(f"savevm {name}")

    def keep(self, path: Path) -> None:
        """Power off, and leave the disk with its snapshots to other guests."""
        self.cut_power()
        shutil.move(self._disk, path)

    def resume(self, name: str) -> None:
        """Go on from a snapshot, 8 s before cron's next minute by the guest's clock, which is less than a minute off.

        Connections over the network are gone.
        """
        self._monitor.human(f"loadvm {name}")
        minute = time.time() // 60 * 60
        self.check(f"date -s @{minute + 52:.0f} && systemctl restart cron")

    def console(self) -> str:
        """What the kernel and systemd said on the serial console."""
        return (self._folder / "console").read_text(errors="replace")

    # --- what is done in it ---

    def run(self, command: str, *, stdin: str = "", timeout: float = 60) -> Result:
        """A shell command, as root. Status 124 when it did not end in time."""
        try:
            return self._agent.ask({"run": command, "stdin": stdin, "timeout": timeout}, timeout + 30)
        except TimeoutError as error:
            raise TimeoutError(f"{command}: {error}; the console's end: {self.console()[-2000:]}") from None

    def check(self, command: str, *, stdin: str = "", timeout: float = 60) -> str:
        """The output of a shell command that must succeed."""
        result = self.run(command, stdin=stdin, timeout=timeout)
        assert result.status == 0, f"{command}: exit {result.status}: {result.stdout}{result.stderr}"
        return result.stdout

    def attach(self, hub_port: int, device: int, speed: int, port: int) -> None:
        """Plug in the USB/IP device that listens on this machine's `port`.

        Raise OSError, also when the kernel is not done with the one before: vhci-hcd would take the new for the old.
        """
        before = f"/sys/bus/usb/devices/1-{hub_port + 1}"
        if self.run(f"test -e {before}").status == 0:
            raise OSError(f"{before} is still there")
        result = self._agent.ask({"attach": [hub_port, device, speed], "tcp": [HOST, port]}, 60)
        if result.status:
            raise OSError(result.stderr)

    def wait_for(self, command: str, timeout: float = 120) -> str:
        """The output of a shell command, once it succeeds: sysfs and the spool have no event out here."""
        deadline = time.monotonic() + timeout
        while (result := self.run(command)).status != 0:
            assert time.monotonic() < deadline, f"not within {timeout} s: {command}: {result.stdout}{result.stderr}"
            time.sleep(0.3)
        return result.stdout

    def _machine(self) -> list[str]:
        kernel = ["-kernel", self._image / "vmlinuz", "-initrd", self._image / "initrd"]
        quiet = "console=ttyS0 root=/dev/vda rw quiet systemd.show_status=0 net.ifnames=0 mitigations=off"
        disk = f"file={self._disk},if=virtio,cache=writeback,discard=unmap"
        return [
            *map(str, kernel),
            *["-append", quiet, "-m", str(self._memory), "-smp", "2", "-drive", disk],
            *["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"],
            *["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
            *["-chardev", f"socket,id=agent,path={self._folder}/agent,server=on,wait=off"],
            *["-device", "virtio-serial", "-device", "virtserialport,chardev=agent,name=homesim"],
            *["-qmp", f"unix:{self._folder}/qmp,server=on,wait=off"],
        ]


def accelerator(image: Path) -> list[str]:
    """KVM when it really runs a guest: /dev/kvm may open, and the guest still never say a word."""
    kernel = ["-kernel", str(image / "vmlinuz"), "-append", "console=ttyS0 panic=-1"]
    common = ["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-m", "256"]
    kvm = ["-accel", "kvm", "-cpu", "host"]
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        try:
            trial = subprocess.run([QEMU, *kvm, *common, *kernel], capture_output=True, timeout=20, check=False)
            if b"Linux version" in trial.stdout:  # it ends by panic: no root
                return kvm
        except subprocess.TimeoutExpired:
            pass
    return ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"]


class _Monitor:
    """QMP, docs/interop/qmp-spec: one command at a time."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        self._file = connection.makefile("rw")
        self._file.readline()  # the greeting
        self._execute("qmp_capabilities")

    def human(self, line: str) -> None:
        """A command of the human monitor, which says nothing when it worked. Raise RuntimeError."""
        if said := self._execute("human-monitor-command", {"command-line": line}):
            raise RuntimeError(f"{line}: {said.strip()}")

    def _execute(self, name: str, arguments: dict[str, str] | None = None) -> str:
        self._file.write(json.dumps({"execute": name, "arguments": arguments or {}}) + "\n")
        self._file.flush()
        for line in self._file:
            answer = json.loads(line)
            if "event" not in answer:
                return str(answer["return"] or "")
        raise RuntimeError(f"QEMU ended at {name}")

    def close(self) -> None:
        self._file.close()


class _Agent:
    """The agent's requests and answers; any thread may ask."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._answers: dict[int, Result] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, request: dict[str, Any], timeout: float) -> Result:
        with self._changed:
            number = next(self._numbers)
            self._connection.sendall(json.dumps({"id": number, **request}).encode() + b"\n")
        return self.wait_for_answer(number, timeout)

    def wait_for_answer(self, number: int, timeout: float) -> Result:
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self._closed, timeout)
            if number not in self._answers:
                raise TimeoutError(f"the guest did not answer within {timeout:.0f} s")
            return self._answers.pop(number)

    def _read(self) -> None:
        with self._connection.makefile("rb") as file:
            for line in file:
                answer = json.loads(line)
                number = answer.pop("id")
                with self._changed:
                    self._answers[number] = Result(**answer)
                    self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._connection.close()


def _connect(path: Path, qemu: subprocess.Popen[bytes]) -> socket.socket:
    """A socket that QEMU makes as it starts."""
    deadline = time.monotonic() + 30
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except OSError:
            connection.close()
            if qemu.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{QEMU} did not start: exit {qemu.poll()}") from None
            time.sleep(0.05)
