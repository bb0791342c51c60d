# SPDX-License-Identifier: GPL-2.0-or-later
"""The chats of the Bot API stand-in, what is sent to them, and how it looks in a terminal."""

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emulators.botapi.rules import to_integer
from emulators.botapi.text import ApiError, bad_request, clean

BURST, REFILL = 5, 1.0  # messages at once, then per second and chat; real numbers are not public

# What comes back from Telegram when it has tried
REFUSALS = {
    "not started": "Forbidden: bot can't initiate conversation with a user",
    "blocked": "Forbidden: bot was blocked by the user",
}

# https://core.telegram.org/bots/api#acceptedgifttypes
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


@dataclass(frozen=True)
class Chat:
    """A chat the bot may know. `topics` None: no forum, message_thread_id means nothing."""

    id: int
    type: Literal["private", "group", "supergroup"] = "private"
    title: str = "Anna"
    trouble: Literal["not started", "blocked"] | None = None
    migrated_to: int | None = None
    topics: frozenset[int] | None = None

    def json(self) -> dict[str, Any]:
        name = "first_name" if self.type == "private" else "title"
        forum = {"is_forum": True} if self.topics is not None else {}
        return {"id": self.id, name: self.title, **forum, "type": self.type}

    def full_info(self) -> dict[str, Any]:
        """getChat's answer with all that is never left out: https://core.telegram.org/bots/api#chatfullinfo"""
        gifts = dict.fromkeys(GIFTS, self.type == "private")
        return {**self.json(), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts}

    def check_access(self) -> None:
        """check_chat_access with AccessRights::Write."""
        if self.migrated_to is not None:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, text, migrate_to_chat_id=self.migrated_to)

    def check_delivery(self) -> None:
        if self.trouble:
            raise ApiError(403, REFUSALS[self.trouble])

    def find_topic(self, value: str) -> int | None:
        """check_message_topic: 1 is the General topic, and never a valid id."""
        topic_id = max(to_integer(value), 0)
        if not topic_id or self.type == "group" or (self.type, self.topics) == ("supergroup", None):
            return None
        if topic_id not in (self.topics or frozenset()) - {1}:
            raise bad_request("message thread not found")
        return topic_id


@dataclass(frozen=True)
class Sent:
    """A message in the chat, after Telegram's cleaning; `request` holds what the bot asked for."""

    time: float
    chat_id: int
    text: str
    entities: list[dict[str, Any]]
    reply_markup: dict[str, Any] | None
    topic_id: int | None
    message_id: int
    request: dict[str, str]


class Buckets:
    """About one message a second and chat, with a short burst; the real limits are not public."""

    def __init__(self) -> None:
        self._levels: dict[int, tuple[float, float]] = {}

    def take(self, chat_id: int, now: float) -> None:
        """Count a message at `now` seconds. Raise the 429 if it is one too many."""
        level, then = self._levels.get(chat_id, (float(BURST), now))
        level = min(BURST, level + (now - then) * REFILL)
        if level < 1:
            wait = math.ceil((1 - level) / REFILL)
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        self._levels[chat_id] = (level - 1, now)


# The chat in a terminal

STYLES = {"bold": "1", "italic": "3", "code": "36"}  # SGR codes


def show(sent: Sent, ansi: bool | None = None) -> str:
    """One message as a person sees it: styles by ANSI codes if stdout is a terminal.

    Control characters that Telegram lets through (U+007F-U+009F) are shown as U+FFFD: terminals
    obey them.
    """
    ansi = sys.stdout.isatty() if ansi is None else ansi
    text = _styled(sent) if ansi else _harmless(sent.text)
    rows = (sent.reply_markup or {}).get("inline_keyboard", [])
    lines = [*text.split("\n"), *(" ".join(map(_button, row)) for row in rows)]
    return "\n".join(f"│ {line}" for line in lines)


def _button(button: Mapping[str, Any]) -> str:
    return f"[ {_harmless(clean(str(button['text'])))} ]"


def _harmless(text: str) -> str:
    return re.sub("[\x00-\x09\x0b-\x1f\x7f-\x9f]", "\ufffd", text)


def _styled(sent: Sent) -> str:
    out, active, offset = "", "", 0
    for char in sent.text:
        inside = [e for e in sent.entities if e["offset"] <= offset < e["offset"] + e["length"]]
        codes = ";".join(STYLES[e["type"]] for e in inside)
        if char == "\n":
            codes = ""
        if codes != active:
            out += ("\x1b[0m" if active else "") + (f"\x1b[{codes}m" if codes else "")
            active = codes
        out += _harmless(char)
        offset += 1 + (char > "\uffff")
    return out + ("\x1b[0m" if active else "")
