# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks a stick what it says of itself, by plain AT commands or its page, for all but poll: in a process of its own.

To open and close the port of a stick that takes nothing can block for half a minute in the kernel, and as long as
anybody holds the port the stick comes back from a reset under another number. A process ends either, and gives the
modem's lock back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from homesim.config import Config, Modem
from homesim.process import in_child
from homesim.stick.at import Wire
from homesim.stick.commands import RADIO, Plain, value
from homesim.stick.driver import Memory, State
from homesim.stick.status import RunFile
from homesim.store.spool import Spool

if TYPE_CHECKING:
    from homesim.stick.hilink import Hilink

ANSWER = 5.0  # seconds: a slow stick takes 1 s an answer
LOOK = 60.0  # seconds for all of them; then the stick is not healthy, slow as it may be
CYCLE = LOOK + 2 * RADIO
LATE = "the stick stopped answering; pull it out and put it back"


def ask(
    device: str, work: Callable[[Plain], State], seconds: float = LOOK, *, turn: Callable[[], object] | None = None
) -> State:
    """What `work` finds out about the stick within `seconds`. Raise HomesimError when it does not answer.

    `turn` takes the modem's lock, or raises HomesimError; None: the caller has it.
    """

    def asked() -> State:
        if turn:
            turn()
        wire = Wire(device, str)
        wire.greet(ANSWER)
        wire.command("AT+CMEE=1", ANSWER)  # errors by number
        return work(Plain(wire, ANSWER))

    return in_child(asked, device, seconds, LATE)


def look(stick: Plain) -> State:
    """All that it says without a setting changed: of its memories those that are in use."""
    sim = stick.sim()
    tries = stick.tries() if sim == "SIM PIN" else None
    # TS 27.005 3.2.2: of reading, of writing, of receiving.
    found = re.findall(r'"(\w+)",(\d+),(\d+)', value(stick.at("AT+CPMS?"), "+CPMS:"))
    memories = {name: Memory(int(used), int(size)) for name, used, size in found}
    receives = found[2][0] if len(found) > 2 else ""
    return replace(stick.network(sim), memories=memories, receives=receives, tries=tries)


def count(stick: Plain) -> State:
    """The same with its radio on, and all of its memories."""
    stick.radio_on()
    return _counted(stick)


def cycle_radio(stick: Plain) -> State:
    stick.radio_cycle()
    return _counted(stick)


def _counted(stick: Plain) -> State:
    return replace(stick.network(stick.sim()), memories=stick.memories())


def page(settings: Config, modem: Modem, work: Callable[[Hilink], State]) -> State:
    """The same of a stick with a web page. Raise HomesimError when that does not answer, or lets us not in."""

    def asked() -> State:
        from homesim.stick.hilink import Hilink  # and with it requests, for those that have a page

        spool, login = Spool(settings.paths.state / modem.name), RunFile(settings.paths.run, f"{modem.name}.login")
        driver = Hilink(modem, spool, login=login)
        driver.open()
        try:
            return work(driver)
        finally:
            driver.leave()

    return in_child(asked, modem.device, LOOK, LATE)


def look_at_page(stick: Hilink) -> State:
    """With its list, which is what has to be shown."""
    stick.slots({})
    return replace(stick.state(), memories=stick.memories())


def restart(stick: Hilink) -> State:
    stick.restart()
    return State()
