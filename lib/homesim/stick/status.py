# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run saw, left in the run folder (a tmpfs) for health and doctor: NAME.json, replaced atomically."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from homesim.errors import HomesimError
from homesim.process import boottime
from homesim.stick.driver import Memory, Registration, State
from homesim.store import files, records

T = TypeVar("T")

EVERY = 5.0
SEARCH = 90.0  # seconds in which a stick finds its network, if there is one
YOUNG = 600.0  # seconds that a trouble has health come within the minute; after that its own times will do

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
    unregistered_boottime: float | None = None  # since when it has no network
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
        self._run = run
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
        # When it is back, its search for a network begins anew.
        self.set(error=str(problem), fault=problem.fault, error_boottime=boottime(), unregistered_boottime=None)

    def network(self, state: State) -> None:
        """What the stick says of its network."""
        since = None
        if not (state.registration.registered or state.registration is Registration.UNKNOWN):
            since = self._seen.unregistered_boottime or boottime()
        self.set(
            registration=state.registration, operator=state.operator, signal=state.signal, unregistered_boottime=since
        )

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

    def alarm(self) -> None:
        """Have health come within the minute, if the stick is in a trouble that is young."""
        seen, lost = self._seen, self._seen.unregistered_boottime
        young = bool(seen.error) and boottime() - (seen.answered_boottime or 0) <= YOUNG
        if young or (lost is not None and SEARCH <= boottime() - lost <= SEARCH + YOUNG):
            call_health(self._run)


def ill(run: Path) -> Path:
    """The mark that cron looks for each minute. Health takes it away; whoever has bad news leaves it again."""
    return run / "ill"


def called(run: Path) -> None:
    """Take the mark away."""
    with contextlib.suppress(OSError):
        ill(run).unlink()


def call_health(run: Path) -> None:
    """Have cron start it within the minute."""
    try:
        ill(run).touch(mode=0o600)
    except OSError as error:  # it comes each five minutes anyway
        log.warning("%s: cannot be written: %s", ill(run), error.strerror)


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
