# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stick says, for doctor. It is asked, not set.

A run of homesim-poll that is at work knows all that already: then its status is taken. Else a process of its own
asks (stick/probe): port and lock are free again when it ends.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from homesim import process
from homesim.config import Config, Modem
from homesim.errors import TryAgain
from homesim.health import evidence
from homesim.health.evidence import Evidence
from homesim.process import boottime
from homesim.stick import probe
from homesim.stick.usb import Bus
from homesim.store.spool import Spool

LIMIT = 9.0  # seconds: a run that begins meanwhile waits 10


def gather(settings: Config, modem: Modem) -> Evidence:
    """What health knows; the only stick that could be ours is looked at as if it were. Raise PermissionError."""
    spool = Spool(settings.paths.state / modem.name, read_only=True)
    for folder in (settings.paths.run, spool.root):
        if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError
    seen = evidence.gather(settings, modem.name, Bus(settings.paths.sysfs), spool)
    if len(seen.candidates) == 1 and seen.candidates[0].mode != "off":  # who is off is left to its owner
        return replace(seen, stick=seen.candidates[0], candidates=())
    return seen


def ask(seen: Evidence, runs: Path) -> Evidence:
    """With what the stick says now, or a run that is at work has seen. Raise PermissionError when we may not ask."""
    there = next(folder for folder in (runs, *runs.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK) or not os.access(seen.device, os.R_OK | os.W_OK):
        raise PermissionError
    # What it may raise, it shall raise here; a lock is not for the processes forked later.
    process.ModemLock(runs, seen.modem)
    try:
        state = probe.ask(seen.device, probe.look, LIMIT, turn=lambda: _take(process.ModemLock(runs, seen.modem)))
    except _Busy:
        return seen
    except TryAgain as error:
        return replace(seen, asked=True, status=replace(seen.status, error=str(error), fault=error.fault))
    now = boottime()
    # What takes a run to see stays: its reader, what is stuck.
    status = replace(seen.status, **vars(state), answered_boottime=now, error="", fault="", hidden=0, call=0)
    return replace(seen, asked=True, boottime=now, status=status)


class _Busy(TryAgain):
    """A run is at work."""


def _take(lock: process.ModemLock) -> None:
    if not lock.take(wait=0):
        raise _Busy("a run", "is at work")
