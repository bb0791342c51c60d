# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire on its own, between an emulated stick and a pty that nobody reads: libgammu has stopped."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Stick, Trouble
from homesim.errors import TryAgain
from homesim.stick.at import Wire
from patience import PATIENCE

LIMIT = 2.0  # of a command
BEYOND = 20.0  # what a busy machine may take for it


@pytest.fixture
def stick() -> Stick:
    return Stick("E3372")


@pytest.fixture
def port(stick: Stick, tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(stick, tmp_path / "sms") as port:
        yield port


@pytest.fixture
def wire(port: PtyPort) -> Wire:
    return Wire(str(port.path), str)


@pytest.fixture
def libgammu(wire: Wire) -> Iterator[int]:
    """Its end of the pty."""
    descriptor = os.open(wire.device, os.O_RDWR | os.O_NOCTTY)
    yield descriptor
    os.close(descriptor)


def in_time(wire: Wire, limit: float = PATIENCE) -> str:
    """What came of a command of ours, which must come back by itself."""
    outcome: list[str] = []

    def ask() -> None:
        try:
            outcome.append(" ".join(wire.command("AT+CSQ", limit)))
        except TryAgain as error:
            outcome.append(str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(limit + BEYOND)
    return outcome[0] if outcome else "never came back"


def test_what_libgammu_does_not_read_holds_no_command_up(wire: Wire, stick: Stick, libgammu: int) -> None:
    endless = b"".join(b"what nobody reads, %d\r\n" % number for number in range(4000))  # far more than a pty takes
    stick.faults.on("CMGL", Trouble(before_answer=endless))
    os.write(libgammu, b"AT+CMGL=4\r")
    deadline = time.monotonic() + BEYOND
    while not wire.exchanges and time.monotonic() < deadline:  # there is no event for that outside
        time.sleep(0.01)
    assert in_time(wire) == "+CSQ: 20,99 OK"


def test_what_the_stick_does_not_take_holds_no_command_up(
    wire: Wire, port: PtyPort, libgammu: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homesim.stick.at._WRITE", 3600.0)
    port.hold()
    os.write(libgammu, b"AT+CMGL=4\r")
    assert os.read(libgammu, 100) == b"AT+CMGL=4\r"  # its echo: the wire has taken it
    assert "takes no commands" in in_time(wire, LIMIT)


def test_all_of_a_long_answer_is_there_when_libgammu_reads_it(stick: Stick, libgammu: int) -> None:
    stick.faults.on("CSQ", Trouble(before_answer=b"".join(b"\r\nline %d\r\n" % n for n in range(10000))))
    os.write(libgammu, b"AT+CSQ\r")
    stick.wait_for(lambda stick: len(stick.commands) == 1)
    heard = b""
    while not heard.endswith(b"\r\nOK\r\n"):
        assert select.select([libgammu], [], [], BEYOND)[0]
        heard += os.read(libgammu, 4096)
    assert [line for line in heard.split(b"\r\n") if line.startswith(b"line")] == [b"line %d" % n for n in range(10000)]


def test_a_line_without_an_end_is_not_kept(wire: Wire, stick: Stick) -> None:
    for _ in range(200):  # 0.8 MB: of what is beyond 1 MiB and not read yet the emulated port loses the rest
        stick.say(b"x" * 4096, raw=True)
    stick.say(b"\r\n", raw=True)
    assert in_time(wire).endswith("+CSQ: 20,99 OK")
