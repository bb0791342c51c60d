# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the one-time code in the text of an SMS.

One pass cuts the text into numbers and words (lexicon.py), a second weighs them. The rules:

 1. A candidate is 4 to 8 digits of any script, whole or as 123-456 or 123 456. Letters or more
    digits directly before or after make it something else, but for "is", "OTP", "code" and "PIN".
    Two letters or less and a dash before it are left out: G-, FB-, A1-.
 2. Doubtful candidates are a year, 1234-5678, 1 2 3 4 5 6, and 5 to 8 letters and digits mixed. Odd
    ones are 123-4567, 1234-567, 4 capitals and digits mixed, and 5 to 8 capitals with four
    consonants in a row (QGFDAE).
 3. Noise is never a candidate: web and mail addresses, telephone numbers, masked cards (*1234,
    5738xx), numbers with a point, comma, colon, slash or dash inside (prices, dates, times,
    accounts), digits in groups, a word with a number (EAGLE168), digits with small letters behind
    (48hours), and a number next to a currency or before a unit ("4500 EUR", "1000 MB").
 4. A name such as "order", "card" or "call" claims the first number within REACH behind it, noise
    or not, unless "is your" follows. A candidate that follows it at once is out. With words or a
    colon between ("code for your account: 1234") it is out too, unless a code word stands before
    it in that sentence; then it is only worse than others, and so is 4829 in "code for 4829".
    "Promo code" and its like are names, not code words.
 5. A code word ("code", "пароль", "验证码", the "#" of "@example.com #1234", ...) must be near;
    "enter" and its like are one for the number directly behind. The nearest candidate wins; over
    FAR is too far. The distance is in characters, plus AHEAD if the number is before the word, plus
    SENTENCE for each end of a sentence between, times its DOUBT, plus CLAIMED if a name claims it.
    A code given twice: its first place counts.
 6. Without any code word, a lone candidate is one if the text is nothing else; or, if it is of rule
    1, one word and a mark ("Example: 482913"); or if it is the first line, of 6 digits or more. A
    year never is.

Time is linear in the length of the text: a repetition in the pattern is bounded, or bound to the
beginning of a word, or what it has run over is consumed.
"""

import functools
import re
from bisect import bisect
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from homesim.sms import lexicon
from homesim.sms.lexicon import Token

AHEAD, SENTENCE, CLAIMED, FAR, REACH = 15, 40, 100, 160, 25
DOUBT = {"plain": 1, "year": 3, "spaced": 3, "mixed": 3, "odd": 12}

_G = r"[A-Za-z_\u00c0-\u0dff\d]"  # no such letter may touch a number; Thai, Han, ... may
_E, _S, _D = rf"(?!{_G})", r"[ \u00a0\u202f]", r"[-\u2010-\u2013]"
# What a long pattern costs is its compilation, so what is common to its parts stands once.
_NUMBERS = (
    r"(?P<code>@[A-Za-z0-9.-]{1,99} \#(?=\w))"
    # web, mail
    r"|(?P<noise>(?:[Hh]ttps?://|www\.)[!-z]+|[\w.+-]{1,64}@[\w.-]{1,64}"
    # telephone, *100#
    rf"|\+\d[\d ()./-]{{5,20}}|\(\d{{3}}\) ?\d{{3}}[ -]?\d{{4}}(?!\d)|[*#]\d[\d*]{{0,20}}\#)"
    rf"|(?<!{_G})(?:(?P<address>[A-Za-z0-9-]{{1,40}}(?:\.[A-Za-z0-9-]{{1,40}}){{0,3}}\.[A-Za-z]{{2,12}}/[!-z]+"
    r"|0\d{1,4}[ /-](?:\d{3,4}(?:[ /-]\d{3,4}){1,6}|\d{4,15})"
    # masked card
    r"|(?:[*•xX]{1,8}|[*•xX]{2,8}[ -]|\.{2,4}|…)\d{3,5}(?![\w*]))"
    # dates with a named month, times, groups of digits
    r"|(?P<date>\d\d?(?:\.? (?:de )?[^\W\d_]{3,12}\.?,? (?:de )?(?:19|20)\d\d"
    r"|-?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)-?(?:\d\d){1,2}|\s?[Hh時时点시]\s?\d\d)"
    rf"|\d{{1,4}}(?:{_S}\d{{2,4}}){{2,8}}(?![:.]\d)){_E}"
    rf"|(?:(?P<year>(?:19|20)\d\d)|(?P<spaced>\d{{4}}(?:{_S}|{_D})\d{{4}}|\d(?: \d){{3,7}})"
    rf"|(?P<plain>(?:[A-Z]\w-|is|(?i:otp|code|pin))?(?P<digits>\d{{3}}(?:{_S}|{_D})\d{{3}}|\d{{4,8}}))"
    r"|(?P<brand>[A-Za-z]{4,15}\d{2,4})"  # EAGLE168
    r"|(?P<mixed>(?<![+/])(?=[A-Za-z]{0,7}\d)(?=\d{0,7}[A-Za-z])[A-Za-z0-9]{5,8})"
    rf"|(?P<odd>\d{{3}}{_D}\d{{4}}|\d{{4}}{_D}\d{{3}}|(?=[A-Z]{{0,3}}\d)(?=\d{{0,3}}[A-Z])[A-Z0-9]{{4}}"
    r"|(?=[A-Z]{0,4}[B-DF-HJ-NP-TVWZ]{4})[A-Z]{5,8}))"
    # the end of a number; but "482913,5分钟" is two
    rf"{_E}(?![-.:/*]\d|/[A-Za-z]|,\d(?!\d?\s?(?:分|min|мин|хв)))"
    rf"|(?P<number>[A-Za-z\u00c0-\u0dff]{{0,40}}\d(?:{_G}|[-.,:/*•…]{{1,8}}(?=\d))*)"
    r"|(?P<name>(?i:text|send|sms) \w{1,12} (?i:to|an)(?= \d)))"  # "Text JOIN to 4829"
    r"|(?P<break>[.!?](?=\s)|[。！？؟।\n])"
)
_BETWEEN = r"\w{0,6}[ -]?(?:d[eiu] |d['’])?"
_SAID = r"\s{1,3}(?:is|ist|est|es|é|è|jest|to) (?:your|the|deine?|ihre?|votre|ton|tu|su|il tuo|o seu|twój|je|uw)\b"
_FOR = (" for ", " of ")  # "your OTP for 3838" is another number
_CLOSE = ("", " ", "\u00a0", "\u202f")
_MEASURES = frozenset(["currency", "unit"])
_NONE = Token(0, 0, frozenset())


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """Compiled at the first use: an idle run looks for no code."""
    return re.compile(pattern)


@dataclass(frozen=True)
class Code:
    start: int  # index of the first character in the text
    end: int
    value: str  # what to paste: "482913" for "482-913"


class _Candidate(NamedTuple):
    code: Code
    place: int  # its index, and SENTENCE for each end of a sentence before it
    kind: str  # a key of DOUBT
    claimed: bool


def find(text: str) -> Code | None:
    """The one-time code in the text, or None."""
    candidates, words = _weighed(text, _joined(text, _tokens(text)))
    if not words:
        return _lone(text, candidates)
    words = [(-inf, -inf), *words, (inf, inf)]

    def distance(candidate: _Candidate) -> float:
        place, length = candidate.place, candidate.code.end - candidate.code.start
        word = bisect(words, (place, inf))
        near = min(place - words[word - 1][1], words[word][0] - place - length + AHEAD)
        return near * DOUBT[candidate.kind] + CLAIMED * candidate.claimed

    best = min(candidates, key=distance, default=None)
    if best is None or distance(best) > FAR:
        return None
    return next(each.code for each in candidates if each.code.value == best.code.value)


def _tokens(text: str) -> list[Token]:
    """Numbers and words from left to right; of two that overlap the first counts, or else the word."""
    found = list(lexicon.find(text))
    for number in _pattern(_NUMBERS).finditer(text):
        start = number.start("digits") if number["digits"] else number.start()
        found.append(Token(start, number.end(), frozenset([number.lastgroup or ""])))
    tokens: list[Token] = []
    for token in sorted(found, key=lambda token: token.start):
        if not tokens or token.start >= tokens[-1].end:
            tokens.append(token)
    return tokens


def _joined(text: str, tokens: list[Token]) -> list[Token]:
    """The same with "promo" and "code" made a name, "code" and "number" a code word."""
    joined: list[Token] = []
    for token in tokens:
        last = joined[-1] if joined else _NONE
        other = ("code" in last.kinds and "other" in token.kinds) or (
            "code" in token.kinds and not last.kinds.isdisjoint(("other", "before"))
        )
        number = "code" in last.kinds and "number" in token.kinds
        if (other or number) and _pattern(_BETWEEN).fullmatch(text, last.end, token.start):
            joined[-1] = Token(last.start, token.end, frozenset(["name" if other else "code"]))
        else:
            joined.append(token)
    return joined


def _weighed(text: str, tokens: list[Token]) -> tuple[list[_Candidate], list[tuple[float, float]]]:
    """The candidates, and the places of the code words: start and end."""
    candidates: list[_Candidate] = []
    words: list[tuple[float, float]] = []
    shift = 0  # index + shift = place; grows by SENTENCE with each end of a sentence
    name_end = -inf  # where the last name ends, as long as it claims
    in_sentence = False  # is there a code word in this sentence?
    for last, token, following in zip([_NONE, *tokens], tokens, [*tokens[1:], _NONE], strict=False):
        start, end, kinds = token
        asks = "ask" in kinds and "plain" in following.kinds and following.start <= end + 1
        if "code" in kinds or asks:
            words.append((start + shift, end + shift))
            in_sentence = True
        elif "break" in kinds:
            shift, in_sentence = shift + SENTENCE, False
        elif kinds & DOUBT.keys() and not _measured(text, last, token, following):
            named = start - name_end <= REACH and not _pattern(_SAID).match(text, end)
            if not named or (in_sentence and text[int(name_end) : start].strip(" #№")):
                claimed = named or ("code" in last.kinds and text[last.end : start].lower() in _FOR)
                kept = (str(int(c)) if c.isdecimal() else c for c in text[start:end] if c.isalnum())
                code = Code(start, end, "".join(kept))
                candidates.append(_Candidate(code, start + shift, min(kinds), claimed))
        if "name" in kinds:
            name_end = end
        elif not kinds & {"currency", "unit", "other", "before", "ask", "nothing"}:
            name_end = -inf
    return candidates, words


def _measured(text: str, last: Token, token: Token, following: Token) -> bool:
    """Is it a sum of money, or so many of something?"""
    if "currency" in last.kinds and text[last.end : token.start] in _CLOSE:
        return True
    if following.kinds & _MEASURES and text[token.end : following.start] in (*_CLOSE, "\n", "-"):
        return "unit" in following.kinds or not text[following.end : following.end + 2].lstrip()[:1].isdigit()
    word = text[token.start : token.end].lstrip("0123456789")
    if not word.isalpha() or len(word) == token.end - token.start:
        return False
    return not word.isupper() or not word.strip("X") or any(unit.kinds & _MEASURES for unit in lexicon.find(word))


def _lone(text: str, candidates: list[_Candidate]) -> Code | None:
    """The only candidate of a text without a code word, where there is little else."""
    if len(candidates) != 1 or candidates[0].claimed or candidates[0].kind == "year":
        return None
    code = candidates[0].code
    rest = re.sub(r"\w{1,2}-$", "", text[: code.start]) + " " + text[code.end :]
    words = len(re.findall(r"\w+", rest))
    if candidates[0].kind != "plain":
        return code if not words and not code.value.isalpha() else None
    if words > 1 or (words and not re.search(r"[^\w\s]", rest)):
        first = text.strip().partition("\n")[0].strip()
        return code if len(code.value) >= 6 and first == text[code.start : code.end] else None
    return code
