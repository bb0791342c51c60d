# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMS without a valid time is known by its slot: each is forwarded, once, also when it is the same octets again."""

from __future__ import annotations

import json
import time

import pytest

import pdus
from emulators.stick.stick import Trouble
from homesim.sms import message
from homesim.store.entry import Entry
from homesim.store.spool import Spool
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


@pytest.mark.parametrize("command", ["AT+CMGR", "AT+CMGD"])
def test_it_comes_into_its_slot_before_that_is_listed_again(rig: Rig, command: str) -> None:
    """As soon as there is room. If that is before our look at it, it is told from one that the stick has kept by what
    the stick says of it on its own."""
    come_back = [ALARM, ALARM]

    def freed(phase: str, text: str) -> None:
        if text.startswith(command) and phase == "answered" and come_back and not rig.stick.stored():
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


def test_a_stamp_that_is_read_now_and_was_not_before(rig: Rig) -> None:
    """Such an SMS had another name: one that is on the stick still is shown once more, never twice, and never lost."""
    alone = pdus.deliver("Hello", scts="6211222143A540")
    parts = [
        pdus.deliver(text, udh=[pdus.concat(7, 2, number)], scts=f"6211222143{number}5F0")
        for number, text in enumerate(("one ", "two"), 1)
    ]
    rig.poll()
    (rig.state / "seen" / before(alone)).touch()
    waits = {"pdus": parts[:1], "received": time.time()}
    (rig.state / "parts" / f"{before(parts[0])}.json").write_text(json.dumps(waits))
    for text in (alone, *parts):
        rig.stick.store("SM", None, text)
    for _ in range(2):
        assert rig.poll().returncode == 0
        rig.stick.store("SM", None, alone)
    assert sorted(text.split("\n")[1] for text in rig.texts()) == ["Hello", "one two"]
    assert rig.entries("new") == []


def before(pdu: str) -> str:
    """The name of an SMS without a valid time."""
    return f"00000000T000000Z-{message.name([pdu]).partition('-')[2]}"
