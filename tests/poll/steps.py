# SPDX-License-Identifier: GPL-2.0-or-later
"""Every step of a run of bin/poll that changes something outside, and the end of the run at any of them.

File operations come from strace: a run is recorded, and each call of it that changes something becomes a
`FileStep`, which strace's fault injection turns into a SIGKILL before the call takes effect. Which call is
meant must not depend on how the run's two threads interleave. So a step is the nth call of its name with its
path in its thread: strace filters the injection by path (-P) and counts for each thread on its own. For a
step of the main thread it follows no other thread; for one of the watching thread the main thread must not
have come to the same count before, or the scenario is `Entangled`.

`strace -D` leaves the traced program the process that was started: its id is known to the shell that starts
it, and so are the names in tmp/.

AT commands and HTTP requests end the run from the hooks of the emulated stick and of the Bot API stand-in.
"""

from __future__ import annotations

import functools
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from patience import PATIENCE
from rig import Rig

PHASES = ("received", "done", "answered")  # of a command and of a request, in their order

NAMED = frozenset({
    "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "link", "linkat",
    "symlink", "symlinkat", "truncate", "chmod", "fchmodat", "chown", "lchown", "fchownat", "mknod", "mknodat",
    "utime", "utimes", "utimensat", "setxattr", "creat",
})  # change what their path names  # fmt: skip
OPENED = frozenset({
    "write", "pwrite64", "writev", "pwritev", "pwritev2", "fsync", "fdatasync", "ftruncate", "fallocate", "fchmod",
    "fchown", "copy_file_range", "sendfile", "splice",
})  # change, or make durable, what their descriptor is open on  # fmt: skip
OPENING = frozenset({"open", "openat", "openat2"})

_ALL = ",".join(f"?{name}" for name in sorted(NAMED | OPENED | OPENING | {"sendto"}))  # ?: where there is one

_CHANGING = re.compile(r"O_(CREAT|TRUNC|WRONLY|RDWR)")
_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)")
_DESCRIPTOR = re.compile(r"\d+<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """A system call as strace shows it."""

    thread: int
    name: str
    arguments: str
    result: str = ""  # "0", "-1 ENOENT (...)", "?" where the thread was killed

    @property
    def paths(self) -> list[str]:
        """What it names, or the file behind its descriptor."""
        if self.name in OPENED:
            opened = _DESCRIPTOR.match(self.arguments)
            return [opened[1]] if opened else []
        return re.findall(r'"([^"]*)"', self.arguments)

    @property
    def changes(self) -> bool:
        """Whether it is of a kind that changes something, if its path is one that matters."""
        return self.name in NAMED | OPENED or (self.name in OPENING and bool(_CHANGING.search(self.arguments)))

    @property
    def takes_effect(self) -> bool:
        return self.changes and not self.result.startswith("-1")


def parse(log: str) -> list[Call]:
    """The calls in a log of `strace -f -y`, in the order in which they began."""
    calls: list[Call] = []
    unfinished: dict[int, int] = {}
    for line in log.splitlines():
        if not (match := _LINE.fullmatch(line)):
            continue
        thread, text = int(match[1]), match[2]
        if resumed := re.fullmatch(r"<\.\.\. \w+ resumed>(.*)", text):
            index = unfinished.pop(thread)
            calls[index] = replace(calls[index], result=_result(resumed[1]))
        elif call := _CALL.fullmatch(text):
            if "<unfinished ...>" in text:
                unfinished[thread] = len(calls)
            calls.append(Call(thread, call[1], call[2], _result(call[2])))
    return calls


def _result(text: str) -> str:
    return text.rpartition(" = ")[2].strip() if " = " in text else ""


@dataclass(frozen=True)
class FileStep:
    """The nth call of this name on this path in its thread. {pid} stands for the process id."""

    watching: bool  # the thread: the watching one, or the main one
    call: str
    path: str  # below the rig's folder
    nth: int  # from 1, calls that only read included

    def __str__(self) -> str:
        return f"{self.call} {self.path} #{self.nth} ({'watch' if self.watching else 'main'})"


@dataclass(frozen=True)
class HookStep:
    """The nth AT command or HTTP request of a run, at one of PHASES."""

    kind: str  # "command" or "request"
    nth: int
    phase: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.nth} {self.phase}: {self.text}"


Step = FileStep | HookStep


class Entangled(Exception):
    """The main thread came to the same count of the same call first: no way to hit the other thread's."""


@dataclass(frozen=True)
class Record:
    """One run as it goes when nobody ends it."""

    calls: list[Call]
    steps: list[Step]


@functools.cache
def strace_fails() -> str:
    """Why strace cannot be used here, "" when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed; run apt-get install strace"
    tried = subprocess.run(
        ["strace", "-D", "-o", "/dev/stdout", "-e", "trace=execve", "true"], capture_output=True, text=True, check=False
    )
    if "execve(" in tried.stdout and not tried.stderr.strip():
        return ""
    return tried.stderr.strip() or "it sees no call, as under qemu-user"


needs_strace = pytest.mark.skipif(bool(strace_fails()), reason=f"strace: {strace_fails()}")


def record(rig: Rig) -> Record:
    """Run bin/poll to its end and list its steps."""
    hooks: list[HookStep] = []
    rig.stick.on_command = _Recorder("command", hooks).on
    rig.api.on_request = _Recorder("request", hooks).on
    with _Log() as log:
        pid = _strace(rig, log, f"-y -s 4096 -f -e trace={_ALL}", "")
        calls = parse(log.read_text())
    rig.stick.on_command = rig.api.on_request = None
    return Record(calls, [*_file_steps(calls, pid, rig.folder), *hooks])


class _Recorder:
    """Lists the events of a kind as steps."""

    def __init__(self, kind: str, steps: list[HookStep]) -> None:
        self._kind = kind
        self._steps = steps
        self._count = 0

    def on(self, phase: str, what: object) -> None:
        self._count += phase == PHASES[0]
        text = what if isinstance(what, str) else "sendMessage"
        self._steps.append(HookStep(self._kind, self._count, phase, text))


def _file_steps(calls: list[Call], pid: int, folder: Path) -> Iterator[FileStep]:
    counts: Counter[tuple[bool, str, str]] = Counter()
    for call in calls:
        watching = call.thread != pid
        own = list(_below(call, folder))
        for path in own[: 1 if call.name in ("rename", "link") else None]:  # whose second path -P overlooks
            counts[watching, call.name, path] += 1
        if call.takes_effect and own and not _shared(call, own[0], watching):
            nth = counts[watching, call.name, own[0]]
            if _repeated(own[0], nth):
                continue
            if watching and counts[False, call.name, own[0]] >= nth:
                raise Entangled(call)
            yield FileStep(watching, call.name, own[0].replace(str(pid), "{pid}"), nth)


def _below(call: Call, folder: Path) -> Iterator[str]:
    """Its paths in the state and the run folder, relative to the rig's."""
    for path in call.paths:
        below = path.removeprefix(f"{folder}/")
        if below.split("/")[0] in ("state", "run"):
            yield below


def _shared(call: Call, path: str, watching: bool) -> bool:
    """Small facts of both threads are in one folder, and who syncs it first depends on the clock. Killed there the
    disk is as killed at the call before or behind it: a kill takes nothing from the page cache."""
    return watching and (call.name, path) == ("fsync", "state/home")


def _repeated(path: str, nth: int) -> bool:
    """How often the status, and what is known of a call that rings, is written within a run depends on the clock; at
    least twice."""
    return path.startswith("run/") and nth > 2


def kill(rig: Rig, step: Step) -> bool:
    """Run bin/poll and end it at this step. False when it ended elsewhere: the threads' order was another."""
    return _kill_in_call(rig, step) if isinstance(step, FileStep) else _kill_from_hook(rig, step)


def _kill_in_call(rig: Rig, step: FileStep) -> bool:
    follow = "-f" if step.watching else ""
    options = f"-y {follow} -e trace={step.call} -e inject={step.call}:signal=SIGKILL:when={step.nth}"
    with _Log() as log:
        pid = _strace(rig, log, options, str(rig.folder / step.path).replace("{pid}", "$$"))
        text = log.read_text() if step.watching else re.sub("(?m)^", f"{pid} ", log.read_text())
    calls = [call for call in parse(text) if (call.thread != pid) == step.watching]
    return "+++ killed by SIGKILL +++" in text and len(calls) == step.nth and calls[-1].result == "?"


class _Log:
    """A file for strace's output, outside what is traced."""

    def __enter__(self) -> Path:
        self._file = tempfile.NamedTemporaryFile(prefix="homesim-strace-")
        return Path(self._file.name)

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _strace(rig: Rig, log: Path, options: str, path: str) -> int:
    """Run bin/poll under strace to the end of both; the process id that it had."""
    only = f'-P "{path}"' if path else ""
    program = f'exec strace -D -q -o "{log}" {options} {only} "$@"'
    process = rig.start("--linger", "0", command=("sh", "-c", program, "sh"))
    process.communicate(timeout=PATIENCE)  # strace holds the pipes too
    return process.pid


class _Killer:
    """Ends a process at the nth event of a kind, in the thread that tells of it."""

    def __init__(self, step: HookStep) -> None:
        self._step = step
        self._count = 0
        self._started = threading.Event()
        self.struck = False
        self.over = threading.Event()  # the command or request has been served to its end

    def on(self, phase: str, _: object) -> None:
        self._count += phase == PHASES[0]
        if self._count == self._step.nth and phase == PHASES[0] != self._step.phase:
            assert self._started.wait(PATIENCE)
            self.process.send_signal(signal.SIGSTOP)  # or it may have ended before the answer is through
        if self._count == self._step.nth and phase == self._step.phase and not self.struck:
            assert self._started.wait(PATIENCE)
            self.struck = True
            self.process.kill()
            self.process.wait()
        if self.struck and phase == PHASES[-1]:
            self.over.set()

    def aim(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._started.set()


def _kill_from_hook(rig: Rig, step: HookStep) -> bool:
    killer = _Killer(step)
    if step.kind == "command":
        rig.stick.on_command = killer.on
    else:
        rig.api.on_request = killer.on
    process = rig.start("--linger", "0")
    killer.aim(process)
    process.communicate(timeout=PATIENCE)
    if killer.struck:
        assert killer.over.wait(PATIENCE), f"{step}: never served to its end"
    rig.stick.on_command = rig.api.on_request = None
    return killer.struck
