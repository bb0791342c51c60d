# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a test waits for what will come: a net to fall into, never a measure, so it costs nothing when all is well.

What a test says of speed it says by the order of events, by a count, or by Rig.prompt.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 180.0  # seconds: longer than the kernel lets a run live that looks once, and its start on a busy machine
WATCHED = 3600.0  # seconds that a run lingers which the test ends


def busy() -> bool:
    """Whether the machine has so much other work that what the programs wait a second for may come too late."""
    average, _, _, running, *_ = Path("/proc/loadavg").read_text().split()
    return max(float(average), int(running.partition("/")[0])) > 3 * (os.cpu_count() or 1)


def go_first() -> None:
    """This thread before others, where we may: a stick and a kernel, for which it stands, wait for no other program."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -10)


def look_until(predicate: Callable[[], bool], seen: Callable[[], object] = str) -> None:
    """Return when `predicate` holds, for what has no event outside; or raise AssertionError with what is `seen`."""
    end = time.monotonic() + PATIENCE
    while not predicate():
        assert time.monotonic() < end, f"not within {PATIENCE:.0f} s; {seen()}"
        time.sleep(0.005)
