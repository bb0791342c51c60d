# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMS as the page of a HiLink stick tells it: no PDU, but what the stick's firmware has made of one. Pure.

It is kept, and known again, as a line of JSON where others have their PDU: all that the page says of it but its
Index, which is a slot and is used again at once. Two that are the same in all of that are told apart by `twin`.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime

from homesim.sms.alphabet import Alphabet
from homesim.sms.pdu import Sms

SINGLE, LONG, MMS = 1, 2, 5  # SmsType
REPORTS = {7: "delivered", 8: "failed"}
UNREADABLE = 0  # ours: an entry of the page that is no XML, as it stands
_NOTICE = re.compile(":?(\ufffd{4}|¾´?¯´?¯?)(dB)?")  # what the octets BE AF B4 AF 64 42 of one become
_PART = 153, 67  # characters that one part holds (TS 23.040 9.2.3.24.1), of the default alphabet and of UCS2


@dataclass(frozen=True)
class Told:
    """A `<Message>`."""

    phone: str
    date: str  # local time of the service centre, without its zone: "2026-11-20 09:30:15"
    content: str
    kind: int = SINGLE
    twin: int = 0  # how many the same stood before it in one list

    def text(self) -> str:
        """How it is kept."""
        return json.dumps(asdict(self), ensure_ascii=True, separators=(",", ":"))

    @property
    def time(self) -> datetime | None:
        """Without a zone; None: no valid one."""
        try:
            return datetime.strptime(self.date, "%Y-%m-%d %H:%M:%S")
        except ValueError:
            return None

    @property
    def mms(self) -> bool:
        """A notice that an MMS waits; the stick may have put an SMS behind it, and lost who that is from."""
        return (self.kind == MMS and not self.content.strip()) or _NOTICE.match(self.content) is not None

    @property
    def piece(self) -> bool:
        """Of a long SMS and no longer than one part: the stick has not joined it, and does not say what is missing."""
        return self.kind == LONG and len(self.content) <= _PART[not self.content.isascii()]


def parse(text: str) -> Told | None:
    """What is kept; None when it is something else, as a PDU."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
        told = Told(**found)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (told.phone, told.date, told.content)
    return told if all(isinstance(t, str) for t in texts) and isinstance(told.kind, int) else None


def sms(told: Told) -> Sms:
    """In the words of a PDU: whatever it is, it is whole."""
    units = told.content.encode("utf-16-be", "surrogatepass")
    return Sms("sms", told.phone, told.time, Alphabet("ucs2"), units)


def kind(told: Told) -> str:
    """As Message.kind."""
    if told.kind == UNREADABLE:
        return "undecodable"
    if told.kind in REPORTS:
        return "report"
    return "mms" if told.mms and not _behind(told) else "piece" if told.piece else "sms"


def says(told: Told) -> str:
    """The text for its reader."""
    if told.kind == UNREADABLE:
        return f"The stick's page shows this SMS in a way that cannot be read.\n{told.content}"
    if told.kind in REPORTS:
        return f"Delivery report: {REPORTS[told.kind]}.\n{told.content}".strip()
    if told.mms:
        return f"An MMS is waiting.\n{_behind(told)}".strip()
    return told.content


def _behind(told: Told) -> str:
    """What stands behind the octets of an MMS notice: an SMS that it has swallowed, or nothing."""
    return _NOTICE.sub("", told.content, count=1).strip() if _NOTICE.match(told.content) else told.content.strip()
