# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMS without a valid time is known by its slot: each is forwarded, once, also when it is the same octets again."""

from __future__ import annotations

import signal
import threading

import pytest

import pdus
from emulators.stick.stick import Trouble
from homesim.sms import message
from homesim.store.entry import Entry
from homesim.store.spool import Spool
from patience import PATIENCE
from rig import Rig

NO_TIME = "FF" * 7
ALARM = pdus.deliver("Water in the cellar", "ALARM", scts=NO_TIME)
LONG = pdus.long_sms(["Water in the cellar, ", "and no pump"], "ALARM", reference=3, scts=NO_TIME)
OLD_NAME = "00000000T000000Z-" + "0" * 24


def come(rig: Rig, *texts: str) -> None:
    """They are stored, forwarded and deleted."""
    for text in texts:
        rig.stick.deliver(text)
    run = rig.poll()
    assert (run.returncode, run.stderr) == (0, "")
    assert rig.stick.stored() == {}


@pytest.mark.parametrize("texts", [[ALARM], LONG, LONG[::-1], [LONG[0], ALARM, LONG[1]]])
def test_the_same_again_is_forwarded_again(rig: Rig, texts: list[str]) -> None:
    for times in (1, 2, 3):
        come(rig, *texts)
        assert len(rig.api.sent) == times * (2 if ALARM in texts and len(texts) > 1 else 1)
    assert rig.entries("parts") == []
    assert "incomplete" not in rig.api.text()
    assert not (rig.state / "slots").exists()


def test_the_same_again_in_one_run_is_forwarded_again(rig: Rig) -> None:
    """It comes into the slot that has just been freed."""
    with rig.lingering():
        for times in range(1, 5):
            rig.stick.deliver(ALARM)
            rig.api.wait_for(lambda api, times=times: len(api.sent) == times)  # type: ignore[misc]
            rig.stick.wait_for(lambda stick: not stick.stored())


def test_it_comes_into_its_slot_before_that_is_listed_again(rig: Rig) -> None:
    """The network puts it there as soon as there is room."""
    come_back = [ALARM, ALARM]

    def freed(phase: str, text: str) -> None:
        if text.startswith("AT+CMGR") and phase == "answered" and come_back and not rig.stick.stored():
            rig.stick.store("SM", 0, come_back.pop())

    rig.stick.store("SM", 0, ALARM)
    rig.stick.on_command = freed
    assert rig.poll().returncode == 0
    assert rig.stick.stored() == {}
    assert rig.api.text().count("Water in the cellar") == 3


def test_it_comes_into_its_slot_before_that_is_looked_at(rig: Rig) -> None:
    """Between the deletion and our look: what the stick says of it on its own tells it from one that it has kept."""
    come_back = [ALARM, ALARM]

    def freed(phase: str, text: str) -> None:
        if text.startswith("AT+CMGD") and phase == "answered" and come_back:
            rig.stick.deliver(come_back.pop())

    rig.stick.deliver(ALARM)
    rig.stick.on_command = freed
    assert rig.poll().returncode == 0
    assert rig.stick.stored() == {}
    assert rig.api.text().count("Water in the cellar") == 3


def test_two_that_are_the_same_stand_in_two_slots(rig: Rig) -> None:
    rig.stick.store("ME", None, ALARM)
    come(rig, ALARM, ALARM)
    assert rig.api.text().count("Water in the cellar") == 3


def test_a_stick_that_keeps_what_it_says_it_has_deleted_makes_no_repeat(rig: Rig) -> None:
    rig.stick.faults.on("CMGD", Trouble(answer="OK"))
    for text in (ALARM, *LONG):
        rig.stick.store("SM", None, text)
    for _ in range(3):
        assert rig.poll().returncode == 0
        assert len(rig.api.sent) == 2
    rig.stick.faults.clear()
    assert rig.poll().returncode == 0
    assert rig.stick.stored() == {}
    come(rig, ALARM)
    assert len(rig.api.sent) == 3


def test_what_the_version_before_has_kept_or_marked_hides_no_new_one(rig: Rig) -> None:
    spool = Spool(rig.state)
    kept = pdus.deliver("kept by the version before", "ALARM", scts=NO_TIME)
    spool.put("new", Entry(OLD_NAME, (kept,)))
    for text in (ALARM, kept):
        spool.mark(message.name([text]))
    come(rig, ALARM)
    assert sorted(text.split("\n")[1] for text in rig.texts()) == ["Water in the cellar", "kept by the version before"]


def test_what_stands_in_a_memory_that_is_refused_for_once_is_not_forgotten(rig: Rig) -> None:
    rig.stick.faults.on("CMGD", Trouble(answer="OK"))
    rig.stick.store("ME", None, ALARM)
    assert rig.poll().returncode == 0
    rig.stick.faults.on('CPMS="ME"', Trouble(answer="+CMS ERROR: 302"))
    assert rig.poll().returncode == 0
    rig.stick.faults.clear()
    rig.stick.faults.on("CMGD", Trouble(answer="OK"))
    assert rig.poll().returncode == 0
    assert len(rig.api.sent) == 1


def test_a_dry_run_shows_what_a_run_would_forward_and_names_nothing(rig: Rig) -> None:
    come(rig, ALARM)
    for _ in range(2):
        rig.stick.deliver(ALARM)
    run = rig.poll("--dry-run")
    assert run.stdout.count("Water in the cellar") == 2
    assert not (rig.state / "slots").exists()
    rig.stick.faults.on("CMGD", Trouble(answer="OK"))
    assert rig.poll().returncode == 0
    assert "Water in the cellar" not in rig.poll("--dry-run").stdout


@pytest.mark.parametrize(("command", "nth"), [("CMGR", 1), ("CMGD", 1), ("CMGR", 2)])
def test_killed_around_the_deletion_it_is_forwarded_and_the_next_one_too(rig: Rig, command: str, nth: int) -> None:
    rig.stick.store("SM", 0, ALARM)
    kill_at(rig, f"AT+{command}", nth)
    assert rig.poll().returncode == 0
    assert rig.stick.stored() == {}
    first, *again = rig.texts()
    assert "Water in the cellar" in first
    assert [text for text in again if "possible repeat" not in text] == []
    come(rig, ALARM)
    assert len(rig.api.sent) == 2 + len(again)


def kill_at(rig: Rig, command: str, nth: int) -> None:
    """Kill a run when the nth such command has been answered."""
    started = threading.Event()
    times = 0

    def on(phase: str, text: str) -> None:
        nonlocal times
        times += phase == "answered" and text.startswith(command)
        if times == nth:
            assert started.wait(PATIENCE)
            process.kill()
            process.wait()

    rig.stick.on_command = on
    process = rig.start("--linger", "0")
    started.set()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    rig.stick.on_command = None
