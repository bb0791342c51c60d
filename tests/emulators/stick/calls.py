# SPDX-License-Identifier: GPL-2.0-or-later
"""A call that comes in: what the stick says while it rings, and how it ends.

The lines are those of public logs: `+CRING: VOICE` and `+CLIP: "...",145,,,,0` and `^CEND:1,0,104,16` (asterisk-chan-
dongle bug 82), RING each 5 s (manual of the MU509), +CLIP of a withheld number (manual of the MC509). That NO
CARRIER follows ^CEND, and that AT^CURC=0 keeps neither back, is assumed: it is the worse case.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

ENDS = (b"^CEND:1,0,104,16", b"NO CARRIER")


class Call:
    """`rung`: how often so far; `rejected`: the host hung up; `over`: set when all is said."""

    def __init__(
        self, number: str, clip: bytes, rings: int, every: float, ends: tuple[bytes, ...], *, deaf: bool
    ) -> None:
        self.number = number
        self.ends = ends
        self.rung = 0
        self.over = threading.Event()
        self._clip = clip or _clip(number)
        self._rings = rings
        self._every = every
        self._deaf = deaf
        self._hung_up = threading.Event()

    @property
    def rejected(self) -> bool:
        return self._hung_up.is_set()

    def hang_up(self) -> None:
        if not self._deaf:
            self._hung_up.set()

    def give_up(self) -> None:
        """The caller does: no further RING."""
        self._rings = 0

    def rings_on(self) -> bool:
        return self.rung < self._rings and not self.rejected

    def lines(self, *, crc: str, clip: str) -> Iterator[bytes]:
        """One RING as the settings AT+CRC and AT+CLIP want it: TS 27.007 6.11, 7.11."""
        self.rung += 1
        yield b"RING" if crc == "0" else b"+CRING: VOICE"
        if clip != "0":
            yield self._clip

    def pause(self) -> None:
        """Until the next RING, or until it is over."""
        self._hung_up.wait(self._every)


def _clip(number: str) -> bytes:
    if not number:
        return b'+CLIP: "",128,,,,1'
    return f'+CLIP: "{number}",{145 if number.startswith("+") else 129},,,,0'.encode()
