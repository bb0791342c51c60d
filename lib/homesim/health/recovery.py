# SPDX-License-Identifier: GPL-2.0-or-later
"""What brings a stick back, as gently as possible: one step a check, each judged by what the stick then says.

    radio        off the network and on again; for a stick that answers
    replay       the kernel tells udev of the stick anew: missing links, a mode switch that never came
    authorize    USB `authorized` 0 and 1: configured anew, with its power on
    power        its port's power off and on, where the hub can
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from homesim.errors import HomesimError
from homesim.process import tries, until
from homesim.stick import probe
from homesim.stick.commands import Plain
from homesim.stick.driver import State
from homesim.stick.usb import Bus, Stick

STEPS = ("radio", "replay", "authorize", "power")
PAUSE = 2.0  # seconds off
PAUSE_POWER = 5.0
SETTLE = 45.0  # seconds until the port is back: firmware, mode switch (8 s measured), udev's links (2 s)
ANSWER = 30.0  # more until it answers
REGISTER = 60.0  # seconds until it has found its network

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer(State):
    """What the stick says of itself, or why it says nothing."""

    problem: str = ""


@dataclass(frozen=True)
class Ladder:
    """One modem's stick and its port. The caller has the modem's lock."""

    bus: Bus
    stick: Stick | None
    device: Path

    def look(self) -> Answer:
        return self._ask(probe.count)

    def _ask(self, work: Callable[[Plain], State], seconds: float = probe.LOOK) -> Answer:
        try:
            return Answer(**vars(probe.ask(str(self.device), work, seconds)))
        except HomesimError as error:
            return Answer(problem=str(error))

    def next_step(self, at: int, before: Answer) -> int:
        """The first step from `at` on that can be taken here, len(STEPS) when there is none."""
        return next((i for i in range(at, len(STEPS)) if self._fits(STEPS[i], before)), len(STEPS))

    def _fits(self, step: str, before: Answer) -> bool:
        if step == "radio":
            return not before.problem
        if step == "power":
            return self.stick is not None and self.bus.switchable(self.stick)
        here = self.stick is not None and self.bus.at(self.stick.place) is not None
        return here and (step != "replay" or not self.device.exists())

    def climb(self, step: str) -> Answer:
        """Take a step; what the stick says when it has had its time. A device that is not ours raises TryAgain."""
        log.warning("%s: %s", self.device, step)
        if step == "radio":
            return self._registered(self._ask(probe.cycle_radio, probe.CYCLE))
        assert self.stick is not None
        if step == "replay":
            self.bus.replay(self.stick)
        elif step == "authorize":
            self._off_and_on(self.bus.authorize, PAUSE)
        else:
            self._off_and_on(self.bus.power, PAUSE_POWER)
        return self._back()

    def _off_and_on(self, switch: Callable[..., object], pause: float) -> None:
        stick = self.stick
        try:
            switch(stick, on=False)
            time.sleep(pause)
        finally:
            switch(stick, on=True)

    def _back(self) -> Answer:
        """Wait for the port under its name, which may be a new tty, then for an answer."""
        until(SETTLE, lambda: self.bus.of(self.device) is not None)
        answer = Answer(problem=f"{self.device}: did not come back")
        for _ in tries(ANSWER):
            answer = self.look()
            if not answer.problem or not self.device.exists():
                break
        return answer

    def _registered(self, answer: Answer) -> Answer:
        for _ in tries(REGISTER):
            if answer.registration.registered or answer.problem:
                break
            answer = self.look()
        return answer


def cured(kind: str, before: Answer, after: Answer) -> bool:
    """Whether a fault has gone, as far as the port alone can tell; else poll's next look will."""
    if failed(kind, after) or kind in ("hidden", "full", "call"):
        return False
    return kind in ("unregistered", "no-sim") or bool(before.problem)


def failed(kind: str, after: Answer) -> bool:
    """Whether it is certain that a fault has not gone."""
    if kind == "unregistered" and not after.registration.registered:
        return True
    return bool(after.problem) or (kind == "no-sim" and after.sim not in ("READY", "SIM PIN"))
