# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of faults in health's page is what the tests see, and there is a test for each fault that there is."""

from __future__ import annotations

import pytest

from clinic import STEPS
from health.fault_table import PAGE, PLACE, table
from health.test_health import CASES, Case
from health.test_health_hilink import TROUBLES
from homesim.health.faults import FAULTS

# Seen in test_health_runs.py, _kill.py and _told.py: nothing of the stick is ill, or a killed reset left it so.
ELSEWHERE = {"several", "off", "dead", "poll", "held", "waiting", "no-port", "call", "last-tries"}


def test_the_page_has_it() -> None:
    [there] = PLACE.findall(PAGE.read_text())
    assert there == table(), "run python tests/health/fault_table.py"


def test_each_fault_has_a_case() -> None:
    told = {key for key, fault in FAULTS.items() if fault.what}
    assert {case.kind for case in CASES} | ELSEWHERE | set(TROUBLES) == told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_steps_are_in_the_ladder_s_order(case: Case) -> None:
    steps = [STEPS.index(step) for step in case.steps]
    assert steps == sorted(set(steps))
