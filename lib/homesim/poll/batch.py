# SPDX-License-Identifier: GPL-2.0-or-later
"""Which messages go out together, and which are urgent. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from homesim.chat import render
from homesim.chat.post import Draft
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
    def urgent(self) -> bool:
        """Whether it has buttons that are of use now; when it is packed it has none."""
        buttons = any(draft.copy for draft in self.drafts)
        return buttons and time.time() - moment(self.name, self.entry.received) < FRESH


def pack(letters: Iterable[Letter]) -> list[Letter]:
    """As many as fit into one message, at least one. What is long or urgent goes alone."""
    batch: list[Letter] = []
    length = entities = 0
    for letter in letters:
        first, *more = letter.drafts
        length += render.units(first.text) + 2
        entities += len(first.entities)
        alone = more or letter.urgent
        if batch and (alone or length > render.LIMIT or entities > ENTITIES):
            break
        batch.append(letter)
        if alone:
            break
    return batch
