# SPDX-License-Identifier: GPL-2.0-or-later
"""The alphabets of SMS: septets and octets to text (3GPP TS 23.038). Pure.

A unit is a septet (one a byte) in the GSM 7-bit alphabet and an octet in the others. Units of the parts of
one long SMS are joined before they are decoded, so that nothing is lost where a sender cut through a
surrogate pair or an escape sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ESCAPE = 0x1B

# TS 23.038 6.2.1. ESC stands in the table's place 0x1B and is never printed.
_DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

# TS 23.038 6.2.1.1; ESC ESC is reserved for a further table and shows as a space.
_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x1B: " ", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]",
    0x40: "|", 0x65: "€",
}  # fmt: skip

# TS 23.038 annex A.3, by the language's number (6.2.1.2.4).
LOCKING = {
    0: _DEFAULT,
    2: _DEFAULT,  # Spanish has no locking table
    1: (
        "@£$¥€éùıòÇ\nĞğ\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
        "İABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§çabcdefghijklmnopqrstuvwxyzäöñüà"
    ),
    3: (
        "@£$¥êéúíóç\nÔô\rÁáΔ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ !\"#º%&'()*+,-./0123456789:;<=>?"
        "ÍABCDEFGHIJKLMNOPQRSTUVWXYZÃÕÚÜ§~abcdefghijklmnopqrstuvwxyzãõ`üà"
    ),
}

# TS 23.038 annex A.2: what each language adds to (or puts in the place of) the extension table.
SINGLE = {
    0: _EXTENSION,
    1: _EXTENSION | {
        0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş",
    },
    2: _EXTENSION | {
        0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú",
    },
    3: _EXTENSION | {
        0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ", 0x15: "Ω",
        0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú",
        0x5B: "Ã", 0x5C: "Õ", 0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Alphabet:
    """How the units of a user data field are read; the tables are numbers of TS 23.038 6.2.1.2.4."""

    name: Literal["gsm7", "ucs2", "8bit"]
    locking: int = 0
    single: int = 0

    def shifted(self, *, locking: int = 0, single: int = 0) -> Alphabet:
        """With the tables of a national language, each on its own.

        A table that is not here, as those of India (4 to 13), or reserved, leaves things as they are: so a receiver
        is to do (TS 23.038 6.2.1.2.4, C.2, C.3; TS 23.040 9.2.3.24.15).
        """
        return Alphabet(
            self.name,
            locking if locking in LOCKING and locking else self.locking,
            single if single in SINGLE and single else self.single,
        )

    def decode(self, units: bytes) -> str:
        """The text of these units. Half characters become U+FFFD; 8-bit data has no text of its own."""
        if self.name == "gsm7":
            return _septets(units, LOCKING[self.locking], SINGLE[self.single])
        if self.name == "ucs2":
            half = len(units) % 2
            return units[: len(units) - half].decode("utf-16-be", "replace") + "\ufffd" * half
        return units.decode("utf-8", "replace")


GSM7 = Alphabet("gsm7")


def _septets(units: bytes, table: str, extension: dict[int, str]) -> str:
    text = []
    escaped = False
    for unit in units:
        if escaped:
            # TS 23.038 6.2.1.1: what the extension table lacks shows as the main table has it.
            text.append(extension.get(unit) or table[unit])
            escaped = False
        elif unit == ESCAPE:
            escaped = True
        else:
            text.append(table[unit])
    return "".join(text) + " " * escaped


def unpack(octets: bytes, count: int, skip: int = 0) -> bytes:
    """`count` septets out of packed octets (TS 23.038 6.1.2.1), one a byte, less the first `skip`."""
    bits = int.from_bytes(octets, "little")
    return bytes(bits >> 7 * place & 0x7F for place in range(skip, count))
