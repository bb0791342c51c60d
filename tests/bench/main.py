#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim beside gammu-smsd and smstools3, on the same emulated stick and the same stand-in for Telegram."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.core import Core
from bench.measure import FULL, QUICK, Extent, Result, run
from bench.report import Outcome, report, targets, write_into
from bench.systems import GAMMU_SMSD, GAMMU_SMSD_QUICK, SMSTOOLS, homesim

EPILOG = """\
measured for each system, one after another:
  latency    from the SMS's arrival on the stick to its acceptance by the stand-in, at random moments over hand-overs
  lost, repeated   by the serial number in each text
  first      the latency of the first SMS of a run, each run with a stick of its own; and with Telegram behind TLS
  idle       CPU seconds a minute, the start of Python included; resident memory
  drain      from the start to the last of a full SIM's 50 SMS
  calls      homesim only: the latency again while a call comes in each third of a minute
  backlog    homesim only: 300 SMS in the spool when Telegram comes back; what one message costs of 10,000 that wait;
             an SMS beside 20,000 parts that never become whole

homesim is started as cron starts it: a new bin/poll each minute, while the one before still
runs, so the hand-over is measured too. A system that is not installed is said to be so:
  apt-get install gammu-smsd smstools curl     (needs neither of their services: disable them)

exit codes: 0 the targets are met; 1 one is missed; 2 usage; 130 Ctrl-C
"""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--python", metavar="FILE", help="runs homesim (/usr/bin/python3 if it has the modules, else this one)")
    add("--quick", action="store_true", help="a smoke test, minutes of 6 s, few SMS: only losses and repeats count")
    add("--core", type=_percent, metavar="PERCENT", help="of one core for each system, as on a small Pi (as root)")
    add("--readme", type=Path, metavar="FILE", help="put the result between its <!-- bench --> marks")
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # cron's Python keeps what it has compiled
    try:
        return _bench(arguments)
    except OSError as error:
        if arguments.core is None:
            raise
        print(f"--core: no cgroup limits a CPU here: {error}; run it as root, or without", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # every system has been ended on the way here
        return 130


def _percent(text: str) -> int:
    """The kernel gives no less than a millisecond at a time (core.PERIOD)."""
    if text.isdecimal() and 5 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text}: expected percent of one core, 5 to 100")


def _bench(arguments: argparse.Namespace) -> int:
    extent = QUICK if arguments.quick else FULL
    python = arguments.python or _python()
    print(f"homesim runs with {python}", file=sys.stderr)
    with contextlib.nullcontext() if arguments.core is None else Core(arguments.core) as core:
        outcomes = list(_measured(python, extent, core))
    text = report(outcomes, extent, arguments.core or 100)
    print(text)
    if arguments.readme:
        write_into(arguments.readme, text, "bench" if arguments.core is None else f"bench {arguments.core}")
    return _judge(outcomes, extent, arguments.core or 100)


def _measured(python: str, extent: Extent, core: Core | None) -> Iterator[Outcome]:
    begin = time.monotonic()
    others = [replace(system, core=core) for system in (GAMMU_SMSD, GAMMU_SMSD_QUICK, SMSTOOLS)]
    for outcome in run(lambda period: replace(homesim(python, period), core=core), others, extent):
        name = outcome.system.name if isinstance(outcome, Result) else outcome.name
        print(f"{name}: done after {time.monotonic() - begin:.0f} s", file=sys.stderr)
        yield outcome


def _judge(outcomes: list[Outcome], extent: Extent, core: int) -> int:
    ours, _, rival, *_ = outcomes
    if not isinstance(ours, Result):
        print("homesim: cannot be measured", file=sys.stderr)
        return 1
    found = targets(ours, rival, extent, core)
    for text, met in found.items():
        print(f"{'met   ' if met else 'MISSED'} {text}", file=sys.stderr)
    return 0 if all(found.values()) else 1


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
