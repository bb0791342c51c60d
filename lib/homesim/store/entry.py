# SPDX-License-Identifier: GPL-2.0-or-later
"""One message as it is kept: what its file holds, what it says, and what its name tells without opening it. Pure."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from homesim.sms import message
from homesim.sms.concat import Part
from homesim.sms.message import Message
from homesim.store import records

FILE = re.compile(r"[^.#][^/]*(?<!\.json)\.json")


@dataclass(frozen=True)
class Entry:
    """One message as it is kept: the PDUs as the stick gave them, or an alert's text. Its keys are its file's."""

    name: str
    pdus: tuple[str, ...] = ()
    alert: str = ""
    received: float = 0.0  # seconds since the epoch, by our own clock
    told: bool = False  # parts/: forwarded in an incomplete message; new/: it completes such a one
    reason: str = ""  # failed/: what Telegram said
    copy: tuple[str, ...] = ()  # what an alert's buttons copy

    def message(self) -> Message:
        """What it says, whatever it is kept as."""
        if self.alert:
            return message.own(self.alert, self.copy)
        return replace(message.read(self.pdus), continues=self.told)

    def part(self) -> Part | None:
        """What may be joined with others; None when it is no SMS by its PDU."""
        return Part(self.name, self.pdus[0], self.received, self.told) if self.pdus else None


class Place(NamedTuple):
    """Sort by this to send: what is our own after the SMS, by second, in a second as it came."""

    own: bool
    second: str  # as names begin
    received: float
    name: str


def place(name: str, received: float) -> Place:
    second = name.partition("-")[0]
    if not second.endswith("Z"):  # a time without a zone says not when that was
        second = message.stamp(datetime.fromtimestamp(received, UTC))
    return Place(own(name), second, received, name)


def own(name: str) -> bool:
    """Whether it is a message of our own, of a call or an alert."""
    return not {"call", "alert"}.isdisjoint(name.split("-"))


def moment(name: str, received: float) -> float:
    """When an SMS was sent, in seconds since the epoch; without a valid SMSC time, and of our own, when it came."""
    with contextlib.suppress(ValueError):
        if not own(name):
            return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    return received


def content(entry: Entry) -> str:
    """What its file holds."""
    document = {key: value for key, value in records.to(entry).items() if value and key != "name"}
    return json.dumps(document, indent=1) + "\n"


def parse(name: str, content: bytes) -> Entry | None:
    """None when there is no message in it."""
    entry = records.of(Entry, {**(records.read(dict, content) or {}), "name": name})
    return entry if entry and (entry.pdus or entry.alert) else None
