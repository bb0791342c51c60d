# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's results as Markdown, the machine they come from, and the targets they are held against."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measure import CALLS, QUICK, Arrivals, Extent, Result
from bench.systems import PATH, System

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"

P50, SHARE, MAX = 1.0, 0.25, 5.0  # seconds, of gammu-smsd's, seconds
WITH_CALLS = 1.5  # of the one without
CPU, RESIDENT = 0.5, 30.0  # seconds a minute, MiB

Outcome = Result | System


def report(outcomes: Sequence[Outcome], extent: Extent) -> str:
    """The table, what it means, the machine."""
    return "\n\n".join([_table(outcomes, extent), _notes(outcomes, extent), _machine(outcomes)])


def _table(outcomes: Sequence[Outcome], extent: Extent) -> str:
    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("latency p50 / p90 / max, s", lambda r: _latency(r.arrivals)),
        (f"the same with a call each {extent.period / CALLS:g} s", lambda r: _latency(r.with_calls)),
        ("the first SMS of its run, p50 / max, s", lambda r: _latency(r.first, 0.5, 1)),
        (f"lost / repeated of {extent.messages}", lambda r: f"{r.arrivals.lost} / {r.arrivals.repeated}"),
        ("CPU while idle, s a minute", lambda r: f"{r.idle.cpu:.2f}" if r.idle.cpu >= 0.01 else "under 0.01"),
        ("resident while idle, MiB", lambda r: f"{r.idle.resident:.1f}"),
        ("resident at work at most, MiB", lambda r: f"{r.arrivals.resident:.1f}"),
        (f"{extent.drain} SMS on the SIM, start to last, s", lambda r: _seconds(r.drain)),
        (f"backlog of {extent.backlog}, s (messages)", _backlog),
    ]
    lines = [
        _line("", *(_system(outcome).name for outcome in outcomes)),
        _line("---", *("---:" for _ in outcomes)),
    ]
    for name, cell in rows:
        lines.append(_line(name, *(cell(o) if isinstance(o, Result) else "not installed" for o in outcomes)))
    return "\n".join(lines)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _latency(arrivals: Arrivals | None, *shares: float) -> str:
    if arrivals is None:
        return "not measured"
    return " / ".join(f"{arrivals.percentile(share):.2f}" for share in shares or (0.5, 0.9, 1))


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "not measured"
    return "not all came" if seconds == float("inf") else f"{seconds:.1f}"


def _backlog(result: Result) -> str:
    return f"{result.backlog.seconds:.1f} ({result.backlog.messages})" if result.backlog else "not measured"


def _notes(outcomes: Sequence[Outcome], extent: Extent) -> str:
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    own = max((result.own for result in results), default=0.0)
    notes = [
        *(f"- {_system(outcome).name}: {_system(outcome).settings}." for outcome in outcomes),
        f"- {extent.messages} SMS at random over {extent.minutes * extent.period:g} s, the same for each system, two "
        f"of them right after each start of a new `bin/poll`. A daemon's idle time begins {extent.warm_up:g} s after "
        "its first look at the stick; homesim's is all of cron's minute, the start of Python included. RSS is summed "
        "over the processes; at work the old and the new run of homesim are both in it while one hands over.",
        f"- The first SMS of its run: {extent.first} of them, each to a system that was started anew, has looked once "
        "and found nothing, at a random moment between two looks. The rows above are of a run at work: there one "
        "run of homesim forwards some 25 SMS, and what it loads at the first of them is loaded already.",
        "- The backlog waits in the spool while Telegram is away; the clock runs from its return, with Telegram's "
        "limit of one message a second. The other measures have no such limit, which the hooks would not keep.",
        "- Emulated E3372 with 20 ms an answer, stand-in on loopback. With the measuring they take at most "
        f"{100 * own:.1f} % of one core.",
    ]
    failed = [result for result in results if result.arrivals.failures]
    notes += [f"- {result.system.name} ended with {sorted(set(result.arrivals.failures))}." for result in failed]
    return "\n".join(notes)


def _machine(outcomes: Sequence[Outcome]) -> str:
    programs = {system.program: system for system in map(_system, reversed(outcomes))}  # one may be there twice
    programs = dict(reversed(programs.items()))
    parts = [
        f"{_value('/proc/cpuinfo', 'model name', ':') or platform.machine()}, {os.cpu_count()} cores",
        f"Linux {platform.release()}",
        _value("/etc/os-release", "PRETTY_NAME", "=").strip('"') or platform.system(),
        f"load average at the end {os.getloadavg()[0]:.2f}",
        *(f"{system.name}: {_version(system)}" for system in programs.values() if system.installed()),
    ]
    return f"Measured on {'; '.join(parts)}."


def _value(path: str, key: str, separator: str) -> str:
    """What a file of keys and values says first for `key`."""
    found = re.search(rf"^{key}\s*{separator}\s*(.*)$", Path(path).read_text(), re.MULTILINE)
    return found[1] if found else ""


def _version(system: System) -> str:
    done = subprocess.run(
        system.version, capture_output=True, text=True, check=False, env={**os.environ, "PATH": PATH}
    )
    return re.split(r"[,\n]", (done.stdout or done.stderr).strip())[0]


def _system(outcome: Outcome) -> System:
    return outcome.system if isinstance(outcome, Result) else outcome


def targets(homesim: Result, rival: Outcome, extent: Extent) -> dict[str, bool]:
    """What we have set ourselves, and whether it is met, beside gammu-smsd of the same run where it is installed."""
    p50, worst = homesim.arrivals.percentile(0.5), homesim.arrivals.percentile(1)
    calls = homesim.with_calls
    found = {
        f"{homesim.arrivals.lost} lost, none": homesim.arrivals.lost == 0,
        f"{homesim.arrivals.repeated} repeated, none": homesim.arrivals.repeated == 0,
        f"{homesim.first.lost} of the first ones lost, none": homesim.first.lost == 0,
    }
    if extent is QUICK or calls is None:
        return found
    memory, cpu = homesim.idle.resident, homesim.idle.cpu
    times = calls.percentile(0.5) / p50
    found |= {
        f"p50 {p50:.2f} s, at most {P50:g} s": p50 <= P50,
        f"max {worst:.2f} s, at most {MAX:g} s": worst <= MAX,
        f"{memory:.1f} MiB resident while idle, at most {RESIDENT:g}": memory <= RESIDENT,
        f"{cpu:.2f} s of CPU a minute while idle, at most {CPU:g}": cpu <= CPU,
        f"p50 {times:.2f} times that with calls, at most {WITH_CALLS:g}": times <= WITH_CALLS,
        f"{calls.lost + calls.repeated} lost or repeated with calls, none": not calls.lost + calls.repeated,
    }
    if isinstance(rival, Result):
        share = p50 / rival.arrivals.percentile(0.5)
        found[f"p50 {share:.2f} of gammu-smsd's, at most {SHARE:g}"] = share <= SHARE
    return found


def write_into(readme: Path, text: str) -> None:
    """Replace what stands between the marks. Raise ValueError when they are not there."""
    before, begin, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{readme}: no {BEGIN} with an {END} behind it")
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
