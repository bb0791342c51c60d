# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated stick itself: what it says, what goes wrong on order, how it is plugged in.

What a stick says is asked by feeding it, as `feed` returns when all is said; the pty is opened as a program would.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import select
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import PROFILES, Cure, Registration, Sim, Stick, Trouble, framed
from patience import PATIENCE

A = "07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07"
B = A.replace("20806291731408", "20806291731418")
C = A.replace("20806291731408", "20806291731428")
Talk = list[tuple[str, ...]]
"""Commands, each with the lines of its answer."""


class Desk:
    """The stick without a tty: what it said, exactly."""

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

    def lines(self, command: str) -> list[str]:
        """The answer without its echo and empty lines."""
        return [line for line in map(str.strip, self.ask(command).decode("latin-1").split("\r")[1:]) if line]

    def talk(self, talk: Talk) -> None:
        for command, *answer in talk:
            assert self.lines(command) == answer, command


@pytest.fixture
def stick() -> Stick:
    return Stick("E3372")


@pytest.fixture
def desk(stick: Stick) -> Desk:
    return Desk(stick)


# --- the dialogue ---


def test_answers_have_echo_and_line_ends_of_v250(desk: Desk) -> None:
    assert desk.ask("AT") == b"AT\r\r\nOK\r\n"
    assert desk.ask("AT+CPMS?") == b'AT+CPMS?\r\r\n+CPMS: "SM",0,50,"SM",0,50,"SM",0,50\r\n\r\nOK\r\n'
    assert desk.ask("ATE0") == b"ATE0\r\r\nOK\r\n"
    assert desk.ask("AT") == b"\r\nOK\r\n"


@pytest.mark.parametrize("line", ["\x1bAT", "\x00\x7f\nAT", "zzAT", "at", "A\x01T\x1a"])
def test_stray_bytes_around_a_command_are_ignored(desk: Desk, line: str) -> None:
    assert desk.ask(line).endswith(b"\r\nOK\r\n")


def test_a_command_may_come_in_pieces_but_not_across_an_unplug(stick: Stick, desk: Desk) -> None:
    stick.feed(b"AT+C")
    assert b"+CSQ: 20" in desk.ask("SQ")
    stick.feed(b"AT+CM")
    assert desk.lines("AT+CSQ") == ["ERROR"]
    assert stick.commands[-1].text == "AT+CMAT+CSQ"
    stick.feed(b"AT+C")
    stick.detach()
    assert Desk(stick).ask("AT") == b"AT\r\r\nOK\r\n"


NOT_KNOWN = ["AT+NONSENSE", "AT$X=?", "AT+COPS=", "AT+CMGD=0,9", 'AT+CPMS="SM', "AT+CMGL=5"]
SLOTS = {0: 1, 1: 0, 2: 2, 3: 3}  # <stat> by slot
DIALOGUES: dict[str, Talk] = {
    "as in logs": [
        ("AT+CGMI", "huawei", "OK"),
        ("AT+CGMM", "E3372", "OK"),
        ("AT+CSCS=?", '+CSCS: ("IRA","UCS2","GSM")', "OK"),
        ("AT+CNMI=?", "+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)", "OK"),
        ("AT+CREG?", "+CREG: 0,1", "OK"),
        ("AT+COPS?", '+COPS: 0,0,"Test Network",7', "OK"),
        ("AT+CSQ", "+CSQ: 20,99", "OK"),
        ("AT+CPIN?", "+CPIN: READY", "OK"),
        ("AT+CMGD=?", "+CMGD: (0-49),(0-4)", "OK"),
        ("AT+CPMS=?", "+CPMS: " + ",".join(['("ME","MT","SM","SR")'] * 3), "OK"),
    ],
    "one result a line": [
        ('ATE1+CMEE=1;+CPMS="SM","SM";+CMGF?', "+CPMS: 4,50,4,50,4,50", "+CMGF: 0", "OK"),
        ("AT+CMGF?;+NONSENSE;+CSQ", "+CMGF: 0", "ERROR"),
    ],
    "anything else is an error": [(command, "ERROR") for command in NOT_KNOWN],
    "impossible slots": [
        ("AT+CMGD=0", "OK"),
        ("AT+CMGD=0", "OK"),
        ("AT+CMGR=0", "+CMS ERROR: 321"),
        ("AT+CMGR=50", "+CMS ERROR: 321"),
        ("AT+CMGD=50", "+CMS ERROR: 321"),
        ('AT+CPMS="MT"', "+CMS ERROR: 302"),
    ],
    "listing and reading mark as read": [
        ("AT+CMGL=0", "+CMGL: 1,0,,30", A, "OK"),
        ("AT+CMGL=0", "OK"),
        ("AT+CMGL=1", "+CMGL: 0,1,,30", A, "+CMGL: 1,1,,30", A, "OK"),
        ("AT+CMGR=2", "+CMGR: 2,,30", A, "OK"),
    ],
    "no text mode": [("AT+CMGF=1", "OK"), ('AT+CMGL="ALL"', "ERROR"), ("AT+CMGR=0", "ERROR")],
    "deleted are all read ones": [("AT+CMGD=0,1", "OK"), ("AT+CPMS?", '+CPMS: "SM",3,50,"SM",3,50,"SM",3,50', "OK")],
    "and all sent ones": [("AT+CMGD=0,2", "OK"), ("AT+CMGL=3", "OK"), ("AT+CMGL=2", "+CMGL: 2,2,,30", A, "OK")],
    "and all unsent ones": [("AT+CMGD=0,3", "OK"), ("AT+CMGL=4", "+CMGL: 1,0,,30", A, "OK")],
    "or all": [("AT+CMGD=0,4", "OK"), ("AT+CMGL=4", "OK")],
}


@pytest.mark.parametrize("talk", DIALOGUES.values(), ids=DIALOGUES)
def test_dialogue(stick: Stick, desk: Desk, talk: Talk) -> None:
    for slot, stat in SLOTS.items():
        stick.store("SM", slot, A, stat)
    desk.talk(talk)
    desk.talk([("AT", "OK")])


def test_profiles_differ() -> None:
    for profile, command, answer in (
        ("E1752", 'AT+CPMS="ME","ME"', "+CPMS: 0,23,0,23,0,50"),
        ("E303", 'AT+CPMS="SM","SM"', "+CPMS: 0,50,0,50,0,20"),
        ("E3131", 'AT+CPMS="SM"', "+CPMS: 0,30,0,20,0,20"),
        ("E3372-325", 'AT+CPMS="SM","SM"', "ERROR"),
        ("E3372-325", 'AT+CPMS="SM","SM","SM"', "+CPMS: 0,50,0,50,0,50"),
        ("E173", "AT+CPROT=?", "COMMAND NOT SUPPORT"),
        ("E8372", "AT+CGMM", "E8372"),
    ):
        assert Desk(Stick(profile)).lines(command)[0] == answer


# --- the network ---


@pytest.mark.parametrize("profile", PROFILES)
def test_sms_go_where_the_third_memory_says(profile: str) -> None:
    stick = Stick(profile)
    stick.deliver(A)
    assert stick.stored() == {(stick.profile.receive_memory, 0): A}
    Desk(stick).ask('AT+CPMS="SM","SM","ME"')
    stick.deliver(B)
    assert B in (stick.stored().get(("ME", 0)), stick.stored().get(("ME", 1)))


def test_with_full_memory_sms_wait_in_the_network(desk: Desk, stick: Stick) -> None:
    stick.fill("SM", A)
    for pdu in (B, C):
        stick.deliver(pdu)
    assert stick.waiting() == [B, C]
    desk.ask("AT+CMGD=7")
    assert stick.waiting() == [C]
    assert stick.stored()["SM", 7] == B


def test_notices_only_when_asked_for(stick: Stick, desk: Desk) -> None:
    stick.deliver(A)
    assert desk.said == b""
    desk.ask("AT+CNMI=2,1,0,2,0")
    stick.deliver(B)
    assert desk.said.endswith(b'\r\n+CMTI: "SM",1\r\n')
    stick.faults.silent_arrivals = True
    desk.said = b""
    stick.deliver(B)
    assert (desk.said, len(stick.stored())) == (b"", 3)
    desk.ask("AT+CNMI=2,2")
    stick.deliver(C)
    assert desk.said.endswith(framed(b"+CMT: ,30\r\n" + C.encode()))
    assert C not in stick.stored().values()


def test_pin() -> None:
    stick = Stick(pin="1234")
    stick.deliver(A)
    Desk(stick).talk(
        [
            ("AT+CMGL=4", "+CMS ERROR: 311"),
            ("AT+CIMI", "ERROR"),
            ("AT+CMEE=1", "OK"),
            ("AT+CIMI", "+CME ERROR: 11"),
            ("AT+CPIN?", "+CPIN: SIM PIN", "OK"),
            ("AT+CREG?", "+CREG: 0,0", "OK"),
            ('AT+CPIN="0000"', "+CME ERROR: 16"),
        ]
    )
    assert (stick.pin_tries_left, stick.waiting()) == (2, [A])
    Desk(stick).talk([('AT+CPIN="1234"', "OK"), ("AT+CPIN?", "+CPIN: READY", "OK")])
    assert (stick.pin_tries_left, stick.waiting()) == (3, [])
    stick.restart()
    Desk(stick).talk([(f'AT+CPIN="{n}"', "ERROR") for n in range(3)] + [("AT+CPIN?", "+CPIN: SIM PUK", "OK")])


@pytest.mark.parametrize(("sim", "cme", "cms"), [(Sim.ABSENT, 10, 310), (Sim.BUSY, 14, 314)])
def test_sim_faults(desk: Desk, stick: Stick, sim: Sim, cme: int, cms: int) -> None:
    desk.ask("AT+CMEE=1")
    stick.faults.sim(sim)
    stick.deliver(A)
    desk.talk([("AT+CPIN?", f"+CME ERROR: {cme}"), ("AT+CPMS?", f"+CMS ERROR: {cms}")])
    assert stick.waiting() == [A]
    stick.faults.sim(None)
    assert stick.waiting() == []


@pytest.mark.parametrize("state", [Registration.OFF, Registration.SEARCHING, Registration.DENIED])
def test_without_registration_sms_wait(desk: Desk, stick: Stick, state: Registration) -> None:
    desk.ask("AT+CREG=2")
    stick.faults.register(state)
    assert desk.said.endswith(f"\r\n+CREG: {state:d}\r\n".encode())
    stick.deliver(A)
    desk.talk(
        [("AT+CREG?", f"+CREG: 2,{state:d}", "OK"), ("AT+COPS?", "+COPS: 0", "OK"), ("AT+CSQ", "+CSQ: 99,99", "OK")]
    )
    assert stick.waiting() == [A]
    stick.faults.register(Registration.ROAMING)
    assert desk.said.endswith(b"\r\n+CREG: 5,4CA,81DE445\r\n")
    assert stick.waiting() == []


def test_calls(stick: Stick, desk: Desk) -> None:
    for settings, number, lines in (
        ("+CLIP=0", "+4930123456", b"\r\nRING\r\n" * 2),
        ("+CLIP=1", "+4930123456", b'\r\nRING\r\n\r\n+CLIP: "+4930123456",145,,,,0\r\n' * 2),
        ("+CLIP=1;+CRC=1", "030123456", b'\r\n+CRING: VOICE\r\n\r\n+CLIP: "030123456",129,,,,0\r\n' * 2),
        ("+CLIP=1", "", b'\r\n+CRING: VOICE\r\n\r\n+CLIP: "",128,,,,1\r\n' * 2),
    ):
        desk.ask(f"AT{settings}")
        desk.said = b""
        call = stick.call(number, rings=2, every=0)
        assert call.over.wait(PATIENCE)
        assert desk.said == lines + b"\r\n^CEND:1,0,104,16\r\n\r\nNO CARRIER\r\n"
        assert not call.rejected


@pytest.mark.parametrize("command", ["AT+CHUP", "ATH"])
def test_hanging_up_ends_it_and_asking_for_the_test_form_does_not(desk: Desk, stick: Stick, command: str) -> None:
    call = stick.call(rings=9, every=60)
    stick.wait_for(lambda _: call.rung == 1)
    desk.ask("AT+CHUP=?")
    assert not call.rejected
    desk.ask(command)
    assert call.over.wait(PATIENCE)
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
def test_answers_that_lie(desk: Desk, stick: Stick, trouble: Trouble, is_kept: bool) -> None:
    stick.store("SM", 0, A)
    stick.faults.on(r"CMGD=", trouble)
    assert desk.lines("AT+CMGD=0") == [trouble.answer]
    assert bool(stick.stored()) == is_kept


def test_rules_wear_off_and_add_up(desk: Desk, stick: Stick) -> None:
    stick.store("SM", 0, A)
    stick.faults.on(r"CMGL", Trouble(before_answer=b"2", after_answer=b"4", cut=5), times=2)
    stick.faults.on(r"", Trouble(before_echo=b"1", inside_answer=framed(b"^RSSI:20"), echo=False), times=1)
    assert [desk.ask("AT+CMGL=4") for _ in range(3)] == [
        b"12\r\n+CMGL: 0,0,,30\r\n^RSSI:20\r\n\r\n" + A[:-5].encode() + b"\r\n\r\nOK\r\n4",
        b"AT+CMGL=4\r2\r\n+CMGL: 0,1,,30\r\n" + A[:-5].encode() + b"\r\n\r\nOK\r\n4",
        b"AT+CMGL=4\r\r\n+CMGL: 0,1,,30\r\n" + A.encode() + b"\r\n\r\nOK\r\n",
    ]


def test_frozen_from_a_command_until_thawed(stick: Stick, desk: Desk) -> None:
    phases: list[str] = []
    stick.on_command = lambda phase, text: phases.append(f"{phase} {text} {len(stick.stored())}")
    stick.faults.on(r"CMGD", Trouble(silent=True), times=1)
    stick.store("SM", 0, A)
    assert desk.ask("AT+CMGD=0") == b""
    assert desk.ask("AT+CMGD=0") == b""
    assert phases == ["received AT+CMGD=0 1", "done AT+CMGD=0 1"], "what was sent to a frozen stick is lost"
    stick.say(b"^RSSI:20")
    assert desk.said == b""
    stick.deliver(B)
    stick.faults.thaw()
    phases.clear()
    assert desk.ask("AT+CMGD=0").endswith(b"OK\r\n")
    assert phases == ["received AT+CMGD=0 2", "done AT+CMGD=0 1", "answered AT+CMGD=0 1"]
    assert stick.stored() == {("SM", 1): B}


def test_wrong_counts(desk: Desk, stick: Stick) -> None:
    stick.store("SM", 0, A)
    for by, count in ((1, 2), (-3, 0)):
        stick.faults.miscount(by)
        assert desk.lines('AT+CPMS="SM"')[0] == f"+CPMS: {count},50,{count},50,{count},50"


@pytest.mark.parametrize("off", ["0", "4"])
def test_faults_that_a_radio_cycle_ends(desk: Desk, stick: Stick, off: str) -> None:
    desk.ask("AT+CREG=1")
    stick.faults.register(Registration.DENIED, until=Cure.RADIO)
    stick.faults.sim(Sim.ABSENT, until=Cure.RADIO)
    stick.faults.miscount(2, until=Cure.RADIO)
    stick.deliver(A)
    desk.ask("AT+CFUN=1")
    assert stick.faults.registration is Registration.DENIED, "that is no cycle"
    desk.ask(f"AT+CFUN={off}")
    assert (stick.waiting(), stick.radio) == ([A], False)
    assert desk.ask("AT+CFUN=1").endswith(b"\r\nOK\r\n\r\n+CREG: 1\r\n")
    assert stick.waiting() == []
    desk.talk([("AT+CREG?", "+CREG: 1,1", "OK"), ("AT+CPMS?", '+CPMS: "SM",1,50,"SM",1,50,"SM",1,50', "OK")])


def test_what_is_stronger_cures_what_is_weaker(desk: Desk, stick: Stick) -> None:
    stick.faults.register(Registration.DENIED, until=Cure.RADIO)
    stick.faults.miscount(2, until=Cure.AUTHORIZE)
    stick.faults.sim(Sim.BUSY)
    assert desk.ask("AT+CFUN=1,1").endswith(b"^SRVST:2\r\n")
    assert stick.faults.registration is Registration.HOME
    assert (stick.faults.miscounted, stick.faults.sim_state) == (2, Sim.BUSY)
    stick.faults.cure(Cure.REPLUG)
    assert (stick.faults.miscounted, stick.faults.sim_state) == (0, Sim.BUSY)


# --- the port ---


class Client:
    """A program that has the port open."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)

    def read_until(self, done: Callable[[bytes], object]) -> bytes:
        got = b""
        while not done(got):
            ready, _, _ = select.select([self.fd], [], [], PATIENCE)
            assert ready, f"silent after {got!r}"
            got += os.read(self.fd, 4096)
        return got

    def ask(self, command: str) -> bytes:
        """Send a command and return all up to OK, echo included."""
        os.write(self.fd, command.encode() + b"\r")
        return self.read_until(lambda got: got.endswith(b"OK\r\n"))


@pytest.fixture
def port(stick: Stick, tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(stick, tmp_path / "sms") as port:
        yield port


@pytest.fixture
def connect(port: PtyPort) -> Iterator[Callable[[], Client]]:
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client(port.path))
        return clients[-1]

    yield connect
    for client in clients:
        os.close(client.fd)


def test_a_slow_answer_holds_up_nothing_else(connect: Callable[[], Client], stick: Stick) -> None:
    client = connect()
    client.ask("AT+CNMI=2,1")
    stick.latency = 0.05
    stick.on_command = lambda phase, _: stick.deliver(A) if phase == "done" else None
    assert client.ask("AT+CSQ").partition(b"+CMTI")[2].partition(b"+CSQ: 20")[1]


def test_a_host_that_does_not_read_blocks_nobody(connect: Callable[[], Client], stick: Stick) -> None:
    client = connect()
    for _ in range(100):
        stick.say(b"x" * 1000)
    client.read_until(lambda got: len(got) == 100 * 1004)


def test_a_killed_client_leaves_the_port_usable(connect: Callable[[], Client], port: PtyPort) -> None:
    client = connect()
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
    try:
        fcntl.ioctl(client.fd, tiocgexcl, exclusive)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            pytest.skip("qemu-user has no TIOCGEXCL")
        raise
    assert exclusive[0] == 0
    termios.tcflush(client.fd, termios.TCIFLUSH)  # the answer that the killed one left
    assert client.ask("AT").endswith(b"OK\r\n")


@pytest.mark.parametrize(("powered", "echo"), [(False, True), (True, False)])
def test_unplug_hangs_up_and_plug_brings_a_stick_with_its_sms(
    connect: Callable[[], Client], port: PtyPort, stick: Stick, powered: bool, echo: bool
) -> None:
    """Echo is on again after a restart only; half a command is forgotten in any case."""
    client = connect()
    client.ask("ATE0")
    os.write(client.fd, b"AT+CM")
    old = port.path.resolve()
    port.unplug()
    assert not port.path.is_symlink()
    with pytest.raises(OSError, match="Input/output error"):
        os.write(client.fd, b"AT\r")
    stick.store("SM", 0, A)
    port.plug(powered=powered)
    assert port.path.resolve() != old, "somebody holds it"
    assert (b"AT\r" in connect().ask("AT")) == echo
    assert stick.stored() == {("SM", 0): A}


@pytest.mark.parametrize("phase", ["received", "done"])
def test_unplugged_in_the_middle_of_a_command(
    connect: Callable[[], Client], port: PtyPort, stick: Stick, phase: str
) -> None:
    unplugged = threading.Event()

    def pull(now: str, _: str) -> None:
        if now == phase:
            port.unplug()
            unplugged.set()

    stick.store("SM", 0, A)
    stick.on_command = pull
    os.write(connect().fd, b"AT+CMGD=0\r")
    assert unplugged.wait(PATIENCE)
    stick.wait_for(lambda stick: not stick.stored())


def test_a_held_port_takes_no_bytes(connect: Callable[[], Client], port: PtyPort) -> None:
    client = connect()
    port.hold()
    with pytest.raises(BlockingIOError):
        os.write(client.fd, b"AT\r")
    port.release()
    assert client.ask("AT").endswith(b"OK\r\n")
