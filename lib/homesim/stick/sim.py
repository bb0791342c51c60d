# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens the SIM, and never burns it: after three wrong PINs in a row a SIM wants its PUK.

    pin-tried      which PINs (their hashes) were tried, and how often: written before each try, removed when the
                   SIM is seen open

A PIN that was refused is not tried again, whatever others were tried since. A run that was killed in between saw
no outcome and leaves one more try, so that a power cut does not lock us out; two of the three are the most.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from homesim.config import Modem as Settings
from homesim.errors import ConfigError, TryAgain
from homesim.store.spool import Spool

if TYPE_CHECKING:
    from homesim.stick.serial import Modem  # doctor must start without gammu, to say that it is missing

TRIES = 2
SPARED = 2  # tries of the SIM that are left to a person
STATE = "pin-tried"

# Huawei's ^CPIN: code,[times],PUK's tries,PIN's,PUK2's,PIN2's; TS 27.007 8.65 +CPINR: code,tries[,default]
_LEFT = {
    "AT^CPIN?": re.compile(r"\^CPIN: ?[^,]*,\d*,\d*,(\d+)"),
    'AT+CPINR="SIM PIN"': re.compile(r'\+CPINR: ?"?SIM PIN"?, ?(\d+)'),
}


def unlock(modem: Modem, sim: str, settings: Settings, spool: Spool) -> None:
    """Return when the SIM, of which the stick says `sim`, is open. Raise ConfigError or TryAgain when it is not."""
    if sim == "READY":
        spool.set_state(STATE, {})
    elif sim == "SIM PIN":
        _enter(modem, settings, spool)
    elif sim == "SIM PUK":
        why = "the SIM asks for its PUK; put it into a telephone and enter it there"
        raise ConfigError(settings.device, why, fault="puk")
    elif sim.endswith("ERROR: 10"):  # TS 27.007 9.2.1: SIM not inserted
        raise TryAgain(settings.device, "no SIM in the stick, or it has no contact", fault="no-sim")
    else:
        raise TryAgain(settings.device, f"the SIM is not ready ({sim})", fault="no-sim")


def refused(settings: Settings, spool: Spool) -> bool:
    """Whether the SIM has refused the PIN that is configured, so that it is not tried again."""
    return _tries(spool, _hash(settings)) >= TRIES


def tries_left(ask: Callable[[str], Sequence[str]]) -> int | None:
    """How many wrong PINs in a row the SIM bears until it wants its PUK, None where the stick does not say.

    `ask` gives the answer to an AT command, a line each.
    """
    for command, pattern in _LEFT.items():
        for line in ask(command):
            if found := pattern.match(line):
                return int(found[1])
    return None


def _enter(modem: Modem, settings: Settings, spool: Spool) -> None:
    key = f"modem.{settings.name}.pin"
    if settings.pin is None:
        raise ConfigError(settings.device, f"the SIM asks for its PIN; set {key}", fault="pin")
    if refused(settings, spool):
        why = f"the SIM has refused its PIN, which is not tried again; correct {key}"
        raise ConfigError(settings.device, why, fault="wrong-pin")
    if (left := tries_left(modem.command)) is not None and left <= SPARED:
        raise ConfigError(
            settings.device,
            f"a try of {key} might lock the SIM, {left} are left and kept; put the SIM into a telephone, enter its PIN "
            f"there, correct {key}",
            fault="pin",
        )
    pin, before = _hash(settings), spool.state(STATE)
    spool.set_state(STATE, before | {pin: _tries(spool, pin) + 1})
    if not modem.enter_pin(settings.pin):
        spool.set_state(STATE, before | {pin: TRIES})
        raise ConfigError(settings.device, f"the SIM refuses its PIN; correct {key}", fault="wrong-pin")
    spool.set_state(STATE, {})


def _hash(settings: Settings) -> str:
    return hashlib.sha256(f"{settings.name} {settings.pin}".encode()).hexdigest()


def _tries(spool: Spool, pin: str) -> int:
    tries = spool.state(STATE).get(pin, 0)
    return tries if isinstance(tries, int) else TRIES
