# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick by plain AT commands, which every stick knows: what it holds, what its network is.

libgammu does not start on some sticks, and has no words for some answers of others; health, doctor and setup ask
without it. An SMS is listed, and read, as

    +CMGL: <index>,<stat>,[<alpha>],<length>        TS 27.005 4.1
    +CMGR: <stat>,[<alpha>],<length>                4.2
    <pdu>

Sticks take liberties with the header, and lines that they say on their own tear a PDU in two. So a header may have
any form, and whether a PDU is whole its octets tell: as many as <length>, which leaves out the service centre's
address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from homesim.sms import pdu
from homesim.stick.at import Exchange, Wire
from homesim.stick.driver import UNKNOWN, WITHHELD, Arrived, Ended, Gone, Memory, News, Registration, Rings, State

PIN = RADIO = 20.0  # seconds for the SIM to check its PIN, for the radio to go off or on
MEMORIES = ("SM", "ME")  # SIM and stick; SR holds reports on what was sent from here, and nothing is
# TS 27.007 7.2 <stat>: home and roaming, also for SMS only, and without CSFB.
_HOME, _ROAMING = ("1", "6", "9"), ("5", "7", "10")
_STATES = {"0": Registration.NONE, "2": Registration.SEARCHING, "3": Registration.DENIED}
_STATES |= dict.fromkeys(_HOME, Registration.HOME) | dict.fromkeys(_ROAMING, Registration.ROAMING)
# Tries left of the PIN. Huawei's ^CPIN: code,[times],PUK's tries,PIN's,PUK2's,PIN2's; TS 27.007 8.65 +CPINR
_TRIES = {
    "AT^CPIN?": re.compile(r"\^CPIN: ?[^,]*,\d*,\d*,(\d+)"),
    'AT+CPINR="SIM PIN"': re.compile(r'\+CPINR: ?"?SIM PIN"?, ?(\d+)'),
}
_ARRIVED = re.compile(r'\+C[MD][TS]I:?(?: ?"(\w+)", ?(\d+))?')  # TS 27.005 3.4.1: an SMS, a report
# number,type,[subaddr],[satype],[alpha],CLI validity (TS 27.007 7.11)
_CLIP = re.compile(r'\+CLIP: ?"?(?P<number>[^",]*)"?,(?P<type>\d+)(?P<rest>.*)')
_SELECTED = re.compile(r'AT\+CPMS="(\w+)"')
_HEADER = re.compile(r"\+CMG[LR]:")
_INDEX = re.compile(r"\+CMGL:\s*(\d+)\s*,")  # with its comma: "1" may be what a tear left of "12,0,,23"
_LENGTH = re.compile(r"[:,]\s*(\d+)\s*$")
_PIECE = re.compile(r"\s*([0-9A-Fa-f]*)\s*(?:[+^][A-Z]+:.*)?")  # of a PDU, and what the stick says where it is torn


@dataclass(frozen=True)
class Content:
    """What stands in a slot."""

    text: str = ""  # as Slot.pdu; "": nothing
    whole: bool = False  # a PDU, all of it


@dataclass(frozen=True)
class Plain:
    """One stick, as long as libgammu is quiet. Each command has `seconds` for its answer."""

    wire: Wire
    seconds: float

    def at(self, command: str) -> Sequence[str]:
        return self.wire.command(command, self.seconds)

    def sim(self) -> str:
        """TS 27.007 8.3: "READY", "SIM PIN", ..., or the error."""
        lines = self.at("AT+CPIN?")
        return value(lines, "+CPIN:") or lines[-1]

    def enter_pin(self, pin: str) -> bool | None:
        """One try (TS 27.007 8.3). False when the SIM refuses it (9.2.1), None when it is not known what it said."""
        result = self.wire.command(f'AT+CPIN="{pin}"', PIN)[-1]
        return True if result == "OK" else False if re.search(r" (12|16)$", result) else None

    def tries(self) -> int | None:
        """How many wrong PINs in a row the SIM bears until it wants its PUK, None where the stick does not say."""
        found = (pattern.match(line) for command, pattern in _TRIES.items() for line in self.at(command))
        return next((int(match[1]) for match in found if match), None)

    def radio_on(self) -> None:
        """Put back what a health check that was killed in the middle of a radio cycle left off (TS 27.007 8.2)."""
        if value(self.at("AT+CFUN?"), "+CFUN:")[:1] in ("0", "4"):
            self.wire.command("AT+CFUN=1", RADIO)

    def radio_cycle(self) -> None:
        """Off the network and on again, which makes a stick register anew."""
        for off in "40":  # some know only one of them
            if self.wire.command(f"AT+CFUN={off}", RADIO)[-1] == "OK":
                break
        self.wire.command("AT+CFUN=1", RADIO)

    def select(self, memory: str) -> Memory | None:
        """Make it the memory of CMGL, CMGR and CMGD; None when the stick refuses."""
        for form in (f'"{memory}"', f'"{memory}","{memory}","{memory}"'):  # Brovi E3372-325 wants three
            lines = self.at(f"AT+CPMS={form}")
            if lines[-1] == "OK":
                used, size, *_ = [*re.findall(r"\d+", value(lines, "+CPMS:")), "0", "50"]  # E220 says only OK
                return Memory(int(used), int(size))
        return None

    def memories(self) -> dict[str, Memory]:
        """How many SMS it counts; a memory that it refuses is left out."""
        found = {memory: self.select(memory) for memory in MEMORIES}
        return {memory: count for memory, count in found.items() if count}

    def contents(self, size: int) -> dict[int, Content]:
        """What stands in the selected memory's slots; nothing yet where the stick gives no list that can be read."""
        self.at("AT+CMGF=0")  # PDU mode
        slots = listed(self.at("AT+CMGL=4"))
        return dict.fromkeys(range(size + 1), Content()) if slots is None else slots

    def content(self, index: int) -> Content:
        """What stands in one of its slots."""
        return read(self.at(f"AT+CMGR={index}"))

    def network(self, sim: str) -> State:
        """TS 27.007 7.2, 7.3, 8.5: empty where the stick refuses to say."""
        found = [_STATES.get(self._registration(name)) for name in ("CREG", "CGREG", "CEREG")]
        states = [state for state in found if state] or [Registration.UNKNOWN]
        operator = re.search(r'"(.*?)"', value(self.at("AT+COPS?"), "+COPS:"))
        level = re.match(r"\d+", value(self.at("AT+CSQ"), "+CSQ:"))
        signal = int(level[0]) if level else 99
        return State(
            sim=sim,
            registration=next((state for state in states if state.registered), states[0]),
            operator=operator[1] if operator else "",
            signal=None if signal > 31 else round(signal * 100 / 31),
        )

    def _registration(self, name: str) -> str:
        """<stat> behind <n>."""
        numbers = re.findall(r"\w+", value(self.at(f"AT+{name}?"), f"+{name}:"))
        return numbers[1] if len(numbers) > 1 else ""


def value(answer: Sequence[str], prefix: str) -> str:
    """What stands behind `prefix` in an answer, "" when it is not there."""
    return next((line.removeprefix(prefix).strip() for line in answer if line.startswith(prefix)), "")


def news(line: str) -> News | None:
    """What a line means that the stick says on its own, "" when it has gone; None: nothing to us."""
    if not line:
        return Gone()
    if arrived := _ARRIVED.match(line):
        return Arrived(f"{arrived[1]} {int(arrived[2])}" if arrived[1] else "")
    if line.startswith("+CLIP"):
        return Rings(_caller(line))
    if line.startswith(("RING", "+CRING")):  # V.250 6.3, TS 27.007 6.11
        return Rings()
    return Ended() if line.startswith(("NO CARRIER", "^CEND")) else None


def _caller(line: str) -> str:
    found = _CLIP.match(line)
    if found and re.fullmatch(r"\+?[0-9*#]{1,40}", found["number"]):
        international = int(found["type"]) & 0x70 == 0x10  # type of number, TS 24.008 10.5.4.7
        return f"+{found['number'].lstrip('+')}" if international else found["number"]
    return WITHHELD if found and found["rest"].rpartition(",")[2].strip('" ') == "1" else UNKNOWN


def lists(exchanges: Sequence[Exchange]) -> dict[str, dict[int, Content]]:
    """Memory to slots to contents, of each AT+CMGL that was answered well."""
    found: dict[str, dict[int, Content]] = {}
    memory = ""
    for exchange in exchanges:
        if selected := _SELECTED.match(exchange.command):
            memory = selected[1]
        elif exchange.command.startswith("AT+CMGL") and (slots := listed(exchange.answer)) is not None:
            found[memory] = slots
    return found


def listed(answer: Sequence[str]) -> dict[int, Content] | None:
    """Slots to contents, of an answer to AT+CMGL; None when it is no list, or leaves open which slots are meant."""
    found = {}
    for header, body in _messages(answer):
        if not (index := _INDEX.match(header)):
            return None
        found[int(index[1])] = _content(header, body)
    return found if answer[-1] == "OK" else None


def read(answer: Sequence[str]) -> Content:
    """What an answer to AT+CMGR says of its slot."""
    return next((_content(header, body) for header, body in _messages(answer)), Content())


def _messages(answer: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Each header with the lines behind it."""
    lines = answer[:-1]  # without the final result code
    starts = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    for start, end in zip(starts, [*starts, len(lines)][1:], strict=True):
        yield lines[start], lines[start + 1 : end]


def _content(header: str, body: Sequence[str]) -> Content:
    length = _LENGTH.search(header)
    pieces = [_PIECE.fullmatch(line) for line in body]
    if not all(pieces):
        return Content("\n".join(body if length else (header, *body)))
    text = "".join(piece[1] for piece in pieces if piece).upper()
    return Content(text, whole=length is not None and _octets(text) == int(length[1]))


def _octets(text: str) -> int:
    """Of a PDU without the service centre's address; -1 when it is none."""
    try:
        return len(pdu.tpdu(text))
    except ValueError:
        return -1
