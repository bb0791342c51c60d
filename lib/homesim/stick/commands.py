# SPDX-License-Identifier: GPL-2.0-or-later
"""The stick by plain AT commands, which every stick knows: what it holds, what its network is.

libgammu does not start on some sticks, and has no words for some answers of others; health and doctor ask without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from homesim.stick.at import RADIO, Wire, value
from homesim.stick.driver import Memory, Registration, State
from homesim.stick.listing import Content, listed, read

MEMORIES = ("SM", "ME")  # SIM and stick; SR holds reports on what was sent from here, and nothing is
# TS 27.007 7.2 <stat>: home and roaming, also for SMS only, and without CSFB.
_HOME, _ROAMING = ("1", "6", "9"), ("5", "7", "10")
_STATES = {"0": Registration.NONE, "2": Registration.SEARCHING, "3": Registration.DENIED}
_STATES |= dict.fromkeys(_HOME, Registration.HOME) | dict.fromkeys(_ROAMING, Registration.ROAMING)


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
        said = self.at(f'AT+CPIN="{pin}"')[-1]
        return True if said == "OK" else False if re.search(r" (12|16)$", said) else None

    def select(self, memory: str) -> Memory | None:
        """Make it the memory of CMGL, CMGR and CMGD; None when the stick refuses."""
        for form in (f'"{memory}"', f'"{memory}","{memory}","{memory}"'):  # Brovi E3372-325 wants three
            lines = self.at(f"AT+CPMS={form}")
            if lines[-1] == "OK":
                used, size, *_ = [*re.findall(r"\d+", value(lines, "+CPMS:")), "0", "50"]  # E220 says only OK
                return Memory(int(used), int(size))
        return None

    def contents(self, size: int) -> dict[int, Content]:
        """What stands in the selected memory's slots; nothing yet where the stick gives no list that can be read."""
        self.at("AT+CMGF=0")  # PDU mode
        slots = listed(self.at("AT+CMGL=4"))
        return dict.fromkeys(range(size + 1), Content()) if slots is None else slots

    def content(self, index: int) -> Content:
        """What stands in one of its slots."""
        return read(self.at(f"AT+CMGR={index}"))

    def network(self) -> State:
        """TS 27.007 7.2, 7.3, 8.5: empty where the stick refuses to say."""
        found = [_STATES.get(self._registration(name)) for name in ("CREG", "CGREG", "CEREG")]
        states = [state for state in found if state] or [Registration.UNKNOWN]
        operator = re.search(r'"(.*?)"', value(self.at("AT+COPS?"), "+COPS:"))
        level = re.match(r"\d+", value(self.at("AT+CSQ"), "+CSQ:"))
        signal = int(level[0]) if level else 99
        return State(
            registration=next((state for state in states if state.registered), states[0]),
            operator=operator[1] if operator else "",
            signal=None if signal > 31 else round(signal * 100 / 31),
        )

    def _registration(self, name: str) -> str:
        """<stat> behind <n>."""
        numbers = re.findall(r"\w+", value(self.at(f"AT+{name}?"), f"+{name}:"))
        return numbers[1] if len(numbers) > 1 else ""


def radio_on(wire: Wire, seconds: float) -> None:
    """Put back what a health check that was killed in the middle of a radio cycle left off (TS 27.007 8.2)."""
    if value(wire.command("AT+CFUN?", seconds), "+CFUN:")[:1] in ("0", "4"):
        wire.command("AT+CFUN=1", RADIO)
