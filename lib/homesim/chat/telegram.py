# SPDX-License-Identifier: GPL-2.0-or-later
"""The Telegram Bot API, and what its answers and failures mean. The only importer of requests.

There is no idempotency key in the Bot API, and a bot cannot read its own chat. So each failure is sorted by
one question: can the message be in the chat already? What a refusal says of the message or the chat counts only
in Telegram's own JSON: what is in between can say 400 or 403 too. The URL holds the token and requests puts the URL
into its exceptions: none of them leaves this room.
"""

from __future__ import annotations

import json
import queue
import socket
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import requests
from requests import exceptions
from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError

from homesim.chat.post import Answer, Draft, Outcome
from homesim.chat.way import Way
from homesim.config import Telegram
from homesim.errors import ConfigError, TryAgain

CONNECT, READ, PROBE = 5.0, 30.0, 10.0  # seconds; PROBE: to read what a question is answered that anybody may ask
MOST = 1 << 20  # octets of an answer: ten updates, each of two messages of 4096 characters at 12 octets

# 400s that no change of the message can cure (Bot API server source and reports; in lower case).
_CHAT_REFUSED = (
    "chat not found", "chat_id is empty", "logged out", "not enough rights", "have no rights", "chat_restricted",
    "chat_write_forbidden", "topic_closed", "topic closed", "was deleted", "peer_id_invalid", "user is deactivated",
    "need administrator rights",
)  # fmt: skip

FAULTS = {401: "token", 403: "chat", 404: "token", 407: "proxy", 409: "other-reader", 421: "token"}
_CURES = {
    401: "Telegram does not know the token; set telegram.token to what BotFather gives",
    403: "the bot may not write to the chat; open the chat, press Start, or unblock the bot",
    404: "Telegram does not know the token; set telegram.token to what BotFather gives",
    407: "the proxy wants a password; set telegram.proxy",
    421: "this server does not serve the token; check telegram.api_url",
}


class Bot:
    """One session, made for one run."""

    def __init__(self, config: Telegram) -> None:
        self._token = config.token
        self._url = f"{config.api_url.rstrip('/')}/bot{config.token}/"
        self._proxy = config.proxy
        self._session = self._connect()
        self._way = Way(CONNECT)
        if config.force_ipv4:
            _force_ipv4()

    def open(self) -> None:
        """Name, TCP and TLS ahead of a request, in a thread of its own. What is wrong there the request finds too."""
        if not self._proxy:
            self._way.open(partial(_pool, self._session, self._url))

    def send(self, draft: Draft, chat_id: int, topic_id: int | None = None) -> Answer:
        """Post one message. Never raises for what networks and servers do."""
        topic = {} if topic_id is None else {"message_thread_id": topic_id}
        return self._post("sendMessage", {"chat_id": chat_id, **draft.parameters(), **topic}, READ)[0]

    def probe(self) -> Answer:
        """Whether the way is open: getMe, which is small, and writes nothing."""
        return self._post("getMe", {}, min(READ, PROBE))[0]

    def ask(self, method: str, *, wait: float = 0.0, **parameters: Any) -> Any:
        """The result of a method; `wait` seconds are the server's own (timeout of getUpdates).

        Raise ConfigError when a person must change something, TryAgain when it may go better the next time.
        """
        answer, result = self._post(method, parameters, READ + wait)
        if answer.outcome is Outcome.SENT:
            return result
        later = answer.outcome in (Outcome.AWAY, Outcome.TRANSIENT, Outcome.AMBIGUOUS)
        raise (TryAgain if later else ConfigError)("Telegram", answer.reason, fault=answer.fault)

    def _connect(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxies and no ~/.netrc from wherever cron got its environment
        if self._proxy:
            session.proxies = {"http": self._proxy, "https": self._proxy}
        return session

    def _post(self, method: str, parameters: dict[str, Any], read: float) -> tuple[Answer, Any]:
        """What became of a request, and its result if it has one.

        `timeout` of requests is for each read, and headers, a proxy's too, can drip; a name's look-up has none. So
        that it ends is held from outside: a thread that does not come back is left alone, with its session.
        """
        done: queue.SimpleQueue[tuple[Answer, Any] | Exception] = queue.SimpleQueue()
        session = self._session

        def work() -> None:
            try:
                self._way.ready()
                done.put(self._exchange(session, method, parameters, read))
            except Exception as error:  # a bug, which is the other thread's to tell
                done.put(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            found = done.get(timeout=3 * CONNECT + read)
        except queue.Empty:
            self._session = self._connect()
            return Answer(Outcome.AMBIGUOUS, "the answer came to no end", "telegram"), None
        if isinstance(found, Exception):
            raise found
        answer, result = found
        return replace(answer, reason=self._harmless(answer.reason)), result

    def _exchange(
        self, session: requests.Session, method: str, parameters: dict[str, Any], read: float
    ) -> tuple[Answer, Any]:
        try:
            with session.post(
                self._url + method,
                json=parameters,
                timeout=(CONNECT, read),
                allow_redirects=False,  # a captive portal's 302 would turn the POST into a GET that "works"
                stream=True,
            ) as response:
                body = _body(response)
                return _answered(response.status_code, body), body.get("result")
        except (exceptions.RequestException, HTTPError, ValueError) as error:  # requests lets some of the latter pass
            return _failed(error), None

    def _harmless(self, reason: str) -> str:
        """What a server says goes to logs and terminals: without the token, in one line, not too long."""
        reason = reason.replace(self._token, "<token>")
        return "".join(character if " " <= character <= "~" else "?" for character in reason)[:200]


def _pool(session: requests.Session, url: str) -> Any:
    """urllib3's, where the session's connections to an address wait for their next request."""
    adapter: Any = session.get_adapter(url)
    if hasattr(adapter, "get_connection_with_tls_context"):  # requests 2.32
        return adapter.get_connection_with_tls_context(requests.Request("POST", url).prepare(), True)
    pool = adapter.get_connection(url)
    adapter.cert_verify(pool, url, True, None)
    return pool


def _body(response: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer; {} for a web page, a truncated answer, one that is too long, or none."""
    octets = bytearray()
    for chunk in response.iter_content(1 << 12):
        octets += chunk
        if len(octets) > MOST:
            return {}
    try:
        body = json.loads(octets)
    except (ValueError, RecursionError):  # the latter for thousands of brackets
        return {}
    return body if isinstance(body, dict) else {}


def _answered(status: int, body: dict[str, Any]) -> Answer:
    parameters = body.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    description = str(body.get("description", ""))
    reason = f"HTTP {status} {description}".strip()
    fault = FAULTS.get(status, "telegram")
    if status == 200:
        sent = body.get("ok") is True
        return Answer(Outcome.SENT) if sent else Answer(Outcome.AMBIGUOUS, "the answer is not Telegram's", "portal")
    if status == 429:
        wait = parameters.get("retry_after")
        return Answer(Outcome.AWAY, reason, fault, retry_after=wait if isinstance(wait, int | float) else 5)
    if status == 407:
        return Answer(Outcome.CONFIG, _CURES[407], fault)
    if status in (500, 504):
        return Answer(Outcome.AMBIGUOUS, reason, fault)
    if status < 500 and not _own(body):
        login = ": redirected, is there a login page in between?" if 300 <= status < 400 else ""
        return Answer(Outcome.TRANSIENT, f"the answer is not Telegram's: HTTP {status}{login}", "portal")
    if isinstance(chat := parameters.get("migrate_to_chat_id"), int):
        return Answer(Outcome.MIGRATED, reason, "chat", chat_id=chat)
    if status in _CURES:
        return Answer(Outcome.CONFIG, f"{reason}: {_CURES[status]}", fault)
    if status in (400, 413):
        return _bad_request(reason, description.lower())
    return Answer(Outcome.TRANSIENT, reason, fault)


def _own(body: dict[str, Any]) -> bool:
    """Whether a refusal is Telegram's own (Bot API, "Making requests")."""
    kinds = {"error_code": int, "description": str}
    return body.get("ok") is False and all(isinstance(body.get(key), kind) for key, kind in kinds.items())


def _bad_request(reason: str, description: str) -> Answer:
    if "message thread not found" in description:
        return Answer(Outcome.NO_TOPIC, reason, "topic")
    if any(words in description for words in _CHAT_REFUSED):
        return Answer(Outcome.CONFIG, f"{reason}: check telegram.chat_id, and that the bot may write there", "chat")
    return Answer(Outcome.REFUSED, reason, "chat")


def _failed(error: Exception) -> Answer:
    """What a failure without an answer means; the text of the exception holds the token and stays here."""
    if isinstance(error, exceptions.ProxyError) and " 407 " in str(error):
        return Answer(Outcome.CONFIG, _CURES[407], "proxy")
    if isinstance(error, exceptions.InvalidSchema):
        return Answer(Outcome.CONFIG, "telegram.proxy is a SOCKS proxy; run apt-get install python3-socks", "socks")
    if isinstance(error, exceptions.InvalidURL | exceptions.InvalidProxyURL | LocationParseError):
        return Answer(Outcome.CONFIG, "telegram.api_url or telegram.proxy is not a usable address", "unreachable")
    if isinstance(error, exceptions.ProxyError):
        return Answer(Outcome.AWAY, "the proxy does not answer", "proxy")
    if isinstance(error, exceptions.ConnectTimeout):
        return Answer(Outcome.AWAY, "no connection: it timed out", "unreachable")
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(cause):
        return Answer(Outcome.AWAY, "its TLS certificate is not valid; is the clock right?", "certificate")
    if isinstance(cause, NewConnectionError):
        return Answer(Outcome.AWAY, "no connection; is the network up?", "unreachable")
    return Answer(Outcome.AMBIGUOUS, "the answer never came", "telegram")


def _force_ipv4() -> None:
    """Where IPv6 is a black hole, each address would cost a whole connect time-out."""
    import urllib3.util.connection

    urllib3.util.connection.allowed_gai_family = lambda: socket.AF_INET
