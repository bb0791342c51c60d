# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Bot API takes and what it makes of it: pure functions, no network.

A request passes three stages, as in the real server, and the first objection is the answer:

    read_parameters   HTTP to a flat dictionary of strings
    read_message      what telegram-bot-api checks before it looks at the chat
    finish_message    what TDLib checks and changes after it: cleaning, offsets, lengths, buttons

Facts and wording are from telegram-bot-api 10.0 (Client.cpp) and TDLib (HttpReader.cpp,
ReplyMarkup.cpp); "assumed" marks what these do not show.
"""

import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from emulators.botapi.text import Entity, Malformed, bad_request, clean, format_text, is_utf8

MAX_PARAMETERS = 1 << 20  # bytes, HttpReader.h MAX_TOTAL_PARAMETERS_LENGTH
MAX_RAW_TEXT = 1 << 15  # bytes, get_formatted_text
MAX_TEXT = 4096  # code points, option message_text_length_max
MAX_ENTITIES = 100  # undocumented; the first 100 in the order of the text stay (assumed)
MAX_COPY_TEXT = 256  # code points (the unit is assumed)
NAMES = {int: "a Number", str: "of type String", dict: "of type Object"}


class BrokenRequest(Exception):
    """A request that the HTTP layer refuses: a bare status, no body, connection closed."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"bare HTTP {status}")


@dataclass(frozen=True)
class Content:
    """sendMessage's content in the API's JSON, as the bot sent it or as the chat shows it; offsets in UTF-16 units."""

    text: str
    entities: list[dict[str, Any]]
    reply_markup: dict[str, Any] | None
    link_preview_options: dict[str, Any] | None


# HTTP to parameters


def read_parameters(content_type: str, body: bytes) -> dict[str, str]:
    """All parameters of a request as strings.

    Bodies of other types than JSON and form are not read; multipart and query strings are not supported here.
    Raise BrokenRequest.
    """
    if len(body) > MAX_PARAMETERS:
        raise BrokenRequest(413)
    text = body.decode("utf-8", "surrogateescape")  # bad bytes fail later, as bad UTF-8
    if "application/x-www-form-urlencoded" in content_type.lower():
        return dict(urllib.parse.parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))
    if "application/json" not in content_type.lower() or not text:
        return {}
    try:
        fields = json.loads(text, strict=False, parse_constant=_no_constant)
        if not isinstance(fields, dict):
            raise ValueError("JSON object expected")
    except ValueError:
        # So users of the server say. TDLib's HttpReader.cpp of 2026-07 rather logs the error and
        # goes on with the fields that stand before it: a client must not send this at all.
        raise BrokenRequest(400) from None
    # A value that is no string stays its JSON text, even null.
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def is_true(value: str) -> bool:
    """Client::to_bool."""
    return value.strip().lower() in ("true", "yes", "1")


def to_integer(value: str) -> int:
    """td::to_integer: the digits in front, 0 if there are none."""
    match = re.match(r"-?\d+", value, re.ASCII)
    return int(match.group()) if match else 0


# Stage two: before the chat is looked at


def read_message(params: Mapping[str, str]) -> Content:
    """sendMessage's content, Client::get_input_message_text and get_reply_markup."""
    assert not {"parse_mode", "disable_web_page_preview"} & set(params), "not simulated"
    preview = _read_link_preview(params.get("link_preview_options", ""))
    text = params.get("text", "")
    if not text:
        raise bad_request("Message text is empty")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_RAW_TEXT:
        raise bad_request("Text is too long")
    entities = _read_entities(params.get("entities", ""))
    return Content(text, entities, _read_markup(params.get("reply_markup", "")), preview)


def _read_link_preview(value: str) -> dict[str, Any] | None:
    if not value:
        return None
    options = _json_object(value, "link preview options", "link preview options")
    for name in ("is_disabled", "prefer_small_media", "prefer_large_media", "show_above_text"):
        if not isinstance(options.get(name, False), bool):
            raise bad_request(f'Field "{name}" must be of type Boolean')
    return options


def _json_object(value: str, thing: str, short: str) -> dict[str, Any]:
    try:
        decoded = json.loads(value)
    except ValueError:
        raise bad_request(f"Can't parse {thing} JSON object") from None
    if not isinstance(decoded, dict):
        raise bad_request(f"Object expected as {short}")
    return decoded


def _read_entities(value: str) -> list[dict[str, Any]]:
    try:
        decoded = json.loads(value)
    except ValueError:
        return []  # get_input_entities ignores broken JSON, and says nothing
    try:
        return [_read_entity(item) for item in decoded] if isinstance(decoded, list) else []
    except Malformed as e:
        raise bad_request(f"Can't parse MessageEntity: {e}") from None


def _read_entity(item: Any) -> dict[str, Any]:
    """Client::get_text_entity for those types that homesim uses. Raise Malformed."""
    if not isinstance(item, dict):
        raise Malformed("expected an Object")
    offset, length = (_required(item, name, int) for name in ("offset", "length"))
    kind = _required(item, "type", str)
    if kind not in ("bold", "italic", "code"):
        raise Malformed("Unsupported type specified")
    return asdict(Entity(offset, length, kind))


def _required(item: Mapping[str, Any], name: str, wanted: type) -> Any:
    """JsonObject::get_required_*_field; that numbers and their strings stand for each other is left out."""
    if name not in item:
        raise Malformed(f'Can\'t find field "{name}"')
    value = item[name]
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise Malformed(f'Field "{name}" must be {NAMES[wanted]}')
    return value


def _read_markup(value: str) -> dict[str, Any] | None:
    """Client::get_reply_markup; other keyboards than inline ones are accepted and not kept."""
    if not value:
        return None
    markup = _json_object(value, "reply keyboard markup", "reply markup")
    rows = markup.get("inline_keyboard", [])
    if not isinstance(rows, list):
        raise bad_request('Field "inline_keyboard" must be of type Array')
    for row in rows:
        if not isinstance(row, list):
            where = "of the InlineKeyboardMarkup must be an Array of Arrays"
            raise bad_request(f'Field "inline_keyboard" {where}')
        for button in row:
            try:
                _check_button(button)
            except Malformed as e:
                raise bad_request(f"Can't parse inline keyboard button: {e}") from None
    return {"inline_keyboard": rows} if rows else None


def _check_button(button: Any) -> None:
    """Client::get_inline_keyboard_button for the type copy_text."""
    if not isinstance(button, dict):
        raise Malformed("InlineKeyboardButton must be an Object")
    _required(button, "text", str)
    if "copy_text" not in button:
        raise Malformed("Text buttons are unallowed in the inline keyboard")
    _required(_required(button, "copy_text", dict), "text", str)


# Stage three: after the chat was found


def finish_message(draft: Content) -> Content:
    """Check and clean a draft as TDLib does: reply markup, fix_formatted_text, length."""
    buttons = [b for row in (draft.reply_markup or {}).get("inline_keyboard", []) for b in row]
    for button in buttons:
        if not is_utf8(button["text"]):
            raise bad_request("Inline keyboard button text must be encoded in UTF-8")
        if not clean(button["text"]):
            raise bad_request("Inline keyboard button text must be non-empty")
    text, entities = format_text(draft.text, (Entity(**entity) for entity in draft.entities))
    if len(text) > MAX_TEXT:
        raise bad_request("Message is too long")
    if any(not 1 <= len(button["copy_text"]["text"]) <= MAX_COPY_TEXT for button in buttons):
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    return replace(draft, text=text, entities=[asdict(entity) for entity in entities[:MAX_ENTITIES]])
