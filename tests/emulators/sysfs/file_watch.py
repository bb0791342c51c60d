# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders whose files can be watched for writes from anybody: inotify(7), IN_CLOSE_WRITE.

A folder is made aside and moved to its place when it is complete and watched, so that it appears
at once, as in sysfs, and that no write but others' is heard of.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from patience import PATIENCE, go_first

_IN_CLOSE_WRITE = 0x8
_EVENT = struct.Struct("iIII")


class FileWatch:
    """Calls `heard` with the path of each written file, in a thread of its own, in order."""

    def __init__(self, aside: Path, heard: Callable[[Path], None]) -> None:
        """`aside` is an empty folder on the same file system as those that will be made."""
        self._aside = aside
        self._heard = heard
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._folders: dict[int, Path] = {}
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._caught_up = threading.Event()
        self._catching_up = threading.Lock()
        self._error: Exception | None = None
        self._marker = aside / "marker"
        self._marker.mkdir()
        self._watch(self._marker, self._marker)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; raise what `heard` has raised."""
        os.write(self._stop_write, b"s")
        self._thread.join()
        for fd in (self._fd, self._stop_read, self._stop_write):
            os.close(fd)
        self.check()

    def check(self) -> None:
        """Raise what `heard` has raised."""
        if self._error is not None:
            raise self._error

    def catch_up(self) -> None:
        """Return when every write that has ended by now is dealt with; at once when `heard` asks."""
        if threading.current_thread() is self._thread:
            return
        with self._catching_up:
            self._caught_up.clear()
            self.check()  # nobody will say any more that it has caught up
            (self._marker / "now").write_text("")
            is_done = self._caught_up.wait(PATIENCE)
        self.check()
        assert is_done, f"a write still has its effect after {PATIENCE} s"

    def make(self, folder: Path, contents: Mapping[str, str | Path]) -> None:
        """A folder with files (text) and relative symlinks (the path that they point to)."""
        new = self._aside / "new"
        new.mkdir()
        for name, content in contents.items():
            if isinstance(content, Path):
                (new / name).symlink_to(os.path.relpath(content, folder))
            else:
                (new / name).write_text(content)
        self._watch(new, folder)
        new.rename(folder)

    def remove(self, folder: Path) -> None:
        """Gone at once, with all that is in it."""
        old = self._aside / "old"
        folder.rename(old)
        shutil.rmtree(old)

    def set(self, file: Path, text: str) -> None:
        """Change a file unheard."""
        new = self._aside / "file"
        new.write_text(text)
        new.replace(file)

    def _watch(self, folder: Path, as_path: Path) -> None:
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _IN_CLOSE_WRITE)
        self._folders[self._checked(number)] = as_path

    def _checked(self, result: int) -> int:
        if result < 0:
            raise OSError(ctypes.get_errno(), f"inotify: {os.strerror(ctypes.get_errno())}")
        return result

    def _listen(self) -> None:
        go_first()
        try:
            while self._stop_read not in select.select([self._fd, self._stop_read], [], [])[0]:
                for file in self._written():
                    if file.parent == self._marker:
                        self._caught_up.set()
                    else:
                        self._heard(file)
        except Exception as error:
            self._error = error
            self._caught_up.set()

    def _written(self) -> Iterator[Path]:
        events = os.read(self._fd, 1 << 16)
        at = 0
        while at < len(events):
            number, mask, _, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            if mask & _IN_CLOSE_WRITE:
                yield self._folders[number] / os.fsdecode(events[at - length : at].rstrip(b"\0"))
