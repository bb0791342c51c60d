# SPDX-License-Identifier: GPL-2.0-or-later
"""The program ended by SIGKILL at every step that changes something outside, then run again.

Whatever the step: every message is in the chat, only the one request in flight may be there twice (and then
says so), nothing is left on the stick or in the spool, every file is whole and private. A power cut is more
than a SIGKILL, since what was not fsynced is lost too: for that the order of the calls is held.
"""

from __future__ import annotations

import json
import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import pdus
from conftest import pythons
from emulators.botapi.server import Chat, refusal, reset
from homesim.poll.reassemble import MOST
from homesim.sms import message
from homesim.stick.status import RunFile
from homesim.store.entry import Entry
from homesim.store.spool import Spool
from poll import steps
from poll.steps import Call, HookStep, Record, Step
from rig import Rig, now

WORKERS = 4  # rigs at once: a run mostly waits
TRIES = 5  # for a step of one thread that the other one may get in the way of
PRIVATE = {stat.S_IFDIR: 0o700, stat.S_IFREG: 0o600}
PIN = "1234"
SUPERGROUP = -1001234567890
CALLER = "+4930123456"
NAMED = {"CHUP": "hang-up", "CMGD": "delete"}
CHANGING = re.compile("CHUP|CMGD|CPIN=|CFUN=")  # the commands that change something; all others ask, or are the run's

Prepare = Callable[[Rig], None]

pytestmark = steps.needs_strace


@dataclass(frozen=True)
class Scenario:
    """What lies ready before the run that is killed, and what there is when all is over."""

    prepare: Prepare
    texts: Sequence[str]  # each in the chat, of each SMS or of each half of one
    kinds: Sequence[str] = ("file", "request")  # of the steps that are new in this scenario
    parts: int = 0  # entries that stay in parts/
    refused: bool = False  # texts may be in failed/ instead
    pin: str | None = None
    poll: str = ""  # lines for the configuration

    def rig(self) -> Rig:
        return Rig(pythons()[0], pin=self.pin)

    def make(self, rig: Rig) -> None:
        rig.configure(poll=self.poll, modem=f'pin = "{self.pin}"' if self.pin else "")
        self.prepare(rig)


# --- scenarios ------------------------------------------------------------------------------------

CODE = pdus.deliver("Your code is 482913", "BANK", time=now())
LONG = pdus.long_sms("Dear customer, " + "this goes on, " * 14 + "and ends.", "LONG", reference=7, time=now())
BROKEN = "07919471016700000499"
OLD = [
    pdus.deliver(f"Old news, number {number}", "NEWS", time=now() - timedelta(days=2, minutes=9 - number))
    for number in range(5)
]
NOVEL = pdus.long_sms("Chapter one. " + "It rains. " * 410 + "The end.", "NOVEL", reference=9, time=pdus.TIME)
LETTER = ["Part the first, ", "part the second."]
HALVES = pdus.long_sms(LETTER, "LETTER", reference=5, time=pdus.TIME)
THIRDS = pdus.long_sms([*LETTER, "the rest."], "LETTER", reference=5, time=pdus.TIME)
FLOOD = [
    pdus.deliver(f"<{number}>", "FLOOD", udh=[pdus.concat(7, 2, 1)], time=pdus.TIME + timedelta(seconds=number))
    for number in range(MOST + 3)
]
ALARM = pdus.deliver("Water in the cellar", "ALARM", scts="FF" * 7)
UNTIMED = pdus.long_sms(["The pump ", "is broken"], "ALARM", reference=3, scts="FF" * 7)


def _first(rig: Rig) -> None:
    """No folder is made yet."""
    rig.stick.store("SM", None, CODE)


def _everything(rig: Rig) -> None:
    """SM and ME, a code, a long SMS over both, one that cannot be decoded."""
    _folders(rig)
    rig.stick.store("SM", None, CODE)
    for memory, part in zip(("ME", "SM"), LONG, strict=True):
        rig.stick.store(memory, None, part)
    _store_named(rig, "ME", BROKEN)


def _store_named(rig: Rig, memory: str, *texts: str) -> None:
    """Without a time, and named by a run that was killed then: each run names them alike."""
    spool = Spool(rig.state)
    for number, text in enumerate(texts):
        index = rig.stick.store(memory, None, text)
        named = [message.digest(text), f"20261122T11345{number}Z-{number:024}"]
        spool.save("slots", (spool.load(dict, "slots") or {}) | {f"{memory} {index}": named})


def _folders(rig: Rig) -> None:
    Spool(rig.state)


def _backlog(rig: Rig) -> None:
    for pdu in OLD:
        _spool(rig, pdu)


def _spool(rig: Rig, *texts: str) -> None:
    Spool(rig.state).put("new", Entry(message.name(texts), texts, received=time.time()))


def _doubtful(rig: Rig) -> None:
    """One message may be in the chat or not; since then older ones have come, too many to go alone."""
    _spool(rig, *NOVEL)
    rig.api.order(reset(), times=99)
    assert rig.poll().returncode == 75
    rig.api.faults.clear()
    for number in range(4):
        _spool(rig, pdus.deliver(f"Older news {number}", "NEWS", time=pdus.TIME - timedelta(minutes=9 - number)))


def _half(rig: Rig) -> None:
    _folders(rig)
    rig.stick.store("SM", None, HALVES[0])


def _other_half(rig: Rig) -> None:
    _half(rig)
    assert rig.poll().returncode == 0
    assert "incomplete" in rig.api.text()
    rig.stick.store("SM", None, HALVES[1])


def _another_third(rig: Rig) -> None:
    """One part was told, another is to be."""
    _folders(rig)
    rig.stick.store("SM", None, THIRDS[0])
    assert rig.poll().returncode == 0
    Spool(rig.state).put("parts", Entry(message.name([THIRDS[1]]), (THIRDS[1],), received=pdus.TIME.timestamp()))


def _too_many(rig: Rig) -> None:
    """Of one key: some were told, and some are when they are let go."""
    _folders(rig)
    for number, text in enumerate(FLOOD):
        file = rig.state / "parts" / f"{message.name([text])}.json"
        file.write_text(json.dumps({"pdus": [text], "received": time.time(), "told": number != 1}))
        file.chmod(0o600)


def _untimed(rig: Rig) -> None:
    _store_named(rig, "SM", ALARM, *UNTIMED)


def _unnamed(rig: Rig) -> None:
    _folders(rig)
    rig.stick.store("SM", None, ALARM)


def _refused(rig: Rig) -> None:
    _spool(rig, OLD[0])
    rig.api.order(refusal(400, "Bad Request: MESSAGE_ODD"), times=2)


def _migrated(rig: Rig) -> None:
    _spool(rig, OLD[0])
    rig.api.chats[rig.api.chat_id] = Chat(rig.api.chat_id, "group", migrated_to=SUPERGROUP)
    rig.api.chats[SUPERGROUP] = Chat(SUPERGROUP, "supergroup")


def _ringing(rig: Rig) -> None:
    _folders(rig)
    rig.stick.call(CALLER, rings=10**6, every=0.02)


def _rang(rig: Rig) -> None:
    """A run was killed before it reported who called: the message, and so its name, is the same each time."""
    rig.run_folder.mkdir(mode=0o700)
    RunFile(rig.run_folder, "home.calls").save({"callers": {CALLER: {"at": pdus.TIME.timestamp()}}})


OLD_TEXTS = [f"Old news, number {number}" for number in range(5)]
SCENARIOS = {
    "first": Scenario(_first, ["482913"], ("run file", "written", "file")),
    "everything": Scenario(
        _everything, ["482913", "Dear customer", BROKEN], ("file", "command", "delete", "request"), pin=PIN
    ),
    "backlog": Scenario(_backlog, OLD_TEXTS),
    "doubtful": Scenario(
        _doubtful, ["Chapter one.", "The end.", *(f"Older news {number}" for number in range(4))]
    ),
    "novel": Scenario(lambda rig: _spool(rig, *NOVEL), ["Chapter one.", "The end."]),
    "completed": Scenario(_other_half, ["".join(LETTER), f"{LETTER[0]}[…]"], poll="multipart_wait = 0"),
    "later": Scenario(_another_third, [f"{LETTER[0]}[…]", f"[…]{LETTER[1]}[…]"], poll="multipart_wait = 0", parts=2),
    "let go": Scenario(_too_many, ["<1>"], ("file",), parts=MOST),
    "untimed": Scenario(_untimed, ["Water in the cellar", "The pump is broken"], ("file", "delete")),
    # Its name has the time in it, so only the file that holds the name is the same in each run.
    "unnamed": Scenario(_unnamed, ["Water in the cellar"], ("slots", "delete")),
    "refused": Scenario(_refused, OLD_TEXTS[:1], refused=True),
    # Its message has the time in its name, which no two runs share; so that is killed at in the other scenario.
    "ringing": Scenario(_ringing, [CALLER], ("calls", "hang-up", "request")),
    "rang": Scenario(_rang, [CALLER], ("file",)),
    "migrated": Scenario(_migrated, OLD_TEXTS[:1]),
}
SLOW = [(name, kind) for name, scenario in SCENARIOS.items() for kind in scenario.kinds]


# --- what holds after a kill ----------------------------------------------------------------------


def _whole(rig: Rig) -> list[str]:
    """At any moment: every file but those in tmp/ is whole, and nobody else can read any."""
    problems = []
    for path in [rig.state, *rig.state.rglob("*")] if rig.state.exists() else []:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) != PRIVATE[stat.S_IFMT(mode)]:
            problems.append(f"{path.relative_to(rig.state)} has mode {mode:o}")
        if path.is_file() and path.parent.name not in ("tmp", "seen"):
            try:
                json.loads(path.read_text())
            except ValueError:
                problems.append(f"{path.relative_to(rig.state)} is not whole")
    return problems


def _again(rig: Rig) -> list[str]:
    """The next run does the rest."""
    rig.api.faults.clear()
    run = rig.poll()
    return [f"exit {run.returncode} after the kill: {run.stdout}{run.stderr}".strip()] if run.returncode else []


def _arrived(rig: Rig, scenario: Scenario, flying: str) -> list[str]:
    """Every text is there, once, or twice if it was in flight, and then it says so."""
    problems = []
    failed = "".join(_read(rig, "failed"))
    for text in scenario.texts:
        blocks = [block for sent in rig.texts() for block in sent.split("\n\n") if text in block]
        if not blocks and not (scenario.refused and failed):
            problems.append(f"{text!r} is lost")
        if len(blocks) > 1 and (len(blocks) > 2 or text not in flying):
            problems.append(f"{text!r} is there {len(blocks)} times, in flight was {flying[:60]!r}")
        problems += [f"{text!r} is repeated without a word" for block in blocks[1:] if "possible repeat" not in block]
    return problems


def _cleared(rig: Rig, scenario: Scenario) -> list[str]:
    """Nothing is left but what the scenario leaves."""
    problems = []
    if left := [*rig.stick.stored(), *rig.stick.waiting()]:
        problems.append(f"left on the stick: {left}")
    # tmp/: each of the two threads may have been writing a file; they are swept after a day.
    for folder, most in (("new", 0), ("parts", scenario.parts), ("tmp", 2), ("failed", int(scenario.refused))):
        if len(entries := rig.entries(folder)) > most:
            problems.append(f"left in {folder}/: {entries}")
    if left := [key for key in ("delivered", "pin-tried", "telling", "slots") if (rig.state / key).exists()]:
        problems.append(f"state left: {left}")
    return problems


def _read(rig: Rig, folder: str) -> list[str]:
    return [(rig.state / folder / name).read_text() for name in rig.entries(folder)]


def _flying(rig: Rig, before: int) -> str:
    """The text of the request that was in flight when the kill struck, or may have been; "" for none.

    A packed message is the first that its scenario sends: with its first mark it has landed, all of it.
    """
    last = "".join(sent.text for sent in rig.api.sent[before:][-1:])
    return "" if "\n\n" in last and rig.entries("seen") else last


def _kill_once(scenario: Scenario, step: Step) -> tuple[bool, list[str]]:
    """Whether the kill struck this step, and what was wrong afterwards, wherever it struck."""
    with scenario.rig() as rig:
        scenario.make(rig)
        before = len(rig.api.sent)
        struck = steps.kill(rig, step)
        rig.api.quiet()  # what was in flight may land after the kill
        flying = _flying(rig, before)
        problems = [*_whole(rig), *_again(rig), *_whole(rig), *_arrived(rig, scenario, flying)]
        problems += _cleared(rig, scenario)
        return struck, [f"{step}: {problem}" for problem in problems]


def _kill_at(scenario: Scenario, wanted: Sequence[Step]) -> None:
    """Kill at each of these steps, each in a rig of its own."""
    problems: list[str] = []
    missed: list[Step] = []

    def one(step: Step) -> None:
        for _ in range(TRIES):
            struck, wrong = _kill_once(scenario, step)
            problems.extend(wrong)
            if struck or wrong:
                return
        missed.append(step)

    assert wanted, "nothing to kill at"
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, wanted))
    print(f"killed at {len(wanted) - len(missed)} of {len(wanted)} steps")
    assert not problems, f"{len(problems)} problems:\n" + "\n".join(sorted(problems))
    assert not missed, "not killed at:\n" + "\n".join(map(str, missed))


def _record(scenario: Scenario) -> Record:
    for _ in range(TRIES):
        with scenario.rig() as rig:
            scenario.make(rig)
            try:
                return steps.record(rig)
            except steps.Entangled:
                continue
    raise AssertionError("the two threads came into each other's way each time")


def _of_kind(record: Record, kind: str) -> list[Step]:
    """The steps of a kind, those alone that leave something else behind than the step before."""
    found: dict[object, Step] = {}
    for step in record.steps:
        if _kind(step) == kind:
            asks = isinstance(step, HookStep) and step.kind == "command" and not CHANGING.search(step.text)
            found.setdefault(re.split(r"[=?]", str(step))[0].partition(": ")[2] if asks else step, step)
    return list(found.values())


def _kind(step: Step) -> str:
    """A file operation of the spool, one in tmp/ or the run folder (the same in each scenario), a command, a request.

    Until it is renamed nobody reads a file in tmp/, so all steps of its writing leave the same: an attempt in vain.
    """
    if isinstance(step, HookStep):
        return next((kind for command, kind in NAMED.items() if command in step.text), step.kind)
    if own := re.search(r"run/home\.(calls)|home/(?:tmp/)?(slots)", step.path):
        return own[1] or own[2]
    if step.path.startswith("run/"):
        return "run file"
    return "written" if "/tmp/" in step.path and step.call != "rename" else "file"


# --- tests ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), SLOW, ids=[f"{name}-{kind}" for name, kind in SLOW])
def test_killed_at_every_step_and_run_again(name: str, kind: str) -> None:
    _kill_at(SCENARIOS[name], _of_kind(_record(SCENARIOS[name]), kind))


def test_killed_at_a_few_steps_and_run_again() -> None:
    """The sample for every day."""
    record = _record(SCENARIOS["everything"])
    wanted = [step for kind, every in (("file", 9), ("command", 16), ("delete", 6), ("request", 4)) for step in
              _of_kind(record, kind)[every // 2 :: every]]  # fmt: skip
    _kill_at(SCENARIOS["everything"], wanted)


# --- the order that a power cut needs -------------------------------------------------------------


class Disk:
    """What a power cut would leave: a file is durable when it, its rename and its folder have been."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._synced: set[str] = set()  # files in tmp/ whose content is on disk
        self._renamed: set[str] = set()  # in their folder, with all that is in them, the folder not yet on disk
        self.durable: set[str] = set()

    def see(self, call: Call) -> None:
        paths = [path.removeprefix(f"{self._root}/") for path in call.paths]
        if call.name == "openat" and "O_CREAT" in call.arguments and paths[0].startswith("seen/"):
            self._renamed.add(paths[0])  # a mark is empty: where it stands is all there is of it
        elif call.name == "write":
            self._synced.discard(paths[0])
        elif call.name == "fsync":
            self._synced.add(paths[0])
            arrived = {path for path in self._renamed if f"{self._root}/{path}".rpartition("/")[0] == call.paths[0]}
            self.durable |= arrived
            self._renamed -= arrived
        elif call.name.startswith("rename"):
            moved = paths[0] in self._synced or paths[0] in self.durable
            assert moved, f"renamed before it was on disk: {call}"
            self._renamed.add(paths[1])
            self.durable.discard(paths[1])


def test_all_is_on_disk_before_what_cannot_be_undone() -> None:
    """An SMS before it is deleted, an attempt before its request goes out, a mark before its message is removed."""
    with SCENARIOS["everything"].rig() as rig:
        SCENARIOS["everything"].make(rig)
        named: dict[str, Any] = Spool(rig.state).load(dict, "slots") or {}
        names = {
            (memory, index): str(named.get(f"{memory} {index}", (None, message.name([text])))[1])
            for (memory, index), text in rig.stick.stored().items()
        }
        calls, root = steps.record(rig).calls, rig.state
    disk, memory, done = Disk(root), "", Counter[str]()
    for call in calls:
        if call.name == "write" and (selected := re.search(r'AT\+CPMS=\\"(\w+)\\"', call.arguments)):
            memory = selected[1]
        if call.name == "write" and (delete := re.search(r"AT\+CMGD=(\d+)", call.arguments)):
            name = names[memory, int(delete[1])]
            assert {f"new/{name}.json", f"parts/{name}.json"} & disk.durable, f"{name} is deleted too early"
            done["delete"] += 1
        if call.name.startswith("rename") and call.paths[1] == f"{root}/attempt":
            done["attempt"] += 1
        if call.name == "sendto" and '"POST ' in call.arguments:
            done["post"] += 1
            assert done["attempt"] == done["post"], "no attempt is written for this request"
            assert "attempt" in disk.durable, "the attempt is not on disk yet"
        if call.name.startswith("unlink") and (path := Path(call.paths[0])).suffix == ".json":
            assert f"seen/{path.stem}" in disk.durable, f"{path.stem} is removed too early"
            done["remove"] += 1
        if any(path.startswith(str(root)) for path in call.paths):
            disk.see(call)
    # three messages, one of them of two parts
    assert done == {"delete": len(names), "attempt": 3, "post": 3, "remove": 5}
