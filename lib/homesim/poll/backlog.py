# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits for Telegram, and what of it goes next. One message costs the same whether ten wait or 10,000.

    a fresh code, alone  ->  the others in their order, packed when they are many  ->  suspects, alone

The names say the order. A file is opened when its turn comes, or when it is young enough to hold a fresh code, and
then once in a run. new/ is listed when this process has put something there, and now and then for what others have:
health, or a person's `mv`.

Suspects have failed while the way to Telegram was open: something in between does not let them through.

    suspects       name -> how often, when last (seconds since the epoch), how long it waits from then on (seconds)

Each failure doubles the wait, and what took long waits long: a code that comes while one of them waits for its
time-out waits with it. What failed once the next run tries as it comes. Where several that are packed into one fail,
perhaps because they are large, each of them goes alone from then on, and no others are packed in that run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import NamedTuple

from homesim.chat import render
from homesim.chat.post import Draft
from homesim.sms.message import stamp
from homesim.store.entry import Entry, Place, moment, place
from homesim.store.spool import Spool

LIST = 3.0  # seconds between looks at new/ for what others put there
LOOK = 1.0  # seconds that are spent on finding codes before a message goes out
ALONE = 3  # up to so many waiting messages go out one by one, more are packed
ENTITIES = 100  # Telegram shows no more of one message's
FRESH = 600.0  # seconds: a code younger than this goes first, alone
STATE = "suspects"
LEAST, MOST = 1.0, 3600.0  # seconds that a suspect waits


@dataclass(frozen=True)
class Letter:
    """A message that waits, and how it will look: what is asked of it here is asked of what its reader sees."""

    entry: Entry
    drafts: Sequence[Draft]

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def urgent(self) -> bool:
        """Whether it has buttons that are of use now; when it is packed it has none."""
        buttons = any(draft.copy for draft in self.drafts)
        return buttons and time.time() - moment(self.name, self.entry.received) < FRESH


class Suspect(NamedTuple):
    faults: int
    at: float
    wait: float

    @property
    def due(self) -> bool:
        return not 0 <= time.time() - self.at < self.wait  # or the clock was set back


class Backlog:
    """The messages in one spool's new/ that this run knows of."""

    def __init__(self, spool: Spool, drafts: Callable[[Entry], Sequence[Draft]]) -> None:
        self._spool = spool
        self._drafts = drafts
        self._places: dict[str, Place] = {}  # of all that wait, sorted by it
        self._letters: dict[str, Letter] = {}  # what has been read of them
        self._puts, self._listed = -1, 0.0
        self._packs = True  # they are not known to fail
        kept = spool.load(dict[str, tuple[float, ...]], STATE) or {}
        self._suspects = {
            name: Suspect(int(values[0]), values[1], values[2] if values[0] > 1 else 0.0)
            for name, values in kept.items()
            if len(values) == 3
        }

    def next(self, *, only_code: bool) -> list[Letter]:
        """What goes out in the next message; [] when nothing does now."""
        self._refresh()
        if code := self._fresh_code():
            return [code]
        if only_code:
            return []
        suspects = self.suspects()
        many = len(self._places) - len(suspects) > ALONE and self._packs
        others = self._read(name for name in list(self._places) if name not in self._suspects)
        due = self._read(name for name in suspects if self._suspects[name].due)
        return pack(others if many else islice(others, 1)) or list(islice(due, 1))

    def suspects(self) -> list[str]:
        """Those that wait, the least suspect first."""
        names = [name for name in self._suspects if name in self._places]
        return sorted(names, key=lambda name: (self._suspects[name].faults, name))

    def fault(self, names: Sequence[str], took: float) -> None:
        """They failed, after so many seconds. What failed in a pack is tried alone, without a wait of its own."""
        if len(names) > 1:
            self._packs = False
            self.part(names)
            return
        [name] = names
        faults = self._suspects[name].faults + 1 if name in self._suspects else 1
        cost = took if faults > 1 else 0.0  # the first failure may have been a lost connection's
        wait = min(MOST, (LEAST + cost) * 2.0 ** min(faults - 1, 12))
        self._suspects[name] = Suspect(faults, time.time(), wait)
        self._save()

    def part(self, names: Sequence[str]) -> None:
        """They do not go in a pack again."""
        self._suspects |= dict.fromkeys(names, Suspect(1, time.time(), 0.0))
        self._save()

    def render_anew(self, names: Sequence[str]) -> None:
        """What they look like has changed."""
        for name in names:
            self._letters.pop(name, None)

    def drop(self, names: Sequence[str]) -> None:
        """They wait no more: what may have failed before has got through, or is set aside."""
        self.render_anew(names)
        for name in names:
            self._places.pop(name, None)
        if not self._suspects.keys().isdisjoint(names):
            self._save()

    def _refresh(self) -> None:
        """Learn what has come, and what others have taken away."""
        now = time.monotonic()
        if self._places and self._puts == self._spool.puts and now - self._listed < LIST:
            return
        self._puts, self._listed = self._spool.puts, now
        names = self._spool.names("new")
        if self._places.keys() != set(names):
            found = (self._places.get(name) or self._place(name) for name in names)
            self._places = {place.name: place for place in sorted(filter(None, found))}
            self._letters = {name: letter for name, letter in self._letters.items() if name in self._places}

    def _place(self, name: str) -> Place | None:
        received = self._spool.received(name)
        return None if received is None else place(name, received)

    def _fresh_code(self) -> Letter | None:
        """The first of them, of no suspect. Who has many to look at begins with what came last."""
        until, oldest = time.monotonic() + LOOK, stamp(datetime.fromtimestamp(time.time() - FRESH, UTC))
        sms = (place for place in reversed(self._places.values()) if not place.own)
        young = takewhile(lambda place: place.second > oldest, sms)
        names = [place.name for place in young if place.name not in self._suspects]
        seen = [*takewhile(lambda _: time.monotonic() < until, self._read(names))]
        return next((letter for letter in reversed(seen) if letter.urgent), None)

    def _read(self, names: Iterable[str]) -> Iterator[Letter]:
        """Those of them that still wait."""
        for name in names:
            if name not in self._letters:
                entry = None if self._cleared(name) else self._spool.read("new", name)
                if entry is None:
                    self._places.pop(name, None)
                    continue
                self._letters[name] = Letter(entry, self._drafts(entry))
            yield self._letters[name]

    def _cleared(self, name: str) -> bool:
        """A run was killed between marking it as sent and removing it."""
        if self._spool.sent(name):
            self._spool.remove("new", name)
            return True
        return False

    def _save(self) -> None:
        """But for those that are gone."""
        self._suspects = {name: suspect for name, suspect in self._suspects.items() if name in self._places}
        self._spool.save(STATE, self._suspects)


def pack(letters: Iterable[Letter]) -> list[Letter]:
    """As many as fit into one message, at least one. What is long or urgent goes alone."""
    batch: list[Letter] = []
    length = entities = 0
    for letter in letters:
        first, *more = letter.drafts
        length += render.units(first.text) + 2
        entities += len(first.entities)
        alone = more or letter.urgent
        if batch and (alone or length > render.LIMIT or entities > ENTITIES):
            break
        batch.append(letter)
        if alone:
            break
    return batch
