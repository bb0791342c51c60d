# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated stick's USB side by itself; what a kernel makes of it, make test-vm shows."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

import pytest

from patience import PATIENCE
from vm.descriptors import HILINK, SERIAL, STORAGE, Face
from vm.scsi import Disc
from vm.usbip import Link, Setup, Stall


class Echo:
    """Knows one control request; gives back on 0x81 what it gets on 0x01; takes nothing on 0x02."""

    link: Link
    left = False

    def control(self, setup: Setup) -> bytes | None:
        if setup.request == 6:
            return b"descriptor"
        if setup.request == 7:
            return None
        raise Stall

    def receive(self, endpoint: int, data: bytes) -> bool:
        if endpoint == 1:
            self.link.send(0x81, data)
        return endpoint == 1

    def gone(self) -> None:
        self.left = True


class Host:
    """The kernel's end of the cable."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(PATIENCE)

    def submit(self, seqnum: int, endpoint: int, length: int = 0, setup: bytes = bytes(8), data: bytes = b"") -> None:
        is_in = endpoint >> 7
        header = struct.pack(">5I", 1, seqnum, 0x10001, is_in, endpoint & 0x7F)
        self.connection.sendall(header + struct.pack(">Iiiii8s", 0, length or len(data), 0, 0, 0, setup) + data)

    def unlink(self, seqnum: int, target: int) -> None:
        self.connection.sendall(struct.pack(">5II24x", 2, seqnum, 0x10001, 0, 0, target))

    def answer(self, data: bool = True) -> tuple[int, int, int, bytes]:
        """Command, seqnum, status, and what came with it."""
        command, seqnum, _, _, _, status, length = struct.unpack(">5Iii20x", self._read(48))
        return command, seqnum, status, self._read(length) if data and command == 3 else b""

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            data += self.connection.recv(length - len(data))
        return data


@pytest.fixture
def host() -> Iterator[tuple[Host, Echo]]:
    theirs, ours = socket.socketpair()
    device = Echo()
    device.link = Link(ours, device)
    device.link.start()
    yield Host(theirs), device
    device.link.cut()
    theirs.close()


def get(request: int, length: int = 64) -> bytes:
    return struct.pack("<BBHHH", 0x80, request, 0x0100, 0, length)


def test_control(host: tuple[Host, Echo]) -> None:
    kernel, _ = host
    kernel.submit(1, 0x80, 64, get(6))
    assert kernel.answer() == (3, 1, 0, b"descriptor")
    kernel.submit(2, 0x80, 4, get(6, 4))
    assert kernel.answer() == (3, 2, 0, b"desc")
    kernel.submit(3, 0x80, 64, get(9))
    assert kernel.answer() == (3, 3, -errno.EPIPE, b"")


def test_in_waits_for_a_packet_and_splits_it(host: tuple[Host, Echo]) -> None:
    kernel, _ = host
    kernel.submit(1, 0x81, 3)
    kernel.submit(2, 0x81, 3)
    kernel.submit(3, 0x01, data=b"12345")
    assert [kernel.answer() for _ in range(2)] == [(3, 1, 0, b"123"), (3, 2, 0, b"45")]
    assert kernel.answer(data=False) == (3, 3, 0, b"")


def test_unlink(host: tuple[Host, Echo]) -> None:
    """Of a transfer that waits, and of one that has been answered."""
    kernel, _ = host
    kernel.submit(1, 0x02, data=b"never taken")
    kernel.submit(2, 0x80, 64, get(7))
    kernel.unlink(3, 1)
    kernel.unlink(4, 2)
    kernel.unlink(5, 2)
    assert [kernel.answer() for _ in range(3)] == [
        (4, 3, -errno.ECONNRESET, b""),
        (4, 4, -errno.ECONNRESET, b""),
        (4, 5, 0, b""),
    ]


def test_cut(host: tuple[Host, Echo]) -> None:
    kernel, device = host
    device.link.cut()
    assert kernel.connection.recv(1) == b""
    assert device.left


@pytest.mark.parametrize("face", [STORAGE, SERIAL, HILINK])
def test_descriptors_add_up(face: Face) -> None:
    """USB 2.0 section 9.5: lengths, counts, no endpoint twice in an alternate setting."""
    parts, rest = [], face.configuration
    while rest:
        parts.append(rest[: rest[0]])
        rest = rest[rest[0] :]
    total, interfaces = struct.unpack("<HB", parts[0][2:5])
    assert total == len(face.configuration)
    assert interfaces == len({part[2] for part in parts if part[1] == 4})
    wanted = sum(part[4] for part in parts if part[1] == 4)
    endpoints = [part[2] for part in parts if part[1] == 5]
    assert wanted == len(endpoints) == len(set(endpoints))


def test_disc_becomes_what_the_message_says() -> None:
    def message(command: str) -> bytes:
        return (bytes.fromhex("5553424312345678000000000000") + bytes(1) + bytes.fromhex(command)).ljust(31, b"\0")

    disc = Disc()
    assert disc.command(message("11062000000101000100"))[1] is HILINK
    assert disc.command(message("11063000000000010000"))[1] is SERIAL
    packets, face = disc.command(message("00"))  # TEST UNIT READY
    assert face is None
    assert packets[-1][:4] == b"USBS"
    assert packets[-1][12] == 1  # failed: no medium
