# SPDX-License-Identifier: GPL-2.0-or-later
"""How health comes by a modem: one check at a time, and poll hands it over, or is ended when it hangs."""

from __future__ import annotations

import contextlib
import logging
import os
import signal

from homesim import process
from homesim.config import Config
from homesim.process import boottime
from homesim.stick import status

LOCK = 90.0  # seconds at most to wait for the modem's lock

log = logging.getLogger(__name__)


def only_check(settings: Config, name: str) -> bool:
    """Whether no other check of this modem is at work."""
    if process.ModemLock(settings.paths.run, f"{name}.health").take(wait=0):
        return True
    log.warning("%s: another check is at work", name)
    return False


def take_turn(settings: Config, name: str) -> bool:
    """The modem's lock. Poll hands it over when its time is up; one that hangs beyond its end is ended."""
    turn = process.ModemLock(settings.paths.run, name)
    wait = min(LOCK, settings.poll.linger * 1.2 + process.HAND_OVER)
    log.debug("%s: waiting for a run to end, %.0f s at most", name, wait)
    if turn.take(wait, queue=wait):
        return True
    seen = status.read(settings.paths.run, name)
    holder = turn.holder()
    over = seen.ends_boottime is not None and boottime() > seen.ends_boottime
    if holder and holder == seen.pid and over and process.is_poll(holder):
        log.warning("%s: homesim-poll (%d) hangs; ended", name, holder)
        with contextlib.suppress(ProcessLookupError):  # it has ended just now
            os.kill(holder, signal.SIGKILL)
        return turn.take(process.HAND_OVER)
    log.warning("%s: a run holds the lock; looking again in the next check", name)
    return False
