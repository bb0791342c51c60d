# SPDX-License-Identifier: GPL-2.0-or-later
"""What obeys the tests inside the guest: JSON lines over a virtio port, one answer for each request.

    {"id": 1, "run": "make install", "stdin": "", "timeout": 60}
        a shell command, as root          -> {"id": 1, "status": 0, "stdout": "...", "stderr": "..."}
    {"id": 2, "attach": [0, 65537, 3], "tcp": ["10.0.2.2", 4711]}
        a USB/IP device for vhci-hcd      -> {"id": 2, "status": 0, ...}

Attaching hands a connected socket to the kernel; see Documentation/ABI/testing/sysfs-platform-vhci_hcd. Both run in
threads, so a command that hangs does not hold up the others. Only Python's library: this file is all there is.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from typing import Any

PORT = "/dev/virtio-ports/homesim"
VHCI = "/sys/devices/platform/vhci_hcd.0"
ADDRESS = "10.0.2.15/24"  # QEMU's user network; no route and no names: the guest reaches the tests and nothing else


def run(request: dict[str, Any]) -> dict[str, Any]:
    """A shell command to its end; status 124 when its time is over, as timeout(1) has it."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", request["run"]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd="/root",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(request.get("stdin", ""), timeout=request.get("timeout", 60))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return {"status": 124, "stdout": "", "stderr": "no end within its time"}
    return {"status": process.returncode, "stdout": out, "stderr": err}


def attach(request: dict[str, Any]) -> dict[str, Any]:
    """Plug in a device: [root hub port, USB/IP device id, enum usb_device_speed], and where its server listens."""
    port, device, speed = request["attach"]
    host, number = request["tcp"]
    with socket.create_connection((host, number), timeout=20) as connection:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with open(f"{VHCI}/attach", "w") as file:
            file.write(f"{port} {connection.fileno()} {device} {speed}")
    return {"status": 0, "stdout": "", "stderr": ""}


def serve(port: Any, lock: threading.Lock, line: bytes) -> None:
    request = json.loads(line)
    try:
        answer = attach(request) if "attach" in request else run(request)
    except OSError as error:
        answer = {"status": 1, "stdout": "", "stderr": str(error)}
    rest = json.dumps({"id": request["id"], **answer}).encode() + b"\n"
    with lock:
        while rest:  # the driver takes 32 KiB at once
            rest = rest[port.write(rest) :]


def network() -> None:
    """Loopback and the network card, without any daemon."""
    for command in (f"addr add {ADDRESS} dev eth0", "link set eth0 up", "link set lo up"):
        subprocess.run(["/sbin/ip", *command.split()], check=False)


def main() -> None:
    for module in ("virtio_console", "virtio_net", "vhci_hcd"):
        subprocess.run(["/sbin/modprobe", module], check=False)
    while not os.path.exists(PORT):  # udev makes it
        time.sleep(0.2)
    network()
    lock = threading.Lock()
    with open(PORT, "r+b", buffering=0) as port:
        port.write(b'{"id": 0, "status": 0, "stdout": "ready", "stderr": ""}\n')
        rest = b""
        while True:
            chunk = port.read(65536)
            if not chunk:  # nobody at the other end
                time.sleep(0.1)
                continue
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                threading.Thread(target=serve, args=(port, lock, line), daemon=True).start()


if __name__ == "__main__":
    main()
