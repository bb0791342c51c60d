# SPDX-License-Identifier: GPL-2.0-or-later
"""SMS as the messages people sent: their identity, their parts joined, what they say. Pure.

An SMS is a PDU, or what the page of a HiLink stick tells of one; who has either asks here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, groupby, takewhile

from homesim.sms import hilink, pdu, wap

GAP = "[…]"
OWN = "own"


@dataclass(frozen=True)
class Message:
    """One message as its reader gets it."""

    kind: str  # pdu.Kind, "mms", "push", "piece" or OWN
    sender: str
    time: datetime | None
    text: str
    flash: bool = False
    missing: tuple[int, ...] = ()  # numbers of the parts that are not there
    total: int = 1
    continues: bool = False  # other parts of it were forwarded before
    copy: tuple[str, ...] = ()  # what the buttons of our own words copy


def own(text: str, copy: tuple[str, ...] = ()) -> Message:
    """Words of our own: an alert, or a call."""
    return Message(OWN, "", None, text, copy=copy)


def name(pdus: Iterable[str]) -> str:
    """The identity of a message, which is its file's name: SMSC time (UTC) and hash of what it is.

    The service centre's own address is left out: a message that the network repeats may come another way.
    """
    smses = {digest(text): decode(text).time for text in pdus}
    times = [time for time in smses.values() if time]
    return named(stamp(min(times)) if times else "00000000T000000Z", smses)


def named(begin: str, what: Iterable[str]) -> str:
    """A name that ends in a hash of `what`, in whatever order that comes."""
    return f"{begin}-{hashlib.sha256(''.join(sorted(what)).encode()).hexdigest()[:24]}"


def stamp(time: datetime) -> str:
    """How names begin, so that they sort by time. Without its Z it is a local time whose zone nobody knows."""
    return f"{time.astimezone(UTC):%Y%m%dT%H%M%SZ}" if time.tzinfo else f"{time:%Y%m%dT%H%M%S}"


def decode(text: str) -> pdu.Sms:
    """One SMS, however it was read. Never raises."""
    told = hilink.parse(text)
    return hilink.sms(told) if told else pdu.decode(text)


def digest(text: str) -> str:
    """A hash of one SMS, whichever way it came."""
    if hilink.parse(text):
        return hashlib.sha256(text.encode()).hexdigest()
    try:
        what = pdu.tpdu(text)
    except ValueError:
        what = text.upper().encode("utf-8", "surrogatepass")
    return hashlib.sha256(what).hexdigest()


def read(pdus: Sequence[str]) -> Message:
    """The message that these PDUs are: one, or the parts of a long SMS in any order, some perhaps missing."""
    smses = [decode(text) for text in pdus]
    if told := hilink.parse(pdus[0]):
        return Message(hilink.kind(told), told.phone, told.time, hilink.says(told))
    try:
        return _read(smses, pdus)
    except Exception as error:  # a bug of ours, which anybody could use to hold up all that is behind this message
        said = _undecodable(f"a bug in homesim, {type(error).__name__}", "", pdus)
        return Message("undecodable", smses[0].address, smses[0].time, said)


def _read(smses: Sequence[pdu.Sms], pdus: Sequence[str]) -> Message:
    first = smses[0]
    if first.kind == "undecodable":
        _, text = _data(first, first.units) if first.alphabet.name == "8bit" else ("", _text({1: first}, 1))
        return Message(first.kind, first.address, first.time, _undecodable(first.damage, text, pdus))
    if first.kind == "report":
        said = f"{_report(first.status or 0)}\n{first.alphabet.decode(first.units)}".strip()
        return Message(first.kind, first.address, first.time, said)
    parts, total = {sms.part.number: sms for sms in smses}, first.part.total
    missing = tuple(number for number in range(1, total + 1) if number not in parts)
    kind, text = _content(parts, total, pdus)
    times = [sms.time for sms in smses if sms.time]
    flash = any(sms.flash for sms in smses)
    return Message(kind, first.address, min(times, default=None), text, flash, missing, total)


def _content(parts: dict[int, pdu.Sms], total: int, pdus: Sequence[str]) -> tuple[str, str]:
    """What kind of message these parts are, and its text."""
    first = parts[min(parts)]
    kind, text = _octets(parts, pdus) if first.alphabet.name == "8bit" else (first.kind, _text(parts, total))
    if kind != "voicemail":
        return kind, text
    if text and not any(waiting.what in ("voicemail", "return call") for waiting in first.waiting):
        return "sms", text
    return kind, f"{' '.join(map(_waiting, first.waiting))}\n{text}".strip()


def _octets(parts: dict[int, pdu.Sms], pdus: Sequence[str]) -> tuple[str, str]:
    """Of 8-bit data. A push is read up to the first part that is missing: behind that nothing tells what is what."""
    first = parts[min(parts)]
    push = first.port == wap.PUSH_PORT
    numbers = takewhile(parts.__contains__, count(1)) if push else sorted(parts)
    data = b"".join(parts[number].units for number in numbers)
    kind, text = _data(first, data)
    if kind == "push":
        return kind, f"WAP push.\n{text}" if text else _raw("WAP push.", pdus)
    if first.port is not None and not text:
        return "undecodable", _raw(f"Data for application port {first.port}.", pdus)
    return (kind, text) if text or not data else ("undecodable", _raw("Data.", pdus))


def _data(sms: pdu.Sms, data: bytes) -> tuple[str, str]:
    """What kind of message this 8-bit data is, and what it says, "" when that cannot be read."""
    if sms.port == wap.PUSH_PORT and (push := wap.read(data)):
        return push
    return sms.kind, _printable(data) if sms.port is None else ""


def _printable(data: bytes) -> str:
    """8-bit data has no alphabet of its own (TS 23.038 4); "" when it is not plainly text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if text.replace("\n", "").replace("\r", "").isprintable() else ""


def _text(parts: dict[int, pdu.Sms], total: int) -> str:
    """The parts in order, a GAP for each run of missing ones; units are joined before they are decoded."""
    places = [parts.get(number) for number in range(1, total + 1)]
    text = ""
    for alphabet, run in groupby(places, key=lambda sms: sms.alphabet if sms else None):
        text += alphabet.decode(b"".join(sms.units for sms in run if sms)) if alphabet else GAP
    return text


def _waiting(waiting: pdu.Waiting) -> str:
    if waiting.what == "return call":
        return "Please call back."
    what = "voicemail message" if waiting.what == "voicemail" else waiting.what
    if waiting.count == 0:
        return f"No {what} is waiting any more."
    if waiting.count in (None, 1):
        return f"{'An' if what[0] in 'aeiou' else 'A'} {what} is waiting."
    return f"{waiting.count} {what}{'es' if what[-1] == 'x' else 's'} are waiting."


def _report(status: int) -> str:
    """TS 23.040 9.2.3.15: 0x00-0x1F done, 0x20-0x3F still trying, from 0x40 on given up."""
    outcome = "delivered" if status < 0x20 else "pending" if status < 0x40 else "failed"
    return f"Delivery report: {outcome} (status {status})."


def _undecodable(damage: str, text: str, pdus: Sequence[str]) -> str:
    """Why, and what is there of its text all the same, above what came."""
    if text.strip():
        return _raw(f"This SMS cannot be decoded whole: {damage}.\n{text}", pdus)
    return _raw(f"This SMS cannot be decoded: {damage}.", pdus)


def _raw(sentence: str, pdus: Sequence[str]) -> str:
    return "\n".join([sentence, *pdus])
