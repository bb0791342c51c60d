# SPDX-License-Identifier: GPL-2.0-or-later
"""The only writer to a person's terminal, which obeys control characters: none gets through.

What comes from outside may hold some: names of processes, chats and operators, what servers and sticks answer.
"""

from __future__ import annotations

import sys
from typing import TextIO


def clean(text: str) -> str:
    """One line, without what a terminal would obey or could not show: a character that does not print is a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def tell(*lines: str, to: TextIO | None = None, colour: str = "") -> None:
    """Write lines, also in letters that the terminal does not have; the first character in `colour`, if any."""
    stream = to or sys.stdout
    text = "\n".join(map(clean, lines))
    if colour:
        text = f"{colour}{text[:1]}\033[0m{text[1:]}"
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)


def ask(question: str) -> str:
    """What a person types. Raise EOFError at the end of the input."""
    *before, last = question.split("\n")
    if before:
        tell(*before)
    return input(clean(last))
