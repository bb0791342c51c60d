# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in a slot and is no whole PDU: a tear passes; what stays is told as it stands, once, and never deleted.

    torn           in the status: the slots, as "SM 3", and since when they have not been read whole (seconds by
                   CLOCK_BOOTTIME); null: that was told

The slot is remembered, not what is read in it, which may be torn elsewhere each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from homesim.process import boottime
from homesim.stick.driver import Slot
from homesim.stick.status import Status

PASSING = 60.0  # seconds: a dozen looks, and the next run too


class Remains:
    """Of one stick, beyond the end of a run."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._torn: dict[str, float | None] = dict(status.seen.torn)

    def due(self, found: Iterable[Slot]) -> Sequence[Slot]:
        """Given all that is on the stick now: what has not been whole for so long that it is to be told."""
        torn = {_slot(one): one for one in found if not one.whole}
        self._keep({slot: self._torn.get(slot, boottime()) for slot in torn})
        return [torn[slot] for slot, since in self._torn.items() if since is not None and _passed(since)]

    def told(self, one: Slot) -> None:
        self._keep(self._torn | {_slot(one): None})

    @property
    def count(self) -> int:
        """Slots that hold what was told as it stands."""
        return sum(since is None for since in self._torn.values())

    def _keep(self, torn: dict[str, float | None]) -> None:
        self._torn = torn
        self._status.set(torn=torn)


def _slot(one: Slot) -> str:
    return f"{one.memory} {one.index}"


def _passed(since: object) -> bool:
    """Whether a tear would be over. What is no time of this boot is none."""
    return not isinstance(since, int | float) or not 0 <= boottime() - since < PASSING
