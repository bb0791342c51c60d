# SPDX-License-Identifier: GPL-2.0-or-later
"""A Huawei LTE stick as its AT port shows it: bytes in, bytes out.

A command line goes through four steps: it is recorded; it meets the faults that were ordered for
it; it takes effect; after the latency its answer is written in one piece. Whoever plugs the stick
in (a pty here, USB/IP in a VM) gives it bytes with `feed` and gets its output through `attach`.

Unsolicited lines and arriving SMS need no command: they come in at any time, from any thread.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from emulators.stick.at_line import clean
from emulators.stick.calls import ENDS, Call
from emulators.stick.commands import Answer, Commands, framed
from emulators.stick.faults import Cure, Faults, Registration, Sim, Trouble, headed, instead, torn
from emulators.stick.profiles import PROFILES
from emulators.stick.state import State
from emulators.stick.store import UNREAD, Slot
from patience import PATIENCE

__all__ = [
    "ENDS", "PROFILES", "Cure", "Registration", "Sim", "Stick", "Trouble", "framed", "headed", "instead", "torn",
]  # fmt: skip

Sink = Callable[[bytes], None]

BOOT_LINES = (b"^BOOT:35323129,0,0,0,26", b"^SRVST:0", b"^SIMST:1", b"^SRVST:2")
"""What a stick says after a restart: the first two from a log, the others assumed."""


@dataclass(frozen=True)
class Command:
    """A command line as it came in: text from "AT" on, clock, running number from 1."""

    text: str
    time_monotonic: float
    number: int


class Stick:
    """A modem with a SIM and SMS memories. All public methods may be called from any thread."""

    def __init__(self, profile: str = "E3372", *, pin: str | None = None, latency: float = 0.0) -> None:
        """Given a name in PROFILES, the SIM's PIN and the seconds before each answer."""
        self.profile = PROFILES[profile]
        self.latency = latency
        self.commands: list[Command] = []
        self.on_command: Callable[[str, str], None] | None = None
        """Called with "received" (before the command takes effect), "done" (after, but before
        the answer) or "answered" (it is written), and the command line; no lock is held."""
        self._changed = threading.Condition(threading.RLock())
        self.faults = Faults(self._changed, self._network_changed)
        self._state = State(self.profile, pin, self.faults)
        self._interpreter = Commands(self._state)
        self._told_registration = self._state.registration
        self._waiting: deque[Slot] = deque()
        self._sink: Sink | None = None
        self._received = b""
        self._text: bytes | None = None
        self.sent: list[bytes] = []
        """What left as SMS: all that was typed at the prompt of AT+CMGS up to Ctrl-Z."""

    # --- the network's and the owner's side ---

    def deliver(self, pdu: str) -> None:
        """An SMS from the air, hex with the SMSC; it waits in the network while it must."""
        with self._changed:
            self._waiting.append(Slot(pdu, UNREAD))
            self._network_changed()

    def call(
        self,
        number: str = "+4930123456",
        *,
        rings: int = 6,
        every: float = 5.0,
        clip: bytes = b"",
        ends: tuple[bytes, ...] = ENDS,
        deaf: bool = False,
    ) -> Call:
        """A call from the air: it rings until the caller gives up, after so many RINGs or before (Call.give_up), or the
        host hangs up.

        `number` "": withheld; `clip`: the +CLIP line instead of the one that belongs to the number; `ends`: what the
        stick says when it is over; `deaf`: to AT+CHUP and ATH, which it answers well. While another call rings
        this one waits.
        """
        call = Call(number, clip, rings, every, ends, deaf=deaf)
        threading.Thread(target=self._ring, args=(call,), daemon=True).start()
        return call

    def _ring(self, call: Call) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._state.call is None)
            self._state.call = call
        while call.rings_on():
            with self._changed:
                for line in call.lines(crc=self._state.settings["+CRC"], clip=self._state.settings["+CLIP"]):
                    self.say(line)
                self._changed.notify_all()
            call.pause()
        with self._changed:
            self._state.call = None
            for line in call.ends:
                self.say(line)
            self._changed.notify_all()
        call.over.set()

    def store(self, memory: str, index: int | None, pdu: str, stat: int = UNREAD) -> int:
        """Put a PDU straight into a slot (None: the lowest free one), unnoticed; return the slot.

        Raise ValueError when there is no (free) such slot.
        """
        with self._changed:
            store = self._state.store
            slot = store.free(memory) if index is None else index
            if slot is None:
                raise ValueError(f"{memory} is full")
            store.put(memory, slot, Slot(pdu, stat))
            self._changed.notify_all()
            return slot

    def fill(self, memory: str, pdu: str) -> None:
        """Put a PDU into every free slot: full storage."""
        with self._changed:
            while self._state.store.free(memory) is not None:
                self.store(memory, None, pdu)

    def stored(self) -> dict[tuple[str, int], str]:
        """What is on the stick: (memory, slot number) to PDU."""
        with self._changed:
            return {(memory, index): slot.pdu for memory, index, slot in self._state.store}

    @property
    def radio(self) -> bool:
        """Whether it is on."""
        return self._state.settings["+CFUN"] == "1"

    def waiting(self) -> list[str]:
        """What waits in the network, the oldest first."""
        with self._changed:
            return [slot.pdu for slot in self._waiting]

    def say(self, line: bytes, *, raw: bool = False) -> None:
        """An unsolicited line, or with `raw` just these bytes, now."""
        with self._changed:
            self._write(line if raw else framed(line), self._sink)

    def left_at_prompt(self) -> None:
        """A program said AT+CMGS and went: what is typed now is the text of an SMS (27.005 section 3.5.1)."""
        with self._changed:
            self._text = b""

    def restart(self) -> None:
        """Power-on: settings are the defaults again and the SIM wants its PIN again."""
        with self._changed:
            self._text = None
            self._state.power_on()
            for line in BOOT_LINES:
                self.say(line)
            self._network_changed()

    @property
    def pin_tries_left(self) -> int:
        with self._changed:
            return self._state.pin_tries_left

    # --- what tests watch ---

    def wait_for(self, predicate: Callable[[Stick], bool], timeout: float = PATIENCE) -> None:
        """Wait until `predicate(stick)`, looked at after each event, or raise AssertionError."""
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self), timeout):
                last = [command.text for command in self.commands[-8:]]
                raise AssertionError(f"not within {timeout} s; last commands: {last}")

    # --- the port's side ---

    def attach(self, sink: Sink) -> None:
        """Send all output to `sink`, which must not block."""
        with self._changed:
            self._sink = sink

    def detach(self) -> None:
        """The port is gone: its output, its half command and an answer not yet written too."""
        with self._changed:
            self._sink = None
            self._received = b""
            self._changed.notify_all()

    def feed(self, data: bytes) -> None:
        """Take bytes from the host, and serve each line that ends in them. One thread at a time.

        Returns when all is answered. Bytes that come while the stick is frozen are lost.
        """
        with self._changed:
            sink = self._sink
        data = self._prompted(data, sink)
        with self._changed:
            *lines, rest = (self._received + data).split(b"\r")
            self._received = b"" if self.faults.frozen or sink is None else rest
        for line in lines:
            if not self.faults.frozen:
                self._serve(line, sink)

    def _prompted(self, data: bytes, sink: Sink | None) -> bytes:
        """What is left of the bytes when the prompt has had its share: all up to ESC, which drops it, or Ctrl-Z."""
        if self._text is None or self.faults.frozen:
            return data
        text, end, rest = (re.split(rb"([\x1b\x1a])", data, maxsplit=1) + [b"", b""])[:3]
        self._text += text
        self._write(text.replace(b"\r", b"\r\n> "), sink)
        if not end:
            return b""
        if end == b"\x1a":
            self.sent.append(self._text)
        self._text = None
        self._pause(self.latency, sink)
        self._write((framed(b"+CMGS: 1") if self.sent else b"") + framed(b"OK"), sink)
        return rest

    def _serve(self, line: bytes, sink: Sink | None) -> None:
        text = clean(line)
        if not text:
            self._write_echo(line, Trouble(), sink)
            if b"\x1b" in line and self.faults.escape_answer:
                self._write(framed(self.faults.escape_answer), sink)
            return
        self._record(text)
        self._tell("received", text)
        trouble = self.faults.meet(text)
        if trouble.silent:
            self.faults.freeze()
        self._write_echo(line, trouble, sink)
        answer = self._execute(text, trouble)
        self._tell("done", text)
        self._pause(self.latency, sink)
        written = self._write(answer.rendered(trouble), sink)
        self._after_answer()
        if written:
            self._tell("answered", text)

    def _record(self, text: str) -> None:
        with self._changed:
            self.commands.append(Command(text, time.monotonic(), len(self.commands) + 1))
            self._changed.notify_all()

    def _tell(self, phase: str, text: str) -> None:
        if self.on_command is not None:
            self.on_command(phase, text)

    def _execute(self, text: str, trouble: Trouble) -> Answer:
        answer = Answer((), "OK")
        with self._changed:
            if trouble.takes_effect:
                answer = self._interpreter.execute(text)
                self._changed.notify_all()
        return answer if trouble.answer is None else Answer((), trouble.answer)

    def _pause(self, seconds: float, sink: Sink | None) -> None:
        """Let the latency pass, unless the port is unplugged meanwhile."""
        if seconds > 0:
            with self._changed:
                self._changed.wait_for(lambda: self._sink is not sink, seconds)

    def _write_echo(self, line: bytes, trouble: Trouble, sink: Sink | None) -> None:
        echo = line + b"\r" if self._state.echo and trouble.echo else b""
        self._write(trouble.before_echo + echo, sink)

    def _write(self, data: bytes, sink: Sink | None) -> bool:
        """Write in one piece; nothing comes out of a frozen stick or of a port that is gone."""
        with self._changed:
            if sink is None or sink is not self._sink or self.faults.frozen:
                return False
            if data:
                sink(data)
            return True

    def _after_answer(self) -> None:
        """What a command leaves to be done once it is answered: the radio's cure, a restart, SMS that now fit."""
        with self._changed:
            if self._state.radio_cycled:
                self._state.radio_cycled = False
                self.faults.cure(Cure.RADIO)
            if self._state.restart_due:
                self.restart()
            self._network_changed()

    # --- the network ---

    def _network_changed(self) -> None:
        """Whatever changed: tell the registration if asked to, take in what waits and fits."""
        with self._changed:
            registration = self._state.registration
            if registration != self._told_registration:
                self._told_registration = registration
                self._tell_registration()
            while self._waiting and self._can_receive():
                self._receive(self._waiting.popleft())
            self._changed.notify_all()

    def _tell_registration(self) -> None:
        """Unsolicited +CREG: <stat>, 27.007 section 7.2."""
        for name in ("+CREG", "+CGREG", "+CEREG"):
            if self._state.settings[name] != "0":
                self.say(f"{name}: {self._state.registration_text(name)}".encode())

    def _can_receive(self) -> bool:
        state = self._state
        has_room = state.asks_for("2") or state.store.free(state.receive_memory) is not None
        return has_room and state.registration.in_service

    def _receive(self, slot: Slot) -> None:
        """Store and notify (+CMTI), or hand on without storing (+CMT): 27.005 section 3.4.1."""
        state = self._state
        if state.asks_for("2"):
            self.say(f"+CMT: ,{slot.length}\r\n{slot.pdu}".encode())
            return
        index = self.store(state.receive_memory, None, slot.pdu)
        if state.asks_for("1") and not self.faults.silent_arrivals:
            self.say(f'+CMTI: "{state.receive_memory}",{index}'.encode())
