# SPDX-License-Identifier: GPL-2.0-or-later
"""The flat at home: the Pi (a guest), the stick in it, Telegram out there. The guest has homesim as its user has it."""

from __future__ import annotations

import base64
import io
import itertools
import subprocess
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pdus
from clinic import STEPS
from emulators.botapi.server import CHAT_ID, TOKEN, BotApi
from emulators.stick.stick import Stick
from vm.guest import HOST, Guest
from vm.huawei import Huawei

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALLED = "installed"  # the snapshot
CRON = "/etc/cron.d/homesim"


def install(guest: Guest) -> None:
    """Put homesim into a guest from the checkout, as README says."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            if not name.startswith("tests/") and (ROOT / name).exists():
                tar.add(ROOT / name, f"homesim/{name}")
    guest.check("base64 -d | tar -xz", stdin=base64.b64encode(packed.getvalue()).decode())
    guest.check("cd homesim && make install", timeout=900)


def configure(guest: Guest, telegram: int, modems: dict[str, str]) -> None:
    """Write /etc/homesim/config.toml, with Telegram's port and a table for each modem: its name and its device."""
    lines = ["[telegram]", f'token = "{TOKEN}"', f"chat_id = {CHAT_ID}", f'api_url = "http://{HOST}:{telegram}"']
    for name, device in modems.items():
        lines += [f"[modem.{name}]", f'device = "{device}"']
    guest.check(
        "umask 077; mkdir -p /etc/homesim; cat >/etc/homesim/config.toml",
        stdin="\n".join(lines) + "\n",
    )


class House:
    """One case: a guest that has just been resumed, one stick that is not plugged in, an empty chat."""

    def __init__(self, guest: Guest, api: BotApi) -> None:
        self.guest = guest
        self.api = api
        self.stick = Huawei(guest, Stick(latency=0.02))
        self._numbers = itertools.count(1)

    def sms(self, text: str, to: Stick | None = None) -> str:
        """An SMS from the air; returns what it is known by in the chat."""
        mark = f"{text} #{next(self._numbers)}."
        (to or self.stick.modem).deliver(pdus.deliver(mark, "+491701234567", time=datetime.now(UTC)))
        return mark

    def arrives(self, *marks: str, timeout: float = 300) -> None:
        """Wait until these are in the chat. cron's minute, twice, is the usual time after a plug; a bound only."""
        began = time.monotonic()
        self.api.wait_for(lambda api: all(mark in api.text() for mark in marks), timeout)
        print(f"{marks} took {time.monotonic() - began:.0f} s")

    def times(self, mark: str) -> int:
        """In how many messages of the chat it is."""
        return sum(mark in sent.text for sent in self.api.sent)

    def alerts(self) -> list[str]:
        """The messages of the chat that are not SMS."""
        return [sent.text for sent in self.api.sent if "#" not in sent.text]

    def settled(self, stick: Huawei | None = None) -> None:
        """Wait until no SMS is left on the stick, nor in a spool. No run has met a bug on the way."""
        (stick or self.stick).modem.wait_for(lambda modem: not modem.stored() and not modem.waiting(), 120)
        self.guest.wait_for("! ls /var/lib/homesim/*/new/* /var/lib/homesim/*/parts/* 2>/dev/null")
        assert "a bug in homesim" not in self.guest.check("journalctl -b -t homesim --no-pager")

    def in_use(self, stick: Huawei | None = None) -> None:
        """Plug the stick in and return when its first SMS has arrived."""
        stick = stick or self.stick
        stick.plug()
        self.arrives(self.sms("The first", stick.modem))
        self.settled(stick)

    def steps(self) -> list[str]:
        """What health has done to the stick since the boot, in order."""
        said = self.guest.check("journalctl -b -t homesim-health -o cat --no-pager")
        return [step for line in said.splitlines() if (step := line.rpartition(": ")[2]) in STEPS]

    def overdue(self) -> str:
        """The runs that are older than one may get: poll's limit is 156 s, health's 285 s, and the kernel takes 30 s
        to close the port of a stick that takes nothing."""
        return self.guest.check(
            "ps -eo etimes=,args= | awk '/homesim-poll/ && $1 > 190 || /homesim-health/ && $1 > 320'"
        )

    def journal(self) -> str:
        """What was logged since the case began, without systemd's own."""
        said = "-t homesim -t homesim-poll -t homesim-health -t usb_modeswitch"
        return self.guest.run(f"journalctl -b --no-pager {said}; journalctl -k -b --no-pager -g '^usb 1-' ").stdout
