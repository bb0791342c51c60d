# SPDX-License-Identifier: GPL-2.0-or-later
"""The finder of one-time codes against labelled messages, arbitrary text and hostile text."""

import resource
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homesim.sms import lexicon, otp

MESSAGES: list[dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("otp_messages.toml").read_text(encoding="utf-8")
)["message"]
LONG = 40_000
NO_HURRY = settings(deadline=None)  # the machine may be busy
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
        ("Ihre PIN wurde am 12-DEZ-2026 im Markt 4432 benutzt? Dann ist alles gut.", ""),
        ("Su agente con código 55012 pasará el lunes por la casa.", ""),
        ("Sua senha de acesso: 20-4417? Não. Procure a agência 4417 do Banco Exemplo.", ""),
        ("Votre code : 48 29 13", "482913"),
    ],
)
def test_known_miss(text: str, expected: str) -> None:
    assert value(text) == expected


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
        ("Your code is XKQPTZ", "XKQPTZ", "XKQPTZ"),
        ("Code: 482-9137", "482-9137", "4829137"),
        ("Code: 4829-137", "4829-137", "4829137"),
        ("[Example] code: A1-482913", "482913", "482913"),
        ("Your OTP is482913", "482913", "482913"),
        ("รหัสOTP482913", "482913", "482913"),
        ("@example.com #K7QX2P", "K7QX2P", "K7QX2P"),
        ("482913", "482913", "482913"),
        ("Example: 482913", "482913", "482913"),
        ("Your code is 482913.\n\n@example.com #482913", "482913", "482913"),  # where it is first
    ],
)
def test_span_and_value(text: str, span: str, expected: str) -> None:
    start = text.index(span)
    assert otp.find(text) == otp.Code(start, start + len(span), expected)


@pytest.mark.parametrize("text", ["", " ", "2026", "code", "See you at 4829", "123", "1234567890"])
def test_nothing_to_find(text: str) -> None:
    assert otp.find(text) is None


@NO_HURRY
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
    assert any(c.isdigit() for c in code.value) or code.value.isupper()
    assert otp.find(text) == code


@NO_HURRY
@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True))
def test_any_digits_behind_the_word(digits: str) -> None:
    assert value(f"Your code is {digits}.") == digits
    assert value(f"Dein Code: {digits}") == digits
    assert value(f"Ваш код {digits}, никому не сообщайте его") == digits


@NO_HURRY
@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True))
def test_any_digits_with_a_currency(digits: str) -> None:
    assert value(f"Code? {digits} EUR") == value(f"Code? $ {digits}") == value(digits + "₽") == ""


def cpu(text: str) -> float:
    """CPU seconds to look through it, the best of three."""
    spent = []
    for _ in range(3):
        begun = time.process_time()
        otp.find(text)
        spent.append(time.process_time() - begun)
    return min(spent)


@pytest.mark.slow
@pytest.mark.parametrize("bit", [*BITS, "İ", "ยืนยัน", "X", "QGFD", "A1-", "is1234", "promo code "])
def test_a_hostile_text_four_times_as_long_takes_four_times_as_long(bit: str) -> None:
    short, long = ((bit * length)[: length - 5] + "!4829" for length in (LONG // 4, LONG))
    assert cpu(long) < 10 * cpu(short)  # 16, if each character looked at each other


def used(*statements: str) -> float:
    """CPU seconds of a fresh Python that runs them, the best of three."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "\n".join(statements)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_the_first_code_of_a_process_costs_less_than_the_start_of_python() -> None:
    path, load = f"import sys; sys.path[:] = {sys.path!r}", "from homesim.sms import otp"
    found = "assert otp.find('Your code is 482913').value == '482913'"
    assert used(path, load, found) < 2 * used(path, load)


def test_a_word_of_the_lexicon_is_found_where_it_stands_alone() -> None:
    for kind, words in lexicon.WORDS.items():
        for word in words.split():
            bare = word.strip("~").replace("_", " ")
            token, *others = lexicon.find(bare)
            assert (token.start, token.end, others) == (0, len(bare), [])
            assert kind in token.kinds


@NO_HURRY
@given(TEXT)
def test_words_are_found_from_left_to_right(text: str) -> None:
    end = 0
    for token in lexicon.find(text):
        assert end <= token.start < token.end <= len(text)
        end = token.end


@pytest.mark.parametrize("text", ["PIN", "(Tan)", "TANgo", "otpx", "otp bank", "spinach", "handy", "נקודות", "号码"])
def test_the_edges_of_words(text: str) -> None:
    code = [text[token.start : token.end] for token in lexicon.find(text) if "code" in token.kinds]
    assert code == (["PIN"] if text == "PIN" else [])
