# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits for Telegram, in the order of sending. One message costs the same whether ten wait or 10,000.

The names say the order. A file is opened when its turn comes, or when it is young enough to hold a fresh code, and
then once in a run. new/ is listed when this process has put something there, and now and then for what others have:
health, or a person's `mv`.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Iterator, Sequence

from homesim.chat.render import Draft
from homesim.poll.batch import Letter, fresh
from homesim.store.entry import Entry, order
from homesim.store.spool import Spool

LIST = 3.0  # seconds between looks at new/ for what others put there
LOOK = 1.0  # seconds that are spent on finding codes before a message goes out

_Order = tuple[bool, str, float, str]


class Backlog:
    """The messages in one spool's new/ that this run knows of."""

    def __init__(self, spool: Spool, render: Callable[[Entry], Sequence[Draft]]) -> None:
        self._spool = spool
        self._render = render
        self._order: dict[str, _Order] = {}  # of all that wait, sorted by it
        self._letters: dict[str, Letter] = {}  # what has been read of them
        self._young: list[_Order] = []  # may hold a fresh code, not looked at yet
        self._codes: list[_Order] = []  # hold one
        self._puts, self._listed = -1, 0.0

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, name: object) -> bool:
        return name in self._order

    def __iter__(self) -> Iterator[Letter]:
        for name in list(self._order):
            if letter := self.letter(name):
                yield letter

    def refresh(self) -> None:
        """Learn what has come, and what others have taken away."""
        now = time.monotonic()
        if self._order and self._puts == self._spool.puts and now - self._listed < LIST:
            return
        self._puts, self._listed = self._spool.puts, now
        names = self._spool.names("new")
        if self._order.keys() == set(names):
            return
        known, found = self._order, []
        for name in names:
            if place := known.get(name):
                found.append(place)
            elif (received := self._spool.received(name)) is not None:
                found.append(order(name, received))
                if _young(found[-1]):
                    insort(self._young, found[-1])
        self._order = {place[-1]: place for place in sorted(found)}
        self._letters = {name: letter for name, letter in self._letters.items() if name in self._order}

    def letter(self, name: str) -> Letter | None:
        """A message that waits; None when it does not wait any more."""
        if name not in self._letters:
            if name not in self._order:
                return None
            entry = None if self._cleared(name) else self._spool.read("new", name)
            if entry is None:
                del self._order[name]
                return None
            self._letters[name] = Letter(entry, self._render(entry))
        return self._letters[name]

    def urgent(self, aside: Callable[[str], bool]) -> Letter | None:
        """The first fresh code but for those `aside`. Who has many to look at begins with what came last."""
        until = time.monotonic() + LOOK
        while self._young and time.monotonic() < until:
            place = self._young.pop()
            if (letter := self.letter(place[-1])) and letter.code:
                insort(self._codes, place)
        self._codes = [place for place in self._codes if place[-1] in self._order and _young(place)]
        name = next((name for *_, name in self._codes if not aside(name)), None)
        return self.letter(name) if name else None

    def anew(self, names: Sequence[str]) -> None:
        """What they look like has changed."""
        for name in names:
            self._letters.pop(name, None)

    def drop(self, names: Sequence[str]) -> None:
        """They wait no more."""
        self.anew(names)
        for name in names:
            self._order.pop(name, None)

    def _cleared(self, name: str) -> bool:
        """A run was killed between marking it as sent and removing it."""
        if self._spool.sent(name):
            self._spool.remove("new", name)
            return True
        return False


def _young(place: _Order) -> bool:
    """Whether a code in it would be fresh."""
    own, _, received, name = place
    return not own and fresh(name, received)
