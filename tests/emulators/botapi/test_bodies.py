# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes to the Bot API, and what its stand-in answers, by somebody else's models of it: those of aiogram.

They are pydantic's: read strictly they turn down each wrong type and each field that is missing, and keep apart each
that the Bot API has not. python-telegram-bot is lighter, and takes whatever it is given.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

import pdus
from clinic import Clinic
from doctor.system import System
from emulators.botapi.server import CHAT_ID, BotApi, Chat, Request, refusal
from emulators.stick.stick import Sim
from rig import Rig, now
from setup.test_setup import at_terminal, code, device, unlinked

TOPIC = 9
METHODS = {"getMe", "getUpdates", "getChat", "sendChatAction", "sendMessage"}


@pytest.fixture(scope="module")
def models() -> Any:
    """aiogram's methods by name; it takes seconds to import, so only who needs it does."""
    return pytest.importorskip("aiogram.methods")


def model(models: Any, method: str) -> Any:
    return getattr(models, method[0].upper() + method[1:])


def unknown(value: Any) -> list[str]:
    """The fields in it, however deep, that the models do not have."""
    if isinstance(value, list):
        return [name for one in value for name in unknown(one)]
    if not hasattr(value, "model_fields_set"):
        return []
    inner = [name for field in value.model_fields_set for name in unknown(getattr(value, field))]
    return [*(value.model_extra or ()), *inner]


# What is sent


def from_poll(python: str) -> Iterator[Request]:
    """A code, a message in pieces, one that is taken only plain, many in one, a call, an alert of health."""
    with Clinic(python) as rig:
        rig.configure(telegram=f"topic_id = {TOPIC}", health="alert_after = 1")
        rig.api.chats[CHAT_ID] = Chat(CHAT_ID, "supergroup", topics=frozenset({TOPIC}))
        for text in ("Your code is 482913 🙂", "🙂 слово " * 700):
            for pdu in pdus.long_sms(text, "Bank", reference=len(text) % 256, time=now()):
                rig.stick.deliver(pdu)  # what finds no room waits in the network
        assert rig.poll().returncode == 0
        rig.stick.deliver(pdus.deliver("Your code is 592713", "PLAIN", time=now()))
        rig.api.order(refusal(400, "Bad Request: can't parse entities"))
        assert rig.poll().returncode == 0
        for number in range(6):
            rig.stick.deliver(pdus.deliver(f"Code 48291{number} 🙂", "[Bänk]"))
        mms = pdus.wap_push(b"\x8c\x82\x96\x7f" + "🙂".encode() + b"\0", pdus.MMS)  # with its subject
        for pdu in (pdus.deliver("x", dcs=0x20), *mms, pdus.deliver("", dcs=0xC8)):
            rig.stick.deliver(pdu)
        assert rig.poll().returncode == 0
        with rig.lingering():
            rig.stick.call("+4930222222")
            rig.api.wait_for(lambda api: "+4930222222" in api.text())
        yield from rig.api.requests
    with Clinic(python) as rig:
        rig.configure(health="alert_after = 1")
        rig.stick.faults.sim(Sim.ABSENT)
        rig.check()
        rig.poll()
        assert rig.alerts()
        yield from rig.api.requests


def from_setup(python: str) -> Iterator[Request]:
    with Rig(python) as rig, at_terminal(unlinked(rig), "--device", device(rig)) as terminal:
        terminal.answer("The token:", rig.api.token)
        rig.api.user_says(CHAT_ID, f"/start {code(terminal)}")
        terminal.answer("Is that you", "y")
        terminal.answer("real SMS", "n")
        assert terminal.end() == 0
        yield from rig.api.requests


def from_doctor(python: str) -> Iterator[Request]:
    with Rig(python) as rig:
        system = System(rig)
        system.configure(telegram=f"topic_id = {TOPIC}")
        rig.api.chats[CHAT_ID] = Chat(CHAT_ID, "supergroup", topics=frozenset({TOPIC}))
        assert [found for found in system.findings() if found["ok"] is False] == []
        yield from rig.api.requests


@pytest.mark.slow
def test_every_request_is_one_of_the_bot_api_s(python: str, models: Any) -> None:
    requests = [*from_poll(python), *from_setup(python), *from_doctor(python)]
    for request in requests:
        assert request.headers["Content-Type"] == "application/json"
        parsed = model(models, request.method).model_validate_json(request.body, strict=True)
        assert unknown(parsed) == []
        assert parsed.model_dump(mode="json", exclude_unset=True) == json.loads(request.body)
        if request.method == "sendMessage":
            is_a_message(parsed)
    assert {request.method for request in requests} == METHODS
    sent = [json.loads(request.body) for request in requests if request.method == "sendMessage"]
    shapes = {
        (min(buttons(body), 2), min(len(body.get("entities", ())), 4), "message_thread_id" in body) for body in sent
    }
    # A code, a piece, plain, a pack, a call; health's alert to a chat without topics.
    assert shapes >= {(1, 3, True), (0, 2, True), (0, 0, True), (0, 4, True), (2, 2, True), (0, 2, False)}


def buttons(body: dict[str, Any]) -> int:
    return sum(map(len, body.get("reply_markup", {}).get("inline_keyboard", ())))


def is_a_message(parsed: Any) -> None:
    """What sendMessage, MessageEntity and CopyTextButton say of lengths."""
    octets = parsed.text.encode("utf-16-le")
    assert 1 <= len(parsed.text) <= len(octets) // 2 <= 4096
    for entity in parsed.entities or ():
        assert entity.type in ("bold", "italic", "code")
        assert entity.offset >= 0
        assert entity.length > 0
        assert (entity.offset + entity.length) * 2 <= len(octets)
        assert len(entity.extract_from(parsed.text).encode("utf-16-le")) == entity.length * 2
    for row in parsed.reply_markup.inline_keyboard if parsed.reply_markup else ():
        for button in row:
            assert button.text
            assert 1 <= len(button.copy_text.text) <= 256


# What the stand-in answers


def answers(api: BotApi) -> Iterator[tuple[str, Any]]:
    """Of each method, in each kind of chat."""
    group = -1001234567890
    api.chats[group] = Chat(group, "supergroup", "The family", topics=frozenset({TOPIC}))
    api.user_says(CHAT_ID, "/start x")
    api.user_says(group, "hello", user_id=CHAT_ID, topic_id=TOPIC)
    for chat_id in (CHAT_ID, group):
        where: dict[str, Any] = {"chat_id": chat_id} | ({"message_thread_id": TOPIC} if chat_id == group else {})
        entity = {"type": "bold", "offset": 0, "length": 2}
        copies = {"inline_keyboard": [[{"text": "Copy 1", "copy_text": {"text": "1"}}]]}
        shown = {"text": "hello", "entities": [entity], "reply_markup": copies}
        preview = {"link_preview_options": {"is_disabled": True}, "protect_content": True}
        yield "getChat", {"chat_id": chat_id}
        yield "sendMessage", {**where, **shown, **preview}
        yield "sendChatAction", {**where, "action": "typing"}
    yield "getMe", {}
    yield "getUpdates", {}


@pytest.mark.slow
def test_what_the_stand_in_answers_is_whole(models: Any) -> None:
    adapter = pytest.importorskip("pydantic").TypeAdapter
    with BotApi() as api:
        for method, parameters in answers(api):
            headers = {"Content-Type": "application/json"}
            url = f"{api.url}/bot{api.token}/{method}"
            asked = urllib.request.Request(url, json.dumps(parameters).encode(), headers)
            with urllib.request.urlopen(asked) as answer:
                result = json.loads(answer.read())["result"]
            parsed = adapter(model(models, method).__returning__).validate_python(result)
            assert unknown(parsed) == [], method
