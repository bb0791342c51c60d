# SPDX-License-Identifier: GPL-2.0-or-later
"""Waits for a real SMS to go all the way. homesim-poll does the work; its spool shows what has been forwarded."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from homesim import program
from homesim.config import Config
from homesim.errors import TryAgain
from homesim.setup import ports
from homesim.store.spool import Spool

LOOK = 0.2  # seconds


def wait(file: Path, settings: Config, name: str, seconds: float, tell: Callable[[str], None]) -> None:
    """Forward what is on the stick already, then what comes now. Raise TryAgain when nothing comes."""
    spool = Spool(settings.paths.state / name)
    tell("First what is on the stick already ...")  # by a run of our own: cron's may know the old configuration
    os.waitpid(_poll(file, name, 0, lambda: ports.wait_for_turn(settings, name, tell)), 0)
    before = _forwarded(spool)
    tell("Send an SMS to your home number now.")
    pid, end = _poll(file, name, seconds), time.monotonic() + seconds
    try:
        while _forwarded(spool) == before or spool.count("new"):
            if time.monotonic() > end:
                raise TryAgain("the SMS", f"none has come within {seconds:.0f} s; run homesim-doctor")
            time.sleep(LOOK)
    finally:
        os.kill(pid, signal.SIGTERM)  # that may happen to it at any time, and harms nothing
    tell("It is in the chat.")


def _forwarded(spool: Spool) -> int:
    """SMS, and not what homesim says of its own."""
    return sum({"call", "alert"}.isdisjoint(name.split("-")) for name in spool.names("seen"))


def _poll(file: Path, name: str, linger: float, first: Callable[[], None] = lambda: None) -> int:
    """Start homesim-poll after `first`; its pid."""
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        program.leave(program.main("homesim-setup", lambda _: _become(file, name, linger, first), None))
    return pid


def _become(file: Path, name: str, linger: float, first: Callable[[], None]) -> NoReturn:
    first()
    poll = Path(sys.argv[0]).resolve().with_name("poll")
    arguments = ["--config", str(file), "--modem", name, "--linger", f"{linger:.0f}"]
    os.execv(sys.executable, [sys.executable, str(poll), *arguments])
