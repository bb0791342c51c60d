# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages that failed while the way to Telegram was open: something in between does not let them through.

    suspects       name -> how often, when last, how long it waits from then on

They go behind all others, alone. Each failure doubles the wait, and what took long waits long: a code that comes
while one of them waits for its time-out waits with it. What failed once the next run tries as it comes. PACK stands
for messages that are packed into one: where only those fail, because they are large, none are packed for a while.
Losing this file costs a try each.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

from homesim.store.spool import Spool

STATE = "suspects"
PACK = "pack"
LEAST, MOST = 1.0, 3600.0  # seconds


@dataclass(frozen=True)
class Suspect:
    faults: int
    at: float  # seconds since the epoch
    wait: float  # seconds

    @property
    def due(self) -> bool:
        return not 0 <= time.time() - self.at < self.wait  # or the clock was set back


class Suspects:
    """Of one spool, over all its runs."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        found = {name: _suspect(value) for name, value in spool.state(STATE).items()}
        self._suspects = {name: suspect for name, suspect in found.items() if suspect}

    def __contains__(self, name: str) -> bool:
        return name in self._suspects

    def waiting(self, backlog: Container[str]) -> list[str]:
        """Those that wait, the least suspect first."""
        names = [name for name in self._suspects if name in backlog]
        return sorted(names, key=lambda name: (self._suspects[name].faults, name))

    def due(self, name: str) -> bool:
        return name not in self._suspects or self._suspects[name].due

    def fault(self, name: str, took: float, backlog: Container[str]) -> None:
        """It failed again, after so many seconds; forget those that are gone."""
        faults = self._suspects[name].faults + 1 if name in self._suspects else 1
        cost = took if faults > 1 or name == PACK else 0.0  # the first failure may have been a lost connection's
        wait = min(MOST, (LEAST + cost) * 2.0 ** min(faults - 1, 12))
        self._suspects[name] = Suspect(faults, time.time(), wait)
        self._suspects = {name: of for name, of in self._suspects.items() if name == PACK or name in backlog}
        self._save()

    def fault_of_pack(self, names: Iterable[str], took: float, backlog: Container[str]) -> None:
        """They failed together: each is tried alone, without a wait of its own."""
        self._suspects |= {name: Suspect(1, time.time(), 0.0) for name in names}
        self.fault(PACK, took, backlog)

    def clear(self, names: Iterable[str]) -> None:
        """They got through."""
        if known := [name for name in names if name in self._suspects]:
            for name in known:
                del self._suspects[name]
            self._save()

    def _save(self) -> None:
        self._spool.set_state(STATE, {name: [of.faults, of.at, of.wait] for name, of in self._suspects.items()})


def _suspect(value: Any) -> Suspect | None:
    """None for what is damaged."""
    match value:
        case [int() as faults, int() | float() as at, int() | float() as wait]:
            return Suspect(max(1, faults), at, min(wait, MOST) if faults > 1 else 0.0)
    return None
