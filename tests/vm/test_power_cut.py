# SPDX-License-Identifier: GPL-2.0-or-later
"""The mains fail at the worst moments: the guest is killed, booted again, and nothing is lost.

The stick loses its power with the Pi; what is on its SIM stays, as does what Telegram has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from emulators.botapi.server import Request
from vm.house import House

Arm = Callable[[House, threading.Event], None]


def when_it_deletes(house: House, now: threading.Event) -> None:
    """The SMS is stored, the stick has not deleted it yet."""

    def watch(phase: str, command: str) -> None:
        if phase == "received" and "CMGD=" in command:
            pull(house, now)

    house.stick.modem.on_command = watch


def when_telegram_has_it(house: House, now: threading.Event) -> None:
    """Telegram has taken it, its answer is not with us yet: the one moment that may repeat an SMS."""

    def watch(phase: str, request: Request) -> None:
        if phase == "done" and request.method == "sendMessage":
            pull(house, now)

    house.api.on_request = watch


def when_it_waits(house: House, now: threading.Event) -> None:
    """It is in the spool, Telegram is out of reach."""

    def watch(phase: str, command: str) -> None:
        if phase == "answered" and "CMGD=" in command:
            pull(house, now)

    house.api.down()
    house.stick.modem.on_command = watch


def pull(house: House, now: threading.Event) -> None:
    """Once."""
    house.stick.modem.on_command = house.api.on_request = None
    house.guest.kill()
    now.set()


@pytest.mark.parametrize("arm", [when_it_deletes, when_telegram_has_it, when_it_waits])
def test_power_cut(house: House, arm: Arm) -> None:
    house.in_use()
    cut = threading.Event()
    arm(house, cut)
    marks = [house.sms("At the wrong moment"), house.sms("Right behind it")]
    assert cut.wait(120)
    house.guest.cut_power()
    house.stick.unplug()
    house.api.up()
    marks.append(house.sms("While all is dark"))
    house.guest.boot()
    house.stick.plug()
    house.guest.wait_until_up()
    house.arrives(*marks)
    house.settled()
    certain = [sent.text for sent in house.api.sent if "possible repeat" not in sent.text]
    assert all(sum(mark in text for text in certain) <= 1 for mark in marks), "a repeat that does not say so"
    repeats = sum(map(house.times, marks)) - len(marks)
    assert repeats <= (0 if arm is when_it_waits else 2), "more than the message in flight"
