# SPDX-License-Identifier: GPL-2.0-or-later
"""The Bot API stand-in is as strict as the facts say, and does on order what it promises."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import pytest
import requests

from emulators.botapi import server
from emulators.botapi.chat import BURST, Buckets
from emulators.botapi.server import BotApi, Chat, Fault
from emulators.botapi.text import ApiError
from patience import PATIENCE

Post = Callable[..., requests.Response]
Background = Callable[[Callable[[], Any]], Future[Any]]
FORUM = -5


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as api:
        yield api


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def send(api: BotApi, session: requests.Session) -> Post:
    """sendMessage as JSON, to the known chat if nothing else is said."""

    def post(text: str = "hello", **fields: Any) -> requests.Response:
        body = {"chat_id": api.chat_id, "text": text, **fields}
        return session.post(method_url(api), json=body, timeout=PATIENCE, allow_redirects=False)

    return post


@pytest.fixture
def background() -> Iterator[Background]:
    with ThreadPoolExecutor() as pool:
        yield pool.submit


def method_url(api: BotApi, method: str = "sendMessage") -> str:
    return f"{api.url}/bot{api.token}/{method}"


def call(api: BotApi, method: str, **params: Any) -> Any:
    return requests.post(method_url(api, method), data=params, timeout=PATIENCE).json()


def updates(api: BotApi, **params: Any) -> list[str]:
    return [update["message"]["text"] for update in call(api, "getUpdates", **params)["result"]]


def assert_refused(answer: requests.Response, code: int, description: str, **parameters: int) -> None:
    expected = {"ok": False, "error_code": code, "description": description}
    if parameters:
        expected["parameters"] = parameters
    assert (answer.status_code, answer.json()) == (code, expected)


# sendMessage: what is accepted, and how it looks


def entities(*spans: tuple[str, int, int]) -> list[dict[str, Any]]:
    return [{"offset": offset, "length": length, "type": kind} for kind, offset, length in spans]


CODES = entities(*(("code", 2 * i, 1) for i in range(101)))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (" \n a\tb\x00c \n", "a b c"),
        ("a\r\nb", "a\nb"),
        ("a\u202eb\u2028c\u2067d", "abc\u2067d"),
        ("\u200e\u200fa\u200f", "\u200c\u200fa\u200f"),
        ("a\u0333\u033f\u030ab", "ab"),
        ("\u00a0a\u00a0", "\u00a0a\u00a0"),
        ("😀" * 4096, "😀" * 4096),
        ("a" * 4096 + "\r \n", "a" * 4096),
        (None, "null"),
    ],
)
def test_cleaning(api: BotApi, send: Post, raw: str | None, shown: str) -> None:
    assert send(raw).json()["result"]["text"] == shown
    assert api.text() == shown


@pytest.mark.parametrize(
    ("text", "wire", "shown"),
    [
        ("\r😀 bold ", entities(("bold", 4, 5)), entities(("bold", 3, 4))),
        ("  a", entities(("bold", 1, 2)), entities(("bold", 0, 2))),  # the trim stops at the entity
        ("ab", entities(("bold", 0, 0)), []),
        ("a\r", entities(("bold", 1, 1)), []),
        ("a\u2028bc", entities(("italic", 2, 1), ("bold", 0, 2)), entities(("bold", 0, 1), ("italic", 1, 1))),
        ("abcd", "[{", []),
        ("a " * 101, CODES, CODES[:100]),
    ],
)
def test_entities(api: BotApi, send: Post, text: str, wire: Any, shown: list[dict[str, Any]]) -> None:
    assert send(text, entities=wire).json()["result"].get("entities", []) == shown
    assert api.sent[0].entities == shown


def test_a_form_is_read_too_and_no_other_body(api: BotApi, session: requests.Session) -> None:
    params = {"chat_id": str(api.chat_id), "text": "café 1+1", "entities": json.dumps(entities(("bold", 0, 4)))}
    assert session.post(method_url(api), data=params).json()["ok"]
    assert [(s.text, s.entities) for s in api.sent] == [("café 1+1", entities(("bold", 0, 4)))]
    assert b"chat_id" in api.requests[0].body
    answer = session.post(method_url(api), data=b'{"text": "x"}')
    assert_refused(answer, 400, "Bad Request: message text is empty")


# What is refused


def entity(description: str, **fields: Any) -> tuple[dict[str, Any], str]:
    return {"text": "a😀b", "entities": [{"type": "bold", **fields}]}, description


def button(description: str, **fields: Any) -> tuple[dict[str, Any], str]:
    return {"reply_markup": {"inline_keyboard": [[fields]]}}, description


ONE = {"text": "1"}
BEGINNING = "entity beginning at UTF-16 offset"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"text": ""}, "message text is empty"),
    ({"text": " \t\n\u00a0\u200b\ufeff\u2800"}, "text must be non-empty"),
    ({"text": "a" * 4097}, "message is too long"),
    ({"text": "😀" * 4097}, "message is too long"),
    ({"text": "я" * 16385}, "text is too long"),
    ({"text": "a\ud83d"}, "strings must be encoded in UTF-8"),
    ({"text": "", "chat_id": 1}, "message text is empty"),  # before the chat is looked at
    ({"text": "a" * 4097, "chat_id": 1}, "chat not found"),  # after it
    *(({"chat_id": unknown}, "chat not found") for unknown in (-1, "@anna", "nobody", None)),
    ({"chat_id": ""}, "chat_id is empty"),
    *(({"chat_id": FORUM, "message_thread_id": topic}, "message thread not found") for topic in (1, 9)),
    ({"reply_markup": None}, "object expected as reply markup"),
    ({"link_preview_options": None}, "object expected as link preview options"),
    ({"link_preview_options": {"is_disabled": "yes"}}, 'field "is_disabled" must be of type Boolean'),
    ({"entities": ["bold"]}, "can't parse MessageEntity: expected an Object"),
    ({"entities": entities(("bold", 0, 3), ("code", 2, 2))}, "not simulated: entities that overlap"),
    entity("entity begins after the end of the text at UTF-16 offset 9", offset=9, length=1),
    entity(f"{BEGINNING} 1 ends after the end of the text at UTF-16 offset 10", offset=1, length=9),
    entity("entity begins in a middle of a UTF-16 symbol at byte offset 5", offset=2, length=1),
    entity(f"{BEGINNING} 0 ends in a middle of a UTF-16 symbol at byte offset 5", offset=0, length=2),
    entity("receive an entity with incorrect offset -1", offset=-1, length=2),
    entity('can\'t parse MessageEntity: Can\'t find field "offset"', length=1),
    entity('can\'t parse MessageEntity: Field "offset" must be a Number', offset=[], length=1),
    entity("can't parse MessageEntity: Unsupported type specified", offset=0, length=1, type="blink"),
    button("BUTTON_COPY_TEXT_INVALID", text="Copy", copy_text={"text": ""}),
    button("BUTTON_COPY_TEXT_INVALID", text="Copy", copy_text={"text": "1" * 257}),
    button("inline keyboard button text must be non-empty", text="", copy_text=ONE),
    button("can't parse inline keyboard button: Can't find field \"text\"", copy_text=ONE),
    button('can\'t parse inline keyboard button: Field "copy_text" must be of type Object', text="Copy", copy_text="1"),
    button("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard", text="Copy"),
    ({"reply_markup": "{"}, "can't parse reply keyboard markup JSON object"),
    (
        {"reply_markup": {"inline_keyboard": [{}]}},
        'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
    ),
]


@pytest.mark.parametrize(("fields", "description"), REFUSED)
def test_refused(api: BotApi, send: Post, fields: dict[str, Any], description: str) -> None:
    api.chats[FORUM] = Chat(FORUM, "supergroup", topics=frozenset({1, 7}))
    assert_refused(send(**fields), 400, f"Bad Request: {description}")
    assert not api.sent


@pytest.mark.parametrize("body", ["{", '{"a" 1}', "[1]", '{"a": NaN}', '{"a": 1} x', "nonsense"])
def test_broken_json_gets_a_bare_400(api: BotApi, session: requests.Session, body: str) -> None:
    kind = {"Content-Type": "application/json"}
    answer = session.post(method_url(api), data=body, headers=kind)
    assert (answer.status_code, answer.content) == (400, b"")
    assert session.post(method_url(api), json={}).json()["error_code"] == 400
    assert [r.broken for r in api.requests] == [400, None]


@pytest.mark.parametrize(("verb", "text", "status"), [("POST", "x" * (1 << 20), 413), ("PUT", "x", 501)])
def test_what_http_itself_refuses(api: BotApi, verb: str, text: str, status: int) -> None:
    answer = requests.request(verb, method_url(api), json={"chat_id": api.chat_id, "text": text})
    assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize(
    ("path", "code", "description"),
    [
        ("/", 404, "Not Found"),
        ("/bot/sendMessage", 404, "Not Found"),
        ("/botnonsense/sendMessage", 404, "Not Found"),
        ("/bot1:AAFakeFakeFakeFakeFakeFake/getMe", 401, "Unauthorized"),
        (f"/bot{server.TOKEN}/sendSms", 404, "Not Found: method not found"),
        (f"/bot{server.TOKEN}/", 404, "Not Found: method not found"),
    ],
)
def test_paths(api: BotApi, path: str, code: int, description: str) -> None:
    assert_refused(requests.get(api.url + path), code, description)


def test_a_revoked_token(api: BotApi, send: Post) -> None:
    api.revoked = True
    assert_refused(send(), 401, "Unauthorized")


def test_chats_in_trouble(api: BotApi, send: Post) -> None:
    api.chats |= {6: Chat(6, trouble="blocked"), 7: Chat(7, trouble="not started"), 8: Chat(8, "group", migrated_to=-1)}
    assert_refused(send(chat_id=6), 403, "Forbidden: bot was blocked by the user")
    assert_refused(send(chat_id=7), 403, "Forbidden: bot can't initiate conversation with a user")
    upgraded = "Bad Request: group chat was upgraded to a supergroup chat"
    assert_refused(send(chat_id=8), 400, upgraded, migrate_to_chat_id=-1)
    assert not api.sent
    api.user_says(6, "/start")
    assert send(chat_id=6).json()["ok"]


def test_topics(api: BotApi, send: Post) -> None:
    api.chats |= {FORUM: Chat(FORUM, "supergroup", topics=frozenset({1, 7})), -6: Chat(-6, "supergroup")}
    result = send(chat_id=FORUM, message_thread_id=7).json()["result"]
    assert (result["message_thread_id"], result["is_topic_message"]) == (7, True)
    assert send(chat_id=-6, message_thread_id=9).json()["ok"]
    assert [s.topic_id for s in api.sent] == [7, None]


def test_rate_limit() -> None:
    with BotApi(rate=True) as api:
        bodies = [call(api, "sendMessage", chat_id=api.chat_id, text="x") for _ in range(BURST + 1)]
        assert [body["ok"] for body in bodies] == [True] * BURST + [False]
        assert bodies[-1]["parameters"] == {"retry_after": 1}
        assert len(api.sent) == BURST


def test_rate_limit_refills() -> None:
    buckets = Buckets()
    for _ in range(BURST):
        buckets.take(1, now=100)
    with pytest.raises(ApiError, match="retry after 1"):
        buckets.take(1, now=100.5)
    buckets.take(2, now=100.5)
    buckets.take(1, now=101.5)


# Updates


def test_updates_are_confirmed_by_offset(api: BotApi) -> None:
    first, *_, last = (api.user_says(api.chat_id, f"m{i}") for i in range(4))
    assert updates(api, limit=2) == ["m0", "m1"]
    assert updates(api, offset=first + 1) == ["m1", "m2", "m3"]
    assert updates(api) == ["m1", "m2", "m3"]
    assert updates(api, offset=-1) == ["m3"]
    assert updates(api, offset=last + 1) == []


def test_a_long_poll_is_woken_and_ended_by_another(api: BotApi, background: Background) -> None:
    first = background(lambda: call(api, "getUpdates", timeout=50))
    api.wait_for(lambda api: api.long_polls == 1)
    second = background(lambda: updates(api, timeout=50))
    ended = first.result()
    assert ended["error_code"] == 409
    assert "terminated by other getUpdates request" in ended["description"]
    api.user_says(api.chat_id, "hi")
    assert second.result() == ["hi"]


def test_updates_that_are_for_others(api: BotApi) -> None:
    call(api, "getUpdates", allowed_updates='["callback_query"]')
    api.user_says(api.chat_id, "hi")
    assert updates(api) == []
    api.webhook_url = "https://x"
    assert "webhook is active" in call(api, "getUpdates")["description"]


# Faults


@pytest.mark.parametrize(
    ("fault", "said", "in_chat"),
    [
        (server.reset(), "Connection aborted", ""),
        (server.lost_answer(), "Connection aborted", "first"),
        (server.lost_answer(reset=True), "Connection aborted", "first"),
        (server.truncated(), "IncompleteRead", "first"),
        (server.endless(0), "65536 bytes", "first"),
    ],
)
def test_no_answer(api: BotApi, send: Post, fault: Fault, said: str, in_chat: str) -> None:
    if said == "IncompleteRead" and version("urllib3") < "2":
        pytest.skip("bookworm's urllib3 does not compare a body with its Content-Length")
    api.order(fault)
    with pytest.raises(requests.RequestException, match=said):
        send("first")
    assert api.text() == in_chat
    assert send("next").json()["ok"]


@pytest.mark.parametrize(
    ("fault", "status", "part", "in_chat"),
    [
        (server.refusal(500, "Internal Server Error: restart"), 500, "restart", ""),
        (server.gateway(), 502, "<h1>502 Bad Gateway</h1>", ""),
        (server.gateway(504, delivers=True), 504, "nginx", "first"),
        (server.redirect(), 302, "", ""),
        (server.portal(), 200, "please log in", ""),
        (server.not_ok(), 200, '{"ok":false}', ""),
        (server.empty_400(), 400, "", ""),
        (server.honest(), 200, '"ok":true', "first"),
        (server.slow(0.001), 200, '"ok":true', "first"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_answers_on_order(api: BotApi, send: Post, fault: Fault, status: int, part: str, in_chat: str) -> None:
    api.order(fault)
    answer = send("first")
    assert answer.status_code == status
    assert part in answer.text
    assert api.text() == in_chat
    assert send("next").json()["ok"]


def test_what_is_of_a_kind_always_fails(api: BotApi, send: Post) -> None:
    api.always(lambda request: "first" in request.params.get("text", ""), server.gateway(403))
    assert [send(text).status_code for text in ("first", "second", "first")] == [403, 200, 403]
    assert api.text() == "second"
    api.relent()
    assert send("first").json()["ok"]


def test_faults_come_in_order_and_times(api: BotApi, send: Post) -> None:
    api.order(server.too_many(9), server.honest(), times=2)
    answer = send()
    assert_refused(answer, 429, "Too Many Requests: retry after 9", retry_after=9)
    assert answer.headers["Retry-After"] == "9"
    assert [send().status_code for _ in range(4)] == [200, 429, 200, 200]
    assert len(api.sent) == 3


@pytest.mark.parametrize("end", [BotApi.release, BotApi.down])
def test_hang_until_released(api: BotApi, send: Post, background: Background, end: Callable[[BotApi], None]) -> None:
    api.order(server.hang())
    pending = background(send)
    api.wait_for(lambda api: len(api.requests) == 1)
    end(api)
    assert isinstance(pending.exception(), requests.ConnectionError)
    assert not api.sent


def test_down_and_up_on_the_same_port(api: BotApi, send: Post) -> None:
    url = api.url
    assert send("one").json()["ok"]
    api.down()
    with pytest.raises(requests.ConnectionError, match="refused"):
        send()
    api.up()
    assert api.url == url
    assert send("two").json()["ok"]
    assert api.text() == "one\ntwo"


def test_phases(api: BotApi, send: Post) -> None:
    seen: list[tuple[str, int]] = []
    api.on_request = lambda phase, _request: seen.append((phase, len(api.sent)))
    api.order(server.honest(), server.gateway())
    send()
    send()
    api.wait_for(lambda _api: len(seen) == 5)
    assert seen == [("received", 0), ("done", 1), ("answered", 1), ("received", 1), ("answered", 1)]


def test_wait_for_names_the_last_requests(api: BotApi, send: Post) -> None:
    send("only one")
    with pytest.raises(AssertionError, match=r"1 requests, 1 sent(?s:.*)only one"):
        api.wait_for(lambda api: len(api.sent) == 2, timeout=0.01)
