# SPDX-License-Identifier: GPL-2.0-or-later
"""Every fault there is: where an SMS is stuck, what the owner is told, what a person at the terminal reads and does.

Errors carry the key of theirs. health tells, and cures if it can, what has a `what`; doctor finds the others too. The
pages of both show this table. A cure in `backticks` is a command to copy; "its folder" is where homesim was cloned to.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """The {names} in cause and cure are filled in by bad()."""

    key: str
    station: str
    cause: str
    cure: str
    what: str = ""  # what happened, to be followed by a time
    todo: str = ""  # what the owner can do
    reset: bool = False  # a reset of the stick can help
    hand: str = "pull the stick out, wait ten seconds and put it back"  # when no reset has helped


@dataclass(frozen=True)
class Finding:
    """One station of an SMS's way."""

    station: str
    ok: bool | None  # None: it could not be seen
    says: str
    fault: Fault | None = None
    cure: str = ""
    age: float = 0.0  # seconds since the fault began, as far as is known
    modem: str = ""


def good(station: str, says: str) -> Finding:
    return Finding(station, True, says)


def unseen(station: str, says: str) -> Finding:
    return Finding(station, None, says)


def bad(key: str, age: float = 0.0, **names: object) -> Finding:
    fault = FAULTS[key]
    return Finding(fault.station, False, fault.cause.format(**names), fault, fault.cure.format(**names), age)


_INSTALL = "`sudo make install` in its folder"
_REPLUG = "pull the stick out and put it back"
_HAND = "pull the stick out, wait ten seconds and put it back; if it stays so: another port, and a powered USB hub"
_UDEV = "`sudo udevadm control --reload && sudo udevadm trigger -s usb -s tty --action=change`"
_SUPPLY = "a supply made for this Pi, and a powered USB hub for the stick"
_RESET = "`sudo homesim-health --force-reset`"
_PLACE = f"{_RESET}; another place, an antenna"
_ROOM = "delete what is not needed: `sudo apt clean`, `sudo journalctl --vacuum-size=50M`"
_SETUP = "`sudo homesim-setup`"
_WHY = "`sudo homesim-poll --linger 0` says what is in its way"
_DOCTOR = "If it stays so, run homesim-doctor"

FAULTS = {fault.key: fault for fault in (
    Fault("release", "release", "{name} is not supported", "Raspberry Pi OS or Debian, bookworm or trixie"),
    Fault("packages", "packages", "missing: {names}", "`sudo apt install -y {names}`"),
    Fault("no-configuration", "configuration", "{file} is not there", _SETUP),
    Fault("example", "configuration", "{file} is the example as it came", _SETUP),
    Fault("open-configuration", "configuration", "others can read {file}, which holds secrets",
          "`sudo chmod 600 {file}`"),
    Fault("wrong-configuration", "configuration", "{problem}", "correct {file}, or run " + _SETUP),
    Fault("voltage", "power", "the Pi gets too low a voltage now", _SUPPLY,
          "The Raspberry Pi's voltage fell too low", "It needs a better power supply, or the stick a powered hub"),
    Fault("voltage-before", "power", "the Pi got too low a voltage since it started", _SUPPLY),
    Fault("old-service", "old how-to", "{program} {does}: it takes the SMS",
          "`sudo systemctl disable --now {service}`"),
    Fault("old-file", "old how-to", "{file} is left of it", "`sudo rm {file}`"),
    Fault("old-entry", "old how-to", "{file} still starts {script}", "delete that line: `{edit}`"),
    Fault("no-switch", "mode switch", "{file} is not there, so sticks get no serial port", f"{_INSTALL}; {_REPLUG}"),
    Fault("other-switch", "mode switch", "{file} does not ask for serial ports (HuaweiAltMode=1)",
          f"`sudo rm {{file}}`, {_INSTALL}; {_REPLUG}"),
    Fault("switching-off", "mode switch", "{file} says DisableSwitching=1",
          f"`sudo sed -i 's/^DisableSwitching=1/DisableSwitching=0/' {{file}}`; {_REPLUG}"),
    Fault("no-rule", "udev rule", "{file} is not there", _INSTALL),
    Fault("rule-elsewhere", "udev rule", "udev does not read {file}", f"`sudo mv {{file}} {{right}}`, {_UDEV}"),
    Fault("absent", "stick", "no stick on the USB bus",
          "plug it in; if it is in: another port, and a powered USB hub", "The stick vanished from USB",
          "If it does not come back, somebody has to plug it in again", reset=True),
    Fault("several", "stick", "its port is gone, and it could be any of {sticks}",
          "leave one in, or set health.usb in the configuration",
          "The stick's port was gone, and several sticks could be it", "Set health.usb, or leave only one in"),
    Fault("unknown", "stick", "{sticks} was not seen at work here: it is left alone", f"{_REPLUG}, then {_SETUP}",
          "I found no stick that I know, only another one",
          "I leave it alone, as it may be your Internet. If it is the one for SMS: pull it out, wait ten seconds and "
          "put it back; if that does not help, run homesim-setup"),
    Fault("off", "stick", "{ids} at {place} is switched off",
          "`echo 1 | sudo tee /sys/bus/usb/devices/{place}/authorized`",
          "The stick was found switched off on the USB bus", reset=True),
    Fault("dead", "stick", "{ids} at {place} is dead: it answers nothing on USB", _HAND,
          "The stick lost its port", reset=True),
    Fault("storage", "stick", "{ids} is in storage mode, a disk without a port",
          f"{_REPLUG}; the mode switch is right now", "The stick turned into a CD-ROM (storage mode)", _DOCTOR,
          reset=True),
    Fault("hilink", "stick", "{ids} is in HiLink mode, a network card without a port",
          f"{_REPLUG}; if it comes back so, its firmware has no serial mode",
          "The stick was found in HiLink mode, a network card without a port for SMS", _DOCTOR, reset=True),
    Fault("no-port", "stick", "{ids} has no serial port: the driver `option` has not taken it",
          f"`sudo modprobe option`; {_REPLUG}", "The stick lost its port", reset=True),
    Fault("no-link", "port", "{device} is not there, though the stick has {ttys}", _UDEV,
          "The stick's port lost its name", _DOCTOR, reset=True),
    Fault("not-a-port", "port", "{device} is not a serial port", "set modem.{modem}.device to one, or to /dev/sms"),
    Fault("modemmanager", "port", "{program} holds {device}",
          "`sudo systemctl restart ModemManager`: our udev rule keeps it off the stick"),
    Fault("held", "port", "{program} holds {device}", "`sudo kill {pid}`, and see to it that nothing starts it",
          "Another program took the stick's port", "Stop it; homesim-doctor names it"),
    Fault("silent", "answer", "none: {reason}", f"{_RESET}; if it stays so, {_REPLUG}",
          "The stick stopped answering", reset=True),
    Fault("no-page", "answer", "the stick's page does not answer: {reason}", _REPLUG,
          "The stick's web page stopped answering", reset=True),
    Fault("not-a-page", "answer", "something else than a HiLink stick answers at {device}",
          "correct modem.{modem}.device; is the stick in?", "Something else answered at the stick's address",
          "Is the stick in, and does another network here use its addresses?"),
    Fault("page", "answer", "the stick's page does not show its SMS: {reason}", _REPLUG,
          "The stick's web page stopped showing its SMS", reset=True),
    Fault("password", "answer", "the stick's page wants a password", "set modem.{modem}.password",
          "The stick's web page asked for a password", "Set password in the configuration"),
    Fault("wrong-password", "answer", "the stick's page refuses the password; it is not tried again",
          "correct modem.{modem}.password", "The stick's web page refused the password that is configured",
          "It is not tried again, as the page would lock. Correct password in the configuration"),
    Fault("page-taken", "answer", "somebody else is logged in to the stick's page", "log out there",
          "Somebody else was logged in to the stick's web page", "Log out there"),
    Fault("page-locked", "answer", "the stick's page is locked for some minutes, after wrong passwords",
          "wait; who else tries passwords there?", "The stick's web page was locked after wrong passwords",
          "It opens by itself, if nobody tries another"),
    Fault("no-sim", "SIM", "no SIM in the stick, or it has no contact ({sim})",
          "put the SIM in again; clean its contacts; if it stays so, try the SIM in a telephone",
          "The stick lost sight of its SIM", "If it stays so, take it out, clean it and put it back", reset=True,
          hand="pull the stick out, take the SIM out, clean it, and put both back"),
    Fault("pin", "SIM", "the SIM asks for its PIN", "set modem.{modem}.pin, or turn the PIN off in a telephone",
          "The SIM asked for its PIN", "Set pin in the configuration, or turn it off in a telephone"),
    Fault("wrong-pin", "SIM", "the SIM has refused its PIN; it is not tried again", "correct modem.{modem}.pin",
          "The SIM refused the PIN that is configured",
          "It is not tried again, as the SIM would lock. Correct pin in the configuration"),
    Fault("last-tries", "SIM", "few tries are left for its PIN; homesim does not spend them",
          "enter it in a telephone; is modem.{modem}.pin right?", "The SIM asked for its PIN",
          "I do not spend its last tries. Enter it in a telephone, and see whether pin in the configuration is right"),
    Fault("puk", "SIM", "the SIM asks for its PUK", "put it into a telephone and enter the PUK there",
          "The SIM asked for its PUK", "Put it into a telephone and enter it there"),
    Fault("unregistered", "network", "none: {registration}",
          f"{_PLACE}; ask the operator: is the SIM blocked, expired, not paid for?", "The stick lost its network",
          "If it stays so, ask the operator whether the SIM is valid", reset=True,
          hand="pull the stick out, wait ten seconds and put it back; and ask the operator whether the SIM is valid"),
    Fault("weak-signal", "network", "very weak signal, {signal} %", _PLACE),
    Fault("call", "call", "one has been ringing for {ago}", _RESET, "A call began that does not end", reset=True),
    Fault("full", "memory", "{memories} full: soon no more come in", "`sudo homesim-poll --linger 0`",
          "The stick ran out of room for SMS, and does not let go of those it has", _DOCTOR, reset=True),
    Fault("hidden", "memory", "the stick counts {count} SMS that it does not show", _RESET,
          "The stick began to count SMS that it does not show", _DOCTOR, reset=True),
    Fault("stuck", "memory", "{count} SMS cannot be taken off the stick; what could be read of them is in the chat",
          "put the SIM into a telephone, and delete them there",
          "The stick began to keep an SMS that cannot be taken off it",
          "What could be read of it is in the chat. Delete it with the SIM in a telephone, or run homesim-doctor"),
    Fault("open-folder", "disk", "others can read {folder}, where SMS are kept", "`sudo chmod 700 {folder}`"),
    Fault("read-only", "disk", "{folder} cannot be written: it is mounted read-only",
          "`sudo mount -o remount,rw {mount}`; if it comes again, the SD card is worn"),
    Fault("full-disk", "disk", "{free} MB are free at {folder}", _ROOM),
    Fault("overlay", "disk", "{folder} is in an overlay: what it holds is lost at the next start",
          "`sudo raspi-config nonint disable_overlayfs`, and restart"),
    Fault("no-entry", "cron", "no entry that cron reads for {program}",
          f"{_INSTALL}; if it keeps a file that you changed, see the one beside it"),
    Fault("entry-twice", "cron", "{files} both start {program}", "`sudo crontab -e`, and delete its line there"),
    Fault("no-program", "cron", "{program}, which cron is to start, is not there", _INSTALL),
    Fault("no-cron", "cron", "cron does not run", "`sudo systemctl enable --now cron`"),
    Fault("poll", "last run", "homesim-poll has not run for {ago}", _WHY,
          "homesim-poll stopped running", "Look at its cron entry, or run homesim-doctor"),
    Fault("failure", "last run", "it ended with: {error}", _WHY),
    Fault("clock", "clock", "not set from the network since the start", "`sudo timedatectl set-ntp true`"),
    Fault("proxy", "connection", "the proxy does not answer, or refuses", "correct telegram.proxy, or start the proxy"),
    Fault("socks", "connection", "a SOCKS proxy needs python3-socks", "`sudo apt install -y python3-socks`"),
    Fault("name", "connection", "the name {host} is not known", "is the network up? what says /etc/resolv.conf?"),
    Fault("unreachable", "connection", "no way to {host}", "is the network up? is Telegram blocked: telegram.proxy"),
    Fault("ipv6", "connection", "IPv6 leads nowhere, which delays each SMS", "set telegram.force_ipv4 = true"),
    Fault("certificate", "connection", "the TLS certificate of {host} is not valid",
          "set the clock: `sudo timedatectl set-ntp true`; else something in between reads along"),
    Fault("portal", "connection", "something else answers: {reason}", "log in to the network; check telegram.api_url"),
    Fault("token", "Telegram", "it does not know the token", _SETUP),
    Fault("other-reader", "Telegram", "another program reads this bot's messages", "get homesim its own bot"),
    Fault("telegram", "Telegram", "it has trouble: {reason}", "wait: SMS are kept, and sent when it is back"),
    Fault("chat", "chat", "Telegram does not show it: {reason}",
          f"write to the bot in Telegram (Start), then {_SETUP}"),
    Fault("topic", "chat", "the topic is gone; SMS come without it", "set telegram.topic_id to one that is there"),
    Fault("write", "chat", "the bot may not write there: {reason}", "unblock the bot, or let it write in the group"),
    Fault("waiting", "spool", "{count} SMS wait for Telegram, the first for {ago}{reason}", _WHY,
          "Telegram stopped taking messages", "The system log says why"),
    Fault("refused", "spool", "{count} SMS could not be forwarded",
          "see `reason` in {folder}, then `sudo mv` them back to new/"),
    Fault("incident", "alerts", "{what}, {ago} ago{tried}",
          "`journalctl -t homesim-health -t homesim` tells what was tried"),
)}  # fmt: skip
