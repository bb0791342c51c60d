# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever comes, joins, is listed and is freed in whatever order: no SMS is lost on a HiLink stick."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.hilink.stick import FIRMWARES, HilinkStick
from homesim.config import Modem
from homesim.sms.hilink import parse
from homesim.stick import hilink, page
from homesim.stick.driver import Slot
from homesim.stick.hilink import Hilink
from homesim.store.spool import Spool
from patience import PATIENCE

AT = datetime(2026, 11, 20, 9, 30, 15)
STEP = st.one_of(
    st.tuples(st.just("sms"), st.integers(0, 3)),  # the text, of a few: twice the same is two
    st.tuples(st.just("part"), st.integers(0, 3)),  # of two letters with two parts each
    st.tuples(st.just("mms"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([1, 3, 11])),
    st.tuples(st.just("look"), st.just(0)),
    st.tuples(st.just("free"), st.integers(0, 20)),  # what was stored, perhaps long ago
)


class Hand:
    """Takes SMS off a stick as fetch does, but in any order."""

    def __init__(self, stick: HilinkStick, folder: Path) -> None:
        modem = Modem("home", stick.url, "dku2at", "at", None, None, "ignore", "admin", None, None)
        self.now = 1000.0
        self.kept: list[Slot] = []
        self.came: list[str] = []
        self._stick = stick
        self._driver = Hilink(modem, Spool(folder))
        stick.modem.store.clock = lambda: self.now

    def do(self, what: str, number: int) -> None:
        if what == "sms":
            text = f"<{number}>"
            if text in self.came:
                return
            self.came.append(text)
            self._stick.deliver(text, time=AT)
        elif what == "part":
            letter, part = divmod(number, 2)
            if (text := f"[{letter}/{part}]") not in self.came:
                self.came.append(text)
                self._stick.deliver_part(letter, part + 1, 2, text, time=AT)
        elif what == "mms":
            self._stick.deliver_mms()
        elif what == "wait":
            self.now += number
        elif what == "look":
            self.look()
        elif self.kept:
            self._driver.delete(self.kept[number % len(self.kept)])

    def look(self) -> list[Slot]:
        """List, and store what is whole."""
        whole = [slot for slot in self._driver.slots({}) if slot.whole]
        self.kept += [slot for slot in whole if slot not in self.kept]
        return whole

    def empty(self) -> None:
        """In the end: all that is there, once it has rested."""
        for _ in range(20):
            self.now += 11
            for slot in self.look():
                self._driver.delete(slot)
        assert self._stick.stored() == []

    def lost(self) -> list[str]:
        """What came and is in nothing that was stored."""
        told = [told.content for slot in self.kept if (told := parse(slot.pdu))]
        return [text for text in self.came if not any(text in content for content in told)]


@pytest.mark.parametrize("name", FIRMWARES)
def test_nothing_is_lost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "ANSWER", PATIENCE)
    monkeypatch.setattr(page, "WHOLE", PATIENCE)

    @settings(max_examples=60)
    @given(st.lists(STEP, max_size=25))
    def check(sequence: list[tuple[str, int]]) -> None:
        with HilinkStick(name) as stick, tempfile.TemporaryDirectory() as folder:
            hand = Hand(stick, Path(folder))
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(hilink, "time", SimpleNamespace(monotonic=lambda: hand.now))
                for what, number in sequence:
                    hand.do(what, number)
                hand.empty()
            assert hand.lost() == []

    check()
