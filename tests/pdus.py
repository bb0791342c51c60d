# SPDX-License-Identifier: GPL-2.0-or-later
"""SMS PDUs as a Huawei stick hands them out (AT+CMGR, AT+CMGL in PDU mode), built for the tests.

Written from 3GPP TS 23.040 (TPDUs, user data header) and TS 23.038 (alphabets), without a look at
`homesim.sms.pdu`: an encoder and a decoder from one hand agree in their mistakes. What must be wrong
on purpose (lengths, stamps, headers) has a parameter of its own; what must be cut is a slice of
the result.

Every PDU is a string of upper-case hex digits that starts with the service centre's address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Final, Literal, TypedDict, Unpack

Alphabet = Literal["gsm7", "ucs2", "8bit"]
Element = tuple[int, bytes]
"""One information element of a user data header: its identifier (IEI) and its data."""

SENDER: Final = "+491701234567"
SMSC: Final = "+491710760000"
TIME: Final = datetime(2026, 11, 22, 12, 34, 56, tzinfo=timezone(timedelta(hours=1)))

OCTETS: Final = 140
"""User data of one message, in octets: 160 septets, or 70 UCS2 code units (TS 23.040 9.2.3.24)."""

ESCAPE: Final = 0x1B

# Information element identifiers, TS 23.040 9.2.3.24.
CONCAT_8BIT: Final = 0x00
PORTS_16BIT: Final = 0x05
CONCAT_16BIT: Final = 0x08
SINGLE_SHIFT: Final = 0x24
LOCKING_SHIFT: Final = 0x25

# 128 characters each, in the order of the septets; ESC stands at 0x1B of every table and is never
# looked up as a character. Spanish has no locking table of its own (TS 23.038 A.3.2).
_DEFAULT: Final = (  # TS 23.038 6.2.1
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TURKISH: Final = (  # TS 23.038 A.3.1
    "@£$¥€éùıòÇ\nĞğ\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "İABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "çabcdefghijklmnopqrstuvwxyzäöñüà"
)
_PORTUGUESE: Final = (  # TS 23.038 A.3.3
    "@£$¥êéúíóç\nÔô\rÁáΔ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ"
    " !\"#º%&'()*+,-./0123456789:;<=>?"
    "ÍABCDEFGHIJKLMNOPQRSTUVWXYZÃÕÚÜ§"
    "~abcdefghijklmnopqrstuvwxyzãõ`üà"
)
LOCKING: Final[Mapping[int, str]] = {0: _DEFAULT, 1: _TURKISH, 2: _DEFAULT, 3: _PORTUGUESE}

_EXTENSION: Final[dict[int, str]] = {  # TS 23.038 6.2.1.1; 0x0A is the page break
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
SINGLE: Final[Mapping[int, Mapping[int, str]]] = {
    0: _EXTENSION,
    1: _EXTENSION  # Turkish, TS 23.038 A.2.1
    | {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş"},
    2: _EXTENSION  # Spanish, TS 23.038 A.2.2
    | {0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú"}
    | {0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú"},
    3: _EXTENSION  # Portuguese, TS 23.038 A.2.3
    | {0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á"}
    | {0x12: "Φ", 0x13: "Γ", 0x15: "Ω", 0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê"}
    | {0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x5B: "Ã", 0x5C: "Õ"}
    | {0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â"},
}


# --- characters -----------------------------------------------------------------------------------


def septets(text: str, *, locking: int = 0, single: int = 0) -> list[bytes]:
    """Each character of `text` as one septet, or as two: the escape and its code. One a byte.

    Raises ValueError with the character that neither table has.
    """
    plain = {char: code for code, char in enumerate(LOCKING[locking]) if code != ESCAPE}
    escaped = {char: code for code, char in SINGLE[single].items()}
    result = []
    for char in text:
        if char in plain:
            result.append(bytes([plain[char]]))
        elif char in escaped:
            result.append(bytes([ESCAPE, escaped[char]]))
        else:
            raise ValueError(f"{char!r} is not in tables {locking} and {single}")
    return result


def fits_gsm7(text: str, *, locking: int = 0, single: int = 0) -> bool:
    """Whether every character of `text` has a code in the locking or the single shift table."""
    known = set(LOCKING[locking]) - {"\x1b"} | set(SINGLE[single].values())
    return known.issuperset(text)


def pack(codes: bytes, *, fill: int = 0) -> bytes:
    """Septets (one a byte) packed into octets, lowest bit first, behind `fill` zero bits.

    TS 23.038 6.1.2.1.
    """
    value = sum(code << (fill + 7 * index) for index, code in enumerate(codes))
    return value.to_bytes((fill + 7 * len(codes) + 7) // 8, "little")


def ucs2(text: str) -> bytes:
    """UTF-16BE, lone surrogates let through: what phones send as UCS2 (TS 23.038 6.2.3)."""
    return text.encode("utf-16-be", "surrogatepass")


# --- fields ---------------------------------------------------------------------------------------

_DIGITS: Final = "0123456789*#abc"


def semi_octets(digits: str) -> bytes:
    """Digits `0-9 * # a b c`, two an octet, the first in the low half, F at the end to fill up.

    TS 23.040 9.1.2.3.
    """
    values = [_DIGITS.index(digit) for digit in digits] + [0xF] * (len(digits) % 2)
    return bytes(low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True))


def _is_number(address: str) -> bool:
    return set(address.removeprefix("+")) <= set("0123456789*#")


def address(text: str, *, toa: int | None = None) -> bytes:
    """TP-OA, TP-DA or TP-RA: length in useful semi-octets, type of address, value.

    `+` and digits is international (0x91), digits, `*` and `#` alone are unknown (0x81), all else
    is alphanumeric (0xD0: GSM 7-bit, packed). `toa` sets another type. TS 23.040 9.1.2.5.
    """
    if toa is None:
        toa = 0x91 if text.startswith("+") else 0x81 if _is_number(text) else 0xD0
    if toa & 0x70 == 0x50:
        codes = b"".join(septets(text))
        useful, value = (7 * len(codes) + 3) // 4, pack(codes)
    else:
        digits = text.removeprefix("+")
        useful, value = len(digits), semi_octets(digits)
    return bytes([useful, toa]) + value


def service_centre(number: str) -> bytes:
    """The SMSC part: length in octets with the type of address, or one zero octet for none.

    TS 24.011 8.2.5.1.
    """
    if not number:
        return b"\0"
    value = address(number)[1:]
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
    if wide:
        return CONCAT_16BIT, reference.to_bytes(2) + bytes([total, number])
    return CONCAT_8BIT, bytes([reference, total, number])


def ports(destination: int, source: int) -> Element:
    """Application ports, 16-bit. TS 23.040 9.2.3.24.4."""
    return PORTS_16BIT, destination.to_bytes(2) + source.to_bytes(2)


def shifts(locking: int, single: int) -> list[Element]:
    """The national language elements. TS 23.040 9.2.3.24.15 and 9.2.3.24.16."""
    chosen = [(SINGLE_SHIFT, single), (LOCKING_SHIFT, locking)]
    return [(iei, bytes([language])) for iei, language in chosen if language]


def choose(text: str | bytes, *, locking: int = 0, single: int = 0) -> Alphabet:
    """What a phone would take: GSM 7-bit where it fits, else UCS2; 8-bit for bytes."""
    if isinstance(text, bytes):
        return "8bit"
    return "gsm7" if fits_gsm7(text, locking=locking, single=single) else "ucs2"


def user_data(
    text: str | bytes, alphabet: Alphabet, udh: bytes = b"", *, locking: int = 0, single: int = 0
) -> tuple[int, bytes]:
    """(TP-UDL, TP-UD): the length in septets for GSM 7-bit, else in octets, header included.

    Bytes stand for themselves: septets (one a byte) for "gsm7", octets otherwise. 8-bit text is
    UTF-8. GSM 7-bit starts on the first septet boundary behind the header. TS 23.040 9.2.3.16.
    """
    if alphabet != "gsm7":
        if isinstance(text, str):
            text = ucs2(text) if alphabet == "ucs2" else text.encode()
        return len(udh) + len(text), udh + text
    if isinstance(text, str):
        text = b"".join(septets(text, locking=locking, single=single))
    taken = (8 * len(udh) + 6) // 7
    return taken + len(text), udh + pack(text, fill=7 * taken - 8 * len(udh))


_CODING: Final[Mapping[Alphabet, int]] = {"gsm7": 0x00, "8bit": 0x04, "ucs2": 0x08}


def coding(alphabet: Alphabet, message_class: int | None = None) -> int:
    """TP-DCS of the general group; class 0 is flash. TS 23.038 section 4."""
    return _CODING[alphabet] | (0 if message_class is None else 0x10 | message_class)


# --- SMS-DELIVER ----------------------------------------------------------------------------------


class DeliverOptions(TypedDict, total=False):
    """What `deliver` takes by keyword, for the functions that pass it on."""

    alphabet: Alphabet | None
    scts: str | None
    pid: int
    dcs: int | None
    message_class: int | None
    locking: int
    single: int
    toa: int | None
    first_octet: int
    udl: int | None
    trailing: bytes


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
    message_class: int | None = None,
    udh: Sequence[Element] = (),
    udh_raw: bytes | None = None,
    locking: int = 0,
    single: int = 0,
    toa: int | None = None,
    first_octet: int = 0x04,
    udl: int | None = None,
    trailing: bytes = b"",
) -> str:
    """One SMS-DELIVER (TS 23.040 9.2.2.1) in hex.

    `alphabet` None takes GSM 7-bit where the text fits, else UCS2 (8-bit for bytes); `dcs` is then
    derived from it and from `message_class`, or set freely. `locking` and `single` are national
    languages (1 Turkish, 2 Spanish, 3 Portuguese); their elements follow those of `udh`.

    For damage: `scts` is the raw stamp (14 hex digits), `udh_raw` a whole header with its UDHL,
    `toa` the type of the sender's address, `first_octet` the TP-MTI and flags
    (the UDHI bit is added when there is a header), `udl` the stated length of the user data,
    `trailing` octets behind it.
    """
    alphabet = alphabet or choose(text, locking=locking, single=single)
    head = header([*udh, *shifts(locking, single)]) if udh_raw is None else udh_raw
    length, data = user_data(text, alphabet, head, locking=locking, single=single)
    pdu = [
        service_centre(smsc),
        bytes([first_octet | (0x40 if head else 0)]),
        address(sender, toa=toa),
        bytes([pid, coding(alphabet, message_class) if dcs is None else dcs]),
        timestamp(time) if scts is None else bytes.fromhex(scts),
        bytes([length if udl is None else udl]),
        data,
        trailing,
    ]
    return b"".join(pdu).hex().upper()


def _pieces(text: str | bytes, alphabet: Alphabet, locking: int, single: int) -> Iterator[bytes]:
    """What must stay together in one part: a septet with its escape, a surrogate pair, an octet."""
    if isinstance(text, bytes):
        yield from (bytes([octet]) for octet in text)
    elif alphabet == "gsm7":
        yield from septets(text, locking=locking, single=single)
    elif alphabet == "8bit":
        yield from (char.encode() for char in text)
    else:
        yield from map(ucs2, text)


def split(pieces: Iterator[bytes], room: int) -> list[bytes]:
    """Pieces joined into as few parts as fit, each at most `room` long; at least one part."""
    parts = [b""]
    for piece in pieces:
        if len(parts[-1]) + len(piece) > room:
            parts.append(b"")
        parts[-1] += piece
    return parts


def long_sms(
    text: str | bytes | Sequence[str | bytes],
    sender: str = SENDER,
    *,
    reference: int,
    wide: bool = False,
    time: datetime = TIME,
    time_step: timedelta = timedelta(seconds=1),
    smsc: str | Sequence[str] = SMSC,
    total: int | None = None,
    before: Sequence[Element] = (),
    **options: Unpack[DeliverOptions],
) -> list[str]:
    """A concatenated SMS as its parts, in order, split like phones do (TS 23.040 9.2.3.24.1).

    Full parts, an escape stays with its character and a surrogate pair in one part; a list is taken
    as the parts themselves. `wide` makes the reference 16 bits. Each part is stamped `time_step`
    later than the one before and takes the next of several `smsc` in turn. `before` are other
    elements before the concatenation. `total` lies about the number of parts.
    """
    locking, single = options.get("locking", 0), options.get("single", 0)
    whole = "".join(part for part in _as_list(text) if isinstance(part, str))
    alphabet = options.get("alphabet")
    if alphabet is None:
        all_bytes = all(isinstance(part, bytes) for part in _as_list(text))
        alphabet = "8bit" if all_bytes else choose(whole, locking=locking, single=single)
    options["alphabet"] = alphabet

    def elements(count: int, number: int) -> list[Element]:
        return [*before, concat(reference, count, number, wide=wide)]

    if isinstance(text, str | bytes):
        room = OCTETS - len(header([*elements(1, 1), *shifts(locking, single)]))
        room = room * 8 // 7 if alphabet == "gsm7" else room
        pieces = _pieces(text, alphabet, locking, single)
        parts: Sequence[str | bytes] = split(pieces, room)
    else:
        parts = text
    centres = [smsc] if isinstance(smsc, str) else smsc
    return [
        deliver(
            part,
            sender,
            time=time + index * time_step,
            smsc=centres[index % len(centres)],
            udh=elements(len(parts) if total is None else total, index + 1),
            **options,
        )
        for index, part in enumerate(parts)
    ]


def _as_list(text: str | bytes | Sequence[str | bytes]) -> Sequence[str | bytes]:
    return [text] if isinstance(text, str | bytes) else text


# --- SMS-STATUS-REPORT and SMS-SUBMIT -------------------------------------------------------------


def status_report(
    recipient: str = SENDER,
    *,
    status: int = 0x00,
    reference: int = 1,
    sent: datetime = TIME,
    done: datetime = TIME,
    text: str | None = None,
    alphabet: Alphabet = "gsm7",
    smsc: str = SMSC,
    trailing: bytes = b"",
) -> str:
    """One SMS-STATUS-REPORT (TS 23.040 9.2.2.3) in hex.

    `status` is TP-ST (9.2.3.15): 0x00 received, 0x20 to 0x3F still trying, 0x40 to 0x7F given up.
    `sent` is TP-SCTS, `done` TP-DT. With `text` the optional part follows: TP-PI, PID, DCS, UD.
    """
    optional = b""
    if text is not None:
        length, data = user_data(text, alphabet)
        optional = bytes([0x07, 0, coding(alphabet), length]) + data
    pdu = [
        service_centre(smsc),
        bytes([0x06, reference]),
        address(recipient),
        timestamp(sent),
        timestamp(done),
        bytes([status]),
        optional,
        trailing,
    ]
    return b"".join(pdu).hex().upper()


def _validity(validity: int | bytes | datetime | None) -> tuple[int, bytes]:
    """(the TP-VPF bits of the first octet, TP-VP). TS 23.040 9.2.3.3 and 9.2.3.12."""
    match validity:
        case None:
            return 0x00, b""
        case int():
            return 0x10, bytes([validity])
        case bytes():
            return 0x08, validity
        case datetime():
            return 0x18, timestamp(validity)


def submit(
    text: str | bytes,
    destination: str = SENDER,
    *,
    validity: int | bytes | datetime | None = None,
    reference: int = 0,
    alphabet: Alphabet | None = None,
    dcs: int | None = None,
    udh: Sequence[Element] = (),
    locking: int = 0,
    single: int = 0,
    smsc: str = "",
) -> str:
    """One SMS-SUBMIT (TS 23.040 9.2.2.2) in hex, as a stick stores what was written on it.

    `validity`: none, the relative octet, the seven octets of the enhanced format, or an absolute
    time.
    """
    alphabet = alphabet or choose(text, locking=locking, single=single)
    head = header([*udh, *shifts(locking, single)])
    length, data = user_data(text, alphabet, head, locking=locking, single=single)
    flags, period = _validity(validity)
    pdu = [
        service_centre(smsc),
        bytes([0x01 | flags | (0x40 if head else 0), reference]),
        address(destination),
        bytes([0, coding(alphabet) if dcs is None else dcs]),
        period,
        bytes([length]),
        data,
    ]
    return b"".join(pdu).hex().upper()


# --- WAP push -------------------------------------------------------------------------------------

PUSH_PORT: Final = 2948
"""wap-push, WAP-259-WDP appendix A; 9200 is the WSP port that a gateway sends from."""
WSP_PORT: Final = 9200

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


def wap_push(
    body: bytes,
    content_type: bytes = SI,
    sender: str = SENDER,
    *,
    headers: bytes = b"",
    reference: int = 0xAA,
    time: datetime = TIME,
    smsc: str = SMSC,
    pid: int = 0,
    dcs: int = 0x04,
) -> list[str]:
    """A connectionless WSP Push (WAP-230-WSP 8.2.4.1) to port 2948, in as few PDUs as fit.

    `content_type` and `headers` are WSP-encoded.
    """
    described = content_type + headers
    push = b"\x01\x06" + uintvar(len(described)) + described + body
    element = ports(PUSH_PORT, WSP_PORT)
    if len(push) + len(header([element])) <= OCTETS:
        return [deliver(push, sender, udh=[element], time=time, smsc=smsc, pid=pid, dcs=dcs)]
    return long_sms(
        push,
        sender,
        reference=reference,
        time=time,
        time_step=timedelta(0),
        smsc=smsc,
        before=[element],
        pid=pid,
        dcs=dcs,
    )


def _text_string(text: str) -> bytes:
    """WSP Text-string: quoted with 0x7F where it starts above ASCII. WAP-230-WSP 8.4.2.1."""
    octets = text.encode()
    return (b"\x7f" if octets[:1] > b"\x7f" else b"") + octets + b"\0"


def _value(octets: bytes) -> bytes:
    """A value behind its Value-length. WAP-230-WSP 8.4.2.2."""
    length = bytes([len(octets)]) if len(octets) <= 30 else b"\x1f" + uintvar(len(octets))
    return length + octets


def _encoded_string(text: str) -> bytes:
    """OMA MMS Encoded-string: a plain Text-string, or UTF-8 (MIBenum 106) where it needs one."""
    return _text_string(text) if text.isascii() else _value(b"\xea" + _text_string(text))


def _long_integer(value: int) -> bytes:
    octets = value.to_bytes((value.bit_length() + 7) // 8 or 1)
    return bytes([len(octets)]) + octets


def mms_notification(
    sender: str | None = SENDER,
    *,
    size: int = 12345,
    subject: str = "",
    transaction: str = "T20261122",
    url: str = "http://mmsc.example/m/1",
    origin: str = SMSC,
    named_type: bool = True,
    reference: int = 0xAA,
    time: datetime = TIME,
    dcs: int = 0x04,
    trailing: bytes = b"",
) -> list[str]:
    """M-Notification.ind (OMA-TS-MMS-ENC 6.2) in a WSP push, as one PDU or as parts in order.

    `sender` is the From header: a number gets `/TYPE=PLMN`, None is a hidden sender (the
    insert-address token). `size` is in octets. `origin` is the SMS's own sender. `named_type`
    writes the content type as text with the application id behind it, as most centres do, else as
    its number. `trailing` are octets behind the last field.
    """
    if sender is None:
        address_value = b"\x81"
    else:
        plmn = "/TYPE=PLMN" if sender.startswith("+") else ""
        address_value = b"\x80" + _encoded_string(sender + plmn)
    body = [
        b"\x8c\x82",  # X-Mms-Message-Type: m-notification-ind
        b"\x98" + _text_string(transaction),
        b"\x8d\x92",  # X-Mms-MMS-Version: 1.2
        b"\x89" + _value(address_value),
        b"\x96" + _encoded_string(subject) if subject else b"",
        b"\x8a\x80",  # X-Mms-Message-Class: Personal
        b"\x8e" + _long_integer(size),
        b"\x88" + _value(b"\x81" + _long_integer(7 * 24 * 3600)),  # X-Mms-Expiry: in a week
        b"\x83" + _text_string(url),
        trailing,
    ]
    content_type = b"application/vnd.wap.mms-message\0" if named_type else MMS
    return wap_push(
        b"".join(body),
        content_type,
        origin,
        headers=b"\xaf\x84" if named_type else b"",  # X-Wap-Application-Id: mms.ua
        reference=reference,
        time=time,
        dcs=dcs,
    )


def service_indication(text: str, url: str) -> bytes:
    """The WBXML of an SI 1.0 document: an indication with its link and its text. WAP-167 8."""
    link = b"\x0b\x03" + url.encode() + b"\0"
    return b"\x02\x05\x6a\x00\x45\xc6" + link + b"\x01\x03" + text.encode() + b"\0\x01\x01"
