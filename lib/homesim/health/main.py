# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim-health: knows whether SMS would arrive, and brings the stick back when they would not.

cron starts it every five minutes. It looks at what poll saw and at sysfs; only bad news makes it take the modem's
lock, ask the port and climb one step of the ladder.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from homesim import config, process, program
from homesim.config import Config
from homesim.errors import EXIT_OK, EXIT_TRY_AGAIN, TryAgain
from homesim.health import evidence, incident
from homesim.health.diagnosis import NAMED, UNTOLD, Fault, diagnose
from homesim.health.handover import only_check, take_turn
from homesim.health.incident import Incident
from homesim.health.outcry import outcry
from homesim.health.ping import ping
from homesim.health.recovery import STEPS, Answer, Ladder, cured, failed
from homesim.process import boottime
from homesim.stick import match, status
from homesim.stick.usb import Bus, Stick, put_back
from homesim.store import refused
from homesim.store.spool import Spool

NAME = "homesim-health"
LIMIT = 285.0  # seconds after which the kernel ends it: cron starts the next one

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    program.leave(program.main(NAME, health, argv))


def health(argv: Sequence[str] | None) -> int:
    arguments = _arguments(argv)
    program.log_to(NAME, verbose=arguments.verbose)
    settings = config.load(arguments.config)
    process.deadline(LIMIT)  # of this process; a child's is its own
    names = config.chosen(settings, arguments.modem, arguments.config)
    checks = [_Check(settings, name, dry=arguments.dry_run) for name in names]
    if arguments.dry_run:
        return max(check.plan() for check in checks)
    code = program.each(NAME, [check.force if arguments.force_reset else check.check for check in checks])
    if url := settings.health.ping_url:
        sentences = "\n".join(filter(None, map(_Check.problems, checks)))
        ping(url, (sentences or "the check failed; the system log says why") if code else "")
    return code


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = program.parser(
        NAME,
        description="See whether SMS would arrive, and bring the stick back when not. cron runs this every 5 minutes.",
        epilog="Exit codes: 0 healthy, or healed; 2 usage; 75 not healthy; 78 the configuration needs a person.",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what it would do; touch nothing")
    parser.add_argument("--force-reset", action="store_true", help="take the next step of the ladder at once")
    return parser.parse_args(argv)


class _Check:
    """One check of one modem."""

    def __init__(self, settings: Config, name: str, *, dry: bool) -> None:
        self._settings = settings
        self._modem = settings.modems[name]
        self._device = Path(self._modem.device)
        self._bus = Bus(settings.paths.sysfs)
        self._spool = Spool(settings.paths.state / name, read_only=dry)
        self._look()

    def check(self) -> int:
        """Look, tell, act; the exit code."""
        process.deadline(LIMIT)
        if not only_check(self._settings, self._modem.name):
            return EXIT_TRY_AGAIN if self._faults() else EXIT_OK
        if put_back(self._bus, match.left(self._spool, self._bus), self._device):
            self._look()
        self._remember(self._bus.of(self._device))
        incident.finish(self._spool)
        refused.tell(self._spool)
        every = self._faults()
        faults = [fault for fault in every if fault.kind not in UNTOLD]
        known = incident.load(self._spool)
        # No bad news is no good news yet, soon after a start, or when poll's last word is that it sees no SMS: an
        # incident goes on until it has seen them.
        early = known and known.well < 0 and (self._seen.status.answered_boottime is None or self._seen.failed)
        well = self._heal(faults) if faults else not early and self._over(known)
        return EXIT_OK if well and len(faults) == len(every) else EXIT_TRY_AGAIN

    def plan(self) -> int:
        """What a check would do, said and not done."""
        faults = self._faults()
        if faults and faults[0].reset:
            step = self._incident(faults[0]).step
            would = f"try {STEPS[step - 1]}" if 0 < step <= len(STEPS) else "ask the port itself"
            log.warning("%s: would %s", self._modem.name, would)
        return EXIT_TRY_AGAIN if faults else EXIT_OK

    def force(self) -> int:
        """The next step, asked for by hand."""
        process.deadline(LIMIT)
        if not only_check(self._settings, self._modem.name) or not take_turn(self._settings, self._modem.name):
            return EXIT_TRY_AGAIN
        ladder, before = self._ladder()
        known = incident.load(self._spool)
        step = ladder.next_step(max(0, known.step - 1) if known else 0, before)
        if step == len(STEPS):
            raise TryAgain(self._device, "there is no step to take here; is the stick plugged in?")
        self._remember(self._stick)
        answer = ladder.climb(STEPS[step])
        status.touch(self._settings.paths.run, self._modem.name, well=not answer.problem)
        log.warning("%s: %s", self._modem.name, answer.problem or "the stick answers")
        return EXIT_TRY_AGAIN if answer.problem else EXIT_OK

    def problems(self) -> str:
        """The sentences of what is wrong, for the dead man's switch."""
        return "; ".join(f"{f.station}: {f.sentence}" for f in self._findings if f.fault)

    def _look(self) -> None:
        """All that can be known without opening the port."""
        self._seen = evidence.gather(self._settings, self._modem.name, self._bus, self._spool)
        self._stick = self._seen.stick or self._seen.gone
        self._findings = diagnose(self._seen)
        for finding in self._findings:
            level = logging.WARNING if finding.fault else logging.DEBUG
            log.log(level, "%s: %s: %s", self._modem.name, finding.station, finding.sentence)

    def _faults(self) -> list[Fault]:
        return [finding.fault for finding in self._findings if finding.fault and finding.fault.kind not in NAMED]

    def _remember(self, stick: Stick | None) -> None:
        match.remember(self._spool, self._bus, self._device, stick)

    def _incident(self, fault: Fault) -> Incident:
        """The one under way, which a stick that comes and goes takes up again, or a new one."""
        if known := incident.load(self._spool):
            return replace(known, well=-1.0, times=known.times + 1) if known.well >= 0 else known
        age = next(finding.age for finding in self._findings if finding.fault == fault)
        earlier = len(incident.lately(self._spool))
        usb = self._place() or (f"{self._stick.place}#0" if self._stick else "")
        return incident.begin(fault, age, self._stored(), earlier=earlier, usb=usb)

    def _stored(self) -> int:
        return self._seen.status.stored

    def _place(self) -> str:
        """Where the stick is now, and as which device of the kernel's: another one after a replug."""
        now = self._bus.of(self._device) or (self._bus.at(self._stick.place) if self._stick else None)
        return f"{now.place}#{now.devnum}" if now else ""

    def _over(self, known: Incident | None, unread: int = 0) -> bool:
        """All is well: tell it if there was an incident, and it will not be back soon."""
        if not known:
            return True
        if first := known.well < 0:
            known = replace(known, well=boottime())
            log.warning("%s: healthy again", self._modem.name)
        if known.told < 0 or boottime() - known.well >= known.hold:
            waited = max(0, self._stored() - known.stored)
            incident.over(self._spool, known, waited, unread=unread, usb=self._place())
        elif first:
            incident.save(self._spool, known)
        return True

    def _keep(self, known: Incident, faults: Sequence[Fault]) -> Incident:
        """Save it, and tell what is news in it."""
        if text := incident.news(known, faults, self._settings.health.alert_after):
            known = incident.told(known, faults)
        try:
            incident.save(self._spool, known, text)
        except TryAgain as error:
            outcry(self._settings, self._modem, error)
            raise
        return known

    def _heal(self, faults: Sequence[Fault]) -> bool:
        """One more unhealthy check: tell the owner, and do what can be done. True when that helped."""
        fault = next((fault for fault in faults if fault.reset), faults[0])
        known = self._incident(fault)
        known = self._keep(replace(known, checks=known.checks + 1), faults)
        can = fault.reset or fault.kind == "poll"
        if boottime() < known.not_before or not can or not take_turn(self._settings, self._modem.name):
            return False
        if not fault.reset:
            return False
        well = self._climb(fault, known, faults)
        status.touch(self._settings.paths.run, self._modem.name, well=well)
        return well

    def _climb(self, fault: Fault, known: Incident, faults: Sequence[Fault]) -> bool:
        ladder, before = self._ladder()
        if known.begun:  # the check before was killed in its step: what the stick says now is what came of it
            return self._outcome(fault, known, Answer(problem=fault.what), before)
        asked = Answer(problem="" if fault.kind == "silent" else fault.what)
        if cured(fault.kind, asked, before):
            return self._over(known, before.used)
        if known.step == 0:
            incident.save(self._spool, replace(known, step=1))
            return False
        step = ladder.next_step(known.step - 1, before)
        if step == len(STEPS):
            return self._reboot(known.climbed(), faults)
        known = replace(known, step=step + 2, tried=(*known.tried, STEPS[step]), begun=True)
        incident.save(self._spool, known)  # before it: a step that kills us is not taken for ever
        self._remember(self._stick)  # who is switched off and not known to be ours is not put back
        return self._outcome(fault, known, before, ladder.climb(STEPS[step]))

    def _outcome(self, fault: Fault, known: Incident, before: Answer, after: Answer) -> bool:
        """What a step has done. True when the fault has gone."""
        known = replace(known, begun=False, vain=failed(fault.kind, after))
        if cured(fault.kind, before, after):
            return self._over(known, after.used)
        incident.save(self._spool, replace(known, usb=self._place()))
        return False

    def _ladder(self) -> tuple[Ladder, Answer]:
        ladder = Ladder(self._bus, self._stick, self._device)
        answer = ladder.look()
        log.warning("%s: port: %s", self._modem.name, answer.problem or f"answers; SIM {answer.sim}")
        return ladder, answer

    def _reboot(self, known: Incident, faults: Sequence[Fault]) -> bool:
        """The last step: systemd's clean reboot (systemd(1), SIGRTMIN+5)."""
        hours = self._settings.health.reboot_after
        due = hours > 0 and min(known.age, boottime()) >= hours * 3600
        self._keep(replace(known, tried=(*known.tried, "reboot")) if due else known, faults)
        if due:
            log.warning("%s: rebooting", self._modem.name)
            os.kill(1, signal.SIGRTMIN + 5)
        return False
