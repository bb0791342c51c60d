# SPDX-License-Identifier: GPL-2.0-or-later
"""A stick with a web page: Huawei's HiLink mode, a network card without a port. No real one was at hand.

    sms-count each look -> sms-list when that has changed, and now and then -> delete-sms, one Index a request

An Index is a slot that is used again at once, and delete-sms says OK to anything. So right before a slot is freed the
list is asked whether it still holds that very SMS, and what came of it the next list shows.

The stick joins long SMS itself, some seconds after their last part, and never if one of them is touched before: what is
said to be long is listed as not whole until it has been the same for a while.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import TypeVar

from homesim.config import Modem
from homesim.errors import TryAgain
from homesim.sms.hilink import LONG, Told, parse
from homesim.stick.answers import Fields, Item, Listed, Refused, listed, read
from homesim.stick.driver import Memory, News, Registration, Slot, State, Stuck
from homesim.stick.page import NO_RIGHT, TOKENS, Page
from homesim.stick.sim import NO_SIM, unlock
from homesim.stick.status import RunFile
from homesim.store.spool import Spool

T = TypeVar("T")

BOX = "inbox"
SETTLES = 10.0  # seconds for which the parts of a long SMS are left alone; sticks were seen to join them after 2
PAGE, PAGES = 50, 40  # SMS a list, the most that firmwares give; lists: four times what a stick can hold
CALL = 45.0  # seconds after which a call means that the stick is stuck
_MOST = 500  # SMS that a stick holds, where it does not say
_SIMS = {"257": "READY", "258": "READY", "260": "SIM PIN", "261": "SIM PUK", "255": NO_SIM, "256": "SIM FAILURE"}
_SIM_REFUSED, _PIN_REFUSED = 101001, 103002


class Hilink:
    """A Driver. See there for what its functions hold."""

    listing = 60.0
    reader = "its web page"

    def __init__(
        self,
        modem: Modem,
        spool: Spool | None,
        tell: Callable[[News], object] = repr,  # noqa: ARG002  # it says nothing on its own
        login: RunFile | None = None,
    ) -> None:
        """`spool` keeps which PINs and passwords were tried, None: none is; `login` the session of its page."""
        self.sim = ""
        self._modem = modem
        self._spool = spool
        self._page = Page(modem, spool, login)
        self._busy_until = float("inf")  # time.monotonic() after which the call in progress has failed
        self._since: dict[Item, float] = {}  # when (time.monotonic()) a list first showed what may be a part

    def open(self) -> None:
        self.sim = _SIMS.get(self._get("pin/status").get("SimState", ""), "unknown")
        unlock(self, self.sim, self._modem, self._spool)
        self.sim = "READY"

    def start(self) -> None:
        """Nothing takes long."""

    def memories(self) -> dict[str, Memory]:
        """What was sent, drafts and the trash take room too."""
        found = self._get("sms/sms-count")
        used = _number(found.get("LocalInbox"), 0)
        others = sum(_number(found.get(f"Local{box}"), 0) for box in ("Outbox", "Draft", "Deleted"))
        return {BOX: Memory(used, max(0, _number(found.get("LocalMax"), _MOST) - others))}

    def slots(self, memories: dict[str, Memory]) -> list[Slot]:  # noqa: ARG002  # it has one
        found = {item.slot: item.told for item in self._items()}
        now = time.monotonic()
        parts = [Item(slot, told) for slot, told in found.items() if told.kind == LONG]
        self._since = {part: self._since.get(part, now) for part in parts}
        twins, names = Counter[Told](), {}
        for slot in sorted(found):
            names[slot] = replace(found[slot], twin=twins[found[slot]])
            twins[found[slot]] += 1
        young = {part.slot for part, since in self._since.items() if now - since < SETTLES}
        return [Slot(BOX, slot, names[slot].text(), slot not in young) for slot in found]

    def read(self, place: str) -> Slot | None:
        return next((slot for slot in self.slots({}) if slot.place == place), None) if place.startswith(BOX) else None

    def delete(self, slot: Slot) -> bool:
        if not self.holds(slot):
            return False
        with contextlib.suppress(Refused):  # an error is no more proof than OK
            self._call(lambda: self._page.post("sms/delete-sms", {"Index": slot.index}, read, once=True))
        return True

    def holds(self, slot: Slot) -> bool:
        told = parse(slot.pdu)
        here = next((item.told for item in self._items() if item.slot == slot.index), None)
        return told is not None and here == replace(told, twin=0)

    def hang_up(self) -> bool:
        """A page shows no calls."""
        return False

    def state(self) -> State:
        status, plmn = self._ask("monitoring/status"), self._ask("net/current-plmn")
        registration = Registration.UNKNOWN
        if service := status.get("ServiceStatus"):
            roams = Registration.ROAMING if status.get("RoamingStatus") == "1" else Registration.HOME
            registration = roams if service == "2" else Registration.SEARCHING
        return State(
            sim=self.sim,
            registration=registration,
            operator=plmn.get("FullName") or plmn.get("ShortName") or "",
            signal=_signal(status, self._ask("device/signal")),
        )

    def failure(self) -> TryAgain | None:
        if time.monotonic() > self._busy_until:
            return Stuck(self._modem.device, "its page comes to no end of an answer", fault="no-page")
        return None

    def leave(self) -> None:
        self._page.leave()

    def restart(self) -> None:
        """Have its page restart it; whether it has heard shows when it goes."""
        with contextlib.suppress(Refused, TryAgain):
            self._call(lambda: self._page.post("device/control", {"Control": 1}, read))

    # --- the SIM, for unlock ---

    def tries(self) -> int | None:
        times = self._get("pin/status").get("SimPinTimes", "")
        return int(times) if times.isdecimal() else None

    def enter_pin(self, pin: str) -> bool | None:
        fields = {"OperateType": 0, "CurrentPin": pin, "NewPin": "", "PukCode": ""}
        try:
            return self._call(lambda: self._page.post("pin/operate", fields, read, once=True)).get("") == "OK" or None
        except Refused as error:
            return False if error.code == _PIN_REFUSED else None

    # --- the page ---

    def _items(self) -> Iterator[Item]:
        """All that is in the box; what moves between two of its pages may come twice."""
        seen = 0
        for number in count(1):
            page = self._list(number)
            yield from page.items
            seen += len(page.items)
            last = seen >= page.total if page.total is not None else len(page.items) < PAGE
            if not page.items or last or number == PAGES:
                return

    def _list(self, number: int) -> Listed:
        asked: Mapping[str, int] = {
            "PageIndex": number, "ReadCount": PAGE, "BoxType": 1, "SortType": 0, "Ascending": 0, "UnreadPreferred": 0,
        }  # fmt: skip
        try:
            return self._call(lambda: self._page.post("sms/sms-list", asked, listed))
        except Refused as error:
            raise self._trouble(error.code) from None

    def _get(self, path: str) -> Fields:
        try:
            return self._call(lambda: self._page.get(path))
        except Refused as error:
            raise self._trouble(error.code) from None

    def _ask(self, path: str) -> Fields:
        """Nothing where the page refuses."""
        try:
            return self._call(lambda: self._page.get(path))
        except Refused:
            return {}

    def _call(self, function: Callable[[], T]) -> T:
        self._busy_until = time.monotonic() + CALL
        try:
            return function()
        finally:
            self._busy_until = float("inf")

    def _trouble(self, code: int) -> TryAgain:
        """What a refusal means. Without a SIM some call the session bad, however good it is."""
        if code == _SIM_REFUSED or (code in TOKENS and self._ask("pin/status").get("SimState") == "255"):
            return TryAgain(self._modem.device, "no SIM in the stick, or it has no contact", fault="no-sim")
        if code == NO_RIGHT:
            return TryAgain(self._modem.device, "its page does not let us in", fault="page-taken")
        return TryAgain(self._modem.device, f"its page refuses to show its SMS (error {code})", fault="page")


def _number(word: str | None, default: int) -> int:
    return int(word) if word and word.isdecimal() else default


def _signal(status: Fields, signal: Fields) -> int | None:
    """Percent: of rssi as of AT+CSQ (TS 27.007 8.5), else of the bars."""
    if level := re.search(r"-\d+", signal.get("rssi", "")):
        return max(0, min(100, round((int(level[0]) + 113) / 62 * 100)))
    bars = status.get("SignalIcon", "")
    return min(100, int(bars) * 20) if bars.isdecimal() else None
