# SPDX-License-Identifier: GPL-2.0-or-later
"""The chat of one modem: where it is now, how fast it takes messages, and when Telegram wants to be left alone.

    not-before     Telegram asked to wait until then
    chat           the group became a supergroup: its id as configured, and now
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homesim import config
from homesim.chat.post import Answer, Draft, Outcome
from homesim.store.spool import Spool

if TYPE_CHECKING:
    from homesim.chat.telegram import Bot

NOT_BEFORE, MOVED = "not-before", "chat"
MAX_WAIT = 4 * 3600.0  # seconds: no not-before is believed beyond this, the clock may have jumped
BURST, PACE = 3, 1.05  # messages at once, seconds a message: Telegram wants one a second in a chat, not strictly
LATE = 5.0  # seconds after the end of a run's time until which a request may begin: what is under way ends with it

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NotBefore:
    time: float  # seconds since the epoch
    since: float


def current(spool: Spool, configured: int) -> int:
    """The id of the chat now."""
    moved = spool.load(dict[str, int], MOVED) or {}
    return moved.get("to", configured) if moved.get("from") == configured else configured


class Chat:
    """Sends one message at a time. `until` (time.monotonic()) is the end of the run's time, `sleep` how it waits."""

    def __init__(self, spool: Spool, telegram: config.Telegram, modem: config.Modem) -> None:
        self.until = 0.0
        self.sleep: Callable[[float], None] = time.sleep
        self._spool = spool
        self._telegram = telegram
        self._modem = modem
        self._configured, self._topic = telegram.chat(modem)
        self._id = current(spool, self._configured)
        self._recent: list[float] = []
        self._bot: Bot | None = None

    def send(self, draft: Draft) -> Answer:
        """Send it, with the cures that need nobody: a new chat id, no topic."""
        answer = self._try(draft)
        if answer.outcome is Outcome.MIGRATED:
            log.warning("%s: the chat's id is %d now; put it into the configuration", self._modem.name, answer.chat_id)
            self._spool.save(MOVED, {"from": self._configured, "to": answer.chat_id})
            self._id = answer.chat_id
            answer = self._try(draft)
        if answer.outcome is Outcome.NO_TOPIC:
            log.warning("%s: the topic is gone, sending without it", self._modem.name)
            self._topic = None
            answer = self._try(draft)
        return answer

    def open(self) -> None:
        """Something is to be sent soon."""
        if not self.pause():
            self._ready().open()

    def probe(self) -> Answer:
        """Whether the way to Telegram is open, by a question that can be no message's fault."""
        return self._ask(lambda bot: bot.probe())

    def pause(self) -> float:
        """Seconds that Telegram still wants to be left alone."""
        asked, now = self._spool.load(NotBefore, NOT_BEFORE), time.time()
        if asked and asked.since <= now < asked.time:
            return min(asked.time - now, MAX_WAIT)
        return 0.0  # over, or the clock was set back

    def _try(self, draft: Draft) -> Answer:
        if time.monotonic() < self.until:
            self.sleep(self._pace())
        self._recent = [*self._recent, time.monotonic()][-BURST:]
        return self._ask(lambda bot: bot.send(draft, self._id, self._topic))

    def _ask(self, question: Callable[[Bot], Answer]) -> Answer:
        if time.monotonic() > self.until + LATE:
            return Answer(Outcome.AWAY, "the time of this run is over")
        answer = question(self._ready())
        if answer.retry_after:
            until = time.time() + min(answer.retry_after, MAX_WAIT)
            self._spool.save(NOT_BEFORE, NotBefore(until, time.time()))
        return answer

    def _ready(self) -> Bot:
        if self._bot is None:
            from homesim.chat.telegram import Bot  # requests takes 0.1 s here and seconds on a Pi Zero

            self._bot = Bot(self._telegram)
        return self._bot

    def _pace(self) -> float:
        """Seconds to wait so that there are no more than BURST messages in any BURST * PACE."""
        if len(self._recent) < BURST:
            return 0.0
        return max(0.0, self._recent[0] + BURST * PACE - time.monotonic())
