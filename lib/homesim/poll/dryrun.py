# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run would forward, printed as it would look. Stick, spool and Telegram stay as they are."""

from __future__ import annotations

import time

from homesim import process
from homesim.chat.render import render
from homesim.config import Config
from homesim.config import Modem as Settings
from homesim.errors import EXIT_OK, TryAgain
from homesim.poll.residence import Residence
from homesim.program import tell
from homesim.sms.concat import gather
from homesim.sms.message import Message
from homesim.stick.driver import Slot
from homesim.stick.serial import Modem
from homesim.store.entry import Entry, place
from homesim.store.spool import Spool

LIMIT = 90.0  # seconds after which the kernel ends it


def dry_run(settings: Config, modem: Settings) -> int:
    process.deadline(LIMIT)
    spool = Spool(settings.paths.state / modem.name, read_only=True)
    waiting = [entry for entry in spool.entries("new") if not spool.sent(entry.name)]
    for entry in sorted(waiting, key=lambda entry: place(entry.name, entry.received)):
        _show(f"waits in {spool.root}/new", entry.message(), modem)
    if not process.ModemLock(settings.paths.run, modem.name).take(wait=0):
        tell(f"{modem.name}: another run holds the lock, so the stick is not read")
        return EXIT_OK
    found = _on_stick(modem)
    residence = Residence(spool)
    on_stick = {(name := residence.name(one)): Entry(name, (one.pdu,), received=time.time()) for one in found}
    parts = [part for entry in spool.entries("parts") if (part := entry.part())]
    for entry in on_stick.values():
        if spool.known(entry.name):
            continue
        if (part := entry.part()) and part.total > 1:
            parts.append(part)
        else:
            _show("is on the stick", entry.message(), modem)
    for group in gather(parts):
        _show("is complete" if group.complete else "waits for its missing parts", group.message(), modem)
    tell(f"{modem.name}: {len(found)} SMS on the stick, {len(waiting)} in the spool; nothing was changed")
    return EXIT_OK


def _on_stick(settings: Settings) -> list[Slot]:
    modem = Modem(settings)
    sim = modem.probe()
    if sim != "READY":  # it tries no PIN either
        raise TryAgain(settings.device, f"the SIM is not ready ({sim})")
    modem.open()
    return modem.stored(modem.memories())


def _show(state: str, message: Message, modem: Settings) -> None:
    for draft in render(message, modem.name):
        buttons = [f"[ Copy {copied} ]" for copied in draft.copy]
        tell(f"--- {state}", *draft.text.split("\n"), *buttons, "")
