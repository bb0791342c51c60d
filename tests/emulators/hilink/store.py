# SPDX-License-Identifier: GPL-2.0-or-later
"""The SMS that a HiLink stick keeps: slots that are used again at once, parts that join, notices that swallow."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from emulators.hilink.firmware import Emoji, Firmware

INBOX, SENT, DRAFT, TRASH = 1, 2, 3, 4
UNREAD, READ, OUT = 0, 1, 3  # Smstat
SINGLE, LONG, MMS = 1, 2, 5  # SmsType
FIRST = 40000  # the lowest Index
CAPACITY = 500  # LocalMax
JOINS_AFTER = 2.0  # seconds behind the last part


@dataclass(frozen=True)
class Entry:
    """A `<Message>`. `content`: the octets of the page, escaped."""

    index: int
    phone: str
    content: bytes
    date: str
    kind: int = SINGLE
    status: int = UNREAD
    box: int = INBOX


@dataclass
class Letter:
    """A long SMS that is not one entry yet: which entry is which part. Touched, it never becomes one."""

    total: int
    parts: dict[int, int] = field(default_factory=dict)  # number from 1 to Index
    last: float = 0.0
    touched: bool = False


class Full(Exception):
    """No SMS can be stored: it waits in the network (assumed)."""


class Store:
    """Not locked: its stick is."""

    def __init__(self, firmware: Firmware, clock: Callable[[], float] = time.monotonic) -> None:
        self._firmware = firmware
        self.clock = clock
        self.all: dict[int, Entry] = {}
        self._letters: dict[object, Letter] = {}

    def entries(self, box: int = INBOX) -> list[Entry]:
        """Newest first, as the pages show them."""
        self._join()
        here = [entry for entry in self.all.values() if entry.box == box]
        return sorted(here, key=lambda entry: (entry.date, entry.index), reverse=True)

    def count(self) -> int:
        return len(self.all)

    def put(self, phone: str, text: str, date: datetime, *, kind: int = SINGLE, box: int = INBOX) -> int:
        """Into the lowest free slot, or into an MMS notice that swallows it."""
        content = b"" if kind == MMS else encode(text, self._firmware)
        if kind != MMS and box == INBOX and self._firmware.swallows and (notice := self._notice()):
            grown = replace(notice, phone=phone, content=notice.content + content, status=UNREAD)
            self.all[notice.index] = grown
            return notice.index
        if len(self.all) >= CAPACITY:
            raise Full
        index = next(index for index in itertools.count(FIRST) if index not in self.all)
        if kind == MMS:
            content = self._firmware.mms
        stamp = date.strftime("%Y-%m-%d %H:%M:%S")
        status = UNREAD if box == INBOX else OUT
        self.all[index] = Entry(index, phone, content, stamp, kind, status, box)
        return index

    def lay(self, index: int, phone: str, text: str, date: datetime, kind: int) -> None:
        """Into this slot, whatever was there."""
        self.all[index] = Entry(index, phone, encode(text, self._firmware), f"{date:%Y-%m-%d %H:%M:%S}", kind)

    def put_part(self, key: object, number: int, total: int, phone: str, text: str, date: datetime) -> int:
        """One part of the long SMS `key`: an entry of its own until all have been there for a while."""
        index = self.put(phone, text, date, kind=LONG)
        letter = self._letters.setdefault((phone, key), Letter(total))
        letter.parts[number] = index
        letter.last = self.clock()
        return index

    def touch(self, indices: Iterable[int]) -> None:
        """Set-read or delete: parts of a letter stay apart for good from then on."""
        for letter in self._letters.values():
            letter.touched |= bool(set(indices) & set(letter.parts.values()))

    def read(self, index: int) -> bool:
        self.touch([index])
        if index in self.all:
            self.all[index] = replace(self.all[index], status=READ)
        return index in self.all

    def delete(self, index: int) -> bool:
        """Whether it was there; whatever is in the slot now is gone."""
        self._join()
        self.touch([index])
        for letter in self._letters.values():
            letter.parts = {number: at for number, at in letter.parts.items() if at != index}
        return self.all.pop(index, None) is not None

    def trash(self, index: int) -> None:
        self.all[index] = replace(self.all[index], box=TRASH)

    def _notice(self) -> Entry | None:
        return next((e for e in self.all.values() if e.kind == MMS and e.box == INBOX), None)

    def _join(self) -> None:
        """What is complete and old enough is one entry, in the slot of the part that was there first."""
        for key, letter in list(self._letters.items()):
            due = not letter.touched and self.clock() - letter.last >= JOINS_AFTER
            if not due or len(letter.parts) < letter.total:
                continue
            slots = [letter.parts[number] for number in sorted(letter.parts)]
            whole = b"".join(self.all[index].content for index in slots)
            kept = min(slots)
            self.all[kept] = replace(self.all[kept], content=whole)
            for index in slots:
                if index != kept:
                    del self.all[index]
            del self._letters[key]


def encode(text: str, firmware: Firmware) -> bytes:
    """As the firmware writes it into its page: escaped, UTF-8 but for what it cannot hold."""
    octets = bytearray()
    for char in text:
        if char in "&<>\"'()":
            octets += {"&": b"&amp;", "<": b"&lt;", ">": b"&gt;"}.get(char, b"&#%d;" % ord(char))
        elif ord(char) > 0xFFFF and firmware.emoji is Emoji.BLANK:
            octets += b"  "
        elif ord(char) > 0xFFFF:
            rest = ord(char) - 0x10000
            halves = chr(0xD800 + (rest >> 10)) + chr(0xDC00 + (rest & 0x3FF))
            octets += halves.encode("utf-8", "surrogatepass")
        elif ord(char) < 0x20 and char not in "\t\r\n":
            octets += char.encode() if firmware.controls else b" "  # the latter assumed
        else:
            octets += char.encode()
    return bytes(octets)
