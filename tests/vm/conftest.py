# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot a guest once, install homesim, take a snapshot; each case begins there."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from emulators.botapi.server import BotApi
from vm.broken import sabotage
from vm.guest import Guest
from vm.house import INSTALLED, House, configure, install

IMAGE = Path(os.environ.get("HOMESIM_IMAGE", ""))


def pytest_configure() -> None:
    """SIGTERM ends the guests as SIGINT does, and leaves no folder behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--broken", action="store_true", help="break what each case is there for; then it must fail")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        return number


@pytest.fixture(scope="session")
def telegram() -> int:
    """Where the Bot API stand-in listens: the same port in each case, for the configuration in the guest."""
    return free_port()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk of a guest in which homesim is installed, by the first of the tests' processes."""
    own = tmp_path_factory.getbasetemp()
    disk = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "installed.qcow2"
    with FileLock(f"{disk}.lock"):
        if not disk.exists():
            with Guest(IMAGE) as guest:
                guest.boot()
                guest.wait_until_up()
                install(guest)
                guest.save(INSTALLED)
                guest.keep(disk)
    return disk


@pytest.fixture(scope="session")
def guest(installed: Path, telegram: int) -> Iterator[Guest]:
    with Guest(IMAGE, installed) as guest:
        guest.boot(INSTALLED)
        configure(guest, telegram, {"home": "/dev/sms"})
        guest.save(INSTALLED)
        yield guest


@pytest.fixture
def on_your_marks(guest: Guest, request: pytest.FixtureRequest) -> Callable[[], None]:
    """What a case's last fixture calls when all is ready."""

    def ready() -> None:
        if request.config.getoption("--broken"):
            sabotage(guest, request.node.name)
            request.node.add_marker(pytest.mark.xfail(strict=True, raises=AssertionError, reason="broken"))

    return ready


@pytest.fixture
def flat(guest: Guest, telegram: int) -> Iterator[House]:
    """A house that nothing is broken in yet."""
    guest.resume(INSTALLED)
    with BotApi(port=telegram) as api:
        house = House(guest, api)
        with house.stick:
            yield house
            print(house.journal())  # shown if the case failed


@pytest.fixture
def house(flat: House, on_your_marks: Callable[[], None]) -> House:
    """Installed, and no stick in."""
    on_your_marks()
    return flat


@pytest.fixture
def cared(flat: House, on_your_marks: Callable[[], None]) -> House:
    """A house whose stick works."""
    flat.in_use()
    on_your_marks()
    return flat
