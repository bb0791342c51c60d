# SPDX-License-Identifier: GPL-2.0-or-later
"""What people write to the bot: getUpdates, by one reader at a time.

Two readers cut each other short (HTTP 409), and what one of them confirms the other never sees. So who reads holds a
lock of the run folder, as a modem's is. Nothing is confirmed by being read: what is not for this reader waits for the
next one, up to a day (Bot API). Only when so much waits that what is behind it cannot be seen, the oldest is let go.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from homesim.chat.telegram import Bot
from homesim.errors import ConfigError, TryAgain
from homesim.process import HAND_OVER, ModemLock

LOCK = ".bot"  # no modem's name
SEEN = 10  # updates at once: telegram.py reads no more than that many of the largest
PAUSE = 2.0  # seconds: while something waits the server answers at once


class Updates:
    """Of one bot, from the first that waits. Raise TryAgain when another reads them, also in `patience` seconds."""

    def __init__(self, bot: Bot, run: Path, patience: float = HAND_OVER) -> None:
        if not ModemLock(run, LOCK).take(patience):
            raise TryAgain("Telegram", "another run of homesim reads what is written to the bot")
        self._bot = bot
        self._offset = 0  # what is older is confirmed, and gone
        self._last = 0  # that was returned

    def read(self, wait: int) -> list[dict[str, Any]]:
        """Those that have not been returned before; [] when none comes in `wait` seconds (up to 50, by the server)."""
        found = self._ask(wait)
        news = [update for update in found if update["update_id"] > self._last]
        self._last = max([self._last, *(update["update_id"] for update in found)])
        if len(found) >= SEEN:
            self._offset = self._last + 1
        elif found and not news:
            time.sleep(min(PAUSE, wait))
        return news

    def _ask(self, wait: int) -> list[dict[str, Any]]:
        given = {"offset": self._offset, "limit": SEEN, "timeout": wait, "allowed_updates": ["message"]}
        try:
            found = self._bot.ask("getUpdates", wait=wait, **given)
        except TryAgain as error:
            if error.fault == "other-reader":  # HTTP 409: a webhook, or another getUpdates
                raise ConfigError(error, "another program reads this bot's messages; get homesim its own bot") from None
            raise
        if not isinstance(found, list):
            raise TryAgain("Telegram", "the answer is not Telegram's")
        return [update for update in found if isinstance(update, dict) and isinstance(update.get("update_id"), int)]
