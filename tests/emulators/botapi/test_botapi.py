# SPDX-License-Identifier: GPL-2.0-or-later
"""The Bot API stand-in is as strict as the facts say, and does on order what it promises."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from emulators.botapi import server
from emulators.botapi.chat import BURST, Buckets
from emulators.botapi.server import BotApi, Chat, Fault
from emulators.botapi.text import ApiError
from patience import PATIENCE

Post = Callable[..., requests.Response]
BEGINNING = "entity beginning at UTF-16 offset"
BOLD = {"type": "bold", "offset": 0, "length": 4}


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
    """sendMessage as JSON to the known chat; None leaves a field out."""

    def post(text: str | None = "hello", **fields: Any) -> requests.Response:
        body = {"chat_id": api.chat_id, "text": text, **fields}
        body = {name: value for name, value in body.items() if value is not None}
        return session.post(method_url(api), json=body, timeout=PATIENCE, allow_redirects=False)

    return post


def method_url(api: BotApi, method: str = "sendMessage") -> str:
    return f"{api.url}/bot{api.token}/{method}"


def call(api: BotApi, method: str, **params: Any) -> Any:
    return requests.post(method_url(api, method), data=params, timeout=PATIENCE).json()


def assert_refused(answer: requests.Response, code: int, description: str) -> None:
    expected = {"ok": False, "error_code": code, "description": description}
    assert (answer.status_code, answer.json()) == (code, expected)


def in_background(function: Callable[[], Any]) -> Callable[[], Any]:
    """Start `function` in a thread; the result waits for it and returns what it returned."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()

    def join() -> Any:
        thread.join(10)
        return results[0]

    return join


def connection_error(function: Callable[[], Any]) -> str:
    with pytest.raises(requests.ConnectionError) as caught:
        function()
    return str(caught.value)


# sendMessage: what is accepted, and how it looks


def test_get_and_form(api: BotApi, session: requests.Session) -> None:
    nested = json.dumps([BOLD])
    params: dict[str, str] = {"chat_id": str(api.chat_id), "text": "café 1+1", "entities": nested}
    assert session.get(method_url(api), params=params).json()["ok"]
    assert session.post(method_url(api), data=params).json()["ok"]
    assert [(s.text, s.entities) for s in api.sent] == [("café 1+1", [BOLD])] * 2
    assert [r.verb for r in api.requests] == ["GET", "POST"]
    assert b"chat_id" in api.requests[1].body


def test_the_first_of_two_values_counts(api: BotApi) -> None:
    body = {"chat_id": api.chat_id, "text": "second"}
    assert requests.post(method_url(api) + "?text=first", json=body).json()["ok"]
    assert api.text() == "first"


def test_other_bodies_are_not_read(api: BotApi, session: requests.Session) -> None:
    answer = session.post(method_url(api), data=b'{"text": "x"}')
    assert_refused(answer, 400, "Bad Request: message text is empty")


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
    ],
)
def test_cleaning(api: BotApi, send: Post, raw: str, shown: str) -> None:
    assert send(raw).json()["result"]["text"] == shown
    assert api.text() == shown


@pytest.mark.parametrize(
    ("text", "description"),
    [
        (None, "message text is empty"),
        ("", "message text is empty"),
        (" \t\n\u00a0\u200b\ufeff\u2800", "text must be non-empty"),
        ("a" * 4097, "message is too long"),
        ("😀" * 4097, "message is too long"),
        ("я" * 16385, "text is too long"),
        ("a\ud83d", "strings must be encoded in UTF-8"),
    ],
)
def test_bad_texts(api: BotApi, send: Post, text: str | None, description: str) -> None:
    assert_refused(send(text), 400, f"Bad Request: {description}")
    assert not api.sent


def test_text_is_checked_before_the_chat(send: Post) -> None:
    assert_refused(send("", chat_id=1), 400, "Bad Request: message text is empty")
    assert_refused(send("x" * 4097, chat_id=1), 400, "Bad Request: chat not found")


# JSON traps


@pytest.mark.parametrize(
    ("field", "description"),
    [
        ("reply_markup", "object expected as reply markup"),
        ("link_preview_options", "object expected as link preview options"),
    ],
)
def test_null_is_a_word(api: BotApi, field: str, description: str) -> None:
    body = {"chat_id": api.chat_id, "text": "x", field: None}
    answer = requests.post(method_url(api), json=body)
    assert_refused(answer, 400, f"Bad Request: {description}")
    assert requests.post(method_url(api), json={**body, "text": None, field: ""}).json()["ok"]
    assert api.text() == "null"


@pytest.mark.parametrize("body", ["{", '{"a" 1}', "[1]", '{"a": NaN}', '{"a": 1} x', "nonsense"])
def test_broken_json_gets_a_bare_400(api: BotApi, session: requests.Session, body: str) -> None:
    kind = {"Content-Type": "application/json"}
    answer = session.post(method_url(api), data=body, headers=kind)
    assert (answer.status_code, answer.content) == (400, b"")
    assert session.post(method_url(api), json={}).json()["error_code"] == 400
    assert [r.broken for r in api.requests] == [400, None]


def test_a_megabyte_gets_a_bare_413(send: Post) -> None:
    answer = send("x" * (1 << 20))
    assert (answer.status_code, answer.content) == (413, b"")


def test_other_verbs_get_a_bare_501(api: BotApi, session: requests.Session) -> None:
    answer = session.put(method_url(api), json={})
    assert (answer.status_code, answer.content) == (501, b"")


# Token and chats


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


def test_token_revoked_or_logged_out(api: BotApi, send: Post) -> None:
    api.logged_out = True
    assert_refused(send(), 400, "Logged out")
    api.revoked = True
    assert_refused(send(), 401, "Unauthorized")


@pytest.mark.parametrize(
    ("chat", "code", "description"),
    [
        (Chat(5, trouble="blocked"), 403, "Forbidden: bot was blocked by the user"),
        (Chat(5, trouble="not started"), 403, "Forbidden: bot can't initiate conversation with a user"),
        (Chat(5, trouble="deactivated"), 403, "Forbidden: user is deactivated"),
        (Chat(-5, "group", trouble="kicked"), 403, "Forbidden: bot was kicked from the group chat"),
        (Chat(-5, "supergroup", trouble="not a member"), 403, "Forbidden: bot is not a member of the supergroup chat"),
        (Chat(-5, "group", trouble="deleted"), 403, "Forbidden: the group chat was deleted"),
        (
            Chat(-5, "supergroup", trouble="no rights"),
            400,
            "Bad Request: not enough rights to send text messages to the chat",
        ),
    ],
)
def test_chats_in_trouble(api: BotApi, send: Post, chat: Chat, code: int, description: str) -> None:
    api.chats[chat.id] = chat
    assert_refused(send(chat_id=chat.id), code, description)
    assert not api.sent


@pytest.mark.parametrize("chat_id", [1, -1, "@anna", "nobody", "null"])
def test_unknown_chats(send: Post, chat_id: int | str) -> None:
    assert_refused(send(chat_id=chat_id), 400, "Bad Request: chat not found")


def test_no_chat(send: Post) -> None:
    assert_refused(send(chat_id=""), 400, "Bad Request: chat_id is empty")


def test_upgraded_group(api: BotApi, send: Post) -> None:
    api.chats[-5] = Chat(-5, "group", migrated_to=-1005)
    assert send(chat_id=-5).json() == {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": -1005},
    }


def test_topics(api: BotApi, send: Post) -> None:
    forum = Chat(-5, "supergroup", topics=frozenset({1, 7, 8}), closed_topics=frozenset({8}))
    api.chats.update({-5: forum, -6: Chat(-6, "supergroup")})
    result = send(chat_id=-5, message_thread_id=7).json()["result"]
    assert (result["message_thread_id"], result["is_topic_message"]) == (7, True)
    for topic_id in (1, 9):
        answer = send(chat_id=-5, message_thread_id=topic_id)
        assert_refused(answer, 400, "Bad Request: message thread not found")
    answer = send(chat_id=-5, message_thread_id=8)
    assert_refused(answer, 400, "Bad Request: TOPIC_CLOSED")
    assert send(chat_id=-6, message_thread_id=9).json()["ok"]
    assert [s.topic_id for s in api.sent] == [7, None]


# Entities, parse_mode, keyboards


@pytest.mark.parametrize(
    ("text", "entities", "shown"),
    [
        ("\r😀 bold ", [("bold", 4, 5)], [("bold", 3, 4)]),
        ("  a", [("bold", 1, 2)], [("bold", 0, 2)]),  # the trim stops at the entity
        ("ab", [("bold", 0, 0), ("url", 0, 2)], []),
        ("a\r", [("bold", 1, 1)], []),
        ("abcdef", [("bold", 0, 3), ("bold", 2, 2)], [("bold", 0, 4)]),
        ("abcdef", [("bold", 0, 6), ("code", 2, 2)], [("bold", 0, 2), ("code", 2, 2), ("bold", 4, 2)]),
        ("abcdef", [("bold", 0, 4), ("italic", 2, 4)], [("bold", 0, 4), ("italic", 2, 4)]),
        ("abcdef", [("code", 0, 4), ("pre", 2, 4)], [("code", 0, 4)]),
        ("abcdef", [("blockquote", 0, 4), ("code", 2, 4)], [("blockquote", 0, 4)]),
    ],
)
def test_entities(
    send: Post, text: str, entities: list[tuple[str, int, int]], shown: list[tuple[str, int, int]]
) -> None:
    wire = [{"type": t, "offset": o, "length": n} for t, o, n in entities]
    result = send(text, entities=wire).json()["result"]
    found = [(e["type"], e["offset"], e["length"]) for e in result.get("entities", [])]
    assert found == shown


def test_more_than_100_entities(send: Post) -> None:
    wire = [{"type": "code", "offset": 2 * i, "length": 1} for i in range(101)]
    assert len(send("a " * 101, entities=wire).json()["result"]["entities"]) == 100


@pytest.mark.parametrize(
    ("entity", "description"),
    [
        ({"offset": 9, "length": 1}, "entity begins after the end of the text at UTF-16 offset 9"),
        ({"offset": 1, "length": 9}, f"{BEGINNING} 1 ends after the end of the text at UTF-16 offset 10"),
        ({"offset": 2, "length": 1}, "entity begins in a middle of a UTF-16 symbol at byte offset 5"),
        ({"offset": 0, "length": 2}, f"{BEGINNING} 0 ends in a middle of a UTF-16 symbol at byte offset 5"),
        ({"offset": -1, "length": 2}, "receive an entity with incorrect offset -1"),
        ({"length": 1}, "can't parse MessageEntity: Can't find field \"offset\""),
        ({"offset": [], "length": 1}, 'can\'t parse MessageEntity: Field "offset" must be a Number'),
        ({"offset": 0, "length": 1, "type": "blink"}, "can't parse MessageEntity: Unsupported type specified"),
        ({"offset": 0, "length": 1, "type": "text_link"}, "can't parse MessageEntity: Can't find field \"url\""),
        ("bold", "can't parse MessageEntity: expected an Object"),
    ],
)
def test_bad_entities(send: Post, entity: Any, description: str) -> None:
    wire = {"type": "bold", **entity} if isinstance(entity, dict) else entity
    assert_refused(send("a😀b", entities=[wire]), 400, f"Bad Request: {description}")


def test_entities_that_are_ignored(api: BotApi, send: Post) -> None:
    assert send("abcd", entities="[{").json()["ok"]
    assert [sent.entities for sent in api.sent] == [[]]


@pytest.mark.parametrize(
    ("button", "description"),
    [
        ({"text": "Copy", "copy_text": {"text": ""}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "Copy", "copy_text": {"text": "1" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": "", "copy_text": {"text": "1"}}, "inline keyboard button text must be non-empty"),
        ({"copy_text": {"text": "1"}}, "can't parse inline keyboard button: Can't find field \"text\""),
        (
            {"text": "Copy", "copy_text": "1"},
            'can\'t parse inline keyboard button: Field "copy_text" must be of type Object',
        ),
        ({"text": "Copy"}, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
    ],
)
def test_bad_buttons(api: BotApi, send: Post, button: dict[str, Any], description: str) -> None:
    answer = send(reply_markup={"inline_keyboard": [[button]]})
    assert_refused(answer, 400, f"Bad Request: {description}")
    assert not api.sent


def test_bad_keyboards(send: Post) -> None:
    answer = send(reply_markup="{")
    assert_refused(answer, 400, "Bad Request: can't parse reply keyboard markup JSON object")
    answer = send(reply_markup={"inline_keyboard": [{}]})
    assert answer.json()["description"].endswith("must be an Array of Arrays")
    answer = send(link_preview_options={"is_disabled": "yes"})
    assert_refused(answer, 400, 'Bad Request: field "is_disabled" must be of type Boolean')


# Rate


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


# Updates and webhooks


def test_updates_are_confirmed_by_offset(api: BotApi) -> None:
    first, *_, last = (api.user_says(api.chat_id, f"m{i}") for i in range(4))
    assert len(call(api, "getUpdates", limit=2)["result"]) == 2
    assert call(api, "getUpdates")["result"][0]["update_id"] == first
    assert len(call(api, "getUpdates", offset=first + 1)["result"]) == 3
    assert call(api, "getUpdates")["result"][0]["update_id"] == first + 1
    (update,) = call(api, "getUpdates", offset=-1)["result"]
    assert update["update_id"] == last
    assert call(api, "getUpdates", offset=last + 1) == {"ok": True, "result": []}


def test_long_poll_is_woken(api: BotApi) -> None:
    poll = in_background(lambda: call(api, "getUpdates", timeout=50))
    api.wait_for(lambda api: api.long_polls == 1)
    api.user_says(api.chat_id, "hi")
    assert poll()["result"][0]["message"]["text"] == "hi"


def test_second_long_poll_ends_the_first(api: BotApi) -> None:
    first = in_background(lambda: call(api, "getUpdates", timeout=50))
    api.wait_for(lambda api: api.long_polls == 1)
    second = in_background(lambda: call(api, "getUpdates", timeout=50))
    ended = first()
    assert ended["error_code"] == 409
    assert "terminated by other getUpdates request" in ended["description"]
    api.user_says(api.chat_id, "hi")
    assert second()["ok"]


def test_webhook(api: BotApi) -> None:
    assert call(api, "getWebhookInfo")["result"]["url"] == ""
    assert call(api, "setWebhook", url="http://x")["error_code"] == 400
    assert call(api, "setWebhook", url="https://x")["description"] == "Webhook was set"
    api.user_says(api.chat_id, "hi")
    info = call(api, "getWebhookInfo")["result"]
    assert (info["url"], info["pending_update_count"]) == ("https://x", 1)
    assert "webhook is active" in call(api, "getUpdates")["description"]
    assert call(api, "deleteWebhook", drop_pending_updates=True)["result"] is True
    assert call(api, "deleteWebhook")["description"] == "Webhook is already deleted"
    assert call(api, "getUpdates")["result"] == []


def test_allowed_updates_are_remembered(api: BotApi) -> None:
    call(api, "getUpdates", allowed_updates='["callback_query"]')
    api.user_says(api.chat_id, "hi")
    assert call(api, "getUpdates")["result"] == []


# Faults


@pytest.mark.parametrize(
    ("fault", "in_chat"),
    [(server.reset(), ""), (server.lost_answer(), "first"), (server.lost_answer(reset=True), "first")],
)
def test_no_answer(api: BotApi, send: Post, fault: Fault, in_chat: str) -> None:
    api.order(fault)
    assert "Connection aborted" in connection_error(lambda: send("first"))
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
        (server.drip(pause=0, size=7), 200, '"ok":true', "first"),
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


def test_headers_without_end_end_with_the_patience_of_the_client(api: BotApi) -> None:
    api.order(server.endless(0.001))
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))) as client:
        body = json.dumps({"chat_id": api.chat_id, "text": "first"}).encode()
        head = f"POST /bot{api.token}/sendMessage HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        came = b""
        while len(came) < 200:
            came += client.recv(1)
    assert came.startswith(b"HTTP/1.1 200 OK\r\nX-Header: xxx")
    assert b"\n" not in came[20:]
    assert api.text() == "first"


def test_what_is_of_a_kind_always_fails(api: BotApi, send: Post) -> None:
    api.always(lambda request: "first" in request.params.get("text", ""), server.gateway(403))
    assert [send(text).status_code for text in ("first", "second", "first")] == [403, 200, 403]
    assert api.text() == "second"
    api.relent()
    assert send("first").json()["ok"]


def test_too_many(api: BotApi, send: Post) -> None:
    api.order(server.too_many(9))
    answer = send()
    assert answer.headers["Retry-After"] == "9"
    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 9",
        "parameters": {"retry_after": 9},
    }
    assert not api.sent


def test_truncated(api: BotApi) -> None:
    api.order(server.truncated())
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))) as sock:
        path = f"/bot{api.token}/sendMessage?chat_id={api.chat_id}&text=x"
        sock.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        head, _, body = sock.makefile("rb").read().partition(b"\r\n\r\n")
    length = int(head.rpartition(b" ")[2])
    assert len(body) == length // 2
    assert len(api.sent) == 1


def test_hang_until_released(api: BotApi, send: Post) -> None:
    api.order(server.hang())
    with pytest.raises(requests.ReadTimeout):
        requests.post(method_url(api), json={}, timeout=(5, 0.01))
    api.order(server.hang())
    pending = in_background(lambda: connection_error(send))
    api.wait_for(lambda api: len(api.requests) == 2)
    api.release()
    assert "RemoteDisconnected" in pending()
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


def test_down_cuts_what_is_under_way(api: BotApi, send: Post) -> None:
    ended = threading.Event()
    api.on_request = lambda phase, _request: ended.set() if phase == "answered" else None
    api.order(server.hang())
    pending = in_background(lambda: connection_error(send))
    api.wait_for(lambda api: len(api.requests) == 1)
    api.down()
    assert pending()
    assert ended.wait(PATIENCE)


def test_faults_come_in_order_and_times(api: BotApi, send: Post) -> None:
    api.order(server.too_many(1), server.honest(), times=2)
    assert [send().status_code for _ in range(5)] == [429, 200, 429, 200, 200]


# Watching


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
