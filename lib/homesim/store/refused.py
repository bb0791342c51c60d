# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies in failed/, and a word to the owner about what nobody has told of: files that are damaged, and what
versions before set aside in silence.

    refused        in the spool: the names that were told of, each once
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from homesim.sms.message import stamp
from homesim.store.entry import Entry, own
from homesim.store.spool import Spool

STATE = "refused"


def lying(spool: Spool) -> list[str]:
    """The SMS in failed/. Words of our own are none, or telling of them would never end."""
    return [name for name in spool.names("failed") if not own(name)]


def told(spool: Spool, names: Sequence[str]) -> None:
    """The owner knows of these too."""
    known = {*_told(spool), *names}
    names = tuple(name for name in lying(spool) if name in known)
    spool.save(STATE, {"told": names} if names else None)


def tell(spool: Spool) -> None:
    """Put an alert into the spool when there is something that was not told."""
    if news := sorted({*lying(spool)}.difference(_told(spool))):
        text = (
            f"{len(news)} SMS cannot be forwarded: Telegram refused what is in them, or their files are damaged. They "
            "are kept on the Raspberry Pi; homesim-doctor says where, and how to try again."
        )
        name = f"{stamp(datetime.now(UTC))}-{len(news)}-refused-alert"
        spool.put("new", Entry(name, alert=text, received=time.time()))
        told(spool, news)


def _told(spool: Spool) -> Sequence[str]:
    return (spool.load(dict[str, tuple[str, ...]], STATE) or {}).get("told", ())
