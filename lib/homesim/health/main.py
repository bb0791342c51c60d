# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim-health: knows whether SMS would arrive, and brings the stick back when they would not.

cron starts it every five minutes, and within the minute when poll has left word that the stick is ill. It looks at
what poll saw and at sysfs; only bad news makes it take the modem's lock, ask the port and climb one step of the ladder.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from homesim import config, process, program
from homesim.health.check import Check
from homesim.health.ping import ping
from homesim.stick import status

NAME = "homesim-health"
LIMIT = 285.0  # seconds after which the kernel ends it: cron starts the next one


def main(argv: Sequence[str] | None = None) -> NoReturn:
    program.leave(program.main(NAME, lambda: health(argv)))


def health(argv: Sequence[str] | None) -> int:
    arguments = _arguments(argv)
    program.log_to(NAME, verbose=arguments.verbose)
    settings = config.load(arguments.config)
    process.deadline(LIMIT)
    names = program.chosen(settings, arguments.modem, arguments.config)
    if not arguments.dry_run:
        status.called(settings.paths.run)  # before the look: what poll says from now on calls again
    checks = [Check(settings, name, dry=arguments.dry_run) for name in names]
    if arguments.dry_run:
        return max(check.plan() for check in checks)
    works = [check.force if arguments.force_reset else check.check for check in checks]
    code = program.each(NAME, [partial(_in_time, work) for work in works])
    if url := settings.health.ping_url:
        sentences = "\n".join(filter(None, map(Check.problems, checks)))
        ping(url, (sentences or "the check failed; the system log says why") if code else "")
    return code


def _in_time(work: Callable[[], int]) -> int:
    process.deadline(LIMIT)  # a child of fork has none of its parent's
    return work()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = program.parser(
        NAME,
        description="See whether SMS would arrive, and bring the stick back when not. cron runs this every 5 minutes, "
        "and in the very next one if a run of homesim-poll has found the stick ill.",
        epilog="Exit codes: 0 healthy, or healed; 2 usage; 75 not healthy; 78 the configuration needs a person.",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what it would do; touch nothing")
    parser.add_argument("--force-reset", action="store_true", help="take the next step of the ladder at once")
    return parser.parse_args(argv)
