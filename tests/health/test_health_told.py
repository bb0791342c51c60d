# SPDX-License-Identifier: GPL-2.0-or-later
"""What the owner is told, and when: a hand is needed, what helped in the end, one story of what comes and goes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

import pdus
from clinic import PLACE, STEPS, Clinic
from emulators.botapi.faults import refusal
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Cure, Sim, Stick, Trouble
from health.test_health_runs import check, seen, silent
from homesim.health import alert
from homesim.health.faults import FAULTS
from homesim.health.incident import DAY, HOLD
from homesim.process import boottime
from rig import now

HAND = "pull the stick out, wait ten seconds and put it back"


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        clinic.configure(health="alert_after = 1")
        yield clinic


def spooled(clinic: Clinic) -> list[str]:
    """The alerts that wait to be sent, where poll does not run."""
    return [json.loads(path.read_text())["alert"] for path in sorted((clinic.state / "new").glob("*-alert.json"))]


def well(clinic: Clinic) -> None:
    """It answers again, and poll has seen it."""
    clinic.stick.faults.clear()
    clinic.later()
    seen(clinic)


def in_vain(clinic: Clinic) -> None:
    """The whole ladder, and as many checks again with their peace over."""
    for _ in range(2 * len(STEPS)):
        clinic.later(3600)
        silent(clinic)
        assert clinic.health() == 75


def reset_in_vain(clinic: Clinic) -> None:
    seen(clinic)
    assert clinic.health() == 0
    silent(clinic)
    in_vain(clinic)


@pytest.mark.slow
def test_the_owner_is_told_once_that_a_hand_is_needed_and_then_a_line_a_day(clinic: Clinic) -> None:
    reset_in_vain(clinic)
    first, second = spooled(clinic)
    assert HAND not in first
    assert "I reset it and cut its power. That did not help." in second
    assert f"ask whoever is near the Raspberry Pi: {HAND}. I go on trying." in second
    assert "I am trying to bring it back" not in second
    clinic.later(DAY)
    silent(clinic)
    assert clinic.health() == 75
    assert spooled(clinic)[2].startswith("It is not over yet.")
    assert HAND in spooled(clinic)[2]


class TestSim:
    def test_the_last_tries_of_a_pin_are_told_and_not_spent(self, clinic: Clinic) -> None:
        clinic.stick = Stick(pin="1234")
        says = b"\r\n^CPIN: SIM PIN,2,10,2,10,3\r\n"  # somebody has spent one
        clinic.stick.faults.on(r"\^CPIN\?", Trouble(answer="OK", before_answer=says))
        clinic.tree.unplug(PLACE)
        clinic.port = PtyPort(clinic.stick, clinic.folder / "sms")
        clinic.tree.plug(clinic.stick, clinic.port, at=PLACE)
        clinic.configure(health="alert_after = 1", modem='pin = "9999"')
        assert clinic.poll().returncode == 78
        assert clinic.check() == 75
        clinic.poll()
        [alert] = clinic.alerts()
        assert alert.startswith(FAULTS["last-tries"].what)
        assert FAULTS["last-tries"].todo in alert
        assert "Set pin" not in alert

    @pytest.mark.parametrize("state", [Sim.ABSENT, Sim.PUK])
    def test_bad_news_of_poll_s_beats_an_answer_before_it(self, clinic: Clinic, state: Sim) -> None:
        """The SIM is pulled a moment after poll has seen its SMS."""
        assert clinic.check() == 0
        clinic.stick.faults.sim(state)
        assert clinic.poll().returncode != 0
        assert clinic.status()["answered_boottime"] > boottime() - 150
        assert clinic.health() == 75
        assert clinic.incident()["what"] == FAULTS["no-sim" if state is Sim.ABSENT else "puk"].what

    def test_an_incident_is_not_over_while_poll_says_otherwise(self, clinic: Clinic) -> None:
        """Whatever it is: poll's last word is that the port is silent, the one before was not."""
        clinic.tree.under_voltage()
        assert clinic.check() == 75
        clinic.tree.under_voltage(False)
        clinic.stick.faults.freeze(Cure.REPLUG)
        assert clinic.poll().returncode == 75
        assert clinic.health() == 75
        assert clinic.incident()["times"] == 1
        clinic.stick.faults.clear()
        assert clinic.poll().returncode == 0
        assert clinic.health() == 0
        assert clinic.incident() == {}


class TestCount:
    def test_a_long_sms_that_waited_is_one(self, clinic: Clinic) -> None:
        assert clinic.check() == 0
        clinic.tree.under_voltage()
        assert clinic.check() == 75
        for part in pdus.long_sms("x" * 900, "SENDER", reference=7, time=now()):
            clinic.stick.deliver(part)
        clinic.arrive()
        clinic.poll()
        clinic.tree.under_voltage(False)
        assert clinic.check() == 0
        clinic.poll()
        assert "2 SMS had waited." in clinic.alerts()[-1]

    def test_slots_that_nobody_has_read_are_not_called_sms(self, clinic: Clinic) -> None:
        seen(clinic)
        clinic.health()
        silent(clinic, Cure.AUTHORIZE)
        for part in pdus.long_sms("x" * 900, "SENDER", reference=7, time=now()):
            clinic.stick.deliver(part)
        while check(clinic) == 75:
            pass
        assert not re.search(r"\d+ SMS", spooled(clinic)[-1])
        assert "The SMS that had waited come now." in spooled(clinic)[-1]


def ill(clinic: Clinic) -> None:
    """For two checks."""
    clinic.stick.faults.freeze(Cure.REPLUG)
    for _ in range(2):
        clinic.later()
        silent(clinic, Cure.REPLUG)
        assert clinic.health() == 75


def recovered(clinic: Clinic, minutes: float = 5) -> None:
    """For so long, as far as the clocks can tell."""
    well(clinic)
    assert clinic.health() == 0
    clinic.later(minutes * 60)
    seen(clinic)
    assert clinic.health() == 0


class TestComesAndGoes:
    @pytest.mark.slow
    def test_two_checks_ill_and_one_well_is_one_story(self, clinic: Clinic) -> None:
        seen(clinic)
        assert clinic.health() == 0
        for number in range(8):
            ill(clinic)
            recovered(clinic, 3 * 60 if number > 1 else 5)  # also when it is well for hours in between
        told = spooled(clinic)
        assert len([alert for alert in told if "All is well" in alert]) == 1
        assert len(told) <= 4
        assert "not the first time today: I tell you when it has been well for 6 hours" in told[2]
        recovered(clinic, HOLD[-1] / 60)
        last = spooled(clinic)[-1]
        assert "It came and went 7 times." in last
        assert "All is well again since" in last
        assert clinic.incident() == {}
        assert len(spooled(clinic)) <= 5

    @pytest.mark.slow
    def test_it_goes_on_with_its_step(self, clinic: Clinic) -> None:
        seen(clinic)
        clinic.health()
        for _ in range(2):
            silent(clinic, Cure.REPLUG)
            assert clinic.health() == 75
            recovered(clinic)
        step = clinic.incident()["step"]
        assert step > 1
        silent(clinic, Cure.REPLUG)
        clinic.later()
        silent(clinic, Cure.REPLUG)
        assert clinic.health() == 75
        assert clinic.incident()["step"] > step


@pytest.mark.slow
class TestRefused:
    """What lies in failed/ stays there until a person looks."""

    def put(self, clinic: Clinic, name: str) -> None:
        pdu = pdus.deliver("message", "SENDER", time=now())
        (clinic.state / "failed" / name).write_text(json.dumps({"pdus": [pdu], "reason": "HTTP 400"}))

    def test_it_is_told_once_and_is_no_reason_for_a_reset(self, clinic: Clinic) -> None:
        assert clinic.check() == 0
        self.put(clinic, "20261122T134723Z-000000-alert.json")  # words of our own
        assert clinic.check() == 0
        self.put(clinic, "20261122134723-0123456789abcdef.json")
        for _ in range(3):
            assert clinic.check() == 0  # the next SMS arrives
        self.put(clinic, "20261122134724-0123456789abcdef.json.damaged-in-new-1")
        for _ in range(2):
            assert clinic.check() == 0
        clinic.poll()
        assert [alert.partition(":")[0] for alert in clinic.alerts()] == ["1 SMS cannot be forwarded"] * 2
        assert clinic.tree.writes == []
        assert clinic.incident() == {}
        clinic.tree.under_voltage()
        assert clinic.check() == 75
        for path in (clinic.state / "failed").iterdir():
            path.unlink()
        clinic.tree.under_voltage(False)
        assert clinic.check() == 0
        assert clinic.incident() == {}
        clinic.poll()
        assert len(clinic.alerts()) == 4
        assert "All is well again" in clinic.alerts()[-1]

    def test_what_the_sender_has_told_is_not_told_again(self, clinic: Clinic) -> None:
        assert clinic.check() == 0
        clinic.api.always(lambda request: "cursed" in request.params.get("text", ""), refusal(400, "Bad Request: odd"))
        clinic.stick.deliver(pdus.deliver("cursed", "SENDER", time=now()))
        for _ in range(3):
            assert clinic.check() == 0
        clinic.poll()
        [alert] = clinic.alerts()
        assert "It is kept in failed/" in alert
        assert len(clinic.entries("failed")) == 1


@pytest.mark.parametrize("hour", range(24))
def test_a_time_has_its_date_only_where_it_could_be_another_day_s(hour: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the time of day is here: an incident over midnight is told like any other."""
    monkeypatch.setenv("TZ", f"HERE{hour - 12}")
    time.tzset()
    try:
        recent, old = alert.began("It stopped", 3 * 3600), alert.began("It stopped", 24 * 3600)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert re.fullmatch(r"It stopped at \d\d:\d\d\.", recent)
    assert re.fullmatch(r"It stopped on \d{4}-\d\d-\d\d at \d\d:\d\d\.", old)
