# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: TOML to frozen dataclasses, every mistake of the file reported at once with its key."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from homesim.errors import ConfigError, ConfigErrors, UsageError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10 and older: tomllib is tomli in the standard library
    import tomli as tomllib  # type: ignore[no-redef]

DEFAULT_PATH = Path("/etc/homesim/config.toml")
EXAMPLE = "123456789:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"  # config.toml.example's token


@dataclass(frozen=True)
class Telegram:
    token: str = field(repr=False)
    chat_id: int
    topic_id: int | None
    api_url: str
    proxy: str | None = field(repr=False)  # may hold a password
    force_ipv4: bool

    def chat(self, modem: Modem) -> tuple[int, int | None]:
        """Where a modem's messages go: the chat, and the topic in it."""
        return (self.chat_id, self.topic_id) if modem.chat_id is None else (modem.chat_id, None)


@dataclass(frozen=True)
class Modem:
    name: str
    device: str
    connection: str
    model: str
    pin: str | None = field(repr=False)
    chat_id: int | None
    calls: str  # "hangup", "report" or "ignore"


@dataclass(frozen=True)
class Poll:
    linger: float  # seconds
    multipart_wait: float  # seconds


@dataclass(frozen=True)
class Health:
    usb: str | None  # idVendor:idProduct
    ping_url: str | None = field(repr=False)  # who has it can ping
    alert_after: int  # unhealthy checks
    reboot_after: float  # hours, 0: never


@dataclass(frozen=True)
class Paths:
    state: Path
    run: Path
    sysfs: Path


@dataclass(frozen=True)
class Config:
    telegram: Telegram
    modems: dict[str, Modem]
    poll: Poll
    health: Health
    paths: Paths


class _Key(NamedTuple):
    """What a key may hold; `default` ... means that it must be there."""

    expected: str
    fits: Callable[[Any], bool]
    default: Any = ...


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _seconds(value: Any) -> bool:
    return _number(value) and 0 <= value <= 86400


_TOKEN = r"[0-9]+:[A-Za-z0-9_-]{20,}"
_FOLDER = _Key('a folder\'s path, as "/var/lib/homesim"', _text(r"/.*"))
_CHAT = _Key("a whole number, as 123456789 (a group's is negative)", _whole)
_TOKEN_KEY = _Key('what BotFather gave you, as "123456789:AA..."', _text(_TOKEN), None)

_TABLES: dict[str, dict[str, _Key]] = {
    "telegram": {
        "token": _TOKEN_KEY,
        "token_file": _Key("the path of a file that holds the token", _text(".+"), None),
        "chat_id": _CHAT,
        "topic_id": _Key("a whole number above 0, the topic's message_thread_id", lambda v: _whole(v) and v > 0, None),
        "api_url": _Key('"http://..." or "https://..."', _text(r"https?://[^\s/]+[^\s]*"), "https://api.telegram.org"),
        "proxy": _Key('"socks5h://host:port" or "http://host:port"', _text(r"(socks4a?|socks5h?|https?)://\S+"), None),
        "force_ipv4": _Key("true or false", lambda v: isinstance(v, bool), False),
    },
    "modem": {
        "device": _Key('the path of the stick\'s port, as "/dev/sms"', _text(r"/.+")),
        # The same serial device and driver as "at", without its 3 s of waiting at every start.
        "connection": _Key('gammu\'s for AT, as "dku2at"', _text(r"(dku2at|at\d*)(-[a-z]+)?"), "dku2at"),
        "model": _Key('a model of gammu\'s, as "at"', _text(r"[A-Za-z0-9-]+"), "at"),
        "pin": _Key('4 to 8 digits in quotes, as "1234"', _text(r"[0-9]{4,8}"), None),
        "chat_id": _CHAT._replace(default=None),
        "calls": _Key('"hangup", "report" or "ignore"', _text("hangup|report|ignore"), "hangup"),
    },
    "poll": {
        "linger": _Key("seconds, 0 or more", _seconds, 55),
        "multipart_wait": _Key("seconds, 0 or more", _seconds, 600),
    },
    "health": {
        "usb": _Key('the stick\'s ids as lsusb shows them, as "12d1:155e"', _text(r"[0-9a-f]{4}:[0-9a-f]{4}"), None),
        "ping_url": _Key('"http://..." or "https://..."', _text(r"https?://[^\s/]+[^\s]*"), None),
        "alert_after": _Key("a whole number of checks, 1 or more", lambda v: _whole(v) and v > 0, 2),
        "reboot_after": _Key("hours; 0: never", lambda v: _number(v) and v >= 0, 0),
    },
    "paths": {
        "state": _FOLDER._replace(default="/var/lib/homesim"),
        "run": _FOLDER._replace(default="/run/homesim"),
        "sysfs": _FOLDER._replace(default="/sys"),
    },
}  # fmt: skip


def load(path: Path) -> Config:
    """Read the configuration. Raise ConfigError when the file is not there, not private, not right, or the example."""
    settings = parse(_private(path), path)
    if settings.telegram.token == EXAMPLE:  # cron starts us before homesim-setup: no SMS and no alert is for this chat
        raise ConfigError(path, "is the example as it came; run sudo homesim-setup")
    return settings


def document(text: str, path: Path) -> dict[str, Any]:
    """The TOML of a file as it is. Raise ConfigError when it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, f"not TOML: {error}") from None


def parse(text: str, path: Path) -> Config:
    """The configuration in the text of a file, `path`. Raise ConfigError when it is not right."""
    tables = document(text, path)
    problems = [f"{key}: unknown table; expected {', '.join(_TABLES)}" for key in tables if key not in _TABLES]
    telegram = _table("telegram", tables.get("telegram", {}), _TABLES["telegram"], problems)
    sticks = tables.get("modem", {})
    if not isinstance(sticks, dict) or not sticks:
        problems.append("modem: missing; expected a table for each stick, as [modem.home]")
        sticks = {}
    modems = {name: _modem(name, table, problems) for name, table in sticks.items()}
    _two_at_one_port(modems, problems)
    others = {key: _table(key, tables.get(key, {}), _TABLES[key], problems) for key in ("poll", "health", "paths")}
    telegram["token"] = _token(telegram, path, problems)
    if problems:
        raise ConfigErrors(path, problems)
    del telegram["token_file"]
    return Config(
        telegram=Telegram(**telegram),
        modems={name: Modem(name=name, **table) for name, table in modems.items()},
        poll=Poll(**others["poll"]),
        health=Health(**others["health"]),
        paths=Paths(**{key: Path(value) for key, value in others["paths"].items()}),
    )


def chosen(settings: Config, modem: str | None, path: Path) -> list[str]:
    """The modems that --modem means. Raise UsageError when there is no such one."""
    if modem and modem not in settings.modems:
        raise UsageError("--modem", f"no [modem.{modem}] in {path}")
    return [modem] if modem else list(settings.modems)


def _private(path: Path) -> str:
    """The text of a file that nobody but its owner can read."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(path, "no such file; run sudo homesim-setup, or copy config.toml.example there") from None
    except PermissionError:
        raise ConfigError(path, "permission denied; run it as root") from None
    except (OSError, ValueError) as error:
        raise ConfigError(path, f"cannot be read: {getattr(error, 'strerror', None) or 'not a text file'}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(path, f"others can read it, and it holds secrets; run chmod 600 {path}")
    return text


def _table(place: str, table: Any, keys: dict[str, _Key], problems: list[str]) -> dict[str, Any]:
    """The values of a table, defaults filled in; what is wrong goes to `problems`."""
    if not isinstance(table, dict):
        problems.append(f"{place}: expected a table, [{place}]")
        return {}
    problems += [f"{place}.{key}: unknown key; expected {', '.join(keys)}" for key in table if key not in keys]
    for key, (expected, fits, default) in keys.items():
        if key not in table and default is ...:
            problems.append(f"{place}.{key}: missing; expected {expected}")
        if key in table and not fits(table[key]):
            problems.append(f"{place}.{key}: expected {expected}")
    return {key: table.get(key, default) for key, (_, _, default) in keys.items()}


def _modem(name: str, table: Any, problems: list[str]) -> dict[str, Any]:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", name):
        problems.append(f"modem.{name}: expected a name of letters, digits, - and _, as [modem.home]")
    return _table(f"modem.{name}", table, _TABLES["modem"], problems)


def _two_at_one_port(modems: dict[str, dict[str, Any]], problems: list[str]) -> None:
    devices = [table.get("device") for table in modems.values()]
    for name, table in modems.items():
        if isinstance(device := table.get("device"), str) and devices.count(device) > 1:
            problems.append(f"modem.{name}.device: expected a port of its own, another modem has {device}")


def _token(telegram: dict[str, Any], path: Path, problems: list[str]) -> str:
    """The token, from the file itself or from the one it names (relative to it)."""
    if any(problem.startswith("telegram.token") for problem in problems):
        return ""
    if (telegram.get("token") is None) == (telegram.get("token_file") is None):
        problems.append(f"telegram.token: expected {_TOKEN_KEY.expected}, or token_file, one of the two")
        return ""
    token: str = telegram["token"] or _private(path.parent / telegram["token_file"]).strip()
    if not _TOKEN_KEY.fits(token):
        problems.append(f"telegram.token_file: expected a file that holds {_TOKEN_KEY.expected}")
    return token
