# SPDX-License-Identifier: GPL-2.0-or-later
"""One check of one modem: look, tell its owner, and take one step of the ladder when that can help.

Before the first step the port is asked twice: a slow stick, or one that comes back by itself, is left alone. A
step is kept before it is taken, and what came of it after: a check that is killed in between is gone on with.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from homesim import process
from homesim.config import Config
from homesim.errors import EXIT_OK, EXIT_TRY_AGAIN, TryAgain
from homesim.health import alert, evidence, incident, recovery
from homesim.health.diagnosis import diagnose
from homesim.health.faults import Fault
from homesim.health.incident import Incident
from homesim.health.recovery import Report, Step, cured, failed, following, way
from homesim.process import boottime
from homesim.stick import match, status
from homesim.stick.usb import Bus, Stick, put_back
from homesim.store.spool import Spool

LOCK = 90.0  # seconds at most to wait for the modem's lock
UNTOLD = "waiting"  # Telegram cannot carry the news that it takes nothing: the log and the ping do

log = logging.getLogger(__name__)


class Check:
    """A fault without a `what` is only a person's, and no reason to do anything: the next SMS arrives all the same."""

    def __init__(self, settings: Config, name: str, *, dry: bool) -> None:
        self._settings = settings
        self._modem = settings.modems[name]
        self._device = Path(self._modem.device)
        self._bus = Bus(settings.paths.sysfs)
        self._spool = Spool(settings.paths.state / name, read_only=dry)
        self._look()

    def check(self) -> int:
        """Look, tell, act; the exit code."""
        if not self._alone():
            return EXIT_TRY_AGAIN if self._faults else EXIT_OK
        if put_back(self._bus, match.left(self._spool, self._bus), self._device):
            self._look()
        self._remember(self._bus.of(self._device))
        incident.finish(self._spool)
        alert.refused(self._spool)
        faults = [fault for fault in self._faults if fault.key != UNTOLD]
        known = incident.load(self._spool)
        # No bad news is no good news yet, soon after a start, or when poll's last word is that it sees no SMS: an
        # incident goes on until it has seen them.
        early = known and known.well < 0 and (self._seen.status.answered_boottime is None or self._seen.bad_news)
        well = self._heal(faults) if faults else not early and self._over(known)
        return EXIT_OK if well and len(faults) == len(self._faults) else EXIT_TRY_AGAIN

    def plan(self) -> int:
        """What a check would do, said and not done."""
        if self._faults and self._faults[0].reset:
            step, steps = self._incident(self._faults[0]).step, self._port.steps
            would = f"try {steps[step - 1].name}" if 0 < step <= len(steps) else "ask the port itself"
            log.warning("%s: would %s", self._modem.name, would)
        return EXIT_TRY_AGAIN if self._faults else EXIT_OK

    def force(self) -> int:
        """The next step, asked for by hand."""
        if not self._alone() or not self._take_turn():
            return EXIT_TRY_AGAIN
        before, steps, known = self._ask(), self._port.steps, incident.load(self._spool)
        step = following(steps, max(0, known.step - 1) if known else 0, before)
        if step == len(steps):
            raise TryAgain(self._device, "there is no step to take here; is the stick plugged in?")
        self._remember(self._port.stick)
        answer = self._take(steps[step])
        status.touch(self._settings.paths.run, self._modem.name, well=not answer.problem)
        log.warning("%s: %s", self._modem.name, answer.problem or "the stick answers")
        return EXIT_TRY_AGAIN if answer.problem else EXIT_OK

    def problems(self) -> str:
        """What is wrong, for the dead man's switch."""
        wrong = [finding for finding in self._findings if finding.fault in self._faults]
        return "; ".join(f"{finding.station}: {finding.says}" for finding in wrong)

    def _look(self) -> None:
        """All that can be known without opening the port."""
        self._seen = evidence.gather(self._settings, self._modem.name, self._bus, self._spool)
        self._port = way(self._settings, self._modem.name, self._bus, self._seen.stick or self._seen.gone)
        self._findings = diagnose(self._seen)
        self._faults = [finding.fault for finding in self._findings if finding.fault and finding.fault.what]
        for finding in self._findings:
            level = logging.WARNING if finding.fault in self._faults else logging.DEBUG
            log.log(level, "%s: %s: %s", self._modem.name, finding.station, finding.says)

    def _alone(self) -> bool:
        """Whether no other check of this modem is at work."""
        if process.ModemLock(self._settings.paths.run, f"{self._modem.name}.health").take(wait=0):
            return True
        log.warning("%s: another check is at work", self._modem.name)
        return False

    def _take_turn(self) -> bool:
        """The modem's lock. Poll hands it over when its time is up; one that hangs is ended by the kernel."""
        wait = min(LOCK, self._settings.poll.linger * 1.2 + process.HAND_OVER)
        if process.ModemLock(self._settings.paths.run, self._modem.name).wait(wait, log.debug):
            return True
        log.warning("%s: a run holds the lock; looking again in the next check", self._modem.name)
        return False

    def _remember(self, stick: Stick | None) -> None:
        match.remember(self._spool, self._bus, self._device, stick)

    def _incident(self, fault: Fault) -> Incident:
        """The one under way, which a stick that comes and goes takes up again, or a new one."""
        if known := incident.load(self._spool):
            if known.unknown:  # what nobody was told of has become something else
                known = replace(known, what=fault.what)
            return known.relapsed() if known.well >= 0 else known
        age = next(finding.age for finding in self._findings if finding.fault == fault)
        earlier = len(incident.ended_today(self._spool))
        return incident.begin(fault, age, self._seen.status.stored, earlier=earlier)

    def _over(self, known: Incident | None, unread: int = 0) -> bool:
        """All is well: tell it if there was an incident, and it will not be back soon."""
        if not known:
            return True
        if first := known.well < 0:
            known = replace(known, well=boottime())
            log.warning("%s: healthy again", self._modem.name)
        if known.unknown or boottime() - known.well >= known.hold:
            alert.end(self._spool, known, max(0, self._seen.status.stored - known.stored), unread)
        elif first:
            incident.save(self._spool, known)
        return True

    def _keep(self, known: Incident, faults: Sequence[Fault]) -> Incident:
        """Save it, and tell what is news in it."""
        try:
            return alert.keep(self._spool, known, faults, self._settings.health.alert_after)
        except TryAgain as error:
            alert.past_the_spool(self._settings, self._modem, error)
            raise

    def _heal(self, faults: Sequence[Fault]) -> bool:
        """One more unhealthy check: tell the owner, and do what can be done. True when that helped."""
        fault = next((fault for fault in faults if fault.reset), faults[0])
        known = self._incident(fault)
        known = self._keep(replace(known, checks=known.checks + 1), faults)
        if known.rests or not fault.reset or not self._take_turn():
            return False
        well = self._climb(fault, known, faults)
        status.touch(self._settings.paths.run, self._modem.name, well=well)
        return well

    def _climb(self, fault: Fault, known: Incident, faults: Sequence[Fault]) -> bool:
        began, before, steps = time.monotonic(), self._ask(), self._port.steps
        if known.begun:  # the check before was killed in its step: what the stick says now is what came of it
            return self._outcome(fault, known, Report(problem=fault.what), before)
        seen = Report(problem="" if fault.key == "silent" else fault.what)
        if known.checks == 1 and failed(fault.key, before):
            time.sleep(max(0.0, began + recovery.AGAIN - time.monotonic()))
            before = self._ask()
        if cured(fault.key, seen, before):
            return self._over(known, before.used)
        if not (known.tried or failed(fault.key, before) or known.lasted(2)):
            return False  # whether it stays, though the port sees nothing of it, is for poll's next looks to say
        step = following(steps, max(0, known.step - 1), before)
        if step == len(steps):
            return self._reboot(known.climbed(), faults)
        known = replace(known, step=step + 2, tried=(*known.tried, steps[step].name), begun=True)
        incident.save(self._spool, known)  # before it: a step that kills us is not taken for ever
        self._remember(self._port.stick)  # who is switched off and not known to be ours is not put back
        return self._outcome(fault, known, before, self._take(steps[step]))

    def _outcome(self, fault: Fault, known: Incident, before: Report, after: Report) -> bool:
        """What a step has done. True when the fault has gone."""
        known = replace(known, begun=False, vain=failed(fault.key, after))
        if cured(fault.key, before, after):
            return self._over(known, after.used)
        incident.save(self._spool, known)
        if after.problem:  # the next step, in the next minute; one that answers has its time to find its network
            status.call_health(self._settings.paths.run)
        return False

    def _ask(self) -> Report:
        report = self._port.ask()
        log.warning("%s: port: %s", self._modem.name, report.problem or f"answers; SIM {report.sim}")
        return report

    def _take(self, step: Step) -> Report:
        log.warning("%s: %s", self._device, step.name)
        return step.take()

    def _reboot(self, known: Incident, faults: Sequence[Fault]) -> bool:
        """The last step: systemd's clean reboot (systemd(1), SIGRTMIN+5)."""
        hours = self._settings.health.reboot_after
        due = hours > 0 and min(known.age, boottime()) >= hours * 3600
        self._keep(replace(known, tried=(*known.tried, "reboot")) if due else known, faults)
        if due:
            log.warning("%s: rebooting", self._modem.name)
            os.kill(1, signal.SIGRTMIN + 5)
        return False
