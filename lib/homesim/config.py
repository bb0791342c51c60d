# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: TOML to frozen dataclasses, every mistake of the file reported at once with its key.

Each key is declared once, as a field that says what it may hold, its default and its help: the values, the mistakes and
config.toml.example come from there.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from homesim.errors import ConfigError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10 and older: tomllib is tomli in the standard library
    import tomli as tomllib  # type: ignore[no-redef]

DEFAULT_PATH = Path("/etc/homesim/config.toml")
EXAMPLE = "123456789:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"  # config.toml.example's token


class Key(NamedTuple):
    """What a key may hold; `default` ... means that it must be there; without `help` the example leaves it out."""

    expected: str
    fits: Callable[[Any], bool]
    default: Any
    help: str | None
    example: Any  # what the example has instead of the default


def _key(kind: _Kind, default: Any = ..., help: str | None = "", example: Any = None, *, secret: bool = False) -> Any:
    return field(repr=not secret, metadata={"key": Key(*kind, default, help, example)})


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _number(least: float, most: float = inf, *, kind: Any = (int, float)) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most


_Kind = tuple[str, Callable[[Any], bool]]
_TOKEN = 'what BotFather gave you, as "123456789:AA..."', _text("[0-9]+:[A-Za-z0-9_-]{20,}")
_CHAT = "a whole number, as 123456789 (a group's is negative)", _number(-inf, kind=int)
_FILE = "the path of a file that holds it", _text(".+")
_NAME, _SECRET = ("a name in quotes", _text(".+")), ("a text in quotes", _text(".+"))
_TOPIC = "a whole number above 0, the topic's message_thread_id", _number(1, kind=int)
_URL = '"http://..." or "https://..."', _text(r"https?://[^\s/]+[^\s]*")
_PROXY = '"socks5h://host:port" or "http://host:port"', _text(r"(socks4a?|socks5h?|https?)://\S+")
_SWITCH = "true or false", lambda value: isinstance(value, bool)
_DEVICE = 'the path of the stick\'s port, as "/dev/sms"', _text(r"/.+|https?://[^\s/@?#]+/?")  # or a page's address
_CONNECTION = 'gammu\'s for AT, as "dku2at"', _text(r"(dku2at|at\d*)(-[a-z]+)?")
_MODEL = 'a model of gammu\'s, as "at"', _text("[A-Za-z0-9-]+")
_PIN = '4 to 8 digits in quotes, as "1234"', _text("[0-9]{4,8}")
_CALLS = '"hangup", "report" or "ignore"', _text("hangup|report|ignore")
_SECONDS = "seconds, 0 or more", _number(0, 86400)
_IDS = 'the stick\'s ids as lsusb shows them, as "12d1:155e"', _text("[0-9a-f]{4}:[0-9a-f]{4}")
_CHECKS = "a whole number of checks, 1 or more", _number(1, kind=int)
_HOURS = "hours; 0: never", _number(0)
_FOLDER = 'a folder\'s path, as "/var/lib/homesim"', _text("/.*")


@dataclass(frozen=True)
class Telegram:
    token: str = _key(_TOKEN, None, "from @BotFather", EXAMPLE, secret=True)
    chat_id: int = _key(_CHAT, ..., "a person's number, or a group's, which is negative", 123456789)
    topic_id: int | None = _key(_TOPIC, None, "a topic of a group: its message_thread_id", 7)
    api_url: str = _key(_URL, "https://api.telegram.org")
    proxy: str | None = _key(
        _PROXY, None, "or http://host:port; socks needs python3-socks", "socks5h://user:password@host:1080", secret=True
    )
    force_ipv4: bool = _key(_SWITCH, False, "true where IPv6 leads nowhere")
    token_file: str | None = _key(_FILE, None, "instead of token: a file that holds it, 0600 too", "/etc/homesim/token")

    def chat(self, modem: Modem) -> tuple[int, int | None]:
        """Where a modem's messages go: the chat, and the topic in it."""
        return (self.chat_id, self.topic_id) if modem.chat_id is None else (modem.chat_id, None)


@dataclass(frozen=True)
class Modem:
    name: str
    device: str = _key(_DEVICE, example="/dev/sms")
    # The same serial device and driver as "at", without its 3 s of waiting at every start.
    connection: str = _key(_CONNECTION, "dku2at", 'and model = "at": libgammu\'s, for a stick it does not recognise')
    model: str = _key(_MODEL, "at", None)
    pin: str | None = _key(_PIN, None, "the SIM's, if it asks for one; a wrong one is tried once", "1234", secret=True)
    chat_id: int | None = _key(_CHAT, None, "another chat than [telegram]'s for this stick", -1001234567890)
    calls: str = _key(_CALLS, "hangup", '"hangup": reject and report; "report": let it ring and report; "ignore"')
    user: str = _key(_NAME, "admin", None)  # of a HiLink stick's page
    password: str | None = _key(_SECRET, None, None, secret=True)
    password_file: str | None = _key(_FILE, None, None)

    @property
    def page(self) -> str:
        """The address of its web page; "" for a stick with a port."""
        return "" if self.device.startswith("/") else self.device.rstrip("/")


@dataclass(frozen=True)
class Poll:
    linger: float = _key(_SECONDS, 55, "seconds a run stays and watches; 0: look once")
    multipart_wait: float = _key(_SECONDS, 600, "seconds to wait for the rest of a long SMS")


@dataclass(frozen=True)
class Health:
    usb: str | None = _key(
        _IDS, None, "only if several sticks are in: the one that is ours when its port is gone", "12d1:155e"
    )
    ping_url: str | None = _key(  # who has it can ping
        _URL, None, "told each five minutes that all is well, or that it is not (/fail)",
        "https://healthchecks.example/uuid", secret=True,
    )  # fmt: skip
    alert_after: int = _key(_CHECKS, 2, "unhealthy checks, of five minutes each, before you are told")
    reboot_after: float = _key(_HOURS, 0, "hours without a healthy check after which the Pi reboots; 0: never")


@dataclass(frozen=True)
class Paths:
    state: Path = _key(_FOLDER, "/var/lib/homesim")  # noqa: RUF009
    run: Path = _key(_FOLDER, "/run/homesim")  # noqa: RUF009
    sysfs: Path = _key(_FOLDER, "/sys")  # noqa: RUF009


@dataclass(frozen=True)
class Config:
    telegram: Telegram
    modems: dict[str, Modem]
    poll: Poll
    health: Health
    paths: Paths


_TABLES = {"telegram": Telegram, "modem": Modem, "poll": Poll, "health": Health, "paths": Paths}
KEYS: dict[str, dict[str, Key]] = {
    table: {f.name: f.metadata["key"] for f in fields(kind) if "key" in f.metadata} for table, kind in _TABLES.items()
}


def load(path: Path) -> Config:
    """Read the configuration. Raise ConfigError when the file is not there, not private, not right, or the example."""
    settings = parse(_private(path), path)
    if settings.telegram.token == EXAMPLE:  # cron starts us before homesim-setup: no SMS and no alert is for this chat
        raise ConfigError(path, "is the example as it came; run sudo homesim-setup", fault="example")
    return settings


def document(text: str, path: Path) -> dict[str, Any]:
    """The TOML of a file as it is. Raise ConfigError when it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, f"not TOML: {error}") from None


def parse(text: str, path: Path) -> Config:
    """The configuration in the text of a file, `path`. Raise ConfigError when it is not right."""
    given = document(text, path)
    problems = [f"{key}: unknown table; expected {', '.join(_TABLES)}" for key in given if key not in _TABLES]
    found = {key: _table(key, key, given.get(key, {}), problems) for key in _TABLES if key != "modem"}
    modems = _modems(given.get("modem", {}), problems)
    telegram = found["telegram"]
    telegram["token"] = _secret("telegram", "telegram", telegram, "token", path, problems)
    for name, table in modems.items():
        table["password"] = _secret("modem", f"modem.{name}", table, "password", path, problems)
    if telegram["token"] is None and not any(problem.startswith("telegram.token") for problem in problems):
        problems.append(f"telegram.token: expected {KEYS['telegram']['token'].expected}, or token_file, one of the two")
    if problems:
        raise ConfigError(path, *problems)
    found["paths"] = {key: Path(value) for key, value in found["paths"].items()}
    sticks = {name: Modem(name, **table) for name, table in modems.items()}
    return Config(modems=sticks, **{key: _TABLES[key](**values) for key, values in found.items()})


def _modems(given: Any, problems: list[str]) -> dict[str, dict[str, Any]]:
    """The tables [modem.NAME]; what is wrong goes to `problems`."""
    if not isinstance(given, dict) or not given:
        problems.append("modem: missing; expected a table for each stick, as [modem.home]")
        return {}
    wrong = [name for name in given if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", name)]
    problems += [f"modem.{name}: expected a name of letters, digits, - and _, as [modem.home]" for name in wrong]
    modems = {name: _table("modem", f"modem.{name}", table, problems) for name, table in given.items()}
    devices = [table.get("device") for table in modems.values()]
    for name, table in modems.items():
        if isinstance(device := table.get("device"), str) and devices.count(device) > 1:
            problems.append(f"modem.{name}.device: expected a port of its own, another modem has {device}")
    return modems


def read(path: Path) -> str:
    """The text of a file, to the byte."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        why = "no such file; run sudo homesim-setup, or copy config.toml.example there"
        raise ConfigError(path, why, fault="no-configuration") from None
    except PermissionError:
        raise ConfigError(path, "permission denied; run it as root", fault="not-root") from None
    except (OSError, ValueError) as error:
        raise ConfigError(path, f"cannot be read: {getattr(error, 'strerror', None) or 'not a text file'}") from None


def _private(path: Path) -> str:
    """The text of a file that nobody but its owner can read."""
    text = read(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        why = f"others can read it, and it holds secrets; run chmod 600 {path}"
        raise ConfigError(path, why, fault="open-configuration")
    return text


def _table(kind: str, place: str, table: Any, problems: list[str]) -> dict[str, Any]:
    """The values of a table, defaults filled in; what is wrong goes to `problems`."""
    if not isinstance(table, dict):
        problems.append(f"{place}: expected a table, [{place}]")
        return {}
    keys = KEYS[kind]
    problems += [f"{place}.{name}: unknown key; expected {', '.join(keys)}" for name in table if name not in keys]
    for name, key in keys.items():
        if name in table and not key.fits(table[name]):
            problems.append(f"{place}.{name}: expected {key.expected}")
        elif name not in table and key.default is ...:
            problems.append(f"{place}.{name}: missing; expected {key.expected}")
    return {name: table.get(name, key.default) for name, key in keys.items()}


def _secret(kind: str, place: str, table: dict[str, Any], name: str, path: Path, problems: list[str]) -> str | None:
    """A secret, from the file itself or from the one that NAME_file names (relative to it); None: neither is there."""
    given, file = table.get(name), table.get(f"{name}_file")
    if file is None or any(problem.startswith(f"{place}.{name}") for problem in problems):
        return given
    key = KEYS[kind][name]
    if given is not None:
        problems.append(f"{place}.{name}: expected this or {name}_file, one of the two")
    elif not key.fits(given := _private(path.parent / file).strip()):
        problems.append(f"{place}.{name}_file: expected a file that holds {key.expected}")
    return given
