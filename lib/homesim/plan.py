# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the waiting messages goes out next, and which go out with it in one. Pure but for the clock."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Container, Sequence

from homesim import message, otp, sms
from homesim.message import Draft
from homesim.spool import Entry

ALONE = 3  # up to so many waiting messages go out one by one, more are packed
ENTITIES = 100  # Telegram shows no more of one message's
FRESH = 600.0  # seconds: a code younger than this goes first, alone


def together(
    waiting: Sequence[Entry], drafts: Callable[[Entry], Sequence[Draft]], apart: Container[str]
) -> Sequence[Entry]:
    """A fresh code, or one message, or as many as fit in one; `apart` names those that go alone, in their turn.

    `waiting` is in the order of sending; `drafts` renders an entry.
    """
    for entry in waiting:
        if entry.name not in apart and _fresh_code(entry):
            return [entry]
    if len(waiting) <= ALONE:
        return waiting[:1]
    batch: list[Entry] = []
    length = entities = 0
    for entry in waiting:
        first, *more = drafts(entry)
        length += message.units(first.text) + 2
        entities += len(first.entities)
        if more or length > message.LIMIT or entities > ENTITIES or entry.name in apart or _fresh_buttons(entry):
            break
        batch.append(entry)
    return batch or waiting[:1]


@functools.lru_cache(maxsize=512)
def read(pdus: tuple[str, ...]) -> sms.Message:
    """sms.read, remembered: a backlog is looked at again for each message of it that goes out."""
    return sms.read(pdus)


@functools.lru_cache(maxsize=512)
def _has_code(pdus: tuple[str, ...]) -> bool:
    what = read(pdus)
    return what.kind == "sms" and otp.find(what.text) is not None


def _fresh_code(entry: Entry) -> bool:
    if entry.alert or not _has_code(entry.pdus):
        return False
    sent = read(entry.pdus).time
    return time.time() - (sent.timestamp() if sent else entry.received) < FRESH


def _fresh_buttons(entry: Entry) -> bool:
    """A message that is packed has no buttons."""
    return bool(entry.copy) and time.time() - entry.received < FRESH
