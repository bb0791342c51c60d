# SPDX-License-Identifier: GPL-2.0-or-later
"""What a HiLink stick's page answers, octet by octet, and what it understands."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from html import escape

from emulators.hilink.firmware import FIRMWARES, Firmware
from emulators.hilink.session import Refused
from emulators.hilink.store import Entry

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>'
PARENS = str.maketrans({"(": "&#40;", ")": "&#41;"})


def http(body: bytes, *, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """An error has status 200 too, and XML is said to be HTML, without a charset."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Content-Type: text/html"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def response(fields: Mapping[str, str], firmware: Firmware) -> bytes:
    glue = b"\n" if firmware.pretty else b""
    texts = {name: escape(value, quote=False).translate(PARENS) for name, value in fields.items()}
    tags = [f"<{name}>{text}</{name}>".encode() for name, text in texts.items()]
    return glue.join([HEAD, b"<response>", *tags, b"</response>"]) + glue


def raw(word: str) -> bytes:
    """A bare word: OK, or FAILED."""
    return HEAD + f"<response>{word}</response>".encode()


def error(code: int, firmware: Firmware | None = None) -> bytes:
    firmware = firmware or FIRMWARES["E3372h-320"]
    tags = [f"<code>{code}</code>".encode(), b"<message></message>"]
    glue = b"\n" if firmware.pretty else b""
    return glue.join([HEAD, b"<error>", *(reversed(tags) if firmware.message_first else tags), b"</error>"]) + glue


def messages(entries: Iterable[Entry], total: int, firmware: Firmware) -> bytes:
    """A page of a box, a tag a line on all of them; `total`: of the box."""
    lines = [HEAD, b"<response>", b"<Count>%d</Count>" % total, b"<Messages>"]
    for entry in entries:
        tags = [
            ("Smstat", b"%d" % entry.status), ("Index", b"%d" % entry.index),
            ("Phone", escape(entry.phone, quote=False).encode()), ("Content", entry.content),
            ("Date", entry.date.encode()), ("Sca", b""), ("SaveType", b"%d" % firmware.save_type),
            ("Priority", b"0"), ("SmsType", b"%d" % entry.kind),
        ]  # fmt: skip
        lines += [b"<Message>", *(b"<%s>%s</%s>" % (n.encode(), text, n.encode()) for n, text in tags), b"</Message>"]
    return b"\n".join([*lines, b"</Messages>", b"</response>", b""])


def fields(body: bytes) -> dict[str, str]:
    """A request's, in their order; what is nested loses its frame. Raise Refused for what is not XML."""
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        raise Refused(100005) from None
    if root.tag != "request":
        raise Refused(100005)
    return {element.tag: element.text or "" for element in root.iter() if len(element) == 0 and element is not root}
