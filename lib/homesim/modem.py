# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick: libgammu opens, counts, lists and asks; slots are freed by plain AT commands.

What a message says is taken from its PDU, as it passed on the wire while libgammu listed it: libgammu's own
decoding loses text, and what it cannot decode it neither shows nor deletes. So slots are freed without it,
and what stands in one is compared right before, because a slot is used again at once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import gammu

from homesim import config
from homesim.errors import TryAgain
from homesim.listing import lists, slots
from homesim.wire import Wire, radio_on, value

T = TypeVar("T")

# libgammu says farewell to a stick when its object goes, which takes up to ten minutes if the stick is silent. So
# none ever goes: programs that opened one leave with run.leave().
_OPENED: list[gammu.StateMachine] = []

PROBE = 5.0  # seconds: a slow stick takes 1 s an answer
# Seconds after which a call means that the stick is stuck. Measured: a slow stick needs 27 s for Init; libgammu
# itself would wait up to 12 minutes.
CALL, INIT = 20.0, 45.0
MEMORIES = ("SM", "ME")  # SIM and stick; SR holds reports on what was sent from here, and nothing is

# Errors of a port that has gone. After one of these, or after a time-out, libgammu must not be touched again.
_GONE = (gammu.ERR_DEVICEWRITEERROR, gammu.ERR_DEVICEREADERROR, gammu.ERR_NOTCONNECTED, gammu.ERR_DEVICENOTEXIST)


class Stuck(TryAgain):
    """The stick, or libgammu's idea of it, has lost the thread; a new process may find it again."""


@dataclass(frozen=True)
class Stored:
    """An SMS in a slot of the stick."""

    memory: str  # of MEMORIES
    index: int  # as in AT+CMGR
    pdu: str  # hex, the service centre's address first


@dataclass(frozen=True)
class Memory:
    used: int
    size: int


@dataclass(frozen=True)
class Network:
    registration: str  # libgammu's words: HomeNetwork, RoamingNetwork, NoNetwork, RequestingNetwork, ...
    operator: str
    signal: int | None  # percent


class Modem:
    """One stick, open until the process ends: there is no close, which could take ten minutes."""

    def __init__(self, settings: config.Modem, said: Callable[[str], object] = str) -> None:
        """`said` is called, in another thread, with each line that the stick says on its own."""
        self._settings = settings
        self._wire = Wire(settings.device, said)
        self._busy_until = float("inf")  # time.monotonic() after which the call in progress has failed
        self._machine = gammu.StateMachine()
        _OPENED.append(self._machine)
        self._selected = ""  # the memory of CMGR and CMGD, where we know it
        self._counted = True  # libgammu can count this stick's SMS, and then list them too

    def probe(self) -> str:
        """Ask the port with a short time limit and quiet it; return the SIM's state (TS 27.007 8.3).

        Raise wire.Silent when nothing answers, Stuck when the answers are to other questions.
        """
        self._wire.command("AT", PROBE)
        self._wire.command("AT+CMEE=1", PROBE)  # errors by number
        self._wire.command("AT^CURC=0", PROBE)  # none of Huawei's own reports
        self._wire.command("AT+CNMI=2,1,0,0,0", PROBE)  # TS 27.005 3.4.1: +CMTI for each SMS stored
        self._wire.command("AT+CLIP=1", PROBE)  # TS 27.007 7.11: who calls
        radio_on(self._wire, PROBE)
        lines = self._wire.command("AT+CPIN?", PROBE)
        if lines == ("OK",):  # a late answer to the run before us put all of them out of step
            raise Stuck(self._settings.device, "the stick answers what was asked before")
        return value(lines, "+CPIN:") or lines[-1]

    def open(self) -> None:
        """Let libgammu take the wire."""
        self._machine.SetConfig(
            0,
            {
                "Device": self._wire.device,
                "Connection": self._settings.connection,
                "Model": self._settings.model,
            },
        )
        try:
            self._call(self._machine.Init, limit=INIT)
        except gammu.GSMError as error:
            raise TryAgain(self._settings.device, f"libgammu cannot start: {_text(error)}") from None

    def enter_pin(self, pin: str) -> bool:
        """One try. False when the SIM refuses it, TryAgain when it is not known what it said."""
        try:
            self._call(self._machine.EnterSecurityCode, "PIN", pin)
        except gammu.ERR_SECURITYERROR:
            return False
        except gammu.GSMError as error:
            raise TryAgain(self._settings.device, f"the SIM takes no PIN now: {_text(error)}") from None
        return True

    def command(self, text: str) -> Sequence[str]:
        """The answer to one AT command, while libgammu is quiet; the final result code last."""
        return self._at(text)

    def failure(self) -> TryAgain | None:
        """Why the call in progress will never return; asked by another thread."""
        if self._wire.problem:
            return self._wire.problem
        if time.monotonic() > self._busy_until:
            return Stuck(self._settings.device, "the stick stopped answering in the middle of a command")
        return None

    def memories(self) -> dict[str, Memory]:
        """How many SMS the stick counts: the cheapest look there is. A memory that it refuses is left out."""
        self._wire.exchanges.clear()
        self._selected = ""
        if self._counted:
            try:
                counts = self._call(self._machine.GetSMSStatus)
                sizes = (("SIMUsed", "SIMSize"), ("PhoneUsed", "PhoneSize"))
                return {
                    memory: Memory(counts[used], counts[size])
                    for memory, (used, size) in zip(MEMORIES, sizes, strict=True)
                }
            except gammu.GSMError:
                # One memory refused (+CMS ERROR: 302) or CPMS only with three parameters (Brovi E3372-325)
                # and libgammu counts and lists nothing at all.
                self._counted = False
        found = {memory: self._select(memory) for memory in MEMORIES}
        return {memory: count for memory, count in found.items() if count}

    def stored(self, memories: dict[str, Memory]) -> list[Stored]:
        """Every SMS on the stick, whatever its state and whatever is wrong with it."""
        listed = self._listed() if self._counted else {}
        found = []
        for memory, count in memories.items():
            slots = listed[memory] if memory in listed else self._list(memory, count)
            if "" in slots.values():
                self._select(memory)
            for index, text in slots.items():
                if text := text or self._read(index):
                    found.append(Stored(memory, index, text))
        return found

    def delete(self, sms: Stored) -> bool:
        """Free the slot if it still holds this very SMS. False when it does not, or the stick will not say.

        What came of it the next list shows: sticks say OK and keep it, or ERROR and have deleted it.
        """
        if not self.holds(sms):
            return False
        self._at(f"AT+CMGD={sms.index}")
        return True

    def holds(self, sms: Stored) -> bool:
        """Whether the slot holds this very SMS, or one that is the same to the octet."""
        if self._selected != sms.memory:
            self._select(sms.memory)
        return self._read(sms.index) == sms.pdu

    def hang_up(self) -> bool:
        """Reject what rings. TS 27.007 6.5, else V.250 6.3.6, which on a Huawei may end data calls only."""
        return any(self._at(command)[-1] == "OK" for command in ("AT+CHUP", "ATH"))

    def missed(self) -> Sequence[str]:
        """What the list of missed calls answers to AT+CPBR (TS 27.007 8.11, 8.12); () where there is no such list."""
        if self._at('AT+CPBS="MC"')[-1] != "OK":
            return ()
        size = re.findall(r"\d+", value(self._at("AT+CPBS?"), "+CPBS:"))
        return self._at(f"AT+CPBR=1,{size[-1]}") if size else ()

    def network(self) -> Network:
        """Registration, operator and signal, empty where the stick refuses to say."""
        info = self._ask(self._machine.GetNetworkInfo)
        signal = self._ask(self._machine.GetSignalQuality).get("SignalPercent", -1)
        operator = str(info.get("NetworkName") or info.get("NetworkCode") or "")
        return Network(str(info.get("State", "")), operator, None if signal < 0 else int(signal))

    def _ask(self, function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return self._call(function)
        except gammu.GSMError:
            return {}

    def _listed(self) -> dict[str, dict[int, str]]:
        """The memories that libgammu lists on the way to the first SMS; it looks no further than that.

        Asked for the rest it counts slots up for ever where a stick refuses to list them (1.42).
        """
        try:
            self._call(self._machine.GetNextSMS, Start=True, Folder=0)
        except gammu.GSMError:
            pass  # empty, or the first SMS cannot be decoded: the list has passed all the same
        return lists(self._wire.exchanges)

    def _list(self, memory: str, count: Memory) -> dict[int, str]:
        """A memory's slots without libgammu, one by one where the stick gives no list."""
        self._select(memory)
        self._at("AT+CMGF=0")  # PDU mode
        lines = self._at("AT+CMGL=4")
        return slots(lines) if lines[-1] == "OK" else dict.fromkeys(range(count.size + 1), "")

    def _select(self, memory: str) -> Memory | None:
        """Make it the memory of CMGL, CMGR and CMGD; None when the stick refuses."""
        for form in (f'"{memory}"', f'"{memory}","{memory}","{memory}"'):
            lines = self._at(f"AT+CPMS={form}")
            if lines[-1] == "OK":
                self._selected = memory
                used, size, *_ = [*re.findall(r"\d+", value(lines, "+CPMS:")), "0", "50"]  # E220 says only OK
                return Memory(int(used), int(size))
        return None

    def _read(self, index: int) -> str:
        """The PDU in a slot of the selected memory, "" when there is none."""
        return next(iter(slots(self._at(f"AT+CMGR={index}"), whole=False).values()), "")

    def _at(self, command: str) -> Sequence[str]:
        return self._wire.command(command, CALL)

    def _call(self, function: Callable[..., T], *args: Any, limit: float = CALL, **options: Any) -> T:
        """Call libgammu. Raise TryAgain when it must not be called again."""
        self._busy_until = time.monotonic() + limit
        try:
            return function(*args, **options)
        except gammu.ERR_TIMEOUT:
            raise Stuck(self._settings.device, "the stick stopped answering") from None
        except _GONE:
            raise TryAgain(self._settings.device, "the stick has gone") from None
        finally:
            self._busy_until = float("inf")


def _text(error: gammu.GSMError) -> str:
    """str(GSMError) is a dict: its words only."""
    return str(error.args[0]["Text"])
