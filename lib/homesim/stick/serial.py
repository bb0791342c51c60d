# SPDX-License-Identifier: GPL-2.0-or-later
"""A stick with a port: libgammu opens, counts and lists; slots are freed, and the rest is asked, by plain AT commands.

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

from homesim.config import Modem
from homesim.errors import ConfigError, TryAgain
from homesim.stick.at import Wire
from homesim.stick.commands import MEMORIES, Content, Plain, lists, news
from homesim.stick.driver import Memory, News, Rings, Slot, State, Stuck
from homesim.stick.sim import unlock
from homesim.store.spool import Spool

T = TypeVar("T")

# libgammu says farewell to a stick when its object goes, which takes up to ten minutes if the stick is silent. So
# none ever goes: programs that opened one leave with program.leave().
_OPENED: list[gammu.StateMachine] = []

PROBE = 5.0  # seconds: a slow stick takes 1 s an answer
# Seconds after which a call means that the stick is stuck. Measured: a slow stick needs 27 s for Init; libgammu
# itself would wait up to 12 minutes.
CALL, INIT = 20.0, 45.0

# Errors of a port that has gone. After one of these, or after a time-out, libgammu must not be touched again.
_GONE = (gammu.ERR_DEVICEWRITEERROR, gammu.ERR_DEVICEREADERROR, gammu.ERR_NOTCONNECTED, gammu.ERR_DEVICENOTEXIST)

log = logging.getLogger(__name__)


class _AtWork(Plain):
    """Between libgammu's calls."""

    def at(self, command: str) -> Sequence[str]:
        try:
            return super().at(command)
        except TryAgain as error:
            if error is self.wire.problem:
                raise
            raise Stuck(self.wire.path, "the stick stopped answering") from None


class Serial:
    """A Driver. See there for what its functions hold."""

    listing = 5.0

    def __init__(self, modem: Modem, spool: Spool | None, tell: Callable[[News], object] = repr) -> None:
        """`spool` keeps which PINs were tried; None: none is."""
        self.sim = ""
        self._modem = modem
        self._spool = spool
        self._tell = tell
        self._names_callers = False  # it says who calls behind each ring; before that a ring says nothing
        self._wire = Wire(modem.device, self._said)
        self._plain = _AtWork(self._wire, CALL)
        self._busy_until = float("inf")  # time.monotonic() after which the call in progress has failed
        self._machine = gammu.StateMachine()
        _OPENED.append(self._machine)
        self._selected = ""  # the memory of CMGR and CMGD, where we know it
        self._started: bool | None = None  # libgammu works with this stick; None: not tried yet
        self._counted = False  # it can count its SMS, and then list them too

    @property
    def reader(self) -> str:
        """Who reads the stick: "libgammu" or "plain AT"; "": that is not known yet."""
        return {True: "libgammu", False: "plain AT", None: ""}[self._started]

    def open(self) -> None:
        self.sim = self._quiet()
        unlock(self._plain, self.sim, self._modem, self._spool)
        self.sim = "READY"

    def _quiet(self) -> str:
        """Ask the port with a short time limit and quiet it; the SIM's state.

        Raise TryAgain when nothing answers, Stuck when the answers are to other questions.
        """
        self._wire.greet(PROBE)
        probe = Plain(self._wire, PROBE)
        probe.at("AT+CMEE=1")  # errors by number
        probe.at("AT^CURC=0")  # none of Huawei's own reports
        probe.at("AT+CNMI=2,1,0,0,0")  # TS 27.005 3.4.1: +CMTI for each SMS stored
        probe.at("AT+CLIP=1")  # TS 27.007 7.11: who calls
        self._names_callers = True
        probe.radio_on()
        if (sim := probe.sim()) == "OK":  # a late answer to the run before us put all of them out of step
            raise Stuck(self._modem.device, "the stick answers what was asked before")
        return sim

    def _said(self, line: str) -> None:
        if (what := news(line)) and (self._names_callers or what != Rings()):
            self._tell(what)

    def start(self) -> None:
        """Let libgammu take the wire, if it can work with this stick. Raise ConfigError when it cannot with any."""
        connection = self._modem.connection
        self._machine.SetConfig(
            0, {"Device": self._wire.device, "Connection": connection, "Model": self._modem.model}
        )
        try:
            self._call(self._machine.Init, limit=INIT)
        except gammu.ERR_UNKNOWNCONNECTIONTYPESTRING:
            key = f"modem.{self._modem.name}.connection"
            raise ConfigError(key, f"libgammu knows no connection {connection}; leave the key out") from None
        except gammu.GSMError as error:
            self._without_libgammu(str(error.args[0]["Text"]))  # str(GSMError) is a dict
        else:
            self._started = self._counted = True

    def _without_libgammu(self, why: str) -> None:
        self._started = self._counted = False
        self._wire.greet(CALL)  # an answer to libgammu may still be under way
        log.debug("%s: read by plain AT, as libgammu does not start: %s", self._modem.device, why)

    def failure(self) -> TryAgain | None:
        if self._wire.problem:
            return self._wire.problem
        if time.monotonic() > self._busy_until:
            return Stuck(self._modem.device, "the stick stopped answering in the middle of a command")
        return None

    def memories(self) -> dict[str, Memory]:
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
        found = self._plain.memories()
        self._selected = next(reversed(found), "")
        return found

    def slots(self, memories: dict[str, Memory]) -> list[Slot]:
        """What is not whole in the list is read again."""
        passed = self._lists() if self._counted else {}
        found = []
        for memory, count in memories.items():
            listed = passed.get(memory)
            if listed is None or not all(content.whole for content in listed.values()):
                self._at(memory)
            contents = self._plain.contents(count.size) if listed is None else listed
            for index, content in contents.items():
                again = content if content.whole else self._plain.content(index)
                if text := again.text or content.text:
                    found.append(Slot(memory, index, text, again.whole))
        return found

    def read(self, place: str) -> Slot | None:
        memory, _, index = place.partition(" ")
        if memory not in MEMORIES or not self._at(memory):  # "MT" is both, and does not tell which
            return None
        content = self._plain.content(int(index))
        return Slot(memory, int(index), content.text, content.whole) if content.text else None

    def delete(self, slot: Slot) -> bool:
        if not self.holds(slot):
            return False
        self._plain.at(f"AT+CMGD={slot.index}")
        return True

    def holds(self, slot: Slot) -> bool:
        self._at(slot.memory)
        return self._plain.content(slot.index).text == slot.pdu

    def hang_up(self) -> bool:
        """TS 27.007 6.5, else V.250 6.3.6, which on a Huawei may end data calls only."""
        return any(self._plain.at(command)[-1] == "OK" for command in ("AT+CHUP", "ATH"))

    def state(self) -> State:
        return self._plain.network(self.sim)

    def leave(self) -> None:
        """A port is given back with its process."""

    def _lists(self) -> dict[str, dict[int, Content]]:
        """The memories that libgammu lists on the way to the first SMS; it looks no further than that.

        Asked for the rest it counts slots up for ever where a stick refuses to list them (1.42).
        """
        try:
            self._call(self._machine.GetNextSMS, Start=True, Folder=0)
        except gammu.GSMError:
            pass  # empty, or the first SMS cannot be decoded: the list has passed all the same
        return lists(self._wire.exchanges)

    def _at(self, memory: str) -> bool:
        """Whether it is the memory of CMGR and CMGD now."""
        if self._selected != memory and self._plain.select(memory):
            self._selected = memory
        return self._selected == memory

    def _call(self, function: Callable[..., T], *args: Any, limit: float = CALL, **options: Any) -> T:
        """Call libgammu. Raise TryAgain when it must not be called again."""
        self._busy_until = time.monotonic() + limit
        try:
            return function(*args, **options)
        except gammu.ERR_TIMEOUT:
            raise Stuck(self._modem.device, "the stick stopped answering") from None
        except _GONE:
            raise TryAgain(self._modem.device, "the stick has gone") from None
        finally:
            self._busy_until = float("inf")
