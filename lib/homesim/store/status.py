# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run saw, left in the run folder (a tmpfs) for health and doctor: NAME.json, replaced atomically."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from homesim.process import boottime

EVERY = 5.0
# What is reckoned with.
_KINDS = {
    "pid": int, "ends_boottime": float, "stored": int, "hidden": int, "stuck": int, "torn": dict, "call": int,
    "memories": dict,
}  # fmt: skip

log = logging.getLogger(__name__)


class Status:
    """The latest known of each field; what a run cannot find out keeps the value of an earlier one.

    modem, pid, started and updated (seconds since the epoch), updated_boottime (CLOCK_BOOTTIME, which no clock jump
    touches), ends_boottime (when the kernel ends this run), answered and answered_boottime (when the stick last
    showed its SMS, or health had cured it), sim (TS 27.007 8.3), registration, operator, signal (percent), call
    (seconds since the call that rings now began, 0: none), memories {NAME: {used, free}}, hidden (SMS that the stick
    counts and does not list), torn (remains.py), stuck (slots that are not freed, though what is in them was told),
    reader ("libgammu", or "plain AT" where that does not start), stored (messages taken from it since boot), spool
    {FOLDER: entries}, error (why the stick does not show its SMS) and error_boottime (since when), telegram (why
    nothing can be sent); error and telegram are "" when all is well.
    """

    def __init__(self, run: Path, modem: str, limit: float) -> None:
        """`limit`: seconds after which the kernel ends this run."""
        self._path = run / f"{modem}.json"
        self.calls = Memory(run, modem, "calls")  # what rings and has rung
        self._fields: dict[str, Any] = read(run, modem)
        self._written: tuple[float, object] = (float("-inf"), None)  # when, and with what news
        self.set(modem=modem, pid=os.getpid(), started=time.time(), ends_boottime=boottime() + limit)

    def answered(self, stored: int, hidden: int) -> None:
        """The stick has shown its SMS: `stored` more are with us, `hidden` it keeps to itself."""
        stored += self._fields.get("stored", 0)
        self.set(answered=time.time(), answered_boottime=boottime(), stored=stored, hidden=hidden, error="")

    def failed(self, problem: str) -> None:
        """The stick does not show its SMS."""
        self.set(error=problem, error_boottime=boottime())

    def get(self, key: str, default: Any) -> Any:
        return self._fields.get(key, default)

    def set(self, **fields: object) -> None:
        self._fields |= fields

    def write(self, *, at_once: bool = False) -> None:
        """Write when a failure or the spool has changed, else each EVERY seconds."""
        news = [self._fields.get(key) for key in ("error", "telegram", "spool")]
        at, before = self._written
        if not at_once and news == before and time.monotonic() - at < EVERY:
            return
        self._written = (time.monotonic(), news)
        _write(self._path, dict(self._fields))  # a copy: another thread sets fields


class Memory:
    """What is to outlive a run and not a power cut: NAME.KEY in the run folder. A kill keeps it, the card is spared."""

    def __init__(self, run: Path, modem: str, key: str) -> None:
        self._path = run / f"{modem}.{key}"

    def load(self) -> dict[str, Any]:
        """{} when there is none, or it is damaged."""
        return _read(self._path)

    def save(self, value: dict[str, Any]) -> None:
        if value:
            _replace(self._path, value)
        else:
            with contextlib.suppress(OSError):
                self._path.unlink()


def touch(run: Path, modem: str, *, well: bool) -> None:
    """Health had the modem until now: no reason to say that poll does not write any more.

    Nor, when it has left it `well`, that the stick does not answer: poll gets its time to show its SMS.
    """
    if fields := read(run, modem):
        _write(run / f"{modem}.json", fields | ({"answered_boottime": boottime()} if well else {}))


def _write(path: Path, fields: dict[str, Any]) -> None:
    _replace(path, fields | {"updated": time.time(), "updated_boottime": boottime()})


def _replace(path: Path, fields: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1)
        os.replace(temporary, path)
    except OSError as error:  # no reason to leave an SMS on the stick
        log.warning("%s: cannot be written: %s", path, error.strerror)


def read(run: Path, modem: str) -> dict[str, Any]:
    """The status that the last run left, without what is damaged; {} when there is none."""
    fields = _read(run / f"{modem}.json")
    return {key: value for key, value in fields.items() if isinstance(value, _KINDS.get(key, object))}


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}
