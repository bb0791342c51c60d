# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions to the person at the terminal; without one, each names the option that answers it."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from homesim.errors import ConfigError, UsageError
from homesim.program import ask, clean, tell

T = TypeVar("T")


def there() -> bool:
    return sys.stdin.isatty()


def choose(question: str, option: str, choices: Sequence[str]) -> str:
    """One of the choices, by its number; not asked when there is only one."""
    if len(choices) == 1:
        return choices[0]
    _must(option)
    tell(*(f"  {number}  {choice}" for number, choice in enumerate(choices, 1)))
    while True:
        answer = ask(f"{question} ").strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]


def yes(question: str, *, default: bool) -> bool:
    """Without a terminal it is the default."""
    if not there():
        return default
    tell("")
    answer = ask(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
    return answer in ("y", "yes") if answer else default


def secret(question: str, option: str, file: str | None = None) -> str:
    """From a file, "-" for a line of standard input, or typed: then it is not echoed."""
    if not file or (file == "-" and there()):
        _must(option)
        return getpass.getpass(f"{clean(question)} ").strip()
    try:
        return (sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(option, f"{file}: {getattr(error, 'strerror', None) or 'not a text file'}") from None


def until_right(attempt: Callable[[], T]) -> T:
    """What a person got wrong can be typed again."""
    while True:
        try:
            return attempt()
        except ConfigError as error:
            tell(*error.lines())


def _must(option: str) -> None:
    if not there():
        raise UsageError(option, "is needed: there is no terminal to ask at")
