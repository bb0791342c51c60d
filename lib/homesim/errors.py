# SPDX-License-Identifier: GPL-2.0-or-later
"""Failures that are expected: each names its object, says what to do and carries an exit code.

Anything else that is raised is a bug and shows its traceback (program.py).
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


class HomesimError(Exception):
    """A failure that a person can act on, said as `THING: REASON`, a line a reason; `fault`: its key in health/faults.

    Never put SMS text, a code, a PIN or the token into either. No code reads the prose.
    """

    exit_code = EXIT_TRY_AGAIN

    def __init__(self, thing: object, *reasons: str, fault: str = "") -> None:
        super().__init__(thing, *reasons)
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.reason}"

    @property
    def reason(self) -> str:
        """Why, without the thing."""
        return "; ".join(self.args[1:])

    def lines(self) -> Sequence[str]:
        """What to print, a line each."""
        return [f"{self.args[0]}: {reason}" for reason in self.args[1:]]


def reason(error: OSError) -> str:
    """What the system says, and what to do if that is known."""
    words = (error.strerror or "cannot be used").lower()
    return f"{words}; run it as root" if isinstance(error, PermissionError) else words


class TryAgain(HomesimError):
    """The modem, Telegram or the disk is out of reach now; what was read is kept."""


class ConfigError(HomesimError):
    """Nothing gets better before a person changes the configuration (or the SIM)."""

    exit_code = EXIT_CONFIG


class UsageError(HomesimError):
    """The command line names something that is not there."""

    exit_code = EXIT_USAGE
