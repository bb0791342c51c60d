# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as it looks in Telegram: text, entities and button, split and packed to size. Pure.

    sender in bold, which push previews show with the first words
    the text, untouched, with a one-time code that a tap copies
    one small line: modem, SMSC time in its own zone, what is special

What is our own begins with a mark that no sender holds: theirs are digits, or letters of the default alphabet
(TS 23.040 9.1.2.5, TS 23.038 6.2.1), and what a stick makes of them loses it here.
Formatting is done by entities, never by a markup language, so no text can break or forge it. Offsets and
lengths are UTF-16 code units (Bot API, MessageEntity); Telegram's limit of 4096 is kept in the same unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from homesim.chat.post import Draft, Entity
from homesim.sms import otp
from homesim.sms.message import OWN, Message

LIMIT = 4096  # UTF-16 units of one message, Bot API sendMessage

MARK = "🏠"
OURS = f"{MARK} homesim"  # the sender of what is our own

REPEAT = "possible repeat"
_COUNT = len(" (99/99)")

_SPECIAL = {
    "silent": "silent SMS (type 0)",
    "submit": "stored on the stick; shown is its recipient",
    "piece": "a part of a long SMS, which the stick has not joined",
}

# What Telegram would change itself: control characters become spaces (TAB too), CR goes, and so do line and
# paragraph separators and the old direction overrides (facts: tdlib clean_input_string). Doing it here keeps
# the offsets ours; line ends stay line ends.
_CLEAN = dict.fromkeys((*range(10), 11, *range(14, 32), 127), " ")
_CLEAN |= dict.fromkeys((12, 13, 8232, 8233), "\n")
_CLEAN |= dict.fromkeys(range(8234, 8239), "")


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def clean(text: str) -> str:
    text = text.replace("\r\n", "\n").translate(_CLEAN)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def render(message: Message, modem: str, notes: Iterable[str] = ()) -> list[Draft]:
    """The drafts of one message, more than one when it is too long. The buttons of our own words are the first's."""
    text = clean(message.text)
    if message.kind == OWN:
        first, *more = _split(OURS, text, " · ".join([modem, *notes]), None)
        return [replace(first, copy=message.copy), *more]
    sender = " ".join(clean(message.sender).replace(MARK, " ").split()) or "(no sender)"
    code = otp.find(text) if message.kind in ("sms", "silent", "piece") else None
    footer = " · ".join([modem, _time(message.time), *_special(message), *notes])
    return _split(sender, text if text.strip() else "(empty)", footer, code)


def pack(drafts: Sequence[Draft]) -> Draft:
    """Several drafts in one message, without their buttons: they are old when they are packed."""
    text = ""
    entities: list[Entity] = []
    for draft in drafts:
        text += "\n\n" if text else ""
        start = units(text)
        entities += [replace(entity, offset=entity.offset + start) for entity in draft.entities]
        text += draft.text
    return Draft(text, tuple(entities))


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S %Z}".rstrip() if time else "no valid time"


def _special(message: Message) -> Iterator[str]:
    if message.kind in _SPECIAL:
        yield _SPECIAL[message.kind]
    if message.flash:
        yield "flash"
    if message.missing and message.continues:
        came = sorted({*range(1, message.total + 1)}.difference(message.missing))
        yield f"incomplete: part {_first_few(came)} of {message.total} came later"
    elif message.missing:
        yield f"incomplete: part {_first_few(message.missing)} of {message.total} is missing"
    elif message.continues:
        yield "complete now"


def _first_few(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", …" if len(numbers) > 5 else "")


def _split(sender: str, text: str, footer: str, code: otp.Code | None) -> list[Draft]:
    # A message that is sent again is cut where it was cut before, though it says so: parts may have arrived.
    before = footer.removesuffix(f" · {REPEAT}")
    room = LIMIT - units(f"{sender}\n\n{before} · {REPEAT}") - _COUNT
    cuts = [0, *_cuts(text, room, code), len(text)]
    drafts = []
    for number, (start, end) in enumerate(pairwise(cuts), 1):
        inside = code if code and start <= code.start and code.end <= end else None
        begin, behind = (inside.start, inside.end) if inside else (end, end)
        count = f" ({number}/{len(cuts) - 1})" if len(cuts) > 2 else ""
        pieces = [
            (sender, "bold"), (f"{count}\n", ""),
            (text[start:begin], ""), (text[begin:behind], "code"), (text[behind:end], ""),
            ("\n", ""), (footer, "italic"),
        ]  # fmt: skip
        drafts.append(_draft(pieces, (inside.value,) if inside else ()))
    return drafts


def _draft(pieces: Iterable[tuple[str, str]], copy: tuple[str, ...]) -> Draft:
    text = ""
    entities = []
    for piece, style in pieces:
        if style and piece:
            entities.append(Entity(style, units(text), units(piece)))
        text += piece
    return Draft(text, tuple(entities), copy)


def _cuts(text: str, room: int, code: otp.Code | None) -> Iterator[int]:
    """Where to cut so that each piece has at most `room` units: at word ends, and never through the code."""
    start = 0
    while (end := _reach(text, start, room)) < len(text):
        if code is not None and code.start < end < code.end and code.start > start:
            end = code.start
        else:
            spaces = re.compile(r"\s+").finditer(text, start + (end - start) // 2, end)
            ends = [space.end() for space in spaces if code is None or not code.start < space.end() < code.end]
            end = ends[-1] if ends else end
        yield end
        start = end


def _reach(text: str, start: int, room: int) -> int:
    """The index behind the last character that still fits. Code points are never cut."""
    fits = text[start : start + room].encode("utf-16-le")[: room * 2]
    return start + len(fits.decode("utf-16-le", "ignore"))
