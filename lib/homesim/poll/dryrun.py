# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run would forward, printed as it would look. Stick, spool and Telegram stay as they are."""

from __future__ import annotations

import time
from collections.abc import Callable

from homesim import process
from homesim.chat.render import render
from homesim.config import Config, Modem
from homesim.errors import EXIT_OK
from homesim.poll.reassemble import MOST
from homesim.poll.slots import Slots
from homesim.program import tell
from homesim.sms.concat import gather
from homesim.sms.message import Message
from homesim.stick.driver import Driver
from homesim.store.entry import Entry, place
from homesim.store.spool import Spool

LIMIT = 90.0  # seconds after which the kernel ends it


def dry_run(settings: Config, modem: Modem, connect: Callable[[], Driver]) -> int:
    """`connect` makes the stick's driver, one that tries no PIN."""
    process.deadline(LIMIT)
    spool = Spool(settings.paths.state / modem.name, read_only=True)
    waiting = [entry for entry in spool.entries("new") if not spool.sent(entry.name)]
    for entry in sorted(waiting, key=lambda entry: place(entry.name, entry.received)):
        _show(f"waits in {spool.root}/new", entry.message(), modem)
    if not process.ModemLock(settings.paths.run, modem.name).take(wait=0):
        tell(f"{modem.name}: another run holds the lock, so the stick is not read")
        return EXIT_OK
    driver = connect()
    driver.open()
    driver.start()
    found = driver.slots(driver.memories())
    slots = Slots(spool, {})
    named = {slots.name(one): one for one in found}
    on_stick = [Entry(name, (one.pdu,), received=time.time()) for name, one in named.items() if not spool.known(name)]
    waiting_parts = (spool.read("parts", name) for name in spool.names("parts")[-MOST:])
    parts = [part for entry in (*waiting_parts, *on_stick) if entry and (part := entry.part())]
    for group in gather(parts):  # a short SMS is a whole group
        _show("is on the stick" if group.complete else "waits for its missing parts", group.message(), modem)
    tell(f"{modem.name}: {len(found)} SMS on the stick, {len(waiting)} in the spool; nothing was changed")
    return EXIT_OK


def _show(state: str, message: Message, modem: Modem) -> None:
    for draft in render(message, modem.name):
        buttons = [f"[ Copy {copied} ]" for copied in draft.copy]
        tell(f"--- {state}", *draft.text.split("\n"), *buttons, "")
