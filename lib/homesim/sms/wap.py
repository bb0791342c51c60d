# SPDX-License-Identifier: GPL-2.0-or-later
"""What a WAP push says: that an MMS waits, or the text and the address of a service indication or loading. Pure.

Anybody can send one. So each is walked once from its front to its end. What is wrong in an MMS's notification spoils
no field before it; a document that leads out of itself, or is longer than any reader wants, says nothing.

Sources: WAP-230-WSP (8.2.4.1 push, 8.4 header encoding), OMA-TS-MMS-ENC (6.2 M-Notification.ind, 7.3 fields),
WAP-192-WBXML (5 the document, 7 its global tokens), WAP-167-ServiceInd (8), WAP-168-ServiceLoad (8).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

PUSH_PORT = 2948  # WDP port of connectionless push, WAP-259-WDP appendix B

_NOTIFICATION = b"\x8c\x82"  # X-Mms-Message-Type: m-notification-ind
_FROM, _SIZE, _SUBJECT = 0x89, 0x8E, 0x96

_BINARY = (b"\xae", b"application/vnd.wap.sic", b"\xb0", b"application/vnd.wap.slc")
# text/vnd.wap.si, text/vnd.wap.sl, text/plain by their numbers (WAP-230-WSP table 40); the others by name.
_TEXT = (b"\xad", b"\xaf", b"\x83", b"text/", b"application/vnd.wap.si", b"application/vnd.wap.sl")
_CHARSETS = {0: "utf-8", 3: "utf-8", 4: "latin-1", 106: "utf-8"}  # by MIBenum: not said, US-ASCII, ISO 8859-1, UTF-8

_END, _ENTITY, _STRING, _TABLE, _OPAQUE = 0x01, 0x02, 0x03, 0x83, 0xC3
_LINKS = {  # what the attribute that is the address begins with, by the document's public identifier
    0x05: {0x0B: "", 0x0C: "http://", 0x0D: "http://www.", 0x0E: "https://", 0x0F: "https://www."},
    0x06: {0x08: "", 0x09: "http://", 0x0A: "http://www.", 0x0B: "https://", 0x0C: "https://www."},
}
_ENDINGS = {0x85: ".com/", 0x86: ".edu/", 0x87: ".net/", 0x88: ".org/"}
_MOST = 4096  # characters: a string of the table can be told again and again


def read(data: bytes) -> tuple[str, str] | None:
    """What kind of message a push is, "mms" or "push", and what it says, "" when that cannot be read.

    None when this is no WSP push PDU (8.2.4.1) with all of its headers.
    """
    try:
        length, at = _uintvar(data, 2)
    except (IndexError, ValueError):
        return None
    if data[1] != 0x06 or not 0 < length <= len(data) - at:
        return None
    body = data[at + length :]
    if body.startswith(_NOTIFICATION):
        return "mms", _notification(body)
    try:
        kind, _ = _value(data, at)
        if data[at] < 0x20:  # with its parameters (8.4.2.24)
            kind, _ = _value(kind, 0)
        kind = kind.lower()
        if kind in _BINARY:
            return "push", _document(body)
        return "push", body.decode("utf-8") if kind.startswith(_TEXT) else ""
    except (LookupError, ValueError):
        return "push", ""


def _notification(notice: bytes) -> str:
    found: dict[int, bytes] = {}
    at = 0
    with contextlib.suppress(IndexError, ValueError):
        while at < len(notice):
            field = notice[at]
            value, at = _value(notice, at + 1)
            found.setdefault(field, value)
    octets = found.get(_SIZE, b"")  # more than eight are nobody's size
    size = f", {max(1, round(int.from_bytes(octets, 'big') / 1024))} KB" if 0 < len(octets) <= 8 else ""
    sender = _text(found.get(_FROM, b"")[1:]).removesuffix("/TYPE=PLMN")  # [0]: address present or not
    subject = _text(found.get(_SUBJECT, b""))
    said = f"An MMS is waiting{f' from {sender}' if sender else ''}{size}."
    return f"{said}\nSubject: {subject}" if subject else said


def _document(octets: bytes) -> str:
    """Text and address, a line each. Raise LookupError or ValueError when they are not whole."""
    public, at = _uintvar(octets, 1)
    charset, at = _uintvar(octets, at)
    length, at = _uintvar(octets, at)
    table, links, codec = octets[at : at + length], _LINKS[public], _CHARSETS[charset]
    text, address, other = list[str](), list[str](), list[str]()
    here = text  # where a string belongs
    size = 0
    for token, string in _tokens(octets, at + length, table, codec):
        size += len(string)
        if size > _MOST:
            raise ValueError("too long")
        if token in (_STRING, _TABLE, _ENTITY, _OPAQUE):
            here.append(string)
        elif token in links:
            here = address
            here.append(links[token])
        elif token in _ENDINGS:
            here.append(_ENDINGS[token])
        else:  # behind the end of attributes or a tag with nothing but content is text; all else has an action, a date
            here = text if token == _END or token & 0xC0 == 0x40 else other
    return "\n".join(line for line in ("".join(text).strip(), "".join(address)) if line)


def _tokens(octets: bytes, at: int, table: bytes, codec: str) -> Iterator[tuple[int, str]]:
    """The tokens from `at` on, each with its string if it has one. Raise IndexError or ValueError."""
    while at < len(octets):
        token, at, string = octets[at], at + 1, ""
        if token == _STRING:
            string, at = _string(octets, at, codec)
        elif token == _TABLE:
            start, at = _uintvar(octets, at)
            string, _ = _string(table, start, codec)
        elif token == _ENTITY:
            code, at = _uintvar(octets, at)
            string = chr(min(code, 0x110000))  # a ValueError; what is still larger would be another error
        elif token == _OPAQUE:
            length, at = _uintvar(octets, at)
            at += length
            if at > len(octets):
                raise ValueError("cut off")
        yield token, string


def _string(octets: bytes, at: int, codec: str) -> tuple[str, int]:
    end = octets.index(0, at)
    return octets[at:end].decode(codec), end + 1


def _uintvar(octets: bytes, at: int) -> tuple[int, int]:
    """WSP 8.1.2: seven bits an octet, at most five octets; and where it ends."""
    number = 0
    for place in range(at, at + 5):
        number = number << 7 | octets[place] & 0x7F
        if not octets[place] & 0x80:
            return number, place + 1
    raise ValueError("uintvar without an end")


def _value(octets: bytes, at: int) -> tuple[bytes, int]:
    """One field value by its first octet (WSP 8.4.1.2), and where it ends."""
    first = octets[at]
    if first >= 0x80:
        return octets[at : at + 1], at + 1
    if first >= 0x20:
        end = octets.index(0, at)
        return octets[at:end], end + 1
    length, at = _uintvar(octets, at + 1) if first == 0x1F else (first, at + 1)
    if length > len(octets) - at:
        raise ValueError("a value longer than what is there")
    return octets[at : at + length], at + length


def _text(value: bytes) -> str:
    """An encoded string (OMA-TS-MMS-ENC 7.3): bare, or behind its length, which may be wrong, and character set."""
    if value and value[0] < 0x20:
        with contextlib.suppress(IndexError, ValueError):
            value = _value(value, 0)[0]
    if value and value[0] >= 0x80:
        value = value[1:]
    return value.lstrip(b"\x7f").rstrip(b"\0").decode("utf-8", "replace")
