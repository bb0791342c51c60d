# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever an SMS says and whoever sends it: its drafts fit, show it whole, and Telegram changes nothing in them."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import pdus
from emulators.botapi.rules import finish_message, read_message
from homesim.chat import render
from homesim.chat.post import Draft, Entity
from homesim.chat.render import LIMIT
from homesim.sms import message, otp

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
MODEM = "home"
LONGEST_SENDER = 255  # an address has at most so many digits

# Strategies

BITING = "\0\t\n\r\x0b\x0c\x1b\x7f\x85\u00a0\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\ufeff\ufffc\ud83d\ude00🙂<"
hostile = st.sampled_from(BITING) | st.characters() | st.integers(0xD800, 0xDFFF).map(chr)
words = st.text(st.sampled_from("abж🙂"), min_size=1, max_size=12)
spaces = st.sampled_from([" ", "  ", "\n", "\r\n", "\t"])
known = ["+491701234567", "Bank", "", "\u202eknaB", " a  b\n", "🏠 homesim", "homesim", "🏠"]
senders = st.sampled_from(known) | st.text(hostile, max_size=20)
NOTES = ("complete now", "possible repeat")
notes = st.lists(st.sampled_from(NOTES), unique=True)
codes = st.sampled_from(["482913", "123 456", "123-456", "1 2 3 4 5 6", "G-123456"])


@st.composite
def long_texts(draw: st.DrawFn) -> str:
    """Up to four messages long, of few words again and again."""
    pieces = draw(st.lists(st.tuples(words, spaces), min_size=1, max_size=6))
    text = "".join(word + space for word, space in pieces)
    return text * draw(st.integers(1, 3 * LIMIT // len(text)))


@st.composite
def unbroken_texts(draw: st.DrawFn) -> str:
    """Without a space in them: letters, emoji, or both by turns."""
    return draw(st.sampled_from(["x", "🙂", "x🙂", "🙂🙂x"])) * draw(st.integers(1, 5000))


texts = st.text(hostile, max_size=80) | long_texts() | unbroken_texts() | st.lists(spaces, max_size=40).map("".join)


@st.composite
def texts_with_code(draw: st.DrawFn) -> str:
    """A code near the place of a cut, in long words or short."""
    filler = draw(st.sampled_from(["word ", "字", "a b\n", "🙂", "xyz, "]))
    before = filler * (draw(st.integers(3700, 4100)) // render.units(filler))
    after = draw(st.sampled_from(["", ".", " ", "\n"])) + filler * draw(st.integers(0, 2000))
    return f"{before} code: {draw(codes)}{after}"


@st.composite
def messages(draw: st.DrawFn, contents: st.SearchStrategy[str] = texts) -> message.Message:
    total = draw(st.sampled_from([1, 3, 255]))
    missing = tuple(range(2, draw(st.integers(2, total + 1)))) if total > 1 else ()
    return message.Message(
        kind=draw(st.sampled_from(["sms", "silent", "voicemail", "undecodable", "submit", "mms", "report"])),
        sender=draw(senders)[:LONGEST_SENDER],
        time=draw(st.none() | st.just(pdus.TIME)),
        text=draw(contents),
        flash=draw(st.booleans()),
        missing=missing,
        total=total,
    )


def note(text: str, *, sender: str = "Bank", kind: str = "sms", time: datetime | None = pdus.TIME) -> message.Message:
    return message.Message(kind, sender, time, text)


# What a draft says


def piece(draft: Draft, entity: Entity) -> str:
    """What an entity spans; AssertionError when it begins or ends within a character or beyond the text."""
    octets = draft.text.encode("utf-16-le")
    assert entity.offset >= 0
    assert entity.length > 0
    assert (entity.offset + entity.length) * 2 <= len(octets)
    octets[: entity.offset * 2].decode("utf-16-le")
    return octets[entity.offset * 2 : (entity.offset + entity.length) * 2].decode("utf-16-le")


def pieces(draft: Draft, kind: str) -> list[str]:
    return [piece(draft, entity) for entity in draft.entities if entity.type == kind]


def body(draft: Draft) -> str:
    """The text between the first line and the last."""
    (sender,), (footer,) = pieces(draft, "bold"), pieces(draft, "italic")
    assert draft.text.startswith(sender)
    assert draft.text.endswith(f"\n{footer}")
    inner = draft.text[len(sender) : -len(footer) - 1]
    return re.sub(r"^( \(\d+/\d+\))?\n", "", inner, count=1)


def shown(text: str) -> str:
    return render.clean(text) if render.clean(text).strip() else "(empty)"


# Cleaning

KEPT_BY_US = "\u030a\u0333\u033f\u200e\u200f"  # marks that Telegram drops or breaks; nobody reads another text by it


@SETTINGS
@given(st.text(hostile))
@example(BITING)
@example("a\r\nb\rc\n\r")
def test_cleaned_text_is_what_telegram_would_leave(text: str) -> None:
    """But line ends stay line ends, and DEL, which Telegram keeps, is a space."""
    cleaned = render.clean(text)
    assert render.clean(cleaned) == cleaned
    assert not re.search("[\0-\x09\x0b-\x1f\x7f\u2028-\u202e\ud800-\udfff]", cleaned)
    assert cleaned.count("\n") == len(re.findall("\r\n|[\n\r\x0c\u2028\u2029]", text))
    ordinary = "[\0-\x1f\x7f\u2028-\u202e\ud800-\udfff]"
    assert re.sub("[\n \ufffd]", "", cleaned) == re.sub("[\n \ufffd]", "", _joined(re.sub(ordinary, _half, text)))


def _half(match: re.Match[str]) -> str:
    return match[0] if "\ud800" <= match[0] <= "\udfff" else ""


def _joined(text: str) -> str:
    """Surrogates that follow each other are one character; the others nothing."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")


# render


@settings(SETTINGS, max_examples=40)
@given(messages(texts | texts_with_code()), notes)
@example(note("x" * 40_000), [])
@example(note("🙂" * 20_000), [])
@example(note(" " * 9000), [])
@example(note("\n" * 9000 + "."), [])
@example(note("\0" * 5000), list(NOTES))
@example(note("482913", sender="\u202e" * 20), [])
@example(note("\ud83d" * 5000, sender="\ud83d"), [])
def test_every_draft_fits_and_all_together_hold_the_text(what: message.Message, more: list[str]) -> None:
    drafts = render.render(what, MODEM, more)
    for number, draft in enumerate(drafts, 1):
        assert render.units(draft.text) <= LIMIT
        sender = render.clean(what.sender).replace(render.MARK, " ")
        assert pieces(draft, "bold") == [" ".join(sender.split()) or "(no sender)"]
        (footer,) = pieces(draft, "italic")
        assert footer.startswith(f"{MODEM} · ")
        assert all(f" · {word}" in footer for word in more)
        assert (f" ({number}/{len(drafts)})\n" in draft.text) == (len(drafts) > 1)
        assert draft.text == draft.text.strip()
    assert "".join(map(body, drafts)) == shown(what.text)
    if len(drafts) > 1:
        assert render.units(shown(what.text)) > LIMIT - 500


@SETTINGS
@given(messages(texts_with_code() | texts))
@example(note("字" * 3200 + " code: 123 456" + "字" * 2000))
def test_a_code_is_whole_in_one_draft_with_its_button(what: message.Message) -> None:
    drafts = render.render(what, MODEM)
    code = otp.find(render.clean(what.text)) if what.kind in ("sms", "silent") else None
    marked = [draft for draft in drafts if draft.copy or pieces(draft, "code")]
    if code is None:
        assert not marked
        return
    (draft,) = marked
    assert pieces(draft, "code") == [render.clean(what.text)[code.start : code.end]]
    assert draft.copy == (code.value,)


@pytest.mark.parametrize("code", ["482913", "123 456", "1 2 3 4 5 6"])
def test_a_code_at_a_cut_is_whole(code: str) -> None:
    """At each place around the first cut, in a text that has no other place to cut it."""
    for length in range(3985, 4030, 5):
        drafts = render.render(note("字" * length + f" code: {code}" + "字" * 100), MODEM)
        assert [piece for draft in drafts for piece in pieces(draft, "code")] == [code]
        assert len(drafts) == 2


@SETTINGS
@given(messages(long_texts()))
def test_cuts_are_at_word_ends(what: message.Message) -> None:
    """Words here have at most 24 units, so there is an end of a word near every cut."""
    for draft in render.render(what, MODEM)[:-1]:
        assert body(draft)[-1].isspace()
        assert render.units(draft.text) > LIMIT - 200


@settings(SETTINGS, max_examples=20)
@given(messages(long_texts() | unbroken_texts()))
def test_a_possible_repeat_is_cut_at_the_same_places(what: message.Message) -> None:
    """Else a split message that is taken up again at its third part would repeat or lose words."""
    first, again = (render.render(what, MODEM, notes) for notes in ([], ["possible repeat"]))
    assert list(map(body, again)) == list(map(body, first))


@SETTINGS
@given(texts, notes, st.sampled_from([(), ("1234",), ("1234", "123456")]))
def test_an_alert_fits(text: str, more: list[str], copy: tuple[str, ...]) -> None:
    drafts = render.render(message.own(text, copy), MODEM, more)
    assert all(render.units(draft.text) <= LIMIT for draft in drafts)
    assert "".join(map(body, drafts)) == render.clean(text)
    assert [draft.copy for draft in drafts] == [copy, *(() for _ in drafts[1:])]
    assert not any(pieces(draft, "code") for draft in drafts)
    keyboard = json.loads(wire(drafts[0]).get("reply_markup", '{"inline_keyboard": [[]]}'))["inline_keyboard"]
    assert [button["copy_text"]["text"] for button in keyboard[0]] == [*copy]


# what is our own

FAKE = "All is well again since 10:05.\nhome\n\n🏠 homesim\nThe PIN has changed; send the new one to +15550100."


@SETTINGS
@given(messages(texts))
@example(message.Message("sms", "🏠 homesim", None, FAKE))
def test_no_sender_passes_for_us(what: message.Message) -> None:
    for draft in render.render(what, MODEM):
        assert render.MARK not in "".join(pieces(draft, "bold"))
        assert not draft.text.startswith(render.MARK)


@pytest.mark.parametrize("alone", [True, False])
def test_a_text_cannot_fake_a_message_of_ours(alone: bool) -> None:
    """Bold are the senders, and no text is: so it is in a packed message too."""
    [fake] = render.render(message.Message("sms", "homesim", None, FAKE), MODEM)
    [alert] = render.render(message.own("The stick stopped answering."), MODEM)
    draft = fake if alone else render.pack([fake, alert])
    assert pieces(draft, "bold") == ["homesim", *([] if alone else [render.OURS])]
    assert pieces(alert, "bold") == [render.OURS]


# pack


@SETTINGS
@given(st.lists(messages(st.text(hostile, max_size=80) | st.just("Your code is 482913")), min_size=2, max_size=8))
def test_a_pack_keeps_each_message_whole(several: list[message.Message]) -> None:
    drafts = [render.render(one, MODEM)[0] for one in several]
    packed = render.pack(drafts)
    assert packed.text == "\n\n".join(draft.text for draft in drafts)
    assert packed.copy == ()
    for kind in ("bold", "code", "italic"):
        assert pieces(packed, kind) == [text for draft in drafts for text in pieces(draft, kind)]
    starts = [render.units("\n\n".join(draft.text for draft in drafts[:number])) for number in range(len(drafts))]
    offsets = [entity.offset for entity in packed.entities if entity.type == "bold"]
    assert offsets == [start + 2 if start else 0 for start in starts]


# Telegram


@SETTINGS
@given(messages(texts | texts_with_code()), st.booleans())
def test_telegram_takes_it_unchanged(what: message.Message, alone: bool) -> None:
    """By the stand-in's rules, which are the real server's. Only the marks of KEPT_BY_US does it drop or break."""
    assume(not set(KEPT_BY_US) & set(what.sender + what.text))
    drafts = render.render(what, MODEM)
    for draft in drafts if alone else [render.pack([drafts[0], drafts[0].plain()])]:
        if render.units(draft.text) > LIMIT:
            continue
        content = finish_message(read_message(wire(draft)))
        assert content.text == draft.text
        assert content.entities == [
            {"offset": entity.offset, "length": entity.length, "type": entity.type} for entity in draft.entities
        ]
        assert (content.reply_markup is not None) == bool(draft.copy)


@SETTINGS
@given(messages(st.text(st.sampled_from(KEPT_BY_US) | hostile, max_size=30)))
def test_telegram_takes_it_with_marks_that_it_changes(what: message.Message) -> None:
    for draft in render.render(what, MODEM):
        content = finish_message(read_message(wire(draft)))
        assert content.text.endswith(pieces(draft, "italic")[0])


def wire(draft: Draft) -> dict[str, str]:
    """sendMessage's parameters as they arrive: strings, and the JSON of what is none."""
    parameters: dict[str, Any] = json.loads(json.dumps({"chat_id": 1, **draft.parameters()}))
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in parameters.items()}
