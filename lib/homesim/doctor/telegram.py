# SPDX-License-Identifier: GPL-2.0-or-later
"""The way to the chat, for doctor: name, connection, TLS, token, chat, right to write. No message is sent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from homesim.chat.destination import current
from homesim.config import Modem, Telegram
from homesim.errors import HomesimError
from homesim.health.faults import Finding, bad, good
from homesim.store.spool import Spool

CONNECT = 5.0  # seconds, as telegram.py has it
PORTS = {"http": 80, "https": 443}
FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}


def connection(telegram: Telegram) -> Iterator[Finding]:
    """The first host on the way, the proxy if there is one, by each kind of address."""
    url = urlsplit(telegram.proxy or telegram.api_url)
    host, port = url.hostname or "", url.port or PORTS.get(url.scheme, 1080)
    families = {"IPv4": socket.AF_INET} if telegram.force_ipv4 else FAMILIES
    found = {name: _connect(host, port, family) for name, family in families.items()}
    if all(isinstance(result, socket.gaierror) for result in found.values()):
        yield bad("name", host=host)
    elif all(isinstance(result, OSError) for result in found.values()):
        yield bad("proxy") if telegram.proxy else bad("unreachable", host=host)
    elif isinstance(found.get("IPv6"), TimeoutError):
        yield bad("ipv6")
    else:
        times = [f"{name} {result:.2f} s" for name, result in found.items() if not isinstance(result, OSError)]
        yield good("connection", f"{host}: {', '.join(times)}")


def _connect(host: str, port: int, family: int) -> float | OSError:
    """How many seconds it took, or why there is none."""
    try:
        _, kind, protocol, _, address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0]
        begun = time.monotonic()
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(CONNECT)
            connection.connect(address)
    except OSError as error:
        return error
    return time.monotonic() - begun


def bot(telegram: Telegram) -> Iterator[Finding]:
    """getMe."""
    yield _ask(telegram, "getMe") or good("Telegram", "it knows the token")


def chat(telegram: Telegram, modem: Modem, state: Path) -> Iterator[Finding]:
    """getChat, then sendChatAction: "is typing" needs the same right as a message, and leaves nothing."""
    chat_id, topic_id = telegram.chat(modem)
    where: dict[str, Any] = {"chat_id": current(Spool(state / modem.name, read_only=True), chat_id)}
    topic = {} if topic_id is None else {"message_thread_id": topic_id}
    yield (
        _ask(telegram, "getChat", **where)
        or _ask(telegram, "sendChatAction", "write", action="typing", **where, **topic)
        or good("chat", "the bot may write there")
    )


def _ask(telegram: Telegram, method: str, chat: str = "chat", **parameters: Any) -> Finding | None:
    """Why Telegram does not do it, None when it does; `chat`: what it is when that refuses."""
    from homesim.chat.telegram import Bot  # doctor must start without requests, to say that it is missing

    try:
        Bot(telegram).ask(method, **parameters)
    except HomesimError as error:
        key = chat if error.fault == "chat" else error.fault
        return bad(key, reason=error.reason, host=urlsplit(telegram.api_url).hostname)
    return None
