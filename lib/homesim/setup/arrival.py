# SPDX-License-Identifier: GPL-2.0-or-later
"""Waits for a real SMS to go all the way. cron's homesim-poll does the work; its status and spool show how far."""

from __future__ import annotations

from collections.abc import Callable

from homesim.config import Config
from homesim.errors import TryAgain
from homesim.process import until
from homesim.stick import status
from homesim.store.entry import own
from homesim.store.spool import Spool

CRON = 120.0  # seconds for a run that knows the new configuration: the one at work may not, and ends within a minute


def wait(settings: Config, name: str, since: float, seconds: float, tell: Callable[[str], None]) -> None:
    """Return when an SMS is in the chat that was not on the stick before. Raise TryAgain when none comes.

    `since`: when the configuration was written, in seconds since the epoch.
    """
    spool = Spool(settings.paths.state / name, read_only=True)

    def run() -> status.Seen:
        return status.read(settings.paths.run, name)

    tell("First what is on the stick already; cron runs homesim-poll within a minute ...")
    if not until(CRON, lambda: (seen := run()).answered >= seen.started >= since):
        if run().started >= since:
            raise TryAgain("homesim-poll", f"{run().error or 'shows no SMS yet'}; run homesim-doctor")
        raise TryAgain("cron", "has not run homesim-poll for two minutes; run it by hand: sudo homesim-poll")
    before = {name for folder in ("parts", "new", "seen") for name in spool.names(folder)}
    tell("Send an SMS to your home number now.")
    if not until(seconds, lambda: any(not own(name) for name in {*spool.names("seen")} - before)):
        raise TryAgain("the SMS", f"none has come within {seconds:.0f} s; run homesim-doctor")
    tell("It is in the chat.")
