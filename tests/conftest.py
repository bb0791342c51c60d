# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs homesim runs it with the first Python that has all it needs: the system's, else the one of .venv.

Modules whose subject is what libgammu does say EACH_LIBGAMMU, and run with each: the system's libgammu and PyPI's.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rig import Rig

SYSTEM = "/usr/bin/python3"
LIB = Path(__file__).resolve().parent.parent / "lib"

# The same examples each time, and none is wrong because the machine is busy.
settings.register_profile("homesim", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("homesim")


@functools.cache
def pythons() -> list[str]:
    """The interpreters that have all that homesim needs, HOMESIM_PYTHONS (a colon-separated list) if set."""
    wanted = os.environ.get("HOMESIM_PYTHONS", f"{SYSTEM}:{sys.executable}").split(":")
    return [python for python in dict.fromkeys(wanted) if _version(python)]


@functools.cache
def _version(python: str) -> str:
    """libgammu's version in this interpreter, "" when it cannot run homesim."""
    program = "import filelock, requests, gammu; print(gammu.Version()[0])"
    try:
        return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "python" in metafunc.fixturenames:
        first, *others = pythons() if getattr(metafunc.module, "EACH_LIBGAMMU", False) else pythons()[:1]
        # The quick suite runs bin/poll on the first libgammu, and reads the corpus through each.
        marks = [] if metafunc.module.__name__.endswith("test_corpus") else [pytest.mark.slow]
        parameters = [first, *(pytest.param(other, marks=marks) for other in others)]
        metafunc.parametrize("python", parameters, ids=[f"libgammu-{_version(p)}" for p in [first, *others]])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, those that wait among those that reckon; none is left that runs alone in the end."""
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, hashlib.sha1(item.nodeid.encode()).digest()))


def pytest_report_header() -> list[str]:
    return [f"homesim runs on {python} with libgammu {_version(python)}" for python in pythons()]


def pytest_sessionstart(session: pytest.Session) -> None:
    if not pythons():
        pytest.exit("no Python here has gammu, requests and filelock; run make test", returncode=1)
    if not hasattr(session.config, "workerinput"):  # once, before xdist's workers
        _compile()


def _compile() -> None:
    """The program's bytecode, which its user has from the second run on: a quarter of what a run costs without."""
    for python in pythons():
        subprocess.run([python, "-m", "compileall", "-q", str(LIB)], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture
def rig(python: str) -> Iterator[Rig]:
    with Rig(python) as rig:
        yield rig
