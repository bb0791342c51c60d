# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between Huawei sticks, as far as public logs tell.

A value that no log shows is assumed to be that of a similar stick, and a comment says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType


def _sizes(sm: int, me: int) -> Mapping[str, int]:
    """The slots of SIM and stick."""
    return MappingProxyType({"SM": sm, "ME": me})


@dataclass(frozen=True)
class Profile:
    """One model of stick. The defaults are those of most logs."""

    model: str
    revision: str = "11.126.85.00.00"
    sizes: Mapping[str, int] = field(default_factory=lambda: _sizes(50, 20))
    receive_memory: str = "ME"
    """The third memory of AT+CPMS, where SMS from the air go, after power-on."""
    cpms_needs_three: bool = False
    unknown_command: str = "ERROR"
    tells_tries: str = ""
    """The command that says how many tries the SIM has left, ^CPIN or +CPINR. None of the logs has either."""


# The firmware is from a log, what AT+CPMS=? lists too; sizes and receive memory are assumed.
_E3372 = Profile("E3372", revision="22.329.63.00.74", sizes=_sizes(50, 23), receive_memory="SM")

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "E3372": _E3372,
        # No AT log of an E8372 was found: an E3372 with a model name that libgammu does not know.
        "E8372": replace(_E3372, model="E8372"),
        # Brovi insists on three parameters; the rest is assumed to be like an E3372.
        "E3372-325": replace(_E3372, model="E3372-325", cpms_needs_three=True),
        "E1752": Profile("E1752", sizes=_sizes(50, 23), receive_memory="SM"),
        "E173": Profile("E173", unknown_command="COMMAND NOT SUPPORT"),  # sizes: like an E303
        "E303": Profile("E303"),
        "E3131": Profile("E3131", sizes=_sizes(30, 20), tells_tries="^CPIN"),
        "E3531": Profile("E3531", tells_tries="+CPINR"),
    }
)
