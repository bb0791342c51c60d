# SPDX-License-Identifier: GPL-2.0-or-later
"""What is given to Telegram, and what became of it. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum


@dataclass(frozen=True)
class Entity:
    """Bot API MessageEntity."""

    type: str
    offset: int
    length: int


@dataclass(frozen=True)
class Draft:
    """One sendMessage: its text, its entities, and what its buttons copy."""

    text: str
    entities: tuple[Entity, ...] = ()
    copy: tuple[str, ...] = ()

    def plain(self) -> Draft:
        return Draft(self.text)

    def parameters(self) -> dict[str, object]:
        """Its part of sendMessage's. No null fields: Telegram reads them as the word "null"."""
        given: dict[str, object] = {"text": self.text, "link_preview_options": {"is_disabled": True}}
        if self.entities:
            given["entities"] = [asdict(entity) for entity in self.entities]
        if self.copy:
            buttons = [{"text": f"Copy {text}", "copy_text": {"text": text}} for text in self.copy]
            given["reply_markup"] = {"inline_keyboard": [buttons]}
        return given


class Outcome(Enum):
    SENT = "sent"
    AWAY = "Telegram takes nothing now, try again"
    TRANSIENT = "not delivered, try again"
    AMBIGUOUS = "perhaps delivered, try again"
    CONFIG = "not before the configuration changes"
    REFUSED = "this message is refused for what it is"
    MIGRATED = "the chat has another id now"
    NO_TOPIC = "the topic is gone"


@dataclass(frozen=True)
class Answer:
    """`reason` names no token, no text and no URL."""

    outcome: Outcome
    reason: str = ""
    fault: str = ""  # its key in health/faults
    retry_after: float = 0.0  # seconds
    chat_id: int = 0  # where the chat went
