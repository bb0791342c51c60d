# SPDX-License-Identifier: GPL-2.0-or-later
"""A Huawei stick that can be plugged into the guest: the emulated modem of the quick tests behind a USB plug.

It is powered on as a CD-ROM (12d1:1f01) and stays one until usb_modeswitch tells it what to be: serial ports
(12d1:155e) with the modem on interfaces 0 and 2, or a network card (12d1:14db) without any port. A change of face
is a disconnect and a new connect, and each loss of power ends in the CD-ROM again.

What goes wrong with its USB side is ordered here, what goes wrong with its AT side at `modem.faults`.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from enum import Enum

from stick import Stick
from vm import descriptors
from vm.descriptors import HILINK, SERIAL, STORAGE, Face
from vm.guest import Guest
from vm.scsi import Disc
from vm.usbip import Link, Setup, Stall

HIGH_SPEED = 3  # enum usb_device_speed of the kernel
AT_PORTS = {0x01: 0x81, 0x05: 0x85}  # bulk OUT to bulk IN of the serial interfaces 0 and 2
FIRMWARE = 0.3  # seconds from one face to the next; a real stick takes several

STANDARD_IN, STANDARD_OUT, CLASS_IN = 0x80, 0x00, 0xA1  # bmRequestType: direction and type
GET_DESCRIPTOR, SET_CONFIGURATION, SET_CONTROL_LINE_STATE = 6, 9, 0x22

# NCM 1.0 section 6.2.1 and its neighbours: what cdc_ncm asks of a network card before it believes in it.
NCM_ANSWERS = {
    0x80: bytes.fromhex("1c00 0100 00400000 0400 0000 0400 0000 00400000 0400 0000 0400 1000".replace(" ", "")),
    0x83: b"\0\0",  # GET_NTB_FORMAT
    0x85: bytes.fromhex("00400000"),  # GET_NTB_INPUT_SIZE
    0xFE: b"\0",  # GET_MAX_LUN, of the CD-ROM
}


class Cure(Enum):
    """What ends a freeze."""

    CONFIGURATION = 1
    """The host configures it anew: `authorized` 0 and 1, unbind and bind, or more than that."""
    POWER = 2
    """It loses its power: a replug, or the hub's port off and on."""
    NONE = 3


class Huawei:
    """One stick, which is plugged in with `plug`. Its methods may be called from any thread."""

    def __init__(self, guest: Guest, modem: Stick, port: int = 0) -> None:
        """Given the emulated modem in it, and the port of the guest's root hub, from 0."""
        self.modem = modem
        self.port = port
        self.face = STORAGE
        self.faces: list[Face] = []
        """What it has been on the bus, in order."""
        self.configured = 0
        """How often the host has given it a configuration."""
        self.silent_endpoint_0 = False
        self.out_blocked = False
        self.storage_after_reset = False
        self._guest = guest
        self._cure: Cure | None = None
        self._link: Link | None = None
        self._lock = threading.RLock()
        self._disc = Disc()
        self._answers_to = 0x81
        self._open: set[int] = set()  # interfaces with DTR
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._serving: threading.Thread | None = None

    @property
    def path(self) -> str:
        """Its folder in /sys/bus/usb/devices."""
        return f"1-{self.port + 1}"

    def __enter__(self) -> Huawei:
        return self

    def __exit__(self, *error: object) -> None:
        self.unplug()

    # --- by hand ---

    def plug(self, port: int | None = None) -> None:
        """Put it in, at the same port of the hub or another."""
        self.port = self.port if port is None else port
        self._lose_power()
        self._connect(STORAGE)

    def unplug(self) -> None:
        """Pull it out. Idempotent."""
        with self._lock:
            link, self._link = self._link, None
        if link:
            link.cut()

    def freeze(self, until: Cure) -> None:
        """The modem takes commands no more. USB itself goes on."""
        self._cure = until
        self.modem.faults.freeze()

    # --- the plug ---

    def _connect(self, face: Face) -> None:
        self.face = face
        self.faces.append(face)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._attach(server.getsockname()[1])
            connection, _ = server.accept()
        with self._lock:
            self._link = Link(connection, self)
            self._link.start()

    def _attach(self, port: int) -> None:
        """The kernel takes a moment to free a hub port that was in use."""
        deadline = time.monotonic() + 20
        while True:
            try:
                return self._guest.attach(self.port, 0x10000 + self.port + 1, HIGH_SPEED, port)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _become(self, face: Face) -> None:
        """Vanish from the bus and come back as something else."""

        def change() -> None:
            self.unplug()
            time.sleep(FIRMWARE)
            self._connect(face)

        threading.Thread(target=change, daemon=True).start()

    def _lose_power(self) -> None:
        if self._cure is not Cure.NONE:
            self.modem.faults.thaw()
        self.modem.restart()

    # --- what the host sees (usbip.Device) ---

    def control(self, setup: Setup, data: bytes) -> bytes | None:
        if self.silent_endpoint_0:
            return None
        match setup.kind, setup.request:
            case 0x80, 6:
                return self._descriptor(setup.value >> 8, setup.value & 0xFF)
            case 0x80 | 0x81 | 0x82, 0:  # GET_STATUS
                return b"\0\0"
            case 0x00, 9:
                self._configure(setup.value)
            case 0x21, 0x22:
                self._set_line(setup.index, setup.value)
            case 0xA1, request if request in NCM_ANSWERS:
                return NCM_ANSWERS[request]
            case kind, _ if kind & 0x80:
                raise Stall
        return b""

    def receive(self, endpoint: int, data: bytes) -> bool:
        if self.out_blocked:
            return False
        if self.face is STORAGE:
            self._store(data)
        elif self.face is SERIAL and endpoint in AT_PORTS:
            self._answers_to = AT_PORTS[endpoint]
            self._inbox.put(data)
        return True

    def gone(self) -> None:
        self._configure(0)

    # --- what it does ---

    def _descriptor(self, kind: int, index: int) -> bytes:
        try:
            return {1: self.face.device, 2: self.face.configuration}.get(kind) or {3: descriptors.string}[kind](index)
        except KeyError:
            raise Stall from None

    def _configure(self, value: int) -> None:
        """0: off. The power stays on, so the modem is not restarted."""
        self._inbox.put(None)
        self.modem.detach()
        self._open.clear()
        if not value:
            return
        self.configured += 1
        if self._cure is Cure.CONFIGURATION:
            self.modem.faults.thaw()
        if self.face is SERIAL and self.storage_after_reset and self.faces[-2:] != [STORAGE, SERIAL]:
            return self._become(STORAGE)
        if self.face is SERIAL:
            self._inbox = queue.SimpleQueue()
            self.modem.attach(self._say)
            threading.Thread(target=self._serve, args=(self._inbox,), daemon=True).start()

    def _serve(self, inbox: queue.SimpleQueue[bytes | None]) -> None:
        """The modem takes its time; the bus does not wait for it."""
        while (data := inbox.get()) is not None:
            self.modem.feed(data)

    def _say(self, data: bytes) -> None:
        """To the port that asked last. Assumed: while nobody has the port open (DTR), what it says is lost."""
        if self._link and (self._answers_to & 0x0F) // 2 in self._open:
            self._link.send(self._answers_to, data)

    def _set_line(self, interface: int, value: int) -> None:
        """CDC PSTN 1.2 section 6.3.12: bit 0 is DTR, which the kernel sets while a tty is open."""
        if value & 1:
            self._open.add(interface)
        else:
            self._open.discard(interface)
            if self._link:
                self._link.forget(0x81 + 2 * interface)

    def _store(self, data: bytes) -> None:
        packets, face = self._disc.command(data)
        for packet in packets:
            if self._link:
                self._link.send(0x81, packet)
        if face:
            self._become(face)


__all__ = ["HILINK", "SERIAL", "STORAGE", "Cure", "Huawei"]
