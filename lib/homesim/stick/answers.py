# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page of a HiLink stick answers, read as a person would: no text that anybody can send breaks it. Pure.

    octets -> joined halves of CESU-8 -> characters, those that XML forbids replaced -> XML, or each <Message> alone

An answer is UTF-8, whatever its header says. Firmwares write characters beyond U+FFFF as two halves of three octets
each, and pass control characters and the octets of an MMS notice on as they came.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from homesim.sms.hilink import UNREADABLE, Told

Fields = dict[str, str]

_HALVES = re.compile(b"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
_REFERENCE = re.compile(r"&#(\d{1,7}|x[0-9A-Fa-f]{1,6});")
_PAIR = re.compile(r"&#(5[56]\d{3});&#(5[67]\d{3});")  # 0xD800 is 55296, 0xDFFF 57343
_MESSAGE = re.compile("<Message>.*?</Message>", re.DOTALL)
_COUNT = re.compile(r"<Count>\s*(\d{1,9})\s*</Count>")
_INDEX = re.compile(r"<Index>\s*(\d{1,9})\s*</Index>")
_ERROR = re.compile(r"(<\?xml[^>]*>)?\s*<error>")
_CODE = re.compile(r"<code>\s*(-?\d{1,9})\s*</code>")


class Refused(Exception):
    """An `<error>`. `code` as the page has it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"error {code}")
        self.code = code


class NotAPage(Exception):
    """Something else answers: a page for people, or nothing that can be read."""


class Item(NamedTuple):
    """What stands in a slot of the box."""

    slot: int  # its Index
    told: Told


class Listed(NamedTuple):
    """A page of the box, in its order."""

    items: Sequence[Item]
    total: int | None  # in the box; not each firmware says so


def text(octets: bytes) -> str:
    """The characters of an answer, but for those that no XML may hold."""
    joined = _HALVES.sub(lambda found: found[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")
                         .decode("utf-16").encode(), octets)  # fmt: skip
    return _FORBIDDEN.sub("\ufffd", joined.decode("utf-8-sig", "replace")).strip()


def refused(octets: bytes) -> None:
    """Raise Refused if it is an error."""
    said = text(octets)
    if _ERROR.match(said) and (code := _CODE.search(said)):
        raise Refused(int(code[1]))


def read(octets: bytes) -> Fields:
    """The tags of a `<response>` and what they hold; "" to the word, if it holds just one, as OK. Raise Refused or
    NotAPage."""
    refused(octets)
    said = text(octets)
    try:
        root = ET.fromstring(_harmless(said).encode())
    except ET.ParseError:
        raise NotAPage from None
    if root.tag != "response":
        raise NotAPage
    return {tag.tag: tag.text or "" for tag in root} or {"": (root.text or "").strip()}


def listed(octets: bytes) -> Listed:
    """Each entry is read alone: none hides another. Raise as `read`."""
    said = text(octets)
    if "<Messages" not in said:
        read(octets)
        raise NotAPage
    total = _COUNT.search(said)
    return Listed(list(_items(_MESSAGE.findall(said))), int(total[1]) if total else None)


def _items(entries: Sequence[str]) -> Iterator[Item]:
    for entry in entries:
        try:
            tags = {tag.tag: tag.text or "" for tag in ET.fromstring(_harmless(entry).encode())}
            told = Told(tags.get("Phone", ""), tags.get("Date", ""), tags.get("Content", ""), _number(tags["SmsType"]))
            yield Item(int(tags["Index"]), told)
        except (ET.ParseError, KeyError, ValueError):
            if index := _INDEX.search(entry):
                yield Item(int(index[1]), Told("", "", entry, UNREADABLE))


def _number(word: str) -> int:
    return int(word) if word.isdecimal() else 1


def _harmless(said: str) -> str:
    """Without references to characters that no XML may hold; those to two halves are one to their character."""
    joined = _PAIR.sub(lambda found: f"&#{_joined(int(found[1]), int(found[2]))};", said)
    return _REFERENCE.sub(lambda found: _character(found[0], found[1]), joined)


def _joined(high: int, low: int) -> int:
    """Of two numbers of five digits that begin with 5: 0xFFFD if they are no pair."""
    pair = 0xD800 <= high < 0xDC00 <= low < 0xE000
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00) if pair else 0xFFFD


def _character(reference: str, number: str) -> str:
    point = int(number[1:], 16) if number[0] == "x" else int(number)
    held = point <= 0x10FFFF and not _FORBIDDEN.match(chr(point))
    return reference if held else "\ufffd"


def request(fields: Mapping[str, object]) -> bytes:
    """The body of a POST: its tags in this order, without blanks, as some firmwares demand."""
    tags = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><request>{tags}</request>'.encode()
