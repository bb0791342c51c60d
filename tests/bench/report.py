# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's results as Markdown, the machine they come from, and the targets they are held against."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import BEFORE, CALLS, FEW, MANY, PARTS, QUICK, Arrivals, Extent, Result
from bench.systems import PATH, System

WITH_CALLS = 1.5  # of the p50 without
RESIDENT, SAME = 40.0, 1.2  # MiB; of what a message costs while few wait


@dataclass(frozen=True)
class Targets:
    """Seconds: median and most, and of CPU a minute."""

    first: tuple[float, float]
    random: tuple[float, float]
    far: float
    idle: float


TARGETS = {100: Targets((0.12, 0.25), (0.12, 0.5), 0.3, 0.25), 10: Targets((0.6, 1.2), (0.6, 2.5), 1.0, 0.35)}
"""By percent of a core."""

Outcome = Result | System


def report(outcomes: Sequence[Outcome], extent: Extent, core: int) -> str:
    """The table, what it means, the machine. What is in another table already is not said again."""
    if core == 100:
        return "\n\n".join([_table(outcomes, extent), _notes(outcomes, extent), _machine(outcomes)])
    return f"{_table(outcomes, extent)}\n\nEach system with {core} % of one core. {_machine(outcomes)}"


def _table(outcomes: Sequence[Outcome], extent: Extent) -> str:
    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("the first SMS of its run, p50 / max, s", lambda r: _latency(r.first, 0.5, 1)),
        ("the same by TLS, 50 ms away, p50 / max, s", lambda r: _latency(r.far, 0.5, 1)),
        (f"at random over {extent.hand_overs} hand-overs, p50 / p90 / max, s", lambda r: _latency(r.arrivals)),
        (f"the same with a call each {extent.period / CALLS:g} s", lambda r: _latency(r.with_calls)),
        (f"lost / repeated of {extent.messages}", lambda r: f"{r.arrivals.lost} / {r.arrivals.repeated}"),
        ("CPU while idle, s a minute", lambda r: f"{r.idle.cpu:.2f}" if r.idle.cpu >= 0.01 else "under 0.01"),
        ("resident while idle, MiB", lambda r: f"{r.idle.resident:.1f}"),
        ("resident at work at most, MiB", lambda r: f"{r.arrivals.resident:.1f}"),
        (f"{extent.drain} SMS on the SIM, start to last, s", lambda r: _seconds(r.drain)),
        (f"backlog of {extent.backlog}, s (messages)", _backlog),
        (f"CPU of a message while {FEW} / {MANY:,} SMS wait, ms", _sends),
        (f"an SMS beside {PARTS:,} parts of others, from the start of its run, s", lambda r: _seconds(r.beside_parts)),
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


def _sends(result: Result) -> str:
    return " / ".join(f"{1000 * seconds:.1f}" for seconds in result.sends) if result.sends else "not measured"


def _notes(outcomes: Sequence[Outcome], extent: Extent) -> str:
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    own = max((result.own for result in results), default=0.0)
    notes = [
        *(f"- {_system(outcome).name}: {_system(outcome).settings}." for outcome in outcomes),
        f"- At random: {extent.messages} SMS, the same for each system, while cron starts `bin/poll` each "
        f"{extent.hurried:g} s, which triples the hand-overs; two come right after each.",
        f"- A system at rest has forwarded {BEFORE} SMS before; of homesim all of a minute of cron's is measured, the "
        "start of Python included. RSS is summed over the processes: at rest the median, at work the most, and then "
        "both runs of homesim are in it while one hands over.",
        f"- The first SMS of its run: {extent.first} of them, each to a system that was started anew, has looked once "
        "and found nothing, at a random moment between two looks. The rows above are of a run at work: there one "
        "run forwards several.",
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


def targets(homesim: Result, rival: Outcome, extent: Extent, core: int) -> dict[str, bool]:
    """What we have set ourselves, and whether it is met, beside the quick gammu-smsd of the same run if it is there."""
    calls = homesim.with_calls
    found = {
        f"{homesim.arrivals.lost} lost, none": homesim.arrivals.lost == 0,
        f"{homesim.arrivals.repeated} repeated, none": homesim.arrivals.repeated == 0,
        f"{homesim.first.lost} of the first ones lost, none": homesim.first.lost == 0,
    }
    if extent is QUICK or calls is None or homesim.sends is None or core not in TARGETS:
        return found
    target, memory, cpu = TARGETS[core], homesim.idle.resident, homesim.idle.cpu
    times, growth = calls.percentile(0.5) / homesim.arrivals.percentile(0.5), homesim.sends[1] / homesim.sends[0]
    found |= _limits("first", homesim.first, *target.first)
    found |= _limits("at random", homesim.arrivals, *target.random)
    found |= _limits("by TLS", homesim.far, target.far)
    found |= {
        f"{memory:.1f} MiB resident while idle, at most {RESIDENT:g}": memory <= RESIDENT,
        f"{cpu:.2f} s of CPU a minute while idle, at most {target.idle:g}": cpu <= target.idle,
        f"p50 {times:.2f} times that with calls, at most {WITH_CALLS:g}": times <= WITH_CALLS,
        f"{calls.lost + calls.repeated} lost or repeated with calls, none": not calls.lost + calls.repeated,
        f"a message costs {growth:.2f} times as much while {MANY} wait, at most {SAME:g}": growth <= SAME,
    }
    if isinstance(rival, Result):
        shares = (0.5, 1) if core == 100 else (0.5,)
        theirs = [(rival.first.percentile(share), rival.arrivals.percentile(share)) for share in shares]
        found |= _limits("first, against gammu-smsd's two lines", homesim.first, *(first for first, _ in theirs))
        found |= _limits("at random, against it", homesim.arrivals, *(random for _, random in theirs))
    return found


def _limits(name: str, arrivals: Arrivals, *most: float) -> dict[str, bool]:
    """Of the median, and of the slowest."""
    found = {}
    for word, share, limit in zip(("p50", "max"), (0.5, 1), most, strict=False):
        seconds = arrivals.percentile(share)
        found[f"{name}: {word} {seconds:.2f} s, at most {limit:.2f} s"] = seconds <= limit
    return found


def write_into(readme: Path, text: str, mark: str) -> None:
    """Replace what stands between the marks. Raise ValueError when they are not there."""
    before, begin, rest = readme.read_text().partition(f"<!-- {mark} -->")
    _, end, after = rest.partition(f"<!-- /{mark} -->")
    if not (begin and end):
        raise ValueError(f"{readme}: no <!-- {mark} --> with an end behind it")
    readme.write_text(f"{before}{begin}\n{text}\n{end}{after}")
