# SPDX-License-Identifier: GPL-2.0-or-later
"""What a WAP service indication or service loading says: a text and an address. Pure.

Anybody can send one. So its document is walked once from its front to its end, and what is not as it should be,
or longer than any reader wants, says nothing.

Sources: WAP-192-WBXML (5 the document, 7 its global tokens), WAP-167-ServiceInd (8), WAP-168-ServiceLoad (8).
"""

from __future__ import annotations

from collections.abc import Iterator

from homesim.sms import wap

_BINARY = (b"\xae", b"application/vnd.wap.sic", b"\xb0", b"application/vnd.wap.slc")
# text/vnd.wap.si, text/vnd.wap.sl, text/plain by their numbers (WAP-230-WSP table 40); the others by name.
_TEXT = (b"\xad", b"\xaf", b"\x83", b"text/", b"application/vnd.wap.si", b"application/vnd.wap.sl")
_CHARSETS = {0: "utf-8", 3: "utf-8", 4: "latin-1", 106: "utf-8"}  # by MIBenum: not said, US-ASCII, ISO 8859-1, UTF-8

_END, _ENTITY, _STRING, _TABLE, _OPAQUE = 0x01, 0x02, 0x03, 0x83, 0xC3
_FIRST = 0x05  # no document of the two kinds has a tag or an attribute below it
_TAG, _ATTRIBUTES, _CONTENT = 0x3F, 0x80, 0x40  # a tag, and whether it has these
_LINKS = {  # what the attribute that is the address begins with, by the document's public identifier
    0x05: {0x0B: "", 0x0C: "http://", 0x0D: "http://www.", 0x0E: "https://", 0x0F: "https://www."},
    0x06: {0x08: "", 0x09: "http://", 0x0A: "http://www.", 0x0B: "https://", 0x0C: "https://www."},
}
_ENDINGS = {0x85: ".com/", 0x86: ".edu/", 0x87: ".net/", 0x88: ".org/"}
_MOST = 4096  # characters: a string of the table can be told again and again


def said(push: bytes) -> str:
    """The lines that a WSP push PDU has for its reader; "" when it is no such document, or damaged."""
    try:
        kind, body = wap.content_type(push).lower(), wap.body(push)
        if kind in _BINARY:
            return "\n".join(line for line in _document(body) if line)
        return body.decode("utf-8") if kind.startswith(_TEXT) else ""
    except (LookupError, ValueError):
        return ""


def _document(octets: bytes) -> tuple[str, str]:
    """Text and address. Raise LookupError or ValueError when this is no whole document of the two kinds."""
    public, at = wap.uintvar(octets, 1)
    charset, at = wap.uintvar(octets, at)
    length, at = wap.uintvar(octets, at)
    table, links, codec = octets[at : at + length], _LINKS[public], _CHARSETS[charset]
    text, address, other = list[str](), list[str](), list[str]()
    here = text  # where a string belongs
    depth, attributes, size = 0, False, 0
    for token, string in _tokens(octets, at + length, table, codec):
        size += len(string)
        if size > _MOST:
            raise ValueError("too long")
        inside = depth or attributes
        if token in (_STRING, _TABLE, _ENTITY, _OPAQUE) and inside:
            here.append(string)
        elif token == _END and inside:
            depth, attributes, here = depth if attributes else depth - 1, False, text
        elif attributes and token in links:
            here = address
            here.append(links[token])
        elif attributes and token in _ENDINGS:
            here.append(_ENDINGS[token])
        elif attributes and _FIRST <= token <= _TAG:
            here = other  # an action, an id, a date
        elif not attributes and token & _TAG >= _FIRST:
            depth, attributes = depth + bool(token & _CONTENT), bool(token & _ATTRIBUTES)
            here = other if attributes else text
        else:
            raise ValueError("no such token")
        if not depth and not attributes:
            return "".join(text).strip(), "".join(address)
    raise ValueError("cut off")


def _tokens(octets: bytes, at: int, table: bytes, codec: str) -> Iterator[tuple[int, str]]:
    """The tokens from `at` on, each with its string if it has one. Raise IndexError or ValueError."""
    while at < len(octets):
        token, at, string = octets[at], at + 1, ""
        if token == _STRING:
            string, at = _string(octets, at, codec)
        elif token == _TABLE:
            start, at = wap.uintvar(octets, at)
            string, _ = _string(table, start, codec)
        elif token == _ENTITY:
            code, at = wap.uintvar(octets, at)
            string = chr(min(code, 0x110000))  # a ValueError; what is still larger would be another error
        elif token == _OPAQUE:
            length, at = wap.uintvar(octets, at)
            at += length
        yield token, string


def _string(octets: bytes, at: int, codec: str) -> tuple[str, int]:
    end = octets.index(0, at)
    return octets[at:end].decode(codec), end + 1
