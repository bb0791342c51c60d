# SPDX-License-Identifier: GPL-2.0-or-later
"""The finder of one-time codes against labelled messages, arbitrary text and hostile text."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homesim import otp

MESSAGES: list[dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("otp_messages.toml").read_text(encoding="utf-8")
)["message"]
LONG = 40_000
BITS = ["1", "1 ", "4829 ", "482913", "12-", "1.", "1,000 ", "٤", "+1", "*", "x", "a", "a1", "a-"]
BITS += ["a.", "@a.", "https://", "code ", "code 4829 ", "4829 code. ", "order 4829 ", "promo "]
BITS += ["promo code", "cod", " ", "\n", "(", "#", "…", "1…", "1 2 ", "0 1", "验证码", "EUR 1 "]
NOISY = st.lists(
    st.sampled_from([*BITS, "G-", "\ud800", "ref. ", " is ", "°", "é", "7 "]), max_size=30
)
TEXT = st.text() | NOISY.map("".join)


def value(text: str) -> str:
    code = otp.find(text)
    return code.value if code else ""


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: f"{m['language']}: {m['text'][:30]}")
def test_message(message: dict[str, str]) -> None:
    assert value(message["text"]) == message["code"]


@pytest.mark.xfail(strict=True, reason="known miss")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("İptal için 182 yi arayın. Onay kodu gerekmez. Poliklinik 2104", ""),
        ("Code? Frag den Hausmeister, Wohnung 2104", ""),
        ("Your code is XKQPTZ", "XKQPTZ"),
        ("Votre code : 48 29 13", "482913"),
    ],
)
def test_known_miss(text: str, expected: str) -> None:
    assert value(text) == expected


def test_there_are_enough_messages() -> None:
    without = sum(not message["code"] for message in MESSAGES)
    assert len(MESSAGES) >= 120
    assert len({message["language"] for message in MESSAGES}) >= 15
    assert 0.4 <= without / len(MESSAGES) <= 0.6
    assert len({message["text"] for message in MESSAGES}) == len(MESSAGES)


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("Code: 482-913.", "482-913", "482913"),
        ("Code: 482 913", "482 913", "482913"),
        ("Code: 482\u00a0913", "482\u00a0913", "482913"),
        ("G-123456 is your code", "123456", "123456"),
        ("Code: K7QX2P.", "K7QX2P", "K7QX2P"),
        ("رمز التحقق: ٤٨٢٩١٣", "٤٨٢٩١٣", "482913"),
        ("کد تایید: ۴۸۲۹۱۳", "۴۸۲۹۱۳", "482913"),
        ("認証コード：４８２９１３", "４８２９１３", "482913"),
        ("👍👍 code 4829", "4829", "4829"),
        ("@example.com #K7QX2P", "K7QX2P", "K7QX2P"),
        ("482913", "482913", "482913"),
        ("Example: 482913", "482913", "482913"),
    ],
)
def test_span_and_value(text: str, span: str, expected: str) -> None:
    start = text.index(span)
    assert otp.find(text) == otp.Code(start, start + len(span), expected)


def test_a_code_given_twice_is_marked_at_its_first_place() -> None:
    text = "Your code is 482913.\n\n@example.com #482913"
    assert otp.find(text) == otp.Code(13, 19, "482913")


@pytest.mark.parametrize("text", ["", " ", "2026", "code", "See you at 4829", "123", "1234567890"])
def test_nothing_to_find(text: str) -> None:
    assert otp.find(text) is None


@given(TEXT)
def test_any_text(text: str) -> None:
    code = otp.find(text)
    if code is None:
        return
    assert 0 <= code.start < code.end <= len(text)
    span = text[code.start : code.end]
    kept = [str(int(c)) if c.isdecimal() else c for c in span if c.isalnum()]
    assert code.value == "".join(kept)
    assert 4 <= len(code.value) <= 8
    assert code.value.isascii()
    assert any(c.isdigit() for c in code.value)
    assert otp.find(text) == code


@given(TEXT, st.sampled_from([m for m in MESSAGES if m["code"]]), TEXT)
def test_any_text_around_a_message(before: str, message: dict[str, str], after: str) -> None:
    otp.find(before + message["text"] + after)


@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True))
def test_any_digits_behind_the_word(digits: str) -> None:
    assert value(f"Your code is {digits}.") == digits
    assert value(f"Dein Code: {digits}") == digits
    assert value(f"Ваш код {digits}, никому не сообщайте его") == digits


@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True))
def test_any_digits_with_a_currency(digits: str) -> None:
    assert value(f"Code? {digits} EUR") == value(f"Code? $ {digits}") == value(digits + "₽") == ""


@pytest.mark.parametrize("bit", BITS)
def test_a_long_hostile_text_returns(bit: str) -> None:
    otp.find((bit * LONG)[: LONG - 5] + "!4829")
