# SPDX-License-Identifier: GPL-2.0-or-later
"""The systems that the benchmark compares: their private configurations, their processes and what these cost.

Each is configured as its own documentation, or the well-known how-to, has it. What differs from that, and why,
stands in `settings` and so below the table.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.core import Core
from emulators.botapi.server import BotApi
from emulators.botapi.tls import Tls
from rig import BIN

MINUTE = 60.0
LINGER = 55.0  # homesim's default, for cron's minute
TICKS = os.sysconf("SC_CLK_TCK")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # Debian's smsd is no program for users


@dataclass(frozen=True)
class Place:
    """What a system is given: a folder of its own, the stick's port, and where Telegram is."""

    folder: Path
    port: Path
    api: BotApi
    tls: Tls | None = None  # in front of it

    @property
    def url(self) -> str:
        return self.tls.url if self.tls else self.api.url


@dataclass(frozen=True)
class System:
    """One way to forward SMS. `every` None: a daemon; else cron starts it each so many seconds."""

    name: str
    settings: str
    program: str
    version: tuple[str, ...]  # the command that prints it
    configure: Callable[[Place], list[str]]  # writes the configuration; the command to start
    look: float  # seconds from one look at the stick to the next, when nothing comes
    every: float | None = None
    core: Core | None = None  # the part of one that it gets

    def installed(self) -> bool:
        return shutil.which(self.program, path=PATH) is not None

    @contextlib.contextmanager
    def running(self, place: Place) -> Iterator[Family]:
        """Started now; all of it is gone afterwards."""
        command = self.configure(place)
        environment = place.tls.trusted if place.tls else os.environ
        with Family(place.folder / "output", {**environment, "PATH": PATH}, self.core) as family:
            family.spawn(command)
            again = partial(family.spawn, command)
            with each(self.every, family.started, again) if self.every else contextlib.nullcontext():
                yield family


@contextlib.contextmanager
def each(seconds: float, begin: float, do: Callable[[], object]) -> Iterator[None]:
    """Do it each so many seconds after `begin`, whether what was done before has ended or not."""
    over = threading.Event()

    def tick() -> None:
        due = begin + seconds
        while not over.wait(max(0.0, due - time.monotonic())):
            do()
            due += seconds

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Family:
    """The processes of one system with all their descendants. A context manager: it kills them at the end."""

    def __init__(self, output: Path, environment: Mapping[str, str], core: Core | None) -> None:
        self.started = time.monotonic()
        self._output = output
        self._environment = environment
        self._core = core
        self._lock = threading.Lock()  # nobody is reaped between two readings that belong together
        self._processes: list[subprocess.Popen[bytes]] = []
        self._before = _reaped_cpu()

    def __enter__(self) -> Family:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            for pid in self._pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self._processes:
                process.wait()

    def spawn(self, command: Sequence[str]) -> None:
        with self._lock, self._output.open("ab") as output:
            self._processes.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # Ctrl-C is for the benchmark, which then ends these
                    env=self._environment,
                    preexec_fn=self._core.join if self._core else None,
                )
            )

    def cpu(self) -> float:
        """Seconds of user and system time so far, the interpreter's start and ended runs included."""
        with self._lock:
            self._reap()
            return _reaped_cpu() - self._before + sum(_cpu(pid) for pid in self._pids())

    def scheduled(self) -> float:
        """The same of those that live, to the nanosecond (/proc/PID/schedstat)."""
        with self._lock:
            tasks = (task for pid in self._pids() for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))
            return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def resident(self) -> float:
        """MiB: the sum of the processes' resident sets, shared pages counted for each."""
        with self._lock:
            return sum(_resident(pid) for pid in self._pids()) / 1024

    def failures(self) -> list[int]:
        """The exit codes other than 0 so far; a daemon that has ended at all is there too."""
        with self._lock:
            self._reap()
            return [process.returncode for process in self._processes if process.returncode]

    def said(self) -> str:
        """What they wrote to stdout and stderr."""
        return self._output.read_text(errors="replace").strip()

    def _reap(self) -> None:
        for process in self._processes:
            process.poll()

    def _pids(self) -> list[int]:
        """Those that live, and their descendants."""
        children: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            if name.isdigit() and (fields := _stat(int(name))):
                children.setdefault(int(fields[1]), []).append(int(name))
        found = [process.pid for process in self._processes if process.returncode is None]
        for pid in found:
            found += children.get(pid, [])
        return found


def _reaped_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc(5): field 3); none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _cpu(pid: int) -> float:
    """utime, stime and those of the children it has waited for: fields 14 to 17."""
    return sum(int(ticks) for ticks in _stat(pid)[11:15]) / TICKS


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)


# --- the systems ---


def homesim(python: str, period: float) -> System:
    linger = LINGER * period / MINUTE
    return System(
        name="homesim",
        settings=f"`bin/poll` from cron each {period:g} s, `linger` {linger:g} s, all else default",
        program=python,
        version=(python, "-c", _VERSIONS),
        configure=partial(_homesim, python, linger),
        look=1.0,
        every=period,
    )


_VERSIONS = """\
import gammu, platform
print("Python", platform.python_version(), "with libgammu", gammu.Version()[0])"""


def _homesim(python: str, linger: float, place: Place) -> list[str]:
    tables: dict[str, dict[str, str | int | float]] = {
        "telegram": {"token": place.api.token, "chat_id": place.api.chat_id, "api_url": place.url},
        "modem.home": {"device": str(place.port)},
        "poll": {"linger": linger},
        "paths": {"state": str(place.folder / "state"), "run": str(place.folder / "run")},
    }
    lines = []
    for name, values in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    config = place.folder / "config.toml"
    config.touch(mode=0o600)
    config.write_text("\n".join(lines) + "\n")
    return [python, str(BIN / "poll"), "--config", str(config)]


def _curl(place: Place) -> str:
    """Post stdin as a message's text, whatever is in it."""
    url = f"{place.url}/bot{place.api.token}/sendMessage"
    trust = f" --cacert {place.tls.certificate}" if place.tls else ""
    return f"curl{trust} --silent --output /dev/null --data chat_id={place.api.chat_id} --data-urlencode text@- {url}"


def _script(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o700)
    return path


def _folders(place: Place, *names: str) -> str:
    """Lines `name = folder`, each folder made, with the slash that gammu wants."""
    for name in names:
        (place.folder / name).mkdir()
    return "\n".join(f"{name} = {place.folder / name}/" for name in names)


def _gammu_smsd(lines: str, place: Place) -> list[str]:
    # gammu-smsd(7), RunOnReceive: the text of a one-part message is in the environment
    hook = _script(place.folder / "received", f"printf %s \"$SMS_1_TEXT\" | {_curl(place)}")
    config = place.folder / "gammu-smsdrc"
    config.write_text(f"""\
[gammu]
device = {place.port}
connection = at115200
[smsd]
service = files
logfile = {place.folder / "smsd.log"}
runonreceive = {hook}
{_folders(place, "inboxpath", "outboxpath", "sentsmspath", "errorsmspath")}
{lines}
""")
    return ["gammu-smsd", "--config", str(config)]


GAMMU_SMSD = System(
    name="gammu-smsd",
    settings="files backend, `at115200`, `RunOnReceive` with curl, all else default: CommTimeout 30 s, "
    "ReceiveFrequency 15 s, LoopSleep 1 s",
    program="gammu-smsd",
    version=("gammu-smsd", "--version"),
    configure=partial(_gammu_smsd, ""),
    look=15.0,
)

_QUICK = "commtimeout = 1\nreceivefrequency = 1"
GAMMU_SMSD_QUICK = replace(
    GAMMU_SMSD,
    name="gammu-smsd, two lines",
    settings="the same with `CommTimeout = 1` and `ReceiveFrequency = 1`, for who knows of them",
    configure=partial(_gammu_smsd, _QUICK),
    look=1.0,
)


def _smstools(place: Place) -> list[str]:
    # smstools3, eventhandler.html: called with the event and the file, whose head ends at the first empty line
    handler = _script(place.folder / "handler", f'[ "$1" = RECEIVED ] && sed "1,/^$/d" "$2" | {_curl(place)}')
    config = place.folder / "smsd.conf"
    config.write_text(f"""\
devices = GSM1
{_folders(place, "outgoing", "checked", "failed", "incoming", "sent")}
logfile = {place.folder / "smsd.log"}
infofile = {place.folder / "smsd.working"}
pidfile = {place.folder / "smsd.pid"}
eventhandler = {handler}
incoming_utf8 = yes
delaytime = 1
[GSM1]
device = {place.port}
incoming = high
memory_start = 0
""")
    return ["smsd", "-t", "-c", str(config)]


SMSTOOLS = System(
    name="smstools3",
    settings="`incoming = high`, event handler with curl, and `delaytime = 1` instead of 10 s; `memory_start = 0`, "
    "where the stick's slots begin: with the default, 1, it reads slot 0 too, but after all others, some 10 s later",
    program="smsd",
    version=("smsd", "-V"),
    configure=_smstools,
    look=1.0,
)
