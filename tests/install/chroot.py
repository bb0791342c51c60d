# SPDX-License-Identifier: GPL-2.0-or-later
"""Fresh Debian systems to try an installation in, for chroot_install.py."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from pathlib import Path

from rig import ROOT

CHROOTS = ROOT / ".chroots"
# What of Raspberry Pi OS Lite matters here.
LITE = "sudo curl ca-certificates build-essential python3-venv python3-requests usb-modeswitch usbutils modemmanager"
APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Use-Pty=0"
# What a run may mount: terminals and shared memory, which are gone with its mount namespace.
DEVICES = "mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts; mount --bind /dev/pts/ptmx /dev/ptmx; \
mount -t tmpfs tmpfs /dev/shm"

# Where packages and the tools of this test leave what differs from one run to the next.
NOT_COMPARED = ("proc", "sys", "tmp", "home", "var/cache", "var/log", "var/lib/apt", "var/lib/dpkg", "run", "dev")
COMPARED_NEVERTHELESS = "run/homesim"


def host(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


class Chroot:
    """A Debian system in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, script: str, *, code: int = 0) -> str:
        """What a shell command says, as root, in a PID namespace of its own, so that nothing survives it."""
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.root}/proc"]
        command += ["chroot", str(self.root), "/usr/bin/env", "-i", "HOME=/root", "LC_ALL=C.UTF-8"]
        command += ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-ec", script]
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert run.returncode == code, f"{script}\n{run.stdout}"
        return run.stdout

    def make(self, target: str, code: int = 0) -> str:
        return self.run(f"cd /home/pi/homesim && make {target}", code=code and 2)

    def copy(self, root: Path) -> Chroot:
        host("cp", "-a", str(self.root), str(root))
        return Chroot(root)

    def path(self, name: str) -> Path:
        return self.root / name

    def listing(self) -> dict[str, str]:
        """Every file and folder: its mode, owner, and a digest of what is in it."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            here = os.path.relpath(folder, self.root)
            folders[:] = [name for name in folders if os.path.normpath(f"{here}/{name}") not in NOT_COMPARED]
            for name in [*folders, *files]:
                found[os.path.normpath(f"{here}/{name}")] = self._describe(Path(folder, name))
        if self.path(COMPARED_NEVERTHELESS).exists():
            found[COMPARED_NEVERTHELESS] = "is there"
        return found

    @staticmethod
    def _describe(path: Path) -> str:
        status = path.lstat()
        content = ""
        if stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(status.st_mode) and path.suffix != ".pyc":  # bytecode has times in it
            content = hashlib.sha1(path.read_bytes()).hexdigest()
        return f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid} {content}"


def difference(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What is not the same in two listings: `(before, after)` by name."""
    both = {name: (before.get(name, "-"), after.get(name, "-")) for name in sorted(before.keys() | after.keys())}
    return {name: (old, new) for name, (old, new) in both.items() if old != new}


def mirror() -> str:
    """Where this machine has Debian from."""
    targets = host("apt-get", "indextargets", "--format", "$(SITE) $(LABEL)", "Created-By: Packages")
    sites = re.findall(r"^(\S+) Debian$", targets, re.MULTILINE)
    return str(sites[0]) if sites else ""


def base(system: str, root: Path) -> Chroot:
    """A fresh system in a folder of its own. Made once: kept as an archive, because a folder that somebody copies
    must not have a /dev/zero in it."""
    release, kind, arch = system.split("-")
    kept = CHROOTS / f"{system}.tar"
    if kept.exists():
        root.mkdir()
        host("tar", "-C", str(root), "--numeric-owner", "-xpf", str(kept))
        return Chroot(root)
    if kind == "minimal":
        host("debootstrap", f"--arch={arch}", release, str(root), *filter(None, [mirror()]))
        made = Chroot(root)
        made.path("usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # no daemons in here
        made.path("usr/sbin/policy-rc.d").chmod(0o755)
        settings = re.findall(r"^Acquire::(?:.*Proxy|Check).*$", host("apt-config", "dump"), re.MULTILINE)
        made.path("etc/apt/apt.conf.d/00host").write_text("\n".join([*settings, ""]))
    else:
        made = base(f"{release}-minimal-{arch}", root)
        made.run(f"{APT} update && {APT} install -y --no-install-recommends {LITE}")
    CHROOTS.mkdir(exist_ok=True)
    host("tar", "-C", str(root), "--numeric-owner", "-cf", f"{kept}.part", ".")
    Path(f"{kept}.part").rename(kept)
    return made
