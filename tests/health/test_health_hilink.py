# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/health and bin/doctor on a HiLink stick: what poll saw of its page is judged, and its page restarts it.

Whether a real one can be brought back so nobody has written down. Its USB device is not reset yet.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from emulators.hilink.stick import Fault, error, page
from homesim.health.faults import FAULTS
from page_rig import PageRig
from patience import PATIENCE
from rig import BIN

PASSWORD = "s3cret&Word"


@pytest.fixture
def clinic(python: str) -> Iterator[PageRig]:
    with PageRig(python, password=PASSWORD) as clinic:
        yield clinic


def test_a_healthy_one_is_asked_for_nothing(clinic: PageRig) -> None:
    clinic.poll()
    asked = len(clinic.hilink.requests)
    assert clinic.health() == 0
    assert len(clinic.hilink.requests) == asked
    assert clinic.alerts() == []
    assert clinic.tree.writes == []


def test_a_page_that_shows_no_sms_is_restarted_and_the_owner_told(clinic: PageRig) -> None:
    """Poll sees it; health asks for itself, twice; the restart helps. No other stick is touched."""
    clinic.poll()
    clinic.hilink.order(error(100004), "sms/sms-list", times=4)
    clinic.hilink.deliver("kept")
    assert clinic.poll().returncode == 75
    assert clinic.called
    assert clinic.checks()[-1] == 0
    clinic.poll()
    assert "kept" in clinic.api.text()
    assert clinic.hilink.reboots == 1
    assert clinic.tree.writes == []
    assert any("web page" in alert for alert in clinic.alerts())
    assert not clinic.hilink.modem.sessions.logged_in


@dataclass(frozen=True)
class Trouble:
    """What is done to the stick or the configuration, and undone."""

    make: Callable[[PageRig], object]
    mend: Callable[[PageRig], object] = lambda clinic: clinic.hilink.clear()


def answers(fault: Fault, path: str) -> Trouble:
    return Trouble(lambda clinic: clinic.hilink.order(fault, path, times=99))


def password(word: str | None) -> Trouble:
    def set_to(clinic: PageRig, word: str | None) -> None:
        clinic.password = word
        clinic.configure()

    return Trouble(lambda clinic: set_to(clinic, word), lambda clinic: set_to(clinic, PASSWORD))


TROUBLES = {  # by fault
    "no-page": Trouble(lambda clinic: clinic.hilink.down(), lambda clinic: clinic.hilink.up()),
    "not-a-page": answers(page(), "pin/status"),
    "page": answers(error(100004), "sms/sms-list"),
    "password": password(None),
    "wrong-password": password("wrong"),
    "page-taken": answers(error(108003), "user/authentication_login"),
    "page-locked": answers(error(108007), "user/challenge_login"),
}


@pytest.mark.parametrize("key", TROUBLES)
def test_its_owner_is_told_and_doctor_names_it(clinic: PageRig, key: str) -> None:
    clinic.poll()
    TROUBLES[key].make(clinic)
    clinic.later(600)
    assert {clinic.check() for _ in range(3)} == {75}
    clinic.poll()
    assert FAULTS[key].what in clinic.alerts()[0]
    found = {finding["trouble"]: finding for finding in doctor(clinic)}
    assert key in found
    assert found[key]["cure"]
    TROUBLES[key].mend(clinic)
    clinic.later(3600)
    assert clinic.checks()[-1] == 0
    assert clinic.hilink.modem.sessions.logins <= 30


def doctor(clinic: PageRig) -> list[dict[str, Any]]:
    program = [clinic.python, "-B", str(BIN / "doctor"), "--config", str(clinic.config), "--json"]
    run = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert PASSWORD not in run.stdout
    found: list[dict[str, Any]] = json.loads(run.stdout)["findings"]
    return found


def test_doctor_says_what_poll_saw(clinic: PageRig) -> None:
    clinic.poll()
    found = {finding["station"]: finding for finding in doctor(clinic)}
    assert found["answer"]["ok"], found["answer"]
    assert "its web page" in found["answer"]["says"]
    assert found["SIM"]["ok"]
