# SPDX-License-Identifier: GPL-2.0-or-later
"""Every PDU is read without a crash, and what the independent encoder (pdus.py) writes comes out again."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pdus
from corpus.test_corpus import CORPUS
from homesim.chat import render
from homesim.sms import message, pdu, wap
from homesim.sms.alphabet import LOCKING, SINGLE

SETTINGS = settings(deadline=None, derandomize=True, max_examples=100)

LANGUAGES = st.integers(0, 3)
HIGH_SURROGATES = [chr(code) for code in range(0xD800, 0xDC00)]


# Strategies


@st.composite
def gsm7_texts(draw: st.DrawFn, locking: int, single: int, most: int) -> str:
    """What fits into `most` septets of these tables."""
    known = sorted(set(LOCKING[locking]) - {"\x1b"} | set(SINGLE[single].values()))
    text = draw(st.text(st.sampled_from(known), max_size=most))
    while len(b"".join(pdus.septets(text, locking=locking, single=single))) > most:
        text = text[:-1]
    return text


def ucs2_texts(most: int = 30) -> st.SearchStrategy[str]:
    """Any characters, half of them from beyond 16 bits."""
    astral = st.characters(min_codepoint=0x10000)
    return st.text(st.characters() | astral, max_size=most)


numbers = st.from_regex(r"\+?[0-9*#abc]{1,20}", fullmatch=True)
times = st.builds(
    lambda naive, quarters: naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=15 * quarters))),
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
    st.integers(-79, 79),
)
elements = st.tuples(st.integers(0x30, 0xFF), st.binary(max_size=8))  # of no meaning to us
places = st.integers(1, 255).flatmap(lambda total: st.tuples(st.just(total), st.integers(1, total)))


@st.composite
def names(draw: st.DrawFn) -> str:
    """Alphanumeric senders. Eight septets that end in an @ are seven with counted fill bits."""
    name = draw(gsm7_texts(0, 0, 11))
    septets = b"".join(pdus.septets(name))
    return name if septets and not (len(septets) == 8 and septets[-1] == 0) else "Bank"


whole = st.sampled_from([text for case in CORPUS for text in case["pdus"] if pdu.decode(text).kind != "undecodable"])


# Of a service indication: each token with what follows it.
TOKENS = [
    *(bytes([token]) for token in (0x01, 0x05, 0x06, 0x45, 0x46, 0x85, 0x86, 0xC5, 0xC6, 0x08, 0x0A, 0x0B, 0x0D, 0x88)),
    *(b"\x03text\0", b"\x02\x20", b"\x83\0", b"\x83\2", b"\x83\x7f", b"\xc3\2\0\0", b"\xc3\x7f", b"\xff"),
]


@st.composite
def damaged_pdus(draw: st.DrawFn) -> str:
    """A valid PDU with octets put in, taken out, changed, or cut off."""
    octets = bytearray(bytes.fromhex(draw(whole)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(octets) - 1)))
        octets[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return octets[: draw(st.integers(0, 200))].hex().upper()


# Nothing stops the reading


@SETTINGS
@given(ucs2_texts() | st.text("0123456789abcdefABCDEF \n", max_size=400))
@example("")
@example("00")
@example("0")
@example("FF" * 200)
@example("00" * 200)
def test_any_string_is_read(text: str) -> None:
    assert pdu.decode(text + "\ud800").kind == "undecodable"
    _is_read(text)


@settings(SETTINGS, max_examples=300)
@given(damaged_pdus() | st.binary(max_size=200).map(lambda octets: octets.hex()))
def test_any_octets_are_read(text: str) -> None:
    _is_read(text)


@settings(SETTINGS, max_examples=300)
@given(st.binary(max_size=300))
@example(b"\x8e\x1f" + pdus.uintvar(150) + b"\xff" * 150)
def test_any_mms_notice_is_read(fields: bytes) -> None:
    """In one PDU or several: X-Mms-Message-Type, and whatever anybody puts behind it."""
    read = message.read(pdus.wap_push(b"\x8c\x82" + fields, pdus.MMS))
    assert read.kind in ("mms", "push")
    assert render.render(read, "home")


@settings(SETTINGS, max_examples=300)
@given(st.sampled_from([pdus.SI, pdus.SL]), st.binary(max_size=100), st.lists(st.sampled_from(TOKENS), max_size=40))
@example(pdus.SI, b"\x02\x05\x6a\0", [b"\x45", b"\x02\xff\xff\xff\xff\x7f"])
def test_any_service_indication_is_read(kind: bytes, octets: bytes, tokens: list[bytes]) -> None:
    for document in (octets, b"\x02\x05\x6a\x04a\0b\0" + b"".join(tokens) + octets):
        read = message.read(pdus.wap_push(document, kind))
        assert read.kind == "push"
        assert "a bug in homesim" not in read.text
        assert render.render(read, "home")


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        b"\x45" * 1000,  # elements in elements
        b"\x45" + b"\x83\0" * 1000,  # the whole table, again and again
        b"\x45" + b"\x83\x87\x67" * 1000,  # its empty end
        b"\x45\x03",  # a string without an end
        b"\x45" + b"\x03\0" * 1000,
        b"\xc6" + b"\x0c\x85" * 1000,
    ],
)
def test_the_time_for_a_service_indication_is_linear(body: bytes) -> None:
    """Sixteen times the length takes some sixteen times the time; were it quadratic, 256 times."""

    def needed(factor: int) -> float:
        table = b"x" * 999 * factor + b"\0"
        document = b"\x02\x05\x6a" + pdus.uintvar(len(table)) + table + body * factor + b"y" * 1000 * factor
        push = b"\1\6\1\xae" + document
        begun = time.process_time()
        for _ in range(20):
            wap.read(push)
        return time.process_time() - begun

    assert min(needed(16) for _ in range(3)) < 64 * max(min(needed(1) for _ in range(3)), 0.0005)


def test_a_bug_holds_up_no_other_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wap, "read", lambda *_: 1 / 0)
    [text] = pdus.wap_push(pdus.service_indication("482913 is your code", "http://a.example"))
    assert message.read([text]).text == f"This SMS cannot be decoded: a bug in homesim, ZeroDivisionError.\n{text}"


def _is_read(text: str) -> None:
    """By every room that meets it, and nothing of it is lost that cannot be read."""
    decoded = pdu.decode(text)
    assert (decoded.kind == "undecodable") == bool(decoded.damage)
    assert not decoded.damage or re.fullmatch("its? [a-z, ]+", decoded.damage)
    assert 1 <= decoded.part.number <= decoded.part.total <= 255
    assert decoded.time is None or decoded.time.utcoffset() is not None
    assert re.fullmatch("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{24}", message.name([text]))
    read = message.read([text])
    assert "a bug in homesim" not in read.text
    if read.kind == "undecodable":
        assert text in read.text
    drafts = render.render(read, "home")
    assert all(0 < render.units(draft.text) <= render.LIMIT for draft in drafts)


@SETTINGS
@given(whole, st.data())
def test_a_cut_pdu_is_told_as_such_and_its_sender_stays(text: str, data: st.DataObject) -> None:
    """What ends before its user data does is never taken for a shorter message."""
    told = pdu.decode(text)
    if told.kind == "report":  # a report may end anywhere behind its status
        return
    while pdu.decode(text[:-2]) == told:  # octets behind its user data: septets take fewer than those that it counts
        text = text[:-2]
    end = data.draw(st.integers(1, len(text) // 2 - 1)) * 2
    decoded = pdu.decode(text[:end])
    assert (decoded.kind, bool(decoded.damage), decoded.part) == ("undecodable", True, pdu.Concatenation())
    assert decoded.address in ("", told.address)
    assert told.units.startswith(decoded.units)
    if end == len(text) - 2:
        assert (decoded.address, decoded.time) == (told.address, told.time)
        assert len(decoded.units) >= len(told.units) - 2


# What was written comes out


@SETTINGS
@given(st.data(), LANGUAGES, LANGUAGES, times, numbers, st.lists(elements, max_size=2))
def test_gsm7(
    data: st.DataObject, locking: int, single: int, time: datetime, sender: str, more: list[pdus.Element]
) -> None:
    room = (pdus.OCTETS - len(pdus.header([*more, *pdus.shifts(locking, single)]))) * 8 // 7
    text = data.draw(gsm7_texts(locking, single, room))
    made = pdus.deliver(
        text, sender, alphabet="gsm7", time=time, locking=locking, single=single, udh=more, toa=_type(sender)
    )
    read = message.read([made])
    assert (read.kind, read.sender, read.text) == ("sms", sender, text)
    assert (read.time, read.time and read.time.utcoffset()) == (time, time.utcoffset())


def _type(number: str) -> int:
    return 0x91 if number.startswith("+") else 0x81


@SETTINGS
@given(ucs2_texts(), names(), st.sampled_from([0x08, 0x18, 0x19, 0x1A, 0x1B]), st.lists(elements, max_size=2))
def test_ucs2(text: str, sender: str, dcs: int, more: list[pdus.Element]) -> None:
    made = pdus.deliver(text, sender, alphabet="ucs2", toa=0xD0, dcs=dcs, udh=more)
    read = message.read([made])
    assert (read.kind, read.sender, read.text) == ("sms", sender, text)
    assert read.flash == (dcs == 0x18)  # class 0


@SETTINGS
@given(st.booleans(), st.data(), places, st.lists(elements, max_size=2), st.lists(elements, max_size=2))
def test_place_in_a_long_sms(
    wide: bool,
    data: st.DataObject,
    place: tuple[int, int],
    before: list[pdus.Element],
    after: list[pdus.Element],
) -> None:
    reference = data.draw(st.integers(0, 0xFFFF if wide else 0xFF))
    total, number = place
    udh = [*before, pdus.concat(reference, total, number, wide=wide), *after]
    decoded = pdu.decode(pdus.deliver("a", udh=udh))
    assert decoded.part == pdu.Concatenation(reference, wide, total, number)
    assert decoded.alphabet.decode(decoded.units) == "a"


# sms.name


@SETTINGS
@given(whole, numbers, st.booleans())
def test_a_message_has_one_name_whichever_way_it_comes(text: str, centre: str, lower: bool) -> None:
    octets = bytes.fromhex(text)
    own = octets[1 + octets[0] :]
    again = (pdus.service_centre(centre.rstrip("abc") or "1") + own).hex()
    assert message.name([again if lower else again.upper()]) == message.name([text])


@SETTINGS
@given(times, st.integers(1, 10**7))
def test_messages_of_different_seconds_have_different_names_in_their_order(time: datetime, later: int) -> None:
    times = [time, time + timedelta(seconds=later)]
    stamps = [moment.astimezone(UTC) for moment in times]
    if stamps[1].year > 2098 or stamps[0].year < 2000:
        return
    first, second = (message.name([pdus.deliver("The same text", time=moment)]) for moment in times)
    assert first < second


@SETTINGS
@given(st.permutations(pdus.long_sms(["a", "b", "c"], reference=1)))
def test_the_order_of_its_parts_is_not_in_the_name(parts: list[str]) -> None:
    assert message.name(parts) == message.name(sorted(parts))
    assert message.name(parts) != message.name(parts[:2])
