# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/health: every fault found, cured by the gentlest step that helps, told in one message, or in two if it lasts, no
SMS lost.

The stick is emulated and /sys is a folder that behaves (emulators/sysfs/tree.py says how it differs from a kernel's);
same is done on a real kernel in the VM. CASES is the table on health's page: what it says is what was seen here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from clinic import PLACE, Clinic
from emulators.stick.stick import Registration, Sim, Trouble
from emulators.sysfs.tree import HILINK, STORAGE, Cure
from homesim.health.faults import FAULTS

Do = Callable[[Clinic], object]


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        yield clinic


def by_hand(clinic: Clinic) -> None:
    """What somebody at home does."""
    clinic.stick.faults.clear()
    clinic.tree.replug(PLACE, at="1-1.3")


def pulled_out(clinic: Clinic) -> None:
    clinic.tree.unplug(PLACE)
    del clinic.tree.devices[PLACE]  # power brings nothing back


def put_in(clinic: Clinic) -> None:
    clinic.tree.plug(clinic.stick, clinic.port, at="1-1.3")


def deletes_nothing(clinic: Clinic) -> None:
    """A full SIM that keeps what it is told to delete, until its radio was off."""
    faults = clinic.stick.faults
    faults.on("CMGD", Trouble(answer="+CMS ERROR: 500"))
    for _ in range(50):
        clinic.arrive()

    def heal(phase: str, text: str) -> None:
        if (phase, text) == ("done", "AT+CFUN=4"):  # libgammu says AT+CFUN=1 whenever it starts
            faults.clear()

    clinic.stick.on_command = heal


def keeps_one(clinic: Clinic) -> None:
    """An SMS is told, and its slot is not freed."""
    clinic.stick.faults.on("CMGD", Trouble(answer="OK"))
    clinic.arrive()
    clinic.poll()


def linked_late(clinic: Clinic) -> None:
    """udev's link is missing until it sees the stick anew."""
    clinic.tree.symlink_late = True
    clinic.port.path.unlink()

    def settle(where: str, _: str) -> None:
        if where.endswith("uevent"):
            clinic.tree.settle()

    clinic.tree.on_write = settle


def named_hilink(clinic: Clinic) -> None:
    clinic.configure(health=f'usb = "{HILINK}"')
    clinic.tree.switch_mode(PLACE, HILINK)


def wrong_pin(clinic: Clinic) -> None:
    clinic.stick.faults.sim(Sim.PIN)  # which is no PIN's: the stick has none
    clinic.configure(modem='pin = "9999"')


def right_pin(clinic: Clinic) -> None:
    clinic.stick.faults.sim(None)
    clinic.configure()


@dataclass(frozen=True)
class Case:
    """A fault, and the whole way back from it."""

    name: str
    kind: str  # of FAULTS
    happens: Do
    steps: tuple[str, ...]  # that are taken
    minutes: int = 0  # until it is healthy
    hand: Do | None = None  # done by somebody when the owner has been told


CASES = [
    Case("the port is frozen", "silent", lambda c: c.stick.faults.freeze(Cure.AUTHORIZE), ("authorize",), 1),
    Case("frozen until its power is cut", "silent", lambda c: c.stick.faults.freeze(Cure.POWER),
         ("authorize", "power"), 2),
    Case("frozen until somebody pulls it out", "silent", lambda c: c.stick.faults.freeze(Cure.REPLUG),
         ("authorize", "power"), hand=by_hand),
    Case("silent in the middle of a delete", "silent",
         lambda c: c.stick.faults.on("CMGD", Trouble(silent=True), times=1), ("authorize",), 1),
    Case("it falls off the bus", "absent", lambda c: c.tree.unplug(PLACE), ("power",), 1),
    Case("pulled out, and put in elsewhere", "absent", pulled_out, ("power",), hand=put_in),
    Case("back in storage mode", "storage", lambda c: c.tree.switch_mode(PLACE, STORAGE), ("replay",), 1),
    Case("a HiLink stick in its place", "unknown", lambda c: c.tree.switch_mode(PLACE, HILINK),
         (), hand=lambda c: c.tree.switch_mode(PLACE)),
    Case("in HiLink mode, and named in `health.usb`", "hilink", named_hilink,
         ("replay", "authorize", "power"), hand=lambda c: c.tree.switch_mode(PLACE)),
    Case("its link is missing", "no-link", linked_late, ("replay",), 1),
    Case("the network is lost", "unregistered",
         lambda c: c.stick.faults.register(Registration.SEARCHING, Cure.RADIO), ("radio",), 5),
    Case("the network is lost until it is enumerated", "unregistered",
         lambda c: c.stick.faults.register(Registration.DENIED, Cure.AUTHORIZE), ("radio", "authorize"), 6),
    Case("it hides SMS that it counts", "hidden", lambda c: c.stick.faults.miscount(3, Cure.RADIO), ("radio",), 15),
    Case("its storage is full", "full", deletes_nothing, ("radio",), 15),
    Case("an SMS stays on it, whatever it is told", "stuck", keeps_one, (), hand=lambda c: c.stick.faults.clear()),
    Case("the SIM is pulled and put back", "no-sim", lambda c: c.stick.faults.sim(Sim.ABSENT),
         ("radio", "authorize", "power"), hand=lambda c: c.stick.faults.sim(None)),
    Case("the SIM is lost until the radio was off", "no-sim",
         lambda c: c.stick.faults.sim(Sim.ABSENT, Cure.RADIO), ("radio",), 1),
    Case("the SIM asks for a PIN", "pin", lambda c: c.stick.faults.sim(Sim.PIN), (),
         hand=lambda c: c.stick.faults.sim(None)),
    Case("the SIM refuses the PIN", "wrong-pin", wrong_pin, (), hand=right_pin),
    Case("the SIM asks for its PUK", "puk", lambda c: c.stick.faults.sim(Sim.PUK), (),
         hand=lambda c: c.stick.faults.sim(None)),
    Case("too little voltage", "voltage", lambda c: c.tree.under_voltage(), (),
         hand=lambda c: c.tree.under_voltage(False)),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "online"),
    [*((case, True) for case in CASES), *((case, False) for case in CASES[::4])],
    ids=lambda value: getattr(value, "name", "online" if value is True else "offline"),
)
def test_a_fault_is_survived(clinic: Clinic, case: Case, online: bool) -> None:
    """SMS before, during and after, none lost; only the steps that were needed. Offline they wait."""
    texts = [clinic.arrive()]
    assert clinic.check() == 0
    case.happens(clinic)
    clinic.minutes = 0
    if not online:
        clinic.api.down()
    texts.append(clinic.arrive())
    while clinic.check() == 75:
        assert clinic.minutes <= 60, clinic.incident()
        known = clinic.incident()
        assert known["what"] == FAULTS[case.kind].what
        assert tuple(known["tried"]) == case.steps[: len(known["tried"])]
        texts.append(clinic.arrive())
        if case.hand and known["told"] >= 0 and bool(known["rounds"]) == bool(case.steps):
            case.hand(clinic)
    assert clinic.incident() == {}
    if not case.hand:
        assert clinic.minutes == case.minutes
    clinic.api.up()
    texts.append(clinic.arrive())
    clinic.later()
    assert clinic.poll("--linger", "2").returncode == 0
    clinic.settle()
    assert {text for text in texts if not any(text in seen.split("\n") for seen in clinic.texts())} == set()
    first, last = clinic.alerts()[0], clinic.alerts()[-1]
    assert len(clinic.alerts()) == (2 if case.hand or case.minutes > 5 else 1)
    assert ("I go on trying" in first) == bool(case.hand and case.steps)
    assert first.startswith(f"{FAULTS[case.kind].what} at ")
    assert FAULTS[case.kind].todo in first or first == last or case.steps
    assert "All is well again since" in last
    assert bool(re.search(r"\bI (switched|had|reset|cut)\b", last)) == (bool(case.steps) and not case.hand), last
    assert [step for step in case.steps if step != "radio"] == clinic.steps()
    assert clinic.tree.writes_to("usb1", "1-1", "1-1.1", "1-1.4") == []
    assert clinic.check() == 0


def cpu(run: Callable[[], object]) -> float:
    """The CPU seconds of the program that `run` runs to its end, the best of three."""
    spent = []
    for _ in range(3):
        before = os.times()
        run()
        after = os.times()
        spent.append(after.children_user - before.children_user + after.children_system - before.children_system)
    return min(spent)


class TestHealthy:
    def test_it_says_nothing_opens_nothing_writes_nothing_and_is_cheap(self, clinic: Clinic) -> None:
        assert clinic.check() == 0  # remembers the stick
        clinic.later(60)
        before = {path: path.stat().st_mtime_ns for path in clinic.state.rglob("*")}
        asked = len(clinic.stick.commands)
        codes: list[int] = []
        spent = cpu(lambda: codes.append(clinic.health(hasty=False)))
        assert codes == [0, 0, 0]
        start = cpu(lambda: clinic.start_health("--help", hasty=False).communicate())
        assert {path: path.stat().st_mtime_ns for path in clinic.state.rglob("*")} == before
        assert clinic.tree.writes == []
        assert len(clinic.stick.commands) == asked
        assert spent < 2 * start


def test_a_call_that_poll_cannot_end(clinic: Clinic) -> None:
    """What poll's status says of it is written here: to ring for that long takes that long."""
    assert clinic.check() == 0
    status = clinic.status()
    (clinic.run_folder / "home.json").write_text(json.dumps({**status, "call": 300}))
    assert clinic.health() == 75
    assert clinic.incident()["what"] == FAULTS["call"].what
    asked = len(clinic.stick.commands)
    clinic.later()
    (clinic.run_folder / "home.json").write_text(json.dumps({**status, "call": 600}))
    assert clinic.health() == 75  # whether it helped is for poll to say
    assert "AT+CFUN=4" in [command.text for command in clinic.stick.commands[asked:]]
    (clinic.run_folder / "home.json").write_text(json.dumps(status))
    assert clinic.health() == 0
