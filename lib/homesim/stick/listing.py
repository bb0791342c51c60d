# SPDX-License-Identifier: GPL-2.0-or-later
"""The SMS in what a stick answers to AT+CMGL and AT+CMGR in PDU mode. Pure.

    +CMGL: <index>,<stat>,[<alpha>],<length>        TS 27.005 4.1
    +CMGR: <stat>,[<alpha>],<length>                4.2
    <pdu>

Sticks take liberties with the header, and lines that they say on their own tear a PDU in two. So a header may have
any form, and whether a PDU is whole its octets tell: as many as <length>, which leaves out the service centre's
address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from homesim.sms import pdu
from homesim.stick.at import Exchange

_SELECTED = re.compile(r'AT\+CPMS="(\w+)"')
_HEADER = re.compile(r"\+CMG[LR]:")
_INDEX = re.compile(r"\+CMGL:\s*(\d+)\s*,")  # with its comma: "1" may be what a tear left of "12,0,,23"
_LENGTH = re.compile(r"[:,]\s*(\d+)\s*$")
_PIECE = re.compile(r"\s*([0-9A-Fa-f]*)\s*(?:[+^][A-Z]+:.*)?")  # of a PDU, and what the stick says where it is torn


@dataclass(frozen=True)
class Content:
    """What stands in a slot."""

    text: str = ""  # hex in capitals, the service centre's address first; or whatever stands there instead; "": nothing
    whole: bool = False  # a PDU, all of it


def lists(exchanges: Sequence[Exchange]) -> dict[str, dict[int, Content]]:
    """Memory to slots to contents, of each AT+CMGL that was answered well."""
    found: dict[str, dict[int, Content]] = {}
    memory = ""
    for exchange in exchanges:
        if selected := _SELECTED.match(exchange.command):
            memory = selected[1]
        elif exchange.command.startswith("AT+CMGL") and (slots := listed(exchange.answer)) is not None:
            found[memory] = slots
    return found


def listed(answer: Sequence[str]) -> dict[int, Content] | None:
    """Slots to contents, of an answer to AT+CMGL; None when it is no list, or leaves open which slots are meant."""
    found = {}
    for header, body in _messages(answer):
        if not (index := _INDEX.match(header)):
            return None
        found[int(index[1])] = _content(header, body)
    return found if answer[-1] == "OK" else None


def read(answer: Sequence[str]) -> Content:
    """What an answer to AT+CMGR says of its slot."""
    return next((_content(header, body) for header, body in _messages(answer)), Content())


def _messages(answer: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Each header with the lines behind it."""
    lines = answer[:-1]  # without the final result code
    starts = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    for start, end in zip(starts, [*starts, len(lines)][1:], strict=True):
        yield lines[start], lines[start + 1 : end]


def _content(header: str, body: Sequence[str]) -> Content:
    length = _LENGTH.search(header)
    pieces = [_PIECE.fullmatch(line) for line in body]
    if not all(pieces):
        return Content("\n".join(body if length else (header, *body)))
    text = "".join(piece[1] for piece in pieces if piece).upper()
    return Content(text, whole=length is not None and _octets(text) == int(length[1]))


def _octets(text: str) -> int:
    """Of a PDU without the service centre's address; -1 when it is none."""
    try:
        return len(pdu.tpdu(text))
    except ValueError:
        return -1
