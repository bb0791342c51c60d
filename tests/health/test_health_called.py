# SPDX-License-Identifier: GPL-2.0-or-later
"""Health within the minute: who calls for it, and when it does not act though it was called."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from clinic import PLACE, Clinic
from emulators.stick.stick import Cure, Registration, Sim, Trouble
from emulators.sysfs.tree import HILINK
from health.test_health_runs import seen, silent
from homesim.health.faults import FAULTS
from homesim.process import boottime
from homesim.stick.status import SEARCH, YOUNG


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        assert clinic.check() == 0
        yield clinic


class TestPollCalls:
    def test_a_healthy_one_does_not(self, clinic: Clinic) -> None:
        clinic.stick.call(rings=10**6, every=0.1)
        assert clinic.poll("--linger", "2").returncode == 0
        assert not clinic.called

    @pytest.mark.parametrize("ill", ["frozen", "no SIM"])
    def test_one_that_ends_for_the_stick_s_sake_does(self, clinic: Clinic, ill: str) -> None:
        if ill == "frozen":
            clinic.stick.faults.freeze(Cure.NEVER)
        else:
            clinic.stick.faults.sim(Sim.ABSENT)
        assert clinic.poll().returncode == 75
        assert clinic.called
        assert clinic.health("--dry-run") == 75
        assert clinic.called
        clinic.stick.faults.clear()
        assert clinic.poll().returncode == 0
        assert clinic.health() == 0
        assert not clinic.called

    def test_one_whose_stick_has_been_ill_for_long_does_not(self, clinic: Clinic) -> None:
        """A stick that somebody has pulled out for weeks starts nothing each minute."""
        clinic.stick.faults.freeze(Cure.NEVER)
        clinic.later(YOUNG)
        assert clinic.poll().returncode == 75
        assert not clinic.called

    @pytest.mark.parametrize(("ago", "calls"), [(0.0, False), (SEARCH, True), (SEARCH + YOUNG + 1, False)])
    def test_one_without_a_network_does_when_a_search_would_be_over(
        self, clinic: Clinic, ago: float, calls: bool
    ) -> None:
        clinic.stick.faults.register(Registration.SEARCHING)
        assert clinic.poll().returncode == 0
        clinic.shift(clinic.run_folder / "home.json", ago, "unregistered_boottime")
        assert clinic.poll().returncode == 0
        assert clinic.called == calls

    def test_one_that_has_found_it_again_forgets_when_it_was_lost(self, clinic: Clinic) -> None:
        clinic.stick.faults.register(Registration.SEARCHING)
        clinic.poll()
        clinic.stick.faults.clear()
        clinic.poll()
        assert clinic.status()["unregistered_boottime"] is None

    def test_one_that_was_away_searches_anew(self, clinic: Clinic) -> None:
        clinic.stick.faults.register(Registration.SEARCHING)
        clinic.poll()
        clinic.later(SEARCH)
        clinic.stick.faults.freeze(Cure.NEVER)
        clinic.poll()
        clinic.stick.faults.thaw()
        clinic.health()  # takes the call away
        assert clinic.poll().returncode == 0
        assert not clinic.called


class TestNoStep:
    """What is merely slow, searching or busy is left alone, and nobody is told."""

    def left_alone(self, clinic: Clinic) -> bool:
        radio = "AT+CFUN=4" in [command.text for command in clinic.stick.commands]
        return not radio and not clinic.tree.writes and not clinic.entries("new")

    def test_one_that_answers_when_it_is_asked_again(self, clinic: Clinic) -> None:
        silent(clinic)
        clinic.stick.faults.clear()
        clinic.stick.faults.on("", Trouble(silent=True))
        well = threading.Timer(1.2, clinic.stick.faults.clear)  # hasty: asked for 1 s, and again after 1.5
        clinic.stick.on_command = lambda *_: None if well.ident else well.start()
        assert clinic.health() == 75  # the port answers; poll has not said so yet
        assert self.left_alone(clinic)
        seen(clinic)
        assert clinic.health() == 0
        assert self.left_alone(clinic)

    @pytest.mark.slow
    def test_one_that_answers_slowly(self, clinic: Clinic) -> None:
        """Whatever poll says of it, and how often."""
        clinic.stick.latency = 0.5
        for _ in range(3):
            clinic.later(60)
            seen(clinic, answered_boottime=boottime() - 100, error="the stick stopped answering",
                 error_boottime=boottime())  # fmt: skip
            assert clinic.health() == 75
        assert self.left_alone(clinic)

    def test_one_that_searches(self, clinic: Clinic) -> None:
        clinic.stick.faults.register(Registration.SEARCHING)
        seen(clinic, registration="searching", unregistered_boottime=boottime() - SEARCH + 30)
        asked = len(clinic.stick.commands)
        assert clinic.health() == 0
        assert len(clinic.stick.commands) == asked
        assert self.left_alone(clinic)

    def test_one_in_a_call(self, clinic: Clinic) -> None:
        """It rings, and takes no command but those that ask for it meanwhile."""
        clinic.stick.call(rings=10**6, every=0.1)
        clinic.stick.faults.on("CPMS|CMGL|CMGR", Trouble(answer="+CMS ERROR: 500"))
        assert clinic.poll().returncode == 75
        assert clinic.health() == 75
        assert self.left_alone(clinic)


@pytest.mark.slow
def test_what_nobody_was_told_of_has_the_name_of_what_was_mended(clinic: Clinic) -> None:
    """A stick is plugged in, which nobody knows yet, and freezes before the next check."""
    clinic.tree.switch_mode(PLACE, HILINK)
    assert clinic.check() == 75
    assert clinic.incident()["what"] == FAULTS["unknown"].what
    clinic.tree.switch_mode(PLACE)
    clinic.poll()
    clinic.stick.faults.freeze(Cure.AUTHORIZE)
    assert clinic.check() == 0
    clinic.poll()
    [alert] = clinic.alerts()
    assert alert.startswith(FAULTS["silent"].what)


@pytest.mark.slow
def test_one_that_comes_and_goes_in_minutes_is_one_message(clinic: Clinic) -> None:
    """Each time it is healed within the minute: told at once the first time of the day, then as one story."""
    for cure in (Cure.AUTHORIZE, Cure.AUTHORIZE, Cure.POWER):  # it goes on with the next step
        clinic.stick.faults.freeze(cure)
        clinic.arrive()
        assert clinic.check() == 0
        clinic.later(3600)
        clinic.poll()
        assert clinic.health() == 0
    clinic.poll()
    [alert] = clinic.alerts()
    assert "I reset it. All is well again since" in alert
    clinic.later(86400)
    clinic.poll()
    assert clinic.health() == 0
    clinic.poll()
    assert "It came and went 2 times." in clinic.alerts()[-1]
    assert len(clinic.alerts()) == 2
