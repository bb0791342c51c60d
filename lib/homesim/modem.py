# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick: libgammu opens, counts, lists and asks; slots are read and freed by plain AT commands.

What a message says is taken from its PDU. libgammu does not hand PDUs out but writes them to its debug log
as the stick sent them; that log lives in a memory file. The order inside one call is fixed: AT traffic first,
then the text that libgammu decoded, which its sender chose. So a call's log is read up to the first list that
holds an SMS and never beyond it: no SMS can put a line of its own there.

Slots are freed without libgammu, because it does not delete what it cannot decode, and because a slot is used
again at once: what stands in it is compared right before.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import gammu

from homesim import config, pdu
from homesim.errors import TryAgain
from homesim.port import Port, answer

T = TypeVar("T")

PROBE = 5.0  # seconds: a slow stick takes 1 s an answer
# Seconds after which a call means that the stick is stuck. Measured: a slow stick needs 27 s for Init; libgammu
# itself would wait up to 12 minutes.
CALL, INIT = 20.0, 45.0
MEMORIES = ("SM", "ME")  # SIM and stick; SR holds reports on what was sent from here, and nothing is

_TRAFFIC = re.compile(r'(\d+) "(.*)"')
_SELECTED = re.compile(r'AT\+CPMS="(\w+)"')
_HEX = re.compile(r"[0-9A-Fa-f]+")
# Errors after which libgammu must not be touched again: it would wait for minutes.
_DEAD = {
    gammu.ERR_DEVICEOPENERROR: "the port cannot be opened; another program may hold it, run homesim-doctor",
    gammu.ERR_DEVICELOCKED: "another program holds the port; run homesim-doctor",
    gammu.ERR_DEVICENOTEXIST: "no such device; is the stick plugged in? run homesim-doctor",
    gammu.ERR_DEVICENOPERMISSION: "permission denied; run it as root",
    gammu.ERR_DEVICEWRITEERROR: "the stick has gone",
    gammu.ERR_DEVICEREADERROR: "the stick has gone",
    gammu.ERR_NOTCONNECTED: "the stick has gone",
}


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

    def __init__(self, settings: config.Modem) -> None:
        self.busy_until: float | None = None  # time.monotonic() after which the call in progress has failed
        self.port = Port(settings.device)
        self._settings = settings
        self._log = os.memfd_create("gammu")
        self._machine = gammu.StateMachine()
        self._counted = True  # libgammu can count this stick's SMS, and then list them too

    def probe(self) -> str:
        """Ask the port with a short time limit and quiet it; return the SIM's state (TS 27.007 8.3).

        Raise port.Silent when nothing answers.
        """
        self.port.command("ATE1", PROBE)
        self.port.command("AT+CMEE=1", PROBE)  # errors by number
        self.port.command("AT^CURC=0", PROBE)  # Huawei's own reports, which libgammu trips over
        self.port.command("AT+CNMI=2,1,0,0,0", PROBE)  # TS 27.005 3.4.1: +CMTI for each SMS stored
        lines = self.port.command("AT+CPIN?", PROBE)
        return answer(lines, "+CPIN:") or lines[-1]

    def open(self) -> None:
        """Let libgammu take the port."""
        self._machine.SetConfig(
            0,
            {
                "Device": self._settings.device,
                "Connection": self._settings.connection,
                "Model": self._settings.model,
                "DebugFile": f"/proc/self/fd/{self._log}",
                "DebugLevel": "errors",  # the least that holds the PDUs
                "UseGlobalDebugFile": False,
            },
        )
        try:
            self._call(self._machine.Init, limit=INIT)
        except gammu.GSMError as error:
            raise TryAgain(self._settings.device, f"libgammu cannot start: {_text(error)}") from None

    def enter_pin(self, pin: str) -> bool:
        """One try. False when the SIM refuses it."""
        try:
            self._call(self._machine.EnterSecurityCode, "PIN", pin)
        except gammu.GSMError:
            return False
        return True

    def memories(self) -> dict[str, Memory]:
        """How many SMS the stick counts: the cheapest look there is. A memory that it refuses is left out."""
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
        lists: dict[str, dict[int, str]] = {}
        if self._counted:
            lists = self._lists(Start=True, Folder=0)
            if "ME" not in lists:
                lists |= self._lists(Location=max(1, memories["SM"].size), Folder=0)
        found = []
        for memory, count in memories.items():
            slots = lists[memory] if memory in lists else self._list(memory, count)
            if "" in slots.values():
                self._select(memory)
            for index, text in slots.items():
                if text := text or self._read(index):
                    found.append(Stored(memory, index, text))
        return found

    def delete(self, sms: Stored) -> bool:
        """Free the slot if it still holds this very SMS. False when it is still there afterwards."""
        self._select(sms.memory)
        if self._read(sms.index) == sms.pdu:
            self._at(f"AT+CMGD={sms.index}")
            return self._read(sms.index) != sms.pdu
        return True

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

    def _lists(self, **where: Any) -> dict[str, dict[int, str]]:
        """What libgammu's list showed, by memory; without those that the stick refused to list."""
        start = os.fstat(self._log).st_size
        try:
            self._call(self._machine.GetNextSMS, **where)
        except gammu.GSMError:
            pass  # empty, or the first SMS cannot be decoded: the list stands in the log all the same
        log = os.pread(self._log, os.fstat(self._log).st_size - start, start)
        return read_lists(log.decode("latin-1"))

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
                used, size, *_ = [*re.findall(r"\d+", answer(lines, "+CPMS:")), "0", "50"]  # E220 says only OK
                return Memory(int(used), int(size))
        return None

    def _read(self, index: int) -> str:
        """The PDU in a slot of the selected memory, "" when there is none."""
        return next(iter(slots(self._at(f"AT+CMGR={index}"), whole=False).values()), "")

    def _at(self, command: str) -> list[str]:
        self.port.drain()
        return self.port.command(command, CALL)

    def _call(self, function: Callable[..., T], *args: Any, limit: float = CALL, **options: Any) -> T:
        """Call libgammu, on a quiet port. Raise TryAgain when it must not be called again."""
        self.port.drain()
        self.busy_until = time.monotonic() + limit
        try:
            return function(*args, **options)
        except gammu.GSMError as error:
            code = error.args[0]["Code"]
            if code == gammu.ERR_TIMEOUT:
                raise Stuck(self._settings.device, "the stick stopped answering") from None
            if code in _DEAD:
                raise TryAgain(self._settings.device, _DEAD[code]) from None
            raise
        finally:
            self.busy_until = None


def read_lists(log: str) -> dict[str, dict[int, str]]:
    """From the log of one call: memory to slots, of each AT+CMGL up to the first that shows an SMS. Pure."""
    lists: dict[str, dict[int, str]] = {}
    memory = ""
    for reply in _replies(log):
        for line in reply:
            if selected := _SELECTED.match(line):
                memory = selected[1]
        if any(line.startswith("AT+CMGL") for line in reply) and reply[-1] == "OK":
            lists[memory] = slots(reply)
            if lists[memory]:
                break
    return lists


def _replies(log: str) -> list[list[str]]:
    """The stick's answers, each with the command's echo: lines numbered from 1."""
    replies: list[list[str]] = []
    for line in log.splitlines():
        if traffic := _TRAFFIC.fullmatch(line):
            if traffic[1] == "1":
                replies.append([])
            if replies:
                replies[-1].append(traffic[2])
    return replies


def slots(lines: Sequence[str], *, whole: bool = True) -> dict[int, str]:
    """The PDUs behind `+CMGL: index,stat,[alpha],length` (TS 27.005 3.4.2) by index. Pure.

    "" for one that is not as long as its header says. +CMGR has no index (4.2): what stands there is its state.
    """
    found: dict[int, str] = {}
    for header, text in zip(lines, [*lines[1:], ""], strict=True):
        if header.startswith(("+CMGL:", "+CMGR:")):
            first, *_, length = header.partition(":")[2].split(",")
            fits = _HEX.fullmatch(text) and (not whole or _length(text) == length.strip())
            found[int(first)] = text if fits else ""
    return found


def _length(text: str) -> str:
    """Octets of a PDU without the service centre's address, as headers count them."""
    try:
        return str(len(pdu.tpdu(text)))
    except ValueError:
        return "none"


def _text(error: gammu.GSMError) -> str:
    """str(GSMError) is a dict: its words only."""
    return str(error.args[0]["Text"])
