# SPDX-License-Identifier: GPL-2.0-or-later
"""A word to the owner about what lies in failed/: an SMS that Telegram will not take, or that cannot be read.

refused        in the spool: the names that were told of. Each is told once, together with what is new with it
"""

from __future__ import annotations

import os
import time

from homesim.spool import Entry, Spool

STATE = "refused"


def waiting(spool: Spool) -> list[str]:
    """The SMS in failed/. Words of our own that were refused are none, or telling of them would never end."""
    return [name for name in spool.names("failed") if not name.endswith("-alert.json")]


def tell(spool: Spool) -> None:
    """Put an alert into the spool when there is news."""
    names, told = waiting(spool), spool.state(STATE).get("told")
    if not set(names) - set(told if isinstance(told, list) else []):
        return
    newest = os.stat(spool.root / "failed").st_mtime
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(newest))  # the same again after a kill
    name = f"{stamp}-refused-alert"
    if not spool.known(name):
        text = f"Telegram does not take {len(names)} SMS. What it refused is kept on the Raspberry Pi: homesim-doctor "
        spool.put("new", Entry(name, alert=f"{text}says where, and how to try again.", received=time.time()))
    spool.set_state(STATE, {"told": names})
