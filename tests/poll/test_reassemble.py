# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts that never become whole: they hold up no other SMS, amplify nothing, stay few, and each is told."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

import pdus
from emulators.stick.stick import Trouble
from homesim.poll.reassemble import KEEP, MOST
from homesim.sms import message
from homesim.store.entry import Entry
from homesim.store.spool import Spool
from patience import PATIENCE, WATCHED, look_until
from poll import steps
from rig import Rig, now

CODE = "Your code is 482913"
YEAR = 365 * 86400.0


def lay(rig: Rig, texts: Iterable[str], *, told: bool, age: float = 0) -> None:
    """Parts as 0.1.0 has left them, without the fsyncs that would make a test of thousands slow."""
    Spool(rig.state)
    for text in texts:
        fields = {"pdus": [text], "received": time.time() - age} | ({"told": True} if told else {})
        file = rig.state / "parts" / f"{message.name([text])}.json"
        file.write_text(json.dumps(fields))
        file.chmod(0o600)


def first_halves(count: int, *, one_key: bool, before: float = 3600) -> list[str]:
    """Parts "1 of 2" a second apart, the last `before` seconds ago: of one sender and reference, or each of its own."""
    start = now() - timedelta(seconds=before + count)
    return [
        pdus.deliver(
            f"<{number}>",
            "FLOOD",
            udh=[pdus.concat(7 if one_key else number, 2, 1, wide=True)],
            time=start + timedelta(seconds=number),
        )
        for number in range(count)
    ]


def until_told(rig: Rig, patience: float) -> tuple[float, int]:
    """A code comes: seconds from the start of a run until it is in the chat, and how many parts wait then."""
    left: list[int] = []
    rig.api.on_request = lambda phase, _: left.append(len(rig.entries("parts"))) if phase == "received" else None
    rig.stick.store("SM", None, pdus.deliver(CODE, "BANK", time=now()))
    began = time.monotonic()
    process = rig.start("--linger", f"{WATCHED:.0f}")
    rig.api.wait_for(lambda api: CODE in api.text(), timeout=patience)
    took = time.monotonic() - began
    process.kill()
    process.wait()
    return took, left[0]


@pytest.mark.slow
def test_a_code_does_not_wait_for_twenty_thousand_parts(python: str) -> None:
    """They are being worked on when it goes out, and it takes hardly longer than beside a few."""
    took = {}
    for count in (200, 20_000):
        with Rig(python) as rig:
            lay(rig, first_halves(count, one_key=True), told=True)
            took[count], left = until_told(rig, 80)
            print(f"{count} parts: {took[count]:.2f} s, {left} left")
            assert count < MOST or left > MOST
    assert took[20_000] < 5 * took[200]


@pytest.mark.slow
def test_a_long_sms_is_joined_before_what_has_waited_longer(rig: Rig) -> None:
    halves = pdus.long_sms(["one half, ", "the other half"], "BANK", reference=1, time=now())
    lay(rig, [*first_halves(3 * MOST, one_key=True), halves[0]], told=True)
    left: list[int] = []
    rig.api.on_request = lambda phase, _: left.append(len(rig.entries("parts"))) if phase == "received" else None
    rig.stick.store("SM", None, halves[1])
    assert rig.poll().returncode == 0
    assert "one half, the other half" in rig.texts()[0]
    assert "complete now" in rig.texts()[0]
    assert left[0] > MOST


@pytest.mark.parametrize("one_key", [True, False])
def test_what_is_let_go_has_been_forwarded(rig: Rig, one_key: bool) -> None:
    """The oldest go, and those that had not been told are told then, though they have not waited their time."""
    old = first_halves(40, one_key=one_key, before=YEAR / 100)
    lay(rig, old, told=False)
    lay(rig, first_halves(MOST, one_key=one_key), told=True)
    assert rig.poll().returncode == 0
    assert len(rig.entries("parts")) == MOST
    assert [n for n in range(40) if rig.api.text().count(f"<{n}>") != 1] == []
    [fresh] = first_halves(1, one_key=False, before=0)
    before = rig.api.text()
    with rig.lingering():
        for text in (fresh, *old):  # the stick brings them again
            rig.stick.deliver(text)
        rig.stick.wait_for(lambda stick: not stick.stored() and not stick.waiting())
        look_until(lambda: len(rig.entries("parts")) == MOST)
    assert f"{message.name([fresh])}.json" in rig.entries("parts")
    assert rig.api.text() == before


def once(rig: Rig, text: str) -> bool:
    """Whether the chat has it once, or again because it was in flight at a kill, and then it says so."""
    blocks = [sent for sent in rig.texts() if text in sent]
    return len(blocks) == 1 or (len(blocks) == 2 and "possible repeat" in blocks[1])


def trickle(rig: Rig, count: int) -> tuple[int, int]:
    """Parts come one by one, each beyond its time of waiting. How many messages and fsyncs that makes."""
    parts = pdus.long_sms([f"<{number}>" for number in range(count)], "DRIP", reference=9, total=255, time=now())
    rig.configure(poll="multipart_wait = 0")
    log = rig.folder / "strace"
    traced = ("strace", "-f", "-A", "-o", str(log), "-e", "trace=fsync")
    process = rig.start("--linger", f"{WATCHED:.0f}", command=traced)
    for text in parts:
        rig.stick.deliver(text)
        rig.stick.wait_for(lambda stick: not stick.stored())
    os.kill(int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()), signal.SIGKILL)
    process.wait()
    age(rig, 1000)
    rig.start("--linger", "0", command=traced).communicate(timeout=PATIENCE)
    assert [n for n in range(count) if not once(rig, f"<{n}>")] == []
    return len(rig.api.sent), log.read_text().count("fsync(")


@pytest.mark.slow
@steps.needs_strace
def test_parts_that_trickle_in_are_told_once_each(python: str) -> None:
    """Messages and durable writes grow as the parts do, not as their square."""
    made = {}
    for count in (10, 40):
        with Rig(python) as rig:
            made[count] = trickle(rig, count)
            print(f"{count} parts: {made[count][0]} messages, {made[count][1]} fsyncs")
            assert made[count][0] <= count
    assert made[40][1] < 6 * made[10][1]


def test_a_later_message_says_only_what_is_new(rig: Rig) -> None:
    one, two, three, four = pdus.long_sms(["one ", "two ", "three ", "four"], "SLOW", reference=9, time=now())
    rig.configure(poll="multipart_wait = 0")
    rig.stick.deliver(one)
    assert rig.poll().returncode == 0
    age(rig, 1000)
    rig.stick.deliver(three)
    assert rig.poll().returncode == 0
    assert len(rig.api.sent) == 1  # its message is 1000 s old: it waits as long
    age(rig, 900)
    assert rig.poll().returncode == 0
    assert len(rig.api.sent) == 1
    age(rig, 200)
    assert rig.poll().returncode == 0
    assert [text.split("\n")[1] for text in rig.texts()] == ["one […]", "[…]three […]"]
    assert "incomplete: part 2, 3, 4 of 4 is missing" in rig.texts()[0]
    assert "incomplete: part 3 of 4 came later" in rig.texts()[1]
    rig.stick.deliver(two)
    rig.stick.deliver(four)
    assert rig.poll().returncode == 0
    assert "one two three four" in rig.texts()[2]
    assert "complete now" in rig.texts()[2]
    assert rig.entries("parts") == []


def age(rig: Rig, seconds: float) -> None:
    """As if the parts had waited that much longer."""
    for file in (rig.state / "parts").iterdir():
        fields = json.loads(file.read_text())
        file.write_text(json.dumps(fields | {"received": fields["received"] - seconds}))


def test_parts_from_before_the_clock_was_set_back_are_told_and_let_go_in_time(rig: Rig) -> None:
    told, untold = first_halves(2, one_key=False)
    lay(rig, [told], told=True, age=-YEAR)
    lay(rig, [untold], told=False, age=-YEAR)
    assert rig.poll().returncode == 0
    age(rig, 601)  # seconds, multipart_wait
    assert rig.poll().returncode == 0
    assert "<1>" in rig.api.text()
    age(rig, KEEP)
    assert rig.poll().returncode == 0
    assert rig.entries("parts") == []
    assert len(rig.api.sent) == 1


@pytest.mark.slow
def test_a_stick_that_freezes_does_not_hold_back_an_incomplete_sms(rig: Rig) -> None:
    """The watching thread never comes back from it."""
    lay(rig, first_halves(1, one_key=True), told=False, age=700)
    rig.stick.faults.on("CMGL", Trouble(silent=True))
    assert rig.poll().returncode == 75
    assert rig.api.sent or rig.entries("new")


def test_a_run_that_is_killed_while_it_tells_parts_tells_none_again(rig: Rig) -> None:
    """The message is in the chat; one part of it is told, one not yet; a third has come."""
    one, two, three = pdus.long_sms(["one ", "two ", "three "], "SLOW", reference=9, total=4, time=now())
    rig.configure(poll="multipart_wait = 0")
    lay(rig, [one], told=True)
    lay(rig, [two, three], told=False)
    name = f"{message.name([one, two])}-incomplete"
    spool = Spool(rig.state)
    spool.mark(name)
    spool.save("telling", {name: [message.name([one]), message.name([two])]})
    assert rig.poll().returncode == 0
    [text] = rig.texts()
    assert text.split("\n")[1] == "[…]three […]"
    assert not spool.load(dict, "telling")


def test_what_waits_costs_a_run_nothing_on_the_card(rig: Rig) -> None:
    lay(rig, first_halves(300, one_key=False), told=True)
    assert rig.poll().returncode == 0
    before = stamps(rig.state)
    assert rig.poll().returncode == 0
    assert stamps(rig.state) == before


def stamps(folder: Path) -> dict[str, int]:
    return {path: os.stat(path).st_mtime_ns for path in map(str, folder.rglob("*"))}


def test_parts_are_told_by_entries_that_the_version_before_can_read(rig: Rig) -> None:
    rig.api.down()
    lay(rig, first_halves(1, one_key=True), told=False, age=700)
    assert rig.poll().returncode == 75
    [file] = (rig.state / "new").iterdir()
    assert set(json.loads(file.read_text())) <= {"pdus", "received", "told"}
    assert isinstance(Spool(rig.state).read("new", file.stem), Entry)
