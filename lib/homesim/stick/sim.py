# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens the SIM, and never burns it: after three wrong PINs in a row a SIM wants its PUK.

    pin-tried      which PINs (their hashes) were tried, and how often: written before each try, removed when the
                   SIM is seen open

A PIN that was refused is not tried again, whatever others were tried since. A run that was killed in between saw
no outcome and leaves one more try, so that a power cut does not lock us out; two of the three are the most.
"""

from __future__ import annotations

import hashlib
from typing import Any

from homesim.config import Modem
from homesim.errors import ConfigError, TryAgain
from homesim.stick.commands import Plain
from homesim.store.spool import Spool

TRIES = 2
SPARED = 2  # tries of the SIM that are left to a person
STATE = "pin-tried"


def unlock(stick: Plain, sim: str, modem: Modem, spool: Spool | None) -> None:
    """Return when the SIM, of which the stick says `sim`, is open. Raise ConfigError or TryAgain when it is not.

    Without a `spool`, which knows what was tried before, no PIN is tried.
    """
    if sim == "READY":
        if spool:
            spool.save(STATE, None)
    elif sim == "SIM PIN" and spool:
        _enter(stick, modem, spool)
    elif sim == "SIM PUK":
        why = "the SIM asks for its PUK; put it into a telephone and enter it there"
        raise ConfigError(modem.device, why, fault="puk")
    elif sim.endswith("ERROR: 10"):  # TS 27.007 9.2.1: SIM not inserted
        raise TryAgain(modem.device, "no SIM in the stick, or it has no contact", fault="no-sim")
    else:
        raise TryAgain(modem.device, f"the SIM is not ready ({sim})", fault="no-sim")


def refused(modem: Modem, spool: Spool) -> bool:
    """Whether the SIM has refused the PIN that is configured, so that it is not tried again."""
    return _tries(spool, _hash(modem)) >= TRIES


def _enter(stick: Plain, modem: Modem, spool: Spool) -> None:
    key = f"modem.{modem.name}.pin"
    if modem.pin is None:
        raise ConfigError(modem.device, f"the SIM asks for its PIN; set {key}", fault="pin")
    if refused(modem, spool):
        why = f"the SIM has refused its PIN, which is not tried again; correct {key}"
        raise ConfigError(modem.device, why, fault="wrong-pin")
    if (left := stick.tries()) is not None and left <= SPARED:
        raise ConfigError(
            modem.device,
            f"a try of {key} might lock the SIM, {left} are left and kept; put the SIM into a telephone, enter its PIN "
            f"there, correct {key}",
            fault="last-tries",
        )
    pin, before = _hash(modem), _tried(spool)
    spool.save(STATE, before | {pin: _tries(spool, pin) + 1})
    if (taken := stick.enter_pin(modem.pin)) is None:
        raise TryAgain(modem.device, "the SIM takes no PIN now", fault="pin")
    if not taken:
        spool.save(STATE, before | {pin: TRIES})
        raise ConfigError(modem.device, f"the SIM refuses its PIN; correct {key}", fault="wrong-pin")
    spool.save(STATE, None)


def _hash(modem: Modem) -> str:
    return hashlib.sha256(f"{modem.name} {modem.pin}".encode()).hexdigest()


def _tried(spool: Spool) -> dict[str, Any]:
    return spool.load(dict, STATE) or {}


def _tries(spool: Spool, pin: str) -> int:
    tries = _tried(spool).get(pin, 0)
    return tries if isinstance(tries, int) else TRIES
