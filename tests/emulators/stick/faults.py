# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong with an emulated stick, ordered by a test in a line each.

Trouble with single commands is composable: every rule whose pattern is found in the command line
has its share in what happens. Lasting states (SIM, registration, ...) are set by methods.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum


class Sim(Enum):
    """Answer to AT+CPIN?, +CME ERROR and +CMS ERROR (27.007 9.2, 27.005 3.2.5) of a SIM's state."""

    READY = ("READY", 0, 0)
    PIN = ("SIM PIN", 11, 311)
    PUK = ("SIM PUK", 12, 316)
    ABSENT = (None, 10, 310)
    BUSY = (None, 14, 314)

    def __init__(self, cpin: str | None, cme: int, cms: int) -> None:
        self.cpin = cpin
        self.cme = cme
        self.cms = cms


class Registration(IntEnum):
    """<stat> of +CREG, 3GPP TS 27.007 section 7.2."""

    OFF = 0
    HOME = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4
    ROAMING = 5

    @property
    def in_service(self) -> bool:
        return self in (Registration.HOME, Registration.ROAMING)


class Cure(IntEnum):
    """What ends a lasting fault; all that is stronger ends it too."""

    RADIO = 1
    """AT+CFUN=0 or 4, then 1."""
    AUTHORIZE = 2
    """The USB device's `authorized` 0, then 1; or `unbind` and `bind`, which do the same."""
    POWER = 3
    """The port's power off and on."""
    REPLUG = 4
    """A hand."""
    NEVER = 5


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one command; a default field is what goes right."""

    answer: str | None = None
    """The final result instead of the true one ("ERROR", "+CMS ERROR: 500", "OK" that lies)."""
    silent: bool = False
    """The stick freezes with this command, before its echo, as with `Faults.freeze`."""
    carried_out: bool = False
    """The command takes effect although `answer` or `silent` hides it."""
    echo: bool = True
    before_echo: bytes = b""
    before_answer: bytes = b""
    inside_answer: bytes = b""
    """Put after the first line of the answer: between +CMGL and its PDU, say."""
    after_answer: bytes = b""
    cut: int = 0
    """Characters missing at the end of every PDU in the answer."""
    line: Callable[[str], str] = str
    """What becomes of each line of the answer but the final result: `torn`, `headed`, `instead`, str.lower."""

    @property
    def takes_effect(self) -> bool:
        return self.carried_out or (self.answer is None and not self.silent)

    def __add__(self, other: Trouble) -> Trouble:
        """Both at once; of two answers the first is given."""
        return Trouble(
            answer=self.answer if self.answer is not None else other.answer,
            silent=self.silent or other.silent,
            carried_out=self.carried_out or other.carried_out,
            echo=self.echo and other.echo,
            before_echo=self.before_echo + other.before_echo,
            before_answer=self.before_answer + other.before_answer,
            inside_answer=self.inside_answer + other.inside_answer,
            after_answer=self.after_answer + other.after_answer,
            cut=self.cut + other.cut,
            line=lambda line: other.line(self.line(line)),
        )


def torn(*pieces: str, at: int = 30) -> Callable[[str], str]:
    """Lines that the stick says on its own in the middle of each PDU, the first one `at` so many characters."""

    def tear(line: str) -> str:
        if line.startswith("+"):
            return line
        ends = range(at, at + 20 * len(pieces), 20)
        cuts = [line[start:end] for start, end in zip([0, *ends], [*ends, len(line)], strict=True)]
        return "\r\n".join([cuts[0], *(text for pair in zip(pieces, cuts[1:], strict=True) for text in pair)])

    return tear


def headed(form: str) -> Callable[[str], str]:
    """Another form of the header of +CMGL or +CMGR, with {index} (of +CMGL), {stat} and {length}."""

    def head(line: str) -> str:
        if not line.startswith(form[:6]):
            return line
        *index, stat, length = re.findall(r"\d+", line)
        return form.format(index="".join(index), stat=stat, length=length)

    return head


def instead(pdu: str, text: str) -> Callable[[str], str]:
    """Something else where that PDU would stand."""
    return lambda line: text if line == pdu else line


@dataclass
class _Rule:
    command: re.Pattern[str]
    trouble: Trouble
    times: int | None


class Faults:
    """The faults of one stick. All methods may be called from any thread.

    An error, but deleted; OK, but kept; frozen when asked for the list; ME refused; no echo at
    all; an E1752 that wants the PIN first:

        stick.faults.on(r"CMGD=", Trouble(answer="ERROR", carried_out=True), times=1)
        stick.faults.on(r"CMGD=", Trouble(answer="OK"))
        stick.faults.on(r"CMGL", Trouble(silent=True))
        stick.faults.on(r'CPMS="ME"', Trouble(answer="+CMS ERROR: 302"))
        stick.faults.on(r"", Trouble(echo=False))
        stick.faults.on(r"", Trouble(answer="+CME ERROR: 11"))

    A fault with an `until` ends when the test says so, or by that cure.
    """

    frozen = False
    sim_state: Sim | None = None
    registration = Registration.HOME
    miscounted = 0
    silent_arrivals = False
    """To be set: what arrives is stored without a +CMTI, whatever AT+CNMI asked for."""
    escape_answer = b""
    """To be set: the answer to an ESC where there is nothing to escape from. It is assumed that some have one."""

    def __init__(self, lock: threading.Condition, changed: Callable[[], None]) -> None:
        """`changed` is called after each new state."""
        self._lock = lock
        self._changed = changed
        self._rules: list[_Rule] = []
        self._until: dict[str, Cure] = {}

    def cure(self, by: Cure) -> None:
        """The stick was treated: what this or something weaker ends is over."""
        with self._lock:
            for fault, until in self._until.items():
                if by >= until:
                    setattr(self, fault, getattr(Faults, fault))
            self._changed()

    def clear(self) -> None:
        """All is well again: no rules, thawed, SIM in, registered."""
        with self._lock:
            self._rules.clear()
            self._until.clear()
            for fault in ("frozen", "sim_state", "registration", "miscounted", "silent_arrivals", "escape_answer"):
                setattr(self, fault, getattr(Faults, fault))
            self._changed()

    def on(self, command: str, trouble: Trouble, *, times: int | None = None) -> None:
        """Let the next `times` command lines (None: all) with the regex `command` meet trouble."""
        with self._lock:
            self._rules.append(_Rule(re.compile(command), trouble, times))

    def meet(self, text: str) -> Trouble:
        """Given a command line, return all the trouble that it meets, and count it."""
        with self._lock:
            met = [rule for rule in self._rules if rule.command.search(text)]
            for rule in met:
                rule.times = None if rule.times is None else rule.times - 1
            self._rules = [rule for rule in self._rules if rule.times != 0]
            return sum((rule.trouble for rule in met), Trouble())

    def freeze(self, until: Cure = Cure.AUTHORIZE) -> None:
        """From now on nothing is answered and what is sent is lost; the radio side lives on."""
        self._begin("frozen", True, until)

    def thaw(self) -> None:
        """End a freeze, whether from `freeze` or from `Trouble.silent`."""
        self.frozen = False

    def sim(self, state: Sim | None, until: Cure = Cure.NEVER) -> None:
        """Pull the SIM out (ABSENT), or make it BUSY; None: the SIM as it is."""
        self._begin("sim_state", state, until)

    def register(self, state: Registration, until: Cure = Cure.NEVER) -> None:
        """Change the registration; without one SMS wait in the network."""
        self._begin("registration", state, until)

    def miscount(self, by: int, until: Cure = Cure.NEVER) -> None:
        """Let +CPMS report `by` messages more (or fewer) than there are."""
        self._begin("miscounted", by, until)

    def _begin(self, fault: str, value: object, until: Cure) -> None:
        with self._lock:
            setattr(self, fault, value)
            self._until[fault] = until
            self._changed()
