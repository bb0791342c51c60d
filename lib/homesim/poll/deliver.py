# SPDX-License-Identifier: GPL-2.0-or-later
"""From the spool to Telegram: what becomes of what is sent, and what each outcome means for it.

    attempt        written before each POST: name -> part. Who finds it there may find the message in the chat already,
                   so what is sent again says "possible repeat". DELIVERED: it is in the chat with others, packed, and
                   being cleared; it is not to be sent again

A message that fails says little of why. So Telegram is asked something that can be no message's fault: if that fails
too the way is closed, all wait in their order and none of them is risked until it is open again; else it is the
message, and it goes behind the others. What Telegram itself refuses is told to the owner before it is set aside: a
chat that refuses this too refuses everything.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache

from homesim import config
from homesim.chat import render
from homesim.chat.destination import Chat
from homesim.chat.post import Answer, Draft, Outcome
from homesim.errors import ConfigError, HomesimError, TryAgain
from homesim.poll.backlog import Backlog, Letter
from homesim.sms import otp
from homesim.store.entry import Entry, moment, own
from homesim.store.spool import Spool

DELIVERED = -1
BACK_OFF = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between tries in one run
QUICK = 5  # messages in a row that may fail, though the way is open, before the others are tried slowly

log = logging.getLogger(__name__)


@cache
def warm() -> None:
    """Have at hand what the first message would wait for: requests, and the patterns by which a code is found."""
    from homesim.chat import telegram  # noqa: F401

    otp.find("promo code 482913")


class Delivery:
    """Sends what waits in one modem's spool. Only this class takes entries out of new/."""

    def __init__(self, spool: Spool, telegram: config.Telegram, modem: config.Modem) -> None:
        self.sent = 0
        self._spool = spool
        self._modem = modem
        self._chat = Chat(spool, telegram, modem)
        self._backlog = Backlog(spool, self._drafts)
        attempt = spool.load(dict[str, int], "attempt") or {}
        attempt |= dict.fromkeys(spool.load(dict[str, bool], "delivered") or {}, DELIVERED)  # as 0.1.0 has it
        self._attempt = {name: part for name, part in attempt.items() if not spool.sent(name)}
        self._closed = bool(self._attempt)  # the way, as far as is known
        self._proven = False  # it was open right before what is tried now
        self._failures = 0  # in a row
        self._slow = 0.0  # time.monotonic() until which only fresh codes go
        self._problem: HomesimError | None = None

    @property
    def problem(self) -> HomesimError | None:
        """Why something waits: of the last try, or of those that fail each time."""
        if self._problem or not (stuck := self._backlog.suspects()):
            return self._problem
        return TryAgain("Telegram", f"{len(stuck)} SMS failed though it could be reached; they are kept and sent later")

    def prepare(self) -> None:
        """Something is to be sent soon."""
        if not self._closed and self._problem is None:
            self._chat.open()

    def send_waiting(self, until: float, sleep: Callable[[float], None] = time.sleep) -> float | None:
        """Send until nothing waits, something fails or time.monotonic() is `until`.

        Return the seconds after which another try makes sense, None when it makes sense at any time.
        """
        self._chat.until, self._chat.sleep = until, sleep
        if packed := [name for name, part in self._attempt.items() if part == DELIVERED]:
            self._clear(packed)
        while time.monotonic() < until and not isinstance(self._problem, ConfigError):
            batch = self._backlog.next(only_code=time.monotonic() < self._slow)
            if not batch:
                return None
            if pause := self._chat.pause():
                self._problem = TryAgain("Telegram", f"asked to be left alone for {pause:.0f} s; SMS are kept")
                return pause
            if not self._open() or not self._send(batch):
                self._failures += 1
                return max(self._chat.pause(), BACK_OFF[min(self._failures, len(BACK_OFF)) - 1])
        return None

    def _drafts(self, entry: Entry) -> Sequence[Draft]:
        notes = [render.REPEAT] * (entry.name in self._attempt)
        return render.render(entry.message(), self._modem.name, notes)

    def _open(self) -> bool:
        """Whether the way to Telegram is open; if it was not, that is asked without putting a message in doubt."""
        if self._closed:
            answer = self._chat.probe()
            self._closed = answer.outcome is not Outcome.SENT
            self._proven = not self._closed
            if self._closed:
                self._keep_why(answer)
        return not self._closed

    def _send(self, batch: Sequence[Letter]) -> bool:
        """Send one message. True when the next may follow."""
        begun = time.monotonic()
        names = [letter.name for letter in batch]
        drafts, first = batch[0].drafts, self._attempt.get(names[0], 0)
        if len(batch) > 1:
            drafts, first = [render.pack([letter.drafts[0] for letter in batch])], 0
        for part in range(min(first, len(drafts) - 1), len(drafts)):
            answer = self._post(drafts[part], names, part)
            if answer.outcome is Outcome.REFUSED:
                return self._refused(batch, answer.reason, begun)
            if answer.outcome is not Outcome.SENT:
                return self._failed(names, answer, begun)
        if len(names) > 1:  # a kill half-way must not bring the other half again
            self._note(self._attempt | dict.fromkeys(names, DELIVERED))
        self._clear(names)
        self._problem, self._failures, self._proven = None, 0, False
        self.sent += len(batch)
        log.info("%s: forwarded %d", self._modem.name, len(batch))
        return True

    def _post(self, draft: Draft, names: Sequence[str], part: int) -> Answer:
        """One message to the chat; plain, when it is refused as it is."""
        before = self._attempt
        self._note(before | dict.fromkeys(names, part))
        answer = self._chat.send(draft)
        if answer.outcome is Outcome.REFUSED and len(names) == 1:
            answer = self._chat.send(draft.plain())
        if answer.outcome not in (Outcome.SENT, Outcome.AMBIGUOUS):  # but the parts before this one have arrived
            self._note(before | (dict.fromkeys(names, part) if part else {}))
        self._backlog.render_anew(names)
        return answer

    def _note(self, attempt: dict[str, int]) -> None:
        self._attempt = attempt
        self._spool.save("attempt", attempt)

    def _clear(self, names: Sequence[str]) -> None:
        """They are in the chat."""
        packed = DELIVERED in map(self._attempt.get, names)
        self._spool.done(*names)
        self._backlog.drop(names)
        self._attempt = {name: part for name, part in self._attempt.items() if name not in names}
        if packed:
            self._note(self._attempt)
            self._spool.save("delivered", None)

    def _refused(self, batch: Sequence[Letter], reason: str, begun: float) -> bool:
        """Together: find the one by sending them alone. Alone: tell the owner, then set it aside."""
        if len(batch) > 1:
            self._backlog.part([letter.name for letter in batch])
            return True
        entry = batch[0].entry
        word = Entry(f"{entry.name}-refused", alert=_refusal(entry, reason))
        answer = self._post(self._drafts(word)[0], [word.name], 0)
        if answer.outcome is Outcome.REFUSED:
            self._problem = ConfigError("Telegram", f"{answer.reason}: refuses every message; SMS are kept")
            return False
        if answer.outcome is not Outcome.SENT:
            return self._failed([entry.name], answer, begun)
        self._spool.fail(entry, reason)
        log.error("%s: %s", self._modem.name, word.alert)
        self._backlog.drop([entry.name])
        self._note({name: part for name, part in self._attempt.items() if name not in (entry.name, word.name)})
        self._failures = 0
        return True

    def _failed(self, names: Sequence[str], answer: Answer, begun: float) -> bool:
        """Whether it is the message and not the way; then it goes behind the others."""
        took = time.monotonic() - begun
        self._keep_why(answer)
        if answer.outcome is Outcome.CONFIG:
            return False
        proven, self._closed = self._proven, True
        if answer.outcome is Outcome.AWAY or not (self._open() or proven):
            return False
        sms_of = f"{self._modem.name}: the SMS of {names[0].partition('-')[0]}"
        log.warning("%s does not get through, so others go first: %s", sms_of, answer.reason)
        self._backlog.fault(names, took)
        self._failures += 1
        if self._failures >= QUICK:
            self._slow = time.monotonic() + BACK_OFF[min(self._failures - QUICK, len(BACK_OFF) - 1)]
        return True

    def _keep_why(self, answer: Answer) -> None:
        if answer.outcome is Outcome.CONFIG:
            self._problem = ConfigError("Telegram", f"{answer.reason}; SMS are kept")
        else:
            self._problem = TryAgain("Telegram", f"{answer.reason}; SMS are kept and sent later")
        log.debug("%s: %s", self._modem.name, self._problem)


def _refusal(entry: Entry, reason: str) -> str:
    """What its owner is told of it: neither who wrote nor what."""
    at = datetime.fromtimestamp(moment(entry.name, entry.received)).astimezone()
    what = "a message of homesim's own" if own(entry.name) else f"the SMS of {at:%Y-%m-%d %H:%M:%S %Z}"
    return f"Telegram refuses {what}: {reason}. It is kept in failed/; homesim-doctor says more"
