# SPDX-License-Identifier: GPL-2.0-or-later
"""What brings a stick back, as gently as possible: one step a check, each judged by what the stick then says.

Which steps there are comes with the stick. One with a port on USB has these:

    radio        off the network and on again; for a stick that answers
    replay       the kernel tells udev of the stick anew: missing links, a mode switch that never came
    authorize    USB `authorized` 0 and 1: configured anew, with its power on
    power        its port's power off and on, where the hub can

One with a web page has this:

    restart      its page restarts it (device/control)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from homesim.config import Config, Modem
from homesim.errors import HomesimError
from homesim.process import tries, until
from homesim.stick import probe
from homesim.stick.commands import Plain
from homesim.stick.driver import State
from homesim.stick.usb import Bus, Stick

if TYPE_CHECKING:
    from homesim.stick.hilink import Hilink

AGAIN = 15.0  # seconds after which one that is ill is asked again, before the first step: a reset of its own takes 10
PAUSE = 2.0  # seconds off
PAUSE_POWER = 5.0
SETTLE = 45.0  # seconds until the port is back: firmware, mode switch (8 s measured), udev's links (2 s)
ANSWER = 30.0  # more until it answers
REGISTER = 60.0  # seconds until it has found its network


@dataclass(frozen=True)
class Report(State):
    """What the stick says of itself, or why it says nothing."""

    problem: str = ""


@dataclass(frozen=True)
class Step:
    """`fits`: whether it can be taken, after what the stick last said. `take` returns what it says when it has had its
    time; a device that is not ours raises TryAgain.
    """

    name: str
    fits: Callable[[Report], bool]
    take: Callable[[], Report]


def following(steps: Sequence[Step], at: int, before: Report) -> int:
    """The first from `at` on that fits, len(steps) when there is none."""
    return next((i for i in range(at, len(steps)) if steps[i].fits(before)), len(steps))


class Way(Protocol):
    """How a modem's stick is asked, and brought back. The caller has the modem's lock."""

    @property
    def stick(self) -> Stick | None:
        """It on the USB bus, where it is known there."""

    @property
    def steps(self) -> Sequence[Step]:
        """Their order is kept: an incident on disk knows its next step by number."""

    def ask(self) -> Report: ...


def way(settings: Config, name: str, bus: Bus, stick: Stick | None) -> Way:
    modem = settings.modems[name]
    return ByPage(settings, modem) if modem.page else Port(bus, stick, Path(modem.device))


@dataclass(frozen=True)
class ByPage:
    """A stick with a web page."""

    settings: Config
    modem: Modem
    stick: Stick | None = None

    def ask(self) -> Report:
        return self._ask(probe.look_at_page)

    @property
    def steps(self) -> Sequence[Step]:
        return [Step("restart", lambda _: True, self._restart)]

    def _ask(self, work: Callable[[Hilink], State]) -> Report:
        try:
            return Report(**vars(probe.page(self.settings, self.modem, work)))
        except HomesimError as error:
            return Report(problem=str(error))

    def _restart(self) -> Report:
        """Wait until it has gone and is back, and for its network."""
        said = self._ask(probe.restart)
        time.sleep(PAUSE)
        for _ in tries(SETTLE + ANSWER):
            said = self.ask()
            if said.registration.registered:
                break
        return said


@dataclass(frozen=True)
class Port:
    """A stick with a port."""

    bus: Bus
    stick: Stick | None
    device: Path

    def ask(self, work: Callable[[Plain], State] = probe.count, seconds: float = probe.LOOK) -> Report:
        try:
            return Report(**vars(probe.ask(str(self.device), work, seconds)))
        except HomesimError as error:
            return Report(problem=str(error))

    @property
    def steps(self) -> Sequence[Step]:
        radio = Step("radio", lambda before: not before.problem, self._radio)
        if (stick := self.stick) is None:
            return [radio]

        def here(_: Report) -> bool:
            return self.bus.at(stick.place) is not None

        def off_and_on(switch: Callable[..., object], pause: float) -> Report:
            try:
                switch(stick, on=False)
                time.sleep(pause)
            finally:
                switch(stick, on=True)
            return self._back()

        def replay() -> Report:
            self.bus.replay(stick)
            return self._back()

        return [
            radio,
            Step("replay", lambda before: here(before) and not self.device.exists(), replay),
            Step("authorize", here, lambda: off_and_on(self.bus.authorize, PAUSE)),
            Step("power", lambda _: self.bus.switchable(stick), lambda: off_and_on(self.bus.power, PAUSE_POWER)),
        ]

    def _radio(self) -> Report:
        said = self.ask(probe.cycle_radio, probe.CYCLE)
        for _ in tries(REGISTER):
            if said.registration.registered or said.problem:
                break
            said = self.ask()
        return said

    def _back(self) -> Report:
        """Wait for the port under its name, which may be a new tty, then for an answer."""
        until(SETTLE, lambda: self.bus.of(self.device) is not None)
        said = Report(problem=f"{self.device}: did not come back")
        for _ in tries(ANSWER):
            said = self.ask()
            if not said.problem or not self.device.exists():
                break
        return said


def cured(kind: str, before: Report, after: Report) -> bool:
    """Whether a fault has gone, as far as the port alone can tell; else poll's next look will."""
    if failed(kind, after) or kind in ("hidden", "full", "call"):
        return False
    return kind in ("unregistered", "no-sim") or bool(before.problem)


def failed(kind: str, after: Report) -> bool:
    """Whether it is certain that a fault has not gone."""
    if kind == "unregistered" and not after.registration.registered:
        return True
    return bool(after.problem) or (kind == "no-sim" and after.sim not in ("READY", "SIM PIN"))
