# SPDX-License-Identifier: GPL-2.0-or-later
"""From the spool to Telegram: what goes next, and what each outcome means for it.

    attempt        written before each POST: name -> part. Who finds it there may find the message in the
                   chat already, so what is sent again says "possible repeat"
    delivered      a packed message is in the chat: its entries are being cleared, none is to be sent again

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
from itertools import islice

from homesim import config
from homesim.chat import render
from homesim.chat.destination import Chat
from homesim.chat.post import Answer, Outcome
from homesim.chat.render import Draft
from homesim.errors import ConfigError, HomesimError, TryAgain
from homesim.poll.backlog import Backlog
from homesim.poll.batch import Letter, pack
from homesim.poll.suspects import PACK, Suspects
from homesim.sms import message
from homesim.store import refused
from homesim.store.entry import Entry, moment
from homesim.store.spool import Spool

ALONE = 3  # up to so many waiting messages go out one by one, more are packed
BACK_OFF = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between tries in one run
QUICK = 5  # messages in a row that may fail, though the way is open, before the others are tried slowly

log = logging.getLogger(__name__)


class Delivery:
    """Sends what waits in one modem's spool. Only this class takes entries out of new/."""

    def __init__(self, spool: Spool, telegram: config.Telegram, modem: config.Modem) -> None:
        self.sent = 0
        self._spool = spool
        self._modem = modem
        self._chat = Chat(spool, telegram, modem)
        self._backlog = Backlog(spool, self._drafts)
        self._suspects = Suspects(spool)
        attempt = spool.state("attempt")
        self._doubtful = {n: part for n, part in attempt.items() if isinstance(part, int) and not spool.sent(n)}
        self._apart: set[str] = set()  # not to be packed: one of them was refused
        self._closed = bool(self._doubtful)  # the way, as far as is known
        self._proven = False  # it was open right before what is tried now
        self._failures = 0  # in a row
        self._slow = 0.0  # time.monotonic() until which only fresh codes go
        self._problem: HomesimError | None = None

    @property
    def problem(self) -> HomesimError | None:
        """Why something waits: of the last try, or of those that fail each time."""
        if self._problem or not (stuck := self._suspects.waiting(self._backlog)):
            return self._problem
        return TryAgain("Telegram", f"{len(stuck)} SMS failed though it could be reached; they are kept and sent later")

    def send_waiting(self, until: float, sleep: Callable[[float], None] = time.sleep) -> float | None:
        """Send until nothing waits, something fails or time.monotonic() is `until`.

        Return the seconds after which another try makes sense, None when it makes sense at any time.
        """
        self._chat.until, self._chat.sleep = until, sleep
        self._clear_delivered()
        while time.monotonic() < until and not isinstance(self._problem, ConfigError):
            batch = self._next()
            if not batch:
                return None
            if pause := self._chat.pause():
                self._problem = TryAgain("Telegram", f"asked to be left alone for {pause:.0f} s; SMS are kept")
                return pause
            if not self._open() or not self._send(batch):
                self._failures += 1
                return max(self._chat.pause(), BACK_OFF[min(self._failures, len(BACK_OFF)) - 1])
        return None

    def _next(self) -> list[Letter]:
        """What goes out in the next message: a fresh code, one message, or as many as fit; suspects last."""
        self._backlog.refresh()
        if code := self._backlog.urgent(lambda name: name in self._suspects or name in self._apart):
            return [code]
        if time.monotonic() < self._slow:
            return []
        suspects = self._suspects.waiting(self._backlog)
        many = len(self._backlog) - len(suspects) > ALONE and self._suspects.due(PACK)
        others = (letter for letter in self._backlog if letter.name not in self._suspects)
        if batch := pack(others if many else islice(others, 1), self._apart):
            return batch
        due = (self._backlog.letter(name) for name in suspects if self._suspects.due(name))
        return list(islice(filter(None, due), 1))

    def _drafts(self, entry: Entry) -> Sequence[Draft]:
        notes = [render.REPEAT] * (entry.name in self._doubtful)
        if entry.alert:
            return render.render_alert(entry.alert, self._modem.name, notes, entry.copy)
        return render.render(message.read(entry.pdus), self._modem.name, notes, told=entry.told)

    def _open(self) -> bool:
        """Whether the way to Telegram is open; if it was not, that is asked without putting a message in doubt."""
        if self._closed:
            answer = self._chat.probe()
            self._closed = answer.outcome is not Outcome.SENT
            self._proven = not self._closed
            if self._closed:
                self._say(answer)
        return not self._closed

    def _send(self, batch: Sequence[Letter]) -> bool:
        """Send one message. True when the next may follow."""
        begun = time.monotonic()
        names = [letter.name for letter in batch]
        if len(batch) > 1:
            drafts, first = [render.pack([letter.drafts[0] for letter in batch])], 0
        else:
            drafts, first = list(batch[0].drafts), self._doubtful.get(names[0], 0)
        for part in range(min(first, len(drafts) - 1), len(drafts)):
            answer = self._post(drafts[part], dict.fromkeys(names, part))
            if answer.outcome is Outcome.REFUSED:
                return self._refused(batch, answer.reason, begun)
            if answer.outcome is not Outcome.SENT:
                return self._failed(names, answer, begun)
        self._forget(names)
        self._problem, self._failures, self._proven = None, 0, False
        self.sent += len(batch)
        log.info("%s: forwarded %d", self._modem.name, len(batch))
        return True

    def _post(self, draft: Draft, parts: dict[str, int]) -> Answer:
        """One message to the chat; plain, when it is refused as it is."""
        before = dict(self._doubtful)
        self._doubtful |= parts
        self._spool.set_state("attempt", dict(self._doubtful))
        answer = self._chat.send(draft)
        if answer.outcome is Outcome.REFUSED and len(parts) == 1:
            answer = self._chat.send(draft.plain())
        if answer.outcome not in (Outcome.SENT, Outcome.AMBIGUOUS):
            before |= {name: part for name, part in parts.items() if part}  # the parts before this one have arrived
            self._doubtful = before
            self._spool.set_state("attempt", dict(before))
        self._backlog.anew(list(parts))
        return answer

    def _forget(self, names: Sequence[str]) -> None:
        """They are in the chat. With several, a kill half-way must not bring the other half again."""
        if len(names) > 1:
            self._spool.set_state("delivered", dict.fromkeys(names, True))
        self._spool.done(*names)
        for name in names:
            self._doubtful.pop(name, None)
        self._backlog.drop(names)
        self._suspects.clear([*names, *[PACK] * (len(names) > 1)])
        if len(names) > 1:
            self._spool.set_state("delivered", {})

    def _clear_delivered(self) -> None:
        if delivered := self._spool.state("delivered"):
            self._spool.done(*delivered)
            self._spool.set_state("delivered", {})

    def _refused(self, batch: Sequence[Letter], reason: str, begun: float) -> bool:
        """Together: find the one by sending them alone. Alone: tell the owner, then set it aside."""
        if len(batch) > 1:
            self._apart |= {letter.name for letter in batch}
            return True
        entry = batch[0].entry
        told = f"{entry.name}-refused"
        repeat = [render.REPEAT] * (told in self._doubtful)
        [draft] = render.render_alert(_refusal(entry, reason), self._modem.name, repeat)
        answer = self._post(draft, {told: 0})
        if answer.outcome is Outcome.REFUSED:
            self._problem = ConfigError("Telegram", f"{answer.reason}: refuses every message; SMS are kept")
            return False
        if answer.outcome is not Outcome.SENT:
            return self._failed([entry.name], answer, begun)
        self._spool.fail(entry, reason)
        refused.told(self._spool, [entry.name])
        log.error("%s: %s", self._modem.name, _refusal(entry, reason))
        self._doubtful = {name: part for name, part in self._doubtful.items() if name not in (told, entry.name)}
        self._spool.set_state("attempt", dict(self._doubtful))
        self._backlog.drop([entry.name])
        self._suspects.clear([entry.name])
        self._failures = 0
        return True

    def _failed(self, names: Sequence[str], answer: Answer, begun: float) -> bool:
        """Whether it is the message and not the way; then it goes behind the others."""
        took = time.monotonic() - begun
        self._say(answer)
        if answer.outcome is Outcome.CONFIG:
            return False
        proven, self._closed = self._proven, True
        if answer.outcome is Outcome.AWAY or not (self._open() or proven):
            return False
        sms_of = f"{self._modem.name}: the SMS of {names[0].partition('-')[0]}"
        log.warning("%s does not get through, so others go first: %s", sms_of, answer.reason)
        if len(names) > 1:
            self._suspects.fault_of_pack(names, took, self._backlog)
        else:
            self._suspects.fault(names[0], took, self._backlog)
        self._failures += 1
        if self._failures >= QUICK:
            self._slow = time.monotonic() + BACK_OFF[min(self._failures - QUICK, len(BACK_OFF) - 1)]
        return True

    def _say(self, answer: Answer) -> None:
        if answer.outcome is Outcome.CONFIG:
            self._problem = ConfigError("Telegram", f"{answer.reason}; SMS are kept")
        else:
            self._problem = TryAgain("Telegram", f"{answer.reason}; SMS are kept and sent later")
        log.debug("%s: %s", self._modem.name, self._problem)


def _refusal(entry: Entry, reason: str) -> str:
    """What its owner is told of it: neither who wrote nor what."""
    at = datetime.fromtimestamp(moment(entry.name, entry.received)).astimezone()
    what = "a message of homesim's own" if entry.alert else f"the SMS of {at:%Y-%m-%d %H:%M:%S %Z}"
    return f"Telegram refuses {what}: {reason}. It is kept in failed/; homesim-doctor says more"
