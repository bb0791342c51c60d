# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a run of poll stays, also when it starts itself anew in the middle: then its end is where it was.

The kernel's deadline holds on by itself: a timer outlives execve(2), and whatever a stick says, none is set again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

_ENDS = "HOMESIM_ENDS"  # the process that has started itself anew, and when its time is over (CLOCK_MONOTONIC)
_WORTH = 10.0  # seconds that must be left for a new start to make sense


class Clock:
    """A run's time, then a fifth of it more for the next run to come to the door."""

    def __init__(self, linger: float) -> None:
        pid, _, end = os.environ.get(_ENDS, "").partition(" ")
        self.anew = pid == str(os.getpid())  # not inherited from another run
        self._end = float(end) if self.anew else time.monotonic() + linger
        self.last = self._end + linger / 5

    def over(self, successor: Callable[[], bool]) -> bool:
        """`successor`: whether the next run waits at the door."""
        now = time.monotonic()
        return now >= self.last or (now >= self._end and successor())

    def worth(self) -> bool:
        """Whether to start anew, once: what a stick says to two starts it says to a thousand."""
        return not self.anew and self._end - time.monotonic() > _WORTH

    def start_anew(self, modem: str) -> None:
        """Run anew in this very process: nothing of libgammu's is left, no clean-up of its has run."""
        environment = os.environ | {_ENDS: f"{os.getpid()} {self._end}"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:], "--modem", modem], environment)
