# SPDX-License-Identifier: GPL-2.0-or-later
"""A rig whose modem is a HiLink stick, at its address; the stick of the clinic is in too, and is left alone."""

from __future__ import annotations

from clinic import Clinic
from emulators.hilink.stick import HilinkStick


class PageRig(Clinic):
    def __init__(self, python: str, firmware: str = "E3372h-320", password: str | None = None) -> None:
        super().__init__(python)
        self.hilink = HilinkStick(firmware, password=password)
        self.password = password

    def __enter__(self) -> PageRig:
        self.hilink.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.hilink.__exit__(*error)

    def configure(self, *, modem: str = "", **tables: str) -> None:
        secret = f'\npassword = "{self.password}"' if self.password else ""
        super().configure(modem=f'device = "{self.hilink.url}"{secret}\n{modem}', **tables)
