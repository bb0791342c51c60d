# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run saw, left in the run folder (a tmpfs) for health and doctor: NAME.json, replaced atomically."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from homesim.errors import HomesimError
from homesim.process import boottime
from homesim.stick.driver import Memory, State
from homesim.store import files, records

T = TypeVar("T")

EVERY = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen(State):
    """The latest known of each; what a run cannot find out keeps the value of an earlier one.

    `..._boottime` is in seconds by CLOCK_BOOTTIME, which no clock jump touches; None: not in this boot.
    """

    modem: str = ""
    started: float = 0.0  # seconds since the epoch
    updated: float = 0.0
    updated_boottime: float | None = None
    answered: float = 0.0
    answered_boottime: float | None = None  # when the stick last showed its SMS, or health had cured it
    reader: str = ""  # "libgammu", or "plain AT" where that does not start
    call: int = 0  # seconds since the call that rings now began, 0: none
    hidden: int = 0  # SMS that the stick counts and does not list
    stuck: int = 0  # slots that are not freed, though what is in them was forwarded
    torn: dict[str, float | None] = field(default_factory=dict)  # poll/slots
    stored: int = 0  # messages taken from it since boot
    noticed: int = 0  # SMS in a row whose coming it has said
    spool: dict[str, int] = field(default_factory=dict)  # entries by folder
    error: str = ""  # why the stick does not show its SMS
    fault: str = ""  # which fault that is: a key of health/faults
    error_boottime: float | None = None  # since when
    telegram: str = ""  # why nothing can be sent


class RunFile:
    """A small fact in the run folder, which outlives a run and not a power cut. A kill keeps it, the card is spared."""

    def __init__(self, run: Path, name: str) -> None:
        self._path = run / name

    def load(self, kind: type[T]) -> T | None:
        """None when there is none, or it is damaged."""
        return records.load(kind, self._path)

    def save(self, fact: object) -> None:
        """Replace it atomically; None removes it."""
        try:
            if fact is not None:
                temporary = self._path.with_name(f"{self._path.name}.tmp")
                files.replace(self._path, json.dumps(records.to(fact), indent=1), temporary, durable=False)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:  # no reason to leave an SMS on the stick
            log.warning("%s: cannot be written: %s", self._path, error.strerror)


class Status:
    """Writes what a run sees. Any thread may add to it."""

    def __init__(self, run: Path, modem: str) -> None:
        self.calls = RunFile(run, f"{modem}.calls")  # what rings and has rung
        self._file = _file(run, modem)
        self._lock = Lock()
        self._seen = read(run, modem)
        self._written: tuple[float, object] = (float("-inf"), None)  # when, and with what news
        self.set(modem=modem, started=time.time())

    @property
    def seen(self) -> Seen:
        return self._seen

    def answered(self, memories: dict[str, Memory]) -> None:
        """The stick has shown its SMS."""
        self.set(memories=memories, answered=time.time(), answered_boottime=boottime(), error="", fault="")

    def failed(self, problem: HomesimError) -> None:
        """The stick does not show its SMS."""
        self.set(error=str(problem), fault=problem.fault, error_boottime=boottime())

    def set(self, **fields: Any) -> None:
        with self._lock:
            self._seen = replace(self._seen, **fields)

    def write(self, *, at_once: bool = False) -> None:
        """Write when a failure or the spool has changed, else each EVERY seconds."""
        seen = self._seen
        news = seen.error, seen.telegram, seen.spool
        at, before = self._written
        if at_once or news != before or time.monotonic() - at >= EVERY:
            self._written = (time.monotonic(), news)
            _save(self._file, seen)


def touch(run: Path, modem: str, *, well: bool) -> None:
    """Health had the modem until now: no reason to say that poll does not write any more.

    Nor, when it has left it `well`, that the stick does not answer: poll gets its time to show its SMS.
    """
    file = _file(run, modem)
    if seen := file.load(Seen):
        _save(file, replace(seen, answered_boottime=boottime()) if well else seen)


def read(run: Path, modem: str) -> Seen:
    """What the last run left, without what is damaged."""
    return _file(run, modem).load(Seen) or Seen()


def _file(run: Path, modem: str) -> RunFile:
    return RunFile(run, f"{modem}.json")


def _save(file: RunFile, seen: Seen) -> None:
    file.save(replace(seen, updated=time.time(), updated_boottime=boottime()))
