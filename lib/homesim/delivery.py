# SPDX-License-Identifier: GPL-2.0-or-later
"""From the spool to Telegram: what goes next, and what each outcome means for it.

    attempt        written before each POST: name -> part. Who finds it there may find the message in the
                   chat already, so what is sent again says "possible repeat"
    delivered      a packed message is in the chat: its entries are being cleared, none is to be sent again
    not-before     Telegram asked to wait until then
    chat           the group became a supergroup: its id as configured, and now
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from homesim import config, message
from homesim.answer import Answer, Outcome
from homesim.errors import ConfigError, HomesimError, TryAgain
from homesim.message import Draft
from homesim.plan import read, together
from homesim.spool import Entry, Spool

if TYPE_CHECKING:
    from homesim.telegram import Bot

FAULTS = 3  # HTTP 5xx in a row after which the other messages go first
MAX_WAIT = 4 * 3600.0  # seconds: no not-before is believed beyond this, the clock may have jumped
BACK_OFF = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between tries in one run
BURST, PACE = 3, 1.05  # messages at once, seconds a message: Telegram wants one a second in a chat, not strictly

log = logging.getLogger(__name__)


class Delivery:
    """Sends what waits in one modem's spool. Only this class takes entries out of new/."""

    def __init__(self, spool: Spool, telegram: config.Telegram, modem: config.Modem) -> None:
        self.problem: HomesimError | None = None  # of the last try
        self.sent = 0
        self._spool = spool
        self._telegram = telegram
        self._modem = modem
        self._configured, self._topic = telegram.chat(modem)
        self._chat = self._configured
        attempt = spool.state("attempt")
        self._doubtful = {n: part for n, part in attempt.items() if isinstance(part, int) and not spool.sent(n)}
        self._apart: set[str] = set()  # not to be packed: one of them was refused, or fails again and again
        self._held: list[tuple[Entry, str]] = []  # refused, and not yet known whether for what they are
        self._faults: Counter[str] = Counter()  # answers that Telegram has trouble, by message
        self._recent: list[float] = []
        self._failures = 0
        self._sleep: Callable[[float], None] = time.sleep
        self._bot: Bot | None = None
        moved = spool.state("chat")
        to = moved.get("to")
        if moved.get("from") == self._chat and isinstance(to, int):
            self._chat = to

    def send_waiting(self, until: float, sleep: Callable[[float], None] = time.sleep) -> float | None:
        """Send until nothing waits, something fails or time.monotonic() is `until`.

        Return the seconds after which another try makes sense, None when only a new message is a reason.
        """
        self._sleep = sleep
        self._clear_delivered()
        while time.monotonic() < until and not isinstance(self.problem, ConfigError):
            batch = self._next()
            if not batch:
                self._set_aside()
                return None
            if pause := self._pause():
                self.problem = TryAgain("Telegram", f"asked to be left alone for {pause:.0f} s; SMS are kept")
                return pause
            if not self._send(batch):
                self._failures += 1
                return max(self._pause(), BACK_OFF[min(self._failures, len(BACK_OFF)) - 1])
            self._failures = 0
        return None

    def _next(self) -> Sequence[Entry]:
        """What goes out in the next message: a fresh code, one message, or as many as fit."""
        held = [entry.name for entry, _ in self._held]
        waiting = [e for e in self._spool.entries("new") if e.name not in held and not self._cleared(e)]
        # Stable: else by SMSC time. SMS go before what is our own, of which a storm of calls makes some.
        waiting.sort(key=lambda entry: (self._faults[entry.name] // FAULTS, bool(entry.alert)))
        return together(waiting, self._drafts, self._apart)

    def _cleared(self, entry: Entry) -> bool:
        """A run was killed between marking it as sent and removing it."""
        if self._spool.sent(entry.name):
            self._spool.remove("new", entry.name)
            return True
        return False

    def _drafts(self, entry: Entry) -> list[Draft]:
        notes = ["complete now"] * entry.told + [message.REPEAT] * (entry.name in self._doubtful)
        if entry.alert:
            return message.render_alert(entry.alert, self._modem.name, notes, entry.copy)
        return message.render(read(entry.pdus), self._modem.name, notes)

    def _send(self, batch: Sequence[Entry]) -> bool:
        """Send one message. True when the next may follow."""
        if len(batch) > 1:
            drafts, first = [message.pack([self._drafts(entry)[0] for entry in batch])], 0
        else:
            drafts, first = self._drafts(batch[0]), self._doubtful.get(batch[0].name, 0)
        for part in range(min(first, len(drafts) - 1), len(drafts)):
            answer = self._post(drafts[part], {entry.name: part for entry in batch})
            if answer.outcome is Outcome.REFUSED:
                return self._refused(batch, answer.reason)
            if answer.outcome is not Outcome.SENT:
                return self._not_sent(batch, answer)
        self._forget(batch)
        self._set_aside()
        self.problem = None
        self.sent += len(batch)
        log.info("%s: forwarded %d", self._modem.name, len(batch))
        return True

    def _post(self, draft: Draft, parts: dict[str, int]) -> Answer:
        """One message to the chat, with the cures that need nobody: a new chat id, no topic, plain text."""
        before = dict(self._doubtful)
        self._doubtful |= parts
        self._spool.set_state("attempt", dict(self._doubtful))
        answer = self._try(draft)
        if answer.outcome is Outcome.MIGRATED:
            log.warning("%s: the chat's id is %d now; put it into the configuration", self._modem.name, answer.chat_id)
            self._spool.set_state("chat", {"from": self._configured, "to": answer.chat_id})
            self._chat = answer.chat_id
            answer = self._try(draft)
        if answer.outcome is Outcome.NO_TOPIC:
            log.warning("%s: the topic is gone, sending without it", self._modem.name)
            self._topic = None
            answer = self._try(draft)
        if answer.outcome is Outcome.REFUSED and len(parts) == 1:
            answer = self._try(draft.plain())
        if answer.outcome not in (Outcome.SENT, Outcome.AMBIGUOUS):
            before |= {name: part for name, part in parts.items() if part}  # the parts before this one have arrived
            self._doubtful = before
            self._spool.set_state("attempt", dict(before))
        return answer

    def _try(self, draft: Draft) -> Answer:
        if self._bot is None:
            from homesim.telegram import Bot  # requests takes 0.1 s here and seconds on a Pi Zero

            self._bot = Bot(self._telegram)
        self._sleep(self._pace())
        self._recent = [*self._recent, time.monotonic()][-BURST:]
        return self._bot.send(draft, self._chat, self._topic)

    def _forget(self, batch: Sequence[Entry]) -> None:
        """They are in the chat. With several, a kill half-way must not bring the other half again."""
        if len(batch) > 1:
            self._spool.set_state("delivered", {entry.name: True for entry in batch})
        for entry in batch:
            self._spool.done(entry.name)
            self._doubtful.pop(entry.name, None)
        if len(batch) > 1:
            self._spool.set_state("delivered", {})

    def _clear_delivered(self) -> None:
        if delivered := self._spool.state("delivered"):
            for name in delivered:
                self._spool.done(name)
            self._spool.set_state("delivered", {})

    def _refused(self, batch: Sequence[Entry], reason: str) -> bool:
        """Together: find the one by sending them alone. Alone: set it aside, the next one goes on."""
        if len(batch) > 1:
            self._apart |= {entry.name for entry in batch}
            return True
        if any(before == reason for _, before in self._held):
            self._held = []  # two in a row for one reason: it is not the messages
            self.problem = ConfigError("Telegram", f"{reason}: refuses every message; SMS are kept")
            return False
        self._held.append((batch[0], reason))
        return True

    def _set_aside(self) -> None:
        """Others go through, or there is no other: what was refused was refused for what it is."""
        for entry, reason in self._held:
            self._spool.fail(entry, reason)
            stamp = entry.name.partition("-")[0]
            log.error("%s: Telegram refuses the SMS of %s: %s; it is in failed/", self._modem.name, stamp, reason)
        self._held = []

    def _not_sent(self, batch: Sequence[Entry], answer: Answer) -> bool:
        if answer.reason.startswith("HTTP 5"):
            self._faults.update(entry.name for entry in batch)
            self._apart |= {entry.name for entry in batch if self._faults[entry.name] >= FAULTS}
        if answer.outcome is Outcome.CONFIG:
            self.problem = ConfigError("Telegram", f"{answer.reason}; SMS are kept")
        else:
            self.problem = TryAgain("Telegram", f"{answer.reason}; SMS are kept and sent later")
        log.debug("%s: %s", self._modem.name, self.problem)
        if answer.retry_after:
            until = time.time() + min(answer.retry_after, MAX_WAIT)
            self._spool.set_state("not-before", {"time": until, "since": time.time()})
        return False

    def _pause(self) -> float:
        """Seconds that Telegram still wants to be left alone."""
        state = self._spool.state("not-before")
        until, since, now = state.get("time"), state.get("since"), time.time()
        if isinstance(until, int | float) and isinstance(since, int | float) and since <= now < until:
            return min(until - now, MAX_WAIT)
        return 0.0  # over, or the clock was set back

    def _pace(self) -> float:
        """Seconds to wait so that there are no more than BURST messages in any BURST * PACE."""
        if len(self._recent) < BURST:
            return 0.0
        return max(0.0, self._recent[0] + BURST * PACE - time.monotonic())
