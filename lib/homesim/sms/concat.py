# SPDX-License-Identifier: GPL-2.0-or-later
"""Which parts of long SMS belong together. Pure.

Sender, reference and total tell one long SMS from another (3GPP TS 23.040 9.2.3.24.1), but a sender may use
a reference again at any time, some use always the same, and parts come late, twice and in any order. The
parts of one message reach its service centre within seconds, so the SMSC time decides: parts near in time
are one message; what is left over is put together only when its time of waiting has passed. Where there is no
SMSC time, the time of receipt stands in for it.

Anybody can send thousands of parts under one key, and this costs the square of them: who calls it bounds how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from homesim.sms.message import Message, decode, read
from homesim.sms.pdu import Sms

NEAR = 120.0  # seconds between neighbouring parts of one message
FAR = 3600.0  # seconds over which leftovers are put together: beyond it is another message

Key = tuple[str, int | None, int, bool, int]  # sender, port, reference, whether that has 16 bits, total


@dataclass(frozen=True)
class Part:
    """A part of a long SMS that waits for the others."""

    name: str
    pdu: str
    received: float  # seconds since the epoch
    told: bool = False  # it has been forwarded in an incomplete message

    @cached_property
    def sms(self) -> Sms:
        return decode(self.pdu)

    @cached_property
    def seconds(self) -> float:
        return self.sms.time.timestamp() if self.sms.time else self.received

    @cached_property
    def number(self) -> int:
        return self.sms.part.number

    @cached_property
    def total(self) -> int:
        return self.sms.part.total

    @cached_property
    def key(self) -> Key:
        """What the parts of one message have in common, and perhaps those of others."""
        part = self.sms.part
        return self.sms.address, self.sms.port, part.reference, part.wide, part.total


@dataclass(frozen=True)
class Group:
    """Parts that make one message, whole or not yet."""

    parts: tuple[Part, ...]  # a part for each number there is, in order
    copies: tuple[Part, ...]  # of some of them, which the network sent again under another time
    complete: bool
    certain: bool  # complete, and all its parts are near in time

    def message(self) -> Message:
        """What they say together."""
        return read([part.pdu for part in self.parts])


_Members = dict[int, Part]  # by part number, in the order of their times


def gather(parts: Iterable[Part]) -> list[Group]:
    """Sort parts into messages. Every part is in exactly one group."""
    by_key: dict[Key, list[Part]] = {}
    for part in parts:
        by_key.setdefault(part.key, []).append(part)
    return [group for own in by_key.values() for group in _groups(_messages(own))]


def _messages(parts: Iterable[Part]) -> list[_Members]:
    """Each part with the nearest message that lacks it, or as the first of a message of its own."""
    messages: list[_Members] = []
    latest: list[_Members] = []  # that lack parts; the one with the last part is the last
    for part in sorted(parts, key=lambda part: (part.seconds, part.name)):
        nearest = None
        for members in reversed(latest):
            distance = part.seconds - _last(members).seconds
            if distance > NEAR or (nearest and distance > part.seconds - _last(nearest).seconds):
                break
            if part.number not in members:
                nearest = members
        if nearest is None:
            nearest = {}
            messages.append(nearest)
        else:
            latest.remove(nearest)
        nearest[part.number] = part
        if not _complete(nearest):
            latest.append(nearest)
    return messages


def _last(members: _Members) -> Part:
    return next(reversed(members.values()))


def _first(members: _Members) -> Part:
    return next(iter(members.values()))


def _groups(messages: Sequence[_Members]) -> list[Group]:
    """Whole messages as they are; of the rest, those that fill each other's gaps together, earliest first."""
    whole = [(members, list[Part]()) for members in messages if _complete(members)]
    rest: list[_Members] = []
    for members in messages:
        if _complete(members):
            continue
        again = next((copies for original, copies in whole if _copied(members, original)), None)
        if again is not None:
            again.extend(members.values())
        elif other := next((one for one in rest if _fills(members, one)), None):
            other.update(members)
        else:
            rest.append(dict(members))
    return [_group(members, copies, certain=True) for members, copies in whole] + [
        _group(members, (), certain=False) for members in rest
    ]


def _group(members: _Members, copies: Iterable[Part], *, certain: bool) -> Group:
    parts = tuple(part for _, part in sorted(members.items()))
    return Group(parts, tuple(copies), complete=_complete(members), certain=certain)


def _copied(members: _Members, original: _Members) -> bool:
    return all(
        part.sms.units == original[number].sms.units and _distance(original, part) <= NEAR
        for number, part in members.items()
    )


def _complete(members: _Members) -> bool:
    return len(members) == _first(members).total


def _fills(members: _Members, other: _Members) -> bool:
    disjoint = other.keys().isdisjoint(members) and not _complete(other)
    return disjoint and any(_distance(other, part) <= FAR for part in members.values())


def _distance(members: _Members, part: Part) -> float:
    return min(abs(member.seconds - part.seconds) for member in members.values())
