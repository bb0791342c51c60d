# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim-doctor: goes along the path of an SMS and names what holds it up, with the cure.

It is health's diagnosis with the cures, asked of the stick itself, and what only a person asks. It looks, and changes
nothing: no setting of the stick but the form of its errors, no file, no message in the chat. What it prints may be
pasted anywhere: token, chat, numbers and SMS are never in it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from homesim import __version__, config, program
from homesim.config import Config, Modem
from homesim.doctor import cron, stick, system, telegram, usb
from homesim.doctor.host import Host
from homesim.errors import EXIT_OK, EXIT_TRY_AGAIN, ConfigError
from homesim.health import diagnosis, incident
from homesim.health.diagnosis import ago
from homesim.health.evidence import Evidence
from homesim.health.faults import Finding, bad, good, unseen
from homesim.program import tell
from homesim.store.spool import Spool

NAME = "homesim-doctor"
_MARKS = {True: "✓", False: "✗", None: "?"}
_COLOURS = {True: "\033[32m", False: "\033[31m", None: "\033[33m"}
# What is looked at where there is no configuration: all by default, on the system below {0}.
_DEFAULT = """
telegram = {{token = "1:AAAAAAAAAAAAAAAAAAAAAAAAA", chat_id = 1}}
modem.home.device = "{0}/dev/sms"
paths = {{state = "{0}/var/lib/homesim", run = "{0}/run/homesim", sysfs = "{0}/sys"}}
"""


def main(argv: Sequence[str] | None = None, root: Path = Path("/")) -> NoReturn:
    """`root` holds the system that is looked at; a test's is a folder."""
    program.leave(program.main(NAME, lambda: doctor(argv, Host(root))))


def doctor(argv: Sequence[str] | None, host: Host) -> int:
    arguments = _arguments(argv)
    patient = _patient(host, arguments.config, arguments.modem)
    found = []
    for finding in _without_secrets(_findings(patient), patient):
        found.append(finding)
        if not arguments.json:
            _show(finding, several=len(patient.modems) > 1)
    wrong = any(finding.ok is False for finding in found)
    if arguments.json:
        report = {"version": __version__, "ok": not wrong, "findings": [_plain(finding) for finding in found]}
        tell(*json.dumps(report, indent=1).splitlines())
    return EXIT_TRY_AGAIN if wrong else EXIT_OK


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = program.parser(
        NAME,
        description="Go along the path of an SMS and say for each station whether it is well (✓), or what is wrong (✗) "
        "and what cures it. It changes nothing; as root it sees most.",
        epilog="Exit codes: 0 nothing is wrong; 2 usage; 75 something is.",
        logs=False,
    )
    parser.add_argument("--json", action="store_true", help="for programs: the findings as JSON")
    return parser.parse_args(argv)


@dataclass(frozen=True)
class _Patient:
    """What is looked at."""

    host: Host
    settings: Config
    configuration: Finding  # if that is not good, `settings` are the default
    modems: list[Modem]
    seen: Callable[[Modem], Evidence]  # what health knows


def _patient(host: Host, file: Path, modem: str | None) -> _Patient:
    name = host.name(file)
    try:
        settings = config.load(file)
        modems = [settings.modems[chosen] for chosen in program.chosen(settings, modem, file)]
        finding = good("configuration", name)
    except ConfigError as error:
        finding = unseen("configuration", f"{name}: {error.reason}")
        if error.fault != "not-root":
            finding = bad(error.fault or "wrong-configuration", file=name, problem=error.reason)
        settings = config.parse(_DEFAULT.format("" if host.root == Path("/") else host.root), file)
        modems = [*settings.modems.values()]
    return _Patient(host, settings, finding, modems, cache(partial(stick.gather, settings)))


def _findings(patient: _Patient) -> Iterator[Finding]:
    """The stations in their order, each behind those that it depends on."""
    host, settings, modems = patient.host, patient.settings, patient.modems
    yield from _try("release", system.release, host)
    yield from _try("packages", system.packages, host)
    yield patient.configuration
    yield from _try("power", system.power, host, settings.paths.sysfs)
    yield from _try("old how-to", system.old_how_to, host)
    yield from _try("mode switch", usb.mode_switch, host)
    yield from _try("udev rule", usb.rule, host)
    for modem in modems:
        yield from _of(modem, _stick(patient, modem))
        yield from _of(modem, _try("disk", system.disk, host, settings.paths.state / modem.name))
    yield from _try("cron", cron.entries, host)
    yield from _try("cron", cron.daemon, host)
    for modem in modems:
        yield from _of(modem, _try("last run", lambda modem: [diagnosis.last_run(patient.seen(modem))], modem))
    yield from _try("clock", system.clock, host)
    yield from _way_out(patient)
    for modem in modems:
        yield from _of(modem, _try("spool", lambda modem: diagnosis.spool(patient.seen(modem)), modem))
        yield from _of(modem, _try("alerts", _alerts, patient, modem))


def _stick(patient: _Patient, modem: Modem) -> Iterator[Finding]:
    """From the bus to what the stick says; nothing is asked of a port that is another program's."""
    runs = patient.settings.paths.run
    found = [*_try("stick", lambda: diagnosis.on_bus(patient.seen(modem)))]
    if all(finding.ok is not False for finding in found):
        found += _try("port", usb.port, patient.host, modem, runs / f"{modem.name}.lock")
    yield from found
    if modem.page:
        yield from _try("answer", lambda: diagnosis.behind_port(patient.seen(modem)))
    elif Path(modem.device).exists() and all(finding.ok is not False for finding in found):
        yield from _try("answer", lambda: diagnosis.behind_port(stick.ask(patient.seen(modem), runs)))


def _alerts(patient: _Patient, modem: Modem) -> Iterator[Finding]:
    """What the last run ended with, and what health has told: for whatever no other station has named."""
    if error := patient.seen(modem).status.error:
        yield bad("failure", error=error)
    if known := incident.load(Spool(patient.settings.paths.state / modem.name, read_only=True)):
        tried = f"; so far tried: {', '.join(known.tried)}" if known.tried else ""
        yield bad("incident", what=known.what, ago=ago(known.age), tried=tried)
    else:
        yield good("alerts", "none is open")


def _way_out(patient: _Patient) -> Iterator[Finding]:
    """To Telegram; each step only if the one before it went well, to name one cause once."""
    if not patient.configuration.ok:
        yield unseen("Telegram", "it takes a configuration that can be read")
        return
    settings = patient.settings.telegram
    found = [*telegram.connection(settings)]
    yield from found
    if any(finding.fault and finding.fault.key != "ipv6" for finding in found):
        return
    found = [*_try("Telegram", telegram.bot, settings)]
    yield from found
    for modem in patient.modems if all(finding.ok for finding in found) else ():
        yield from _of(modem, _try("chat", telegram.chat, settings, modem, patient.settings.paths.state))


def _try(station: str, look: Callable[..., Iterable[Finding]], *arguments: object) -> Iterator[Finding]:
    """What a look finds; what only root may see is no fault."""
    try:
        yield from look(*arguments)
    except PermissionError:
        yield unseen(station, "only root may see it: sudo homesim-doctor")
    except ImportError as error:
        yield unseen(station, f"it takes Python's {error.name}")


def _of(modem: Modem, findings: Iterable[Finding]) -> Iterator[Finding]:
    return (replace(finding, modem=modem.name) for finding in findings)


def _without_secrets(findings: Iterable[Finding], patient: _Patient) -> Iterator[Finding]:
    """Without secrets, and as the person calls the files."""
    secrets: list[object] = []
    if patient.configuration.ok:
        telegram, modems = patient.settings.telegram, patient.modems
        secrets = [telegram.token, *telegram.token.split(":"), patient.settings.health.ping_url]
        secrets.append(urlsplit(telegram.proxy or "").password)
        secrets += [telegram.chat_id, *(modem.chat_id for modem in modems)]
        secrets += [secret for modem in modems for secret in (modem.pin, modem.password)]
    words = sorted({re.escape(str(secret)) for secret in secrets if secret}, key=len, reverse=True)
    # Any token, and any number as long as a telephone's, an IMSI or a chat.
    pattern = re.compile("|".join([*(rf"(?<!\w){word}(?!\w)" for word in words), r"\d+:[\w-]{20,}", r"[+-]?\d{8,}"]))
    for finding in findings:
        yield replace(finding, says=pattern.sub("…", finding.says), cure=pattern.sub("…", finding.cure))


def _plain(finding: Finding) -> dict[str, object]:
    trouble = finding.fault.key if finding.fault else ""
    known = {"station": finding.station, "ok": finding.ok, "says": finding.says, "cure": finding.cure}
    return {**known, "trouble": trouble, "modem": finding.modem}


def _show(finding: Finding, *, several: bool) -> None:
    colour = _COLOURS[finding.ok] if sys.stdout.isatty() else ""
    station = f"{finding.modem}: {finding.station}" if several and finding.modem else finding.station
    lines = [f"{_MARKS[finding.ok]} {station:<{22 if several else 14}} {finding.says}"]
    if finding.cure:
        lines.append(f"  {'':<{22 if several else 14}} cure: {finding.cure}")
    tell(*lines, colour=colour)
