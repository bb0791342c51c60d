# SPDX-License-Identifier: GPL-2.0-or-later
"""Text and entities as Telegram sees them: cleaning, offsets. After TDLib's MessageEntity.cpp and misc.cpp."""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from itertools import pairwise

TO_SPACE = {c: " " for c in range(32) if chr(c) not in "\n\r"}
DROPPED = {0x0D, *range(0x2028, 0x202F), 0x030A, 0x0333, 0x033F}
BLANK = re.compile("[ \n\u00a0\u1680\u180e\u2000-\u200f\u202f\u205f\u2800\u3000\ufeff\ufffc\U000e0000-\U000e007f]*")


class ApiError(Exception):
    """A refusal in the Bot API's own form, word for word.

    `code` is both error_code and HTTP status; `parameters` are ResponseParameters
    (migrate_to_chat_id, retry_after).
    """

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        self.code = code
        self.description = description
        self.parameters = parameters
        super().__init__(f"{code} {description}")


def bad_request(text: str) -> ApiError:
    """A 400, its first letter made small as in fail_query_with_error."""
    if not re.match(r".[A-Z_]", text):
        text = text[0].lower() + text[1:]
    return ApiError(400, f"Bad Request: {text}")


class Malformed(Exception):
    """A value the server can't make sense of, in its words; the caller says where it stood."""


@dataclass(frozen=True)
class Entity:
    """MessageEntity; offset and length in UTF-16 code units."""

    offset: int
    length: int
    type: str

    @property
    def end(self) -> int:
        return self.offset + self.length


# Plain text with entities


def clean(text: str) -> str:
    """clean_input_string: control characters to spaces, some dropped, runs of marks broken."""
    kept = "".join(c for c in text.translate(TO_SPACE) if ord(c) not in DROPPED)
    return re.sub("[\u200e\u200f](?=[\u200e\u200f])", "\u200c", kept)


def format_text(text: str, entities: Iterable[Entity]) -> tuple[str, list[Entity]]:
    """fix_formatted_text: text and entities as the chat gets them. Such as overlap are refused: not simulated."""
    if not is_utf8(text):
        raise bad_request("Strings must be encoded in UTF-8")
    moved = {0: 0}  # from offsets between characters to those after the cleaning
    before = after = 0
    for char in text:
        before += utf16(char)
        after += utf16(char) if ord(char) not in DROPPED else 0
        moved[before] = after
    ordered = sorted(entities, key=lambda entity: entity.offset)
    for entity in ordered:
        _check_offsets(entity, moved, text)
    if any(one.end > other.offset for one, other in pairwise(ordered)):
        raise bad_request("not simulated: entities that overlap")
    text = clean(text)
    if BLANK.fullmatch(text):
        raise bad_request("Text must be non-empty")
    blanks = len(text) - len(text.lstrip(" \n"))
    text = text.rstrip(" \n")
    spans = [(moved[entity.offset], min(moved[entity.end], utf16(text)), entity.type) for entity in ordered]
    spans = [(start, end, kind) for start, end, kind in spans if end > start]
    first = min([blanks, *(start for start, _, _ in spans)])  # the trim stops at an entity
    return text[first:], [Entity(start - first, end - start, kind) for start, end, kind in spans]


def _check_offsets(entity: Entity, known: Container[int], text: str) -> None:
    """The errors of clean_input_string_with_entities."""
    for name, value in (("offset", entity.offset), ("length", entity.length)):
        if not 0 <= value <= 1000000:
            raise bad_request(f"Receive an entity with incorrect {name} {value}")
    for verb, at in (("begins", entity.offset), ("ends", entity.end)):
        what = "Entity" if verb == "begins" else f"Entity beginning at UTF-16 offset {entity.offset}"
        if at > utf16(text):
            raise bad_request(f"{what} {verb} after the end of the text at UTF-16 offset {at}")
        if at not in known:
            place = len(text.encode("utf-16-le")[: 2 * at + 2].decode("utf-16-le").encode())
            raise bad_request(f"{what} {verb} in a middle of a UTF-16 symbol at byte offset {place}")


def utf16(text: str) -> int:
    return len(text) + sum(c > "\uffff" for c in text)


def is_utf8(text: str) -> bool:
    """Whether no lone surrogate is in it: these stand for bad JSON escapes and bad bytes."""
    return not re.search("[\ud800-\udfff]", text)
