# SPDX-License-Identifier: GPL-2.0-or-later
"""SMS PDUs as a Huawei stick hands them out (AT+CMGR, AT+CMGL in PDU mode), built for the tests.

Written from 3GPP TS 23.040 (TPDUs, user data header) and TS 23.038 (packing), without a look at `homesim.sms.pdu`: an
encoder and a decoder from one hand agree in their mistakes. The tables of the alphabets are the decoder's own: the
corpus, whose PDUs were made by others or are kept as they are, has each of their characters. What must be wrong on
purpose (lengths, stamps, headers) has a parameter of its own; what must be cut is a slice of the result.

Every PDU is a string of upper-case hex digits that starts with the service centre's address.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Final, Literal

from homesim.sms.alphabet import ESCAPE, LOCKING, SINGLE

Alphabet = Literal["gsm7", "ucs2", "8bit"]
Element = tuple[int, bytes]
"""One information element of a user data header: its identifier (IEI) and its data."""

SENDER: Final = "+491701234567"
SMSC: Final = "+491710760000"
TIME: Final = datetime(2026, 11, 22, 12, 34, 56, tzinfo=timezone(timedelta(hours=1)))

OCTETS: Final = 140
"""User data of one message, in octets: 160 septets, or 70 UCS2 code units (TS 23.040 9.2.3.24)."""


# --- characters -----------------------------------------------------------------------------------


def septets(text: str, *, locking: int = 0, single: int = 0) -> list[bytes]:
    """Each character of `text` as one septet, or as two: the escape and its code. One a byte.

    Raises KeyError with the character that neither table has.
    """
    codes = {char: bytes([ESCAPE, code]) for code, char in SINGLE[single].items()}
    codes |= {char: bytes([code]) for code, char in enumerate(LOCKING[locking]) if code != ESCAPE}
    return [codes[char] for char in text]


def pack(codes: bytes, *, fill: int = 0) -> bytes:
    """Septets (one a byte) packed into octets, lowest bit first, behind `fill` zero bits.

    TS 23.038 6.1.2.1.
    """
    value = sum(code << (fill + 7 * index) for index, code in enumerate(codes))
    return value.to_bytes((fill + 7 * len(codes) + 7) // 8, "little")


def pieces(text: str | bytes, alphabet: Alphabet, *, locking: int = 0, single: int = 0) -> list[bytes]:
    """What must stay together in one part: a septet with its escape, a surrogate pair (let through alone too)."""
    if isinstance(text, bytes):
        return [bytes([octet]) for octet in text]
    if alphabet == "gsm7":
        return septets(text, locking=locking, single=single)
    return [char.encode("utf-8" if alphabet == "8bit" else "utf-16-be", "surrogatepass") for char in text]


def choose(text: str | bytes) -> Alphabet:
    """What a phone would take: GSM 7-bit where it fits, else UCS2; 8-bit for bytes."""
    if isinstance(text, bytes):
        return "8bit"
    known = {*LOCKING[0], *SINGLE[0].values()} - {"\x1b"}
    return "gsm7" if known.issuperset(text) else "ucs2"


# --- fields ---------------------------------------------------------------------------------------


def semi_octets(digits: str) -> bytes:
    """Digits `0-9 * # a b c`, two an octet, the first in the low half, F at the end to fill up.

    TS 23.040 9.1.2.3.
    """
    values = ["0123456789*#abc".index(digit) for digit in digits] + [0xF] * (len(digits) % 2)
    return bytes(low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True))


def address(text: str, *, toa: int | None = None) -> bytes:
    """TP-OA, TP-DA or TP-RA: length in useful semi-octets, type of address, value.

    `+` and digits is international (0x91), digits, `*` and `#` alone are unknown (0x81), all else
    is alphanumeric (0xD0: GSM 7-bit, packed). `toa` sets another type. TS 23.040 9.1.2.5.
    """
    digits = text.removeprefix("+")
    if toa is None:
        toa = 0xD0 if not set(digits) <= set("0123456789*#") else 0x91 if text.startswith("+") else 0x81
    if toa & 0x70 != 0x50:
        return bytes([len(digits), toa]) + semi_octets(digits)
    codes = b"".join(septets(text))
    return bytes([(7 * len(codes) + 3) // 4, toa]) + pack(codes)


def service_centre(number: str) -> bytes:
    """The SMSC part: length in octets with the type of address, or one zero octet for none.

    TS 24.011 8.2.5.1.
    """
    value = address(number)[1:] if number else b""
    return bytes([len(value)]) + value


def timestamp(time: datetime) -> bytes:
    """TP-SCTS, TP-DT or an absolute TP-VP: 7 octets, local time and zone in quarter hours.

    The zone's sign is bit 3 of its octet, the high bit of the tens digit. TS 23.040 9.2.3.11.
    """
    offset = time.utcoffset()
    assert offset is not None, "the time needs a zone"
    quarters = abs(offset) // timedelta(minutes=15)
    tens = quarters // 10 | (8 if offset < timedelta(0) else 0)
    return semi_octets(f"{time:%y%m%d%H%M%S}") + bytes([quarters % 10 << 4 | tens])


def header(elements: Sequence[Element]) -> bytes:
    """A user data header with its length octet (UDHL), or nothing. TS 23.040 9.2.3.24."""
    body = b"".join(bytes([iei, len(data)]) + data for iei, data in elements)
    return bytes([len(body)]) + body if elements else b""


def concat(reference: int, total: int, number: int, *, wide: bool = False) -> Element:
    """The concatenation element, 8-bit (9.2.3.24.1) or 16-bit (9.2.3.24.8) reference."""
    return (0x08 if wide else 0x00), reference.to_bytes(2 if wide else 1) + bytes([total, number])


def ports(destination: int, source: int) -> Element:
    """Application ports, 16-bit. TS 23.040 9.2.3.24.4."""
    return 0x05, destination.to_bytes(2) + source.to_bytes(2)


def shifts(locking: int, single: int) -> list[Element]:
    """The national language elements. TS 23.040 9.2.3.24.15 and 9.2.3.24.16."""
    return [(iei, bytes([language])) for iei, language in ((0x24, single), (0x25, locking)) if language]


def user_data(codes: bytes, alphabet: Alphabet, udh: bytes = b"") -> bytes:
    """TP-UDL and TP-UD: the length in septets for GSM 7-bit, else in octets, header included.

    `codes` are septets (one a byte) for "gsm7", which start on the first septet boundary behind the header, octets
    otherwise. TS 23.040 9.2.3.16.
    """
    if alphabet != "gsm7":
        return bytes([len(udh) + len(codes)]) + udh + codes
    taken = (8 * len(udh) + 6) // 7
    return bytes([taken + len(codes)]) + udh + pack(codes, fill=7 * taken - 8 * len(udh))


CODING: Final[dict[Alphabet, int]] = {"gsm7": 0x00, "8bit": 0x04, "ucs2": 0x08}
"""TP-DCS of the general group (TS 23.038 4)."""


# --- SMS-DELIVER ----------------------------------------------------------------------------------


def deliver(
    text: str | bytes = "",
    sender: str = SENDER,
    *,
    alphabet: Alphabet | None = None,
    time: datetime = TIME,
    scts: str | None = None,
    smsc: str = SMSC,
    pid: int = 0,
    dcs: int | None = None,
    udh: Sequence[Element] = (),
    udh_raw: bytes | None = None,
    locking: int = 0,
    single: int = 0,
    toa: int | None = None,
) -> str:
    """One SMS-DELIVER (TS 23.040 9.2.2.1) in hex.

    `alphabet` None takes GSM 7-bit where the text fits, else UCS2 (8-bit for bytes); `dcs` is then derived from it, or
    set freely. Bytes stand for themselves, as units of the alphabet. `locking` and `single` are national languages
    (1 Turkish, 2 Spanish, 3 Portuguese); their elements follow those of `udh`.

    For damage: `scts` is the raw stamp (14 hex digits), `udh_raw` a whole header with its UDHL,
    `toa` the type of the sender's address.
    """
    alphabet = alphabet or choose(text)
    head = header([*udh, *shifts(locking, single)]) if udh_raw is None else udh_raw
    pdu = [
        service_centre(smsc),
        bytes([0x44 if head else 0x04]),
        address(sender, toa=toa),
        bytes([pid, CODING[alphabet] if dcs is None else dcs]),
        timestamp(time) if scts is None else bytes.fromhex(scts),
        user_data(b"".join(pieces(text, alphabet, locking=locking, single=single)), alphabet, head),
    ]
    return b"".join(pdu).hex().upper()


def long_sms(
    text: str | bytes | Sequence[str | bytes],
    sender: str = SENDER,
    *,
    reference: int,
    time: datetime = TIME,
    time_step: timedelta = timedelta(seconds=1),
    scts: str | None = None,
    smsc: Sequence[str] = (SMSC,),
    total: int | None = None,
    before: Sequence[Element] = (),
    alphabet: Alphabet | None = None,
) -> list[str]:
    """A concatenated SMS as its parts, in order, split like phones do (TS 23.040 9.2.3.24.1).

    Full parts, an escape stays with its character and a surrogate pair in one part; a list is taken as the parts
    themselves. Each part is stamped `time_step` later than the one before and takes the next of several `smsc` in turn.
    `before` are other elements before the concatenation. `total` lies about the number of parts.
    """
    alphabet = alphabet or choose(text if isinstance(text, bytes) else "".join(map(str, text)))
    if isinstance(text, str | bytes):
        room = OCTETS - len(header([*before, concat(reference, 1, 1)]))
        parts = [b""]
        for piece in pieces(text, alphabet):
            if len(parts[-1]) + len(piece) > (room * 8 // 7 if alphabet == "gsm7" else room):
                parts.append(b"")
            parts[-1] += piece
    else:
        parts = [b"".join(pieces(part, alphabet)) for part in text]
    return [
        deliver(
            part,
            sender,
            alphabet=alphabet,
            time=time + index * time_step,
            scts=scts,
            smsc=smsc[index % len(smsc)],
            udh=[*before, concat(reference, total or len(parts), index + 1)],
        )
        for index, part in enumerate(parts)
    ]


# --- SMS-SUBMIT -----------------------------------------------------------------------------------


def submit(text: str, destination: str = SENDER) -> str:
    """One SMS-SUBMIT (TS 23.040 9.2.2.2) in hex, as a stick stores what was written on it."""
    data = user_data(b"".join(septets(text)), "gsm7")
    return (b"\0\x01\0" + address(destination) + b"\0\0" + data).hex().upper()


# --- WAP push -------------------------------------------------------------------------------------

# WSP well-known content types, as short integers (WAP-230-WSP table 40).
SI: Final = b"\xae"
SL: Final = b"\xb0"
MMS: Final = b"\xbe"


def uintvar(value: int) -> bytes:
    """Seven bits an octet, the highest first, bit 7 on all but the last. WAP-230-WSP 8.1.2."""
    octets = bytes([value & 0x7F])
    while value := value >> 7:
        octets = bytes([value & 0x7F | 0x80]) + octets
    return octets


def wap_push(body: bytes, content_type: bytes = SI) -> list[str]:
    """A connectionless WSP Push (WAP-230-WSP 8.2.4.1) to port 2948, in as few PDUs as fit.

    `content_type` is WSP-encoded, with whatever other headers are behind it.
    """
    push = b"\x01\x06" + uintvar(len(content_type)) + content_type + body
    element = ports(2948, 9200)  # wap-push, WAP-259-WDP appendix A; the WSP port that a gateway sends from
    if len(push) + len(header([element])) <= OCTETS:
        return [deliver(push, udh=[element])]
    return long_sms(push, reference=0xAA, time_step=timedelta(0), before=[element])


def service_indication(text: str, url: str) -> bytes:
    """The WBXML of an SI 1.0 document: an indication with its link and its text. WAP-167 8."""
    link = b"\x0b\x03" + url.encode() + b"\0"
    return b"\x02\x05\x6a\x00\x45\xc6" + link + b"\x01\x03" + text.encode() + b"\0\x01\x01"
