# SPDX-License-Identifier: GPL-2.0-or-later
"""What a WAP push is, and above all what it says of an MMS that waits. Pure.

Sources: WAP-230-WSP (8.2.4.1 push, 8.4 header encoding), OMA-TS-MMS-ENC (6.2 M-Notification.ind, 7.3 fields).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

PUSH_PORT = 2948  # WDP port of connectionless push, WAP-259-WDP appendix B

_NOTIFICATION = b"\x8c\x82"  # X-Mms-Message-Type: m-notification-ind
_FROM, _SIZE, _SUBJECT = 0x89, 0x8E, 0x96


@dataclass(frozen=True)
class MmsNotification:
    """An MMS waits at the operator's server."""

    sender: str = ""
    subject: str = ""
    size: int | None = None  # octets


def is_push(data: bytes) -> bool:
    """Whether this is a WSP push PDU (8.2.4.1) with all of its headers."""
    try:
        length, at = uintvar(data, 2)
    except (IndexError, ValueError):
        return False
    return data[1] == 0x06 and 0 < length <= len(data) - at


def notification(push: bytes) -> MmsNotification | None:
    """The MMS notification in a WSP push PDU; None when it is another push."""
    content = body(push)
    return _fields(content) if content.startswith(_NOTIFICATION) else None


def body(push: bytes) -> bytes:
    """What a WSP push PDU carries."""
    length, at = uintvar(push, 2)
    return push[at + length :]


def content_type(push: bytes) -> bytes:
    """Of a WSP push PDU, encoded as it is (8.4.2.24) but for its parameters. Raise IndexError or ValueError."""
    _, at = uintvar(push, 2)
    kind, _ = _value(push, at)
    return _value(kind, 0)[0] if push[at] < 0x20 else kind


def _fields(notice: bytes) -> MmsNotification:
    """What is cut short, or no field, spoils none before it."""
    found: dict[int, bytes] = {}
    at = 0
    with contextlib.suppress(IndexError, ValueError):
        while at < len(notice):
            field = notice[at]
            value, at = _value(notice, at + 1)
            found.setdefault(field, value)
    size = found.get(_SIZE, b"")
    return MmsNotification(
        sender=_text(found.get(_FROM, b"")[1:]).removesuffix("/TYPE=PLMN"),  # [0]: address present or not
        subject=_text(found.get(_SUBJECT, b"")),
        size=int.from_bytes(size, "big") if 0 < len(size) <= 8 else None,  # what is longer is nobody's size
    )


def uintvar(octets: bytes, at: int) -> tuple[int, int]:
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
    length, at = uintvar(octets, at + 1) if first == 0x1F else (first, at + 1)
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
