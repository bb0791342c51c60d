# SPDX-License-Identifier: GPL-2.0-or-later
"""A V.250 command line taken apart (ITU-T V.250 section 5.2, 3GPP TS 27.007 section 4)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

# An extended command runs to the next semicolon that is not in quotes; a basic one is a letter
# and a number. Whatever fits neither is a part of its own, which nobody will know.
_PART = re.compile(r'[+^](?:"[^"]*"|[^;"])*;?|&?[A-Z]\d*(?:=\d+|\?)?|.', re.IGNORECASE)
_EXTENDED = re.compile(r"([+^]\w+)\s*(=\?|\?|=)?(.*?)\s*;?")
_NOISE = re.compile(r"[\x00-\x1f\x7f-\xff]")


@dataclass(frozen=True)
class Request:
    """One command: `+CPMS="SM","ME"` is Request("+CPMS", "=", ("SM", "ME"))."""

    name: str
    form: str = ""
    """"=" set, "?" read, "=?" test, "" execute."""
    arguments: tuple[str, ...] = ()


def clean(line: bytes) -> str:
    """Given what came before a carriage return, return it from its "AT" on.

    Control characters (ESC, Ctrl-Z, a line feed left over) and stray bytes are dropped; a line
    without "AT" is '' and gets no answer, V.250 section 5.2.1.
    """
    text = _NOISE.sub("", line.decode("latin-1")).strip()
    start = text.upper().find("AT")
    return text[start:] if start >= 0 else ""


def parse(text: str) -> list[Request]:
    """Given a line that begins with "AT", return its commands; "AT" alone has none."""
    parts = (part.strip() for part in _PART.findall(text[2:]))
    return [_request(part) for part in parts if part.strip(";")]


def _request(part: str) -> Request:
    extended = _EXTENDED.fullmatch(part)
    if extended is None:
        return Request(part.upper())
    name, form, rest = extended.groups()
    if form == "=" and rest:
        return Request(name.upper(), form, tuple(next(csv.reader([rest]))))
    return Request(name.upper(), (form or "") + rest)
