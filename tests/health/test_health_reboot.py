# SPDX-License-Identifier: GPL-2.0-or-later
"""reboot_after: the last step, asked of a process 1 that only writes down what it is asked."""

from __future__ import annotations

import functools
import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from clinic import STEPS, Clinic
from emulators.sysfs.tree import Cure
from health.test_health_runs import change, seen, silent
from patience import PATIENCE
from rig import BIN, ROOT

# Process 1 of its own namespace; what runs in it cannot see this machine's.
INIT = """
import os, signal, subprocess, sys
assert os.getpid() == 1
asked = []
for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
    signal.signal(number, lambda number, _: asked.append(number - signal.SIGRTMIN))
code = subprocess.call(sys.argv[1:])
print("exit", code, "asked", *asked)
"""
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@functools.cache
def unshare_fails() -> str:
    try:
        tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return tried.stderr.strip()


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(unshare_fails()), reason=unshare_fails())]


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        yield clinic


def in_vain(clinic: Clinic, reboot_after: float, hours: float, step: int = len(STEPS) + 1) -> None:
    """An incident of so many hours, at a step of its ladder."""
    clinic.configure(health=f"reboot_after = {reboot_after}")
    seen(clinic)
    clinic.health()
    silent(clinic, Cure.NEVER)
    clinic.health()
    change(clinic, step=step)
    path = clinic.state / "incident"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "since": fields["since"] - hours * 3600}))


def with_own_init(clinic: Clinic) -> str:
    command = [clinic.python, "-B", str(ROOT / "tests/hasty.py"), str(BIN / "health"), "--config", str(clinic.config)]
    run = subprocess.run(
        [*UNSHARE, clinic.python, "-c", INIT, *command], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert run.stderr == ""
    return run.stdout.strip()


def test_it_comes_after_the_last_step(clinic: Clinic) -> None:
    in_vain(clinic, 0.001, 1)
    assert with_own_init(clinic) == "exit 75 asked 5"  # systemd(1): SIGRTMIN+5 starts reboot.target
    assert clinic.incident()["tried"][-1] == "reboot"
    assert (clinic.incident()["step"], clinic.incident()["rounds"]) == (0, 1)  # the next boot begins anew


@pytest.mark.parametrize(
    ("reboot_after", "hours", "step"),
    [(0, 5, len(STEPS) + 1), (100, 5, len(STEPS) + 1), (1000, 2000, len(STEPS) + 1), (0.001, 1, 3)],
    ids=["never", "not yet", "not since this boot", "a step is left"],
)
def test_it_does_not_come_before(clinic: Clinic, reboot_after: float, hours: float, step: int) -> None:
    in_vain(clinic, reboot_after, hours, step)
    assert with_own_init(clinic) == "exit 75 asked"
    assert "reboot" not in clinic.incident()["tried"]


def test_soon_after_it_all_is_not_well_yet(clinic: Clinic) -> None:
    """/run is empty, and the boot too young for a silence to count: no news is no good news."""
    clinic.configure(health="alert_after = 1")
    seen(clinic)
    silent(clinic)
    assert clinic.health() == 75
    (clinic.run_folder / "home.json").unlink()
    change(clinic, boot="the one before")
    young = ["unshare", "--time", "--boottime", f"{60 - time.monotonic():.0f}"]  # a minute old
    program = [clinic.python, "-B", str(ROOT / "tests/hasty.py"), str(BIN / "health"), "--config", str(clinic.config)]
    assert subprocess.run([*young, *program], check=False).returncode == 75
    assert clinic.incident()["told"] >= 0
    assert len(list((clinic.state / "new").iterdir())) == 1
    clinic.stick.faults.clear()
    assert clinic.poll().returncode == 0
    assert clinic.health() == 0
    assert clinic.incident() == {}
    clinic.poll()
    assert "All is well again" in clinic.alerts()[-1]
