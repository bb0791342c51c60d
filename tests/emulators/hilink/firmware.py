# SPDX-License-Identifier: GPL-2.0-or-later
"""The firmwares of HiLink sticks, as recorded traffic and their owners tell of them.

What is not known of one is taken from the others, and said at its field.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Emoji(Enum):
    """What becomes of a character beyond the BMP."""

    BLANK = auto()  # a blank for each half of it: E3372 (14dc), E8372h-320
    CESU8 = auto()  # each half of it as three octets, which is not UTF-8


class Login(Enum):
    NONE = auto()
    HASH = auto()  # password_type 4 alone
    SCRAM = auto()  # extern_password_type 1; password_type 4 is taken too


@dataclass(frozen=True)
class Firmware:
    name: str
    software: str
    web: str
    classify: str
    login: Login = Login.NONE  # as the stick is sold; a password switches it on
    emoji: Emoji = Emoji.BLANK
    pretty: bool = False  # a tag a line
    keeps_alive: bool = False
    controls: bool = False  # U+000F in a text is in the page as it is
    message_first: bool = False  # in an <error>
    old_token: bool = False  # webserver/token is not supported
    swallows: bool = False  # an MMS notice in the box takes the next SMS into itself
    mms: bytes = b""  # the content of its notice
    save_type: int = 0
    delete_unknown: int = 0  # the error for an Index that is not there; 0: OK
    takes_over: bool = False  # a second login ends the first; otherwise it is refused
    no_sim: int = 0  # the error of sms-list without a SIM; 0: an empty list
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name


_NEW = (("Cache-Control", "no-cache, no-store"), ("X-Frame-Options", "deny"))

FIRMWARES = {
    firmware.name: firmware
    for firmware in (
        Firmware(
            "E3372h-153", "22.200.15.00.00", "17.100.13.01.03", "hilink", pretty=True, old_token=True, save_type=4,
            headers=(("Server", "WebServer"), ("Date", "Thu, 01 Jan 1970 00:00:31 GMT")),
        ),
        Firmware(
            "E3372h-320", "10.0.3.1(H192SP21C00)", "WEBUI 10.0.3.1(W13SP12C03)", "hilink", Login.SCRAM,
            emoji=Emoji.CESU8, keeps_alive=True, delete_unknown=113114, headers=_NEW,
        ),
        Firmware(
            "E8372h-320", "10.0.5.1(H195SP4C983)", "WEBUI 10.0.5.1(W13SP5C7702)", "wingle", Login.SCRAM,
            keeps_alive=True, swallows=True, mms=b"\xbe\xaf\xb4\xafdB", takes_over=True, headers=_NEW,
        ),
        Firmware(
            "E5577Cs-321", "21.333.63.00.778", "17.100.14.02.778", "mobile-wifi", Login.HASH,
            pretty=True, controls=True, message_first=True, mms=b"\xbe\xaf\xb4\xafdB", save_type=4, no_sim=125003,
        ),
    )
}  # fmt: skip
