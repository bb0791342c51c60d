# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens the SIM, and never burns it: after three wrong PINs in a row a SIM wants its PUK.

    pin-tried      which PINs (their hashes) were tried, and how often: written before each try, removed when the
                   SIM is seen open

A PIN that was refused is not tried again, whatever others were tried since. A run that was killed in between saw
no outcome and leaves one more try, so that a power cut does not lock us out; two of the three are the most.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from homesim.config import Modem
from homesim.errors import ConfigError, TryAgain
from homesim.store.spool import Spool

TRIES = 2
SPARED = 2  # tries of the SIM that are left to a person
NO_SIM = "+CME ERROR: 10"  # TS 27.007 9.2.1: SIM not inserted
STATE = "pin-tried"


class Tried:
    """Which secrets (their hashes) were tried, and how often: written before each try, so that a kill forgets none."""

    def __init__(self, spool: Spool, state: str) -> None:
        self._spool, self._state = spool, state

    def refused(self, secret: str) -> bool:
        """Whether it is not to be tried again."""
        return self._times(_hash(secret)) >= TRIES

    def begin(self, secret: str) -> None:
        self._set(secret, self._times(_hash(secret)) + 1)

    def refuse(self, secret: str) -> None:
        self._set(secret, TRIES)

    def clear(self) -> None:
        """One was taken."""
        self._spool.save(self._state, None)

    def _set(self, secret: str, times: int) -> None:
        self._spool.save(self._state, self._all() | {_hash(secret): times})

    def _all(self) -> dict[str, Any]:
        return self._spool.load(dict, self._state) or {}

    def _times(self, key: str) -> int:
        times = self._all().get(key, 0)
        return times if isinstance(times, int) else TRIES


class Locked(Protocol):
    """A stick, as far as its SIM's PIN goes."""

    def tries(self) -> int | None:
        """How many wrong PINs in a row the SIM bears until it wants its PUK, None where the stick does not say."""

    def enter_pin(self, pin: str) -> bool | None:
        """One try. False when the SIM refuses it, None when it is not known what it said."""


def unlock(stick: Locked, sim: str, modem: Modem, spool: Spool | None) -> None:
    """Return when the SIM, of which the stick says `sim`, is open. Raise ConfigError or TryAgain when it is not.

    Without a `spool`, which knows what was tried before, no PIN is tried.
    """
    if sim == "READY":
        if spool:
            Tried(spool, STATE).clear()
    elif sim == "SIM PIN" and spool:
        _enter(stick, modem, spool)
    elif sim == "SIM PUK":
        why = "the SIM asks for its PUK; put it into a telephone and enter it there"
        raise ConfigError(modem.device, why, fault="puk")
    elif sim.endswith("ERROR: 10"):  # NO_SIM
        raise TryAgain(modem.device, "no SIM in the stick, or it has no contact", fault="no-sim")
    else:
        raise TryAgain(modem.device, f"the SIM is not ready ({sim})", fault="no-sim")


def refused(modem: Modem, spool: Spool) -> bool:
    """Whether the SIM has refused the PIN that is configured, so that it is not tried again."""
    return Tried(spool, STATE).refused(_secret(modem))


def _enter(stick: Locked, modem: Modem, spool: Spool) -> None:
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
    tried = Tried(spool, STATE)
    tried.begin(_secret(modem))
    if (taken := stick.enter_pin(modem.pin)) is None:
        raise TryAgain(modem.device, "the SIM takes no PIN now", fault="pin")
    if not taken:
        tried.refuse(_secret(modem))
        raise ConfigError(modem.device, f"the SIM refuses its PIN; correct {key}", fault="wrong-pin")
    tried.clear()


def _secret(modem: Modem) -> str:
    return f"{modem.name} {modem.pin}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
