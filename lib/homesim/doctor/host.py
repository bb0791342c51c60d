# SPDX-License-Identifier: GPL-2.0-or-later
"""The system that doctor looks at: its files and processes, never another program's output.

What may not be seen raises PermissionError; what is not there is empty.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

GONE = (FileNotFoundError, NotADirectoryError, ProcessLookupError)


class Host:
    """Paths are those of the system, with `root` before them: / but in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def name(self, path: Path) -> str:
        """What a person calls it."""
        return f"/{path.relative_to(self.root)}" if path.is_relative_to(self.root) else str(path)

    def read(self, path: str) -> str:
        try:
            return self.path(path).read_text(encoding="utf-8", errors="replace")
        except GONE:
            return ""

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted."""
        try:
            return sorted(os.listdir(self.path(folder)))
        except GONE:
            return []

    def packages(self) -> set[str]:
        """The installed ones and what they provide, from dpkg's own list."""
        entries = self.read("/var/lib/dpkg/status").split("\n\n")
        installed = "\n".join(entry for entry in entries if " ok installed\n" in entry)
        names = re.findall(r"^(?:Package|Provides): (.*)$", installed, re.MULTILINE)
        return {word.strip(",") for line in names for word in line.split()}

    def processes(self) -> dict[int, str]:
        """pid to the kernel's name of the program, which it cuts to 15 characters (proc_pid_comm(5))."""
        pids = [int(name) for name in self.names("/proc") if name.isdigit()]
        return {pid: name for pid in pids if (name := self.read(f"/proc/{pid}/comm").strip())}

    def holders(self, file: Path) -> list[int]:
        """The processes that have it open. Raise PermissionError when those of other users cannot be seen."""
        return [pid for pid in self.processes() if os.path.realpath(file) in self._open_files(pid)]

    def holds(self, pid: int, file: Path) -> bool:
        return os.path.realpath(file) in self._open_files(pid)

    def _open_files(self, pid: int) -> set[str]:
        found = set()
        for descriptor in self.names(f"/proc/{pid}/fd"):
            with contextlib.suppress(*GONE):
                found.add(os.readlink(self.path(f"/proc/{pid}/fd/{descriptor}")))
        return found

    def mount(self, folder: Path) -> tuple[str, str]:
        """Where the file system that holds a folder is mounted, and its type (proc_pid_mounts(5)); "" unknown."""
        found = ("", "")
        for line in self.read("/proc/mounts").splitlines():
            _, point, kind, *_ = [*line.split(" "), "", ""]
            if folder.is_relative_to(point) and len(point) >= len(found[0]):
                found = (point, kind)
        return found
