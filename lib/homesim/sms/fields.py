# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields that TPDUs are made of, taken from the front: octets, addresses, time stamps (TS 23.040). Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from homesim.sms.alphabet import GSM7, unpack

_DIGITS = "0123456789*#abc"


class PduError(ValueError):
    """The octets are not what TS 23.040 says they should be; in words for people, behind a colon."""


class Reader:
    """Octets, taken from the front; taking more than there are is a PduError."""

    def __init__(self, octets: bytes) -> None:
        self.rest = octets

    def take(self, count: int, what: str) -> bytes:
        if count > len(self.rest):
            raise PduError(f"it is cut off in its {what}")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def octet(self, what: str) -> int:
        return self.take(1, what)[0]

    def address(self) -> str:
        """TS 23.040 9.1.2.5."""
        length = self.octet("address")
        type_of_number = self.octet("address") >> 4 & 0x07
        octets = self.take((length + 1) // 2, "address")
        if type_of_number == 0x05:
            septets = unpack(octets, length * 4 // 7)
            if len(septets) == 8 and septets[7] == 0:  # seven letters whose centre counted its fill bits
                septets = septets[:7]
            return GSM7.decode(septets)
        nibbles = [nibble for octet in octets for nibble in (octet & 0x0F, octet >> 4)][:length]
        digits = "".join(_DIGITS[nibble] for nibble in nibbles if nibble < len(_DIGITS))
        return f"+{digits}" if type_of_number == 0x01 and digits else digits

    def time(self, what: str) -> datetime | None:
        """TS 23.040 9.2.3.11: swapped decimal digits, the zone in quarters of an hour with its sign in bit 3.

        A digit that is none counts as 0, says that clause; what is no date even so is None.
        """
        octets = self.take(7, what)
        year, month, day, hour, minute, second = (_two_digits(octet) for octet in octets[:6])
        quarters = _two_digits(octets[6] & 0xF7)
        zone = timezone(timedelta(minutes=15 * (-quarters if octets[6] & 0x08 else quarters)))
        try:
            return datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone)
        except ValueError:
            return None


def _two_digits(octet: int) -> int:
    tens, units = (nibble if nibble < 10 else 0 for nibble in (octet & 0x0F, octet >> 4))
    return 10 * tens + units
