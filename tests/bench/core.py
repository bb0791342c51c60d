# SPDX-License-Identifier: GPL-2.0-or-later
"""A part of one core, for what is measured: a small Pi. The kernel's CPU bandwidth control, by a cgroup of our own.

    v2      cpu.max: quota and period                                   Documentation/admin-guide/cgroup-v2.rst
    v1      cpu.cfs_quota_us, cpu.cfs_period_us                         Documentation/scheduler/sched-bwc.rst

By public single-thread benchmarks a tenth of a server's core is about a Pi 3 or Zero 2 W. It is no Pi.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Self

ROOT = Path("/sys/fs/cgroup")
PERIOD = 20_000  # microseconds: a thread that has used up its share waits no longer than that


class Core:
    """So many percent of a core for all processes that join. Use it as a context manager, as root."""

    def __init__(self, percent: int) -> None:
        """Raise OSError where there is no such cgroup."""
        quota = PERIOD * percent // 100
        if (ROOT / "cgroup.controllers").exists():
            (ROOT / "cgroup.subtree_control").write_text("+cpu")
            limits = {"cpu.max": f"{quota} {PERIOD}"}
            self._folder = ROOT / f"homesim-bench-{os.getpid()}"
        else:
            limits = {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(quota)}
            self._folder = ROOT / f"cpu/homesim-bench-{os.getpid()}"
        if not self._folder.parent.is_dir():
            raise FileNotFoundError(f"{self._folder.parent}: no cgroup")
        self._folder.mkdir()
        for name, value in limits.items():
            (self._folder / name).write_text(value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for _ in range(100):  # until the last of its processes has been reaped
            with contextlib.suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.05)

    def join(self) -> None:
        """This process and its children to come: for preexec_fn."""
        (self._folder / "cgroup.procs").write_text("0")
