# SPDX-License-Identifier: GPL-2.0-or-later
"""The first SMS of a run: what is ready before it comes, what is asked for its sake, and what a wrong notice costs."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest

import pdus
from emulators.botapi.server import BotApi
from emulators.botapi.tls import Tls
from emulators.stick.stick import Trouble
from homesim.poll.watch import PROVEN
from patience import PATIENCE, look_until
from poll import steps
from rig import Rig, now

EACH_LIBGAMMU = True
TRIES = 5
INIT = "AT+CGMI"  # of libgammu's Init alone


@contextlib.contextmanager
def resting(rig: Rig, **options: Any) -> Iterator[None]:
    """A run that has looked, and found nothing; libgammu has started."""
    with rig.lingering(**options):
        look_until(lambda: (rig.run_folder / "home.json").exists() and rig.status()["reader"] != "")
        yield


def commands(rig: Rig) -> list[str]:
    return [command.text for command in rig.stick.commands]


def test_the_slot_that_was_named_is_read_before_all_else(rig: Rig) -> None:
    """It is in the chat before the stick is listed again."""
    arrived, listed = [], threading.Event()

    def arrive(phase: str, text: str) -> None:
        """When a list has ended, ME after SM."""
        selected = [text for text in commands(rig) if text.startswith('AT+CPMS="')][-1]
        if phase == "answered" and text == "AT+CMGL=4" and selected.startswith('AT+CPMS="ME"'):
            rig.stick.on_command = listing
            arrived.append(len(rig.stick.commands))
            rig.stick.deliver(pdus.deliver("first of all", time=now()))

    def listing(phase: str, text: str) -> None:
        if phase == "received" and text == "AT+CMGL=4":
            rig.api.wait_for(lambda api: bool(api.sent))
            listed.set()

    with resting(rig):
        rig.stick.on_command = arrive
        look_until(listed.is_set)
        rig.stick.wait_for(lambda stick: not stick.stored())
    asked = commands(rig)[arrived[0] :]
    assert asked.index("AT+CMGR=0") < asked.index("AT+CMGL=4")


LIES = {
    "an empty slot": '+CMTI: "SM",40',
    "a slot that does not exist": '+CMTI: "SM",4000',
    "another memory": '+CMTI: "ME",0',
    "a memory of another kind": '+CMTI: "MT",0',
    "nothing": "+CMTI",
    "a report": '+CDSI: "SR",1',
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_notice_that_lies_loses_nothing_and_repeats_nothing(rig: Rig, lie: str) -> None:
    with resting(rig):
        rig.stick.faults.silent_arrivals = True
        for number in range(3):
            rig.stick.say(lie.encode())
            rig.stick.deliver(pdus.deliver(f"came beside it {number}", time=now()))
            rig.stick.say(lie.encode())
        rig.api.wait_for(lambda api: all(f"beside it {number}" in api.text() for number in range(3)))
        rig.stick.wait_for(lambda stick: not stick.stored())
        rig.settle()
    assert rig.api.text().count("beside it") == 3


def test_a_named_slot_that_cannot_be_read_now_is_read_by_the_list(rig: Rig) -> None:
    with resting(rig):
        rig.stick.faults.on("CMGR", Trouble(answer="+CMS ERROR: 500"), times=1)
        rig.deliver("read all the same")
        rig.stick.wait_for(lambda stick: not stick.stored())
    assert rig.api.text().count("read all the same") == 1


def test_a_thousand_notices_at_once_are_no_reason_to_read_a_thousand_slots(rig: Rig) -> None:
    with resting(rig):
        before = len(rig.stick.commands)
        for number in range(1000):
            rig.stick.say(f'+CMTI: "SM",{number % 50}'.encode())
        rig.deliver("in between")
        rig.stick.wait_for(lambda stick: not stick.stored())
        assert sum("CMGR" in text for text in commands(rig)[before:]) < 100


def test_parts_that_were_named_are_one_message(rig: Rig) -> None:
    parts = pdus.long_sms("a long one " * 30, "BANK", reference=3, time=now())
    with resting(rig):
        for part in parts:
            rig.stick.deliver(part)
        rig.api.wait_for(lambda api: bool(api.sent))
        rig.stick.wait_for(lambda stick: not stick.stored())
        rig.settle()
    assert len(rig.api.sent) == 1
    assert "incomplete" not in rig.api.text()


class TestTheWayToTelegram:
    def test_it_is_opened_while_the_stick_is_read_and_by_no_request(self, rig: Rig) -> None:
        with resting(rig):
            assert (rig.api.connections, rig.api.requests) == (0, [])
            reads = threading.Event()

            def reading(phase: str, text: str) -> None:
                if text.startswith("AT+CMGR") and phase == "received" and not reads.is_set():
                    look_until(lambda: rig.api.connections == 1)
                    assert rig.api.requests == []
                    reads.set()

            rig.stick.on_command = reading
            rig.deliver("the way is open")
            assert reads.is_set()
            assert (rig.api.connections, len(rig.api.requests)) == (1, 1)

    def test_a_way_that_leads_nowhere_is_found_by_the_request(self, rig: Rig) -> None:
        with resting(rig):
            rig.api.down()
            rig.stick.deliver(pdus.deliver("waits for the way", time=now()))
            look_until(lambda: len(rig.entries("new")) == 1)
            rig.stick.wait_for(lambda stick: not stick.stored())
            rig.api.up()
            rig.api.wait_for(lambda api: bool(api.sent))
        assert rig.api.text().count("waits for the way") == 1
        assert "repeat" not in rig.api.text()

    def test_a_proxy_is_asked_for_nothing_before_the_request(self, rig: Rig) -> None:
        with BotApi() as proxy:
            rig.configure(telegram=f'proxy = "{proxy.url}"')
            with resting(rig):
                rig.stick.deliver(pdus.deliver("through a proxy", time=now()))
                proxy.wait_for(lambda proxy: bool(proxy.requests))
                assert proxy.connections == 1
        assert rig.api.connections == 0


def test_a_handshake_ahead_of_the_request_is_the_only_one(rig: Rig, tmp_path: Path) -> None:
    """With TLS, but for a ticket that comes in the very moment. Who has no certificate to show gets no request."""
    with Tls(tmp_path, rig.api) as tls:
        rig.configure(telegram=f'api_url = "{tls.url}"')
        counts: list[int] = []
        while 1 not in counts:
            assert len(counts) < TRIES
            before = tls.handshakes
            with resting(rig, env=tls.trusted):
                rig.deliver(f"by TLS {len(counts)}.")
            counts.append(tls.handshakes - before)
        with rig.lingering():  # who does not trust it
            rig.stick.deliver(pdus.deliver("not by this TLS", time=now()))
            look_until(lambda: "certificate" in rig.status()["telegram"])
    assert "not by this TLS" not in rig.api.text()


class TestReady:
    """ssl is loaded with requests, and with nothing else of ours."""

    def test_a_run_that_has_found_nothing_has_all_that_a_message_needs(self, rig: Rig) -> None:
        with rig.lingering() as process:
            look_until(lambda: "_ssl" in loaded(process.pid))
        assert (rig.api.connections, rig.api.requests) == (0, [])

    def test_the_next_run_is_complete_before_it_is_seen_at_the_door(self, rig: Rig) -> None:
        with rig.lingering():
            following = rig.start("--linger", "60")
            door = filelock.FileLock(rig.run_folder / "home.next")
            look_until(lambda: taken(door))
            assert "_ssl" in loaded(following.pid)

    def test_a_run_that_looks_once_gets_ready_for_nothing(self, rig: Rig) -> None:
        """With nothing to send it has no use for requests."""
        if steps.strace_fails():
            pytest.skip(f"strace: {steps.strace_fails()}")
        trace = rig.folder / "trace"
        run = rig.start("--linger", "0", command=("strace", "-f", "-o", str(trace), "-e", "trace=openat"))
        run.communicate(timeout=PATIENCE)
        assert "homesim/poll" in trace.read_text()
        assert "/requests/" not in trace.read_text()


def loaded(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def taken(lock: filelock.BaseFileLock) -> bool:
    try:
        with lock.acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


def prove(rig: Rig) -> None:
    """SMS until the stick has announced enough in a row: one that comes in the middle of a list is seen there first."""
    for number in itertools.count():
        rig.deliver(f"announced {number}.")
        rig.stick.wait_for(lambda stick: not stick.stored())
        look_until(lambda number=number: rig.status()["stored"] > number)  # type: ignore[misc]
        if rig.status()["noticed"] >= PROVEN:
            return


@pytest.mark.slow
class TestNoticesThatHaveProvenThemselves:
    def test_the_stick_is_asked_less(self, rig: Rig) -> None:
        with resting(rig):
            prove(rig)
            before = len(rig.stick.commands)
            rig.stick.wait_for(lambda stick: sum("CMGL" in c.text for c in stick.commands[before:]) >= 6)
            asked = commands(rig)[before:]
        counts = sum(text.startswith('AT+CPMS="ME"') for text in asked)
        lists = sum("CMGL" in text for text in asked) / 2  # one a memory
        assert counts <= 4 * lists  # three belong to the list itself; where a look comes each second it is seven

    def test_one_that_comes_without_is_found_and_ends_that(self, rig: Rig) -> None:
        with resting(rig):
            prove(rig)
            rig.stick.faults.silent_arrivals = True
            rig.deliver("without a word")
            look_until(lambda: rig.status()["noticed"] == 0)

    def test_what_lay_there_before_the_run_says_nothing_of_notices(self, rig: Rig) -> None:
        with resting(rig):
            prove(rig)
        rig.stick.store("SM", None, pdus.deliver("lay there", time=now()))
        with resting(rig):
            rig.api.wait_for(lambda api: "lay there" in api.text())
            rig.stick.wait_for(lambda stick: not stick.stored())
            assert rig.status()["noticed"] >= PROVEN


class TestAHandOver:
    def test_what_comes_in_it_is_read_before_libgammu_starts(self, rig: Rig) -> None:
        rig.stick.store("SM", None, pdus.deliver("lay there", time=now()))
        with rig.lingering():
            rig.api.wait_for(lambda api: bool(api.sent))
            look_until(lambda: rig.status()["reader"] != "")
        asked = commands(rig)
        assert asked.index("AT+CMGL=4") < asked.index(INIT)
        assert rig.api.text().count("lay there") == 1

    def test_a_libgammu_that_does_not_start_holds_back_no_sms(self, rig: Rig) -> None:
        rig.configure(modem='connection = "at-nonsense"')
        rig.stick.store("SM", None, pdus.deliver("lay there", time=now()))
        run = rig.poll()
        assert run.returncode == 78
        assert "modem.home.connection" in run.stderr
        assert "lay there" in rig.api.text()
        assert rig.stick.stored() == {}
