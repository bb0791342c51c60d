# SPDX-License-Identifier: GPL-2.0-or-later
"""From the plug to Telegram: mode switch, names, ports that move, other programs, several sticks."""

from __future__ import annotations

from emulators.botapi.server import CHAT_ID, TOKEN
from emulators.stick.stick import Stick
from vm.guest import HOST
from vm.house import CRON, House, configure
from vm.huawei import HILINK, SERIAL, STORAGE, Cure, Huawei


def test_cold_plug(house: House) -> None:
    """In as a CD-ROM, switched by usb_modeswitch, named by udev, read by cron's poll."""
    mark = house.sms("482913 is your code")
    house.stick.plug()
    house.arrives(mark)
    house.settled()
    assert house.stick.faces == [STORAGE, SERIAL]
    assert house.guest.check("readlink -f /dev/sms /dev/sms-1-1").split() == ["/dev/ttyUSB0"] * 2
    assert house.times(mark) == 1


def test_setup_with_its_options(house: House, telegram: int) -> None:
    """As it was installed, plugged in, and linked by one command: no other step."""
    example = "/usr/local/lib/homesim/config.toml.example"
    server = f's|^# api_url = .*|api_url = "http://{HOST}:{telegram}"|'  # Telegram itself is out of reach here
    house.guest.check(f"umask 077; sed '{server}' {example} >/etc/homesim/config.toml")
    house.stick.plug()
    house.guest.wait_for("test -e /dev/sms")
    said = house.guest.check(f"homesim-setup --token-file - --chat-id {CHAT_ID} --wait 0", stdin=TOKEN, timeout=300)
    assert "/etc/homesim/config.toml is written." in said
    assert TOKEN not in said
    house.arrives(house.sms("After homesim-setup"))
    house.settled()


def test_link_survives_change_and_bind(house: House) -> None:
    """A udev rule for "add" alone would lose the link here."""
    house.in_use()
    house.guest.check("udevadm trigger --action=change -s usb -s tty; udevadm trigger --action=bind -s usb -s tty")
    house.guest.check("udevadm settle")
    assert house.guest.check("readlink -f /dev/sms") == "/dev/ttyUSB0\n"


def test_replug_while_poll_lingers(house: House) -> None:
    house.in_use()
    house.stick.unplug()
    house.guest.wait_for("journalctl -t homesim --no-pager | grep 'the stick has gone'")
    house.guest.wait_for("! test -e /dev/sms")
    house.stick.plug()
    mark = house.sms("After the replug")
    house.arrives(mark)
    house.settled()
    assert house.times(mark) == 1


def test_another_usb_port(house: House) -> None:
    house.in_use()
    house.stick.unplug()
    house.stick.plug(port=3)
    house.arrives(house.sms("From the other port"))
    house.settled()
    assert "1-4/" in house.guest.check("udevadm info -q path /dev/sms")


def test_numbers_that_shift(house: House) -> None:
    """Somebody holds the old ttyUSB0, so the kernel gives it to nobody: the link leads to another."""
    house.in_use()
    house.guest.check("setsid sleep 3600 </dev/ttyUSB0 >/dev/null 2>&1 &")
    house.guest.check("echo 0 >/sys/bus/usb/devices/1-1/authorized; echo 1 >/sys/bus/usb/devices/1-1/authorized")
    house.guest.check("udevadm settle")
    assert house.guest.check("readlink -f /dev/sms") != "/dev/ttyUSB0\n"
    house.arrives(house.sms("From a port of another number"))
    house.settled()


def test_hilink(house: House) -> None:
    """A stick that is a network card: health and doctor say so, and the owner learns it."""
    house.guest.check(f"sed -i /homesim-health/d {CRON}")  # or cron's check is the one that is told
    house.stick.plug(face=HILINK)
    house.guest.wait_for("grep -qx 14db /sys/bus/usb/devices/1-1/idProduct")
    assert house.guest.run("homesim-health", timeout=300).status == 75
    assert house.guest.run("homesim-health", timeout=300).status == 75
    assert house.steps() == []  # nobody has seen it at work: it may be what the Pi reaches the Internet by
    assert "hilink" in house.guest.check("journalctl -t homesim-health --no-pager")
    assert "HiLink" in house.guest.run("homesim-doctor", timeout=300).stdout
    house.arrives("no stick that I know")


def test_modem_manager_keeps_off(house: House) -> None:
    """It runs, sees the stick, and does not open its ports."""
    house.guest.check("systemctl unmask ModemManager && systemctl start ModemManager")
    house.in_use()
    house.guest.check("udevadm settle")
    house.arrives(house.sms("Beside ModemManager"))
    open_by_mm = "ls -l /proc/$(pidof ModemManager)/fd | grep -c ttyUSB"
    assert house.guest.run(open_by_mm).stdout == "0\n"
    assert "No modems" in house.guest.check("mmcli -L")


def test_two_sticks(house: House, telegram: int) -> None:
    """Each has its own name and its own SMS; a reset of one leaves the other alone."""
    configure(house.guest, telegram, {"left": "/dev/sms-1-1", "right": "/dev/sms-1-2"})
    with Huawei(house.guest, Stick(latency=0.02), port=1) as right:
        house.in_use()
        house.in_use(right)
        house.arrives(house.sms("To the left"), house.sms("To the right", right.modem))
        by_name = {sent.text.split("·")[0].split()[-1]: sent.text for sent in house.api.sent}
        assert "To the left" in by_name["left"]
        assert "To the right" in by_name["right"]
        before = house.stick.configured, right.configured
        house.stick.modem.faults.freeze(Cure.AUTHORIZE)
        house.guest.check("homesim-health --modem left --force-reset", timeout=300)
        assert house.stick.configured > before[0]
        assert right.configured == before[1]
        house.arrives(house.sms("Left again"), house.sms("Right still", right.modem))
