# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/health against a stick that the kernel believes in: what each step of the ladder really does to it.

cron starts it as it does at home: within the minute when poll has found the stick ill.
"""

from __future__ import annotations

from vm.house import House
from vm.huawei import SERIAL, STORAGE, Cure

LONG = 900.0  # seconds for an incident


def test_freeze_that_authorized_cures(cared: House) -> None:
    cared.stick.modem.faults.freeze(Cure.AUTHORIZE)
    during = [cared.sms("While frozen"), cared.sms("And another")]
    configured = cared.stick.configured
    cared.arrives("stopped answering", "All is well again", *during, timeout=LONG)
    cared.arrives(cared.sms("Afterwards"))
    cared.settled()
    assert cared.stick.configured == configured + 1
    [alert] = cared.alerts()
    assert "I reset it." in alert
    assert [cared.times(mark) for mark in during] == [1, 1]


def test_freeze_that_only_power_cures(cared: House) -> None:
    """`authorized` does not help; the hub's port does, and the mode switch after it."""
    cared.stick.modem.faults.freeze(Cure.POWER)
    during = cared.sms("While frozen")
    cared.arrives("stopped answering", "All is well again", during, timeout=LONG)
    cared.settled()
    assert cared.stick.faces == [STORAGE, SERIAL, STORAGE, SERIAL]
    [alert] = cared.alerts()
    assert "I reset it and cut its power." in alert


def test_freeze_that_only_a_hand_cures(cared: House) -> None:
    """The owner is told when it has lasted for five minutes, and a replug ends it."""
    cared.stick.modem.faults.freeze(Cure.REPLUG)
    during = cared.sms("While frozen")
    cared.arrives("stopped answering", timeout=LONG)
    cared.stick.unplug()
    cared.stick.plug()
    cared.arrives("All is well again", during, timeout=LONG)
    cared.settled()
    assert len(cared.alerts()) == 2


def test_back_in_storage_mode_after_a_reset(cared: House) -> None:
    cared.stick.storage_after_reset = True
    cared.stick.modem.faults.freeze(Cure.AUTHORIZE)
    during = cared.sms("While frozen")
    cared.arrives("stopped answering", "All is well again", during, timeout=LONG)
    cared.settled()
    assert cared.stick.faces == [STORAGE, SERIAL, STORAGE, SERIAL]


def test_killed_between_off_and_on(cared: House) -> None:
    """A reset that was killed leaves the stick off: the next run puts it back."""
    cared.guest.wait_for("test -e /var/lib/homesim/home/stick")  # which stick it is: a reset begins with that
    cared.guest.check("echo 0 >/sys/bus/usb/devices/1-1/authorized")
    cared.arrives(cared.sms("It came back"), timeout=LONG)
    cared.settled()
    assert cared.alerts() == []


def test_a_stick_that_is_really_dead(cared: House) -> None:
    """Endpoint 0 silent, nothing is taken: no run hangs beyond its time, and the owner is told."""
    cared.stick.silent_endpoint_0 = cared.stick.out_blocked = True
    cared.arrives("stopped answering", timeout=LONG)
    cared.guest.wait_for("journalctl -t homesim-health --no-pager | grep '/dev/sms: power'", LONG)
    assert cared.overdue() == ""
    cared.stick.unplug()
    cared.stick.silent_endpoint_0 = cared.stick.out_blocked = False
    cared.stick.plug()
    cared.arrives("All is well again", cared.sms("Alive"), timeout=LONG)
    cared.settled()
