#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim beside gammu-smsd and smstools3, on the same emulated stick and the same stand-in for Telegram."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.measure import SIM, Extent, Result, floor, run
from bench.report import Outcome, report, targets, write_into
from bench.systems import GAMMU_SMSD, GAMMU_SMSD_QUICK, SMSTOOLS, homesim

EPILOG = """\
measured for each system, one after another:
  latency    from the SMS's arrival on the stick to its acceptance by the stand-in
  lost, repeated   by the serial number in each text
  first      the latency of the first SMS of a run, each run with a stick of its own
  idle       CPU seconds a minute, the start of Python included; resident memory
  drain      from the start to the last of a full SIM's 50 SMS
  calls      homesim only: the latency again while a call comes in each third of a period
  backlog    homesim only: 300 SMS in the spool when Telegram comes back

homesim is started as cron starts it: a new bin/poll each period, while the one before still
runs, so the hand-over is measured too. A system that is not installed is said to be so:
  apt-get install gammu-smsd smstools curl     (needs neither of their services: disable them)

exit codes: 0 the targets are met; 1 one is missed; 2 usage; 130 Ctrl-C

examples:
  tests/bench/main.py --readme tests/README.md  the real thing, about 20 minutes
  tests/bench/main.py --period 20 --minutes 6        shorter: cron's minute and linger are scaled alike
  tests/bench/main.py --quick                        a smoke test, about a minute
"""


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _bench(arguments)
    except KeyboardInterrupt:  # every system has been ended on the way here
        return 130


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--python", metavar="FILE", help="runs homesim (/usr/bin/python3 if it has the modules, else this one)")
    add("--period", type=float, default=60.0, metavar="SECONDS", help="cron's minute (%(default)g)")
    add(
        "--minutes", type=float, default=2.0, metavar="N",
        help="periods over which the SMS come (%(default)g); 50 in less than 100 s measure only that homesim keeps to "
        "Telegram's limit of one message a second",
    )  # fmt: skip
    add("--messages", type=int, default=50, metavar="N", help="how many come (%(default)s)")
    add("--first", type=int, default=20, metavar="N", help="how many are each the first of a run (%(default)s)")
    add("--quick", action="store_true", help="period 6 s, few SMS: only losses and repeats count")
    add("--readme", type=Path, metavar="FILE", help="put the result between its <!-- bench --> marks")
    arguments = parser.parse_args(argv)
    if not 6 <= arguments.period <= 3600:
        parser.error(f"--period {arguments.period:g}: expected 6 to 3600 seconds")
    if arguments.minutes < 0 or arguments.messages < 1 or arguments.first < 1:
        parser.error("--minutes, --messages and --first: expected more than 0")
    return arguments


def _extent(arguments: argparse.Namespace) -> Extent:
    if arguments.quick:
        return Extent(6, messages=6, minutes=0.3, idle=2, first=2, drain=6, backlog=60, warm_up=1, grace=1, smoke=True)
    return Extent(
        arguments.period,
        arguments.messages,
        arguments.minutes,
        idle=arguments.period,
        first=arguments.first,
        drain=SIM,
        backlog=300,
    )


def _bench(arguments: argparse.Namespace) -> int:
    extent = _extent(arguments)
    python = arguments.python or _python()
    print(f"homesim runs with {python}", file=sys.stderr)
    alone = floor()
    outcomes: list[Outcome] = []
    begin = time.monotonic()
    systems = [homesim(python, extent.period), GAMMU_SMSD, GAMMU_SMSD_QUICK, SMSTOOLS]
    for outcome, system in zip(run(systems, extent), systems, strict=True):
        outcomes.append(outcome)
        print(f"{system.name}: done after {time.monotonic() - begin:.0f} s", file=sys.stderr)
    text = report(outcomes, extent, alone)
    print(text)
    if arguments.readme:
        write_into(arguments.readme, text)
    return _judge(outcomes, extent)


def _judge(outcomes: list[Outcome], extent: Extent) -> int:
    ours, rival, *_ = outcomes
    if not isinstance(ours, Result):
        print("homesim: cannot be measured", file=sys.stderr)
        return 1
    found = targets(ours, rival, extent)
    for target in found:
        print(f"{'met   ' if target.met else 'MISSED'} {target.text}", file=sys.stderr)
    return 0 if all(target.met for target in found) else 1


def _python() -> str:
    """Debian's, where it has what homesim needs: that is what cron runs."""
    debian = "/usr/bin/python3"
    try:
        subprocess.run([debian, "-c", "import gammu, requests, filelock"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return sys.executable
    return debian


if __name__ == "__main__":
    sys.exit(main())
