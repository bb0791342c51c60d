# SPDX-License-Identifier: GPL-2.0-or-later
"""The CD-ROM that a stick pretends to be: bulk-only transport (USB MSC BOT 1.0) with just enough SCSI.

There is no disc in it (a real one shows its Windows installer): udev finds nothing to look at, and usb_modeswitch
does not care. Two of the messages that it sends make the stick something else.
"""

from __future__ import annotations

import struct

from vm.descriptors import HILINK, SERIAL, Face

INQUIRY = b"\x05\x80\x02\x02\x1f\0\0\0" + b"HUAWEI  Mass Storage    2.31"
MODES = {  # the command of StandardEject in usb_modeswitch 2.6.1: HuaweiNewMode, HuaweiAltMode
    bytes.fromhex("11062000000101000100"): HILINK,
    bytes.fromhex("11063000000000010000"): SERIAL,
}
_CBW = struct.Struct("<4sIIBBB16s")  # signature, tag, length, flags, LUN, length of the command, command


class Disc:
    """The state of the drive: why the last command failed."""

    def __init__(self) -> None:
        self._sense = (0, 0)

    def command(self, wrapper: bytes) -> tuple[list[bytes], Face | None]:
        """A packet from the host to the packets for the host, and what the stick turns into."""
        if len(wrapper) != _CBW.size or not wrapper.startswith(b"USBC"):
            return [], None  # data of a write command: none is known
        _, tag, length, flags, _, _, command = _CBW.unpack(wrapper)
        if face := MODES.get(command[:10]):
            return [], face
        data = self._answer(command)
        failed = data is None
        packets = [(data or b"")[:length]] if flags & 0x80 and length else []
        rest = length - sum(map(len, packets))
        return [*packets, struct.pack("<4sIIB", b"USBS", tag, rest, failed)], None

    def _answer(self, command: bytes) -> bytes | None:
        """SPC-2. None: CHECK CONDITION, and the reason for REQUEST SENSE."""
        match command[0]:
            case 0x12:
                return INQUIRY
            case 0x03:
                key, code = self._sense
                return struct.pack(">BxBxxxxBxxxxBxxxxx", 0x70, key, 10, code)
            case 0x1E | 0x1B:  # PREVENT ALLOW MEDIUM REMOVAL, START STOP UNIT
                return b""
            case 0x00 | 0x25 | 0x28 | 0x43:  # TEST UNIT READY, READ CAPACITY, READ, READ TOC: no medium
                self._sense = (2, 0x3A)
            case _:
                self._sense = (5, 0x20)  # no such command
        return None
