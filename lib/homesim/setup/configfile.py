# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes keys of the configuration file and nothing else of it; makes the file that has nothing but defaults.

Line by line: Python reads TOML and writes none, and comments and order are the owner's. A layout that this cannot
do (inline tables, dotted keys) is noticed: what is read back must be what was there with just the changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

from homesim import config
from homesim.errors import ConfigError, TryAgain, reason
from homesim.store import files

Value = str | int | None  # None: the key goes

_HEAD = "# /etc/homesim/config.toml: 0600, root's. Every key is here; one with a # has this value anyway, or is off."
_MODEM = "[modem.home]                              # a table for each stick; its name stands below each message"
# A value that one line holds; what else there is (tables, many lines) is noticed, see above.
_VALUE = r"""("(?:[^"\\]|\\.)*"|'[^']*'|[^#\s]+)"""


class Draft:
    """The configuration as it will be: `path` itself stays as it is until `save`."""

    def __init__(self, path: Path) -> None:
        """Raise HomesimError when the file could not be replaced, or is wrong in what setup does not ask for."""
        self.path = path
        self.saved = False
        self._text = _read(path)
        try:
            self.settings = config.parse(self._text, path)
        except ConfigError:  # what setup asks for may be missing
            chat, device = config.KEYS["telegram"]["chat_id"].example, config.KEYS["modem"]["device"].example
            self._text = _change(self._text, path, "telegram", token=config.EXAMPLE, token_file=None, chat_id=chat)
            if not config.document(self._text, path).get("modem"):
                self._text = _change(self._text, path, "modem.home", device=device)
            self.settings = config.parse(self._text, path)
        self.fresh = self.settings.telegram.token == config.EXAMPLE  # nobody has filled it in yet

    def change(self, table: str, **values: Value) -> None:
        """Set keys of a table. Raise ConfigError when that makes no configuration; then all is as before."""
        self._take(_change(self._text, self.path, table, **values))

    def rename(self, modem: str) -> None:
        """Give the first modem another name."""
        first = next(iter(self.settings.modems))
        self._take(re.sub(rf"(?m)^\[modem\.{first}\]", f"[modem.{modem}]", self._text))

    def _take(self, text: str) -> None:
        self.settings, self._text = config.parse(text, self.path), text

    def save(self) -> None:
        path = self.path.resolve()  # a link stays one
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, self._text)
        except OSError as error:
            raise TryAgain(path, f"{reason(error)}; it is as it was") from None
        self.saved = True


def example() -> str:
    """config.toml.example, from the declaration of the keys."""
    lines = [_HEAD]
    for table, keys in config.KEYS.items():
        lines += ["", _MODEM if table == "modem" else f"[{table}]"]
        for name, key in keys.items():
            off = "" if key.default is ... or name == "token" else "# "
            line = f"{off}{name} = {json.dumps(key.default if key.example is None else key.example)}"
            lines += [] if key.help is None else [f"{line:<39}   # {key.help}" if key.help else line]
    return "\n".join(lines) + "\n"


def _read(path: Path) -> str:
    """The file's text. Raise when it could not be replaced later."""
    folder = next(folder for folder in path.resolve().parents if folder.exists())
    if not os.access(folder, os.W_OK):
        why = "the file system is read-only" if os.geteuid() == 0 else "permission denied; run it as root"
        raise ConfigError(folder, why)
    return config.read(path) if path.exists() else example()


def _change(text: str, path: Path, table: str, **values: Value) -> str:
    """The text with these keys of a table set, or gone."""
    layout = ConfigError(path, f"laid out unlike config.toml.example; set {', '.join(values)} of [{table}] by hand")
    keys = wanted = config.document(text, path)
    for name in table.split("."):
        keys = keys.setdefault(name, {})
        if not isinstance(keys, dict):
            raise layout
    for key, value in values.items():
        if keys.get(key) != value:
            text = _set(text, table, key, value)
            keys[key] = value
        if value is None:
            keys.pop(key, None)
    with contextlib.suppress(ConfigError):
        if config.document(text, path) == wanted:
            return text
    raise layout


def _set(text: str, table: str, key: str, value: Value) -> str:
    """The key's own line is changed, or the comment that holds it, or a line is added below the table's head."""
    new = "" if value is None else f"{key} = {json.dumps(value, ensure_ascii=False)}"  # TOML's form too
    head = re.search(rf"(?m)^[ \t]*\[{re.escape(table)}\].*\n", text)
    if not head:
        return "\n".join([text.removesuffix("\n"), "", f"[{table}]", new, ""])
    behind = re.compile(r"(?m)^[ \t]*\[").search(text, head.end())
    end = behind.start() if behind else len(text)
    for off in ("", "# "):
        if found := re.compile(rf"(?m)^[ \t]*{off}{key}\s*=\s*{_VALUE}").search(text, head.end(), end):
            return text[: found.start()] + (new or f"# {key} = {found[1]}") + text[found.end() :]
    return f"{text[: head.end()]}{new}\n{text[head.end() :]}"
