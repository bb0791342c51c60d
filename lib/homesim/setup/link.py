# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds out which chat is the owner's: who opens a link that only this terminal shows.

Anybody can find a bot and write to it, so never "the first chat that writes". The link (Bot API, "Deep linking")
makes Telegram send `/start CODE` to the bot; only the exact code counts, only for the kind of chat it is for, once,
and within ten minutes.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from homesim.chat.telegram import Bot
from homesim.chat.updates import Updates
from homesim.errors import ConfigError, TryAgain

WITHIN = 600.0  # seconds
POLL = 25  # seconds that the server waits for an update; it would up to 50
PAUSE = 2.0  # seconds after a failure


@dataclass(frozen=True)
class Chat:
    id: int
    topic_id: int | None
    who: str  # for people


def username(bot: Bot) -> str:
    """The name of the bot that the token is for. Raise ConfigError when it is for none."""
    me = bot.ask("getMe")
    name = me.get("username") if isinstance(me, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"\w+", name, re.ASCII):
        raise ConfigError("Telegram", "the token is not a bot's")
    return name


def link(updates: Updates, name: str, tell: Callable[..., None], within: float = WITHIN) -> Chat:
    """The chat in which somebody has opened the link that is told. Raise TryAgain when nobody does in time."""
    private, group = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    updates.read(0)  # who else reads them is found out before
    end = time.monotonic() + within
    address = f"https://t.me/{name}"
    tell(
        "",
        "Now the chat. Within ten minutes, open this link where your Telegram is, and press Start:",
        "",
        f"    {address}?start={private}",
        "",
        f"For a group instead: {address}?startgroup={group}",
        f"For a topic of a group the bot is in, write there: /start@{name} {group}",
        "",
        "Waiting ... (Ctrl-C stops)",
    )
    while (left := end - time.monotonic()) > 0:
        wait = max(1, min(POLL, int(left)))
        try:
            found = updates.read(wait)
        except TryAgain:  # a link that is shown must not die of a hiccup
            time.sleep(min(PAUSE, left))
            continue
        for update in found if time.monotonic() < end else ():
            if chat := _chat(update, private, group):
                return chat
    raise TryAgain("the link", "nobody has opened it in time; run homesim-setup again for a new one")


def _chat(update: dict[str, Any], private: str, group: str) -> Chat | None:
    """The chat of a message that is /start with its code. A private chat's code is none in a group."""
    try:
        message = update["message"]
        chat = message["chat"]
        code = {"private": private, "group": group, "supergroup": group}[chat["type"]]
        said = re.fullmatch(r"/start(?:@\w+)? +(\S+)\s*", message["text"])
        if not said or not hmac.compare_digest(said[1].encode(), code.encode()):
            return None
        topic = message["message_thread_id"] if message.get("is_topic_message") else None
        return Chat(chat["id"], topic, _who(message.get("from", {}), chat))
    except (LookupError, TypeError, AttributeError):
        return None  # some other kind of update


def _who(sender: dict[str, Any], chat: dict[str, Any]) -> str:
    names = [sender.get("first_name"), sender.get("last_name")]
    names += [f"(@{sender['username']})"] if sender.get("username") else []
    where = "a private chat" if chat["type"] == "private" else f'the {chat["type"]} "{chat.get("title", "")}"'
    return f"{' '.join(str(name) for name in names if name)}, in {where}"
