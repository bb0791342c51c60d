# SPDX-License-Identifier: GPL-2.0-or-later
"""The three faces of a Huawei stick on the bus: storage, serial, HiLink. USB 2.0 chapter 9, CDC 1.2, NCM 1.0.

Ids, classes and the order of the interfaces are a real stick's; endpoint numbers and strings are assumed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

BULK, INTERRUPT = 2, 3
STRINGS = {1: "HUAWEI_MOBILE", 2: "HUAWEI_MOBILE", 3: "0123456789ABCDEF", 4: "0C5B8F279A64"}
"""Manufacturer, product, serial (many sticks have this very one), MAC address."""


def interface(number: int, alternate: int, kind: tuple[int, int, int], *parts: bytes) -> bytes:
    """An interface, with its class descriptors and its endpoints (those of 7 bytes and type 5)."""
    endpoints = sum(part[1] == 5 for part in parts)
    return struct.pack("9B", 9, 4, number, alternate, endpoints, *kind, 0) + b"".join(parts)


def endpoint(address: int, kind: int = BULK) -> bytes:
    size, interval = (512, 0) if kind == BULK else (16, 9)
    return struct.pack("<4BHB", 7, 5, address, kind, size, interval)


def cdc(subtype: int, body: bytes) -> bytes:
    """A class-specific interface descriptor, CDC 1.2 section 5.2.3."""
    return bytes([3 + len(body), 0x24, subtype]) + body


def ethernet(first: int, subclass: int, notify: int, data: int, extra: tuple[bytes, ...] = ()) -> bytes:
    """A network card of two interfaces: control, and data with its endpoints in alternate setting 1."""
    functional = [
        cdc(0x00, struct.pack("<H", 0x0110)),  # header: CDC 1.10
        cdc(0x06, bytes([first, first + 1])),  # union
        cdc(0x0F, struct.pack("<BIHHB", 4, 0, 1514, 0, 0)),  # ethernet: string 4 is the MAC address
    ]
    protocol = 1 if extra else 0  # NCM's data class has a protocol, ECM's has none
    return (
        interface(first, 0, (0x02, subclass, 0), *functional, *extra, endpoint(notify, INTERRUPT))
        + interface(first + 1, 0, (0x0A, 0, protocol))
        + interface(first + 1, 1, (0x0A, 0, protocol), endpoint(0x80 | data), endpoint(data))
    )


def serial(number: int) -> bytes:
    """A vendor's serial port, which the kernel's `option` takes by its class: in 0x8n, out 0x0n, n = 1, 3, 5."""
    n = 2 * number + 1
    return interface(
        number, 0, (0xFF, 0xFF, 0xFF), endpoint(0x80 | n + 1, INTERRUPT), endpoint(0x80 | n), endpoint(n)
    )


@dataclass(frozen=True)
class Face:
    """What the stick says it is."""

    product: int
    interfaces: bytes = field(repr=False)
    vendor: int = 0x12D1

    @property
    def device(self) -> bytes:
        """USB 2.0 table 9-8."""
        return struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, self.vendor, self.product, 0x0102, 1, 2, 3, 1)

    @property
    def configuration(self) -> bytes:
        """USB 2.0 table 9-10, and all that belongs to it."""
        numbers = {self.interfaces[at + 2] for at in _starts(self.interfaces) if self.interfaces[at + 1] == 4}
        total = 9 + len(self.interfaces)
        return struct.pack("<BBHBBBBB", 9, 2, total, len(numbers), 1, 0, 0x80, 250) + self.interfaces  # 500 mA


def _starts(descriptors: bytes) -> list[int]:
    starts, at = [], 0
    while at < len(descriptors):
        starts.append(at)
        at += descriptors[at]
    return starts


def string(index: int) -> bytes:
    """USB 2.0 section 9.6.7. Raise KeyError."""
    body = struct.pack("<H", 0x0409) if index == 0 else STRINGS[index].encode("utf-16-le")
    return bytes([2 + len(body), 3]) + body


NCM = cdc(0x1A, struct.pack("<HB", 0x0100, 0))
STORAGE = Face(0x1F01, interface(0, 0, (0x08, 0x06, 0x50), endpoint(0x81), endpoint(0x01)))
SERIAL = Face(0x155E, serial(0) + serial(1) + serial(2) + ethernet(3, 0x0D, notify=0x88, data=0x07, extra=(NCM,)))
HILINK = Face(0x14DB, ethernet(0, 0x06, notify=0x81, data=0x02))
