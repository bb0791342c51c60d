# SPDX-License-Identifier: GPL-2.0-or-later
"""One message as it is kept: what its file holds, and what its name says without opening it. Pure."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

FILE = re.compile(r"[^.#][^/]*(?<!\.json)\.json")

_KINDS: dict[str, tuple[type, ...]] = {
    "pdus": (list,),
    "alert": (str,),
    "received": (int, float),
    "told": (bool,),
    "reason": (str,),
    "copy": (list,),
}


@dataclass(frozen=True)
class Entry:
    """One message as it is kept: the PDUs as the stick gave them, or an alert's text."""

    name: str
    pdus: tuple[str, ...] = ()
    alert: str = ""
    received: float = 0.0  # seconds since the epoch, by our own clock
    told: bool = False  # parts/: forwarded in an incomplete message; new/: it completes such a one
    reason: str = ""  # failed/: what Telegram said
    copy: tuple[str, ...] = ()  # what an alert's buttons copy


def own(name: str) -> bool:
    """Whether it is a message of our own, of a call or an alert."""
    return not {"call", "alert"}.isdisjoint(name.split("-"))


def moment(name: str, received: float) -> float:
    """When an SMS was sent, in seconds since the epoch; without a valid SMSC time, and of our own, when it came."""
    with contextlib.suppress(ValueError):
        if not own(name):
            return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    return received


def order(name: str, received: float) -> tuple[bool, str, float, str]:
    """Sort by this to send: what is our own after the SMS, by second, in a second as it came."""
    return own(name), name.partition("-")[0], received, name


def content(entry: Entry) -> str:
    """What its file holds."""
    document = {key: value for key, value in asdict(entry).items() if value and key != "name"}
    return json.dumps(document, indent=1) + "\n"


def parse(name: str, content: bytes) -> Entry:
    """Raise LookupError, ValueError or AttributeError when this is no entry."""
    fields = json.loads(content)
    if not all(isinstance(value, _KINDS[key]) for key, value in fields.items()):
        raise ValueError("no entry")
    entry = Entry(name=name, **{**fields, **{key: tuple(fields.get(key, ())) for key in ("pdus", "copy")}})
    if not (entry.pdus or entry.alert) or not all(isinstance(text, str) for text in (*entry.pdus, *entry.copy)):
        raise ValueError("no message in it")
    return entry
