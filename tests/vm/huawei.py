# SPDX-License-Identifier: GPL-2.0-or-later
"""A Huawei stick that can be plugged into the guest: the emulated modem of the quick tests behind a USB plug.

It is powered on as a CD-ROM (12d1:1f01) and stays one until usb_modeswitch tells it what to be: serial ports
(12d1:155e) with the modem on interfaces 0 and 2, or a network card (12d1:14db) without any port. A change of face
is a disconnect and a new connect, and each loss of power ends in the CD-ROM again.

What goes wrong with its USB side is ordered here, what goes wrong with its AT side at `modem.faults`. Those with an
`until` end by what the kernel does to the stick, which cannot tell AUTHORIZE from BIND.
"""

from __future__ import annotations

import queue
import socket
import threading
import time

from emulators.stick.stick import Cure, Stick
from vm.descriptors import HILINK, SERIAL, STORAGE, Face, string
from vm.guest import Guest
from vm.scsi import Disc
from vm.usbip import Link, Setup, Stall

HIGH_SPEED = 3  # enum usb_device_speed of the kernel
AT_PORTS = {0x01: 0x81, 0x05: 0x85}  # bulk OUT to bulk IN of the serial interfaces 0 and 2
FIRMWARE = 0.3  # seconds from one face to the next; a real stick takes several

CLASS_ANSWERS = {
    0x80: bytes.fromhex("1c000100004000000400000004000000004000000400000004001000"),  # NCM: GET_NTB_PARAMETERS
    0x83: b"\0\0",  # NCM: GET_NTB_FORMAT
    0x85: bytes.fromhex("00400000"),  # NCM: GET_NTB_INPUT_SIZE
    0xFE: b"\0",  # storage: GET_MAX_LUN
}
"""What the kernel's drivers ask of the CD-ROM and of the network card before they believe in them."""


class Huawei:
    """One stick, put in with `plug`. Use it as a context manager; any thread may call its methods."""

    def __init__(self, guest: Guest, modem: Stick, port: int = 0) -> None:
        """Given the emulated modem in it, and the port of the guest's root hub, from 0."""
        self.modem = modem
        self.port = port
        self.faces: list[Face] = []
        """What it has been on the bus, in order."""
        self.configured = 0
        """How often the host has given it a configuration."""
        self.silent_endpoint_0 = False
        """No control transfer is answered."""
        self.out_blocked = False
        """No packet is taken."""
        self.storage_after_reset = False
        """The next configuration that is not the first after power-on makes it a CD-ROM."""
        self._guest = guest
        self._disc = Disc()
        self._link: Link | None = None
        self._lock = threading.RLock()
        self._was_reset = False
        self._power_was_cut = False
        self._used = False  # configured since it was connected
        self._answers_to = 0x81
        self._open: set[int] = set()  # interfaces with DTR
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def __enter__(self) -> Huawei:
        return self

    def __exit__(self, *error: object) -> None:
        self.unplug()

    # --- by hand ---

    def plug(self, port: int | None = None, face: Face = STORAGE) -> None:
        """Put it in, at the same port of the hub or another. Other faces: a firmware that starts so."""
        self.port = self.port if port is None else port
        self._power_on(Cure.REPLUG, face)

    def unplug(self) -> None:
        """Pull it out. Idempotent."""
        with self._lock:
            link, self._link = self._link, None
        if link:
            link.cut()

    @property
    def face(self) -> Face:
        """What it is now, or was when it was pulled out."""
        return self.faces[-1]

    # --- the plug ---

    def _power_on(self, cure: Cure, face: Face = STORAGE) -> None:
        self.modem.faults.cure(cure)
        self.modem.restart()
        self._connect(face)

    def _connect(self, face: Face) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.faces.append(face)
            self._used = self._was_reset = self._power_was_cut = False
            self._attach(server.getsockname()[1])
            connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._link = Link(connection, self)
            self._link.start()

    def _attach(self, port: int) -> None:
        """The kernel takes a moment to let go of what was in a hub port."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self._guest.attach(self.port, 0x10000 + self.port + 1, HIGH_SPEED, port)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _become(self, face: Face, power: bool = False) -> None:
        """Vanish from the bus and come back as something else."""

        def change() -> None:
            time.sleep(FIRMWARE)  # what was asked of it last is answered first
            self.unplug()
            if power:
                self._power_on(Cure.POWER, face)
            else:
                self._connect(face)

        threading.Thread(target=change, daemon=True).start()

    # --- what the host sees (usbip.Device) ---

    def control(self, setup: Setup) -> bytes | None:
        if self.silent_endpoint_0:
            return None
        match setup.kind, setup.request:
            case 0x80, 6:  # GET_DESCRIPTOR
                return self._descriptor(setup)
            case 0x00, 9:  # SET_CONFIGURATION
                self._configure(setup.value)
            case 0x21, 0x22:  # SET_CONTROL_LINE_STATE
                self._set_line(setup.index, setup.value)
            case (0x80 | 0x81 | 0x82), 0:  # GET_STATUS
                return b"\0\0"
            case 0xA1, request if request in CLASS_ANSWERS:
                return CLASS_ANSWERS[request]
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

    def _descriptor(self, setup: Setup) -> bytes:
        kind, index = setup.value >> 8, setup.value & 0xFF
        if kind == 1:
            self._was_reset |= setup.length in (8, 64)  # how hub_port_init() of the kernel begins after a bus reset
            return self.face.device
        if kind == 2:
            return self.face.configuration
        if kind != 3:
            raise Stall
        if index == 0 and self._was_reset and self._used:
            self._power_was_cut = True
        try:
            return string(index)
        except KeyError:
            raise Stall from None

    def _configure(self, value: int) -> None:
        """0: off. The power stays on, so the modem is not restarted.

        vhci-hcd does not say that it cut its port's power. After that the kernel enumerates the stick as a new one,
        strings and all, which a mere reset does not make it do. The stick bears with that to its end.
        """
        self._inbox.put(None)
        self.modem.detach()
        self._open.clear()
        if not value:
            return
        self.configured += 1
        self.modem.faults.cure(Cure.AUTHORIZE)
        if self._power_was_cut:
            self._become(STORAGE, power=True)
        elif self.face is SERIAL and self._used and self.storage_after_reset:
            self._become(STORAGE)
        elif self.face is SERIAL:
            self._inbox = queue.SimpleQueue()
            self.modem.attach(self._say)
            threading.Thread(target=self._serve, args=(self._inbox,), daemon=True).start()
        self._used, self._was_reset, self._power_was_cut = True, False, False

    def _serve(self, inbox: queue.SimpleQueue[bytes | None]) -> None:
        """The modem takes its time; the bus does not wait for it."""
        while (data := inbox.get()) is not None:
            self.modem.feed(data)

    def _say(self, data: bytes) -> None:
        """To the port that asked last. Assumed: while nobody has it open (DTR), what the modem says is lost."""
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


__all__ = ["HILINK", "SERIAL", "STORAGE", "Cure", "Face", "Huawei"]
