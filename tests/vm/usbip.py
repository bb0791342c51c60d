# SPDX-License-Identifier: GPL-2.0-or-later
"""The device's end of USB/IP: what vhci-hcd asks, handed to a device, and what the device answers.

Documentation/usb/usbip_protocol.rst of the kernel, from USBIP_CMD_SUBMIT on; the import before it is done by whoever
attaches the socket. The host asks for transfers (URBs) on endpoints. A transfer to the device is taken at once, or
left pending, as by a device that says NAK. A transfer from the device waits until there is a packet to fill it.
"""

from __future__ import annotations

import errno
import socket
import struct
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Protocol

SUBMIT, UNLINK = 1, 2  # command in a request; its answer's is 2 more
_HEADER = struct.Struct(">5I28s")  # command, seqnum, devid, direction, endpoint, the rest
_SUBMIT = struct.Struct(">Iiiii8s")  # flags, length, start frame, packets, interval, setup
_PACKET_LIMIT = 64  # packets that wait for the host; what comes after them is lost


@dataclass(frozen=True)
class Setup:
    """A control transfer's first eight bytes, USB 2.0 section 9.3."""

    kind: int  # bmRequestType
    request: int
    value: int
    index: int
    length: int


class Device(Protocol):
    """What answers. Its methods are called one at a time; None: no answer, now or ever."""

    def control(self, setup: Setup) -> bytes | None:
        """A transfer on endpoint 0; data from the host is ignored. Raise Stall for what the device does not know."""

    def receive(self, endpoint: int, data: bytes) -> bool:
        """A packet from the host; whether it was taken."""

    def gone(self) -> None:
        """The host or the cable is gone."""


class Stall(Exception):
    """The device refuses a control transfer."""


class Link:
    """A cable between a device and vhci-hcd, until `cut` or until the host lets go."""

    def __init__(self, connection: socket.socket, device: Device) -> None:
        self._socket = connection
        self._device = device
        self._lock = threading.RLock()
        self._pending: dict[int, tuple[int, int]] = {}  # seqnum: endpoint (IN: with 0x80), length; in order
        self._packets: defaultdict[int, deque[bytes]] = defaultdict(deque)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cut(self) -> None:
        """Pull the plug: the kernel sees a disconnect. Idempotent."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # cut already
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def send(self, endpoint: int, packet: bytes) -> None:
        """Let the host have a packet on an IN endpoint (0x81 ...), as soon as it asks."""
        with self._lock:
            if len(self._packets[endpoint]) < _PACKET_LIMIT:
                self._packets[endpoint].append(packet)
                self._fill(endpoint)

    def forget(self, endpoint: int) -> None:
        """Drop what the host has not fetched from an IN endpoint."""
        with self._lock:
            self._packets[endpoint].clear()

    def _serve(self) -> None:
        try:
            while header := self._read(_HEADER.size):
                command, seqnum, _, is_in, endpoint, rest = _HEADER.unpack(header)
                if command == UNLINK:
                    self._unlink(seqnum, int.from_bytes(rest[:4], "big"))
                else:
                    _, length, *_, setup = _SUBMIT.unpack(rest)
                    data = b"" if is_in else self._read(length)
                    self._submit(seqnum, endpoint | is_in << 7, length, setup, data)
        except OSError:
            pass  # the same as the end of the connection
        self._socket.close()
        self._device.gone()

    def _read(self, length: int) -> bytes:
        """So many bytes, or none at the end of the connection."""
        data = b""
        while len(data) < length:
            if not (chunk := self._socket.recv(length - len(data))):
                return b""
            data += chunk
        return data

    def _submit(self, seqnum: int, endpoint: int, length: int, setup: bytes, data: bytes) -> None:
        with self._lock:
            self._pending[seqnum] = (endpoint, length)
            if endpoint & 0x7F == 0:
                self._control(seqnum, Setup(*struct.unpack("<BBHHH", setup)), data)
            elif endpoint & 0x80:
                self._fill(endpoint)
            elif self._device.receive(endpoint, data):
                self._complete(seqnum, length)

    def _control(self, seqnum: int, setup: Setup, data: bytes) -> None:
        try:
            answer = self._device.control(setup)
        except Stall:
            self._complete(seqnum, 0, status=-errno.EPIPE)
            return
        if answer is not None:
            answer = answer[: setup.length]
            self._complete(seqnum, len(answer) if setup.kind & 0x80 else len(data), answer)

    def _fill(self, endpoint: int) -> None:
        """Answer the transfers that wait on an IN endpoint, the oldest first, a packet each."""
        packets = self._packets[endpoint]
        waiting = [(seqnum, length) for seqnum, (where, length) in self._pending.items() if where == endpoint]
        for seqnum, length in waiting:
            if not packets:
                break
            packet = packets.popleft()
            if rest := packet[length:]:
                packets.appendleft(rest)
            self._complete(seqnum, len(packet[:length]), packet[:length])

    def _complete(self, seqnum: int, length: int, data: bytes = b"", status: int = 0) -> None:
        del self._pending[seqnum]
        self._answer(SUBMIT, seqnum, struct.pack(">iiiii8x", status, length, 0, 0, 0) + data)

    def _unlink(self, seqnum: int, target: int) -> None:
        """The host does not want a transfer any more: it was too slow, or the port is closed."""
        with self._lock:
            was_pending = self._pending.pop(target, None)
            self._answer(UNLINK, seqnum, struct.pack(">i24x", -errno.ECONNRESET if was_pending else 0))

    def _answer(self, command: int, seqnum: int, rest: bytes) -> None:
        try:
            self._socket.sendall(struct.pack(">5I", command + 2, seqnum, 0, 0, 0) + rest)
        except OSError:
            pass  # cut meanwhile
