# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run saw, left in the run folder (a tmpfs) for health and doctor: NAME.json, replaced atomically."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

EVERY = 5.0

log = logging.getLogger(__name__)


class Status:
    """The latest known of each field; what a run cannot find out keeps the value of an earlier one.

    modem, pid, started, updated (seconds since the epoch), answered and answered_boottime (when the stick last
    answered: since the epoch, and by CLOCK_BOOTTIME, which no clock jump touches), sim, registration, operator,
    signal (percent), call (seconds since the call that rings now began, 0 for none), memories {NAME: {used, free}},
    spool {FOLDER: entries}, error ("" when all is well).
    """

    def __init__(self, run: Path, modem: str) -> None:
        self._path = run / f"{modem}.json"
        self._fields: dict[str, Any] = read(run, modem)
        self._written: tuple[float, object] = (float("-inf"), None)
        self._fields |= {"modem": modem, "pid": os.getpid(), "started": time.time(), "error": ""}

    def answered(self) -> None:
        self.set(answered=time.time(), answered_boottime=time.clock_gettime(time.CLOCK_BOOTTIME))

    def set(self, **fields: object) -> None:
        self._fields |= fields

    def write(self, *, at_once: bool = False) -> None:
        """Write when a failure or the spool has changed, else each EVERY seconds."""
        news = (self._fields["error"], self._fields.get("spool"))
        at, before = self._written
        if not at_once and news == before and time.monotonic() - at < EVERY:
            return
        self._written = (time.monotonic(), news)
        self._fields["updated"] = time.time()
        temporary = self._path.with_suffix(".tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(dict(self._fields), file, indent=1)  # a copy: another thread sets fields
            os.replace(temporary, self._path)
        except OSError as error:  # no reason to leave an SMS on the stick
            log.warning("%s: cannot be written: %s", self._path, error.strerror)


def read(run: Path, modem: str) -> dict[str, Any]:
    """The status that the last run left; {} when there is none."""
    try:
        fields = json.loads((run / f"{modem}.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}
