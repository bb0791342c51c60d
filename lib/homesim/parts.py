# SPDX-License-Identifier: GPL-2.0-or-later
"""Which parts of long SMS belong together. Pure.

Sender, reference and total tell one long SMS from another (3GPP TS 23.040 9.2.3.24.1), but a sender may use
a reference again at any time, some use always the same, and parts come late, twice and in any order. The
parts of one message reach its service centre within seconds, so the SMSC time decides: parts near in time
are one message; what is left over is put together only when its time of waiting has passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from homesim import pdu

NEAR = 120.0  # seconds between neighbouring parts of one message
FAR = 3600.0  # seconds over which leftovers are put together: beyond it is another message


@dataclass(frozen=True)
class Part:
    """A part of a long SMS that waits for the others."""

    name: str
    pdu: str
    received: float  # seconds since the epoch
    told: bool = False  # it has been forwarded in an incomplete message


@dataclass(frozen=True)
class Group:
    """Parts that make one message, whole or not yet."""

    parts: tuple[Part, ...]  # a part for each number there is, in order
    copies: tuple[Part, ...]  # of some of them, which the network sent again under another time
    complete: bool
    certain: bool  # complete, and all its parts are near in time


_Members = dict[int, tuple[Part, pdu.Sms]]  # by part number


def gather(parts: Iterable[Part]) -> list[Group]:
    """Sort parts into messages. Every part is in exactly one group."""
    decoded = [(part, pdu.decode(part.pdu)) for part in parts]
    by_key: dict[object, list[_Members]] = {}
    for part, sms in sorted(decoded, key=lambda pair: (_seconds(pair[1]), pair[0].name)):
        if sms.part:
            place = sms.part
            key = (sms.address, sms.port, place.reference, place.wide, place.total)
            _add(by_key.setdefault(key, []), place.number, part, sms)
    return [group for messages in by_key.values() for group in _groups(messages)]


def _add(messages: list[_Members], number: int, part: Part, sms: pdu.Sms) -> None:
    """To the nearest message that lacks it, or the first of a message of its own."""
    lacking = [members for members in messages if number not in members]
    nearest = min(lacking, key=lambda members: _distance(members, sms), default=None)
    if nearest is not None and _distance(nearest, sms) <= NEAR:
        nearest[number] = (part, sms)
    else:
        messages.append({number: (part, sms)})


def _groups(messages: list[_Members]) -> list[Group]:
    """Whole messages as they are; of the rest, those that fill each other's gaps together, earliest first."""
    whole = [(members, list[Part]()) for members in messages if _complete(members)]
    rest: list[_Members] = []
    for members in messages:
        if _complete(members):
            continue
        again = next((copies for original, copies in whole if _copied(members, original)), None)
        if again is not None:
            again.extend(part for part, _ in members.values())
        else:
            other = next((one for one in rest if _fills(members, one)), None)
            if other is None:
                rest.append(dict(members))
            else:
                other.update(members)
    return [_group(members, copies, certain=True) for members, copies in whole] + [
        _group(members, (), certain=False) for members in rest
    ]


def _group(members: _Members, copies: Iterable[Part], *, certain: bool) -> Group:
    parts = tuple(part for _, (part, _) in sorted(members.items()))
    return Group(parts, tuple(copies), complete=_complete(members), certain=certain)


def _copied(members: _Members, original: _Members) -> bool:
    return all(
        sms.units == original[number][1].units and _distance(original, sms) <= NEAR
        for number, (_, sms) in members.items()
    )


def _complete(members: _Members) -> bool:
    _, sms = next(iter(members.values()))
    return sms.part is not None and len(members) == sms.part.total


def _fills(members: _Members, other: _Members) -> bool:
    near = any(_distance(other, sms) <= FAR for _, sms in members.values())
    return near and not _complete(other) and other.keys().isdisjoint(members)


def _distance(members: _Members, sms: pdu.Sms) -> float:
    return min(abs(_seconds(member) - _seconds(sms)) for _, member in members.values())


def _seconds(sms: pdu.Sms) -> float:
    return sms.time.timestamp() if sms.time else 0.0
