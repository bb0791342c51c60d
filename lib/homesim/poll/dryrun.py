# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run would forward, printed as it would look. Stick, spool and Telegram stay as they are."""

from __future__ import annotations

import time

from homesim import process
from homesim.chat import render
from homesim.config import Config
from homesim.config import Modem as Settings
from homesim.errors import EXIT_OK, TryAgain
from homesim.poll.residence import Residence
from homesim.program import tell
from homesim.sms import message, pdu
from homesim.sms.concat import Part, gather
from homesim.stick.driver import Slot
from homesim.stick.serial import Modem
from homesim.store.entry import order
from homesim.store.spool import Spool

LIMIT = 90.0  # seconds after which the kernel ends it


def dry_run(settings: Config, modem: Settings) -> int:
    process.deadline(LIMIT)
    spool = Spool(settings.paths.state / modem.name, read_only=True)
    waiting = [entry for entry in spool.entries("new") if not spool.sent(entry.name)]
    for entry in sorted(waiting, key=lambda entry: order(entry.name, entry.received)):
        alert = render.render_alert(entry.alert, modem.name, copy=entry.copy) if entry.alert else []
        _show(f"waits in {spool.root}/new", alert or _drafts(entry.pdus, modem, told=entry.told))
    if not process.ModemLock(settings.paths.run, modem.name).take(wait=0):
        tell(f"{modem.name}: another run holds the lock, so the stick is not read")
        return EXIT_OK
    found = _on_stick(modem)
    residence = Residence(spool)
    named = {residence.name(stored): stored.pdu for stored in found}
    fresh = {name: text for name, text in named.items() if not spool.known(name)}
    parts = [Part(e.name, e.pdus[0], e.received) for e in spool.entries("parts") if e.pdus]
    for name, text in fresh.items():
        if (part := pdu.decode(text).part) and part.total > 1:
            parts.append(Part(name, text, time.time()))
        else:
            _show("is on the stick", _drafts((text,), modem))
    for group in gather(parts):
        state = "is complete" if group.complete else "waits for its missing parts"
        _show(state, _drafts(tuple(part.pdu for part in group.parts), modem))
    tell(f"{modem.name}: {len(found)} SMS on the stick, {len(waiting)} in the spool; nothing was changed")
    return EXIT_OK


def _on_stick(settings: Settings) -> list[Slot]:
    modem = Modem(settings)
    sim = modem.probe()
    if sim != "READY":  # it tries no PIN either
        raise TryAgain(settings.device, f"the SIM is not ready ({sim})")
    modem.open()
    return modem.stored(modem.memories())


def _drafts(pdus: tuple[str, ...], modem: Settings, *, told: bool = False) -> list[render.Draft]:
    return render.render(message.read(pdus), modem.name, told=told)


def _show(state: str, drafts: list[render.Draft]) -> None:
    for draft in drafts:
        buttons = [f"[ Copy {copied} ]" for copied in draft.copy]
        tell(f"--- {state}", *draft.text.split("\n"), *buttons, "")
