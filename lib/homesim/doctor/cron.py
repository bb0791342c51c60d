# SPDX-License-Identifier: GPL-2.0-or-later
"""Cron and what came of it, for doctor: its entries, its process, the last run, the alerts, the spool.

What cron(8) ignores without a word: names with a dot, files that others can write, a last line without its end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from homesim.config import Modem, Paths
from homesim.doctor.host import Host
from homesim.doctor.stick import ago
from homesim.doctor.troubles import Finding, bad, good
from homesim.health.diagnosis import OLD, STALE
from homesim.health.incident import load
from homesim.process import boottime
from homesim.stick import status
from homesim.store.spool import Spool

PROGRAMS = ("homesim-poll", "homesim-health")
FOLDER, FILE = "/etc/cron.d", "/etc/cron.d/homesim"
ROOT_S = "/var/spool/cron/crontabs/root"


def entries(host: Host) -> Iterator[Finding]:
    """What cron reads, and what it ignores."""
    tables = {f"{FOLDER}/{name}": host.read(f"{FOLDER}/{name}") for name in host.names(FOLDER)}
    try:
        tables |= {table: host.read(table) for table in (ROOT_S, "/etc/crontab")}
    except PermissionError:  # root's own
        if not all(any(_calls(text, program) for text in tables.values()) for program in PROGRAMS):
            raise
    ours = {table: text for table, text in tables.items() if any(_calls(text, program) for program in PROGRAMS)}
    ignored = {table: why for table, text in ours.items() if (why := _ignored(host, table, text))}
    for program in PROGRAMS:
        yield _entry(host, program, [t for t in ours if _calls(ours[t], program)], ours, ignored)


def _entry(host: Host, program: str, files: list[str], texts: dict[str, str], ignored: dict[str, Finding]) -> Finding:
    read = [file for file in files if file not in ignored]
    if not read:
        return next((ignored[file] for file in files), bad("no-entry", program=program))
    if len(read) > 1:
        return bad("entry-twice", files=" and ".join(read), program=program)
    path = _calls(texts[read[0]], program)
    if path.startswith("/") and not os.access(host.path(path), os.X_OK):
        return bad("no-program", program=path)
    return good("cron", f"{read[0]} starts {program}")


def _calls(table: str, program: str) -> str:
    """The word of a crontab that starts a program, "" when none does."""
    name = program.partition("-")[2]
    found = re.search(rf"^[ \t]*[@*\d][^#\n]*?\s(\S*(?:{program}|bin/{name}))(?=\s|$)", table, re.MULTILINE)
    return found[1] if found else ""


def _ignored(host: Host, table: str, text: str) -> Finding | None:
    """Why cron does not read a file, measured with Debian's cron."""
    if table == ROOT_S:
        return None
    entry = host.path(table).stat()
    if not re.fullmatch(r"[A-Za-z0-9_-]+", table.rpartition("/")[2]):
        return bad("entry-name", file=table, right=FILE)
    if entry.st_uid != 0 or entry.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return bad("entry-rights", file=table)
    return None if text.endswith("\n") else bad("entry-end", file=table)


def daemon(host: Host) -> Iterator[Finding]:
    running = set(host.processes().values())
    yield good("cron", "it runs") if running & {"cron", "crond", "systemd-cron"} else bad("no-cron")


def last_run(modem: Modem, paths: Paths) -> Iterator[Finding]:
    """When homesim-poll was here last, and how it ended."""
    if paths.run.exists() and not os.access(paths.run, os.R_OK | os.X_OK):
        raise PermissionError
    seen = status.read(paths.run, modem.name)
    age = boottime() - (seen.updated_boottime or 0.0)
    if seen.updated_boottime is None:
        yield bad("late", since="since the Pi started")
    elif age > STALE:
        yield bad("late", since=f"for {ago(age)}")
    else:
        yield good("last run", f"{ago(max(0.0, age))} ago")


def outcome(modem: Modem, paths: Paths) -> Iterator[Finding]:
    """What the last run complained of, and what health has told: for whatever no other station has named."""
    if error := status.read(paths.run, modem.name).error:
        yield bad("failure", error=error)
    if incident := load(_state(paths, modem)):
        told = f"; so far tried: {', '.join(incident.tried)}" if incident.tried else ""
        yield bad("incident", what=incident.what, ago=ago(incident.age), tried=told)
    else:
        yield good("alerts", "none is open")


def spool(modem: Modem, paths: Paths) -> Iterator[Finding]:
    """What waits for Telegram, and what it refused; counted, never read."""
    kept = _state(paths, modem)
    (waiting, age), refused, parts = kept.waiting(), kept.count("failed"), kept.count("parts")
    if age > OLD:
        yield bad("waiting", count=waiting, ago=ago(age))
    if refused:
        yield bad("refused", count=refused, folder=kept.root / "failed")
    if age <= OLD and not refused:
        yield good("spool", f"{waiting} SMS wait" + (f", {parts} parts of long ones" if parts else ""))


def _state(paths: Paths, modem: Modem) -> Spool:
    kept = Spool(paths.state / modem.name, read_only=True)
    if kept.root.exists() and not os.access(kept.root, os.R_OK | os.X_OK):
        raise PermissionError
    return kept
