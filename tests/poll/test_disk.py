# SPDX-License-Identifier: GPL-2.0-or-later
"""A card that goes read-only, or fails, at any call of a run that changes something: one line, 75, nothing lost."""

from __future__ import annotations

import itertools
import os
import time

import pytest

import pdus
from homesim.store.spool import SEEN_DAYS
from patience import PATIENCE
from poll import steps
from poll.steps import FileStep
from rig import Rig, now

OLD = SEEN_DAYS * 86400 + 10 * 86400

pytestmark = steps.needs_strace


def prepare(rig: Rig) -> None:
    """One run has made the folders; an old mark is to be swept, an SMS is on the stick, another is in the spool."""
    rig.stick.store("SM", None, pdus.deliver("the first", time=now()))
    assert rig.poll().returncode == 0
    old = rig.state / "seen" / "20200101T000000Z-0123456789abcdef01234567"
    old.touch()
    os.utime(old, (time.time() - OLD, time.time() - OLD))
    rig.stick.store("SM", None, pdus.deliver("the second", time=now()))


def run_with(rig: Rig, step: FileStep, error: str) -> tuple[int, str]:
    """Run bin/poll whose calls of this name fail from this one on, in the state folder: how it ended, what it said."""
    path = str(rig.folder / step.path).replace("{pid}", "$$")
    inject = f'strace -D -f -q -o /dev/null -e trace={step.call} -e inject={step.call}:error={error} -P "{path}"'
    process = rig.start("--linger", "0", command=("sh", "-c", f'exec {inject} "$@"', "sh"))
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


@pytest.mark.slow
def test_every_call(python: str) -> None:
    """Whichever fails, in one way of three, it is no bug, and when the disk is well again each SMS is in the chat."""
    with Rig(python) as rig:
        prepare(rig)
        found = [step for step in steps.record(rig).steps if isinstance(step, FileStep)]
    spool = [step for step in found if step.path.startswith("state/home/")]
    distinct = {(step.call, *step.path.split("/")[2:3]): step for step in reversed(spool)}
    for step, error in zip(distinct.values(), itertools.cycle(["EROFS", "EIO", "ENOSPC"])):
        with Rig(python) as rig:
            prepare(rig)
            code, said = run_with(rig, step, error)
            assert (code, said.count("\n"), "bug" in said) in ((75, 1, False), (0, 0, False)), (step, said)
            rig.poll()
            assert rig.poll().returncode == 0
            assert {"the first", "the second"} <= {text.split("\n")[1] for text in rig.texts()}, step
