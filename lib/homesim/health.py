# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim-health: knows whether SMS would arrive, and brings the stick back when they would not.

cron starts it every five minutes. It looks at what poll saw and at sysfs; only bad news makes it take the modem's
lock, ask the port and climb one step of the ladder.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from homesim import config, identity, incident, run, status
from homesim.config import Config
from homesim.diagnosis import UNTOLD, Evidence, Fault, diagnose
from homesim.errors import EXIT_OK, EXIT_TRY_AGAIN, TryAgain
from homesim.incident import Incident
from homesim.ladder import STEPS, Ladder, cured
from homesim.outcry import outcry
from homesim.ping import ping
from homesim.port import Answer
from homesim.spool import Spool
from homesim.status import boottime
from homesim.usb import Bus, Stick, put_back

NAME = "homesim-health"
LIMIT = 285.0  # seconds after which the kernel ends it: cron starts the next one
LOCK = 90.0  # seconds at most to wait for the modem's lock

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    run.leave(run.main(NAME, health, argv))


def health(argv: Sequence[str] | None) -> int:
    arguments = _arguments(argv)
    run.log_to(NAME, verbose=arguments.verbose)
    settings = config.load(arguments.config)
    run.deadline(LIMIT)  # of this process; a child's is its own
    names = config.chosen(settings, arguments.modem, arguments.config)
    checks = [_Check(settings, name, dry=arguments.dry_run) for name in names]
    if arguments.dry_run:
        return max(check.plan() for check in checks)
    code = run.each(NAME, [check.force if arguments.force_reset else check.check for check in checks])
    if url := settings.health.ping_url:
        sentences = "\n".join(filter(None, map(_Check.problems, checks)))
        ping(url, (sentences or "the check failed; the system log says why") if code else "")
    return code


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = run.parser(
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
        self._stick: Stick | None = None
        self._look()

    def check(self) -> int:
        """Look, tell, act; the exit code."""
        run.deadline(LIMIT)
        if not self._only_check():
            return EXIT_TRY_AGAIN if self._faults() else EXIT_OK
        if put_back(self._bus, identity.recall(self._spool), self._device):
            self._look()
        self._remember(self._bus.of(self._device))
        incident.finish(self._spool)
        every = self._faults()
        faults = [fault for fault in every if fault.kind not in UNTOLD]
        known = incident.load(self._spool)
        # No bad news is no good news yet, soon after a start: an incident goes on until poll has seen the SMS.
        early = known and "answered_boottime" not in self._seen.status
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
        run.deadline(LIMIT)
        if not self._only_check() or not self._take_turn():
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
        remembered, several = identity.recall(self._spool), ""
        try:
            taken = identity.taken(self._bus, self._settings, self._modem.name)
            found = identity.choose(self._bus, self._device, remembered, self._settings.health.usb, taken)
        except identity.Several as error:
            found, several = None, str(error)
        self._stick = found or remembered
        waiting, oldest = self._spool.waiting()
        self._seen = Evidence(
            device=str(self._device),
            stick=found,
            several=several,
            port=self._device.exists(),
            low_voltage=self._bus.low_voltage(),
            status=status.read(self._settings.paths.run, self._modem.name),
            boottime=status.boottime(),
            waiting=waiting,
            oldest=oldest,
        )
        self._findings = diagnose(self._seen)
        for finding in self._findings:
            level = logging.WARNING if finding.fault else logging.DEBUG
            log.log(level, "%s: %s: %s", self._modem.name, finding.station, finding.sentence)

    def _faults(self) -> list[Fault]:
        return [finding.fault for finding in self._findings if finding.fault]

    def _remember(self, stick: Stick | None) -> None:
        identity.remember(self._spool, self._bus, self._device, stick)

    def _incident(self, fault: Fault) -> Incident:
        age = next(finding.age for finding in self._findings if finding.fault == fault)
        return incident.load(self._spool) or incident.begin(fault, age, self._stored())

    def _stored(self) -> int:
        return int(self._seen.status.get("stored", 0))

    def _over(self, known: Incident | None, waiting: int = 0) -> bool:
        """All is well: tell it if there was an incident."""
        if known:
            incident.over(self._spool, known, max(0, self._stored() - known.stored) + waiting)
            log.warning("%s: healthy again", self._modem.name)
        return True

    def _heal(self, faults: Sequence[Fault]) -> bool:
        """One more unhealthy check: tell the owner, and do what can be done. True when that helped."""
        fault = next((fault for fault in faults if fault.reset), faults[0])
        known = self._incident(fault)
        known = replace(known, checks=known.checks + 1)
        if alert := incident.news(known, faults, self._settings.health.alert_after):
            known = incident.told(known, faults)
        try:
            incident.save(self._spool, known, alert)
        except TryAgain as error:
            outcry(self._settings, self._modem, error)
            raise
        if boottime() < known.not_before or not (fault.reset or fault.kind == "poll") or not self._take_turn():
            return False
        if not fault.reset:
            return False
        well = self._climb(fault, known)
        status.touch(self._settings.paths.run, self._modem.name, well=well)
        return well

    def _climb(self, fault: Fault, known: Incident) -> bool:
        ladder, before = self._ladder()
        asked = Answer("" if fault.kind == "silent" else fault.what)
        if cured(fault.kind, asked, before):
            return self._over(known, before.used)
        if known.step == 0:
            incident.save(self._spool, replace(known, step=1))
            return False
        step = ladder.next_step(known.step - 1, before)
        if step == len(STEPS):
            return self._reboot(known.climbed())
        known = replace(known, step=step + 2, tried=(*known.tried, STEPS[step]))
        incident.save(self._spool, known)  # before it: a step that kills us is not taken for ever
        self._remember(self._stick)  # who is switched off and not known to be ours is not put back
        after = ladder.climb(STEPS[step])
        return cured(fault.kind, before, after) and self._over(known, after.used)

    def _ladder(self) -> tuple[Ladder, Answer]:
        ladder = Ladder(self._bus, self._stick, self._device)
        answer = ladder.look()
        log.warning("%s: port: %s", self._modem.name, answer.problem or f"answers; SIM {answer.sim}")
        return ladder, answer

    def _reboot(self, known: Incident) -> bool:
        """The last step: systemd's clean reboot (systemd(1), SIGRTMIN+5)."""
        hours = self._settings.health.reboot_after
        due = hours > 0 and min(known.age, boottime()) >= hours * 3600
        incident.save(self._spool, replace(known, tried=(*known.tried, "reboot")) if due else known)
        if due:
            log.warning("%s: rebooting", self._modem.name)
            os.kill(1, signal.SIGRTMIN + 5)
        return False

    def _only_check(self) -> bool:
        if run.Turn(self._settings.paths.run, f"{self._modem.name}.health").take(wait=0):
            return True
        log.warning("%s: another check is at work", self._modem.name)
        return False

    def _take_turn(self) -> bool:
        """The modem's lock. Poll hands it over when its time is up; one that hangs beyond its end is ended."""
        turn = run.Turn(self._settings.paths.run, self._modem.name)
        wait = min(LOCK, self._settings.poll.linger * 1.2 + run.HAND_OVER)
        log.debug("%s: waiting for a run to end, %.0f s at most", self._modem.name, wait)
        if turn.take(wait, knock=wait):
            return True
        seen = status.read(self._settings.paths.run, self._modem.name)
        holder = turn.holder()
        over = boottime() > seen.get("ends_boottime", float("inf"))
        if holder and holder == seen.get("pid") and over and run.is_poll(holder):
            log.warning("%s: homesim-poll (%d) hangs; ended", self._modem.name, holder)
            with contextlib.suppress(ProcessLookupError):  # it has ended just now
                os.kill(holder, signal.SIGKILL)
            return turn.take(run.HAND_OVER)
        log.warning("%s: a run holds the lock; looking again in the next check", self._modem.name)
        return False
