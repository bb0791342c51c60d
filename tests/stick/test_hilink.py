# SPDX-License-Identifier: GPL-2.0-or-later
"""A HiLink stick holds what every driver holds, on each firmware, with and without a password, and more than that.

The stick is an emulated one: no real one was at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from emulators.hilink import stick
from emulators.hilink.stick import FIRMWARES, NO_SIM, WANTS_PIN, HilinkStick, error
from emulators.hilink.store import FIRST, LONG, SINGLE
from homesim.chat.render import render
from homesim.config import Modem
from homesim.errors import ConfigError, TryAgain
from homesim.sms import message
from homesim.sms.hilink import MMS, Told, parse
from homesim.stick import hilink, page
from homesim.stick.driver import Driver, News
from homesim.stick.hilink import Hilink
from homesim.stick.status import RunFile
from homesim.store.spool import Spool
from patience import PATIENCE, look_until
from stick.contract import DriverTests, listed

FORGED = "</Content></Message><Message><Index>40007</Index>"
AT = datetime(2026, 11, 20, 9, 30, 15)
PASSWORD = "s3cret&Word"
WAYS = [
    (name, password)
    for name, firmware in FIRMWARES.items()
    for password in (None, PASSWORD)
    if not password or firmware.login.name != "NONE"
]


def told(text: str, kind: int = SINGLE, phone: str = "BANK") -> str:
    return Told(phone, str(AT), text, kind).text()


class Plugged:
    """An emulated stick at its address, and the drivers on it. Its answers are awaited as long as a test waits."""

    memories = ("inbox",)
    first = FIRST
    speaks = False

    def __init__(self, firmware: str, password: str | None, folder: Path) -> None:
        self.stick = HilinkStick(firmware, password=password)
        self.drivers: list[Driver] = []
        self.news: list[News] = []
        self._password = password
        self._folder = folder
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(page, "ANSWER", PATIENCE)
        self._patch.setattr(page, "WHOLE", PATIENCE)
        self.tear(False)

    def connect(self, pin: str | None = None, password: str | None = None) -> Driver:
        secret = password or self._password
        modem = Modem("home", self.stick.url, "dku2at", "at", pin, None, "hangup", "admin", secret, None)
        login = RunFile(self._folder, "home.login")
        self.drivers.append(Hilink(modem, Spool(self._folder / "state"), login=login))
        return self.drivers[-1]

    def sms(self, text: str) -> str:
        return told(text, LONG)  # which only a while makes whole

    def again(self, sms: str) -> str:
        found = parse(sms)
        assert found
        return Told(found.phone, found.date, found.content, found.kind, found.twin + 1).text()

    @property
    def others(self) -> tuple[str, ...]:
        return told("", MMS, "MMS"), told(" blanks and\ntwo lines ", SINGLE), told("\ufffdbroken\ufffd", SINGLE)

    def store(self, _memory: str, index: int, sms: str) -> None:
        found = parse(sms)
        assert found
        self.stick.put(index, found.content, found.phone, AT, found.kind)

    def deliver(self, sms: str) -> None:
        self.store("inbox", FIRST, sms)

    def stored(self) -> dict[tuple[str, int], str]:
        seen: dict[str, int] = {}
        found = {}
        for entry in sorted(self.stick.modem.store.entries(), key=lambda entry: entry.index):
            text = Told(entry.phone, entry.date, entry.content.decode(), entry.kind).text()
            seen[text] = seen.get(text, -1) + 1
            for _ in range(seen[text]):
                text = self.again(text)
            found["inbox", entry.index] = text
        return found

    def tear(self, on: bool) -> None:
        self._patch.setattr(hilink, "SETTLES", PATIENCE if on else 0.0)

    def lose_sim(self) -> None:
        self.stick.modem.sim = NO_SIM

    def lose_network(self) -> None:
        self.stick.modem.service = "0"

    def ring(self) -> Callable[[], bool]:
        raise AssertionError("a page shows no calls")

    def freeze(self) -> None:
        self._patch.setattr(page, "ANSWER", 0.5)
        self.stick.frozen = True

    def unplug(self) -> None:
        self.stick.down()

    def put_away(self) -> None:
        self._patch.undo()


def plugged(way: tuple[str, str | None], folder: Path) -> Iterator[Plugged]:
    device = Plugged(*way, folder)
    with device.stick:
        yield device
    device.put_away()


ways = pytest.mark.parametrize("way", WAYS, ids=[f"{name}{'-password' * bool(password)}" for name, password in WAYS])


@ways
class TestHilink(DriverTests):
    @pytest.fixture
    def device(self, way: tuple[str, str | None], tmp_path: Path) -> Iterator[Plugged]:
        yield from plugged(way, tmp_path)

    @pytest.fixture
    def locked(self, way: tuple[str, str | None], tmp_path: Path) -> Iterator[Plugged]:
        for device in plugged(way, tmp_path):
            device.stick.modem.sim, device.stick.modem.pin = WANTS_PIN, "1234"
            yield device


# --- what this one alone holds --------------------------------------------------------------------


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Plugged]:
    """One with a password."""
    yield from plugged(("E3372h-320", PASSWORD), tmp_path)


@pytest.fixture
def free(tmp_path: Path) -> Iterator[Plugged]:
    yield from plugged(("E3372h-320", None), tmp_path)


def fault(work: Callable[[], object]) -> str:
    """The key of what it raises."""
    with pytest.raises((ConfigError, TryAgain)) as raised:
        work()
    return raised.value.fault


class TestLogin:
    def test_a_password_is_sent_where_the_page_asks_for_one(self, owned: Plugged) -> None:
        driver = owned.connect()
        driver.open()
        driver.memories()
        assert owned.stick.modem.sessions.logins == 0
        assert listed(driver) == set()
        assert owned.stick.modem.sessions.logins == 2  # SCRAM takes two requests
        driver.leave()
        assert not owned.stick.modem.sessions.logged_in

    def test_a_run_that_is_killed_leaves_its_session_to_the_next(self, owned: Plugged) -> None:
        for _ in range(3):
            driver = owned.connect()
            driver.open()
            assert listed(driver) == set()
        assert owned.stick.modem.sessions.logins == 2
        driver.leave()
        assert not owned.stick.modem.sessions.logged_in

    def test_a_wrong_password_is_tried_once(self, owned: Plugged) -> None:
        for _ in range(3):
            driver = owned.connect(password="wrong")
            driver.open()
            assert fault(lambda driver=driver: driver.slots({})) == "wrong-password"  # type: ignore[misc]
        assert owned.stick.modem.sessions.logins == 2
        driver = owned.connect()
        driver.open()
        assert listed(driver) == set()

    def test_a_page_that_wants_one_and_has_none_says_so(self, owned: Plugged) -> None:
        owned._password = None
        driver = owned.connect()
        driver.open()
        assert fault(lambda: driver.slots({})) == "password"
        assert owned.stick.modem.sessions.logins == 0

    def test_a_page_that_is_locked_or_taken_is_waited_for(self, owned: Plugged) -> None:
        owned.stick.order(error(108003), "user/authentication_login")
        driver = owned.connect()
        driver.open()
        assert fault(lambda: driver.slots({})) == "page-taken"
        owned.stick.order(error(108007), "user/challenge_login")
        driver = owned.connect()
        assert fault(lambda: driver.slots({})) == "page-locked"
        driver = owned.connect()  # neither was a try of the password
        assert listed(driver) == set()

    def test_whoever_throws_us_out_is_not_thrown_out_again_and_again(self, owned: Plugged) -> None:
        driver = owned.connect()
        driver.open()
        assert listed(driver) == set()
        owned.stick.modem.sessions.forget()
        assert fault(lambda: driver.slots({})) == "page-taken"
        assert owned.stick.modem.sessions.logins == 2


class TestWhatAnswers:
    @pytest.mark.parametrize(
        ("what", "key"),
        [
            (stick.page(), "not-a-page"),
            (stick.redirect(), "not-a-page"),
            (stick.empty(), "not-a-page"),
            (stick.reset(), "no-page"),
            (stick.error(100004), "page"),
            (stick.error(-1), "page"),
        ],
        ids=lambda what: what.name if isinstance(what, stick.Fault) else what,
    )
    def test_it_has_a_name(self, free: Plugged, what: stick.Fault, key: str) -> None:
        driver = free.connect()
        driver.open()
        free.stick.order(what, "sms/sms-list")
        assert fault(lambda: driver.slots({})) == key
        assert listed(driver) == set()

    def test_a_session_that_has_ended_is_begun_anew(self, free: Plugged) -> None:
        driver = free.connect()
        driver.open()
        free.stick.modem.sessions.forget()
        assert driver.memories()
        for code in (125001, 125002, 125003):
            free.stick.order(error(code), "sms/sms-list")
            assert listed(driver) == set()

    def test_without_a_sim_the_session_is_not_blamed(self, tmp_path: Path) -> None:
        for device in plugged(("E5577Cs-321", None), tmp_path):
            driver = device.connect()
            driver.open()
            device.lose_sim()
            assert fault(lambda driver=driver: driver.slots({})) == "no-sim"  # type: ignore[misc]

    def test_what_delete_says_is_no_proof(self, free: Plugged) -> None:
        """OK without an effect, an error with one: the list is asked, and nothing else is deleted."""
        for what in (stick.error(113036), stick.lost_answer()):
            one = free.sms("the first")
            free.store("", FIRST, one)
            driver = free.connect()
            driver.open()
            [slot] = driver.slots({})
            free.stick.order(what, "sms/delete-sms")
            try:
                assert driver.delete(slot)
            except TryAgain:
                assert what.effect
            free.store("", FIRST, free.sms("the second"))
            assert not driver.delete(slot)
            assert [found.pdu for found in driver.slots({})] == [free.sms("the second")]


    def test_a_delete_is_never_repeated_without_a_list_between(self, free: Plugged) -> None:
        """Carried out, called a bad token, and the slot has the next SMS by then."""
        free.store("", FIRST, free.sms("the first"))
        driver = free.connect()
        driver.open()
        [slot] = driver.slots({})
        refusal = stick.error(125003)
        free.stick.order(replace(refusal, effect=True), "sms/delete-sms")

        def arrives(phase: str, path: str) -> None:
            if (phase, path) == ("done", "sms/delete-sms"):
                free.stick.on_request = None
                free.store("", FIRST, free.sms("the second"))

        free.stick.on_request = arrives
        driver.delete(slot)
        assert [found.pdu for found in driver.slots({})] == [free.sms("the second")]


    def test_a_pin_is_never_tried_twice_for_a_refusal_of_another_kind(self, free: Plugged) -> None:
        modem = free.stick.modem
        modem.sim, modem.pin = WANTS_PIN, "1234"
        free.stick.order(replace(stick.error(125003), effect=True), "pin/operate", times=2)
        assert fault(lambda: free.connect("0000").open()) == "pin"
        assert modem.tries == 2


def read(device: Plugged) -> list[message.Message]:
    driver = device.connect()
    driver.open()
    return [message.read([slot.pdu]) for slot in driver.slots({})]


class TestTexts:
    @pytest.mark.parametrize(
        ("firmware", "text", "wanted"),
        [
            ("E3372h-153", "OK 😀!", "OK   !"),  # its firmware has lost it
            ("E3372h-320", "OK 😀 <b>&amp; 'it' (1)", "OK 😀 <b>&amp; 'it' (1)"),
            ("E5577Cs-321", "bell\x0f\x00\x0b!", "bell���!"),
            ("E3372h-153", "  two\n lines\t ", "  two\n lines\t "),
            ("E3372h-320", FORGED, FORGED),
            ("E3372h-320", "&#55357;&#56832; &#15;", "&#55357;&#56832; &#15;"),
        ],
    )  # fmt: skip
    def test_it_says_what_was_sent(self, firmware: str, text: str, wanted: str, tmp_path: Path) -> None:
        for device in plugged((firmware, None), tmp_path):
            device.stick.deliver("before", time=AT)
            device.stick.deliver(text, time=AT)
            device.stick.deliver("after", time=AT)
            assert sorted(found.text for found in read(device)) == sorted(["before", wanted, "after"])

    def test_the_time_has_no_zone_and_is_shown_without(self, free: Plugged) -> None:
        free.stick.deliver("Your code is 482913", time=AT)
        [found] = read(free)
        assert (found.sender, found.time) == ("BANK", AT)
        [draft] = render(found, "home")
        assert draft.text.endswith("home · 2026-11-20 09:30:15")
        assert draft.copy == ("482913",)

    def test_an_mms_notice_is_told_and_so_is_what_it_has_swallowed(self, tmp_path: Path) -> None:
        for device in plugged(("E8372h-320", None), tmp_path):
            device.stick.deliver_mms()
            assert [(found.kind, found.text) for found in read(device)] == [("mms", "An MMS is waiting.")]
            device.stick.deliver("Your code is 482913", "BANK")
            [found] = read(device)
            assert (found.kind, found.text) == ("sms", "An MMS is waiting.\nYour code is 482913")
            assert render(found, "home")[0].copy == ("482913",)

    def test_what_stays_in_pieces_says_so(self, free: Plugged) -> None:
        free.stick.put(FIRST, "the first half, ", "BANK", AT, LONG)
        free.stick.put(FIRST + 1, "whole: " + "x" * 200, "BANK", AT, LONG)
        pieces = {found.text[:5]: found for found in read(free)}
        assert "a part of a long SMS" in render(pieces["the f"], "home")[0].text
        assert "a part of" not in render(pieces["whole"], "home")[0].text

    def test_an_entry_that_cannot_be_read_is_told_as_it_stands(self, free: Plugged) -> None:
        free.stick.deliver("before", time=AT)
        with free.stick.changing() as entries:
            entries[FIRST + 1] = replace(entries[FIRST], index=FIRST + 1, content=b"<unclosed & broken")
        driver = free.connect()
        driver.open()
        found = {slot.index: slot for slot in driver.slots({})}
        assert message.read([found[FIRST].pdu]).text == "before"
        assert "<unclosed & broken" in message.read([found[FIRST + 1].pdu]).text
        assert driver.delete(found[FIRST + 1])
        assert free.stick.stored() == [b"before"]


def test_parts_are_not_whole_before_they_have_rested(free: Plugged) -> None:
    """And whatever changes rests anew; a short SMS does not wait for it."""
    free.tear(True)
    for number in (1, 2):
        free.stick.deliver_part("a", number, 2, f"part {number}. ", time=AT)
    free.stick.deliver("short", time=AT)
    driver = free.connect()
    driver.open()
    assert sorted((message.read([slot.pdu]).text, slot.whole) for slot in driver.slots({})) == [
        ("part 1. ", False), ("part 2. ", False), ("short", True),
    ]  # fmt: skip
    look_until(lambda: len(free.stick.stored()) == 2)
    assert [slot.whole for slot in driver.slots({}) if "part 1. part 2." in slot.pdu] == [False]
    free.tear(False)
    assert all(slot.whole for slot in driver.slots({}))
