# SPDX-License-Identifier: GPL-2.0-or-later
"""The SMS in what a stick answers to AT+CMGL and AT+CMGR in PDU mode. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from homesim import pdu
from homesim.wire import Exchange

_SELECTED = re.compile(r'AT\+CPMS="(\w+)"')
_HEADER = re.compile(r"\+CMG[LR]: ?(?P<first>\d+),.*?(?P<length>\d+) ?")
_HEX = re.compile(r"[0-9A-Fa-f]+")


def lists(exchanges: Sequence[Exchange]) -> dict[str, dict[int, str]]:
    """Memory to slots to PDUs, of each AT+CMGL that was answered well."""
    found: dict[str, dict[int, str]] = {}
    memory = ""
    for exchange in exchanges:
        if selected := _SELECTED.match(exchange.command):
            memory = selected[1]
        elif exchange.command.startswith("AT+CMGL") and exchange.answer[-1] == "OK":
            found[memory] = slots(exchange.answer)
    return found


def slots(lines: Sequence[str], *, whole: bool = True) -> dict[int, str]:
    """The PDUs behind `+CMGL: index,stat,[alpha],length` (TS 27.005 4.1) by index.

    "" for one that is not as long as its header says. +CMGR has no index (4.2): what stands there is its state.
    """
    found: dict[int, str] = {}
    for header, text in zip(lines, [*lines[1:], ""], strict=True):
        if headed := _HEADER.fullmatch(header):
            fits = _HEX.fullmatch(text) and (not whole or _length(text) == headed["length"])
            found[int(headed["first"])] = text if fits else ""
    return found


def _length(text: str) -> str:
    """Octets of a PDU without the service centre's address, as headers count them."""
    try:
        return str(len(pdu.tpdu(text)))
    except ValueError:
        return "none"
