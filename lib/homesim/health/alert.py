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


def began(what: str, age: float) -> str:
    """`age` in seconds: the clock may have been set since."""
    return f"{what} {_clock(age, 'at ')}."


def again(times: int) -> str:
    return f"It came and went {times} times." if times > 1 else ""


def done(tried: Sequence[str]) -> str:
    """The steps that were taken."""
    counted = Counter(_DID[step] for step in tried if step in _DID)
    parts = [f"{did}{_TIMES[n] if n < len(_TIMES) else f' {n} times'}" for did, n in counted.items()]
    return f"I {' and '.join(parts)}." if parts else ""


def in_vain(tried: Sequence[str], hand: str) -> str:
    """That no step has helped, and who can."""
    steps = done(tried)
    outcome = f"{steps} That did not help." if steps else "From here there is nothing that I can do."
    return f"{outcome} Please ask whoever is near the Raspberry Pi: {hand}. I go on trying."


def held(seconds: float) -> str:
    """When the end will be told."""
    hours = f"{seconds / 3600:.0f} hours"
    return f"It is not the first time today: I tell you when it has been well for {hours}." if seconds else ""


def well(lasted: float, ago: float) -> str:
    minutes = max(1, round(lasted / 60))
    after = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} hours"
    return f"All is well again since {_clock(ago)}, after {after}."


def moved(before: str, now: str) -> str:
    """What the bus tells of how it came back, from place and devnum; a devnum is another one after a replug, and after
    a restart of the stick's own."""
    if not before or not now or before == now:
        return ""
    if before.partition("#")[0] != now.partition("#")[0]:
        return "It was put into another socket."
    return "It was put in again, or restarted by itself."


def waited(messages: int, slots: int) -> str:
    """`slots` on the SIM may hold parts of long SMS, so nobody knows yet how many messages they are."""
    if slots > 1 or (slots and messages):
        return "The SMS that had waited come now."
    return f"{messages + slots} SMS had waited." if messages + slots else ""


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
