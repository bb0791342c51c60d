# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/health ended by SIGKILL at every step of an incident: every write to sysfs, AT command and durable file.

Whatever the step, and whichever program runs next: the stick is authorized, bound, powered and its radio is on,
no SMS is lost, and the chat is told twice or, when nothing was told yet, not at all; nothing twice.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from clinic import PLACE, STEPS, Clinic
from conftest import pythons
from emulators.stick.stick import Registration
from emulators.sysfs.tree import Cure
from health.test_health_runs import seen, silent
from homesim.health import alert, incident
from homesim.health.faults import FAULTS
from homesim.process import boottime
from homesim.stick.usb import Bus
from homesim.store.spool import Spool
from patience import PATIENCE
from poll import steps
from rig import BIN, ROOT

WORKERS = 3  # at once: a check mostly waits
TRIES = 3  # where the machine is so busy that the stand-in for /sys misses a write
CHECKS = 6  # after the kill, until one is healthy

Happens = Callable[[Clinic], object]


def searching(clinic: Clinic) -> None:
    clinic.stick.faults.register(Registration.SEARCHING, Cure.RADIO)
    seen(clinic, registration="searching")


@dataclass(frozen=True)
class Incident:
    """An incident up to the check that is to be killed: what has happened, and which step comes next."""

    happens: Happens
    step: int  # of the ladder, counted from 1 as in the incident's file; 0: the check is its first, and tells
    kind: str = "silent"

    def make(self, clinic: Clinic) -> None:
        """An SMS waits in the network or on the stick, the owner has been told, the next check takes the step."""
        clinic.configure(health="alert_after = 1")
        seen(clinic)
        assert clinic.health() == 0  # remembers the stick
        self.happens(clinic)
        if self.step:
            known = replace(incident.begin(FAULTS[self.kind], 400, 0), checks=1, step=self.step)
            alert.keep(Spool(clinic.state), known, [FAULTS[self.kind]], 1)


INCIDENTS = {
    "told": Incident(lambda c: silent(c, Cure.AUTHORIZE), 0),
    "radio": Incident(searching, 1, "unregistered"),
    "authorize": Incident(lambda c: silent(c, Cure.AUTHORIZE), 3),
    "power": Incident(lambda c: silent(c, Cure.POWER), 4),
}


# --- what can be killed at --------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """The nth write to sysfs, or AT command at a phase, or changing call on a file of the state folder."""

    kind: str  # "write", "command", "file"
    nth: int
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.nth}: {self.what}"


def events(case: Incident) -> list[Event]:
    """Of the check that takes the step, when nobody ends it."""
    with Clinic(pythons()[0]) as clinic:
        case.make(clinic)
        hooked: list[tuple[str, str]] = []
        clinic.tree.on_write = lambda where, text: hooked.append(("write", f"{where.rpartition('/')[2]} {text}"))
        clinic.stick.on_command = lambda phase, text: hooked.append(("command", f"{text} {phase}"))
        calls = traced(clinic, "", 0)
        kinds = [event for event in hooked if event[0] == "write"], [e for e in hooked if e[0] == "command"]
        found = [Event(kind, nth, what) for of_kind in kinds for nth, (kind, what) in enumerate(of_kind, 1)]
        return [*found, *calls]


def traced(clinic: Clinic, inject: str, nth: int) -> list[Event]:
    """A check under strace: its calls that change a file, each by name and number. Killed at one.

    What is only synced, or not yet renamed, is as if the step before had been the last: a kill takes no page cache."""
    log = clinic.folder / "strace"
    options = "-e trace=rename,unlink" + (f" -e inject={inject}:signal=SIGKILL:when={nth}" if inject else "")
    program = f'exec strace -D -q -y -o "{log}" {options} "$@"'
    command = ["sh", "-c", program, "sh", clinic.python, "-B", str(ROOT / "tests/hasty.py"), str(BIN / "health"),
               "--config", str(clinic.config)]  # fmt: skip
    process = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert process.returncode in (0, 75, -signal.SIGKILL), process.stderr
    names = re.findall(r"^(rename|unlink)\(", log.read_text(), re.MULTILINE)
    counted: dict[str, int] = {}
    found = []
    for name in names:
        counted[name] = counted.get(name, 0) + 1
        found.append(Event("file", counted[name], name))
    return found


def kill(clinic: Clinic, event: Event) -> bool:
    """Run a check and end it, and what it has started, at this event. False when it did not come to that."""
    if event.kind == "file":
        return len(traced(clinic, event.what, event.nth)) > 0
    count = 0
    started, over = threading.Event(), threading.Event()
    process: list[subprocess.Popen[str]] = []

    def on(*_: str) -> None:
        nonlocal count
        count += 1
        if count == event.nth:
            assert started.wait(PATIENCE)
            os.killpg(process[0].pid, signal.SIGKILL)
            process[0].wait()
            over.set()

    if event.kind == "write":
        clinic.tree.on_write = on
    else:
        clinic.stick.on_command = on
    process.append(clinic.start_health(start_new_session=True))
    started.set()
    process[0].communicate(timeout=PATIENCE)
    clinic.tree.on_write = clinic.stick.on_command = None
    return process[0].returncode == -signal.SIGKILL and over.wait(PATIENCE)


# --- what holds afterwards --------------------------------------------------------------------------


def switched_on(clinic: Clinic) -> list[str]:
    """What is still off of the stick."""
    device = clinic.tree.devices[PLACE]
    states = {"off the bus": device.on_bus, "not authorized": device.authorized, "not bound": device.bound,
              "no radio": clinic.stick.radio}  # fmt: skip
    stick = Bus(clinic.tree.folder).at(PLACE)
    return [problem for problem, well in states.items() if not well] + ["no ports"] * (not stick or not stick.ttys)


def survived(clinic: Clinic, first: str) -> list[str]:
    """The next run of a program, then as many checks as are needed; what is wrong then."""
    clinic.arrive()
    if first == "poll" or "what" not in clinic.incident():  # when it was over, cron has run poll before
        clinic.poll()
    if first == "health":
        clinic.health()
    clinic.tree.wait_for(lambda tree: tree.devices[PLACE].port.tty is not None)
    problems = [f"after the next {first}: {problem}" for problem in switched_on(clinic)]
    codes = clinic.checks(CHECKS)
    if codes[-1] != 0:
        problems.append(f"never healthy: {codes}, {clinic.incident()}")
    clinic.poll("--linger", "1")
    clinic.settle()
    lines = [line for text in clinic.texts() for line in text.split("\n")]
    problems += [f"message {n} is lost" for n in range(1, clinic.number + 1) if f"message {n}" not in lines]
    if (told := len(clinic.alerts())) != 2:
        problems.append(f"{told} alerts: {clinic.alerts()}")
    return problems


def kill_once(case: Incident, event: Event, first: str) -> list[str]:
    for _ in range(TRIES):
        with Clinic(pythons()[0]) as clinic:
            case.make(clinic)
            clinic.arrive()
            if kill(clinic, event):
                return [f"{event}, then {first}: {problem}" for problem in survived(clinic, first)]
    return [f"{event}: did not happen"]


def kill_at(case: Incident, wanted: list[Event], first: str) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(lambda event: kill_once(case, event, first), wanted)
        problems = [problem for result in results for problem in result]
    assert wanted
    assert not problems, f"{len(problems)} problems:\n" + "\n".join(problems)


# The port is asked in the same way whatever the step; the files of one that goes over the bus are all there are.
EACH = [("told", "file"), ("radio", "command"), ("authorize", "write"), ("authorize", "file"), ("power", "write")]


@pytest.mark.slow
@pytest.mark.parametrize("first", ["poll", "health"])
@pytest.mark.parametrize(("name", "kind"), EACH, ids=["-".join(each) for each in EACH])
def test_killed_at_every_step_and_run_again(name: str, kind: str, first: str) -> None:
    if kind == "file" and steps.strace_fails():
        pytest.skip(f"strace: {steps.strace_fails()}")
    kill_at(INCIDENTS[name], distinct(event for event in events(INCIDENTS[name]) if event.kind == kind), first)


def distinct(found: Iterable[Event]) -> list[Event]:
    """Those that leave something else behind: of the commands that only ask, one between two that change something."""
    kept: dict[object, Event] = {}
    changes = 0
    for event in found:
        asks = event.kind == "command" and "CFUN=" not in event.what
        changes += not asks
        kept.setdefault(changes if asks else event, event)
    return list(kept.values())


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        yield clinic


@pytest.mark.slow
@pytest.mark.parametrize("what", ["authorized", "disable"])
def test_poll_killed_while_it_puts_back(clinic: Clinic, what: str) -> None:
    step = {"authorized": "authorize", "disable": "power"}[what]
    INCIDENTS[step].make(clinic)
    clinic.arrive()
    kill(clinic, Event("write", 1, "off"))
    process: list[subprocess.Popen[str]] = []
    started = threading.Event()

    def on(where: str, _: str) -> None:
        assert started.wait(PATIENCE)
        assert where.endswith(what)
        process[0].kill()

    clinic.tree.on_write = on
    process.append(clinic.start("--linger", "0"))
    started.set()
    process[0].communicate(timeout=PATIENCE)
    clinic.tree.on_write = None
    assert process[0].returncode == -signal.SIGKILL
    assert survived(clinic, "poll") == []


@pytest.mark.slow
def test_a_stick_that_is_only_named_is_put_back_too(clinic: Clinic) -> None:
    """In storage mode from the start, and killed with its power off: nobody has had a port to remember it by."""
    clinic.configure(health='usb = "12d1:1f01"')
    clinic.tree.mode_switch = None
    clinic.tree.switch_mode(PLACE, "12d1:1f01")
    seen(clinic, answered_boottime=0, error="no such device")
    clinic.health()
    path = clinic.state / "incident"
    path.write_text(json.dumps({**json.loads(path.read_text()), "step": STEPS.index("power") + 1, "since": boottime()}))
    kill(clinic, Event("write", 1, "disable 1"))
    clinic.tree.wait_for(lambda tree: not os.path.exists(tree.path(PLACE)))
    clinic.tree.devices[PLACE].comes_back_as = "12d1:155e"
    clinic.poll()
    assert clinic.tree.devices[PLACE].on_bus
    assert clinic.checks(CHECKS)[-1] == 0
