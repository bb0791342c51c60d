# SPDX-License-Identifier: GPL-2.0-or-later
"""A person's terminal: a program on a pty that is its controlling terminal, as over ssh."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Self

from patience import PATIENCE

_LOCAL = 3  # of tcgetattr


class Terminal:
    """Use it as a context manager. `text` is all that it has shown, what was typed and echoed too."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.text = ""
        self._at = 0
        self._master, self._slave = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**os.environ, **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def expect(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Wait until the terminal shows it, behind what was expected before."""
        end = time.monotonic() + timeout
        while not (found := re.compile(pattern).search(self.text, self._at)):
            assert self._read(end - time.monotonic()), f"no {pattern!r} in:\n{self.text}"
        self._at = found.end()
        return found

    def type(self, text: str) -> None:
        os.write(self._master, text.encode() + b"\r")

    def answer(self, prompt: str, text: str) -> None:
        self.expect(prompt)
        self.type(text)

    def interrupt(self) -> int:
        """Ctrl-C, and again if need be: one that comes right between a prompt and Python's read is not seen until then.

        The exit code.
        """
        while True:
            os.write(self._master, b"\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.end(1.0)

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._slave)[_LOCAL] & termios.ECHO)

    def end(self, timeout: float = PATIENCE) -> int:
        """The exit code, when the program has ended and all that it showed is read."""
        code = self.process.wait(timeout)
        while self._read(0.0):
            pass
        return code

    def _read(self, seconds: float) -> bool:
        """False when nothing has come in time."""
        if not select.select([self._master], [], [], max(0.0, seconds))[0]:
            return False
        self.text += os.read(self._master, 65536).decode(errors="replace")
        return True
