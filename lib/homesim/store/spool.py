# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept on disk for one modem, and the only room that writes it.

    tmp/ -> parts/ -> new/ -> seen/       an empty file for each message forwarded
              tmp/ -> new/ -> failed/     with the reason; `mv` one back to new/ to try again

Invariants: a file is in its folder whole or not at all (written in tmp/, fsynced, renamed, the folder
fsynced). An entry's name says what it is (sms/message), so the same SMS read twice is the same file. An entry
leaves new/ only after its mark is in seen/ or its copy in failed/; one that is in new/ and seen/ was sent.
Names begin with the SMSC time (poll/slots: or our own): a sorted listing is the order of sending, but for what is
of one second. Only what is named like an entry is one: what an editor leaves beside it is neither counted nor touched.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from homesim.errors import TryAgain, reason
from homesim.store import files, records
from homesim.store.entry import FILE, Entry, content, own, parse
from homesim.store.files import shown, sync, writing

T = TypeVar("T")

SEEN_DAYS = 30
_DAYS = {"tmp": 1, "seen": SEEN_DAYS}  # after which what is being written, and what was, is forgotten
_ENTRIES = ("parts", "new", "failed")

SETTLED = 2.0  # seconds: a folder that changed no later may change again without another mtime (ext4 counts seconds)

log = logging.getLogger(__name__)


class Spool:
    """The folders of one modem below the state folder."""

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self._read_only = read_only
        self._unreadable: set[str] = set()
        self._counts: dict[str, tuple[float, int]] = {}  # a folder's mtime, and how many entries it had then
        self.puts = 0  # into new/, through this object: who waits for news need not list it
        for folder in () if read_only else ("", *_DAYS, *_ENTRIES):
            with writing(root / folder), contextlib.suppress(FileExistsError):
                (root / folder).mkdir(mode=0o700, parents=True)
                sync(root.parent if folder == "" else root)

    def put(self, folder: str, entry: Entry) -> None:
        """Keep an entry. When this returns it survives a power cut. Raise TryAgain when it cannot be kept."""
        path = self.root / folder / f"{entry.name}.json"
        self._write(path, content(entry))
        if folder == "new":
            with contextlib.suppress(OSError):  # the kernel's own mtime comes in steps of 4 or 10 ms
                os.utime(path, (entry.received or time.time(),) * 2)
            self.puts += 1

    def entries(self, folder: str) -> Iterator[Entry]:
        """The entries of a folder, by their names."""
        for name in self.names(folder):
            if entry := self.read(folder, name):
                yield entry

    def read(self, folder: str, name: str) -> Entry | None:
        """An entry; None when it is gone or cannot be read. What is damaged is set aside in failed/, and logged."""
        file = f"{name}.json"
        try:
            entry = parse(name, (self.root / folder / file).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            if file not in self._unreadable:
                log.error("%s: %s; left where it is", shown(self.root / folder / file), error.strerror)
            self._unreadable.add(file)
            return None
        if entry is None:
            self._set_aside(folder, file)
        return entry

    def received(self, name: str) -> float | None:
        """When an entry came into new/, without opening it: its mtime; None when it is gone."""
        try:
            return (self.root / "new" / f"{name}.json").stat().st_mtime
        except OSError:
            return None

    def known(self, name: str) -> bool:
        """Whether this message is kept here or was forwarded in the last SEEN_DAYS."""
        return self.sent(name) or any((self.root / folder / f"{name}.json").exists() for folder in _ENTRIES)

    def sent(self, name: str) -> bool:
        return (self.root / "seen" / name).exists()

    def remember(self, name: str) -> None:
        """A message that was forwarded is still on the stick: its mark must outlive it there."""
        mark = self.root / "seen" / name
        with contextlib.suppress(OSError):
            if mark.stat().st_mtime < time.time() - SEEN_DAYS * 86400 / 2:
                os.utime(mark)

    def sync(self) -> None:
        """Make durable what is in the folders, whoever wrote it."""
        for folder in (*_ENTRIES, "seen"):
            with writing(self.root / folder) as path:
                sync(path)

    def mark(self, *names: str) -> None:
        """Remember without their text that these need nothing more. An empty file is durable when its folder is."""
        with writing(self.root / "seen") as folder:
            for name in names:
                os.close(os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600))
            sync(folder)

    def remove(self, folder: str, name: str) -> None:
        """Not durable, and need not be: who removes has marked or copied it before, and looks there first."""
        with writing(self.root / folder / f"{name}.json") as path:
            path.unlink(missing_ok=True)

    def done(self, *names: str, folder: str = "new") -> None:
        """They need nothing more, as Telegram has them: all are marked before the first is removed."""
        self.mark(*names)
        for name in names:
            self.remove(folder, name)

    def fail(self, entry: Entry, reason: str) -> None:
        """Telegram will never take it as it is, and its owner knows. It is not removed before it is durable again."""
        self.put("failed", replace(entry, reason=reason))
        self.told(entry.name)
        self.remove("new", entry.name)

    def refused(self, *, untold: bool = False) -> list[str]:
        """The SMS in failed/; `untold`: damaged files, and what versions before set aside in silence.

        Words of our own are none, or telling of them would never end.
        """
        known = self._told() if untold else ()
        return sorted({name for name in self.names("failed") if not own(name)}.difference(known))

    def told(self, *names: str) -> None:
        """Of these in failed/ the owner knows."""
        known = {*self._told(), *names}.intersection(self.refused())
        self.save("refused", {"told": tuple(sorted(known))} if known else None)

    def _told(self) -> Sequence[str]:
        return (self.load(dict[str, tuple[str, ...]], "refused") or {}).get("told", ())

    def names(self, folder: str) -> list[str]:
        """Of the entries in a folder, sorted, what was damaged with them; of the marks in seen/."""
        try:
            found = os.listdir(self.root / folder)
        except FileNotFoundError:  # read only, before the first run
            return []
        except OSError as error:
            raise TryAgain(self.root / folder, reason(error)) from None
        if folder in _ENTRIES:
            found = [file.partition(".damaged-in-")[0] for file in found]
            found = [file.removesuffix(".json") for file in found if FILE.fullmatch(file)]
        return sorted(found)

    def count(self, folder: str) -> int:
        """How many entries are in a folder.

        A folder is listed again when it has changed: a run asks each half second, and 10,000 may wait.
        """
        with contextlib.suppress(OSError):
            changed = (self.root / folder).stat().st_mtime
            at, number = self._counts.get(folder, (None, 0))
            if at == changed:
                return number
            number = len(self.names(folder))
            if abs(time.time() - changed) > SETTLED:
                self._counts[folder] = changed, number
            return number
        return len(self.names(folder))

    def waiting(self) -> tuple[int, float]:
        """How many entries wait for Telegram, and for how many seconds the oldest has, in this boot at most."""
        times = [at for name in self.names("new") if (at := self.received(name)) is not None]
        age = time.time() - min(times, default=time.time())
        return len(times), min(max(0.0, age), time.clock_gettime(time.CLOCK_BOOTTIME))

    def load(self, kind: type[T], key: str) -> T | None:
        """A small fact, as a `kind` (records.py); None when there is none or it is damaged."""
        return records.load(kind, self.root / key)

    def save(self, key: str, fact: object) -> None:
        """Keep a small fact; one that says nothing is removed."""
        if value := records.to(fact):
            self._write(self.root / key, json.dumps(value) + "\n")
        elif (self.root / key).exists():
            with writing(self.root / key) as path:
                path.unlink()
                sync(self.root)

    def sweep(self, now: float) -> None:
        """Forget what is too old to come again, and what a killed run left half written."""
        for folder, days in _DAYS.items():
            with writing(self.root / folder) as path:
                for file in os.scandir(path):
                    with contextlib.suppress(FileNotFoundError):
                        if file.stat().st_mtime < now - days * 86400:
                            os.unlink(file.path)

    def _write(self, path: Path, text: str) -> None:
        with writing(path):
            files.replace(path, text, self.root / "tmp" / f"{path.name}.{os.getpid()}")

    def _set_aside(self, folder: str, file: str) -> None:
        if self._read_only:
            return
        target = self.root / "failed" / f"{file}.damaged-in-{folder}-{int(time.time())}"
        log.error("%s: damaged, nothing of it can be read; moved to failed/", shown(self.root / folder / file))
        with writing(target):
            os.rename(self.root / folder / file, target)
            sync(self.root / "failed")
