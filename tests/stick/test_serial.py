# SPDX-License-Identifier: GPL-2.0-or-later
"""A stick through each libgammu there is: what it holds is read and taken off it, whatever stick and SMS are like."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import pdus
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import PROFILES, Registration, Sim, Stick, Trouble
from homesim.config import Modem as Settings
from homesim.stick.driver import Driver, News
from patience import WATCHED
from rig import Rig, now
from stick.contract import DriverTests
from stick.remote import Remote

EACH_LIBGAMMU = True
CODE = "Your code is 482913, never tell it to anybody"
# What stops other readers: compressed, trailing bytes, odd UCS2, part 0, 255 parts, a header longer than its
# data, cut short, reserved coding, a stored SUBMIT.
HOSTILE = [
    pdus.deliver("compressed", dcs=0x20),
    pdus.deliver("trailing") + "FFFF",
    pdus.deliver("odd", alphabet="ucs2")[:-2],
    pdus.deliver("part zero", udh=[(0, bytes([7, 2, 0]))]),
    pdus.deliver("first of 255", udh=[(0, bytes([8, 255, 1]))]),
    pdus.deliver("x", udh=[(0x70, bytes(20))]).replace("1670", "1FFF"),
    pdus.deliver("cut off somewhere")[:40],
    pdus.deliver("reserved", dcs=0x8F),
    pdus.submit("stored, never sent"),
    *pdus.wap_push(b"\x8c\x82\x8e\x1f" + pdus.uintvar(150) + b"\xff" * 150, pdus.MMS),  # an MMS of 2**1200 octets
    pdus.deliver("'; touch pwned; $(reboot) `reboot` {0} %s <b>&amp; *_[]()~"),
    pdus.deliver('\n1 "AT+CPMS="ME""\n1 "AT+CMGL=4"\n2 "+CMGL: 9,0,,23"\n3 "0791947101670000040C9194"\n4 "OK"'),
]


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_stick_is_read_and_emptied(python: str, profile: str) -> None:
    with Rig(python, profile=profile) as rig:
        for number in range(3):
            rig.stick.store("SM", number + 1, pdus.deliver(f"SIM {number}"), stat=number)
            rig.stick.store("ME", number, pdus.deliver(f"stick {number}"), stat=number)
        rig.stick.store("SM", 0, pdus.deliver("slot zero"))
        run = rig.poll()
        assert (run.returncode, run.stderr) == (0, "")
        assert rig.stick.stored() == {}
        wanted = ["slot zero", *(f"{place} {number}" for place in ("SIM", "stick") for number in range(3))]
        assert [text for text in wanted if text not in rig.api.text()] == []


def test_no_hostile_sms_stops_the_reading(rig: Rig) -> None:
    for pdu in HOSTILE:
        rig.stick.store("SM", None, pdu)
    rig.stick.store("SM", None, pdus.deliver(CODE, "BANK", time=now()))
    for pdu in HOSTILE:
        rig.stick.store("ME", None, pdu.lower())
    rig.stick.store("ME", None, pdus.deliver("the last one"))
    rig.configure(poll="multipart_wait = 0")
    run = rig.poll()
    assert (run.returncode, run.stderr) == (0, "")
    assert rig.stick.stored() == {}
    assert any(CODE in text for text in rig.texts())
    chat = rig.api.text()
    words = ["trailing", "part zero", "first of 255", "reserved", "stored, never sent", "$(reboot)", "the last one"]
    assert [word for word in words if word not in chat] == []
    for pdu in (HOSTILE[0], HOSTILE[6]):
        assert pdu in chat
    assert "incomplete: part 2, 3, 4, 5, 6, … of 255 is missing" in chat
    assert not list(rig.folder.rglob("pwned"))


def test_an_sms_that_libgammu_dies_of_is_read(rig: Rig) -> None:
    """177 septets behind a header: more user data than TS 23.040 allows. 1.42's stack does not hold it."""
    deadly = f"004400810000{'62112221436540'}B1{'05000301020141'}{'41' * 148}"
    rig.stick.store("SM", None, deadly)
    rig.stick.store("SM", None, pdus.deliver(CODE, "BANK", time=now()))
    assert rig.poll().returncode == 0
    assert rig.stick.stored() == {}
    assert CODE in rig.api.text()


REFUSED, FAILED = Trouble(answer="+CMS ERROR: 302"), Trouble(answer="+CMS ERROR: 500")


@pytest.mark.parametrize(
    ("command", "trouble", "places"),
    [
        ("CMGL", FAILED, [("SM", 0), ("SM", 49), ("ME", 3)]),  # then it is read slot by slot
        ("CMGL", FAILED, [("ME", 19)]),
        ("CMGL", Trouble(cut=10), [("SM", 0)]),  # and read again
        ('CPMS="ME"', REFUSED, [("SM", 0)]),
        ('CPMS="SM"', REFUSED, [("ME", 0)]),
    ],
)
def test_what_can_be_read_is_read(rig: Rig, command: str, trouble: Trouble, places: list[tuple[str, int]]) -> None:
    rig.stick.faults.on(command, trouble)
    texts = [f"every character of {memory} {slot}" for memory, slot in places]
    for (memory, slot), text in zip(places, texts, strict=True):
        rig.stick.store(memory, slot, pdus.deliver(text))
    assert rig.poll().returncode == 0
    assert sorted(text.split("\n")[1] for text in rig.texts()) == sorted(texts)
    assert rig.stick.stored() == {}


@pytest.mark.parametrize("by", [-1, 1])
def test_a_stick_that_counts_wrongly_is_read(rig: Rig, by: int) -> None:
    rig.stick.faults.miscount(by)
    rig.stick.store("ME", None, pdus.deliver("uncounted"))
    assert rig.poll().returncode == 0
    assert "uncounted" in rig.api.text()


class TestDeleting:
    def test_ok_but_kept_is_not_forwarded_again(self, rig: Rig) -> None:
        rig.stick.faults.on("CMGD", Trouble(answer="OK"))
        rig.stick.store("SM", None, pdus.deliver("stays"))
        assert rig.poll().returncode == 0
        assert rig.poll().returncode == 0
        assert len(rig.stick.stored()) == 1
        rig.stick.faults.clear()
        assert rig.poll().returncode == 0
        assert rig.stick.stored() == {}
        assert len(rig.api.sent) == 1

    def test_error_but_deleted_destroys_no_new_sms(self, rig: Rig) -> None:
        """The slot is used again at once; only a look at what stands in it tells."""
        rig.stick.faults.on("CMGD", Trouble(answer="ERROR", carried_out=True), times=1)
        rig.stick.store("SM", 0, pdus.deliver("the first"))
        after: list[str] = []

        def arrives(phase: str, text: str) -> None:
            if phase == "done" and "CMGD" in text and not after:
                after.append(text)
                rig.stick.store("SM", 0, pdus.deliver("the second"))

        rig.stick.on_command = arrives
        assert rig.poll().returncode == 0
        assert rig.poll().returncode == 0
        assert after
        assert sorted(text.split("\n")[1] for text in rig.texts()) == ["the first", "the second"]
        assert rig.stick.stored() == {}

    def test_a_slot_that_changed_since_the_list_is_left_alone(self, rig: Rig) -> None:
        """A replace-type SMS (TS 23.040 9.2.3.9) takes the place of another in its slot."""
        rig.stick.store("SM", 0, pdus.deliver("old"))

        def replaces(phase: str, text: str) -> None:
            selected = [command.text for command in rig.stick.commands if "CPMS" in command.text][-1:]
            if phase == "done" and "CMGL" in text and selected == ['AT+CPMS="SM"']:
                rig.stick.on_command = None
                rig.stick.store("SM", 0, pdus.deliver("new"))

        rig.stick.on_command = replaces
        rig.poll()
        rig.poll()
        assert sorted(text.split("\n")[1] for text in rig.texts()) == ["new", "old"]

    @pytest.mark.parametrize("trouble", [Trouble(answer="ERROR"), Trouble(answer="+CMS ERROR: 500"), Trouble(cut=2)])
    def test_a_slot_that_cannot_be_compared_is_left_alone(self, rig: Rig, trouble: Trouble) -> None:
        """And it is not asked for ever."""
        rig.stick.faults.on("CMGR", trouble)
        rig.stick.store("SM", None, pdus.deliver("not comparable"))
        assert rig.poll("--linger", "3").returncode == 0
        assert "not comparable" in rig.api.text()
        assert not any("CMGD" in command.text for command in rig.stick.commands)
        assert sum("CMGR" in command.text for command in rig.stick.commands) <= 2

    def test_a_code_does_not_wait_until_many_are_deleted(self, python: str) -> None:
        with Rig(python, latency=0.05) as rig:
            for number in range(40):
                rig.stick.store("SM", None, pdus.deliver(f"old {number}", time=now() - timedelta(days=1)))
            with rig.lingering():
                rig.stick.wait_for(lambda stick: sum("CMGD" in c.text for c in stick.commands) >= 2)
                rig.deliver(CODE)
                rig.stick.wait_for(lambda stick: not stick.stored())
            [sent] = [sent for sent in rig.api.sent if CODE in sent.text]
            assert any("CMGD" in c.text and c.time_monotonic > sent.time for c in rig.stick.commands)

    def test_what_stays_on_the_stick_stays_known(self, rig: Rig) -> None:
        """Marks are forgotten after 30 days; one whose SMS the stick keeps must not be."""
        rig.stick.faults.on("CMGD", Trouble(answer="OK"))
        rig.stick.store("SM", None, pdus.deliver("stays"))
        rig.poll()
        [mark] = (rig.state / "seen").iterdir()
        os.utime(mark, (time.time() - 29 * 86400,) * 2)
        rig.poll()
        assert mark.stat().st_mtime > time.time() - 86400

    def test_a_full_stick_lets_the_network_deliver_the_rest(self, rig: Rig) -> None:
        for number in range(60):
            rig.stick.deliver(pdus.deliver(f"number {number}.", time=now() + timedelta(seconds=number)))
        assert rig.stick.waiting()
        with rig.lingering():
            rig.api.wait_for(lambda api: all(f"number {n}." in api.text() for n in range(60)))
            rig.stick.wait_for(lambda stick: not stick.stored() and not stick.waiting())


class TestDeadStick:
    def test_a_silent_port_is_told_from_a_living_one(self, rig: Rig) -> None:
        rig.stick.faults.freeze()
        run = rig.poll()
        assert run.returncode == 75
        assert run.stderr == f"homesim-poll: {rig.folder}/sms: no answer to AT within 5 s\n"
        assert [c.text for c in rig.stick.commands] in ([], ["AT"])  # libgammu never saw the port

    @pytest.mark.slow
    @pytest.mark.parametrize("command", ["CGMM", "CMGL"])  # as libgammu starts, and as it lists
    def test_a_stick_that_freezes_ends_the_run(self, rig: Rig, command: str) -> None:
        rig.stick.store("SM", None, pdus.deliver("later"))
        rig.stick.faults.on(command, Trouble(silent=True))
        run = rig.poll()
        assert run.returncode == 75
        assert "the stick stopped answering" in run.stderr
        rig.stick.faults.clear()
        assert rig.poll().returncode == 0
        assert "later" in rig.api.text()

    def test_late_answers_to_the_run_before_put_nothing_out_of_step(self, rig: Rig) -> None:
        rig.stick.faults.on("^AT$", Trouble(before_echo=b"\r\nOK\r\n"), times=1)
        rig.stick.deliver(pdus.deliver("in step"))
        rig.start("--linger", f"{WATCHED:.0f}")
        rig.api.wait_for(lambda api: "in step" in api.text())


class TestLingering:
    @pytest.mark.parametrize(
        "line", [b"^LTERSRP:-90,-10", b"^CEND:1,0,104,16", b"\x00\x00", b'^SMMEMFULL:"SM"', b"+CGEV: x"]
    )
    def test_lines_that_libgammu_does_not_know_stall_nothing(self, rig: Rig, line: bytes) -> None:
        """Each of them costs libgammu's next call 20 to 200 s."""
        with rig.lingering():
            for number in range(3):
                rig.stick.say(line)
                rig.stick.deliver(pdus.deliver(f"live {number}", time=now()))
                rig.api.wait_for(lambda api, n=number: f"live {n}" in api.text())  # type: ignore[misc]

    @pytest.mark.slow
    def test_a_stick_that_swallows_a_command_costs_a_new_start_and_nothing_else(self, rig: Rig) -> None:
        with rig.lingering() as process:
            rig.stick.faults.on("CPMS", Trouble(silent=True), times=1)
            rig.stick.wait_for(lambda stick: stick.faults.frozen)
            rig.stick.faults.thaw()
            rig.stick.deliver(pdus.deliver("after the pause", time=now()))
            rig.api.wait_for(lambda api: "after the pause" in api.text())
            assert process.poll() is None  # the same process, begun anew


class Plugged:
    """An emulated stick in its port, and the drivers on it."""

    memories = ("SM", "ME")
    first = 0
    speaks = True
    others = (
        pdus.submit("stored here"), pdus.long_sms("long " * 40, reference=7)[0], pdus.deliver("cut off somewhere")[:40]
    )  # fmt: skip

    def __init__(self, python: str, folder: Path, pin: str | None) -> None:
        self.port = PtyPort(stick := Stick("E3372", pin=pin), folder / "sms")
        self.drivers: list[Remote] = []
        self._python = python
        self._folder = folder
        self._stick = stick
        self.deliver, self.stored, self.freeze, self.unplug = (
            stick.deliver, stick.stored, stick.faults.freeze, self.port.unplug
        )  # fmt: skip

    def connect(self, pin: str | None = None) -> Driver:
        settings = Settings("home", str(self.port.path), "dku2at", "at", pin, None, "hangup", "admin", None, None)
        self.drivers.append(Remote(self._python))
        return self.drivers[-1].connect(settings, str(self._folder / "state"))

    @property
    def news(self) -> list[News]:
        return [news for driver in self.drivers for news in driver.news]

    def sms(self, text: str) -> str:
        return pdus.deliver(text)

    def again(self, sms: str) -> str:
        return sms

    def store(self, memory: str, index: int, pdu: str) -> None:
        self._stick.store(memory, index, pdu)

    def tear(self, on: bool) -> None:
        self._stick.faults.on("CMG[LR]", Trouble(cut=10)) if on else self._stick.faults.clear()

    def lose_sim(self) -> None:
        self._stick.faults.sim(Sim.ABSENT)

    def lose_network(self) -> None:
        self._stick.faults.register(Registration.SEARCHING)

    def ring(self) -> Callable[[], bool]:
        call = self._stick.call()
        return lambda: call.rejected


class TestSerial(DriverTests):
    @pytest.fixture
    def device(self, python: str, tmp_path: Path) -> Iterator[Plugged]:
        yield from plugged(python, tmp_path, None)

    @pytest.fixture
    def locked(self, python: str, tmp_path: Path) -> Iterator[Plugged]:
        yield from plugged(python, tmp_path, "1234")


def plugged(python: str, folder: Path, pin: str | None) -> Iterator[Plugged]:
    device = Plugged(python, folder, pin)
    with device.port:
        yield device
        for driver in device.drivers:
            driver.kill()
