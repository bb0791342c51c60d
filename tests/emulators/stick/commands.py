# SPDX-License-Identifier: GPL-2.0-or-later
"""The AT commands of an emulated Huawei stick: a command line in, an answer out.

Section numbers are those of 3GPP TS 27.007 for the modem and 3GPP TS 27.005 for SMS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from emulators.stick.at_line import Request, parse
from emulators.stick.faults import Sim, Trouble
from emulators.stick.state import SETTINGS, State
from emulators.stick.store import READ, SENT, UNREAD, UNSENT

Handler = Callable[[Request], list[str]]
"""Given one command, take effect and return the information lines, or raise Refusal or CmeError."""

IMEI = "861234567890123"
IMSI = "001010123456789"
SMSC = "+10000000000"
OPERATOR = ("Test Network", "Test", "00101")
"""Long, short and numeric: <format> 0, 1, 2 of +COPS, 27.007 section 7.3."""

_CME_TEXTS = MappingProxyType(
    {
        3: "operation not allowed",
        10: "SIM not inserted",
        11: "SIM PIN required",
        12: "SIM PUK required",
        13: "SIM failure",
        14: "SIM busy",
        16: "incorrect password",
        22: "not found",
    }
)
"""For AT+CMEE=2, 27.007 section 9.2."""

_PLAIN_OK = frozenset({"Q0", "V1", "&D0", "&D2", "&C1", "S0=0"})
_SMS_COMMANDS = frozenset({"+CPMS", "+CMGL", "+CMGR", "+CMGD", "+CSCA"})
_SIM_COMMANDS = frozenset({"+CIMI"})


class Refusal(Exception):
    """A final result other than OK, ERROR if nothing else is said."""

    def final(self) -> str:
        return str(self) or "ERROR"


class CmsError(Refusal):
    """A message service failure, always a number, 27.005 section 3.2.5."""

    def __init__(self, code: int) -> None:
        super().__init__(f"+CMS ERROR: {code}")


class CmeError(Exception):
    """A mobile equipment error, 27.007 section 9.1."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def final(self, verbosity: str) -> str:
        """The form that `verbosity`, the value of AT+CMEE, asks for."""
        forms = {"0": "ERROR", "1": f"+CME ERROR: {self.code}"}
        return forms.get(verbosity, f"+CME ERROR: {_CME_TEXTS[self.code]}")


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
        self._known = self._identity() | self._modem() | self._sms()

    def execute(self, text: str) -> Answer:
        """All commands of a line, up to the first that fails; one final result (V.250 5.2.1)."""
        lines: list[str] = []
        try:
            for request in parse(text):
                lines += self._handle(request)
        except CmeError as error:
            return Answer(tuple(lines), error.final(self._state.settings["+CMEE"]))
        except Refusal as refusal:
            return Answer(tuple(lines), refusal.final())
        return Answer(tuple(lines), "OK")

    def _handle(self, request: Request) -> list[str]:
        self._need_sim(request)
        if request.name in self._known:
            return self._known[request.name](request)
        if request.name in SETTINGS:
            return self._setting(request)
        if request.name in _PLAIN_OK:
            return []
        return self._unknown(request)

    def _need_sim(self, request: Request) -> None:
        sim = self._state.sim
        if sim is Sim.READY or request.form == "=?":
            return
        if request.name in _SMS_COMMANDS:
            raise CmsError(sim.cms)
        if request.name in _SIM_COMMANDS | self._state.profile.locked_refuses:
            raise CmeError(sim.cme)

    def _unknown(self, _: Request) -> list[str]:
        raise Refusal(self._state.profile.unknown_command)

    def _setting(self, request: Request) -> list[str]:
        name, setting = request.name, SETTINGS[request.name]
        if request.form == "=?":
            return [f"{name}: {setting.test}"]
        if request.form == "?":
            return [f"{name}: {self._state.settings[name]}"]
        if not request.arguments:
            raise Refusal
        quote = '"' if setting.default.startswith('"') else ""
        self._state.settings[name] = ",".join(f"{quote}{a}{quote}" for a in request.arguments)
        return []

    # --- what the stick is ---

    def _identity(self) -> dict[str, Handler]:
        profile = self._state.profile
        return {
            "I": self._information,
            "I0": self._information,
            "+CGMI": _fixed(profile.manufacturer),
            "+GMI": _fixed(profile.manufacturer),
            "+CGMM": _fixed(profile.model),
            "+GMM": _fixed(profile.model),
            "+CGMR": _fixed(profile.revision),
            "+GMR": _fixed(profile.revision),
            "+CGSN": _fixed(IMEI),
            "+GSN": _fixed(IMEI),
            "+CIMI": _fixed(IMSI),
        }

    def _information(self, _: Request) -> list[str]:
        profile = self._state.profile
        return [
            f"Manufacturer: {profile.manufacturer}",
            f"Model: {profile.model}",
            f"Revision: {profile.revision}",
            f"IMEI: {IMEI}",
            "+GCAP: +CGSM,+DS,+ES",
        ]

    # --- the modem and its network ---

    def _modem(self) -> dict[str, Handler]:
        profile = self._state.profile
        return {
            "E": self._echo_off,
            "E0": self._echo_off,
            "E1": self._echo_on,
            "Z": self._reset,
            "Z0": self._reset,
            "&F": self._reset,
            "&F0": self._reset,
            "+CFUN": self._cfun,
            "+CPIN": self._cpin,
            "^CPIN": self._tries if profile.tells_tries == "^CPIN" else self._unknown,
            "+CPINR": self._tries if profile.tells_tries == "+CPINR" else self._unknown,
            "+CREG": self._creg,
            "+CGREG": self._creg,
            "+CEREG": self._creg,
            "+COPS": self._cops,
            "+CGATT": self._cgatt,
            "+CSQ": self._csq,
            "+CHUP": self._hang_up,
            "H": self._hang_up,
            "H0": self._hang_up,
            "^SYSINFO": self._sysinfo,
            "^HCSQ": _fixed('^HCSQ: "LTE",46,38,121,16'),
            "^CURC": self._setting if profile.knows_curc else self._unknown,
            "^PORTSEL": _fixed() if profile.knows_portsel else self._unknown,
        }

    def _echo_off(self, _: Request) -> list[str]:
        self._state.echo = False
        return []

    def _echo_on(self, _: Request) -> list[str]:
        self._state.echo = True
        return []

    def _reset(self, _: Request) -> list[str]:
        self._state.reset_settings()
        return []

    def _cfun(self, request: Request) -> list[str]:
        """27.007 section 8.2: 0 and 4 radio off, 1 on, 1,1 a restart after the answer."""
        if request.form != "=":
            return self._setting(request)
        function, *reset = request.arguments
        if function not in ("0", "1", "4"):
            raise CmeError(3)
        state = self._state
        state.restart_due = reset == ["1"]
        state.radio_cycled = function == "1" and (state.restart_due or state.settings["+CFUN"] != "1")
        state.settings["+CFUN"] = function
        return []

    def _cpin(self, request: Request) -> list[str]:
        """27.007 section 8.3."""
        sim = self._state.sim
        if sim.cpin is None:
            raise CmeError(sim.cme)
        if request.form == "?":
            return [f"+CPIN: {sim.cpin}"]
        if request.form == "=?":
            return []
        if sim is not Sim.PIN or len(request.arguments) != 1:
            raise CmeError(sim.cme or 3)
        if not self._state.unlock(request.arguments[0]):
            raise CmeError(16)
        return []

    def _tries(self, request: Request) -> list[str]:
        """27.007 section 8.65; Huawei's ^CPIN: code,[times],PUK's tries,PIN's,PUK2's,PIN2's."""
        sim, left = self._state.sim, self._state.pin_tries_left
        if sim.cpin is None:
            raise CmeError(sim.cme)
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
        """27.007 section 7.3: read, and set the format with mode 3."""
        if request.form == "=?":
            long, short, numeric = OPERATOR
            return [f'+COPS: (2,"{long}","{short}","{numeric}",7),,(0-4),(0-2)']
        if request.form == "=":
            if _number(request, 0, range(5)) == 3:
                self._state.operator_format = _number(request, 1, range(3))
            return []
        if not self._state.registration.in_service:
            return ["+COPS: 0"]
        form = self._state.operator_format
        return [f'+COPS: 0,{form},"{OPERATOR[form]}",7']

    def _cgatt(self, _: Request) -> list[str]:
        """27.007 section 10.1.9; libgammu asks for it with the network."""
        return [f"+CGATT: {self._state.registration.in_service:d}"]

    def _csq(self, _: Request) -> list[str]:
        """27.007 section 8.5; 99 is "not known"."""
        return [f"+CSQ: {20 if self._state.registration.in_service else 99},99"]

    def _sysinfo(self, _: Request) -> list[str]:
        """Service, domain, roaming, mode (17: LTE), SIM (255: none); assumed for LTE sticks."""
        if self._state.registration.in_service:
            return ["^SYSINFO: 2,3,0,17,1"]
        return [f"^SYSINFO: 0,0,0,0,{1 if self._state.sim is Sim.READY else 255}"]

    def _hang_up(self, request: Request) -> list[str]:
        """27.007 section 6.5, V.250 section 6.3.6; OK too when there is no call."""
        if request.form != "=?" and self._state.call:
            self._state.call.hang_up()
        return []

    # --- SMS ---

    def _sms(self) -> dict[str, Handler]:
        return {
            "+CSMS": self._csms,
            "+CSCA": _fixed(f'+CSCA: "{SMSC}",145'),
            "+CPMS": self._cpms,
            "+CMGL": self._cmgl,
            "+CMGR": self._cmgr,
            "+CMGD": self._cmgd,
        }

    def _csms(self, request: Request) -> list[str]:
        """27.005 section 3.2.1."""
        answers = {"=?": "+CSMS: (0-1)", "?": "+CSMS: 0,1,1,1"}
        return [answers.get(request.form, "+CSMS: 1,1,1")]

    def _cpms(self, request: Request) -> list[str]:
        """27.005 section 3.2.2."""
        memories = self._state.memories
        if request.form == "=?":
            listed = ",".join(f'"{memory}"' for memory in self._state.profile.listed)
            return [f"+CPMS: ({listed}),({listed}),({listed})"]
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
            raise CmsError(302)
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
        if request.form == "=?":
            return ["+CMGL: (0-4)"]
        memory = self._pdu_memory()
        stat = _number(request, 0, range(5), default=UNREAD)
        lines = []
        for index, slot in self._state.store.slots(memory):
            if stat in (4, slot.stat):
                header = self._state.profile.list_header
                lines.append(header.format(index=index, stat=slot.stat, length=slot.length))
                lines.append(slot.pdu)
                self._state.store.mark_read(memory, index)
        return lines

    def _cmgr(self, request: Request) -> list[str]:
        """27.005 section 4.2. That an empty slot gives 321 is assumed."""
        memory = self._pdu_memory()
        index = self._index(request)
        slot = self._state.store.get(memory, index)
        if slot is None:
            raise CmsError(321)
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
            raise CmsError(321)
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
