# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written to the bot is read by one, and what is not for that one is still there for the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.botapi.server import BotApi
from homesim import config
from homesim.chat import updates
from homesim.chat.telegram import Bot
from homesim.chat.updates import SEEN, Updates
from homesim.errors import ConfigError, TryAgain


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as api:
        yield api


@pytest.fixture
def reader(api: BotApi, tmp_path: Path) -> Updates:
    return Updates(bot(api), tmp_path)


def bot(api: BotApi) -> Bot:
    return Bot(config.Telegram(api.token, 1, None, api.url, None, False, None))


def texts(reader: Updates, wait: int = 0) -> list[str]:
    return [update["message"]["text"] for update in reader.read(wait)]


def test_each_is_returned_once_and_none_is_gone(api: BotApi, reader: Updates, tmp_path: Path) -> None:
    api.user_says(1, "one")
    assert texts(reader) == ["one"]
    assert texts(reader) == []
    api.user_says(1, "two")
    assert texts(reader) == ["two"]
    assert texts(Updates(bot(api), tmp_path / "another")) == ["one", "two"]


def test_what_comes_is_waited_for_while_others_wait(
    api: BotApi, reader: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "PAUSE", 0.01)
    api.user_says(1, "old")
    reader.read(0)

    def write(phase: str, _: object) -> None:
        if phase == "done" and len(api.requests) == 3:
            api.user_says(1, "new")

    api.on_request = write
    assert next(found for found in iter(lambda: texts(reader, 1), None) if found) == ["new"]


@pytest.mark.parametrize("waiting", [SEEN - 1, SEEN, 2 * SEEN, 2 * SEEN + 3])
def test_however_many_wait_the_next_is_seen(waiting: int, api: BotApi, reader: Updates) -> None:
    for number in range(waiting):
        api.user_says(1, f"{number}")
    api.user_says(1, "the last")
    found = [text for _ in range(waiting // SEEN + 1) for text in texts(reader)]
    assert found[-1] == "the last"
    assert len(found) == waiting + 1


def test_the_largest_are_read(api: BotApi, reader: Updates) -> None:
    for _ in range(SEEN):
        api.user_says(1, "\U0001f600" * 8192)  # as large as two messages of 4096, one quoted in the other
    assert len(texts(reader)) == SEEN


@pytest.mark.usefixtures("reader")
def test_one_of_this_machine_reads_at_a_time(api: BotApi, tmp_path: Path) -> None:
    with pytest.raises(TryAgain, match="another run of homesim reads"):
        Updates(bot(api), tmp_path, patience=0)
    assert api.requests == []


def test_a_reader_that_is_none_of_ours_is_named(api: BotApi, reader: Updates) -> None:
    api.webhook_url = "https://example.org/"
    with pytest.raises(ConfigError, match=r"HTTP 409 .*another program reads this bot's messages"):
        reader.read(0)
