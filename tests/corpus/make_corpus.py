# SPDX-License-Identifier: GPL-2.0-or-later
"""What can lie on a stick, and what a person must get of it: writes corpus.json.

    python3 tests/corpus/make_corpus.py             write tests/corpus/corpus.json
    python3 tests/corpus/make_corpus.py --check     only say whether it is up to date (exit code 1: not)

A case is a name, why it is here, the PDUs in the order they are found, and the messages to be had,
in the order of their times. The rules that decide where the specifications leave room:

- `kind`: sms, voicemail, report, mms, push, submit, silent, undecodable.
- `sender`: `+` for international numbers, otherwise the digits or the name; "" when there is none.
- `time`: the service centre's, in its own zone; for a report that of the outcome (TP-DT: the stamp
  of the message reported on can be days old, and is the same for "pending" and "delivered"); for a
  long message that of its earliest part; null when it is no date, or the PDU has none (SUBMIT).
- `text`: exact, no control character dropped. A voicemail, report or silent SMS has one only when
  the PDU carries user text. A message waiting indication of another kind (fax, mail, other) is a
  plain sms when it carries text, and counts as voicemail when not.
- An undecodable message is forwarded as its PDU. Its sender and time are there when all of the PDU
  before the user data is in order, and so is as much of its text as came.
- `says`: words that must stand in a message that is told in words of our own. A push that says
  nothing is forwarded as its PDUs.
- `missing`: the numbers of the parts that did not come; each run of them is one GAP in the text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any, Final, NotRequired, TypedDict

import pdus
from pdus import SENDER, TIME, concat, deliver, long_sms, ports, status_report, submit

CORPUS: Final = Path(__file__).with_name("corpus.json")
GAP: Final = "[…]"
ALPHABETS: Final[tuple[pdus.Alphabet, ...]] = ("gsm7", "ucs2", "8bit")
LATER: Final = TIME + timedelta(minutes=10)


class Message(TypedDict):
    """One message as a person gets it."""

    kind: str
    sender: str
    time: str | None
    text: NotRequired[str]
    flash: NotRequired[bool]
    missing: NotRequired[list[int]]
    mms: NotRequired[dict[str, str | int]]
    status: NotRequired[str]
    says: NotRequired[list[str]]


class Case(TypedDict):
    """One case of the corpus."""

    name: str
    why: str
    pdus: list[str]
    expect: list[Message]


def message(
    kind: str, text: str | None = None, sender: str = SENDER, time: datetime | None = TIME
) -> Message:
    """A message of any kind."""
    result = Message(kind=kind, sender=sender, time=time.isoformat() if time else None)
    if text is not None:
        result["text"] = text
    return result


def sms(
    text: str,
    sender: str = SENDER,
    time: datetime | None = TIME,
    *,
    flash: bool = False,
    missing: Sequence[int] = (),
) -> Message:
    """A plain SMS."""
    result = message("sms", text, sender, time)
    if flash:
        result["flash"] = True
    if missing:
        result["missing"] = list(missing)
    return result


def undecodable(
    sender: str = "", time: datetime | None = None, text: str | None = None
) -> Message:
    """What is forwarded as its PDU; by default nothing else of it is readable."""
    return message("undecodable", text, sender, time)


def told(kind: str, *says: str, sender: str = SENDER, time: datetime = TIME) -> Message:
    """What is told in words of our own, among which these must be."""
    result = message(kind, None, sender, time)
    result["says"] = list(says)
    return result


def mms(
    sender: str, size: int, subject: str, origin: str = pdus.SMSC, time: datetime = TIME
) -> Message:
    """An MMS that waits at its centre, announced by `origin`."""
    result = message("mms", None, origin, time)
    result["mms"] = {"sender": sender, "size": size, "subject": subject}
    return result


def report(
    status: str, recipient: str = SENDER, time: datetime = TIME, *, text: str | None = None
) -> Message:
    """The outcome of an SMS that was sent from this SIM."""
    result = message("report", text, recipient, time)
    result["status"] = status
    return result


def case(name: str, why: str, found: str | Iterable[str], *expect: Message) -> Case:
    """A case from its PDUs (or the only one) and the messages expected."""
    return Case(
        name=name,
        why=why,
        pdus=[found] if isinstance(found, str) else list(found),
        expect=list(expect),
    )


def plain(name: str, why: str, text: str, sender: str = SENDER, **options: Any) -> Case:
    """One SMS that must arrive as it was encoded."""
    return case(name, why, deliver(text, sender, **options), sms(text, sender))


def seconds(count: int) -> datetime:
    """The time of the `count`th of several messages."""
    return TIME + timedelta(seconds=count)


# --- GSM 7-bit ------------------------------------------------------------------------------------

DIGITS: Final = "1234567890" * 16


def gsm7() -> Iterator[Case]:
    """The default alphabet and its packing."""
    table = pdus.LOCKING[0].replace("\x1b", "")
    yield plain("gsm7-every-septet", "all of TS 23.038 6.2.1, CR and LF and @ included", table)
    yield plain(
        "gsm7-every-extension",
        "each takes two septets; libgammu leaves junk behind them (TS 23.038 6.2.1.1)",
        "\f^{}\\[~]|€",
    )
    for length in (0, 1, 7, 8, 9, 153, 159, 160):
        why = "the packing's boundaries: UDL counts septets, not octets (TS 23.040 9.2.3.16)"
        yield plain(f"gsm7-length-{length}", why, DIGITS[:length])
    why = "7 septets leave 7 spare bits, which read as an eighth septet are '@'"
    yield plain("gsm7-seven-no-at", why, "Seven77")
    yield plain("gsm7-final-at", "'@' is septet 0 and no padding: it stays at the end", "1234567@")
    yield plain("gsm7-only-at", "all octets are zero and yet a text", "@@@@@@@@")
    yield plain("gsm7-160-final-at", "the same in a full message", DIGITS[:159] + "@")
    why = "CR fills the last septet of USSD and cell broadcast only (TS 23.038 6.1.2.3)"
    yield plain("gsm7-final-cr", why, "1234567\r")
    yield plain("gsm7-crlf", "line ends stay what they were", "one\r\ntwo\nthree\rfour")
    why = "80 characters of two septets fill a message; UDL is 160"
    yield plain("gsm7-80-euros", why, "€" * 80)
    yield case(
        "gsm7-spare-bits-set",
        "the bits behind the last septet have no meaning",
        deliver("hello")[:-2] + "FE",
        sms("hello"),
    )
    yield from escapes()


def escapes() -> Iterator[Case]:
    """Escapes that no extension table defines, TS 23.038 6.2.1.1."""
    known = set(pdus.SINGLE[0]) | {0x0D, pdus.ESCAPE}
    unknown = [code for code in range(128) if code not in known]
    for name, codes in (("low", unknown[:59]), ("high", unknown[59:])):
        septets = bytes(chain.from_iterable((pdus.ESCAPE, code) for code in codes))
        yield case(
            f"gsm7-unknown-escapes-{name}",
            "an escaped code without a symbol shows as in the main table (TS 23.038 6.2.1.1)",
            deliver(septets, alphabet="gsm7"),
            sms("".join(pdus.LOCKING[0][code] for code in codes)),
        )
    yield case(
        "gsm7-escape-escape",
        "reserved for another extension table: a space (TS 23.038 6.2.1.1 note 1)",
        deliver(b"a\x1b\x1beb", alphabet="gsm7"),
        sms("a eb"),
    )
    yield case(
        "gsm7-final-escape",
        "an escape with nothing behind it shows as a space (TS 23.038 6.2.1 note 1)",
        deliver(b"abc\x1b", alphabet="gsm7"),
        sms("abc "),
    )


# --- national languages ---------------------------------------------------------------------------

LANGUAGES: Final = {1: "turkish", 2: "spanish", 3: "portuguese"}


def national() -> Iterator[Case]:
    """National language tables, TS 23.038 annex A and TS 23.040 9.2.3.24.15 and .16."""
    for language, name in LANGUAGES.items():
        why = "every character of the locking table, which replaces the default alphabet"
        if name == "spanish":
            why = "Spanish has no locking table: the default alphabet (TS 23.038 A.3.2)"
        table = pdus.LOCKING[language].replace("\x1b", "")
        yield plain(f"{name}-locking", why, table, locking=language)
        why = "every code of the single shift table, which replaces the extension table"
        septets = bytes(chain.from_iterable((0x1B, code) for code in pdus.SINGLE[language]))
        yield case(
            f"{name}-single",
            why,
            deliver(septets, alphabet="gsm7", single=language),
            sms("".join(pdus.SINGLE[language].values())),
        )
    why = "a real text; without the tables it reads 'Dogrulama' or 'Do¹grulama'"
    text = "Doğrulama kodunuz: 482913. Kimseyle paylaşmayın! İyi günler"
    yield plain("turkish-code-single", why, text, single=1)
    yield plain("turkish-code-locking", "the same in one septet each", text, locking=1)
    yield plain(
        "turkish-code-both",
        "both elements: the locking table first",
        text + " {1}",
        locking=1,
        single=1,
    )
    text = "Su código es 482913. ¿Está de acuerdo? Llame al 900 123 456, señor Núñez"
    yield plain("spanish-code", "í, ó, ú and á are single shifts", text, single=2)
    text = "Você não pediu? O código é 482913: só use na aplicação"
    yield plain("portuguese-code", "the locking table moves Δ, Σ and the brackets", text, locking=3)
    why = "locking and single of different languages (TS 23.038 6.2.1.2.4)"
    yield plain("portuguese-locking-spanish-single", why, "ção ~ ∞ áéíóú {€}", locking=3, single=2)
    yield plain("turkish-locking-portuguese-single", why, "ğış ãõâ ΦΓΩ €", locking=1, single=3)
    yield plain("portuguese-locking-turkish-single", why, "ªº∞ ŞşĞğİı", locking=3, single=1)
    yield case(
        "turkish-locking-unknown-escape",
        "an unknown escaped code shows as in the locking table (TS 23.038 6.2.1.2.1)",
        deliver(b"\x1b\x04\x1b\x0b\x1b\x60", alphabet="gsm7", locking=1),
        sms("€Ğç"),
    )
    yield case(
        "turkish-single-unknown-escape",
        "the single shift table has no 'A': the main one's",
        deliver(b"\x1bA\x1bS\x1be", alphabet="gsm7", single=1),
        sms("AŞ€"),
    )
    yield from national_elements()


def national_elements() -> Iterator[Case]:
    """The elements that choose the tables."""
    yield case(
        "language-reserved",
        "an unknown language is ignored: the default tables (TS 23.040 9.2.3.24.15)",
        deliver(
            "@èìò Øø Ææ {€}", udh=[(pdus.LOCKING_SHIFT, b"\x7f"), (pdus.SINGLE_SHIFT, b"\x7f")]
        ),
        sms("@èìò Øø Ææ {€}"),
    )
    for language in range(4, 14):
        yield case(
            f"language-{language}",
            "a language of India, whose tables are not here: the default ones (TS 23.038 C.2, C.3)",
            deliver(
                "Kod 482913 {€}",
                udh=[
                    (pdus.LOCKING_SHIFT, bytes([language])),
                    (pdus.SINGLE_SHIFT, bytes([language])),
                ],
            ),
            sms("Kod 482913 {€}"),
        )
    yield case(
        "language-single-here",
        "each on its own: Hindi's locking table is not here, Turkish's single shifts are",
        deliver("Şifre: ğ", udh=[(pdus.LOCKING_SHIFT, b"\x06")], single=1),
        sms("Şifre: ğ"),
    )
    yield case(
        "language-locking-here",
        "and the other way round",
        deliver("Şifre: ğ€", udh=[(pdus.SINGLE_SHIFT, b"\x06")], locking=1),
        sms("Şifre: ğ€"),
    )
    yield case(
        "language-twice",
        "of an element that may not repeat the last one counts (TS 23.040 9.2.3.24)",
        deliver("ğış", udh=[(pdus.LOCKING_SHIFT, b"\x03")], locking=1),
        sms("ğış"),
    )
    yield case(
        "language-with-ucs2",
        "language elements mean nothing outside GSM 7-bit (TS 23.040 9.2.3.24.15)",
        deliver("Ωş~", alphabet="ucs2", locking=1, single=1),
        sms("Ωş~"),
    )


# --- UCS2 -----------------------------------------------------------------------------------------


def ucs2() -> Iterator[Case]:
    """UCS2, in truth UTF-16 (TS 23.038 6.2.3)."""
    texts = {
        "tilde": ("libgammu doubles '~' and cuts the end off", "~ code 482913 ~~"),
        "all-tildes": ("libgammu keeps half of it", "~" * 70),
        "latin": ("plain letters in two octets each", "Grüße aus Łódź"),
        "cyrillic": ("70 characters fill a message", ("Код подтверждения: 482913. " * 3)[:70]),
        "chinese": ("no spaces to split at", "您的验证码是482913，五分钟内有效。"),
        "emoji": ("four octets, a surrogate pair", "Danke 😀 bis gleich 🚲"),
        "zwj": ("a family is seven code points and must stay one", "👨‍👩‍👧‍👦 👩🏽‍💻 🏳️‍🌈"),
        "flags": ("two regional indicators each", "🇩🇪🇹🇷🇵🇹"),
        "hebrew": ("right to left", "קוד האימות שלך: 482913"),
        "arabic": ("right to left, with its own digits", "رمز التحقق ٤٨٢٩١٣"),
        "combining": ("decomposed characters are not composed", "e\u0301 n\u0303 A\u030a"),
        "nul": ("U+0000 is a character here", "before\0after"),
        "final-nul": ("and stays at the end", "abc\0"),
        "bom": ("there is no byte order mark in UCS2: U+FEFF stays", "\ufeffabc"),
        "swapped-bom": ("and U+FFFE swaps nothing", "\ufffeabc"),
        "noncharacter": ("U+FFFF and U+10FFFF are carried", "a\uffffb\U0010ffff"),
        "private-use": ("carriers' own emoji", "\ue001\uf8ff"),
        "spaces": ("odd spaces and a zero width one", "a\u00a0b\u2003c\u200bd\u2028e"),
        "controls": ("C0 and C1 controls stay", "\x01\x07\x1b\x7f\x85\x9f"),
    }
    for name, (why, text) in texts.items():
        yield plain(f"ucs2-{name}", why, text, alphabet="ucs2")
    yield plain("ucs2-empty", "no user data at all", "", alphabet="ucs2")
    damaged = {
        "odd": (
            "the last character is half there; libgammu reads past it",
            b"\0a\0b\0",
            "ab\ufffd",
        ),
        "one-octet": ("nothing but half a character", b"\x04", "\ufffd"),
        "lone-high": ("half of a pair; encoding it raises", b"\0a\xd8\x3d\0b", "a\ufffdb"),
        "lone-low": ("the other half", b"\0a\xde\x00\0b", "a\ufffdb"),
        "final-high": ("cut off at the end of a message", b"\0a\xd8\x3d", "a\ufffd"),
        "swapped-pair": ("low before high is no pair", b"\xde\x00\xd8\x3d", "\ufffd\ufffd"),
        "high-before-pair": ("only the first is alone", b"\xd8\x3d\xd8\x3d\xde\x00", "\ufffd😀"),
        "high-odd": ("half a pair, and half a character", b"\xd8\x3d\xde", "\ufffd\ufffd"),
    }
    for name, (why, data, text) in damaged.items():
        yield case(f"ucs2-{name}", why, deliver(data, alphabet="ucs2"), sms(text))


# --- data coding schemes --------------------------------------------------------------------------


def coding_groups() -> Iterator[Case]:
    """Every group of TP-DCS, TS 23.038 section 4."""
    text = "DCS [€]"
    gsm7_codes = {
        "general group": (0x01, 0x02, 0x03, 0x11, 0x12, 0x13),
        "automatic deletion group": (0x40, 0x51, 0x52, 0x53),
        "reserved alphabet, so GSM 7-bit": (0x0C, 0x0F, 0x4C),
        "reserved group, so GSM 7-bit whatever its lower bits": (
            0x80,
            0x84,
            0x88,
            0x90,
            0xA8,
            0xBF,
        ),
        "class group; only bit 2 chooses the alphabet": (0xF1, 0xF2, 0xF3, 0xF9, 0xFB),
    }
    for group, codes in gsm7_codes.items():
        for dcs in codes:
            yield plain(f"dcs-{dcs:02X}", f"{group} (TS 23.038 4)", text, alphabet="gsm7", dcs=dcs)
    for dcs in (0x09, 0x0B, 0x19, 0x1A, 0x1B, 0x48, 0x59):
        yield plain(f"dcs-{dcs:02X}", "UCS2 (TS 23.038 4)", "DCS Ж~", alphabet="ucs2", dcs=dcs)
    for dcs in (0x04, 0x07, 0x15, 0x17, 0x44, 0xF5, 0xF6, 0xFD):
        why = "8-bit data that reads as text (TS 23.038 4)"
        yield plain(f"dcs-{dcs:02X}", why, "8-bit text", alphabet="8bit", dcs=dcs)
    flash: dict[int, pdus.Alphabet] = {
        0x10: "gsm7",
        0x18: "ucs2",
        0x14: "8bit",
        0x50: "gsm7",
        0x58: "ucs2",
        0xF0: "gsm7",
        0xF4: "8bit",
    }
    for dcs, alphabet in flash.items():
        yield case(
            f"dcs-{dcs:02X}-flash",
            "class 0: shown at once, kept nowhere (TS 23.038 4)",
            deliver("Flash!", alphabet=alphabet, dcs=dcs),
            sms("Flash!", flash=True),
        )
    for dcs in (0x20, 0x28, 0x30, 0x3B, 0x60, 0x7B):
        yield case(
            f"dcs-{dcs:02X}-compressed",
            "compressed by TS 23.042; libgammu gives up and cannot delete it either",
            deliver(bytes.fromhex("C4E2A1B37F"), dcs=dcs),
            undecodable(SENDER, TIME),
        )
    yield from octet_data()


def octet_data() -> Iterator[Case]:
    """8-bit data without a port that we know."""
    texts = {
        "utf8": ("UTF-8 is what senders of 8-bit text use", "Grüße – 482913 ✓ 😀"),
        "empty": ("no octets, so an empty text", ""),
    }
    for name, (why, text) in texts.items():
        yield plain(f"8bit-{name}", why, text, alphabet="8bit")
    unreadable = {
        "binary": ("neither UTF-8 nor printable", "00FF10E302"),
        "latin1": ("a guess at other charsets could be wrong", "4772FCDF65"),
        "controls": ("UTF-8, but not printable", "616263000102"),
        "cut-utf8": ("a character is cut in half", "4772C3"),
    }
    for name, (why, data) in unreadable.items():
        found = deliver(bytes.fromhex(data), alphabet="8bit")
        yield case(f"8bit-{name}", why, found, undecodable(SENDER, TIME))
    yield case(
        "8bit-other-port",
        "a ringtone for port 5505 (Smart Messaging): nothing to read",
        deliver(bytes.fromhex("024A3A51D19591BDCDCD0400"), udh=[ports(5505, 0)]),
        undecodable(SENDER, TIME),
    )
    yield case(
        "8bit-sim-download",
        "a command for the SIM (PID 0x7F, TS 23.048): nothing to read",
        deliver(
            bytes.fromhex("00101502190A1EB0000000000000"), pid=0x7F, dcs=0xF6, udh=[(0x70, b"")]
        ),
        undecodable(SENDER, TIME),
    )
    yield case(
        "gsm7-with-port",
        "text for an application is still text (TS 23.040 9.2.3.24.4)",
        deliver("482913 is your code", udh=[ports(16000, 0)]),
        sms("482913 is your code"),
    )
    yield case(
        "gsm7-with-8bit-port",
        "the same by 8-bit addresses (TS 23.040 9.2.3.24.3)",
        deliver("482913 is your code", udh=[(pdus.PORTS_8BIT, b"\xf0\xf0")]),
        sms("482913 is your code"),
    )


# --- addresses ------------------------------------------------------------------------------------


def names() -> Iterator[Case]:
    """Alphanumeric senders, TS 23.040 9.1.2.5."""
    for length in range(1, 12):
        why = f"{length} septets; the length counts semi-octets"
        yield plain(f"name-{length}", why, "Hello", "ABCDEFGHIJK"[:length])
    senders = {
        "at": ("septet 0 is no end; libgammu shows 'A'", "A@B-Bank"),
        "first-at": ("the same in front", "@home"),
        "final-at": ("and at the end, where 6 septets leave no doubt", "ABCDE@"),
        "dollar": ("libgammu leaves the septet 0x02", "Ca$h"),
        "brackets": ("two septets each; libgammu leaves the escape", "[A]{B}"),
        "tilde": ("the extension table holds in names too", "~Shop~"),
        "euro": ("the same", "€uro-Shop"),
        "accents": ("libgammu leaves ASCII", "Mañana"),
        "umlauts": ("default alphabet beyond ASCII", "Müller&Söhn"),
        "greek": ("capital letters only", "ΩΠΨ Δ"),
        "digits-space": ("digits with a space are a name", "123 456"),
        "hostile": ("a name is data", "<b>$(id)"),
        "newline": ("a line feed cannot fake a second line", "Bank\nTo"),
    }
    for name, (why, sender) in senders.items():
        yield plain(f"name-{name}", why, "Hello", sender)
    yield case(
        "name-7-length-14",
        "many centres count the octets twice: the spare bits are no '@' (TS 23.040 9.1.2.5)",
        deliver("Hello", "Vorname", sender_length=14),
        sms("Hello", "Vorname"),
    )
    yield case(
        "name-plan-1",
        "the numbering plan has no meaning for a name: type of address 0xD1",
        deliver("Hello", "Bank", toa=0xD1),
        sms("Hello", "Bank"),
    )


def numbers() -> Iterator[Case]:
    """Numeric senders, TS 23.040 9.1.2.3 and 9.1.2.5."""
    senders = {
        "even": ("no filler", "+4917012345678"),
        "odd": ("filled with F", "+491701234567"),
        "short-code": ("type unknown, no plus", "12345"),
        "one-digit": ("the shortest", "7"),
        "20-digits": ("the longest", "+12345678901234567890"),
        "star-hash": ("digits A and B are * and #; libgammu shows '100'", "*100#"),
        "none": ("an address of no digits", ""),
    }
    for name, (why, sender) in senders.items():
        yield plain(f"number-{name}", why, "Hello", sender)
    yield case(
        "number-international-none",
        "no digits, yet international: no number at all, not a lone plus",
        deliver("Hello", "", toa=0x91),
        sms("Hello", ""),
    )
    yield plain("number-abc", "digits C, D and E are a, b, c", "Hello", "12a3b4c", toa=0x81)
    types = {0xA1: "national", 0xB1: "network", 0xC1: "subscriber", 0xE1: "abbreviated"}
    for toa, name in types.items():
        yield plain(
            f"number-{name}", f"type of address 0x{toa:02X}", "Hello", "01701234567", toa=toa
        )
    yield plain("smsc-none", "no service centre: one zero octet", "Hello", smsc="")
    yield plain("smsc-national", "its type is not always 0x91", "Hello", smsc="01710760000")
    yield plain("smsc-short", "the shortest there is", "Hello", smsc="1")


# --- times ----------------------------------------------------------------------------------------


def times() -> Iterator[Case]:
    """Service centre time stamps, TS 23.040 9.2.3.11."""
    zones = {
        "utc": timedelta(0),
        "kathmandu": timedelta(hours=5, minutes=45),
        "chatham": timedelta(hours=12, minutes=45),
        "kiritimati": timedelta(hours=14),
        "newfoundland": -timedelta(hours=3, minutes=30),
        "new-york": -timedelta(hours=5),
        "quarter-behind": -timedelta(minutes=15),
        "baker": -timedelta(hours=12),
    }
    for name, offset in zones.items():
        time = TIME.replace(tzinfo=timezone(offset))
        why = "quarters of an hour, the sign in the tens digit's high bit"
        yield case(f"zone-{name}", why, deliver("Hello", time=time), sms("Hello", time=time))
    days = {
        "leap-day": ("there is a 29 February 2028", datetime(2028, 2, 29, 23, 59, 59)),
        "new-year": ("the first second of a century's year 0", datetime(2000, 1, 1)),
        "year-70": ("two digits are 20YY, without a pivot", datetime(2070, 6, 15, 12)),
        "year-99": ("the same for a stamp of the last century", datetime(2099, 12, 31, 23, 59, 59)),
    }
    for name, (why, day) in days.items():
        time = day.replace(tzinfo=TIME.tzinfo)
        yield case(f"time-{name}", why, deliver("Hello", time=time), sms("Hello", time=time))
    invalid = {
        "month-0": "62002221436540",
        "month-13": "62312221436540",
        "day-0": "62110021436540",
        "31-feb": "62201321436540",
        "29-feb-2026": "62209221436540",
        "hour-25": "62112252436540",
        "minute-60": "62112221066540",
        "second-60": "62112221430640",
        "zeros": "00000000000000",
        "ff": "FFFFFFFFFFFFFF",
        "month-hex": "62A02221436540",
    }
    for name, scts in invalid.items():
        why = "no date: the message comes without one, and decoding does not raise"
        yield case(f"time-{name}", why, deliver("Hello", scts=scts), sms("Hello", time=None))
    digits = {
        "second-units": ("6211222143A540", "2026-11-22T12:34:50+01:00"),
        "second-tens": ("62112221436A40", "2026-11-22T12:34:06+01:00"),
        "second-both": ("6211222143FF40", "2026-11-22T12:34:00+01:00"),
        "month-units": ("62F12221436540", "2026-10-22T12:34:56+01:00"),
        "month-tens": ("621F2221436540", "2026-01-22T12:34:56+01:00"),
        "year": ("FF112221436540", "2000-11-22T12:34:56+01:00"),
        "zone-units": ("621122214365F4", "2026-11-22T12:34:56+10:00"),
        "zone-behind": ("621122214365FF", "2026-11-22T12:34:56-17:30"),
    }
    for name, (scts, stamp) in digits.items():
        why = "a digit that is none counts as 0 (TS 23.040 9.2.3.11)"
        time = datetime.fromisoformat(stamp)
        yield case(f"digit-{name}", why, deliver("Hello", scts=scts), sms("Hello", time=time))


# --- user data headers ----------------------------------------------------------------------------


def headers() -> Iterator[Case]:
    """User data headers, TS 23.040 9.2.3.24: fill bits, unknown and broken elements."""
    for alphabet in ALPHABETS:
        texts = [f"UDHL {length} @{length}" for length in range(2, 41)]
        yield case(
            f"udh-lengths-{alphabet}",
            "headers of 2 to 40 octets: fill bits before GSM 7-bit, none before the others",
            [
                deliver(
                    text,
                    alphabet=alphabet,
                    udh=[(0x80, bytes(range(1, length - 1)))],
                    time=seconds(length),
                )
                for length, text in enumerate(texts, 2)
            ],
            *(sms(text, time=seconds(length)) for length, text in enumerate(texts, 2)),
        )
    head, text = deliver("hello", udh=[(0x80, b"")]).split("028000")
    yield case(
        "udh-fill-bits-set",
        "the four bits between this header and its text have no meaning",
        f"{head}028000{text[0]}F{text[2:]}",
        sms("hello"),
    )
    yield case(
        "udh-empty",
        "a header without elements still takes an octet and six fill bits",
        deliver("hello", udh_raw=b"\0"),
        sms("hello"),
    )
    yield case(
        "udh-no-text",
        "the header is all there is",
        deliver("", udh=[(0x80, b"\x01\x02\x03")]),
        sms(""),
    )
    yield case(
        "udh-full-gsm7",
        "a header of 6 octets leaves 153 septets",
        deliver(DIGITS[:153], udh=[(0x80, b"\x01\x02\x03")]),
        sms(DIGITS[:153]),
    )
    yield case(
        "udh-unknown-elements",
        "what is not known is skipped by its length",
        deliver("hello", udh=[(0x6E, b"\0\3\7"), (0xC1, b""), (0x0A, b"\0\5\x10")]),
        sms("hello"),
    )
    yield case(
        "udh-element-overruns",
        "an element longer than the header is ignored; the text is where the header ends",
        deliver("hello", udh_raw=b"\x05\x00\x09\x01\x02\x01"),
        sms("hello"),
    )
    yield case(
        "udh-element-cut",
        "an element without its length is ignored too",
        deliver("hello", udh_raw=b"\x01\x00"),
        sms("hello"),
    )
    for alphabet in ALPHABETS:
        yield case(
            f"udh-too-long-{alphabet}",
            "a header longer than the user data; libgammu 1.42 reads past the buffer",
            deliver("hello!", alphabet=alphabet, udh_raw=b"\x7f\x00\x03\x01\x02\x01"),
            undecodable(SENDER, TIME),
        )


# --- concatenation --------------------------------------------------------------------------------

LOREM: Final = (
    "Sehr geehrte Kundin, Ihr Zugangscode lautet 482913 und gilt zehn Minuten. Geben Sie ihn "
    "niemandem weiter, auch nicht am Telefon. Wenn Sie keinen Code angefordert haben, rufen Sie "
    "uns bitte an: 0800 123 4567. Diese Nachricht ist lang, damit sie in drei Teile zerfallen "
    "muss, die Ihr Netz in beliebiger Reihenfolge zustellen darf. Mit freundlichem Gruss {Bank}"
)
RUSSIAN: Final = (
    "Уважаемый клиент! Ваш код подтверждения: 482913. Никому его не сообщайте, даже сотруднику "
    "банка. Если вы не запрашивали код, позвоните нам."
)
BALLOONS: Final = "🎈" * 80


def long_whole() -> Iterator[Case]:
    """Long messages of which every part is there, TS 23.040 9.2.3.24.1 and .8."""
    for wide in (False, True):
        bits = 16 if wide else 8
        why = f"{bits}-bit reference"
        parts = long_sms(LOREM, reference=0xC1, wide=wide)
        yield case(f"long-{bits}-gsm7", why, parts, sms(LOREM))
        parts = long_sms(RUSSIAN, reference=0xC1, wide=wide)
        yield case(f"long-{bits}-ucs2", why, parts, sms(RUSSIAN))
        parts = long_sms(BALLOONS, reference=0xC1, wide=wide, cut_pairs=True)
        why = "a surrogate pair is cut in two: joined before it is decoded, nothing is lost"
        yield case(f"long-{bits}-cut-emoji", why, parts, sms(BALLOONS))
    parts = long_sms(LOREM, reference=2)
    yield case("long-reversed", "the last part first", parts[::-1], sms(LOREM))
    yield case("long-shuffled", "any order", [parts[1], *parts[2:], parts[0]], sms(LOREM))
    why = "the very same part in several slots is one part"
    yield case("long-duplicates", why, [*parts, parts[0], parts[1], parts[0]], sms(LOREM))
    parts = long_sms(BALLOONS, reference=3, cut_pairs=True)
    why = "halves of a pair that arrive the wrong way round"
    yield case("long-cut-emoji-reversed", why, parts[::-1], sms(BALLOONS))
    parts = long_sms("x" * 152 + "€" * 80, reference=4)
    why = "an escape never ends a part: this one has 152 septets"
    yield case("long-escape-at-end", why, parts, sms("x" * 152 + "€" * 80))
    for number, text in (("one-of-one", "alone"), ("one-of-one-empty", "")):
        why = "a message of one part is complete"
        yield case(f"long-{number}", why, long_sms([text], reference=5), sms(text))
    parts = long_sms(["one ", "", "three"], reference=6)
    yield case("long-empty-part", "a part may be empty and is yet no gap", parts, sms("one three"))
    parts = long_sms(LOREM, reference=0)
    yield case("long-reference-0", "0 is a reference like any other", parts, sms(LOREM))
    parts = long_sms(LOREM, reference=0xFFFF, wide=True)
    yield case("long-reference-65535", "and so is the largest", parts, sms(LOREM))
    parts = long_sms(LOREM, reference=7, smsc=["+12063130025", "+12063130026"])
    why = "parts through two service centres are one message; libgammu 1.45 does not join them"
    yield case("long-two-centres", why, parts, sms(LOREM))
    parts = long_sms(LOREM, "My Bank", reference=8)
    yield case("long-name", "from an alphanumeric sender", parts, sms(LOREM, "My Bank"))
    parts = long_sms(LOREM, reference=9, message_class=0)
    yield case("long-flash", "every part is class 0", parts, sms(LOREM, flash=True))
    parts = long_sms("Ж" * 670, reference=10)
    yield case("long-ten-parts", "numbers are compared as numbers", parts, sms("Ж" * 670))
    parts = [deliver("one ", udh=[concat(11, 2, 1)], scts="F" * 14)]
    parts += [deliver("two", udh=[concat(11, 2, 2)], scts="F" * 14)]
    why = "parts without a date are joined all the same"
    yield case("long-invalid-times", why, parts, sms("one two", time=None))
    parts = [deliver("one ", udh=[concat(12, 2, 1)], scts="6211222143A540")]
    parts += [deliver("two", udh=[concat(12, 2, 2)], scts="62112221431540")]
    why = "a digit that is none counts as 0, so the parts are one second apart"
    time = TIME.replace(second=50)
    yield case("long-digit-times", why, parts, sms("one two", time=time))
    yield from long_elements()


def long_elements() -> Iterator[Case]:
    """Concatenation next to other elements, and mixed coding."""
    other = (0x80, b"\x01\x02\x03\x04")
    for place in ("before", "behind"):
        parts = long_sms(
            LOREM,
            reference=20,
            before=[other] if place == "before" else (),
            after=[other] if place == "behind" else (),
        )
        why = "the concatenation stands anywhere in the header"
        yield case(f"long-element-{place}", why, parts, sms(LOREM))
    parts = long_sms(LOREM, reference=21, before=[ports(16000, 0)], after=[other])
    yield case("long-elements-around", "and between two others", parts, sms(LOREM))
    text = "Doğrulama kodunuz 482913. Şifrenizi kimseyle paylaşmayın, iyi günler. " * 4
    parts = long_sms(text, reference=22, locking=1, single=1)
    why = "libgammu reports no part numbers when there is a second element"
    yield case("long-turkish", why, parts, sms(text))
    parts = [
        deliver("Doğru ", udh=[concat(23, 3, 1)], locking=1),
        deliver("àèì ", udh=[concat(23, 3, 2)], time=seconds(1)),
        deliver("Você", udh=[concat(23, 3, 3)], locking=3, time=seconds(2)),
    ]
    why = "each part is decoded by the tables of its own header (TS 23.040 9.2.3.24.15)"
    yield case("long-languages-differ", why, parts, sms("Doğru àèì Você"))
    parts = [
        deliver("Latin, ", udh=[concat(24, 2, 1)]),
        deliver("кириллица", udh=[concat(24, 2, 2)], time=seconds(1)),
    ]
    why = "each part is decoded by its own DCS"
    yield case("long-alphabets-differ", why, parts, sms("Latin, кириллица"))
    parts = [
        deliver(text, udh=[concat(1, 3, 1), concat(25, 2, number)], time=seconds(number - 1))
        for number, text in ((1, "first "), (2, "second"))
    ]
    why = "of two concatenation elements the last one counts (TS 23.040 9.2.3.24)"
    yield case("long-two-elements", why, parts, sms("first second"))
    parts = [
        deliver(
            text,
            udh=[concat(1, 3, 1), concat(260, 2, number, wide=True)],
            time=seconds(number - 1),
        )
        for number, text in ((1, "first "), (2, "second"))
    ]
    why = "of an 8-bit and a 16-bit reference the last one counts, too"
    yield case("long-two-kinds", why, parts, sms("first second"))


def long_missing() -> Iterator[Case]:
    """Long messages of which parts never come."""
    texts = ["one ", "two ", "three ", "four"]
    parts = long_sms(texts, reference=40)
    lost = {
        "first": [1],
        "middle": [2],
        "last": [4],
        "two-together": [2, 3],
        "two-apart": [1, 3],
        "all-but-last": [1, 2, 3],
        "all-but-first": [2, 3, 4],
    }
    joined = {
        "first": f"{GAP}two three four",
        "middle": f"one {GAP}three four",
        "last": f"one two three {GAP}",
        "two-together": f"one {GAP}four",
        "two-apart": f"{GAP}two {GAP}four",
        "all-but-last": f"{GAP}four",
        "all-but-first": f"one {GAP}",
    }
    for name, missing in lost.items():
        found = [part for number, part in enumerate(parts, 1) if number not in missing]
        start = next(number for number in range(4) if number + 1 not in missing)
        why = f"without {missing} of 4: what came is forwarded, the gap is marked"
        expected = sms(joined[name], time=seconds(start), missing=missing)
        yield case(f"long-missing-{name}", why, found, expected)
    balloons = long_sms("🎈" * 100, reference=41, cut_pairs=True)
    expected = sms("🎈" * 33 + "\ufffd" + GAP, missing=[2, 3])
    why = "the second half of a pair never comes"
    yield case("long-missing-half-emoji", why, balloons[:1], expected)
    few = {1: "one ", 2: "two ", 100: "hundred ", 255: "last"}
    found = [
        deliver(text, udh=[concat(42, 255, number)], time=seconds(number))
        for number, text in few.items()
    ]
    yield case(
        "long-255-parts",
        "the longest there is; libgammu joins 50 parts at most",
        found,
        sms(
            f"one two {GAP}hundred {GAP}last",
            time=seconds(1),
            missing=[number for number in range(1, 256) if number not in few],
        ),
    )


def long_confused() -> Iterator[Case]:
    """References that several messages share, and elements that make no sense."""
    first = long_sms(LOREM, reference=60)
    other = long_sms(RUSSIAN, "+491709999999", reference=60, time=seconds(30))
    yield case(
        "long-two-senders",
        "one reference, two senders, interleaved",
        [first[0], other[0], other[1], first[1], *other[2:], *first[2:]],
        sms(LOREM),
        sms(RUSSIAN, "+491709999999", seconds(30)),
    )
    narrow = long_sms(["eight ", "bits"], reference=61)
    wide = long_sms(["sixteen ", "bits"], reference=61, wide=True, time=seconds(30))
    yield case(
        "long-two-widths",
        "an 8-bit and a 16-bit reference of one value are two references",
        [wide[1], narrow[0], wide[0], narrow[1]],
        sms("eight bits"),
        sms("sixteen bits", time=seconds(30)),
    )
    two = long_sms(["of ", "two"], reference=62)
    three = long_sms(["of ", "thr", "ee"], reference=62, time=seconds(30))
    yield case(
        "long-two-totals",
        "one reference, but another number of parts",
        [three[2], two[0], three[0], two[1], three[1]],
        sms("of two"),
        sms("of three", time=seconds(30)),
    )
    early = long_sms(["early ", "bird"], reference=63)
    late = long_sms(["late ", "owl"], reference=63, time=LATER)
    both = sms("early bird"), sms("late owl", time=LATER)
    why = "the reference again ten minutes later: the times tell the messages apart"
    yield case("long-reuse", why, [*early, *late], *both)
    yield case("long-reuse-shuffled", why, [late[1], early[1], early[0], late[0]], *both)
    yield case(
        "long-reuse-after-gap",
        "the same, and the earlier message is incomplete: nothing of the later one fills it",
        [early[0], *late],
        sms(f"early {GAP}", missing=[2]),
        sms("late owl", time=LATER),
    )
    again = deliver("early ", udh=[concat(63, 2, 1)], time=seconds(5))
    yield case(
        "long-part-again",
        "the network sent one part twice, with two stamps: still one message",
        [early[0], again, early[1]],
        sms("early bird"),
    )
    yield from long_nonsense()


def long_nonsense() -> Iterator[Case]:
    """Concatenation elements to be ignored, TS 23.040 9.2.3.24.1."""
    for name, total, number in (
        ("number-0", 2, 0),
        ("number-too-high", 2, 3),
        ("total-0", 0, 1),
        ("both-0", 0, 0),
    ):
        why = "the element is ignored; libgammu's LinkSMS never returns from number 0"
        found = deliver("alone", udh=[concat(64, total, number)])
        yield case(f"long-{name}", why, found, sms("alone"))
    proper = long_sms(["one ", "two"], reference=65)
    stray = deliver("stray", udh=[concat(65, 2, 3)], time=seconds(9))
    yield case(
        "long-stray-number",
        "a part 3 of 2 stands alone and spoils nothing",
        [stray, *proper],
        sms("one two"),
        sms("stray", time=seconds(9)),
    )
    for name, element in (
        ("short", (pdus.CONCAT_8BIT, b"\x41\x02")),
        ("long", (pdus.CONCAT_8BIT, b"\x41\x02\x01\x01")),
        ("wide-short", (pdus.CONCAT_16BIT, b"\x41\x02\x01")),
    ):
        why = "the element has not the length it must have: it is ignored"
        found = deliver("alone", udh=[element])
        yield case(f"long-element-{name}", why, found, sms("alone"))


def repeats() -> Iterator[Case]:
    """The same or nearly the same message in several slots."""
    pdu = deliver("Code 482913")
    yield case("repeat", "one message in two slots is one message", [pdu, pdu], sms("Code 482913"))
    yield case(
        "repeat-lower-case",
        "hex digits have no case; some sticks write small ones",
        [pdu, pdu.lower()],
        sms("Code 482913"),
    )
    yield case("lower-case", "the same alone", pdu.lower(), sms("Code 482913"))
    yield case(
        "repeat-next-second",
        "the same text one second later is another message",
        [deliver("Code 482913", time=seconds(1)), pdu],
        sms("Code 482913"),
        sms("Code 482913", time=seconds(1)),
    )
    yield case(
        "repeat-other-sender",
        "the same text from somebody else is another message",
        [pdu, deliver("Code 482913", "+491709999999", time=seconds(1))],
        sms("Code 482913"),
        sms("Code 482913", "+491709999999", seconds(1)),
    )
    yield case(
        "order-by-time",
        "slots are filled in any order, and zones differ: the instant counts",
        [
            deliver("third", time=LATER),
            deliver("first"),
            deliver("second", time=seconds(60).astimezone(timezone(timedelta(hours=-5)))),
        ],
        sms("first"),
        sms("second", time=seconds(60).astimezone(timezone(timedelta(hours=-5)))),
        sms("third", time=LATER),
    )


# --- message waiting and protocol identifiers -----------------------------------------------------


def waiting() -> Iterator[Case]:
    """Message waiting indications by DCS, header and PID."""
    voicemail = message("voicemail")
    for dcs, why in (
        (0xC8, "discard, voicemail waits"),
        (0xC0, "discard, none waits any more"),
        (0xD8, "store, voicemail waits"),
        (0xD0, "store, none waits any more"),
        (0xE8, "store, UCS2, voicemail waits"),
        (0xC9, "fax; nothing to read, so the indication is all there is"),
        (0xCA, "electronic mail, the same"),
        (0xDB, "other, the same"),
    ):
        why += " (TS 23.038 4)"
        yield case(f"mwi-{dcs:02X}-empty", why, deliver("", dcs=dcs), voicemail)
    texts: tuple[tuple[int, pdus.Alphabet, str, str], ...] = (
        (0xC8, "gsm7", "voicemail", "Sie haben 2 neue Nachrichten"),
        (0xD8, "gsm7", "voicemail", "Sie haben 2 neue Nachrichten"),
        (0xD0, "gsm7", "voicemail", "Keine neuen Nachrichten"),
        (0xE8, "ucs2", "voicemail", "У вас 2 новых сообщения"),
        (0xD9, "gsm7", "sms", "Fax von 030 123"),
        (0xCA, "gsm7", "sms", "Mail: your code is 482913"),
        (0xEB, "ucs2", "sms", "Код 482913"),
    )
    for dcs, alphabet, kind, text in texts:
        why = "its text is never lost, though group 0xC allows it (TS 23.038 4)"
        found = deliver(text, alphabet=alphabet, dcs=dcs)
        yield case(f"mwi-{dcs:02X}-text", why, found, message(kind, text))
    parts = long_sms(LOREM, reference=80, dcs=0xD8)
    yield case("mwi-long", "a long one", parts, message("voicemail", LOREM))
    headers: dict[str, tuple[str, list[pdus.Element], str, Message]] = {
        "udh": ("discard, 3 wait", [(1, b"\x00\x03")], "", voicemail),
        "udh-store": ("store, 3 wait", [(1, b"\x80\x03")], "", voicemail),
        "udh-none": ("none waits any more", [(1, b"\x80\x00")], "", voicemail),
        "udh-text": (
            "with a text",
            [(1, b"\x80\x03")],
            "3 neue Nachrichten",
            message("voicemail", "3 neue Nachrichten"),
        ),
        "udh-profile": ("of the second line (bits 6 and 5)", [(1, b"\xa0\x01")], "", voicemail),
        "udh-fax": ("fax without a text", [(1, b"\x81\x01")], "", voicemail),
        "udh-fax-text": ("fax with a text", [(1, b"\x81\x01")], "Fax: Ж", sms("Fax: Ж")),
        "udh-video": ("extended type: video", [(1, b"\x87\x01")], "", voicemail),
        "udh-two": (
            "fax and voicemail: the element may be there for each",
            [(1, b"\x81\x01"), (1, b"\x80\x02")],
            "",
            told("voicemail", "A fax is waiting. 2 voicemail messages are waiting."),
        ),
        "udh-four": (
            "one of each",
            [(1, b"\x80\x00"), (1, b"\x81\x02"), (1, b"\x82\x01"), (1, b"\x83\xff")],
            "",
            told("voicemail", "No voicemail", "2 faxes", "An e-mail is waiting.", "255 messages"),
        ),
        "udh-two-text": (
            "fax and voicemail with a text",
            [(1, b"\x80\x02"), (1, b"\x81\x01")],
            "Voicemail",
            message("voicemail", "Voicemail"),
        ),
        "udh-two-sms": (
            "two of another kind with a text",
            [(1, b"\x82\x02"), (1, b"\x81\x01")],
            "Code 482913",
            sms("Code 482913"),
        ),
        "udh-behind": ("behind another element", [(0x80, b"\1"), (1, b"\x80\x02")], "", voicemail),
    }
    for name, (why, elements, text, expected) in headers.items():
        why += " (TS 23.040 9.2.3.24.2)"
        yield case(f"mwi-{name}", why, deliver(text, udh=elements), expected)
    yield case(
        "mwi-enhanced",
        "enhanced voice mail notification (TS 23.040 9.2.3.24.13)",
        deliver("", udh=[(0x23, bytes.fromhex("00 04 91 94 71 01 00 01 00"))]),
        voicemail,
    )
    for name, (octets, says) in {
        "set": (b"\x11\0", "A voicemail message is waiting."),
        "cleared": (b"\x10\0", "No voicemail message is waiting any more."),
        "line-2": (b"\x11\1", "A voicemail message is waiting."),
    }.items():
        found = deliver(" ", "").replace("040081", f"0404D0{octets.hex()}", 1).upper()
        why = "CPHS 4.2 B.4.2.1.1: the sender's address is the indication"
        yield case(f"mwi-cphs-{name}", why, found, told("voicemail", says, sender=""))
    found = deliver("Hello", "_A")
    yield case("mwi-cphs-not", "a sender that begins as one", found, sms("Hello", "_A"))
    yield case(
        "mwi-pid",
        "return call message (TS 23.040 9.2.3.9)",
        deliver("", pid=0x5F),
        voicemail,
    )
    yield case(
        "mwi-pid-text",
        "the same with a text",
        deliver("Rufen Sie 3311 an", pid=0x5F),
        message("voicemail", "Rufen Sie 3311 an"),
    )


def identifiers() -> Iterator[Case]:
    """Protocol identifiers, TS 23.040 9.2.3.9."""
    yield case(
        "pid-40-empty",
        "type 0: the phone is silent about it, the forwarder is not",
        deliver("", pid=0x40),
        message("silent"),
    )
    yield case(
        "pid-40-text",
        "the same with a text",
        deliver("ping", pid=0x40),
        message("silent", "ping"),
    )
    for pid in range(0x41, 0x48):
        why = "replaces an earlier one on a phone; here both arrive"
        yield case(
            f"pid-{pid:02X}-replace",
            why,
            [deliver("Balance 1", pid=pid), deliver("Balance 2", pid=pid, time=seconds(60))],
            sms("Balance 1"),
            sms("Balance 2", time=seconds(60)),
        )
    for pid in (0x1F, 0x24, 0x32, 0x39, 0x48, 0x7C, 0x7D, 0x7E, 0x80, 0xC0, 0xFF):
        why = "telematic, reserved and network-specific identifiers change nothing for a reader"
        yield plain(f"pid-{pid:02X}", why, "Hello {pid}", pid=pid)
    for first, why in (
        (0x00, "more messages to send"),
        (0x0C, "loop prevention"),
        (0x24, "a report goes back"),
        (0x84, "reply path"),
        (0xAC, "all of them"),
    ):
        yield plain(f"flags-{first:02X}", f"{why} (TS 23.040 9.2.2.1)", "Hello", first_octet=first)
    yield plain(
        "mti-3",
        "a reserved type is processed as a DELIVER (TS 23.040 9.2.3.1)",
        "Hello",
        first_octet=0x07,
    )


# --- reports and submits --------------------------------------------------------------------------


def reports() -> Iterator[Case]:
    """SMS-STATUS-REPORT, TS 23.040 9.2.2.3 and 9.2.3.15."""
    statuses = {
        0x00: "delivered",
        0x01: "delivered",
        0x02: "delivered",
        0x20: "pending",
        0x25: "pending",
        0x30: "pending",
        0x40: "failed",
        0x46: "failed",
        0x50: "failed",
        0x60: "failed",
        0x65: "failed",
        0x80: "failed",
    }
    for status, outcome in statuses.items():
        why = "0x00 done, 0x20 still trying, 0x40 and 0x60 given up, reserved: rejected"
        yield case(f"report-{status:02X}", why, status_report(status=status), report(outcome))
    pending = status_report(status=0x30, sent=TIME, done=seconds(5))
    delivered = status_report(status=0x00, sent=TIME, done=LATER)
    yield case(
        "report-twice",
        "both are stamped with the time of the SMS; the order is that of the outcomes",
        [delivered, pending],
        report("pending", time=seconds(5)),
        report("delivered", time=LATER),
    )
    yield case(
        "report-text",
        "the optional part: TP-PI, PID, DCS and user data",
        status_report(text="Delivered to Anna"),
        report("delivered", text="Delivered to Anna"),
    )
    yield case(
        "report-text-ucs2",
        "the same in UCS2",
        status_report(text="Доставлено~", alphabet="ucs2"),
        report("delivered", text="Доставлено~"),
    )
    yield case(
        "report-short-code",
        "to a short code",
        status_report("12345"),
        report("delivered", "12345"),
    )
    yield case(
        "report-pi-0",
        "TP-PI that announces nothing",
        status_report(trailing=b"\0"),
        report("delivered"),
    )
    yield case(
        "report-padded",
        "the SIM's record is filled up with FF, which is no TP-PI",
        status_report(trailing=b"\xff" * 130),
        report("delivered"),
    )


def submits() -> Iterator[Case]:
    """Stored SMS-SUBMIT, TS 23.040 9.2.2.2."""
    day_after = TIME + timedelta(days=1)
    periods: dict[str, tuple[str, int | bytes | datetime | None]] = {
        "none": ("no validity period", None),
        "relative": ("one octet", 0xAA),
        "enhanced": ("seven octets", bytes.fromhex("01050000000000")),
        "absolute": ("a time stamp, and not the message's", day_after),
    }
    for name, (why, validity) in periods.items():
        why += " (TS 23.040 9.2.3.12): the text starts where it ends"
        found = submit("Bin gleich da", validity=validity)
        yield case(f"submit-{name}", why, found, message("submit", "Bin gleich da", time=None))
    why = "with a service centre"
    found = submit("Привет~ 😀", "12345", smsc=pdus.SMSC)
    yield case("submit-ucs2", why, found, message("submit", "Привет~ 😀", "12345", None))
    found = submit("ğış", udh=[(0x80, b"\1")], locking=1, validity=0xAA)
    yield case("submit-udh", "with a header", found, message("submit", "ğış", time=None))
    found = submit("482913", "Bank", validity=0xAA)
    yield case("submit-name", "to a name", found, message("submit", "482913", "Bank", None))
    found = submit("", "12345")
    yield case("submit-empty", "without a text", found, message("submit", "", "12345", None))


# --- WAP push -------------------------------------------------------------------------------------


def pushes() -> Iterator[Case]:
    """MMS notifications and other WSP pushes to port 2948."""
    yield case(
        "mms",
        "an MMS waits: from whom and how big is all that an SMS says (OMA-TS-MMS-ENC 6.2)",
        pdus.mms_notification(size=12345),
        mms(SENDER, 12345, ""),
    )
    many = pdus.mms_notification(
        subject="Urlaub – Grüße aus Łódź 😀",
        size=298_123,
        transaction="T4PKYI6wQ_AYAACAtAAAAABgBMTs",
        url="http://mms.example/T4PKYI6wQ_AYAACAtAAAAABgBMTs",
    )
    expected = mms(SENDER, 298_123, "Urlaub – Grüße aus Łódź 😀")
    yield case("mms-two-parts", "the usual size, with a UTF-8 subject", many, expected)
    yield case("mms-two-parts-reversed", "the second part first", many[::-1], expected)
    many = pdus.mms_notification(subject="x" * 60, size=70_000, ports_first=False)
    why = "ports behind the concatenation; a subject beyond 30 octets"
    yield case("mms-ports-behind", why, many, mms(SENDER, 70_000, "x" * 60))
    variants: dict[str, tuple[str, list[str], Message]] = {
        "short-type": (
            "the content type as a number, without an application id",
            pdus.mms_notification(named_type=False),
            mms(SENDER, 12345, ""),
        ),
        "class-1": (
            "DCS 0xF5: 8-bit, class 1",
            pdus.mms_notification(dcs=0xF5, size=1_536_000),
            mms(SENDER, 1_536_000, ""),
        ),
        "hidden": (
            "the sender is hidden (insert-address token)",
            pdus.mms_notification(None, size=255),
            mms("", 255, ""),
        ),
        "mail": (
            "from a mail address",
            pdus.mms_notification("anna@example.org", size=256, subject="Hi"),
            mms("anna@example.org", 256, "Hi"),
        ),
        "name-sender": (
            "the SMS itself comes from a short code",
            pdus.mms_notification(origin="3311", subject="~ {x}"),
            mms(SENDER, 12345, "~ {x}", "3311"),
        ),
    }
    for name, (why, found, wanted) in variants.items():
        yield case(f"mms-{name}", why, found, wanted)
    for name, octets in (("lf", b"\n"), ("nul", b"\0"), ("field", b"\x83"), ("value", b"\x96\x1f")):
        found = pdus.mms_notification(subject="Hi", trailing=octets)
        why = "octets behind the last field spoil none before it"
        yield case(f"mms-trailing-{name}", why, found, mms(SENDER, 12345, "Hi"))
    yield from indications()
    yield from other_pushes()


def indications() -> Iterator[Case]:
    """Service indications and service loading, WAP-167 and WAP-168."""
    link = "http://www.example.com/m?id=1"
    plain = pdus.service_indication("New mail", "example.com/m?id=1", prefix=0x0D)
    named = b"application/vnd.wap.sic\0"
    for name, content_type in (
        ("number", pdus.SI),
        ("name", named),
        ("charset", b"\x03\xae\x81\xea"),
        ("long", b"\x1f\x03\xae\x81\xea"),
        ("named-charset", bytes([len(named) + 2]) + named + b"\x81\xea"),
    ):
        why = "the content type in each of its forms (WAP-230-WSP 8.4.2.24)"
        found = pdus.wap_push(plain, content_type)
        yield case(f"push-si-{name}", why, found, told("push", "New mail", link))
    for token, prefix in (
        (0x0B, ""),
        (0x0C, "http://"),
        (0x0D, "http://www."),
        (0x0E, "https://"),
        (0x0F, "https://www."),
    ):
        for value, ending in ((0x85, ".com/"), (0x86, ".edu/"), (0x87, ".net/"), (0x88, ".org/")):
            found = pdus.wap_push(
                pdus.service_indication("New mail", "id", prefix=token, host=("example", value))
            )
            says = ("New mail", f"\n{prefix}example{ending}id")
            why = "the tokens of an address (WAP-167 8.3)"
            yield case(f"push-si-{token:02X}-{value:02X}", why, found, told("push", *says))
    full = pdus.service_indication("Grüße 😀", "example.com/m?id=1", prefix=0x0D, dates=True)
    why = "UTF-8, with an action, an id and dates, which are opaque"
    yield case("push-si-full", why, pdus.wap_push(full), told("push", "Grüße 😀", link))
    text = "Neue Nachricht. " * 20
    found = pdus.wap_push(pdus.service_indication(text, "example.com/m?id=1", prefix=0x0D))
    yield case("push-si-parts", "in parts", found, told("push", text.strip(), link))
    latin = plain.replace(b"\x6a", b"\x04").replace(b"New", "Nöw".encode("latin-1"))
    yield case("push-si-latin1", "ISO 8859-1", pdus.wap_push(latin), told("push", "Nöw mail", link))
    found = pdus.wap_push(b"\x02\x05\x6a\x00\x05")
    yield case("push-si-bare", "nothing in it: nothing to tell", found, message("push"))
    table = b"\x02\x05\x6a\x0cwww.x.y\0Hi!\0\x45\xc6\x0c\x83\x00\x01\x83\x08\x01\x01"
    found = pdus.wap_push(table)
    why = "strings in its table (WAP-192 5.8.3)"
    yield case("push-si-table", why, found, told("push", "Hi!", "http://www.x.y"))
    entity = plain.replace(b"New mail\0", b"New\0\2\x20\3mail\0\2\x81\x89\x20")
    why = "characters as entities"
    yield case("push-si-entities", why, pdus.wap_push(entity), told("push", "New mail\u44a0"))
    for number, octet in enumerate((b"\x83\x7f", b"\x83", b"\xc3\x7fx", b"\xc3\x8f\xff\xff\xff\x7f")):
        broken = plain.replace(b"\1\3New mail\0", b"\1" + octet)
        why = "what leads out of the document makes it none"
        yield case(f"push-si-broken-{number}", why, pdus.wap_push(broken), message("push"))
    yield case(
        "push-si-cut",
        "cut in its text",
        pdus.wap_push(plain[: plain.index(b"New") + 3]),
        message("push"),
    )
    loading = pdus.service_loading("http://www.example.com/")
    yield case(
        "push-sl",
        "service loading (WAP-168): an address",
        pdus.wap_push(loading, pdus.SL),
        told("push", "http://www.example.com/"),
    )
    loading = b"\x02\x06\x6a\x00\x85\x0c\x03example\0\x85\x03x\0\x06\x01"
    yield case(
        "push-sl-tokens",
        "by its own tokens, and by name",
        pdus.wap_push(loading, b"application/vnd.wap.slc\0"),
        told("push", "https://www.example.com/x"),
    )
    document = b'<?xml version="1.0"?><si><indication href="http://a.example/">Code 1</indication></si>'
    for name, content_type in (
        ("xml", b"application/vnd.wap.si\0"),
        ("xml-text", b"text/vnd.wap.si\0"),
        ("xml-number", b"\xad"),
        ("plain", b"\x83"),
    ):
        found = pdus.wap_push(document, content_type)
        why = "a document in text is shown as it is"
        yield case(f"push-text-{name}", why, found, told("push", document.decode()))


def other_pushes() -> Iterator[Case]:
    """Pushes that announce no MMS."""
    settings = bytes.fromhex("030b6a0045c6080103") + b"Internet\0\1\1"
    yield case(
        "push-settings",
        "client provisioning with a PIN's MAC (WAP-183): a way to take a phone over",
        pdus.wap_push(settings, b"\x1f\x2d\xb6\x91\x81\x92" + b"0" * 40 + b"\0"),
        message("push"),
    )
    yield case(
        "push-other-type",
        "a content type by name, and one that nobody knows",
        pdus.wap_push(b"whatever", b"application/x-unheard-of\0"),
        message("push"),
    )
    garbage = deliver(bytes.fromhex("FFFEFD00"), udh=[ports(pdus.PUSH_PORT, pdus.WSP_PORT)])
    yield case(
        "push-garbage",
        "the port alone makes no push",
        garbage,
        undecodable(SENDER, TIME),
    )


# --- damage ---------------------------------------------------------------------------------------


def damaged() -> Iterator[Case]:
    """Cut, overlong and impossible PDUs. None may raise, none may be dropped."""
    whole = deliver("Hello world")
    cuts = {
        "in-smsc": 3,
        "after-smsc": 8,
        "after-first-octet": 9,
        "after-address-length": 10,
        "in-address": 14,
        "after-address": 17,
        "after-pid": 18,
        "after-dcs": 19,
        "in-time": 23,
    }
    for name, octets in cuts.items():
        why = f"only {octets} octets came"
        yield case(f"cut-{name}", why, whole[: 2 * octets], undecodable())
    for name, missing, text in (
        ("length-too", 11, None),
        ("all-text", 10, None),
        ("half-text", 5, "Hello"),
        ("last-octet", 1, "Hello worl"),
    ):
        why = "the user data is shorter than UDL says: its PDU is forwarded, with what is known"
        found = whole[: -2 * missing]
        yield case(f"cut-{name}", why, found, undecodable(SENDER, TIME, text))
    found = deliver("Привет")[:-2]
    why = "UCS2 without its last octet is cut, not odd: UDL tells"
    yield case("cut-ucs2", why, found, undecodable(SENDER, TIME, "Приве"))
    found = deliver(b"Code 482913")[:-4]
    yield case("cut-8bit", "8-bit text", found, undecodable(SENDER, TIME, "Code 4829"))
    found = deliver("Şifre 482913", locking=1, udh=[(0x80, b"1")])[:-2]
    why = "behind a header: by its tables, from where it ends"
    yield case("cut-behind-udh", why, found, undecodable(SENDER, TIME, "Şifre 48291"))
    found = deliver("hello", udh=[concat(1, 2, 1)])
    cut_header = found[: found.index("050003") + 6]
    yield case("cut-in-udh", "in the header", cut_header, undecodable(SENDER, TIME))
    yield case("cut-report", "a report in its second stamp", status_report()[:-8], undecodable())
    yield case("cut-submit", "a SUBMIT in its address", submit("Hello")[:12], undecodable())
    why = "half an octet at the end: not even octets, so nothing is read from it"
    yield case("odd-digits", why, whole[:-1], undecodable())
    yield case("empty", "nothing at all", "", undecodable())
    yield case("zero", "one zero octet", "00", undecodable())
    yield case("all-ff", "an erased record of a SIM", "FF" * 175, undecodable())
    lengths = {
        "smsc-255": ("FF" + whole[2:], "the service centre's length"),
        "address-255": (deliver("Hello", sender_length=255), "the sender's length"),
        "address-40": (
            deliver("Hello", sender_length=40),
            "longer than any address, not than the PDU",
        ),
    }
    for name, (found, why) in lengths.items():
        yield case(f"length-{name}", f"{why} runs past its field", found, undecodable())
    for udl in (12, 161, 255):
        why = "UDL promises more than there is"
        found = deliver("Hello", udl=udl)
        yield case(f"length-udl-{udl}", why, found, undecodable(SENDER, TIME, "Hello"))
    yield from trailing()


def trailing() -> Iterator[Case]:
    """Octets behind the user data, which libgammu refuses (ERR_UNKNOWN)."""
    for name, octets in (("zero", b"\0"), ("ff", b"\xff" * 30), ("text", b"more text")):
        why = "octets behind the user data are ignored; libgammu stops at them for ever"
        yield plain(f"trailing-{name}", why, "Hello", trailing=octets)
    yield plain("trailing-ucs2", "the same behind UCS2", "Привет", trailing=b"\0\x41")
    yield case(
        "trailing-udl-short",
        "UDL decides, not the end of the PDU",
        deliver("Hello world", udl=5),
        sms("Hello"),
    )
    parts = long_sms(["one ", "two"], reference=90, trailing=b"\xff\xff")
    yield case("trailing-long", "behind the parts of a long message", parts, sms("one two"))


def hostile() -> Iterator[Case]:
    """Text is data: shell, markup, format strings, control and direction characters."""
    texts = {
        "shell": "'; touch /tmp/x; ' `id` $(reboot) && rm -rf / | cat > x",
        "html": "<b>&amp;</b><a href='tg://x'>&lt;</a><!--",
        "markdown": "*_[]()~`>#+-=|{}.!\\ [a](tg://user?id=1) ||x||",
        "format": "{0} {text} {} %s %d %(x)s $x ${x} %n",
        "json": '","chat_id":1,"text":"\\u0000\\n',
        "path": "../../../etc/passwd\n.\n--help",
        "sql": "Robert'); DROP TABLE sms;--",
        "at": "AT+CMGD=1,4\r\n+CMGL: 1,1,,23\r\nOK\r\n",
        "nul": "a\0b\0",
        "bell": "\a\a\b\b\v",
        "ansi": "\x1b[2J\x1b[31mred\x1b]0;title\x07",
        "rlo": "code \u202e319284\u202c \u2066x\u2069 \u200f",
        "zalgo": "Z\u0351\u036b\u0343a\u0334\u0301l\u0334g\u0335o",
        "tags": "a\U000e0001\U000e0041\U000e007fb",
        "command": "/start /stop@bot #tag @user https://example.com/?a=1&b=2",
    }
    for name, text in texts.items():
        yield plain(f"hostile-{name}", "text is data and arrives as it is", text)


# --- printed and real -----------------------------------------------------------------------------


def printed() -> Iterator[Case]:
    """PDUs with a known meaning from documentation and from other projects' tests.

    Sources: gammu `tests/at-sms` and `tests/smsbackups`, ModemManager
    `src/tests/test-sms-part-3gpp.c` (both GPL-2.0-or-later), each with its number or function.
    """

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text)

    yield case(
        "real-hellohello",
        "the packing example of the tutorials, E8329BFD4697D9EC37 (gammu 09)",
        "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37",
        sms("hellohello", "27838890001", at("2099-03-29T15:16:59+02:00")),
    )
    yield case(
        "real-extensions",
        "extension characters, a zone behind Greenwich (ModemManager test_pdu1)",
        "07912104442961F4040B916171957291F80000112082110505"
        "0A6AC8B2BC7C9A83C220F6DB7D2ECB41EDF27C1E3E97411BDE06754FD3D1A0F9BB5D0695F1F4B29B5C"
        "2683C6E8B03C3CA697E5F34D6AE303D1D1F2F7DD0D4ABB59A0797D8C0685E7A00028EC26832A960B28"
        "EC2683BE6050780EBA97D96C17",
        sms(
            "Here's a longer message [{with some extended characters}] thrown in, such as £ and "
            "ΩΠΨ and §¿ as well.",
            "+16175927198",
            at("2011-02-28T11:50:50-05:00"),
        ),
    )
    yield case(
        "real-name-ucs2",
        "a name of 11 letters, a text in UCS2 (ModemManager test_pdu2)",
        "07919730071111F10414D04937BD2C7797E9D3E614000811309291024061080442043504410442",
        sms("тест", "InternetSMS", at("2011-03-29T19:20:04+04:00")),
    )
    yield case(
        "real-8bit",
        "8-bit data that is no text (ModemManager test_pdu3_8bit)",
        "07912143658709F1040B918100551512F20004111010214365000AE8329BFD4697D9EC37DE",
        undecodable("+18005551212", at("2011-01-01T12:34:56+00:00")),
    )
    yield case(
        "real-dcs-f1",
        "class group, a network-specific address type, CR LF (ModemManager test_pdu_dcsf1)",
        "07913306091093F00404858100"
        "00F111604231805180A0"
        "49B7F90D9A1AA5A01668F8769BD3E4B29B9E2EB359A03FC85D06A9C3ED707A0EA2CBC3EE79BB4CA7CB"
        "CBA05643617DA7C76990FD4D979741EE77DD5E0ED741ED371D442E83E0E1F9BC0CD281E677D9B84C06"
        "C1DF7539E85C9097E520FB9B2E2F83C6EF369C5E064D8D52D0BC2E07DDEF77D7DC2C7799E5A0771D04"
        "0FCB41F402BB0047BFDD6550B80ECAD966",
        sms(
            "Info SFR - Confidentiel, à ne jamais transmettre -\r\nVoici votre nouveau mot de "
            "passe : sw2ced pour gérer votre compte SFR sur www.sfr.fr ou par téléphone au 963",
            "1800",
            at("2011-06-24T13:08:15+02:00"),
        ),
    )
    first = (
        "07912160130320F5440B916171056429F5000021405291650569A00500034C0201A9E8F41C949E83C2"
        "207B599E07B1DFEE33885E9ED341E4F23C7D7697C920FA1B54C697E5E3F4BC0C6AD7D9F434081E96D3"
        "41E3303C2C4EB3D3F4BC0B94A483E6E8779D4D06CDD1EF3BA80E0785E7A0B7BB0C6A97E7F3F0B9CC02"
        "B9DF7450780EA2DFDF2C50780EA2A3CBA0BA9B5C96B3F369F71954768FDFE4B4FB0C9297E1F2F2BCEC"
        "A6CF41"
    )
    second = (
        "07912160130320F6440B916171056429F5000021405291651569320500034C0202E9E8301D44479741"
        "F0B09C3E0785E56590BCCC0ED3CB6410FD0D7ABBCBA0B0FB4D4797E52E10"
    )
    yield case(
        "real-two-centres",
        "two parts, two service centres, zone -4, fill bits set (ModemManager test_pdu_multipart)",
        [first, second],
        sms(
            "This is a very long test designed to exercise multi part capability. It should show "
            "up as one message, not as two, as the underlying encoding represents that the parts "
            "are related to one another. ",
            "+16175046925",
            at("2012-04-25T19:56:50-04:00"),
        ),
    )
    yield case(
        "real-first-of-two",
        "16-bit reference; the second part was never published (ModemManager test_pdu_udhi)",
        "07911356131313F64004850120390011609232239180A006080400100201D7327BFD6EB340E2321BF46E83"
        "EA7790F59D1E97DBE1341B442F83C465763D3DA797E56537C81D0ECB41AB59CC1693C16031D96C064241E5"
        "656838AF03A96230982A269BCD462917C8FA4E8FCBED709A0D7ABBE9F6B0FB5C7683D27350984D4FABC9A0"
        "B33C4C4FCF5D20EBFB2D079DCB62793DBD06D9C36E50FB2D4E97D9A0B49B5E96BBCB",
        sms(
            "Welkom, bel om uw Voicemail te beluisteren naar +31612001233 (PrePay: *100*1233#). "
            "Voicemail ontvangen is altijd gratis. Voor gebruik van mobiel interne" + GAP,
            "1002",
            at("2011-06-29T23:32:19+02:00"),
            missing=[2],
        ),
    )
    yield case(
        "real-submit",
        "stored without a service centre (ModemManager test_pdu_stored_by_us)",
        "002100098136397339F70008224F60597D4F60597D4F60597D4F60597D4F60597D4F60597D4F60597D4F60"
        "597D4F60",
        message("submit", "你好" * 8 + "你", "639337937", None),
    )
    yield case(
        "real-report",
        "pending: the centre still tries (ModemManager test_pdu_not_stored)",
        "07914356060013F1065A098136397339F7219011700463802190117004638030",
        report("pending", "639337937", at("2012-09-11T07:40:36+02:00")),
    )
    yield case(
        "real-mms",
        "one part, class 1, an empty subject (gammu 40)",
        "07912374151616F6440B911174164210F000F571309290346280860605040B8423F04F06226170706C6963"
        "6174696F6E2F766E642E7761702E6D6D732D6D65737361676500AF848C82983831343630343934406D6D73"
        "31008D928918802B33333333333439333231312F545950453D504C4D4E0096008F8186818A808E03017A59"
        "8805810303F48083687474703A2F2F6D74732F3F69643D383134363034393400",
        mms("+33333493211", 96857, "", "+11476124010", at("2017-03-29T09:43:26+02:00")),
    )
    yield case(
        "real-mms-odd-sender",
        "From with a charset that is none and a length without its NUL (gammu 33)",
        "07913307005630F0440BA13307570230F00006017010900412806A0605040B8423F0040603BEAF848C8298"
        "31323737393730303539008D92891980160433333730373532303033302F545950453D504C4D4E00967942"
        "4F008A808E0122880481020BB883687474703A2F2F6D6D73632E6C61626D6374656C2E66723A393039302F"
        "6D333300",
        mms("33707520030", 34, "yBO", "33707520030", at("2010-07-01T09:40:21+02:00")),
    )
    yield case(
        "real-report-padded",
        "a record of the SIM, filled up with FF, which is no TP-PI (gammu 32)",
        "079124602009999002AB098106845688F8907080517375809070805183018000" + "FF" * 132,
        report("delivered", "604865888", at("2009-07-08T15:38:10+02:00")),
    )
    yield case(
        "real-dcs-fb",
        "class group with its reserved bit set: GSM 7-bit all the same (gammu 42)",
        "06914977000030200B914977745010F700FB918050809053221DB15CEC868BC9663018080402816432DD0C"
        "060281A4412A159904",
        sms("1917812300     22:30   RATTHI", "+94774705017", at("2019-08-05T08:09:35+05:30")),
    )


    yield case(
        "real-report-digits",
        "a zone whose second digit is none, so 0 (TS 23.040 9.2.3.11)",
        "000606098121436587F9019012413064A0019012413045A000",
        report("delivered", "123456789", at("2010-09-21T14:03:54+00:00")),
    )
    yield case(
        "real-language",
        "a locking table that is not here: the default one (TS 23.038 C.3)",
        "00440B914121436587F90000421101214365000A032401064097D9EC37",
        sms("hello", "+14123456789", at("2024-11-10T12:34:56+00:00")),
    )
    yield case(
        "real-cut-submit",
        "160 octets are said to come and 10 do, part 1 of 3",
        "0041010C910661345542F60008A0050003000301306F3044",
        undecodable("+60164355246", None, "はい"),
    )
    yield case(
        "real-cphs",
        "the sender's address says that voicemail waits (CPHS 4.2 B.4.2.1.1)",
        "07912160130310F20404D0110041006060627171118A0120",
        told("voicemail", "A voicemail message is waiting.", sender="", time=at("2006-06-26T17:17:11-07:00")),
    )


SECTIONS: Final = (
    gsm7,
    national,
    ucs2,
    coding_groups,
    names,
    numbers,
    times,
    headers,
    long_whole,
    long_missing,
    long_confused,
    repeats,
    waiting,
    identifiers,
    reports,
    submits,
    pushes,
    damaged,
    hostile,
    printed,
)


def cases() -> list[Case]:
    """The whole corpus."""
    return list(chain.from_iterable(section() for section in SECTIONS))


def rendered() -> str:
    """corpus.json: ASCII only, as a text that turns its direction would hide what it is."""
    return json.dumps(cases(), indent=1) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write corpus.json, or with --check compare it."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments == ["--check"]:
        return int(CORPUS.read_text(encoding="ascii") != rendered())
    if arguments:
        print("usage: make_corpus.py [--check]", file=sys.stderr)
        return 2
    CORPUS.write_text(rendered(), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
