# SPDX-License-Identifier: GPL-2.0-or-later
"""From parts/ to new/: long SMS when they are whole; what there is of them, each part once, when they have waited.

What waits is read once a run, the newest first, in slices of time between which the stick is looked at; then
only what has come, or is due, costs anything. Anybody can send parts that never become whole: so many wait of
one key and in all, and when there are more the oldest are let go. They have been forwarded before.

    telling        before what there is goes into new/: its name -> the parts in it, which are told once it is there
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from homesim.sms import message
from homesim.sms.concat import Group, Key, Part, gather
from homesim.store.entry import Entry
from homesim.store.spool import Spool

MOST, MOST_OF_KEY = 1000, 255  # parts that wait; 255 are the most of one message
KEEP = 7 * 86400.0  # seconds a forwarded part waits for the missing ones: no service centre tries longer
DAY = 86400.0  # seconds a part waits to be told at most, however old the message that it belongs to
SLICE = 0.1  # seconds
BATCH = 25  # parts or keys at once


class Joining:
    """Empties one modem's parts/: the watching thread's work, and the main one's when that has ended or is stuck."""

    def __init__(self, spool: Spool, wait: float) -> None:
        self._spool = spool
        self._wait = wait  # seconds, multipart_wait
        self._lock = threading.Lock()
        self._unread: list[str] | None = None  # names, the newest last; None: not listed yet
        self._excess: list[str] = []  # names of parts to let go, the oldest last
        self._parts: dict[Key, dict[str, Part]] = {}  # what has been read, by name
        self._due: dict[Key, float] = {}  # time.time() when there is something to do about a key

    def behind(self) -> bool:
        """Whether there is something to do now."""
        with self._lock:
            return self._unread is None or bool(self._unread or self._excess) or any(True for _ in self._overdue())

    def add(self, entry: Entry) -> None:
        """A part that has just been stored."""
        with self._lock:
            if self._unread is not None and (part := entry.part()):  # else it will be found with the others
                self._take_up(part)

    def step(self) -> bool:
        """Do what there is to do, for a slice of time. True when there is something new to send."""
        with self._lock:
            until, before = time.monotonic() + SLICE, self._spool.puts
            if self._unread is None:
                self._begin()
            for work in (self._read, self._look, self._let_go):
                while time.monotonic() < until and work():
                    pass
            return self._spool.puts != before

    def _begin(self) -> None:
        telling = self._spool.load(dict[str, tuple[str, ...]], "telling") or {}
        for name, parts in telling.items():  # a run was killed while it told them
            if self._spool.known(name):
                self._set_told([part for part in map(self._part, parts) if part])
        self._spool.save("telling", None)
        names = self._spool.names("parts")
        self._unread, self._excess = names[-MOST:], names[:-MOST][::-1]

    def _read(self) -> bool:
        """Some of what is not read yet. A message that is whole with it does not wait for the others."""
        for key in dict.fromkeys(map(self._take_up, self._load(self._unread or []))):
            if _may_be_whole(self._parts[key].values()):
                self._join(key, None)
        return bool(self._unread)

    def _look(self) -> bool:
        """Some of the keys of which a part has come, or that are due."""
        untold: list[Sequence[Part]] = []
        keys = list(islice(self._overdue(), BATCH))
        for key in keys:
            self._join(key, untold)
        self._tell(untold)
        self._limit((part for parts in self._parts.values() for part in parts.values()), MOST)
        return bool(keys)

    def _let_go(self) -> bool:
        """Some of those that are too many."""
        if parts := self._load(self._excess):
            untold = [part for part in parts if not (part.told or self._spool.sent(part.name))]
            self._tell([group.parts for group in gather(untold)])
            self._settle(parts)
        return bool(self._excess)

    def _overdue(self) -> Iterator[Key]:
        now = time.time()
        return (key for key, due in self._due.items() if due <= now)

    def _load(self, names: list[str]) -> list[Part]:
        """The parts with the last of these names, which are taken off the list."""
        last = [names.pop() for _ in range(min(BATCH, len(names)))]
        return [part for part in map(self._part, last) if part]

    def _part(self, name: str) -> Part | None:
        entry = self._spool.read("parts", name)
        return entry.part() if entry else None

    def _take_up(self, part: Part) -> Key:
        if part.received > time.time():  # the clock was set back: its time would come as much too late
            part = replace(part, received=time.time())
            self._put(part)
        self._parts.setdefault(part.key, {})[part.name] = part
        self._due[part.key] = 0.0
        return part.key

    def _forget(self, part: Part) -> None:
        parts = self._parts.get(part.key, {})
        if parts.pop(part.name, None) and not parts:
            del self._parts[part.key], self._due[part.key]

    def _limit(self, parts: Iterable[Part], most: int) -> None:
        """The oldest are to be let go where there are more."""
        for part in sorted(parts, key=lambda part: part.name)[:-most]:
            self._forget(part)
            self._excess.insert(0, part.name)

    def _join(self, key: Key, untold: list[Sequence[Part]] | None) -> None:
        """Make messages of what is whole.

        `untold` gets what has waited for the rest; None: the rest may be there and not read yet.
        """
        now, next_due = time.time(), [float("inf")]
        for group in gather(self._parts[key].values()):
            due = _due(group, self._wait)
            if group.complete and (group.certain or due <= now or self._spool.known(_name(group.parts))):
                self._whole(group)
                if due <= now or not group.copies:
                    self._settle([*group.parts, *group.copies])
                    continue
            elif untold is None:
                due = 0.0
            elif marked := [part for part in group.parts if self._spool.sent(part.name)]:  # a run was killed
                self._settle(marked)  # before it removed them
                due = 0.0
            elif due <= now and not all(part.told for part in group.parts):
                untold.append(group.parts)
                due = max(part.received for part in group.parts) + KEEP
            elif due <= now:
                self._settle(group.parts)
                continue
            next_due.append(due)
        self._limit(self._parts.get(key, {}).values(), MOST_OF_KEY)
        if key in self._parts:
            self._due[key] = min(next_due)

    def _whole(self, group: Group) -> None:
        if not self._spool.known(name := _name(group.parts)):
            told = any(part.told for part in group.parts)
            self._spool.put("new", Entry(name, _pdus(group.parts), received=time.time(), told=told))

    def _tell(self, groups: Sequence[Sequence[Part]]) -> None:
        """Forward what has not been told yet. The parts stay, for the day when the rest comes."""
        if not groups:
            return
        fresh = {f"{_name(new)}-incomplete": (new, told) for new, told in map(_untold, groups)}
        self._spool.save("telling", {name: tuple(part.name for part in new) for name, (new, _) in fresh.items()})
        for name, (new, told) in fresh.items():
            if not self._spool.known(name):
                self._spool.put("new", Entry(name, _pdus(new), received=time.time(), told=told))
            self._set_told(new)
        self._spool.save("telling", None)

    def _set_told(self, parts: Iterable[Part]) -> None:
        for part in parts:
            told = replace(part, told=True)
            self._put(told)
            if part.name in self._parts.get(part.key, ()):
                self._parts[part.key][part.name] = told

    def _put(self, part: Part) -> None:
        self._spool.put("parts", Entry(part.name, (part.pdu,), received=part.received, told=part.told))

    def _settle(self, parts: Sequence[Part]) -> None:
        """They need nothing more: all are marked before the first is removed."""
        self._spool.done(*[part.name for part in parts], folder="parts")
        for part in parts:
            self._forget(part)


def _due(group: Group, wait: float) -> float:
    """When (time.time()) a group has waited long enough: for its copies to be none, to be told, or to be let go.

    What comes late is told the later the older the message is: any number of parts make few messages.
    """
    newest = max(part.received for part in group.copies or group.parts)
    if group.complete:
        return newest + wait
    begun = min(part.received for part in group.parts)
    waits = (max(wait, min(part.received - begun, DAY)) + part.received for part in group.parts if not part.told)
    return min(waits, default=newest + KEEP)


def _may_be_whole(parts: Collection[Part]) -> bool:
    """Whether there is a part for each number, of whichever message."""
    return len({part.number for part in parts}) == next(iter(parts)).total


def _name(parts: Sequence[Part]) -> str:
    """Without a time two messages may be the same octets: their parts' names tell them apart (slots.py)."""
    if any(part.sms.time for part in parts):
        return message.name(_pdus(parts))
    names = [part.name for part in parts]
    return message.named(min(names).partition("-")[0], names)


def _untold(parts: Sequence[Part]) -> tuple[Sequence[Part], bool]:
    """Those that have not been told, and whether others have."""
    new = [part for part in parts if not part.told]
    return new, len(new) < len(parts)


def _pdus(parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(part.pdu for part in parts)
