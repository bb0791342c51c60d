# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick: libgammu opens, counts, lists and asks; slots are freed by plain AT commands.

What a message says is taken from its PDU, as it passed on the wire while libgammu listed it: libgammu's own
decoding loses text, and what it cannot decode it neither shows nor deletes. So slots are freed without it,
and what stands in one is compared right before, because a slot is used again at once.

A stick on which libgammu does not start, because it refuses AT^PORTSEL=1 or AT^CURC=0, say, is read without it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gammu

from homesim import config
from homesim.errors import ConfigError, TryAgain
from homesim.stick.at import Wire, value
from homesim.stick.commands import MEMORIES, Plain, radio_on
from homesim.stick.driver import Memory, Registration, Slot, State
from homesim.stick.listing import Content, lists

T = TypeVar("T")

# libgammu says farewell to a stick when its object goes, which takes up to ten minutes if the stick is silent. So
# none ever goes: programs that opened one leave with run.leave().
_OPENED: list[gammu.StateMachine] = []

PROBE = 5.0  # seconds: a slow stick takes 1 s an answer
# Seconds after which a call means that the stick is stuck. Measured: a slow stick needs 27 s for Init; libgammu
# itself would wait up to 12 minutes.
CALL, INIT = 20.0, 45.0

# Errors of a port that has gone. After one of these, or after a time-out, libgammu must not be touched again.
_GONE = (gammu.ERR_DEVICEWRITEERROR, gammu.ERR_DEVICEREADERROR, gammu.ERR_NOTCONNECTED, gammu.ERR_DEVICENOTEXIST)

_REGISTRATIONS = {  # libgammu's words
    "HomeNetwork": Registration.HOME,
    "RoamingNetwork": Registration.ROAMING,
    "RequestingNetwork": Registration.SEARCHING,
    "RegistrationDenied": Registration.DENIED,
    "NoNetwork": Registration.NONE,
}

log = logging.getLogger(__name__)


class Stuck(TryAgain):
    """The stick, or libgammu's idea of it, has lost the thread; a new process may find it again."""


class Modem:
    """One stick, open until the process ends: there is no close, which could take ten minutes."""

    def __init__(self, settings: config.Modem, said: Callable[[str], object] = str) -> None:
        """`said` is called, in another thread, with each line that the stick says on its own."""
        self._settings = settings
        self._wire = Wire(settings.device, said)
        self._plain = Plain(self._wire, CALL)
        self._busy_until = float("inf")  # time.monotonic() after which the call in progress has failed
        self._machine = gammu.StateMachine()
        _OPENED.append(self._machine)
        self._selected = ""  # the memory of CMGR and CMGD, where we know it
        self._started = True  # libgammu works with this stick
        self._counted = True  # it can count its SMS, and then list them too

    @property
    def reader(self) -> str:
        """Who reads the stick: "libgammu" or "plain AT"."""
        return "libgammu" if self._started else "plain AT"

    def probe(self) -> str:
        """Ask the port with a short time limit and quiet it; return the SIM's state (TS 27.007 8.3).

        Raise wire.Silent when nothing answers, Stuck when the answers are to other questions.
        """
        self._wire.greet(PROBE)
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
        """Let libgammu take the wire, if it can work with this stick. Raise ConfigError when it cannot with any."""
        connection = self._settings.connection
        self._machine.SetConfig(
            0, {"Device": self._wire.device, "Connection": connection, "Model": self._settings.model}
        )
        try:
            self._call(self._machine.Init, limit=INIT)
        except gammu.ERR_UNKNOWNCONNECTIONTYPESTRING:
            key = f"modem.{self._settings.name}.connection"
            raise ConfigError(key, f"libgammu knows no connection {connection}; leave the key out") from None
        except gammu.GSMError as error:
            self._without_libgammu(_text(error))

    def _without_libgammu(self, why: str) -> None:
        self._started = self._counted = False
        self._wire.greet(CALL)  # an answer to libgammu may still be under way
        log.debug("%s: read by plain AT, as libgammu does not start: %s", self._settings.device, why)

    def enter_pin(self, pin: str) -> bool:
        """One try. False when the SIM refuses it, TryAgain when it is not known what it said."""
        if not self._started:
            if (taken := self._plain.enter_pin(pin)) is None:
                raise TryAgain(self._settings.device, "the SIM takes no PIN now", fault="pin")
            return taken
        try:
            self._call(self._machine.EnterSecurityCode, "PIN", pin)
        except gammu.ERR_SECURITYERROR:
            return False
        except gammu.GSMError as error:
            raise TryAgain(self._settings.device, f"the SIM takes no PIN now: {_text(error)}", fault="pin") from None
        return True

    def command(self, text: str) -> Sequence[str]:
        """The answer to one AT command, while libgammu is quiet; the final result code last."""
        return self._plain.at(text)

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
                if not counts["SIMSize"] + counts["PhoneSize"]:  # 1.45.1 is out of step with a stick that takes 0.5 s
                    self._without_libgammu("it finds no memory")
                    return self.memories()
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

    def stored(self, memories: dict[str, Memory]) -> list[Slot]:
        """Everything on the stick, whatever its state and whatever is wrong with it; read again if it is not whole."""
        listed = self._listed() if self._counted else {}
        found = []
        for memory, count in memories.items():
            slots = listed.get(memory)
            if slots is None or not all(content.whole for content in slots.values()):
                self._select(memory)
            slots = self._plain.contents(count.size) if slots is None else slots
            for index, content in slots.items():
                again = content if content.whole else self._plain.content(index)
                if text := again.text or content.text:
                    found.append(Slot(memory, index, text, again.whole))
        return found

    def delete(self, sms: Slot) -> bool:
        """Free the slot if it still holds this very SMS. False when it does not, or the stick will not say.

        What came of it the next list shows: sticks say OK and keep it, or ERROR and have deleted it.
        """
        if not self.holds(sms):
            return False
        self._plain.at(f"AT+CMGD={sms.index}")
        return True

    def holds(self, sms: Slot) -> bool:
        """Whether the slot holds this very SMS, or one that is the same to the octet."""
        if self._selected != sms.memory:
            self._select(sms.memory)
        return self._plain.content(sms.index).text == sms.pdu

    def hang_up(self) -> bool:
        """Reject what rings. TS 27.007 6.5, else V.250 6.3.6, which on a Huawei may end data calls only."""
        return any(self._plain.at(command)[-1] == "OK" for command in ("AT+CHUP", "ATH"))

    def network(self) -> State:
        """Registration, operator and signal, empty where the stick refuses to say."""
        if not self._started:
            return self._plain.network()
        info = self._ask(self._machine.GetNetworkInfo)
        signal = self._ask(self._machine.GetSignalQuality).get("SignalPercent", -1)
        operator = str(info.get("NetworkName") or info.get("NetworkCode") or "")
        registration = _REGISTRATIONS.get(str(info.get("State")), Registration.UNKNOWN)
        return State(registration=registration, operator=operator, signal=None if signal < 0 else int(signal))

    def _ask(self, function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return self._call(function)
        except gammu.GSMError:
            return {}

    def _listed(self) -> dict[str, dict[int, Content]]:
        """The memories that libgammu lists on the way to the first SMS; it looks no further than that.

        Asked for the rest it counts slots up for ever where a stick refuses to list them (1.42).
        """
        try:
            self._call(self._machine.GetNextSMS, Start=True, Folder=0)
        except gammu.GSMError:
            pass  # empty, or the first SMS cannot be decoded: the list has passed all the same
        return lists(self._wire.exchanges)

    def _select(self, memory: str) -> Memory | None:
        count = self._plain.select(memory)
        self._selected = memory if count else self._selected
        return count

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
