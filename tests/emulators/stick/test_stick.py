# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated stick itself: what it says, what goes wrong on order, how it is plugged in.

What a stick says is asked through the pty as a program would; where silence is the result the
stick is fed directly, as `feed` returns when all is said.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import importlib.util
import json
import os
import re
import select
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulators.stick.stick import PROFILES, Cure, PtyPort, Registration, Sim, Stick, Trouble, framed
from patience import PATIENCE

A = "07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07"
B = A.replace("20806291731408", "20806291731418")
C = A.replace("20806291731408", "20806291731428")
HEADER = "+CMGL: {},{},,30"

FINAL = re.compile(rb"\r\n(OK|ERROR|\+CM[ES] ERROR: [^\r]*|COMMAND NOT SUPPORT)\r\n\Z")


class Client:
    """A program that has the port open."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def read_until(self, done: Callable[[bytes], object]) -> bytes:
        got = b""
        while not done(got):
            ready, _, _ = select.select([self.fd], [], [], PATIENCE)
            assert ready, f"silent after {got!r}"
            got += os.read(self.fd, 4096)
        return got

    def ask(self, command: str) -> str:
        """Send a command and return all up to the final result, echo included."""
        self.send(command.encode() + b"\r")
        return self.read_until(FINAL.search).decode("latin-1")

    def lines(self, command: str) -> list[str]:
        """The answer without its echo and empty lines."""
        return [line for line in map(str.strip, self.ask(command).split("\r")[1:]) if line]

    def close(self) -> None:
        os.close(self.fd)


class Desk:
    """The stick without a tty: what it said to each command, exactly."""

    def __init__(self, stick: Stick) -> None:
        self._stick = stick
        self.said = b""
        stick.attach(self._hear)

    def _hear(self, data: bytes) -> None:
        self.said += data

    def ask(self, command: str) -> bytes:
        self.said = b""
        self._stick.feed(command.encode() + b"\r")
        return self.said


@pytest.fixture
def stick() -> Iterator[Stick]:
    stick = Stick("E3372")
    yield stick
    stick.faults.clear()


@pytest.fixture
def port(stick: Stick, tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(stick, tmp_path / "sms") as port:
        yield port


@pytest.fixture
def client(port: PtyPort) -> Iterator[Client]:
    client = Client(port.path)
    yield client
    with contextlib.suppress(OSError):
        client.close()


# --- the dialogue ---


def test_answers_have_echo_and_line_ends_of_v250(client: Client) -> None:
    assert client.ask("AT") == "AT\r\r\nOK\r\n"
    assert client.ask("AT+CPMS?") == ('AT+CPMS?\r\r\n+CPMS: "SM",0,50,"SM",0,50,"SM",0,50\r\n\r\nOK\r\n')


def test_echo_goes_off_and_on(client: Client) -> None:
    assert client.ask("ATE0") == "ATE0\r\r\nOK\r\n"
    assert client.ask("AT") == "\r\nOK\r\n"
    assert client.ask("ATE1") == "\r\nOK\r\n"
    assert client.ask("AT") == "AT\r\r\nOK\r\n"


def test_commands_of_one_line_have_one_result(client: Client) -> None:
    assert client.lines('ATE1V1+CMEE=1;+CPMS="SM","SM";+CMGF?') == ["+CPMS: 0,50,0,50,0,50", "+CMGF: 0", "OK"]
    assert client.lines("AT+CMGF?;+NONSENSE;+CSQ") == ["+CMGF: 0", "ERROR"]


@pytest.mark.parametrize("line", [b"\x1bAT", b"\x00\xff\nAT", b"zzAT", b"at", b"A\xffT\x1a"])
def test_stray_bytes_around_a_command_are_ignored(client: Client, line: bytes) -> None:
    client.send(line + b"\r")
    assert client.read_until(FINAL.search).endswith(b"\r\nOK\r\n")


def test_half_a_command_joins_the_next_one(client: Client, stick: Stick) -> None:
    client.send(b"AT+CM")
    assert client.lines("AT+CSQ") == ["ERROR"]
    assert stick.commands[-1].text == "AT+CMAT+CSQ"
    assert client.lines("AT") == ["OK"]


def test_a_command_may_come_in_pieces_but_not_across_an_unplug(stick: Stick) -> None:
    desk = Desk(stick)
    stick.feed(b"AT+C")
    assert b"+CSQ: 20" in desk.ask("SQ")
    stick.feed(b"AT+C")
    stick.detach()
    assert Desk(stick).ask("AT") == b"AT\r\r\nOK\r\n"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("AT+CGMI", "huawei"),
        ("AT+CGMM", "E3372"),
        ("AT+CSCA?", '+CSCA: "+10000000000",145'),
        ("AT+CSCS=?", '+CSCS: ("IRA","UCS2","GSM")'),
        ("AT+CNMI=?", "+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)"),
        ("AT+CREG?", "+CREG: 0,1"),
        ("AT+COPS?", '+COPS: 0,0,"Test Network",7'),
        ("AT+CSQ", "+CSQ: 20,99"),
        ("AT+CPIN?", "+CPIN: READY"),
        ("AT+CMGD=?", "+CMGD: (0-49),(0-4)"),
        ("AT+CPMS=?", "+CPMS: " + ",".join(['("ME","MT","SM","SR")'] * 3)),
    ],
)
def test_answers_are_those_of_the_logs(client: Client, command: str, answer: str) -> None:
    assert client.lines(command) == [answer, "OK"]


@pytest.mark.parametrize(
    "command", ["AT+NONSENSE", "AT$X=?", "AT+COPS=", "AT+COPS=3,x", "AT+CMGD=0,9", 'AT+CPMS="SM', "AT+CMGL=5"]
)
def test_anything_else_is_an_error(client: Client, command: str) -> None:
    assert client.lines(command) == ["ERROR"]
    assert client.lines("AT") == ["OK"]


def test_cmee_decides_how_errors_look(client: Client, stick: Stick) -> None:
    stick.faults.sim(Sim.ABSENT)
    assert client.lines("AT+CPIN?") == ["ERROR"]
    client.ask("AT+CMEE=1")
    assert client.lines("AT+CPIN?") == ["+CME ERROR: 10"]
    client.ask("AT+CMEE=2")
    assert client.lines("AT+CPIN?") == ["+CME ERROR: SIM not inserted"]


def test_profiles_differ() -> None:
    def first_line(profile: str, command: str) -> bytes:
        return Desk(Stick(profile)).ask(command).split(b"\r\n")[1]

    assert first_line("E1752", 'AT+CPMS="ME","ME"') == b"+CPMS: 0,23,0,23,0,50"
    assert first_line("E303", 'AT+CPMS="SM","SM"') == b"+CPMS: 0,50,0,50,0,20"
    assert first_line("E3131", 'AT+CPMS="SM"') == b"+CPMS: 0,30,0,20,0,20"
    assert first_line("E3372-325", 'AT+CPMS="SM","SM"') == b"ERROR"
    assert first_line("E3372-325", 'AT+CPMS="SM","SM","SM"') == b"+CPMS: 0,50,0,50,0,50"
    assert first_line("E173", "AT+CPROT=?") == b"COMMAND NOT SUPPORT"
    assert first_line("E8372", "AT+CGMM") == b"E8372"


# --- SMS ---


@pytest.mark.parametrize("profile", PROFILES)
def test_an_sms_from_the_air_is_listed_and_deleted(profile: str) -> None:
    stick = Stick(profile)
    desk = Desk(stick)
    memory = stick.profile.receive_memory
    stick.deliver(A)
    assert stick.stored() == {(memory, 0): A}
    desk.ask(f'AT+CPMS="{memory}","{memory}","{memory}"')
    header = HEADER.format(0, 0).encode()
    assert desk.ask("AT+CMGL=4") == (b"AT+CMGL=4\r\r\n" + header + b"\r\n" + A.encode() + b"\r\n\r\nOK\r\n")
    assert desk.ask("AT+CMGD=0").endswith(b"\r\nOK\r\n")
    assert stick.stored() == {}


def test_listing_and_reading_mark_as_read(client: Client, stick: Stick) -> None:
    stick.store("SM", 3, A)
    assert client.lines("AT+CMGR=3") == ["+CMGR: 0,,30", A, "OK"]
    stick.store("SM", 5, B)
    assert client.lines("AT+CMGL=0") == [HEADER.format(5, 0), B, "OK"]
    assert client.lines("AT+CMGL=0") == ["OK"]
    assert client.lines("AT+CMGL=1") == [HEADER.format(3, 1), A, HEADER.format(5, 1), B, "OK"]


def test_empty_and_impossible_slots(client: Client) -> None:
    assert client.lines("AT+CMGR=0") == ["+CMS ERROR: 321"]
    assert client.lines("AT+CMGR=50") == ["+CMS ERROR: 321"]
    assert client.lines("AT+CMGD=50") == ["+CMS ERROR: 321"]
    assert client.lines("AT+CMGD=0") == ["OK"]
    assert client.lines('AT+CPMS="MT"') == ["+CMS ERROR: 302"]


@pytest.mark.parametrize(("flag", "left"), [(1, {1, 2, 3}), (2, {1, 2}), (3, {1}), (4, set())])
def test_delete_flags(client: Client, stick: Stick, flag: int, left: set[int]) -> None:
    for index, stat in enumerate([1, 0, 2, 3]):
        stick.store("SM", index, A, stat)
    assert client.lines(f"AT+CMGD=0,{flag}") == ["OK"]
    assert {index for _, index in stick.stored()} == left


def test_text_mode_is_a_clean_error(client: Client, stick: Stick) -> None:
    stick.store("SM", 0, A)
    client.ask("AT+CMGF=1")
    assert client.lines('AT+CMGL="ALL"') == ["ERROR"]
    assert client.lines("AT+CMGR=0") == ["ERROR"]


def test_with_full_memory_sms_wait_in_the_network(client: Client, stick: Stick) -> None:
    stick.fill("SM", A)
    for pdu in (B, C):
        stick.deliver(pdu)
    assert stick.waiting() == [B, C]
    client.ask("AT+CMGD=7")
    stick.wait_for(lambda stick: stick.waiting() == [C])
    assert stick.stored()["SM", 7] == B


def test_sms_go_where_the_third_memory_says(client: Client, stick: Stick) -> None:
    client.ask('AT+CPMS="SM","SM","ME"')
    stick.deliver(A)
    assert stick.stored() == {("ME", 0): A}


def test_notices_only_when_asked_for(stick: Stick) -> None:
    desk = Desk(stick)
    stick.deliver(A)
    assert desk.said == b""
    desk.ask("AT+CNMI=2,1,0,2,0")
    stick.deliver(B)
    assert desk.said.endswith(b'\r\n+CMTI: "SM",1\r\n')
    desk.ask("AT+CNMI=2,2")
    stick.deliver(C)
    assert desk.said.endswith(framed(b"+CMT: ,30\r\n" + C.encode()))
    assert C not in stick.stored().values()


# --- SIM and network ---


def test_pin() -> None:
    stick = Stick(pin="1234")
    desk = Desk(stick)
    desk.ask("AT+CMEE=1")
    stick.deliver(A)
    assert b"+CPIN: SIM PIN\r" in desk.ask("AT+CPIN?")
    assert b"+CMS ERROR: 311" in desk.ask("AT+CMGL=4")
    assert b"+CME ERROR: 11" in desk.ask("AT+CIMI")
    assert b"+CREG: 0,0" in desk.ask("AT+CREG?")
    assert b"+CME ERROR: 16" in desk.ask('AT+CPIN="0000"')
    assert (stick.pin_tries_left, stick.waiting()) == (2, [A])
    assert b"OK" in desk.ask('AT+CPIN="1234"')
    assert b"+CPIN: READY" in desk.ask("AT+CPIN?")
    assert (stick.pin_tries_left, stick.waiting()) == (3, [])


def test_a_locked_e1752_refuses_even_the_character_set() -> None:
    desk = Desk(Stick("E1752", pin="1234"))
    desk.ask("AT+CMEE=1")
    assert b"+CME ERROR: 11" in desk.ask("AT+CSCS?")


@pytest.mark.parametrize(("sim", "cme", "cms"), [(Sim.ABSENT, 10, 310), (Sim.FAILURE, 13, 313), (Sim.BUSY, 14, 314)])
def test_sim_faults(client: Client, stick: Stick, sim: Sim, cme: int, cms: int) -> None:
    client.ask("AT+CMEE=1")
    stick.faults.sim(sim)
    stick.deliver(A)
    assert client.lines("AT+CPIN?") == [f"+CME ERROR: {cme}"]
    assert client.lines("AT+CPMS?") == [f"+CMS ERROR: {cms}"]
    assert stick.waiting() == [A]
    stick.faults.sim(None)
    assert stick.waiting() == []


@pytest.mark.parametrize("state", [Registration.OFF, Registration.SEARCHING, Registration.DENIED])
def test_without_registration_sms_wait(client: Client, stick: Stick, state: Registration) -> None:
    client.ask("AT+CREG=2")
    stick.faults.register(state)
    stick.deliver(A)
    assert client.ask("AT").startswith(f"\r\n+CREG: {state:d}\r\n")
    assert client.lines("AT+CREG?") == [f"+CREG: 2,{state:d}", "OK"]
    assert client.lines("AT+COPS?") == ["+COPS: 0", "OK"]
    assert client.lines("AT+CSQ") == ["+CSQ: 99,99", "OK"]
    assert stick.waiting() == [A]
    stick.faults.register(Registration.ROAMING)
    assert client.ask("AT").startswith("\r\n+CREG: 5,4CA,81DE445\r\n")
    assert stick.waiting() == []


def test_radio_off_and_on(client: Client, stick: Stick) -> None:
    client.ask("AT+CFUN=0")
    stick.deliver(A)
    assert client.lines("AT+CREG?") == ["+CREG: 0,0", "OK"]
    assert stick.waiting() == [A]
    client.ask("AT+CFUN=1")
    stick.wait_for(lambda stick: not stick.waiting())


# --- calls ---


def test_a_call_rings_until_the_caller_gives_up(client: Client, stick: Stick) -> None:
    call = stick.call("+4930123456", rings=2, every=0.02)
    assert client.read_until(lambda got: b"NO CARRIER" in got) == (
        b"\r\nRING\r\n" * 2 + b"\r\n^CEND:1,0,104,16\r\n\r\nNO CARRIER\r\n"
    )
    assert call.over.wait(PATIENCE)
    assert not call.rejected


def test_clip_and_crc_say_more(client: Client, stick: Stick) -> None:
    client.ask("AT+CLIP=1;+CRC=1")
    for number, clip in (
        ("+4930123456", b'+CLIP: "+4930123456",145,,,,0'),
        ("030123456", b'+CLIP: "030123456",129,,,,0'),
        ("", b'+CLIP: "",128,,,,1'),
    ):
        stick.call(number, rings=1, every=0, ends=(b"^CEND:1",))
        got = client.read_until(lambda got: b"^CEND:1\r\n" in got)
        assert got == b"\r\n+CRING: VOICE\r\n\r\n" + clip + b"\r\n\r\n^CEND:1\r\n"


@pytest.mark.parametrize("command", ["AT+CHUP", "ATH", "ATH0"])
def test_hanging_up_ends_it_and_asking_for_the_test_form_does_not(client: Client, stick: Stick, command: str) -> None:
    call = stick.call(rings=9, every=60)
    client.read_until(lambda got: b"RING\r\n" in got)
    client.ask("AT+CHUP=?")
    assert not call.rejected
    client.send(command.encode() + b"\r")
    client.read_until(lambda got: b"OK" in got and b"NO CARRIER\r\n" in got)
    assert (call.rejected, call.rung) == (True, 1)


# --- faults ---


@pytest.mark.parametrize(
    ("trouble", "is_kept"),
    [
        (Trouble(answer="OK"), True),
        (Trouble(answer="ERROR"), True),
        (Trouble(answer="+CMS ERROR: 500", carried_out=True), False),
    ],
)
def test_answers_that_lie(client: Client, stick: Stick, trouble: Trouble, is_kept: bool) -> None:
    stick.store("SM", 0, A)
    stick.faults.on(r"CMGD=", trouble)
    assert client.lines("AT+CMGD=0") == [trouble.answer]
    assert bool(stick.stored()) == is_kept


def test_rules_wear_off_and_add_up(client: Client, stick: Stick) -> None:
    stick.faults.on(r"CSQ", Trouble(answer="+CME ERROR: 14"), times=2)
    stick.faults.on(r"CSQ", Trouble(answer="ERROR", echo=False), times=3)
    answers = [client.ask("AT+CSQ") for _ in range(4)]
    assert answers == [
        "\r\n+CME ERROR: 14\r\n",
        "\r\n+CME ERROR: 14\r\n",
        "\r\nERROR\r\n",
        "AT+CSQ\r\r\n+CSQ: 20,99\r\n\r\nOK\r\n",
    ]


def test_frozen_from_a_command_until_thawed(stick: Stick) -> None:
    desk = Desk(stick)
    phases: list[str] = []
    stick.on_command = lambda phase, text: phases.append(f"{phase} {text}")
    stick.faults.on(r"CMGD", Trouble(silent=True), times=1)
    stick.store("SM", 0, A)
    assert desk.ask("AT+CMGD=0") == b""
    assert phases == ["received AT+CMGD=0", "done AT+CMGD=0"]
    assert desk.ask("AT+CMGD=0") == b""
    assert len(stick.commands) == 1, "what was sent to a frozen stick is lost"
    stick.say(b"^RSSI:20")
    assert desk.said == b""
    stick.deliver(B)
    stick.faults.thaw()
    assert desk.ask("AT") == b"AT\r\r\nOK\r\n"
    assert stick.stored() == {("SM", 0): A, ("SM", 1): B}


def test_bytes_before_inside_and_after(stick: Stick) -> None:
    desk = Desk(stick)
    stick.store("SM", 0, A)
    trouble = Trouble(before_echo=b"1", before_answer=b"2", inside_answer=framed(b"^RSSI:20"), after_answer=b"4")
    stick.faults.on(r"CMGL", trouble)
    assert desk.ask("AT+CMGL=4") == (
        b"1AT+CMGL=4\r2\r\n" + HEADER.format(0, 0).encode() + b"\r\n^RSSI:20\r\n\r\n" + A.encode() + b"\r\n\r\nOK\r\n4"
    )


def test_no_echo_and_a_cut_pdu(stick: Stick) -> None:
    desk = Desk(stick)
    stick.store("SM", 0, A)
    stick.faults.on(r"", Trouble(echo=False))
    stick.faults.on(r"CMGL", Trouble(cut=5))
    said = desk.ask("AT+CMGL=4").split(b"\r\n")
    assert said[:3] == [b"", HEADER.format(0, 0).encode(), A[:-5].encode()]


@pytest.mark.parametrize("off", ["0", "4"])
def test_faults_that_a_radio_cycle_ends(client: Client, stick: Stick, off: str) -> None:
    client.ask("AT+CREG=1")
    stick.faults.register(Registration.DENIED, until=Cure.RADIO)
    stick.faults.sim(Sim.ABSENT, until=Cure.RADIO)
    stick.faults.miscount(2, until=Cure.RADIO)
    stick.deliver(A)
    client.ask(f"AT+CFUN={off}")
    assert stick.waiting() == [A]
    client.send(b"AT+CFUN=1\r")
    client.read_until(lambda got: got.endswith(b"\r\nOK\r\n\r\n+CREG: 1\r\n"))
    assert stick.waiting() == []
    assert client.lines("AT+CREG?") == ["+CREG: 1,1", "OK"]
    assert client.lines("AT+CPMS?")[0].startswith('+CPMS: "SM",1,50,')


def test_a_radio_cycle_ends_no_other_fault_and_only_a_cycle_does(client: Client, stick: Stick) -> None:
    stick.faults.register(Registration.DENIED, until=Cure.RADIO)
    client.ask("AT+CFUN=1")
    assert client.lines("AT+CREG?") == ["+CREG: 0,3", "OK"]
    stick.faults.miscount(2, until=Cure.AUTHORIZE)
    stick.faults.sim(Sim.BUSY)
    client.send(b"AT+CFUN=1,1\r")
    client.read_until(lambda got: got.endswith(b"^SRVST:2\r\n"))
    assert stick.faults.registration is Registration.HOME
    assert (stick.faults.miscounted, stick.faults.sim_state) == (2, Sim.BUSY)
    stick.faults.cure(Cure.AUTHORIZE)
    assert (stick.faults.miscounted, stick.faults.sim_state) == (0, Sim.BUSY)
    stick.faults.cure(Cure.REPLUG)
    assert stick.faults.sim_state is Sim.BUSY


def test_a_command_that_freezes_until_the_power_is_cut(stick: Stick) -> None:
    desk = Desk(stick)
    stick.faults.on("CMGD", Trouble(silent=True, carried_out=True, until=Cure.POWER))
    assert desk.ask("AT+CMGD=0") == b""
    stick.faults.cure(Cure.AUTHORIZE)
    assert desk.ask("AT") == b""
    stick.faults.cure(Cure.POWER)
    assert desk.ask("AT").endswith(b"OK\r\n")


def test_wrong_counts(client: Client, stick: Stick) -> None:
    stick.store("SM", 0, A)
    stick.faults.miscount(1)
    assert client.lines('AT+CPMS="SM"') == ["+CPMS: 2,50,2,50,2,50", "OK"]
    stick.faults.miscount(-3)
    assert client.lines('AT+CPMS="SM"') == ["+CPMS: 0,50,0,50,0,50", "OK"]


def test_an_arrival_that_is_not_announced(stick: Stick) -> None:
    desk = Desk(stick)
    desk.ask("AT+CNMI=2,1")
    desk.said = b""
    stick.faults.no_notices()
    stick.deliver(A)
    assert stick.stored() == {("SM", 0): A}
    assert desk.said == b""


def test_noise_until_curc(client: Client, stick: Stick) -> None:
    stick.faults.noise(b"^RSSI:20", b"^LTERSRP:-90,-10", every=0.001)
    client.read_until(lambda got: got.count(b"^RSSI:20") > 1 and b"^LTERSRP" in got)
    stick.faults.on(r"^AT$", Trouble(delay=0.02))
    client.ask("AT^CURC=0")
    assert client.ask("AT") == "AT\r\r\nOK\r\n"
    stick.faults.quiet()


# --- what tests watch ---


def test_commands_and_phases(client: Client, stick: Stick) -> None:
    seen: list[tuple[str, str, int]] = []
    answered = threading.Event()

    def watch(phase: str, text: str) -> None:
        seen.append((phase, text, len(stick.stored())))
        if phase == "answered":
            answered.set()

    stick.store("SM", 0, A)
    stick.on_command = watch
    client.ask("AT+CMGD=0")
    assert answered.wait(PATIENCE)
    assert seen == [("received", "AT+CMGD=0", 1), ("done", "AT+CMGD=0", 0), ("answered", "AT+CMGD=0", 0)]
    assert [(command.text, command.number) for command in stick.commands] == [("AT+CMGD=0", 1)]


def test_a_slow_answer_holds_up_nothing_else(client: Client, stick: Stick) -> None:
    client.ask("AT+CNMI=2,1")
    stick.faults.on(r"CSQ", Trouble(delay=0.05))
    done = threading.Event()
    stick.on_command = lambda phase, _: done.set() if phase == "done" else None
    client.send(b"AT+CSQ\r")
    assert done.wait(PATIENCE)
    stick.deliver(A)
    assert re.search(rb"CMTI.*CSQ: 20", client.read_until(FINAL.search), re.DOTALL)


# --- the port ---


def test_a_host_that_does_not_read_blocks_nobody(client: Client, stick: Stick) -> None:
    for _ in range(100):
        stick.say(b"x" * 1000)
    client.read_until(lambda got: len(got) == 100 * 1004)


def test_a_killed_client_leaves_the_port_usable(client: Client, port: PtyPort) -> None:
    code = (
        "import fcntl, os, sys, termios, time\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)\n"
        "fcntl.ioctl(fd, termios.TIOCEXCL)\n"
        "os.write(fd, b'AT\\r')\n"
        "os.read(fd, 1)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, port.path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    exclusive = array.array("i", [-1])
    tiocgexcl = 0x80045440  # asm-generic/ioctls.h; the termios module lacks it
    fcntl.ioctl(client.fd, tiocgexcl, exclusive)
    assert exclusive[0] == 0
    termios.tcflush(client.fd, termios.TCIFLUSH)  # the answer that the killed one left
    assert client.lines("AT") == ["OK"]


def test_unplug_hangs_up_and_plug_brings_a_restarted_stick(client: Client, port: PtyPort, stick: Stick) -> None:
    client.ask("ATE0")
    old = port.path.resolve()
    keeper = os.open(old, os.O_RDWR | os.O_NOCTTY)
    port.unplug()
    assert not port.path.is_symlink()
    with pytest.raises(OSError, match="Input/output error"):
        client.send(b"AT\r")
    stick.store("SM", 0, A)
    port.plug()
    assert port.path.resolve() != old
    again = Client(port.path)
    assert again.ask("AT").endswith("AT\r\r\nOK\r\n"), "echo is on again"
    assert stick.stored() == {("SM", 0): A}
    os.close(keeper)
    again.close()


def test_powered_plug_keeps_the_settings_only(client: Client, port: PtyPort) -> None:
    client.send(b"ATE0\rAT+CM")
    client.read_until(FINAL.search)
    port.unplug()
    port.plug(powered=True)
    again = Client(port.path)
    assert again.ask("AT") == "\r\nOK\r\n", "no echo, and the half command is forgotten"
    again.close()


@pytest.mark.parametrize("phase", ["received", "done"])
def test_unplugged_in_the_middle_of_a_command(client: Client, port: PtyPort, stick: Stick, phase: str) -> None:
    unplugged = threading.Event()

    def pull(now: str, _: str) -> None:
        if now == phase:
            port.unplug()
            unplugged.set()

    stick.store("SM", 0, A)
    stick.on_command = pull
    client.send(b"AT+CMGD=0\r")
    assert unplugged.wait(PATIENCE)
    stick.wait_for(lambda stick: not stick.stored())


def test_a_held_port_takes_no_bytes(client: Client, port: PtyPort) -> None:
    port.hold()
    with pytest.raises(BlockingIOError):
        client.send(b"AT\r")
    port.release()
    assert client.lines("AT") == ["OK"]


# --- programs ---


GAMMU = """
import gammu, json, os, sys
machine = gammu.StateMachine()
machine.SetConfig(0, {"Device": sys.argv[1], "Connection": "dku2at", "Model": "at"})
machine.Init()
found = {"security": machine.GetSecurityStatus()}
machine.EnterSecurityCode("PIN", "1234")
found["status"] = machine.GetSMSStatus()
found["network"] = machine.GetNetworkInfo()["State"]
found["signal"] = machine.GetSignalQuality()["SignalPercent"]
found["texts"], location = [], None
while True:
    try:
        if location is None:
            message, = machine.GetNextSMS(Folder=0, Start=True)
        else:
            message, = machine.GetNextSMS(Folder=0, Location=location)
    except gammu.ERR_EMPTY:
        break
    location = message["Location"]
    found["texts"].append(machine.GetSMS(Folder=0, Location=location)[0]["Text"])
    machine.DeleteSMS(Folder=0, Location=location)
print(json.dumps(found), flush=True)
os._exit(0)
"""


@pytest.mark.skipif(importlib.util.find_spec("gammu") is None, reason="needs python-gammu")
def test_gammu_reads_and_deletes(tmp_path: Path) -> None:
    stick = Stick("E3372", pin="1234")
    stick.store("SM", 0, A)
    stick.store("ME", 4, B)
    with PtyPort(stick, tmp_path / "sms") as port:
        command = [sys.executable, "-c", GAMMU, str(port.path)]
        result = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stderr.decode()
    found = json.loads(result.stdout)
    assert found["security"] == "PIN"
    assert (found["status"]["SIMUsed"], found["status"]["PhoneUsed"]) == (1, 1)
    assert (found["network"], found["signal"]) == ("HomeNetwork", 60)
    assert found["texts"] == ["How are you?"] * 2
    assert stick.stored() == {}
