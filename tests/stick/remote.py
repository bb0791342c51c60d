# SPDX-License-Identifier: GPL-2.0-or-later
"""A serial driver in a process of its own, with the Python, and so the libgammu, that is wanted.

None of it is ever closed, and some of it never returns: the process is killed at the end.
"""

from __future__ import annotations

import pickle
import subprocess
import threading
from itertools import count
from queue import SimpleQueue
from typing import Any

from homesim.config import Modem as Settings
from homesim.stick.driver import Memory, News, Slot, State
from rig import ROOT

CHILD = """
import os, pickle, queue, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from homesim.errors import HomesimError
from homesim.stick.serial import Serial
from homesim.store.spool import Spool

out, lock, calls = os.fdopen(os.dup(1), "wb"), threading.Lock(), queue.SimpleQueue()

def say(*what):
    with lock:
        pickle.dump(what, out)
        out.flush()

def answer(number, work, *arguments):
    try:
        say(number, work(*arguments))
    except HomesimError as error:
        say(number, error)

def ask(name, *arguments):
    found = getattr(driver, name)
    return found(*arguments) if callable(found) else found

def connect(settings, state):
    global driver
    driver = Serial(settings, Spool(Path(state)), lambda news: say(None, news))

def listen():
    while True:
        number, *call = pickle.load(sys.stdin.buffer)
        if call[0] == "failure":
            answer(number, ask, *call)
        else:
            calls.put((number, *call))

threading.Thread(target=listen, daemon=True).start()
while True:
    number, name, *arguments = calls.get()
    answer(number, *([connect] if name == "connect" else [ask, name]), *arguments)
"""


class Remote:
    """A Driver."""

    def __init__(self, python: str, settings: Settings, state: str, news: list[News]) -> None:
        self._process = subprocess.Popen(
            [python, "-B", "-c", CHILD, str(ROOT / "lib")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._news = news
        self._numbers = count()
        self._answers: dict[int, SimpleQueue[Any]] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        self._ask("connect", settings, state)

    def _listen(self) -> None:
        assert self._process.stdout
        try:
            while True:
                number, what = pickle.load(self._process.stdout)
                self._news.append(what) if number is None else self._answers[number].put(what)
        except (EOFError, ValueError):
            for answer in [*self._answers.values()]:
                answer.put(EOFError())

    def _ask(self, *call: object) -> Any:
        number = next(self._numbers)
        self._answers[number] = SimpleQueue()
        assert self._process.stdin
        pickle.dump((number, *call), self._process.stdin)
        self._process.stdin.flush()
        answer = self._answers[number].get()
        if isinstance(answer, Exception) and call[0] != "failure":
            raise answer
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def sim(self) -> Any:
        return self._ask("sim")

    @property
    def reader(self) -> Any:
        return self._ask("reader")

    def open(self) -> Any:
        return self._ask("open")

    def memories(self) -> Any:
        return self._ask("memories")

    def slots(self, memories: dict[str, Memory]) -> Any:
        return self._ask("slots", memories)

    def delete(self, slot: Slot) -> Any:
        return self._ask("delete", slot)

    def holds(self, slot: Slot) -> Any:
        return self._ask("holds", slot)

    def hang_up(self) -> Any:
        return self._ask("hang_up")

    def state(self) -> State:
        state = self._ask("state")
        assert isinstance(state, State)
        return state

    def failure(self) -> Any:
        return self._ask("failure")
