# SPDX-License-Identifier: GPL-2.0-or-later
"""A stick that answers at once, and with nonsense: a run of it ends in its time and costs what any run costs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

import pdus
from emulators.botapi.server import Chat
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Stick, Trouble
from patience import PATIENCE
from rig import ROOT, Rig, now

STARTS = 2  # of one run: the second is for answers that are out of step
LINGER = "10.7"  # a rest of it was rounded up, once for each start
OTHER = 5550002


def starts(stick: Stick) -> int:
    """Each asks for the SIM once."""
    return [command.text for command in stick.commands].count("AT+CPIN?")


def test_ok_to_everything(rig: Rig) -> None:
    rig.stick.faults.on("", Trouble(answer="OK"))
    run = rig.poll("--linger", LINGER)
    assert run.returncode == 75
    assert starts(rig.stick) == STARTS
    [line] = run.stderr.splitlines()
    assert line.startswith(f"homesim-poll: {rig.folder}/sms: ")


@pytest.mark.slow
def test_ok_to_everything_at_one_of_two_sticks(rig: Rig) -> None:
    other = Stick("E303")
    with PtyPort(other, rig.folder / "other"):
        rig.configure(more=f'[modem.work]\ndevice = "{rig.folder}/other"\nchat_id = {OTHER}\n')
        rig.api.chats[OTHER] = Chat(OTHER)
        rig.stick.faults.on("", Trouble(answer="OK"))
        process = rig.start("--linger", LINGER)
        rig.stick.wait_for(lambda stick: starts(stick) == STARTS)
        other.deliver(pdus.deliver("from the other", time=now()))
        rig.api.wait_for(lambda api: "from the other" in api.text())
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 75
        assert (starts(rig.stick), starts(other)) == (STARTS, 1)


@pytest.mark.slow
def test_notices_without_end_bring_no_more_lists_than_time_does(rig: Rig) -> None:
    stop = threading.Event()

    def flood() -> None:
        while not stop.wait(0.002):
            rig.stick.say(b'+CMTI: "SM",1')

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        process = rig.start("--linger", "4")
        rig.stick.wait_for(lambda stick: lists(stick) > 6)
        rig.stick.deliver(pdus.deliver("in the middle of it", time=now()))
        process.communicate(timeout=PATIENCE)
    finally:
        stop.set()
        thread.join()
    assert (process.returncode, len(rig.api.sent)) == (0, 1)
    assert lists(rig.stick) < 60


def lists(stick: Stick) -> int:
    return sum("CMGL" in command.text for command in stick.commands)


def test_a_new_start_moves_no_end() -> None:
    """The kernel's timer goes on, the time that is left is what was left, and the command line grows once."""
    program = """
import signal, sys, time
sys.path.insert(0, "lib")
from homesim import process
from homesim.poll.main import Clock
clock = Clock(100)
if not clock.anew:
    assert clock.worth()
    process.deadline(200)
    time.sleep(0.5)
    clock.start_anew("home")
assert not clock.worth()
print(signal.getitimer(signal.ITIMER_REAL)[0] <= 199.5, clock.last - time.monotonic() <= 119.5, sys.argv[1:])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "True True ['--modem', 'home']\n"


@pytest.mark.slow
def test_the_parts_of_a_long_sms_are_no_notices_in_vain(rig: Rig) -> None:
    """What is announced right after many of them is read at once, as each of them was."""
    with rig.lingering():
        parts, after = [], []
        for number in range(3):
            for text in pdus.long_sms([f"{n} " for n in range(8)], "LONG", reference=number, total=9, time=now()):
                parts.append(read(rig, text))
                time.sleep(0.4)  # so that each has a look of its own
            after.append(read(rig, pdus.deliver(f"after {number}", time=now())))
    assert sorted(after)[1] < 4 * sorted(parts)[12], (parts, after)


def read(rig: Rig, text: str) -> float:
    """An SMS from the air; seconds until the stick has it no more."""
    begun = time.monotonic()
    rig.stick.deliver(text)
    rig.stick.wait_for(lambda stick: not stick.stored())
    return time.monotonic() - begun
