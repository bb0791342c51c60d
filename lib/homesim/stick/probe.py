# SPDX-License-Identifier: GPL-2.0-or-later
"""What health asks the stick: a few plain AT commands, in a process of its own, as doctor's are.

To open and close the port of a stick that takes nothing can block for half a minute in the kernel, and as long as
anybody holds the port the stick comes back from a reset under another number. A process ends either.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from homesim.errors import TryAgain
from homesim.process import in_child
from homesim.stick.at import RADIO, Wire
from homesim.stick.commands import MEMORIES, Plain, radio_on

ANSWER = 5.0  # seconds: a slow stick takes 1 s an answer
LOOK = 60.0  # seconds for all of them; then the stick is not healthy, slow as it may be


@dataclass(frozen=True)
class Answer:
    """What the stick says of itself."""

    problem: str = ""  # why the port says nothing
    sim: str = ""  # TS 27.007 8.3: "READY", "SIM PIN", ..., or the error
    registered: bool = False
    used: int = 0  # SMS that it counts, in all memories


def look(device: str) -> Answer:
    """Ask the port. Never raises: what went wrong is in the answer."""
    return _answer(_look, device, LOOK)


def cycle_radio(device: str) -> Answer:
    """Off the network and on again, which makes a stick register anew."""
    return _answer(_cycle_radio, device, LOOK + 2 * RADIO)


def _answer(function: Callable[[str], Answer], device: str, seconds: float) -> Answer:
    try:
        return in_child(functools.partial(function, device), device, seconds)
    except TryAgain as error:
        return Answer(str(error))


def _look(device: str) -> Answer:
    wire = Wire(device, str)
    wire.greet(ANSWER)
    radio_on(wire, ANSWER)
    return _ask(wire)


def _cycle_radio(device: str) -> Answer:
    wire = Wire(device, str)
    wire.greet(ANSWER)
    for off in "40":  # some know only one of them
        if wire.command(f"AT+CFUN={off}", RADIO)[-1] == "OK":
            break
    wire.command("AT+CFUN=1", RADIO)
    return _ask(wire)


def _ask(wire: Wire) -> Answer:
    wire.command("AT+CMEE=1", ANSWER)  # errors by number
    stick = Plain(wire, ANSWER)
    counts = [stick.select(memory) for memory in MEMORIES]
    return Answer(
        sim=stick.sim(),
        registered=stick.network().registration.registered,
        used=sum(count.used for count in counts if count),
    )
