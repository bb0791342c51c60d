# SPDX-License-Identifier: GPL-2.0-or-later
"""Text and entities as Telegram sees them: cleaning, offsets, overlaps.

After TDLib's MessageEntity.cpp and misc.cpp. On the wire entities count in UTF-16 code units, in
here between `_to_code_points` and `_to_utf16` in code points.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

MERGED = ("bold", "italic")
VERBATIM = "code"  # nothing else inside: is_pre_entity
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
    """MessageEntity, offset and length in whatever unit the place says (UTF-16 on the wire)."""

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
    """fix_formatted_text: text and entities (UTF-16 units in and out) as the chat gets them."""
    if not is_utf8(text):
        raise bad_request("Strings must be encoded in UTF-8")
    spans = _arrange(_to_code_points(text, entities))
    kept_before = [0]
    for char in text:
        kept_before.append(kept_before[-1] + (ord(char) not in DROPPED))
    spans = [_move(s, kept_before[s.offset], kept_before[s.end]) for s in spans]
    text = clean(text)
    if BLANK.fullmatch(text):
        raise bad_request("Text must be non-empty")
    end = len(text.rstrip(" \n"))
    spans = [_move(s, s.offset, min(s.end, end)) for s in spans]
    spans = _arrange(s for s in spans if s.length > 0)
    first = min((s.offset for s in spans), default=end)
    start = min(first, end - len(text[:end].lstrip(" \n")))
    return text[start:end], list(_to_utf16(text[start:end], spans, start))


def _move(span: Entity, start: int, end: int) -> Entity:
    return replace(span, offset=start, length=end - start)


def _to_code_points(text: str, entities: Iterable[Entity]) -> Iterator[Entity]:
    """Entities in code points; the offsets' errors as in clean_input_string_with_entities."""
    index = {0: 0}  # UTF-16 offset to code points, character boundaries only
    units = 0
    for count, char in enumerate(text, 1):
        units += utf16(char)
        index[units] = count
    for entity in sorted(entities, key=_order):
        for name, value in (("offset", entity.offset), ("length", entity.length)):
            if not 0 <= value <= 1000000:
                raise bad_request(f"Receive an entity with incorrect {name} {value}")
        if entity.length:  # the empty ones are dropped before they are looked at
            _check_offsets(entity, index, text, units)
            yield _move(entity, index[entity.offset], index[entity.end])


def _check_offsets(entity: Entity, index: Mapping[int, int], text: str, units: int) -> None:
    for verb, at in (("begins", entity.offset), ("ends", entity.end)):
        what = "Entity" if verb == "begins" else f"Entity beginning at UTF-16 offset {entity.offset}"
        if at > units:
            raise bad_request(f"{what} {verb} after the end of the text at UTF-16 offset {at}")
        if at not in index:
            place = len(text[: index[at + 1]].encode())
            raise bad_request(f"{what} {verb} in a middle of a UTF-16 symbol at byte offset {place}")


def _arrange(entities: Iterable[Entity]) -> list[Entity]:
    """Settle overlaps, fix_entities: what a person sees is the same, the pieces may differ.

    Of two pieces of code that touch the same character the later goes. Styles of one type are merged, and cut out of
    code.
    """
    ordered = sorted(entities, key=_order)
    verbatim: list[Entity] = []
    for entity in ordered:
        if entity.type == VERBATIM and (not verbatim or entity.offset >= verbatim[-1].end):
            verbatim.append(entity)
    merged = [style for kind in MERGED for style in _merge(e for e in ordered if e.type == kind)]
    return sorted([*verbatim, *(piece for style in merged for piece in _cut(style, verbatim))], key=_order)


def _order(entity: Entity) -> tuple[int, int]:
    return entity.offset, -entity.length


def _merge(ordered: Iterable[Entity]) -> list[Entity]:
    merged: list[Entity] = []
    for entity in ordered:
        if merged and entity.offset <= merged[-1].end:
            last = merged.pop()
            entity = _move(last, last.offset, max(last.end, entity.end))
        merged.append(entity)
    return merged


def _cut(style: Entity, verbatim: Iterable[Entity]) -> Iterator[Entity]:
    start = style.offset
    for block in verbatim:
        if block.offset < style.end and block.end > start:
            if block.offset > start:
                yield _move(style, start, block.offset)
            start = block.end
    if start < style.end:
        yield _move(style, start, style.end)


def _to_utf16(text: str, spans: Iterable[Entity], shift: int) -> Iterator[Entity]:
    for span in spans:
        start, end = span.offset - shift, span.end - shift
        offset = utf16(text[:start])
        yield replace(span, offset=offset, length=utf16(text[start:end]))


def utf16(text: str) -> int:
    return len(text) + sum(c > "\uffff" for c in text)


def is_utf8(text: str) -> bool:
    """Whether no lone surrogate is in it: these stand for bad JSON escapes and bad bytes."""
    return not re.search("[\ud800-\udfff]", text)
