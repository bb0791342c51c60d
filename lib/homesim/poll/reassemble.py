# SPDX-License-Identifier: GPL-2.0-or-later
"""From parts/ to new/: long SMS when they are whole; what there is of them, each part once, when they have waited.

What waits is read once a run; all of it is looked at when a part has come or one is due. That costs little, as no more
than MOST wait: anybody can send parts that never become whole, and when there are more the oldest are let go, some at
a time, as long as the stick wants nothing. They have been forwarded before.

    telling        before what there is goes into new/: its name -> the parts in it, which are told once it is there
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf

from homesim.sms import message
from homesim.sms.concat import Group, Part, gather
from homesim.store.entry import Entry
from homesim.store.spool import Spool

MOST = 255  # parts that wait: one message may have so many
KEEP = 7 * 86400.0  # seconds a forwarded part waits for the missing ones: no service centre tries longer
DAY = 86400.0  # seconds a part waits to be told at most, however old the message that it belongs to
BATCH = 25  # messages told, or parts let go, at once


class Reassembly:
    """Empties one modem's parts/: the watching thread's work, and the main one's when that has ended or is stuck."""

    def __init__(self, spool: Spool, wait: float) -> None:
        self._spool = spool
        self._wait = wait  # seconds, multipart_wait
        self._lock = threading.Lock()
        self._parts: dict[str, Part] | None = None  # by name; None: not read yet
        self._excess: list[str] = []  # names of parts to let go, the oldest last
        self._due = 0.0  # time.time() when there is something to do about one of them

    def behind(self) -> bool:
        """Whether there is something to do now."""
        with self._lock:
            return self._due <= time.time() or bool(self._excess)

    def add(self, entry: Entry) -> None:
        """A part that has just been stored."""
        with self._lock:
            if self._parts is not None and (part := entry.part()):  # else it will be found with the others
                self._parts[part.name] = part
                self._due = 0.0

    def step(self) -> bool:
        """Do some of what there is to do. True when there is something new to send."""
        with self._lock:
            before = self._spool.puts
            if self._parts is None:
                self._parts = self._read()
            if self._due <= time.time():
                self._look(self._parts)
            else:
                self._let_go()
            return self._spool.puts != before

    def _read(self) -> dict[str, Part]:
        """The parts that wait, as told as they are."""
        telling = self._spool.load(dict[str, tuple[str, ...]], "telling") or {}
        for name, parts in telling.items():  # a run was killed while it told them
            if self._spool.known(name):
                self._set_told(self._load(parts))
        self._spool.save("telling", None)
        names = self._spool.names("parts")
        self._excess = names[:-MOST][::-1]
        return {part.name: part for part in map(self._in_time, self._load(names[-MOST:]))}

    def _load(self, names: Iterable[str]) -> list[Part]:
        entries = (self._spool.read("parts", name) for name in names)
        return [part for entry in entries if entry and (part := entry.part())]

    def _in_time(self, part: Part) -> Part:
        """If the clock was set back: its time would come as much too late."""
        if part.received > time.time():
            part = replace(part, received=time.time())
            self._put(part)
        return part

    def _look(self, waiting: dict[str, Part]) -> None:
        """Make messages of what is whole; tell, and in the end let go, what has waited for the rest."""
        now, untold = time.time(), list[Sequence[Part]]()
        self._due = inf
        for group in gather(waiting.values()):
            due = _due(group, self._wait)
            whole = group.complete and (group.certain or due <= now or self._spool.known(_name(group.parts)))
            if whole:
                self._whole(group)
            if not whole and (marked := [part for part in group.parts if self._spool.sent(part.name)]):
                self._settle(marked)  # a run was killed before it removed them
                self._due = 0.0
            elif (whole and not group.copies) or (due <= now and (whole or all(part.told for part in group.parts))):
                self._settle([*group.parts, *group.copies])
            elif due <= now:
                untold.append(group.parts)
            else:
                self._due = min(self._due, due)
        self._tell(untold[:BATCH])
        if untold:
            self._due = 0.0
        for name in sorted(waiting)[:-MOST]:
            del waiting[name]
            self._excess.insert(0, name)

    def _let_go(self) -> None:
        """Some of those that are too many."""
        self._excess, names = self._excess[:-BATCH], self._excess[-BATCH:]
        parts = self._load(names)
        untold = [part for part in parts if not (part.told or self._spool.sent(part.name))]
        self._tell([group.parts for group in gather(untold)])
        self._settle(parts)

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
            if self._parts and part.name in self._parts:
                self._parts[part.name] = told

    def _put(self, part: Part) -> None:
        self._spool.put("parts", Entry(part.name, (part.pdu,), received=part.received, told=part.told))

    def _settle(self, parts: Sequence[Part]) -> None:
        """They need nothing more: all are marked before the first is removed."""
        if not parts:
            return
        self._spool.done(*[part.name for part in parts], folder="parts")
        for part in parts:
            if self._parts:
                self._parts.pop(part.name, None)


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
