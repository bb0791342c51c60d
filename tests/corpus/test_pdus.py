# SPDX-License-Identifier: GPL-2.0-or-later
"""The encoder against what others printed, measured and decode; the corpus against another decoder and itself."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

import pdus
from corpus.test_corpus import CORPUS
from pdus import deliver, long_sms

EVERY = {case["name"]: case for case in CORPUS}

KINDS = {"sms", "voicemail", "report", "mms", "push", "submit", "silent", "undecodable"}
WITHOUT_TEXT = {"mms", "push"}

# What smspdudecoder 2.2 does not know, by the beginning of the cases' names.
UNKNOWN_TO_SMSPDUDECODER = (
    *("gsm7-unknown", "gsm7-escape", "gsm7-final-escape"),  # escapes without a character
    *("turkish", "spanish", "portuguese", "language-twice"),  # national language tables
    *("language-single-here", "language-locking-here"),
    *("ucs2-odd", "ucs2-one", "ucs2-lone", "ucs2-final-high", "ucs2-swapped-pair", "ucs2-high"),
    *("dcs-84", "dcs-88", "dcs-A8", "dcs-F9", "dcs-FB", "dcs-FD", "real-dcs-fb"),  # reserved DCS
    *("dcs-04", "dcs-07", "dcs-14", "dcs-15", "dcs-17", "dcs-44", "dcs-F4", "dcs-F5", "dcs-F6"),
    "8bit",  # it leaves 8-bit data as bytes
    *("name-7", "name-digits-space", "name-newline"),  # an '@' grows on 7 letters
    *("number-star", "number-abc", "number-international-none"),  # digits A to E, no digits
    *("time-", "digit-"),  # it raises at invalid stamps
    *("udh-element-cut", "long-element", "long-missing", "real-first-of-two"),
    *("mwi-", "mti-3"),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- against printed and real PDUs ----------------------------------------------------------------


def real(name: str) -> tuple[list[str], str, str, datetime]:
    """The PDUs of a case, and its only message's sender, text and time."""
    case = EVERY[name]
    (message,) = case["expect"]
    assert message["time"] is not None
    return case["pdus"], message["sender"], message.get("text", ""), at(message["time"])


def test_real_delivers_are_encoded_bit_for_bit() -> None:
    found, sender, text, time = real("real-extensions")
    assert [deliver(text, sender, time=time, smsc="+12404492164")] == found
    found, sender, text, time = real("real-name-ucs2")
    assert [deliver(text, sender, time=time, smsc="+79037011111")] == found
    found, sender, text, time = real("real-dcs-fb")
    made = deliver(text, sender, time=time, smsc="+9477000003", dcs=0xFB, first_octet=0x20)
    assert [made] == found


def test_real_parts_are_encoded_bit_for_bit() -> None:
    found, sender, text, time = real("real-two-centres")
    centres = ["+12063130025", "+12063130026"]
    first, second = long_sms(text, sender, reference=0x4C, time=time, smsc=centres)
    # the phone set the fill bit behind the header, which has no meaning
    assert [first.replace("0201A8", "0201A9"), second.replace("0202E8", "0202E9")] == found


def test_real_report_is_encoded_bit_for_bit() -> None:
    found, recipient, _, time = real("real-report")
    made = pdus.status_report(recipient, status=0x30, reference=0x5A, sent=time, done=time, smsc="+34656000311")
    assert [made] == found


def test_notification_fields_are_those_of_a_real_one() -> None:
    found = EVERY["real-mms"]["pdus"][0]
    (made,) = pdus.mms_notification(
        "+33333493211", size=96857, transaction="81460494@mms1", url="http://mts/?id=81460494"
    )
    pushed, addressed = found.index("06226170706C"), found.index("9600")
    assert found[pushed:addressed] in made  # from the PDU type to the sender
    for field in ("8A80", "8E03017A59", "88058103", found[found.index("83687474") :]):
        assert field in made


@pytest.mark.parametrize(
    ("text", "wide", "printed"),
    [
        ("x", False, 39015),  # TS 23.040 9.2.3.24.1: 39015 characters, 34170 octets, 17085 UCS2
        (b"x", False, 34170),
        ("ж", False, 17085),
        ("x", True, 38760),  # TS 23.040 9.2.3.24.8: 38760, 33915 and 16830
        (b"x", True, 33915),
        ("ж", True, 16830),
    ],
)
def test_the_longest_message_is_the_printed_one(text: str | bytes, wide: bool, printed: int) -> None:
    assert len(long_sms(text * printed, reference=1, wide=wide)) == 255
    with pytest.raises(ValueError, match="range"):
        long_sms(text * (printed + 1), reference=1, wide=wide)


@pytest.mark.parametrize(
    ("locking", "single", "printed"),
    [(0, 0, 160), (1, 0, 155), (0, 1, 155), (1, 1, 152)],  # TS 23.038 C.2 and C.3
)
def test_language_elements_cost_what_is_printed(locking: int, single: int, printed: int) -> None:
    head = pdus.header(pdus.shifts(locking, single))
    length, data = pdus.user_data("x" * printed, "gsm7", head)
    assert (length, len(data)) == (160, 140)


# --- fields ---------------------------------------------------------------------------------------


def test_tables_have_a_code_once() -> None:
    for table in pdus.LOCKING.values():
        assert len(table) == len(set(table)) == 128
        assert table[pdus.ESCAPE] == "\x1b"
    for codes in pdus.SINGLE.values():
        assert len(set(codes.values())) == len(codes)
        assert not {0x0D, pdus.ESCAPE} & set(codes)


# Written a second time, from the printed tables: each code with its character's code point.
TURKISH = "04 20AC 07 0131 0B 011E 0C 011F 1C 015E 1D 015F 40 0130 60 00E7"  # A.3.1
PORTUGUESE = (  # A.3.3
    "04 00EA 06 00FA 07 00ED 08 00F3 09 00E7 0B 00D4 0C 00F4 0E 00C1 0F 00E1 12 00AA 13 00C7 "
    "14 00C0 15 221E 16 005E 17 005C 18 20AC 19 00D3 1A 007C 1C 00C2 1D 00E2 1E 00CA 24 00BA "
    "40 00CD 5B 00C3 5C 00D5 5D 00DA 60 007E 7B 00E3 7C 00F5 7D 0060"
)
EXTENSION = (  # 6.2.1.1
    "0A 000C 14 005E 28 007B 29 007D 2F 005C 3C 005B 3D 007E 3E 005D 40 007C 65 20AC "
)
TURKISH_SINGLE = "47 011E 49 0130 53 015E 63 00E7 67 011F 69 0131 73 015F"  # A.2.1
SPANISH_SINGLE = "09 00E7 41 00C1 49 00CD 4F 00D3 55 00DA 61 00E1 69 00ED 6F 00F3 75 00FA"  # A.2.2
PORTUGUESE_SINGLE = (  # A.2.3
    "05 00EA 09 00E7 0B 00D4 0C 00F4 0E 00C1 0F 00E1 12 03A6 13 0393 15 03A9 16 03A0 17 03A8 "
    "18 03A3 19 0398 1F 00CA 41 00C0 49 00CD 4F 00D3 55 00DA 5B 00C3 5C 00D5 61 00C2 69 00ED "
    "6F 00F3 75 00FA 7B 00E3 7C 00F5 7F 00E2"
)


def characters(printed: str) -> dict[int, str]:
    numbers = [int(number, 16) for number in printed.split()]
    return dict(zip(numbers[::2], map(chr, numbers[1::2]), strict=True))


@pytest.mark.parametrize(("language", "printed"), [(0, ""), (1, TURKISH), (2, ""), (3, PORTUGUESE)])
def test_locking_tables_differ_where_printed(language: int, printed: str) -> None:
    pairs = enumerate(zip(pdus.LOCKING[language], pdus.LOCKING[0], strict=True))
    assert {code: new for code, (new, old) in pairs if new != old} == characters(printed)


@pytest.mark.parametrize(
    ("language", "printed"), [(0, ""), (1, TURKISH_SINGLE), (2, SPANISH_SINGLE), (3, PORTUGUESE_SINGLE)]
)
def test_single_shift_tables_are_as_printed(language: int, printed: str) -> None:
    assert pdus.SINGLE[language] == characters(EXTENSION + printed)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("+491701234567", "0C91947110325476"),
        ("12345", "05812143F5"),
        ("*100#", "05811A00FB"),
        ("", "0081"),
        ("A", "02D041"),
        ("ABCD", "07D041E19008"),
        ("ABCDEFGH", "0ED041E19058341E91"),
        ("InternetSMS", "14D04937BD2C7797E9D3E614"),
    ],
)
def test_addresses(text: str, encoded: str) -> None:
    assert pdus.address(text) == bytes.fromhex(encoded)


@pytest.mark.parametrize(
    ("zone", "encoded"), [("+00:00", "00"), ("+01:00", "40"), ("+05:45", "32"), ("-03:30", "49"), ("-05:00", "0A")]
)
def test_zones(zone: str, encoded: str) -> None:
    stamp = pdus.timestamp(at(f"2026-11-22T12:34:56{zone}"))
    assert stamp == bytes.fromhex("621122214365" + encoded)


@pytest.mark.parametrize(("value", "encoded"), [(0, "00"), (127, "7F"), (128, "8100"), (0x87A5, "828F25")])
def test_uintvar(value: int, encoded: str) -> None:
    assert pdus.uintvar(value) == bytes.fromhex(encoded)  # 0x87A5: WAP-230-WSP 8.1.2's example


# --- long messages --------------------------------------------------------------------------------


def test_a_pair_stays_together() -> None:
    first, second = long_sms("x" * 66 + "😀" * 20, reference=1)
    assert first.endswith("0078")
    assert second.partition("050003010202")[2].startswith("D83DDE00")


def test_an_escape_stays_with_its_character() -> None:
    first, second = long_sms("x" * 152 + "€" * 10, reference=1)
    assert deliver("x" * 152, udh=[pdus.concat(1, 2, 1)]) == first
    assert deliver("€" * 10, udh=[pdus.concat(1, 2, 2)], time=pdus.TIME + timedelta(seconds=1)) == second


# --- against another decoder ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case["name"])
        for case in CORPUS
        if [message["kind"] for message in case["expect"]] == ["sms"]
        and len(case["pdus"]) == 1
        and not case["name"].startswith(UNKNOWN_TO_SMSPDUDECODER)
    ],
)
def test_smspdudecoder_reads_the_same(case: dict[str, Any]) -> None:
    # exc_type: smspdudecoder 2.2 with bitstring 5 is installed, and yet cannot be imported
    easy = pytest.importorskip("smspdudecoder.easy", exc_type=ImportError)
    (wanted,) = case["expect"]
    read = easy.read_incoming_sms(case["pdus"][0])
    assert (read["sender"], read["content"]) == (wanted["sender"], wanted["text"])
    assert wanted["time"] is not None
    assert read["date"] == at(wanted["time"])


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("text", ["Lorem ipsum dolor sit amet, " * 9, "Съешь ещё этих мягких булок. " * 6, "🎈🎉" * 70])
def test_smspdudecoder_reads_the_parts(text: str, wide: bool) -> None:
    easy = pytest.importorskip("smspdudecoder.easy", exc_type=ImportError)
    parts = [easy.read_incoming_sms(part) for part in long_sms(text, reference=7, wide=wide)]
    assert "".join(part["content"] for part in parts) == text
    assert [part["partial"]["part_number"] for part in parts] == list(range(1, len(parts) + 1))
    assert {part["partial"]["parts_count"] for part in parts} == {len(parts)}


# --- the corpus -----------------------------------------------------------------------------------


def test_corpus_is_large_and_named() -> None:
    assert len(CORPUS) >= 140
    assert len(EVERY) == len(CORPUS)
    assert all(re.fullmatch(r"[a-zA-Z0-9-]+", name) for name in EVERY)
    assert all(case["why"] and case["expect"] for case in CORPUS)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CORPUS])
def test_expectations_are_well_formed(case: dict[str, Any]) -> None:
    times = [at(message["time"]) for message in case["expect"] if message["time"]]
    assert times == sorted(times)
    assert all(time.utcoffset() is not None for time in times)
    for message in case["expect"]:
        kind, text, missing = message["kind"], message.get("text"), message.get("missing", [])
        assert kind in KINDS
        assert kind != "sms" or text is not None
        assert kind not in WITHOUT_TEXT or text is None
        assert ("mms" in message, "status" in message) == (kind == "mms", kind == "report")
        runs = sum(number - 1 not in missing for number in missing)
        assert (text or "").count("[…]") == runs
        (text or "").encode()  # no lone surrogate


def test_corpus_covers_what_it_should() -> None:
    assert {message["kind"] for case in CORPUS for message in case["expect"]} == KINDS
    text = EVERY["gsm7-every-septet"]["expect"][0]["text"]
    assert set(text) == set(pdus.LOCKING[0]) - {"\x1b"}
    groups = {name[4:5] for name in EVERY if name.startswith(("dcs-", "mwi-"))}
    assert groups >= set("0123456789ABCDEF")
    found = "".join(pdu for case in CORPUS for pdu in case["pdus"])
    assert found != found.upper(), "hex in lower case"
