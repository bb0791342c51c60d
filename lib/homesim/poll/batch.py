# SPDX-License-Identifier: GPL-2.0-or-later
"""Which messages go out together, and which are urgent. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from homesim.chat import render
from homesim.chat.render import Draft
from homesim.store.entry import Entry, moment

ENTITIES = 100  # Telegram shows no more of one message's
FRESH = 600.0  # seconds: a code younger than this goes first, alone


@dataclass(frozen=True)
class Letter:
    """A message that waits, and how it will look: what is asked of it here is asked of what its reader sees."""

    entry: Entry
    drafts: Sequence[Draft]

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def code(self) -> bool:
        """Whether it is an SMS with a one-time code."""
        return not self.entry.alert and self._buttons

    @property
    def urgent(self) -> bool:
        """Whether its buttons are of use now; when it is packed it has none."""
        return self._buttons and fresh(self.name, self.entry.received)

    @property
    def _buttons(self) -> bool:
        return any(draft.copy for draft in self.drafts)


def fresh(name: str, received: float) -> bool:
    """Whether a code in a message of this name would still be of use."""
    return time.time() - moment(name, received) < FRESH


def pack(letters: Iterable[Letter], apart: Container[str]) -> list[Letter]:
    """As many as fit into one message, at least one; `apart` names those that go alone."""
    batch: list[Letter] = []
    length = entities = 0
    for letter in letters:
        first, *more = letter.drafts
        length += render.units(first.text) + 2
        entities += len(first.entities)
        alone = more or letter.name in apart or letter.urgent
        if batch and (alone or length > render.LIMIT or entities > ENTITIES):
            break
        batch.append(letter)
        if alone:
            break
    return batch
