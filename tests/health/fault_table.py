#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of faults in health's page, from what test_health.py sees of each: run this to write it anew."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "lib" / "homesim" / "health" / "README.md"
PLACE = re.compile(r"(?<=<!-- faults -->\n).*?(?=<!-- /faults -->)", re.DOTALL)


def table() -> str:
    """In Markdown, a row for each of CASES."""
    from health.test_health import CASES
    from homesim.health.faults import FAULTS

    lines = ["| fault | health says | it does | healthy again |", "|---|---|---|---|"]
    for case in CASES:
        steps = ", ".join(f"`{step}`" for step in case.steps)
        does = " and ".join(filter(None, [steps, "waits for a hand" if case.hand else ""]))
        time = "5 min after that" if case.hand else f"{case.minutes} min"
        lines.append(f"| {case.name} | {FAULTS[case.kind].what} | {does} | {time} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "lib"))
    PAGE.write_text(PLACE.sub(lambda _: table(), PAGE.read_text()))
