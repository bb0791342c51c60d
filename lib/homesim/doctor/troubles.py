# SPDX-License-Identifier: GPL-2.0-or-later
"""What homesim-doctor can find wrong: each trouble with its station, its cause and its cure. The README shows it.

A cure in `backticks` is a command to copy. "Its folder" is where homesim was cloned to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Trouble(NamedTuple):
    """`station` is where an SMS is stuck; the {names} are filled in by bad()."""

    station: str
    cause: str
    cure: str


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    station: str
    ok: bool | None  # None: it could not be seen
    says: str  # what is seen there, or the cause
    cure: str = ""
    trouble: str = ""  # its key in TROUBLES
    modem: str = ""


def good(station: str, says: str) -> Finding:
    return Finding(station, True, says)


def unseen(station: str, says: str) -> Finding:
    return Finding(station, None, says)


def bad(trouble: str, **names: object) -> Finding:
    """A trouble of TROUBLES, with the values of its {names}."""
    station, cause, cure = TROUBLES[trouble]
    return Finding(station, False, cause.format(**names), cure.format(**names), trouble)


_INSTALL = "`sudo make install` in its folder"
_REPLUG = "pull the stick out and put it back"
_HAND = "pull the stick out, wait ten seconds and put it back; if it stays so: another port, and a powered USB hub"
_UDEV = "`sudo udevadm control --reload && sudo udevadm trigger -s usb -s tty --action=change`"
_SUPPLY = "a supply made for this Pi, and a powered USB hub for the stick"
_PLACE = "`sudo homesim-health --force-reset`; another place, an antenna; is the SIM still paid for?"
_ROOM = "delete what is not needed: `sudo apt clean`, `sudo journalctl --vacuum-size=50M`"
_SETUP = "`sudo homesim-setup`"
_WHY = "`sudo homesim-poll --linger 0` says what is in its way"

TROUBLES = {key: Trouble(*words) for key, words in {
    "release": ("release", "{name} is not supported", "Raspberry Pi OS or Debian, bookworm or trixie"),
    "packages": ("packages", "missing: {names}", "`sudo apt install -y {names}`"),
    "no-configuration": ("configuration", "{file} is not there", _SETUP),
    "example": ("configuration", "{file} is the example as it came", _SETUP),
    "open-configuration": ("configuration", "others can read {file}, which holds secrets", "`sudo chmod 600 {file}`"),
    "wrong-configuration": ("configuration", "{problem}", "correct {file}, or run " + _SETUP),
    "low-voltage": ("power", "the Pi gets too low a voltage now", _SUPPLY),
    "low-voltage-before": ("power", "the Pi got too low a voltage since it started", _SUPPLY),
    "old-service": ("old how-to", "{program} {does}: it takes the SMS", "`sudo systemctl disable --now {service}`"),
    "old-script": ("old how-to", "{file} is left of it", "`sudo rm {file}`"),
    "old-entry": ("old how-to", "{file} still starts {script}", "delete that line: `{edit}`"),
    "old-rule": ("old how-to", "{file} is left of it", "`sudo rm {file}`"),
    "no-switch": ("mode switch", "{file} is not there, so sticks get no serial port", f"{_INSTALL}; {_REPLUG}"),
    "shadowed-switch": ("mode switch", "{file}, an editor's or a copy, wins over the file beside it",
        f"`sudo rm {{file}}`; {_REPLUG}"),
    "other-switch": ("mode switch", "{file} does not ask for serial ports (HuaweiAltMode=1)",
        f"`sudo rm {{file}}`, {_INSTALL}; {_REPLUG}"),
    "switching-off": ("mode switch", "{file} says DisableSwitching=1",
        f"`sudo sed -i 's/^DisableSwitching=1/DisableSwitching=0/' {{file}}`; {_REPLUG}"),
    "no-rule": ("udev rule", "{file} is not there", _INSTALL),
    "rule-elsewhere": ("udev rule", "udev does not read {file}", f"`sudo mv {{file}} {{right}}`, {_UDEV}"),
    "no-stick": ("stick", "no stick on the USB bus", "plug it in; if it is in: another port, and a powered USB hub"),
    "several-sticks": ("stick", "its port is gone, and it could be any of several sticks",
        "leave one in, or set health.usb in the configuration"),
    "switched-off": ("stick", "{ids} at {place} is switched off",
        "`echo 1 | sudo tee /sys/bus/usb/devices/{place}/authorized`"),
    "strange-off": ("stick", "{ids} at {place} is switched off, and was not seen at work here: it is left alone",
        _REPLUG + ", then " + _SETUP),
    "dead": ("stick", "{ids} at {place} is dead: it answers nothing on USB", _HAND),
    "storage": ("stick", "{ids} is in storage mode, a disk without a port", _REPLUG + "; the mode switch is right now"),
    "hilink": ("stick", "{ids} is in HiLink mode, a network card without a port",
        _REPLUG + "; if it comes back so, its firmware has no serial mode"),
    "no-tty": ("stick", "{ids} has no serial port: the driver `option` has not taken it",
        "`sudo modprobe option`; " + _REPLUG),
    "no-link": ("port", "{device} is not there, though the stick has {ttys}", _UDEV),
    "no-port": ("port", "{device} is not a serial port", "set modem.{modem}.device to one, or to /dev/sms"),
    "modemmanager": ("port", "ModemManager (pid {pid}) holds {device}",
        "`sudo systemctl restart ModemManager`: our udev rule keeps it off the stick"),
    "held": ("port", "{program} (pid {pid}) holds {device}", "`sudo kill {pid}`, and see to it that nothing starts it"),
    "silent": ("answer", "none: {reason}", f"`sudo homesim-health --force-reset`; if it stays so, {_REPLUG}"),
    "still-silent": ("answer", "none, and no reset has helped: {reason}", _HAND),
    "no-sim": ("SIM", "no SIM in the stick, or it has no contact", "put the SIM in again; clean its contacts"),
    "pin": ("SIM", "the SIM asks for its PIN", "set modem.{modem}.pin, or turn the PIN off in a telephone"),
    "wrong-pin": ("SIM", "the SIM has refused its PIN; it is not tried again", "correct modem.{modem}.pin"),
    "last-tries": ("SIM", "tries left for its PIN: {left}; homesim does not spend them",
        "enter it in a telephone; is modem.{modem}.pin right?"),
    "puk": ("SIM", "the SIM asks for its PUK", "put it into a telephone and enter the PUK there"),
    "sim": ("SIM", "the SIM is not ready ({sim})", _REPLUG + "; if it stays so, try the SIM in a telephone"),
    "no-network": ("network", "none: {registration}", _PLACE),
    "denied": ("network", "the operator refuses the SIM", "ask the operator: is it blocked, or expired?"),
    "weak-signal": ("network", "very weak signal, {signal} %", _PLACE),
    "full-memory": ("memory", "{memory} is full ({used} SMS): soon no more come in", "`sudo homesim-poll --linger 0`"),
    "hidden": ("memory", "the stick counts {count} SMS that it does not show", "`sudo homesim-health --force-reset`"),
    "stuck": ("memory", "{count} SMS cannot be taken off the stick; what could be read of them is in the chat",
        "put the SIM into a telephone, and delete them there"),
    "open-folder": ("disk", "others can read {folder}, where SMS are kept", "`sudo chmod 700 {folder}`"),
    "read-only": ("disk", "{folder} cannot be written: it is mounted read-only",
        "`sudo mount -o remount,rw {mount}`; if it comes again, the SD card is worn"),
    "full-disk": ("disk", "{free} MB are free at {folder}", _ROOM),
    "overlay": ("disk", "{folder} is in an overlay: what it holds is lost at the next start",
        "`sudo raspi-config nonint disable_overlayfs`, and restart"),
    "no-entry": ("cron", "no entry for {program}",
        _INSTALL + "; if it keeps a file that you changed, see the one beside it"),
    "entry-name": ("cron", "cron ignores {file} for the dot in its name", "`sudo mv {file} {right}`"),
    "entry-rights": ("cron", "cron ignores {file}: it must be root's, and nobody else may write to it",
        "`sudo chown root:root {file}`, `sudo chmod 644 {file}`"),
    "entry-end": ("cron", "cron ignores {file}: its last line has no end", "`echo | sudo tee -a {file}`"),
    "entry-twice": ("cron", "{files} both start {program}", "`sudo crontab -e`, and delete its line there"),
    "no-program": ("cron", "{program}, which cron is to start, is not there", _INSTALL),
    "no-cron": ("cron", "cron does not run", "`sudo systemctl enable --now cron`"),
    "late": ("last run", "homesim-poll has not run {since}", _WHY),
    "clock": ("clock", "not set from the network since the start", "`sudo timedatectl set-ntp true`"),
    "proxy": ("connection", "the proxy does not answer, or refuses", "correct telegram.proxy, or start the proxy"),
    "socks": ("connection", "a SOCKS proxy needs python3-socks", "`sudo apt install -y python3-socks`"),
    "name": ("connection", "the name {host} is not known", "is the network up? what says /etc/resolv.conf?"),
    "unreachable": ("connection", "no way to {host}", "is the network up? is Telegram blocked there: telegram.proxy"),
    "ipv6": ("connection", "IPv6 leads nowhere, which delays each SMS", "set telegram.force_ipv4 = true"),
    "certificate": ("connection", "the TLS certificate of {host} is not valid",
        "set the clock: `sudo timedatectl set-ntp true`; else something in between reads along"),
    "portal": ("connection", "something else answers: {reason}", "log in to the network; check telegram.api_url"),
    "token": ("Telegram", "it does not know the token", _SETUP),
    "telegram": ("Telegram", "it has trouble: {reason}", "wait: SMS are kept, and sent when it is back"),
    "chat": ("chat", "Telegram does not show it: {reason}", "write to the bot in Telegram (Start), then " + _SETUP),
    "topic": ("chat", "the topic is gone; SMS come without it", "set telegram.topic_id to one that is there"),
    "write": ("chat", "the bot may not write there: {reason}", "unblock the bot, or let it write in the group"),
    "waiting": ("spool", "{count} SMS wait for Telegram, the first for {ago}", _WHY),
    "refused": ("spool", "{count} SMS could not be forwarded",
        "see `reason` in {folder}, then `sudo mv` them back to new/"),
    "failure": ("last run", "it ended with: {error}", _WHY),
    "incident": ("alerts", "{what}, {ago} ago{tried}",
        "`journalctl -t homesim-health -t homesim` tells what was tried"),
}.items()}  # fmt: skip
