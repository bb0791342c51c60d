# SPDX-License-Identifier: GPL-2.0-or-later
"""The words for what a stick says, whatever kind of stick it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The states of TS 27.007 7.2, in libgammu's words and in a person's.
REGISTRATIONS = {
    "HomeNetwork": "registered at home",
    "RoamingNetwork": "registered, roaming",
    "RequestingNetwork": "searching for a network",
    "RegistrationDenied": "refused by the network",
    "NoNetwork": "not registered, and not searching",
    "NetworkStatusUnknown": "registration is not known",
}
_SIGNALS = ((30, "weak"), (55, "fair"), (75, "good"), (101, "very good"))  # percent, below


def network(seen: Mapping[str, Any]) -> str:
    """registration, operator and signal of a status, in words."""
    registration, signal = str(seen.get("registration", "")), seen.get("signal")
    words = REGISTRATIONS.get(registration, registration or REGISTRATIONS["NetworkStatusUnknown"])
    if registration not in ("HomeNetwork", "RoamingNetwork"):
        return words
    strength = next((f"{word} ({signal} %)" for limit, word in _SIGNALS if signal is not None and signal < limit), "")
    return f"{seen.get('operator') or 'an operator without a name'}, {words}, signal {strength or 'unknown'}"
