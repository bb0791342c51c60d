# SPDX-License-Identifier: GPL-2.0-or-later
"""A word to the owner past the spool, when the spool is what is ill: an SD card that takes nothing any more.

    NAME.outcry    in the run folder, a tmpfs: it was said in this boot
"""

from __future__ import annotations

from homesim.chat.post import Outcome
from homesim.chat.render import render
from homesim.config import Config, Modem
from homesim.errors import TryAgain
from homesim.sms import message

WORDS = "The disk takes nothing, so SMS stay on the stick and are not forwarded. Run homesim-doctor. It says: "


def outcry(settings: Config, modem: Modem, error: TryAgain) -> None:
    """Say it once in a boot; again only when it is certain that Telegram did not get it. Never raises for either."""
    from homesim.chat.telegram import Bot  # requests, for which a healthy check has no use

    mark = settings.paths.run / f"{modem.name}.outcry"
    try:
        mark.touch(mode=0o600, exist_ok=False)
    except OSError:  # said already, or the run folder takes nothing either: rather never than each five minutes
        return
    [draft] = render(message.own(f"{WORDS}{error}"), modem.name)
    telegram = settings.telegram
    if Bot(telegram).send(draft, *telegram.chat(modem)).outcome not in (Outcome.SENT, Outcome.AMBIGUOUS):
        mark.unlink(missing_ok=True)
