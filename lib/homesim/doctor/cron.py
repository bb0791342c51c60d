# SPDX-License-Identifier: GPL-2.0-or-later
"""Cron, for doctor: its entries and its process.

What cron(8) ignores without a word is no entry: names with a dot, files that others can write, a last line without
its end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from homesim.doctor.host import Host
from homesim.health.faults import Finding, bad, good

PROGRAMS = ("homesim-poll", "homesim-health")
FOLDER = "/etc/cron.d"
ROOT_S = "/var/spool/cron/crontabs/root"


def tables(host: Host) -> dict[str, str]:
    """What cron reads, by its file. Raise PermissionError, as one is root's own."""
    files = [f"{FOLDER}/{name}" for name in host.names(FOLDER) if _reads(host, name)]
    return {file: host.read(file) for file in (ROOT_S, "/etc/crontab", *files)}


def entries(host: Host) -> Iterator[Finding]:
    """What cron starts."""
    read = tables(host)
    for program in PROGRAMS:
        calls = {table: path for table, text in read.items() if (path := _calls(text, program))}
        if not calls:
            yield bad("no-entry", program=program)
        elif len(calls) > 1:
            yield bad("entry-twice", files=" and ".join(calls), program=program)
        else:
            [(table, path)] = calls.items()
            there = not path.startswith("/") or os.access(host.path(path), os.X_OK)
            yield good("cron", f"{table} starts {program}") if there else bad("no-program", program=path)


def _reads(host: Host, name: str) -> bool:
    """Whether cron reads a file in FOLDER, measured with Debian's."""
    file = host.path(f"{FOLDER}/{name}").stat()
    private = file.st_uid == 0 and not file.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return private and bool(re.fullmatch(r"[\w-]+", name, re.ASCII)) and host.read(f"{FOLDER}/{name}").endswith("\n")


def _calls(table: str, program: str) -> str:
    """The word of a crontab that starts a program, "" when none does."""
    name = program.partition("-")[2]
    found = re.search(rf"^[ \t]*[@*\d][^#\n]*?\s(\S*(?:{program}|bin/{name}))(?=\s|$)", table, re.MULTILINE)
    return found[1] if found else ""


def daemon(host: Host) -> Iterator[Finding]:
    running = set(host.processes().values())
    yield good("cron", "it runs") if running & {"cron", "crond", "systemd-cron"} else bad("no-cron")
