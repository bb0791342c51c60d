# SPDX-License-Identifier: GPL-2.0-or-later
"""One PDU, as a modem in PDU mode lists it, decoded by 3GPP TS 23.040. Pure.

`decode` takes any string and never raises: anybody in the world can send an SMS, and one that cannot be
read must reach its owner all the same. What is wrong with it is said in `Sms.damage`, for people to read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from homesim.sms.alphabet import GSM7, Alphabet, unpack
from homesim.sms.fields import PduError, Reader

Kind = Literal["sms", "silent", "voicemail", "report", "submit", "undecodable"]

_ALPHABETS: tuple[Literal["gsm7", "8bit", "ucs2"], ...] = ("gsm7", "8bit", "ucs2", "gsm7")
_WAITING = ("voicemail", "fax", "e-mail", "message")


@dataclass(frozen=True)
class Concatenation:
    """One part's place in a long SMS (TS 23.040 9.2.3.24.1 and .8), or the only one's in a short."""

    reference: int = 0
    wide: bool = False  # a 16-bit reference
    total: int = 1
    number: int = 1  # to total


@dataclass(frozen=True)
class Waiting:
    """A message waiting indication (TS 23.040 9.2.3.24.2, TS 23.038 4)."""

    what: str  # "voicemail", "fax", "e-mail", "message"
    count: int | None  # None: not said; 0: none left


# CPHS 4.2 B.4.2.1.1: an address of two "letters" says whether voicemail waits, on the first line or the second.
_CPHS = {
    bytes((4, 0xD0, first, line)): Waiting("voicemail", count)
    for first, count in ((0x10, 0), (0x11, None))
    for line in (0, 1)
}


@dataclass(frozen=True)
class Sms:
    """One TPDU. `units` are septets (one a byte) or octets, as `alphabet` says."""

    kind: Kind
    address: str = ""  # the sender; of a stored SUBMIT or a report the recipient
    time: datetime | None = None  # TP-SCTS with the service centre's zone; None: not valid
    alphabet: Alphabet = GSM7
    units: bytes = b""
    flash: bool = False  # class 0
    part: Concatenation = Concatenation()
    port: int | None = None  # destination application port
    waiting: tuple[Waiting, ...] = ()
    status: int | None = None  # TP-ST of a report
    damage: str = ""  # why it is undecodable; `units` are what there is of its text all the same


def tpdu(pdu: str) -> bytes:
    """The octets behind the service centre's address: what the SMS is, whichever way it came. Raise PduError."""
    try:
        reader = Reader(bytes.fromhex(pdu))
    except ValueError:
        raise PduError("it is not written in hexadecimal digits, two an octet") from None
    reader.take(reader.octet("length"), "service centre address")
    return reader.rest


def decode(pdu: str) -> Sms:
    """Decode a hex PDU with its leading service centre address (TS 27.005 4.1)."""
    try:
        reader = Reader(tpdu(pdu))
        first = reader.octet("first octet")
        message_type = first & 0x03
        if message_type == 0x02:
            return _report(reader, first)
        return _submit(reader, first) if message_type == 0x01 else _deliver(reader, first)
    except PduError as error:
        return Sms("undecodable", damage=str(error))


def _deliver(reader: Reader, first: int) -> Sms:
    """TS 23.040 9.2.2.1, from TP-OA on."""
    cphs = _CPHS.get(reader.rest[:4])
    address = reader.address()
    sms = Sms("sms", address="" if cphs else address)
    protocol = reader.octet("protocol identifier")
    coding = reader.octet("data coding scheme")
    sms = replace(sms, time=reader.time("time stamp"))
    sms = _user_data(sms, reader, coding, header=bool(first & 0x40))
    if sms.kind == "sms" and protocol == 0x40:  # 9.2.3.9: short message type 0
        return replace(sms, kind="silent")
    if sms.kind == "sms" and protocol == 0x5F:  # 9.2.3.9: return call message
        return _waits(sms, sms.waiting or (Waiting("return call", None),))
    if sms.kind == "sms" and cphs:
        return _waits(sms, (cphs,))
    return sms


def _submit(reader: Reader, first: int) -> Sms:
    """TS 23.040 9.2.2.2, from TP-MR on: a message that somebody stored to be sent."""
    reader.octet("message reference")
    sms = Sms("submit", address=reader.address())
    reader.octet("protocol identifier")
    coding = reader.octet("data coding scheme")
    reader.take((0, 7, 1, 7)[first >> 3 & 0x03], "validity period")
    return _user_data(sms, reader, coding, header=bool(first & 0x40))


def _report(reader: Reader, first: int) -> Sms:
    """TS 23.040 9.2.2.3, from TP-MR on. Its time is when the outcome was known."""
    reader.octet("message reference")
    address = reader.address()
    sent, settled = reader.time("time stamp"), reader.time("discharge time")
    sms = Sms("report", address=address, time=settled or sent, status=reader.octet("status"))
    indicator = reader.octet("parameter indicator") if reader.rest else 0
    if indicator & 0xFC != 0x04:  # no user data, or no indicator: a SIM's record is filled up with FF
        return sms
    if indicator & 0x01:
        reader.take(1, "protocol identifier")
    coding = reader.octet("data coding scheme") if indicator & 0x02 else 0
    told = _user_data(sms, reader, coding, header=bool(first & 0x40))
    return told if told.kind == "report" else sms


def _user_data(sms: Sms, reader: Reader, coding: int, *, header: bool) -> Sms:
    """Add what TP-DCS and TP-UD say (TS 23.038 4, TS 23.040 9.2.3.24); damage keeps the sender, and what is readable.

    What is cut off is no part of a long SMS: nothing else could take its place.
    """
    try:
        sms = _coding(sms, coding)
        length = reader.octet("text")
        septets = sms.alphabet.name == "gsm7"
        size = (length * 7 + 7) // 8 if septets else length
        octets = reader.rest[:size]
        cut = len(octets) < size
        skip = 0
        if header:
            skip = 1 + (octets[0] if octets else 0)
            if skip > len(octets) and not cut:
                raise PduError("its header is longer than its text")
            sms = _header(sms, octets[1:skip])
        units = octets[skip:]
        if septets:
            units = unpack(octets, min(length, len(octets) * 8 // 7), (skip * 8 + 6) // 7)
        if cut:
            damage = "it is cut off in its text"
            return replace(sms, kind="undecodable", units=units, part=Concatenation(), damage=damage)
        return replace(sms, units=units)
    except PduError as error:
        return replace(sms, kind="undecodable", damage=str(error))


def _coding(sms: Sms, coding: int) -> Sms:
    """TS 23.038 4. Reserved codings count as the default alphabet, as it asks of a receiver."""
    group = coding >> 4
    if group < 0x8:
        if coding & 0x20:
            raise PduError("its text is compressed")
        flash = coding & 0x13 == 0x10
        return replace(sms, alphabet=Alphabet(_ALPHABETS[coding >> 2 & 0x03]), flash=flash)
    if group == 0xF:
        return replace(sms, alphabet=Alphabet(_ALPHABETS[coding >> 2 & 0x01]), flash=coding & 0x03 == 0)
    if group >= 0xC:
        waiting = Waiting(_WAITING[coding & 0x03], None if coding & 0x08 else 0)
        return replace(_waits(sms, (waiting,)), alphabet=Alphabet("ucs2" if group == 0xE else "gsm7"))
    return sms


def _waits(sms: Sms, waiting: tuple[Waiting, ...]) -> Sms:
    return replace(sms, kind="voicemail" if sms.kind == "sms" else sms.kind, waiting=waiting)


def _header(sms: Sms, octets: bytes) -> Sms:
    """The information elements of a user data header (TS 23.040 9.2.3.24).

    Of a repeated one the last counts, but each message waiting indication, which together stand for that of the data
    coding scheme; one that is cut short is ignored, the text begins behind it all the same.
    """
    coded, sms = sms.waiting, replace(sms, waiting=())
    while len(octets) >= 2 and len(octets) >= 2 + octets[1]:
        element, length = octets[:2]
        sms = _element(sms, element, octets[2 : 2 + length])
        octets = octets[2 + length :]
    return replace(sms, waiting=sms.waiting or coded)


def _element(sms: Sms, element: int, data: bytes) -> Sms:
    match element, len(data):
        case (0x00, 3) | (0x08, 4):
            *reference, total, number = data
            wide = element == 0x08
            if 0 < number <= total:  # else the element is to be ignored, says 9.2.3.24.1
                return replace(sms, part=Concatenation(int.from_bytes(reference, "big"), wide, total, number))
        case (0x01, 2):
            return _waits(sms, (*sms.waiting, Waiting(_WAITING[data[0] & 0x03], data[1])))
        case (0x23, _):  # enhanced voice mail (9.2.3.24.13)
            return _waits(sms, (*sms.waiting, Waiting("voicemail", None)))
        case (0x04, 2):
            return replace(sms, port=data[0])
        case (0x05, 4):
            return replace(sms, port=int.from_bytes(data[:2], "big"))
        case (0x24, 1) if sms.alphabet.name == "gsm7":
            return replace(sms, alphabet=sms.alphabet.shifted(single=data[0]))
        case (0x25, 1) if sms.alphabet.name == "gsm7":
            return replace(sms, alphabet=sms.alphabet.shifted(locking=data[0]))
    return sms
