# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: the shipped example is right, and a wrong file is refused with all its mistakes at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homesim import config
from homesim.errors import ConfigError
from homesim.setup import configfile
from rig import ROOT

EXAMPLE = (ROOT / "config.toml.example").read_text().replace("xxx", "yyy")  # filled in
MINIMAL = """
[telegram]
token = "123456789:AAyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
chat_id = 5
[modem.home]
device = "/dev/sms"
"""


def load(folder: Path, text: str, mode: int = 0o600) -> config.Config:
    file = folder / "config.toml"
    file.write_text(text)
    file.chmod(mode)
    return config.load(file)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    prefix = f"{folder}/config.toml: "
    assert all(line.startswith(prefix) for line in caught.value.lines())
    return [line.removeprefix(prefix) for line in caught.value.lines()]


def test_the_example_is_right_and_its_comments_are_the_defaults(tmp_path: Path) -> None:
    plain = load(tmp_path, EXAMPLE)
    off = ("token_file", "topic_id", "proxy", "pin", "# chat_id", "# usb", "ping_url")
    lines = [
        line if any(word in line for word in off) else re.sub(r"^# (?=[a-z_0-9]+ = )", "", line)
        for line in EXAMPLE.splitlines()
    ]
    assert load(tmp_path, "\n".join(lines)) == plain
    assert lines != EXAMPLE.splitlines()


def test_the_example_is_what_the_keys_say() -> None:
    """configfile.example() makes it anew; so the defaults that it shows are the program's."""
    assert (ROOT / "config.toml.example").read_text() == configfile.example()


def test_every_key_can_be_set(tmp_path: Path) -> None:
    everything = re.sub(r"^# (?=[a-z_0-9]+ = )", "", EXAMPLE, flags=re.MULTILINE)
    loaded = load(tmp_path, re.sub(r"^token_file.*$", "", everything, flags=re.MULTILINE))
    assert loaded.telegram.topic_id == 7
    assert loaded.modems["home"].chat_id == -1001234567890


def test_all_mistakes_are_reported_at_once_each_with_its_key(tmp_path: Path) -> None:
    text = """
        extra = 1
        [telegram]
        token = "short"
        chat_id = "me"
        colour = "red"
        api_url = "ftp://x"
        [modem.home]
        pin = 1234
        calls = "Hangup"
        [modem."../etc"]
        device = "/dev/sms"
        [poll]
        linger = -1
        multipart_wait = true
        [paths]
        state = "relative"
    """
    keys = [problem.split(":")[0] for problem in problems(tmp_path, text)]
    assert sorted(keys) == sorted([
        "extra", "telegram.token", "telegram.chat_id", "telegram.colour", "telegram.api_url", "modem.home.device",
        "modem.home.pin", "modem.home.calls", "modem.../etc", "poll.linger", "poll.multipart_wait", "paths.state",
    ])  # fmt: skip


def test_a_missing_token_is_reported_with_the_rest(tmp_path: Path) -> None:
    text = "[telegram]\nchat_id = 5\n[modem.a]\ndevice = '/dev/sms'\n[modem.b]\ndevice = '/dev/sms'\n"
    keys = [problem.split(":")[0] for problem in problems(tmp_path, text)]
    assert sorted(keys) == ["modem.a.device", "modem.b.device", "telegram.token"]


def test_no_value_is_repeated_in_a_mistake(tmp_path: Path) -> None:
    text = MINIMAL.replace("AAyy", "AA yy") + 'pin = "12345678901"\n'
    assert not [line for line in problems(tmp_path, text) if "yyyy" in line or "12345678901" in line]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "telegram.chat_id: missing"),
        ("[telegram]\n", "modem: missing"),
        ("[modem]\n", "modem: missing"),
        ("modem = 3\n", "modem: missing"),
        ("telegram = 1\n[modem.home]\n", "telegram: expected a table"),
        ("[telegram]\ntoken = oops\n", "not TOML: Invalid value (at line 2"),
        (MINIMAL.replace("chat_id", 'token_file = "x"\nchat_id'), "telegram.token: expected"),
    ],
)
def test_what_is_missing_or_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert [line for line in problems(tmp_path, text) if line.startswith(said)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        load(tmp_path, MINIMAL, mode)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config.toml.example"):
        config.load(tmp_path / "none.toml")


class TestTokenFile:
    TEXT = MINIMAL.replace("token = ", 'token_file = "token" # ')

    def test_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("123456789:AAyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n")
        (tmp_path / "token").chmod(0o600)
        assert load(tmp_path, self.TEXT).telegram.token.startswith("123456789:AAyyy")

    def test_must_be_private_and_hold_a_token(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("nothing\n")
        (tmp_path / "token").chmod(0o644)
        with pytest.raises(ConfigError, match="chmod 600"):
            load(tmp_path, self.TEXT)
        (tmp_path / "token").chmod(0o600)
        assert problems(tmp_path, self.TEXT)[0].startswith("telegram.token_file: expected")


def test_secrets_are_not_in_its_repr(tmp_path: Path) -> None:
    loaded = load(tmp_path, MINIMAL.replace("chat_id = 5", 'chat_id = 5\nproxy = "http://u:pw@h:1"') + 'pin = "4321"\n')
    assert not [secret for secret in ("AAxx", "u:pw", "4321") if secret in repr(loaded)]
