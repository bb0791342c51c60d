# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds a process and its modem together: the modem's lock, a child with a time limit, the kernel's deadline."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from homesim.errors import HomesimError, TryAgain, reason
from homesim.program import describe, tell

T = TypeVar("T")

HAND_OVER = 10.0  # seconds that a run waits for the one before it
GRACE = 90.0  # seconds beyond its time after which the kernel ends a run of poll
CLOSE = 40.0  # seconds that the kernel may need to close a port whose stick takes nothing
QUEUE = 0.3  # seconds to become the next in turn: who has the lock holds that place for an instant to see who is there


def boottime() -> float:
    """Seconds since the machine was started: the clock that never jumps, the same in each process."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def tries(seconds: float) -> Iterator[None]:
    """One try, and others after a pause each until so many seconds are over."""
    end = time.monotonic() + seconds
    yield
    while time.monotonic() <= end:
        time.sleep(0.1)
        yield


def until(seconds: float, met: Callable[[], bool]) -> bool:
    """Whether a condition is met within so many seconds."""
    return any(met() for _ in tries(seconds))


def in_child(work: Callable[[], T], thing: object, seconds: float, late: str) -> T:
    """What `work` returns, or HomesimError that it raises, from a process of its own.

    When this returns, what `work` has taken is free again: lock, port, libgammu. After `seconds` raise TryAgain for the
    `thing` that it asks, `late` as the reason.
    """
    import multiprocessing  # poll, which starts each minute, has no use for it

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, work), daemon=True)
    process.start()
    sender.close()
    try:
        found = receiver.recv() if receiver.poll(seconds) else TryAgain(thing, late)
    except EOFError:
        found = TryAgain(thing, "the process that asked it was killed")
    process.kill()
    process.join(CLOSE)
    if isinstance(found, HomesimError):
        raise found
    return cast(T, found)


def _send(sender: Any, work: Callable[[], object]) -> None:
    try:
        sender.send(work())
    except HomesimError as error:
        sender.send(error)
    except Exception as error:
        tell(*describe(error).splitlines(), to=sys.stderr)


def deadline(seconds: float) -> None:
    """The kernel ends this process then, also inside a C call that never returns."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


class ModemLock:
    """The right to use one modem. The kernel takes it back when the process ends, however it ends.

    It is never given back before: the port is ours until then, and a filelock that is forgotten is released.
    """

    _taken: ClassVar[list[ModemLock]] = []

    def __init__(self, folder: Path, modem: str) -> None:
        import filelock  # doctor must start without it, to say that it is missing

        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # who can open a lock can hold it
        except OSError as error:
            raise TryAgain(folder, reason(error)) from None
        self._modem = modem
        self._lock = filelock.FileLock(folder / f"{modem}.lock")
        self._next = filelock.FileLock(folder / f"{modem}.next")

    def take(self, wait: float = HAND_OVER, queue: float | None = QUEUE) -> bool:
        """Whether the lock was free within `wait` seconds. At most one run is the next.

        `queue`: seconds to become the next in turn; None: to be none, so that the run at work sees nobody at the door.
        """
        try:
            with self._place(wait, queue):
                self._lock.acquire(timeout=wait, poll_interval=0.05)
        except TimeoutError:  # filelock's is one
            return False
        except OSError as error:
            raise TryAgain(self._lock.lock_file, reason(error)) from None
        self._taken.append(self)
        return True

    def _place(self, wait: float, queue: float | None) -> contextlib.AbstractContextManager[object]:
        if queue is None:
            return contextlib.nullcontext()
        return self._next.acquire(timeout=min(wait, queue), poll_interval=0.02)

    def wait(self, seconds: float, say: Callable[[str], object]) -> bool:
        """Take it, if need be when the run at work has ended, of which `say` is told first."""
        if self.take(wait=0):
            return True
        say(f"{self._modem}: another run is at work; waiting for its end, some {seconds:.0f} s at most")
        return self.take(seconds, queue=seconds)

    def successor(self) -> bool:
        """Whether the next run waits for it."""
        try:
            with self._next.acquire(timeout=0):
                return False
        except TimeoutError:
            return True
