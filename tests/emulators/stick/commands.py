# SPDX-License-Identifier: GPL-2.0-or-later
"""The AT commands of an emulated Huawei stick: a command line in, an answer out.

Section numbers are those of 3GPP TS 27.007 for the modem and 3GPP TS 27.005 for SMS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emulators.stick.at_line import Request, parse
from emulators.stick.faults import Sim, Trouble
from emulators.stick.state import SETTINGS, State
from emulators.stick.store import READ, SENT, UNREAD, UNSENT

Handler = Callable[[Request], list[str]]
"""Given one command, take effect and return the information lines, or raise Refusal."""

IMEI = "861234567890123"
IMSI = "001010123456789"
OPERATOR = "Test Network"
_TESTS = {"+CSCS": '("IRA","UCS2","GSM")', "+CNMI": "(0-2),(0-3),(0,2),(0-2),(0,1)"}
_SMS_COMMANDS = frozenset({"+CPMS", "+CMGL", "+CMGR", "+CMGD"})


class Refusal(Exception):
    """A final result other than OK: ERROR if nothing else is said."""

    def __init__(self, final: str = "ERROR", *, cme: int = 0) -> None:
        """`cme`: a mobile equipment error, 27.007 section 9.1, a number if AT+CMEE=1 has asked for it."""
        super().__init__(final)
        self.final = final
        self.numbered = f"+CME ERROR: {cme}" if cme else final


def cms_error(code: int) -> Refusal:
    """A message service failure, always a number, 27.005 section 3.2.5."""
    return Refusal(f"+CMS ERROR: {code}")


@dataclass(frozen=True)
class Answer:
    """Information lines and the final result."""

    lines: tuple[str, ...]
    final: str

    def rendered(self, trouble: Trouble) -> bytes:
        """The bytes of a verbose answer (V.250 section 5.7.1), with what `trouble` does to it."""
        lines = [_cut(trouble.line(line), trouble.cut) for line in self.lines]
        pieces = [f"\r\n{line}".encode() for line in lines] + [b"\r\n"] if lines else []
        pieces.insert(1, trouble.inside_answer)
        pieces += [framed(self.final.encode()), trouble.after_answer]
        return trouble.before_answer + b"".join(pieces)


def framed(line: bytes) -> bytes:
    """A line between the line ends of V.250, as final results and unsolicited lines are."""
    return b"\r\n" + line + b"\r\n"


def _cut(line: str, characters: int) -> str:
    is_pdu = not line.startswith(("+", "^"))
    return line[: len(line) - characters] if is_pdu else line


class Commands:
    """Executes command lines on the state of a stick. Not thread-safe: its owner locks."""

    def __init__(self, state: State) -> None:
        self._state = state
        profile = state.profile
        self._known: dict[str, Handler] = {
            "E0": self._echo,
            "E1": self._echo,
            "+CGMI": _fixed("huawei"),
            "+CGMM": _fixed(profile.model),
            "+CGMR": _fixed(profile.revision),
            "+CGSN": _fixed(IMEI),
            "+CIMI": _fixed(IMSI),
            "+CFUN": self._cfun,
            "+CPIN": self._cpin,
            "+CREG": self._creg,
            "+CGREG": self._creg,
            "+CEREG": self._creg,
            "+COPS": self._cops,
            "+CGATT": self._cgatt,
            "+CSQ": self._csq,
            "+CHUP": self._hang_up,
            "H": self._hang_up,
            "^PORTSEL": _fixed(),
            "+CPMS": self._cpms,
            "+CMGL": self._cmgl,
            "+CMGR": self._cmgr,
            "+CMGD": self._cmgd,
        }
        if profile.tells_tries:
            self._known[profile.tells_tries] = self._tries

    def execute(self, text: str) -> Answer:
        """All commands of a line, up to the first that fails; one final result (V.250 5.2.1)."""
        lines: list[str] = []
        try:
            for request in parse(text):
                lines += self._handle(request)
        except Refusal as refusal:
            return Answer(tuple(lines), refusal.final if self._state.settings["+CMEE"] == "0" else refusal.numbered)
        return Answer(tuple(lines), "OK")

    def _handle(self, request: Request) -> list[str]:
        sim = self._state.sim
        if sim is not Sim.READY and request.form != "=?":
            if request.name in _SMS_COMMANDS:
                raise cms_error(sim.cms)
            if request.name == "+CIMI":
                raise Refusal(cme=sim.cme)
        if request.name in self._known:
            return self._known[request.name](request)
        if request.name in SETTINGS:
            return self._setting(request)
        raise Refusal(self._state.profile.unknown_command)

    def _setting(self, request: Request) -> list[str]:
        name = request.name
        if request.form == "=?" and name in _TESTS:
            return [f"{name}: {_TESTS[name]}"]
        if request.form == "?":
            return [f"{name}: {self._state.settings[name]}"]
        if not request.arguments:
            raise Refusal
        quote = '"' if SETTINGS[name].startswith('"') else ""
        self._state.settings[name] = ",".join(f"{quote}{a}{quote}" for a in request.arguments)
        return []

    def _echo(self, request: Request) -> list[str]:
        self._state.echo = request.name == "E1"
        return []

    def _cfun(self, request: Request) -> list[str]:
        """27.007 section 8.2: 0 and 4 radio off, 1 on, 1,1 a restart after the answer."""
        if request.form != "=":
            return self._setting(request)
        function, *reset = request.arguments
        if function not in ("0", "1", "4"):
            raise Refusal(cme=3)
        state = self._state
        state.restart_due = reset == ["1"]
        state.radio_cycled = function == "1" and (state.restart_due or state.settings["+CFUN"] != "1")
        state.settings["+CFUN"] = function
        return []

    def _cpin(self, request: Request) -> list[str]:
        """27.007 section 8.3."""
        sim = self._state.sim
        if sim.cpin is None:
            raise Refusal(cme=sim.cme)
        if request.form == "?":
            return [f"+CPIN: {sim.cpin}"]
        if sim is not Sim.PIN or len(request.arguments) != 1:
            raise Refusal(cme=sim.cme or 3)
        if not self._state.unlock(request.arguments[0]):
            raise Refusal(cme=16)
        return []

    def _tries(self, request: Request) -> list[str]:
        """27.007 section 8.65; Huawei's ^CPIN: code,[times],PUK's tries,PIN's,PUK2's,PIN2's."""
        sim, left = self._state.sim, self._state.pin_tries_left
        if sim.cpin is None:
            raise Refusal(cme=sim.cme)
        if request.name == "+CPINR":
            return [f"+CPINR: SIM PIN,{left},3"]
        times = "" if sim is Sim.READY else left
        return [f"^CPIN: {sim.cpin},{times},10,{left},10,3"]

    def _creg(self, request: Request) -> list[str]:
        if request.form != "?":
            return self._setting(request)
        state, name = self._state, request.name
        return [f"{name}: {state.settings[name]},{state.registration_text(name)}"]

    def _cops(self, request: Request) -> list[str]:
        """27.007 section 7.3: only the reading of it."""
        if request.form != "?":
            raise Refusal
        return [f'+COPS: 0,0,"{OPERATOR}",7' if self._state.registration.in_service else "+COPS: 0"]

    def _cgatt(self, _: Request) -> list[str]:
        """27.007 section 10.1.9; libgammu asks for it with the network."""
        return [f"+CGATT: {self._state.registration.in_service:d}"]

    def _csq(self, _: Request) -> list[str]:
        """27.007 section 8.5; 99 is "not known"."""
        return [f"+CSQ: {20 if self._state.registration.in_service else 99},99"]

    def _hang_up(self, request: Request) -> list[str]:
        """27.007 section 6.5, V.250 section 6.3.6; OK too when there is no call."""
        if request.form != "=?" and self._state.call:
            self._state.call.hang_up()
        return []

    # --- SMS ---

    def _cpms(self, request: Request) -> list[str]:
        """27.005 section 3.2.2."""
        memories = self._state.memories
        if request.form == "=?":
            listed = '("ME","MT","SM","SR")'  # as in logs; only those with a size can be selected
            return [f"+CPMS: {listed},{listed},{listed}"]
        if request.form == "?":
            named = ",".join(f'"{memory}",{self._counts(memory)}' for memory in memories)
            return [f"+CPMS: {named}"]
        self._select(request.arguments)
        return [f"+CPMS: {','.join(self._counts(memory) for memory in memories)}"]

    def _select(self, memories: tuple[str, ...]) -> None:
        profile = self._state.profile
        if not (3 if profile.cpms_needs_three else 1) <= len(memories) <= 3:
            raise Refusal
        if not set(memories) <= set(profile.sizes):
            raise cms_error(302)
        self._state.memories[: len(memories)] = memories

    def _counts(self, memory: str) -> str:
        used = max(self._state.store.used(memory) + self._state.faults.miscounted, 0)
        return f"{used},{self._state.profile.sizes[memory]}"

    def _pdu_memory(self) -> str:
        """<mem1>; only PDU mode is emulated, text mode gets a plain ERROR."""
        if self._state.settings["+CMGF"] != "0":
            raise Refusal
        return self._state.memories[0]

    def _cmgl(self, request: Request) -> list[str]:
        """27.005 section 4.1: 0-3 those with that <stat>, 4 all; what was unread is read then."""
        memory = self._pdu_memory()
        stat = _number(request, 0, range(5), default=UNREAD)
        lines = []
        for index, slot in self._state.store.slots(memory):
            if stat in (4, slot.stat):
                lines += [f"+CMGL: {index},{slot.stat},,{slot.length}", slot.pdu]
                self._state.store.mark_read(memory, index)
        return lines

    def _cmgr(self, request: Request) -> list[str]:
        """27.005 section 4.2. That an empty slot gives 321 is assumed."""
        memory = self._pdu_memory()
        index = self._index(request)
        slot = self._state.store.get(memory, index)
        if slot is None:
            raise cms_error(321)
        self._state.store.mark_read(memory, index)
        return [f"+CMGR: {slot.stat},,{slot.length}", slot.pdu]

    def _cmgd(self, request: Request) -> list[str]:
        """27.005 section 3.5.4: one slot, or with <delflag> 1-4 the read, sent, unsent, all.

        That deleting an empty slot gives OK is assumed.
        """
        store, memory = self._state.store, self._state.memories[0]
        if request.form == "=?":
            indices = store.indices(memory)
            return [f"+CMGD: ({indices[0]}-{indices[-1]}),(0-4)"]
        flag = _number(request, 1, range(5), default=0)
        if flag == 0:
            store.delete(memory, self._index(request))
        doomed = (READ, SENT, UNSENT, UNREAD)[:flag]
        for index, slot in store.slots(memory):
            if slot.stat in doomed:
                store.delete(memory, index)
        return []

    def _index(self, request: Request) -> int:
        """The slot that a command names; +CMS ERROR: 321 if the memory has no such one."""
        text = request.arguments[0] if request.arguments else ""
        if not text.isdigit() or int(text) not in self._state.store.indices(self._state.memories[0]):
            raise cms_error(321)
        return int(text)


def _number(request: Request, position: int, allowed: range, *, default: int | None = None) -> int:
    """Given a command, return its argument there; ERROR if that is missing or not allowed."""
    if position >= len(request.arguments) and default is not None:
        return default
    text = "".join(request.arguments[position : position + 1])
    if not text.isdigit() or int(text) not in allowed:
        raise Refusal
    return int(text)


def _fixed(*lines: str) -> Handler:
    return lambda _: list(lines)
