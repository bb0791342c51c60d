# SPDX-License-Identifier: GPL-2.0-or-later
"""A serial driver in a process of its own, with the Python, and so the libgammu, that is wanted.

None of it is ever closed, and some of it never returns: the process is killed at the end.
"""

from __future__ import annotations

import subprocess
from functools import partial
from multiprocessing.managers import BaseManager
from typing import Any, cast

from homesim.config import Modem as Settings
from homesim.stick.driver import Driver
from rig import ROOT

CHILD = """
import sys
from multiprocessing.managers import BaseManager
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from homesim.stick.serial import Serial
from homesim.store.spool import Spool

class Child:
    def connect(self, settings, state):
        self.news = []
        self.driver = Serial(settings, Spool(Path(state)), self.news.append)

    def ask(self, name, *arguments):
        found = self.news if name == "news" else getattr(self.driver, name)
        return found(*arguments) if callable(found) else found

BaseManager.register("child", Child, exposed=["connect", "ask"])
server = BaseManager(("127.0.0.1", 0), b"homesim").get_server()
print(server.address[1], flush=True)
server.serve_forever()
"""
BaseManager.register("child")


class Remote:
    """A Driver once it is connected, and the `news` that it has passed on. Each of our threads is another there."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen([python, "-B", "-c", CHILD, str(ROOT / "lib")], stdout=subprocess.PIPE)
        assert self._process.stdout
        manager = BaseManager(("127.0.0.1", int(self._process.stdout.readline())), b"homesim")
        manager.connect()
        self._child: Any = manager.child()  # type: ignore[attr-defined]

    def connect(self, settings: Settings, state: str) -> Driver:
        self._child.connect(settings, state)
        return cast(Driver, self)

    def __getattr__(self, name: str) -> Any:
        ask = partial(self._child.ask, name)
        return ask() if name in ("sim", "reader", "news", "listing") else ask

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()
