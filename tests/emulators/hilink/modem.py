# SPDX-License-Identifier: GPL-2.0-or-later
"""What a HiLink stick knows and does, path by path, for a request that may be made."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from emulators.hilink import answers
from emulators.hilink.firmware import Firmware
from emulators.hilink.session import Refused, Session, Sessions
from emulators.hilink.store import CAPACITY, DRAFT, INBOX, SENT, TRASH, UNREAD, Full, Store

BOXES = (INBOX, SENT, DRAFT, TRASH)
LIST_ORDER = ["PageIndex", "ReadCount", "BoxType", "SortType", "Ascending", "UnreadPreferred"]
MOST_READ = 50  # ReadCount
MOST_PARTS = 4  # of an SMS that is sent
COUNTS = [
    "LocalUnread", "LocalInbox", "LocalOutbox", "LocalDraft", "LocalDeleted", "SimUnread", "SimInbox", "SimOutbox",
    "SimDraft", "LocalMax", "SimMax", "SimUsed", "NewMsg",
]  # fmt: skip
NO_SIM, READY, NO_PIN, WANTS_PIN, WANTS_PUK = "255", "257", "258", "260", "261"  # SimState
Fields = dict[str, str]


class Modem:
    """Not locked: its stick is.

    To be changed at will: `sim` (SimState), `pin`, `tries`, `service` (ServiceStatus; "2": there is a network), `plmn`,
    `ussd` (what the network will answer, in this order). To be read: `sent` (number and text of what left as SMS),
    `deleted` (the contents that delete-sms has taken away), `data` (whether mobile data is on).
    """

    def __init__(self, firmware: Firmware, password: str | None, user: str) -> None:
        self.firmware = firmware
        self.sessions = Sessions(firmware, password, user)
        self.store = Store(firmware)
        self.sim, self.pin, self.tries, self.puk_tries = NO_PIN, "", 3, 10
        self.service, self.plmn, self.data = "2", ("Home", "26201"), "1"
        self.sent: list[tuple[str, str]] = []
        self.deleted: list[bytes] = []
        self.ussd: list[str] = []
        self.waiting: list[Callable[[], object]] = []  # SMS that are still in the network
        self._ussd_asked = 0

    def pull(self) -> None:
        """What waits in the network comes, as long as there is room."""
        while self.waiting and self.service == "2":
            try:
                self.waiting[0]()
            except Full:
                return
            del self.waiting[0]

    def get(self, path: str, session: Session) -> bytes:
        getters: dict[str, Callable[[], Fields]] = {
            "user/hilink_login": lambda: {"hilink_login": "0" if self.sessions.password is None else "1"},
            "user/state-login": lambda: self._state_login(session),
            "sms/sms-count": self._count,
            "sms/send-status": self._send_status,
            "monitoring/status": self._status,
            "monitoring/check-notifications": self._notifications,
            "pin/status": self._pin,
            "net/current-plmn": self._plmn,
            "device/signal": self._signal,
            "device/information": self._information,
            "device/basic_information": lambda: {"devicename": self.firmware.name, "classify": self.firmware.classify},
            "dialup/mobile-dataswitch": lambda: {"dataswitch": self.data},
            "ussd/get": self._ussd_answer,
            "ussd/status": lambda: {"result": "0" if not self._ussd_asked else "1"},
            "ussd/release": self._ussd_release,
        }
        if path not in getters:
            raise Refused(100002)
        if path == "net/current-plmn" and self.sim == NO_SIM and self.firmware.no_sim:
            return answers.raw("FAILED")
        return answers.response(getters[path](), self.firmware)

    def post(self, path: str, fields: Fields, session: Session, token: str) -> bytes:
        if path == "sms/sms-list":
            return self._list(fields)
        if path == "user/challenge_login":
            return answers.response(self.sessions.challenge(session, fields), self.firmware)
        posts: dict[str, Callable[[], None]] = {
            "user/login": lambda: self.sessions.login(session, fields, token),
            "user/authentication_login": lambda: self.sessions.authenticate(session, fields),
            "user/logout": lambda: self.sessions.logout(session),
            "sms/delete-sms": lambda: self._delete(fields),
            "sms/set-read": lambda: self._set_read(fields),
            "sms/send-sms": lambda: self._send(fields),
            "pin/operate": lambda: self._operate(fields),
            "device/control": lambda: None,
            "dialup/mobile-dataswitch": lambda: setattr(self, "data", fields["dataswitch"]),
            "ussd/send": lambda: self._ussd_send(fields),
        }
        if path not in posts:
            raise Refused(100002)
        posts[path]()
        return answers.raw("OK")

    # --- SMS ---

    def _list(self, fields: Fields) -> bytes:
        if list(fields) != LIST_ORDER or not 1 <= int(fields["ReadCount"]) <= MOST_READ or int(fields["PageIndex"]) < 1:
            raise Refused(100005)
        if self.sim == NO_SIM and self.firmware.no_sim:
            raise Refused(self.firmware.no_sim)
        entries = self.store.entries(int(fields["BoxType"]))
        if fields["Ascending"] == "1":
            entries.reverse()
        if fields["UnreadPreferred"] == "1":
            entries.sort(key=lambda entry: entry.status != UNREAD)
        size, first = int(fields["ReadCount"]), int(fields["PageIndex"]) - 1
        return answers.messages(entries[first * size :][:size], len(entries), self.firmware)

    def _count(self) -> Fields:
        boxes = {box: self.store.entries(box) for box in BOXES}
        unread = sum(entry.status == UNREAD for entry in boxes[INBOX])
        numbers = (unread, *(len(boxes[box]) for box in BOXES), 0, 0, 0, 0, CAPACITY, 0, 0, 0)
        return {name: str(number) for name, number in zip(COUNTS, numbers, strict=True)}

    def _delete(self, fields: Fields) -> None:
        index = int(fields["Index"])
        gone = next((entry.content for box in BOXES for entry in self.store.entries(box)
                     if entry.index == index), None)  # fmt: skip
        if not self.store.delete(index) and self.firmware.delete_unknown:
            raise Refused(self.firmware.delete_unknown)
        if gone is not None:
            self.deleted.append(gone)
        self.pull()

    def _set_read(self, fields: Fields) -> None:
        self.store.read(int(fields["Index"]))

    def _send(self, fields: Fields) -> None:
        phone, text = fields["Phone"], fields["Content"]
        if not re.fullmatch(r"\+?[0-9]+", phone) or int(fields["Length"]) != len(text):
            raise Refused(100005)
        if len(text) > MOST_PARTS * (153 if text.isascii() else 67):
            raise Refused(100005)
        self.sent.append((phone, text))
        self.store.put(phone, text, datetime.now(), box=SENT)

    def _send_status(self) -> Fields:
        phone = self.sent[-1][0] if self.sent else ""
        return {"Phone": "", "SucPhone": phone, "FailPhone": "", "TotalCount": "1", "CurIndex": "1"}

    # --- the rest ---

    def _state_login(self, session: Session) -> Fields:
        inside = self.sessions.is_in(session) or self.sessions.password is None
        if self.firmware.pretty and self.sessions.password is None:
            return {"State": "0", "Username": "", "password_type": "0"}
        locked = self.sessions.locked_for
        return {
            "password_type": "4", "extern_password_type": "1" if self.firmware.login.name == "SCRAM" else "0",
            "history_login_flag": "0", "State": "0" if inside else "-1", "lockstatus": "1" if locked else "0",
            "accounts_number": "1", "rsapadingtype": "1", "remainwaittime": str(int(locked / 60) + 1 if locked else 0),
            "username": self.sessions.user if inside and self.sessions.password is not None else "",
            "firstlogin": "0", "userlevel": "2" if inside else "",
        }  # fmt: skip

    def _status(self) -> Fields:
        return {
            "ConnectionStatus": "901", "WifiConnectionStatus": "", "SignalStrength": "",
            "SignalIcon": "5" if self.service == "2" else "0",
            "CurrentNetworkType": "19" if self.service == "2" else "0", "CurrentServiceDomain": "3",
            "RoamingStatus": "0", "ServiceStatus": self.service, "SimStatus": "0" if self.sim == NO_SIM else "1",
            "CurrentNetworkTypeEx": "101", "maxsignal": "5", "classify": self.firmware.classify,
        }  # fmt: skip

    def _notifications(self) -> Fields:
        full = self.store.count() >= CAPACITY
        return {"UnreadMessage": self._count()["LocalUnread"], "SmsStorageFull": str(int(full)),
                "OnlineUpdateStatus": "14", "SimOperEvent": "0"}  # fmt: skip

    def _pin(self) -> Fields:
        return {"SimState": self.sim, "PinOptState": self.sim, "SimPinTimes": str(self.tries),
                "SimPukTimes": str(self.puk_tries)}  # fmt: skip

    def _operate(self, fields: Fields) -> None:
        if self.sim == NO_SIM:
            raise Refused(101001)
        if self.sim == WANTS_PUK:
            raise Refused(101003)
        if fields.get("OperateType") != "0" or self.sim != WANTS_PIN:
            raise Refused(100005)
        if fields.get("CurrentPin") != self.pin:
            self.tries -= 1
            self.sim = WANTS_PIN if self.tries else WANTS_PUK
            raise Refused(103002)
        self.tries, self.sim = 3, READY

    def _plmn(self) -> Fields:
        name, numeric = self.plmn if self.service == "2" else ("", "")
        return {"State": "0" if name else "1", "FullName": name, "ShortName": name, "Numeric": numeric,
                "Rat": "7" if name else ""}  # fmt: skip

    def _signal(self) -> Fields:
        return {"pci": "144", "sc": "", "cell_id": "7267507", "rsrq": "-8.0dB", "rsrp": "-96dBm", "rssi": "-73dBm",
                "sinr": "5dB", "rscp": "", "ecio": "", "mode": "7"}  # fmt: skip

    def _information(self) -> Fields:
        return {"DeviceName": self.firmware.name, "SerialNumber": "ABC1234567890", "Imei": "861234567890123",
                "Imsi": "262011234567890", "Iccid": "89490200001234567890", "Msisdn": "",
                "SoftwareVersion": self.firmware.software, "WebUIVersion": self.firmware.web,
                "Classify": self.firmware.classify}  # fmt: skip

    def _ussd_send(self, fields: Fields) -> None:
        if self._ussd_asked:
            raise Refused(111013)
        if not fields.get("content"):
            raise Refused(100005)
        self._ussd_asked = 2  # times that the answer is not there yet, and once more

    def _ussd_answer(self) -> Fields:
        if self._ussd_asked == 2:
            self._ussd_asked = 1
            raise Refused(111019)
        if not self._ussd_asked or not self.ussd:
            raise Refused(111020)
        return {"content": self.ussd.pop(0)}

    def _ussd_release(self) -> Fields:
        self._ussd_asked = 0
        return {}
