# SPDX-License-Identifier: GPL-2.0-or-later
"""What every driver holds: one class of tests, which each driver's own tests inherit and give a device."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from threading import Thread
from typing import Protocol

import pytest

from homesim.errors import ConfigError, HomesimError, TryAgain
from homesim.stick.driver import Arrived, Driver, Gone, News, Registration, Rings, Slot
from patience import look_until


class Device(Protocol):
    """A stick that somebody holds in their hands, as its driver finds it."""

    memories: tuple[str, ...]
    first: int  # the lowest number of a slot
    speaks: bool  # it says on its own what is new, that it rings, that it is gone

    def sms(self, text: str) -> str:
        """As Slot.pdu, of which each text has another."""

    def again(self, sms: str) -> str:
        """As Slot.pdu of the same once more, in a list that has both."""

    @property
    def others(self) -> tuple[str, ...]:
        """What else may stand there: no short SMS, and in the end what cannot be decoded."""

    @property
    def news(self) -> list[News]:
        """What the driver has passed on."""

    def connect(self, pin: str | None = None) -> Driver:
        """A driver on it, that was not opened yet. At most one at a time."""

    def store(self, memory: str, index: int, pdu: str) -> None: ...
    def deliver(self, pdu: str) -> None: ...
    def stored(self) -> dict[tuple[str, int], str]: ...
    def tear(self, on: bool) -> None:
        """Whether what `sms` makes is not whole."""

    def lose_sim(self) -> None: ...
    def lose_network(self) -> None: ...
    def ring(self) -> Callable[[], bool]: ...
    def freeze(self) -> None: ...
    def unplug(self) -> None: ...


def opened(device: Device) -> Driver:
    """One at its work; what it holds before it is started one test looks at."""
    driver = device.connect()
    driver.open()
    driver.start()
    return driver


def listed(driver: Driver) -> set[Slot]:
    slots = driver.slots(driver.memories())
    assert len(slots) == len(set(slots))
    return set(slots)


class DriverTests:
    """A subclass has the fixtures `device`, and `locked`, whose SIM wants the PIN 1234."""

    def test_all_is_listed_as_it_stands(self, device: Device) -> None:
        """In each memory, slot 0 and the same SMS twice too; it is counted, and stays."""
        one = device.sms("the first")
        texts = (one, device.again(one), device.sms("the second"), *device.others[:-1])
        slots = [device.first + number for number in (0, 1, 5, 6, 9)]
        held = {(memory, slot): text for memory in device.memories for slot, text in zip(slots, texts, strict=False)}
        for (memory, index), text in held.items():
            device.store(memory, index, text)
        driver = opened(device)
        assert {memory: count.used for memory, count in driver.memories().items()} == dict.fromkeys(
            device.memories, len(texts)
        )
        for _ in range(2):
            assert listed(driver) == {Slot(*place, text) for place, text in held.items()}
        assert device.stored() == held

    def test_all_is_listed_before_it_is_started(self, device: Device) -> None:
        for memory in device.memories:
            device.store(memory, device.first, device.sms("the first"))
            device.store(memory, device.first + 1, device.others[-1])
        driver = device.connect()
        driver.open()
        before = listed(driver)
        assert {(slot.memory, slot.index): slot.pdu for slot in before} == device.stored()
        driver.start()
        assert listed(driver) == before

    def test_an_empty_one_is_empty(self, device: Device) -> None:
        driver = opened(device)
        assert not any(count.used for count in driver.memories().values())
        assert listed(driver) == set()

    def test_what_is_no_whole_pdu_is_listed_and_marked(self, device: Device) -> None:
        memory, one = device.memories[0], device.sms("the first")
        device.store(memory, device.first, one)
        driver = opened(device)
        device.tear(True)
        [slot] = listed(driver)
        assert (slot.place, slot.whole) == (f"{memory} {device.first}", False)
        device.tear(False)
        assert listed(driver) == {Slot(memory, device.first, one)}

    def test_what_cannot_be_decoded_is_listed_and_deleted(self, device: Device) -> None:
        memory, broken, other = device.memories[0], device.others[-1], device.sms("the second")
        device.store(memory, device.first, broken)
        device.store(memory, device.first + 1, other)
        driver = opened(device)
        assert listed(driver) == {Slot(memory, device.first, broken), Slot(memory, device.first + 1, other)}
        assert driver.delete(Slot(memory, device.first, broken))
        assert device.stored() == {(memory, device.first + 1): other}

    def test_only_that_very_sms_is_deleted(self, device: Device) -> None:
        """Its slot is used again at once, and another memory has the same slots."""
        one, two, three = (device.sms(text) for text in ("the first", "the second", "the third"))
        for memory in device.memories:
            device.store(memory, device.first, one)
            device.store(memory, device.first + 1, two)
        driver = opened(device)
        first = Slot(device.memories[-1], device.first, one)
        assert first in listed(driver)
        assert driver.holds(first)
        assert driver.delete(first)
        assert not driver.holds(first)
        assert (first.memory, device.first) not in device.stored()
        assert not driver.delete(first)
        device.store(first.memory, device.first, three)
        assert not driver.holds(first)
        assert not driver.delete(first)
        assert Slot(first.memory, device.first, three) in listed(driver)
        assert len(device.stored()) == 2 * len(device.memories)

    def test_the_same_twice_is_freed_one_by_one(self, device: Device) -> None:
        """Which of the two stays is not said, and whoever looks then sees one."""
        memory, one = device.memories[0], device.sms("the first")
        device.store(memory, device.first, one)
        device.store(memory, device.first + 1, device.again(one))
        driver = opened(device)
        for left in (1, 0):
            assert driver.delete(driver.slots(driver.memories())[0])
            assert [slot.pdu for slot in listed(driver)] == [one] * left

    def test_a_named_place_is_read_alone(self, device: Device) -> None:
        """As it stands, in each memory, before and after it was started; nothing stands in an empty one."""
        driver = device.connect()
        driver.open()
        number = device.first + 3
        for _ in range(2):
            for memory in device.memories:
                device.store(memory, number, device.sms(f"in {memory}"))
                assert driver.read(f"{memory} {number}") == Slot(memory, number, device.sms(f"in {memory}"))
                assert driver.read(f"{memory} {number + 1}") is None
            driver.start()
            assert len(listed(driver)) == len(device.memories)
        assert driver.read("") is None
        assert driver.read(f"MT {number}") is None
        device.tear(True)
        torn = driver.read(f"{device.memories[0]} {number}")
        assert torn is None or not torn.whole

    def test_a_slot_is_used_again(self, device: Device) -> None:
        driver = opened(device)
        one, two = device.sms("the first"), device.sms("the second")
        for sms in (one, two, one, one):
            slot = Slot(device.memories[0], device.first, sms)
            device.store(slot.memory, slot.index, sms)
            assert listed(driver) == {slot}
            assert driver.delete(slot)
            assert listed(driver) == set()

    def test_a_full_memory_is_full_and_each_of_it_is_listed(self, device: Device) -> None:
        driver = opened(device)
        memory = device.memories[0]
        size = driver.memories()[memory].size
        numbers = range(device.first, device.first + size)
        for number in numbers:
            device.store(memory, number, device.sms(f"number {number}"))
        assert driver.memories()[memory].full
        assert {slot.index for slot in listed(driver)} == set(numbers)

    def test_an_arrival_is_news_and_counted(self, device: Device) -> None:
        driver = opened(device)
        one = device.sms("the first")
        device.deliver(one)
        if device.speaks:
            look_until(lambda: bool(device.news))
            assert isinstance(device.news[0], Arrived)
            assert device.news[0].place in ("", *(slot.place for slot in listed(driver)))
        assert sum(count.used for count in driver.memories().values()) == 1
        assert [slot.pdu for slot in listed(driver)] == [one]

    def test_its_state(self, device: Device) -> None:
        driver = opened(device)
        state = driver.state()
        assert (state.sim, driver.sim, state.registration) == ("READY", "READY", Registration.HOME)
        assert state.operator
        assert 0 <= (state.signal or -1) <= 100
        assert driver.reader
        device.lose_network()
        assert not driver.state().registration.registered

    def test_a_sim_that_is_not_there_is_a_fault_with_a_name(self, device: Device) -> None:
        device.lose_sim()
        with pytest.raises(TryAgain) as raised:
            opened(device)
        assert raised.value.fault == "no-sim"

    def test_a_pin_that_is_not_known_is_a_fault_with_a_name(self, locked: Device) -> None:
        driver = locked.connect()
        with pytest.raises(ConfigError) as raised:
            driver.open()
        assert (raised.value.fault, driver.sim) == ("pin", "SIM PIN")

    def test_a_pin_that_is_known_opens_the_sim(self, locked: Device) -> None:
        one, number = locked.sms("the first"), locked.first + 3
        locked.store(locked.memories[0], number, one)
        driver = locked.connect("1234")
        driver.open()
        assert driver.sim == "READY"
        assert listed(driver) == {Slot(locked.memories[0], number, one)}

    def test_a_call_is_news_and_rejected(self, device: Device) -> None:
        driver = opened(device)
        if not device.speaks:
            assert not driver.hang_up()
            return
        rejected = device.ring()
        look_until(lambda: any(isinstance(news, Rings) and news.caller for news in device.news))
        assert driver.hang_up()
        assert rejected()

    def test_one_that_is_not_there(self, device: Device) -> None:
        device.unplug()
        with pytest.raises(TryAgain):
            opened(device)

    def test_one_that_goes_says_so(self, device: Device) -> None:
        driver = opened(device)
        device.unplug()
        if device.speaks:
            look_until(lambda: Gone() in device.news)
            assert isinstance(driver.failure(), TryAgain)
        else:
            with pytest.raises(TryAgain):
                driver.memories()

    def test_one_that_answers_nothing_is_not_opened(self, device: Device) -> None:
        device.freeze()
        with pytest.raises(TryAgain):
            opened(device)

    @pytest.mark.slow
    def test_one_that_freezes_fails(self, device: Device) -> None:
        """Its call raises, or another thread sees that it never returns."""
        driver = opened(device)
        assert driver.failure() is None
        device.freeze()
        failed = []

        def look() -> None:
            with contextlib.suppress(EOFError):  # it has not returned before the test has ended
                try:
                    driver.memories()
                except HomesimError as error:
                    failed.append(error)

        Thread(target=look, daemon=True).start()
        look_until(lambda: bool(failed or driver.failure()))
