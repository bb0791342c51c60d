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
from homesim.doctor.troubles import Finding, bad, good
from homesim.errors import HomesimError
from homesim.store.spool import Spool

CONNECT = 5.0  # seconds, as telegram.py has it
PORTS = {"http": 80, "https": 443}
FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}

# What telegram.py says of a failure, and the trouble that it is.
_TROUBLES = (
    ("python3-socks", "socks"),
    ("proxy", "proxy"),
    ("certificate", "certificate"),
    ("redirected", "portal"),
    ("not Telegram's", "portal"),
    ("not a usable address", "unreachable"),
    ("no connection", "unreachable"),
)


def connection(telegram: Telegram) -> Iterator[Finding]:
    """The first host on the way, the proxy if there is one, by each kind of address."""
    url = urlsplit(telegram.proxy or telegram.api_url)
    host, port = url.hostname or "", url.port or PORTS.get(url.scheme, 1080)
    families = {"IPv4": socket.AF_INET} if telegram.force_ipv4 else FAMILIES
    found = {name: _connect(host, port, family) for name, family in families.items()}
    if set(found.values()) == {"no address"}:
        yield bad("name", host=host)
    elif not any(result.endswith(" s") for result in found.values()):
        yield bad("proxy") if telegram.proxy else bad("unreachable", host=host)
    elif found.get("IPv6") == "no answer":
        yield bad("ipv6")
    else:
        yield good("connection", f"{host}: " + ", ".join(f"{name} {result}" for name, result in found.items()))


def _connect(host: str, port: int, family: int) -> str:
    """How long it took, or why there is none."""
    try:
        _, kind, protocol, _, address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0]
    except OSError:
        return "no address"
    begun = time.monotonic()
    with socket.socket(family, kind, protocol) as connection:
        connection.settimeout(CONNECT)
        try:
            connection.connect(address)
        except TimeoutError:
            return "no answer"
        except OSError:
            return "no way"
    return f"{time.monotonic() - begun:.2f} s"


def bot(telegram: Telegram) -> Iterator[Finding]:
    """getMe."""
    reason = _refused(telegram, "getMe")
    if not reason:
        yield good("Telegram", "it knows the token")
    elif reason.startswith(("HTTP 401", "HTTP 404", "HTTP 421")):
        yield bad("token")
    else:
        trouble = next((trouble for words, trouble in _TROUBLES if words in reason), "telegram")
        yield bad(trouble, reason=reason, host=urlsplit(telegram.api_url).hostname)


def chat(telegram: Telegram, modem: Modem, state: Path) -> Iterator[Finding]:
    """getChat, then sendChatAction: "is typing" needs the same right as a message, and leaves nothing."""
    chat_id, topic_id = telegram.chat(modem)
    where: dict[str, Any] = {"chat_id": current(Spool(state / modem.name, read_only=True), chat_id)}
    if reason := _refused(telegram, "getChat", **where):
        yield bad("chat" if reason.startswith("HTTP 4") else "telegram", reason=reason)
        return
    if topic_id is not None:
        where["message_thread_id"] = topic_id
    reason = _refused(telegram, "sendChatAction", action="typing", **where)
    if not reason:
        yield good("chat", "the bot may write there")
    elif "message thread not found" in reason:
        yield bad("topic")
    else:
        yield bad("write" if reason.startswith("HTTP 4") else "telegram", reason=reason)


def _refused(telegram: Telegram, method: str, **parameters: Any) -> str:
    """Why Telegram does not do it, "" when it does."""
    from homesim.chat.telegram import Bot  # doctor must start without requests, to say that it is missing

    try:
        Bot(telegram).ask(method, **parameters)
    except HomesimError as error:
        return str(error).removeprefix("Telegram: ")
    return ""
