# SPDX-License-Identifier: GPL-2.0-or-later
"""A strict local stand-in for the Telegram Bot API server.

It refuses what the real server refuses, in the same words, and shows what a person would see in
the chat; on order it does what networks and servers do wrong.

    with BotApi() as api:
        api.order(lost_answer(), too_many(3))
        ...                                     # run the program with api_url = api.url
        api.wait_for(lambda api: len(api.sent) == 2)
        assert "482913" in api.text()

Each request is recorded in `requests`, meets the next ordered fault if there is one, is carried
out (then its message is in `sent`) and answered; `on_request` is called in between.

Its parts are the modules beside it; what a test needs of them is in `__all__` here.

Not simulated, as homesim makes no use of it: parameters in the URL, multipart bodies, parse_mode, entities but bold,
italic and code, or such as overlap, buttons but those that copy, other methods, the slowing down of repeated
getUpdates.
"""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, Self

from emulators.botapi.chat import Buckets, Chat, Sent, show
from emulators.botapi.faults import (
    LOGIN_PATH,
    PORTAL,
    Fault,
    bare,
    empty_400,
    endless,
    gateway,
    hang,
    honest,
    lost_answer,
    nested,
    not_ok,
    portal,
    redirect,
    refusal,
    reset,
    slow,
    too_many,
    truncated,
)
from emulators.botapi.http import HTML_TYPE, Request, Server, Wire, error_answer, http_answer, json_answer
from emulators.botapi.rules import Content, finish_message, is_true, read_message, to_integer
from emulators.botapi.text import ApiError, bad_request
from patience import PATIENCE

__all__ = [
    "BotApi", "Chat", "Fault", "Request", "Sent", "empty_400", "endless", "gateway",
    "hang", "honest", "lost_answer", "nested", "not_ok", "portal", "redirect", "refusal", "reset",
    "show", "slow", "too_many", "truncated",
]  # fmt: skip

TOKEN = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake01"
CHAT_ID = 5550001
LONG_POLL_MAX = 50  # seconds, LONG_POLL_MAX_TIMEOUT
Json = dict[str, Any]


class BotApi:
    """The server, its chats and what has happened in them. Use it as a context manager.

    `always` does a fault to each request that is of a kind, as a firewall does.

    To be read: `requests`, `sent`, `faults` (ordered, not yet used), `long_polls` (how many have begun to wait).
    To be changed at will: `chats` (the known ones, by id), `revoked` (the token is), `webhook_url` (somebody
    has set one), `on_request`: called with "received" (nothing has happened yet), "done" (the
    answer is made, a message is in the chat; not if a fault keeps the request from that) and
    "answered" (the answer or its fault is over).

    `rate` enforces the rate limit of chat.Buckets. `port` 0: one that is free.
    """

    def __init__(self, token: str = TOKEN, chat_id: int = CHAT_ID, *, rate: bool = False, port: int = 0) -> None:
        self.token = token
        self.chat_id = chat_id
        self.chats = {chat_id: Chat(chat_id)}
        self.revoked = False
        self.sent: list[Sent] = []
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self._always: list[tuple[Callable[[Request], bool], Fault]] = []
        self.on_request: Callable[[str, Request], None] | None = None
        self.webhook_url = ""
        self._allowed_updates: list[str] = []
        self._updates: list[Json] = []
        self._update_count = 0
        self._message_count = 0
        self.long_polls = 0
        self._buckets = Buckets() if rate else None
        self._port = port
        self._server: Server | None = None
        self._changed = threading.Condition()  # guards all of the above
        self._methods: dict[str, Callable[[Mapping[str, str]], Any]] = {
            "sendMessage": self._send_message,
            "getMe": self._get_me,
            "getChat": self._get_chat,
            "sendChatAction": self._send_chat_action,
            "getUpdates": self._get_updates,
        }

    # For tests

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.down()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many clients have made since up()."""
        return self._server.accepted if self._server else 0

    def up(self) -> None:
        """Listen; after down() on the same port as before."""
        with self._changed:
            if self._server is None:
                self._server = Server(self._port, self._serve)
                self._port = self._server.port
                self._server.start()

    def down(self) -> None:
        """Refuse connections and cut the open ones, until up()."""
        with self._changed:
            server, self._server = self._server, None
            self._changed.notify_all()
        if server:
            server.stop()

    def order(self, *faults: Fault, times: int = 1) -> None:
        """The next requests get these faults, in order; the whole series `times` times."""
        with self._changed:
            self.faults.extend(faults * times)

    def always(self, kind: Callable[[Request], bool], fault: Fault) -> None:
        """Each request that is of this kind gets this fault, before those that are ordered."""
        with self._changed:
            self._always.append((kind, fault))

    def relent(self) -> None:
        """What always() asked for is over."""
        with self._changed:
            self._always.clear()

    def quiet(self, seconds: float = 10.0) -> None:
        """Return when all that was sent before is carried out, also by clients that are dead; or after `seconds`."""
        if self._server:
            self._server.quiet(seconds)

    def release(self) -> None:
        """End every hang() and cut short every slow() and drip() under way."""
        with self._changed:
            if self._server:
                self._server.release()

    def wait_for(self, predicate: Callable[["BotApi"], bool], timeout: float = PATIENCE) -> None:
        """Return once `predicate(self)` holds; AssertionError after `timeout` seconds.

        Looked at when a request arrives, is carried out and is answered, and on user_says().
        """
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self), timeout):
                last = "\n".join(f"  {r}" for r in self.requests[-5:]) or "  none"
                raise AssertionError(
                    f"not within {timeout} s; {len(self.requests)} requests, "
                    f"{len(self.sent)} sent, {len(self.faults)} faults left; last requests:\n{last}"
                )

    def text(self) -> str:
        """The chat as one string."""
        with self._changed:
            return "\n".join(message.text for message in self.sent)

    def user_says(
        self, chat_id: int, text: str, *, user_id: int | None = None, name: str = "Anna", topic_id: int | None = None
    ) -> int:
        """A person writes to the bot: an update for getUpdates. Return its update_id.

        The chat becomes known by it (below 0: a supergroup), a private one started and unblocked.
        """
        with self._changed:
            kind: Literal["private", "supergroup"] = "private" if chat_id > 0 else "supergroup"
            chat = self.chats.get(chat_id, Chat(chat_id, kind, name))
            if chat.trouble in ("not started", "blocked"):
                chat = replace(chat, trouble=None)
            self.chats[chat_id] = chat
            sender = {"id": user_id or abs(chat_id), "is_bot": False, "first_name": name}
            message = self._message_json(chat, sender, self._next_message_id(), topic_id, text)
            if command := re.match(r"/\w+(@\w+)?", text):
                entity = {"offset": 0, "length": command.end(), "type": "bot_command"}
                message["entities"] = [entity]
            self._update_count += 1
            update_id = 100_000_000 + self._update_count
            if not self._allowed_updates or "message" in self._allowed_updates:
                self._updates.append({"update_id": update_id, "message": message})
            self._changed.notify_all()
            return update_id

    # One request

    def _serve(self, wire: Wire, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            fault = self._next_fault(request)
            self._changed.notify_all()
        self._tell("received", request)
        answer = b""
        if fault.delivers:
            answer = self._answer(request)
            self._tell("done", request)
        fault.play(wire, answer)
        self._tell("answered", request)
        with self._changed:
            self._changed.notify_all()

    def _next_fault(self, request: Request) -> Fault:
        if request.broken:
            return bare(request.broken)
        for kind, fault in self._always:
            if kind(request):
                return fault
        if self.faults and request.path != LOGIN_PATH:  # that page is a part of redirect()
            return self.faults.popleft()
        return honest()

    def _tell(self, phase: str, request: Request) -> None:
        if self.on_request:
            self.on_request(phase, request)

    def _answer(self, request: Request) -> bytes:
        if request.path == LOGIN_PATH:
            return http_answer(200, PORTAL, HTML_TYPE)
        try:
            with self._changed:
                result = self._carry_out(request)
                self._changed.notify_all()
        except ApiError as e:
            return error_answer(e.code, e.description, e.parameters)
        return json_answer(200, {"ok": True, "result": result})

    def _carry_out(self, request: Request) -> Any:
        match = re.fullmatch(r"/bot([^/]*)/?(.*)", request.path)
        # Where production draws the line between 404 and 401 is known from clients only (assumed)
        if not match or not re.fullmatch(r"[1-9]\d*:[\w-]{20,}", match[1], re.ASCII):
            raise ApiError(404, "Not Found")
        if self.revoked or match[1] != self.token:
            raise ApiError(401, "Unauthorized")
        if match[2] not in self._methods:
            raise ApiError(404, "Not Found: method not found")
        return self._methods[match[2]](request.params)

    # Methods: from parameters to the result

    def _send_message(self, params: Mapping[str, str]) -> Json:
        """https://core.telegram.org/bots/api#sendmessage"""
        draft = read_message(params)
        chat = self._find_chat(params.get("chat_id", ""))
        topic_id = chat.find_topic(params.get("message_thread_id", ""))
        content = finish_message(draft)
        chat.check_delivery()
        if self._buckets:
            self._buckets.take(chat.id, time.monotonic())
        sent = Sent(
            time=time.monotonic(),
            chat_id=chat.id,
            text=content.text,
            entities=content.entities,
            reply_markup=content.reply_markup,
            topic_id=topic_id,
            message_id=self._next_message_id(),
            request=dict(params),
        )
        self.sent.append(sent)
        message = self._message_json(chat, self._bot(), sent.message_id, topic_id, sent.text)
        return {**message, **_message_extras(content, params)}

    def _find_chat(self, chat_id: str) -> Chat:
        if not chat_id:
            raise bad_request("chat_id is empty")
        chat = self.chats.get(to_integer(chat_id))
        if chat is None:
            raise bad_request("chat not found")
        chat.check_access()
        return chat

    def _next_message_id(self) -> int:
        self._message_count += 1
        return self._message_count

    def _message_json(self, chat: Chat, sender: Json, message_id: int, topic_id: int | None, text: str) -> Json:
        """https://core.telegram.org/bots/api#message"""
        topic = {"message_thread_id": topic_id, "is_topic_message": True} if topic_id else {}
        return {
            "message_id": message_id,
            "from": sender,
            "chat": chat.json(),
            "date": int(time.time()),
            **topic,
            "text": text,
        }

    def _bot(self) -> Json:
        bot_id = int(self.token.partition(":")[0])
        name = {"first_name": "homesim", "username": "homesim_test_bot"}
        return {"id": bot_id, "is_bot": True, **name}

    def _get_me(self, _params: Mapping[str, str]) -> Json:
        """https://core.telegram.org/bots/api#getme"""
        abilities = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
        return {**self._bot(), **abilities}

    def _get_chat(self, params: Mapping[str, str]) -> Json:
        """https://core.telegram.org/bots/api#getchat"""
        return self._find_chat(params.get("chat_id", "")).full_info()

    def _send_chat_action(self, params: Mapping[str, str]) -> bool:
        """https://core.telegram.org/bots/api#sendchataction; that it refuses as sendMessage does is assumed."""
        chat = self._find_chat(params.get("chat_id", ""))
        chat.find_topic(params.get("message_thread_id", ""))
        chat.check_delivery()
        if params.get("action") != "typing":
            raise bad_request("wrong parameter action in request")
        return True

    def _get_updates(self, params: Mapping[str, str]) -> list[Json]:
        """https://core.telegram.org/bots/api#getupdates"""
        if self.webhook_url:
            raise ApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self._remember_allowed_updates(params)
        limit = min(max(to_integer(params.get("limit") or "100"), 1), 100)
        timeout = min(max(to_integer(params.get("timeout", "")), 0), LONG_POLL_MAX)
        self._confirm(to_integer(params.get("offset", "")))
        if timeout and not self._updates:
            self._long_poll(timeout)
        return self._updates[:limit]

    def _confirm(self, offset: int) -> None:
        """A positive offset deletes all older updates, a negative one all but the last."""
        if offset < 0:
            self._updates = self._updates[offset:]
        elif offset > 0:
            self._updates = [u for u in self._updates if u["update_id"] >= offset]

    def _long_poll(self, timeout: float) -> None:
        """Wait for user_says(); another long poll ends this one (abort_long_poll)."""
        self.long_polls += 1
        poll = self.long_polls
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._updates or self.long_polls != poll or not self._server, timeout)
        if self.long_polls != poll:
            raise ApiError(
                409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
            )

    def _remember_allowed_updates(self, params: Mapping[str, str]) -> None:
        try:
            allowed = json.loads(params.get("allowed_updates", ""))
        except ValueError:
            return
        if isinstance(allowed, list):
            self._allowed_updates = [str(kind) for kind in allowed]


def _message_extras(content: Content, params: Mapping[str, str]) -> Json:
    """The fields of Message that are there only if they say something."""
    extras = {
        "entities": content.entities,
        "link_preview_options": content.link_preview_options,
        "reply_markup": content.reply_markup,
        "has_protected_content": is_true(params.get("protect_content", "")),
    }
    return {name: value for name, value in extras.items() if value}
