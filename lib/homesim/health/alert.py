# SPDX-License-Identifier: GPL-2.0-or-later
"""What the owner is told, in sentences: for somebody far away who reads it on a telephone.

What the spool cannot carry, as it is the spool that is ill (an SD card that takes nothing any more), goes past it:

    NAME.outcry    in the run folder, a tmpfs: it was told in this boot
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from homesim.chat.post import Outcome
from homesim.chat.render import render
from homesim.config import Config, Modem
from homesim.errors import TryAgain
from homesim.health import incident
from homesim.health.faults import Fault
from homesim.health.incident import Incident
from homesim.sms import message
from homesim.store.entry import Entry
from homesim.store.spool import Spool

_DISK = "The disk takes nothing, so SMS stay on the stick and are not forwarded. Run homesim-doctor. It says: "
_DID = {
    "radio": "switched its radio off and on",
    "replay": "had the system look at it anew",
    "authorize": "reset it",
    "bind": "reset it",  # a step of 0.1.0
    "power": "cut its power",
    "reboot": "rebooted the Raspberry Pi",
}
_TIMES = ("", "", " twice")


def refused(spool: Spool) -> None:
    """A word about what nobody has told of, once."""
    if names := spool.refused(untold=True):
        text = (
            f"{len(names)} SMS cannot be forwarded: Telegram refused what is in them, or their files are damaged. They "
            "are kept on the Raspberry Pi; homesim-doctor says where, and how to try again."
        )
        name = f"{message.stamp(datetime.now(UTC))}-{len(names)}-refused-alert"
        spool.put("new", Entry(name, alert=text, received=time.time()))
        spool.told(*names)


def keep(spool: Spool, known: Incident, faults: Sequence[Fault], alert_after: int) -> Incident:
    """Save an incident that is not over, and tell what is news in it."""
    text = ""
    if known.news(faults, alert_after):
        text, known = _story(known, faults), known.now_told(faults)
    incident.save(spool, known, text)
    return known


def end(spool: Spool, known: Incident, messages: int, slots: int = 0) -> None:
    """It is over: told unless nothing was done and nothing told. `messages` had waited, and what is in `slots`."""
    incident.over(spool, "" if known.unknown else _ending(known, messages, slots))


def _story(known: Incident, faults: Sequence[Fault]) -> str:
    curable = [fault for fault in faults if fault.reset]
    in_vain = bool(curable and known.rounds)
    did = _did(known)
    if in_vain:
        did = f"{did} That did not help." if did else "From here there is nothing that I can do."
    return _joined(
        "It is not over yet." if known.long else "",
        began(known.what, known.age),
        *(f"{fault.what}." for fault in faults if fault.what != known.what),
        did,
        f"Please ask whoever is near the Raspberry Pi: {curable[0].hand}. I go on trying." if in_vain else "",
        "I am trying to bring it back." if curable and not in_vain else "",
        *(f"{fault.todo}." for fault in faults if fault.todo and not (in_vain and fault.reset)),
        f"It is not the first time today: I tell you when it has been well for {known.hold / 3600:.0f} hours."
        if known.hold
        else "",
    )


def _ending(known: Incident, messages: int, slots: int) -> str:
    minutes = max(1, round(known.age / 60))
    lasted = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} hours"
    waited = f"{messages + slots} SMS had waited." if messages + slots else ""
    if slots > 1 or (slots and messages):  # which may be parts of long ones: nobody knows yet how many they are
        waited = "The SMS that had waited come now."
    return _joined(
        began(known.what, known.ago),
        f"It came and went {known.times} times." if known.times > 1 else "",
        "" if known.vain else _did(known),
        f"All is well again since {_clock(known.ago - known.age)}, after {lasted}.",
        waited if known.times == 1 else "",
    )


def began(what: str, age: float) -> str:
    """`age` in seconds: the clock may have been set since."""
    return f"{what} {_clock(age, 'at ')}."


def _did(known: Incident) -> str:
    """The steps that were taken."""
    counted = Counter(_DID[step] for step in known.tried if step in _DID)
    parts = [f"{did}{_TIMES[n] if n < len(_TIMES) else f' {n} times'}" for did, n in counted.items()]
    return f"I {' and '.join(parts)}." if parts else ""


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def past_the_spool(settings: Config, modem: Modem, error: TryAgain) -> None:
    """Tell once in a boot what the disk says; again only when it is certain that Telegram did not get it. No raise."""
    from homesim.chat.telegram import Bot  # requests, for which a healthy check has no use

    mark = settings.paths.run / f"{modem.name}.outcry"
    try:
        mark.touch(mode=0o600, exist_ok=False)
    except OSError:  # told already, or the run folder takes nothing either: rather never than each five minutes
        return
    [draft] = render(message.own(f"{_DISK}{error}"), modem.name)
    telegram = settings.telegram
    if Bot(telegram).send(draft, *telegram.chat(modem)).outcome not in (Outcome.SENT, Outcome.AMBIGUOUS):
        mark.unlink(missing_ok=True)


def _clock(age: float, at: str = "") -> str:
    """The time of day `age` seconds ago, with its date when it could be taken for another day's."""
    when = datetime.fromtimestamp(time.time() - age).astimezone()
    return f"{at}{when:%H:%M}" if age < 12 * 3600 else f"on {when:%Y-%m-%d} at {when:%H:%M}"
