# SPDX-License-Identifier: GPL-2.0-or-later
"""A rig whose stick hangs on a USB bus: bin/health sees it through a tree that stands in for /sys.

Time is not waited for: `later` moves what poll left in its status back, as if that long had passed since.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pdus
from emulators.sysfs.tree import Device, SysfsTree
from homesim.chat.render import OURS
from patience import PATIENCE
from rig import BIN, ROOT, Rig, now

PLACE = "1-1.2"
STEPS = ("radio", "replay", "authorize", "power")  # as numbered in the incident's file, from 1
MINUTES = 60.0


class Clinic(Rig):
    """One modem, `home`, on one emulated stick at 1-1.2."""

    def __init__(self, python: str, **options: Any) -> None:
        super().__init__(python, **options)
        self.tree = SysfsTree(self.folder / "sys")
        self.device: Device = self.tree.plug(self.stick, self.port, at=PLACE)
        self.number = 0
        self.minutes = 0  # that have passed in check()

    def __enter__(self) -> Clinic:
        self.tree.__enter__()
        self.api.__enter__()
        self.configure()
        return self

    def __exit__(self, *error: object) -> None:
        self.tree.__exit__(*error)
        super().__exit__(*error)

    def configure(self, *, health: str = "", more: str = "", **tables: str) -> None:
        paths = f'sysfs = "{self.tree.folder}"\n'
        super().configure(more=f"{paths}[health]\n{health}\n{more}", **tables)

    def start_health(self, *arguments: str, hasty: bool = True, **options: Any) -> subprocess.Popen[str]:
        program = [str(ROOT / "tests/hasty.py"), str(BIN / "health")] if hasty else [str(BIN / "health")]
        return self._start([self.python, "-B", *program], *arguments, **options)

    def health(self, *arguments: str, **options: Any) -> int:
        """Run bin/health to its end; its exit code. A run of it prints nothing without a terminal."""
        process = self.start_health(*arguments, **options)
        out, err = process.communicate(timeout=PATIENCE)
        assert out + err == "", out + err
        return process.returncode

    def later(self, seconds: float = 5 * MINUTES) -> None:
        """What poll said was that much longer ago; back-off too."""
        self.shift(self.run_folder / "home.json", seconds, "_boottime")
        self.shift(self.state / "incident", seconds, "since", "again", "told", "not_before", "well")

    def shift(self, file: Any, seconds: float, *keys: str) -> None:
        if file.exists():
            fields = json.loads(file.read_text())
            for key, value in fields.items():
                if key.endswith(keys) and isinstance(value, int | float) and value > 0:
                    fields[key] = max(0.0, value - seconds)
            file.write_text(json.dumps(fields))

    def check(self) -> int:
        """Poll runs, and then health when cron starts it: in the next minute if it is called, else within five."""
        self.poll()
        minutes = 1 if self.called else 5
        self.minutes += minutes
        self.later(minutes * MINUTES)
        if minutes > 1:
            self.poll()  # its last run before
        return self.health()

    @property
    def called(self) -> bool:
        """Whether cron starts health in the next minute."""
        return (self.run_folder / "ill").exists()

    def checks(self, most: int = 9) -> list[int]:
        """Checks until one is healthy; their exit codes."""
        codes: list[int] = []
        while len(codes) < most:
            codes.append(self.check())
            if codes[-1] == 0:
                break
        return codes

    def arrive(self) -> str:
        """An SMS from the air; its text."""
        self.number += 1
        text = f"message {self.number}"
        self.stick.deliver(pdus.deliver(text, "SENDER", time=now()))
        return text

    def alerts(self) -> list[str]:
        """What homesim said of its own in the chat."""
        return re.findall(rf"^{OURS}\n(.*?)\nhome\b", "\n\n".join(self.texts()), re.MULTILINE | re.DOTALL)

    def incident(self) -> dict[str, Any]:
        path = self.state / "incident"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def steps(self) -> list[str]:
        """What was done to the USB bus, in order."""
        names = {"authorized": "authorize", "disable": "power", "uevent": "replay"}
        done: list[str] = []
        for where, text in self.tree.writes:
            attribute = where.rpartition("/")[2]
            if (attribute, text) not in (("authorized", "1"), ("disable", "0")):
                done += [names[attribute]] * (done[-1:] != [names[attribute]])
        return done

