# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything a run of homesim needs, in one folder: a stick on a pty, a Bot API, a configuration.

`bin/poll` runs as its user runs it, as a process of its own, with the Python that the rig is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pdus
from emulators.botapi.server import BotApi
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Stick
from patience import PATIENCE, WATCHED, busy, look_until
from terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(os.environ.get("HOMESIM_BIN", ROOT / "bin"))  # the checkout's, or an installed copy's
STARVED = re.compile("the stick stopped answering|no answer to ")  # libgammu 1.45 waits 0.3 s for an echo
TRIES = 3  # of a run that found so on a busy machine, as cron makes them
BUSY = 10  # times as long as usual may take what is still said to wait for nobody, on a machine that has other work


class Rig:
    """One modem, `home`, on one emulated stick. Use it as a context manager."""

    def __init__(self, python: str, *, profile: str = "E3372", latency: float = 0.0, **stick: Any) -> None:
        self.python = python
        self._folder = tempfile.TemporaryDirectory(prefix="homesim-")
        self.folder = Path(self._folder.name)
        self.stick = Stick(profile, latency=latency, **stick)
        self.port = PtyPort(self.stick, self.folder / "sms")
        self.api = BotApi()
        self.config = self.folder / "config.toml"
        self.state = self.folder / "state" / "home"
        self.run_folder = self.folder / "run"
        self._processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Rig:
        self.api.__enter__()
        self.port.__enter__()
        self.configure()
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.port.__exit__(None, None, None)
        self.api.__exit__(None, None, None)
        self._folder.cleanup()

    def configure(self, *, telegram: str = "", modem: str = "", poll: str = "", more: str = "") -> None:
        """Write the configuration, with further lines for its tables. A later line wins over the rig's own."""
        tables: dict[str, dict[str, Any]] = {
            "telegram": {"token": self.api.token, "chat_id": self.api.chat_id, "api_url": self.api.url},
            "modem.home": {"device": str(self.folder / "sms")},
            "poll": {},
            "paths": {"state": str(self.folder / "state"), "run": str(self.run_folder)},
        }
        extra = {"telegram": telegram, "modem.home": modem, "poll": poll}
        text = ""
        for name, values in tables.items():
            own = extra.get(name, "")
            taken = {line.split("=")[0].strip() for line in own.splitlines()}
            lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if key not in taken]
            text += "\n".join([f"[{name}]", *lines, own, ""])
        self.config.write_text(text + more)
        self.config.chmod(0o600)

    def start(self, *arguments: str, command: tuple[str, ...] = (), **options: Any) -> subprocess.Popen[str]:
        """Start bin/poll; it is ended with the rig at the latest."""
        return self._start([*command, self.python, "-B", str(BIN / "poll")], *arguments, **options)

    def _start(self, program: list[str], *arguments: str, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*program, "--config", str(self.config), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self._processes.append(process)
        return process

    def poll(self, *arguments: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run bin/poll to its end; it looks once unless `arguments` say otherwise."""
        if not {"--linger", "--dry-run", "--help", "--version"} & set(arguments):
            arguments = ("--linger", "0", *arguments)
        for _ in range(TRIES):
            run = self._poll(arguments, timeout)
            if run.returncode != 75 or not STARVED.search(run.stderr) or self.stick.faults.frozen or not busy():
                break
        return run

    def _poll(self, arguments: tuple[str, ...], timeout: float) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"bin/poll did not end within {timeout} s: {out}{err}") from None
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def on_a_terminal(self, *arguments: str) -> str:
        """What a person sees who runs it by hand."""
        with Terminal([self.python, "-B", str(BIN / "poll"), "--config", str(self.config), *arguments]) as terminal:
            terminal.end()
        return terminal.text

    @contextlib.contextmanager
    def lingering(self, seconds: float = WATCHED, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """A run that watches the stick; it is there when it has looked once."""
        process = self.start("--linger", str(seconds), **options)
        before = len(self.stick.commands)
        self.stick.wait_for(lambda stick: any("CMGL" in c.text for c in stick.commands[before:]))
        yield process
        process.send_signal(signal.SIGKILL)
        process.wait()

    def entries(self, folder: str) -> list[str]:
        """The names in a folder of the spool."""
        path = self.state / folder
        return sorted(os.listdir(path)) if path.exists() else []

    def settle(self) -> None:
        """Return when nothing waits in the spool."""
        look_until(lambda: not self.waiting(), self.waiting)

    def waiting(self) -> list[str]:
        """What waits in the spool."""
        return [*self.entries("new"), *self.entries("parts")]

    def deliver(self, text: str, sender: str = "BANK") -> float:
        """An SMS from the air; seconds until it is in the chat."""
        begin = time.monotonic()
        self.stick.deliver(pdus.deliver(text, sender, time=now()))
        self.api.wait_for(lambda api: text in api.text())
        return next(sent.time for sent in self.api.sent if text in sent.text) - begin

    def prompt(self, seconds: float, most: float) -> bool:
        """Whether it took no more than `most` seconds, or not much more than all takes on this machine just now.

        For the latter a run with nothing in its way forwards SMS from a stick of its own: the slowest is the measure.
        """
        if seconds < most:
            return True
        with Rig(self.python, latency=self.stick.latency) as other, other.lingering():
            usual = max(other.deliver(f"usual {number}.") for number in range(3))
        return seconds < most + BUSY * usual

    def status(self) -> dict[str, Any]:
        """What the last run left for health."""
        fields: dict[str, Any] = json.loads((self.run_folder / "home.json").read_text())
        return fields

    def texts(self) -> list[str]:
        """The chat, a text each message."""
        return [sent.text for sent in self.api.sent]


def now() -> datetime:
    """An SMSC time that is fresh."""
    return datetime.now(UTC).replace(microsecond=0)
