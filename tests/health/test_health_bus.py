# SPDX-License-Identifier: GPL-2.0-or-later
"""Never the wrong device: which stick on the bus is the modem's, and what is written to whom."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Cure
from emulators.stick.stick import Stick as Emulated
from emulators.sysfs.tree import HILINK, SERIAL, STORAGE, SysfsTree
from homesim.errors import TryAgain
from homesim.health.recovery import STEPS, Answer, Ladder
from homesim.stick.match import Found, Kept, choose, recall
from homesim.stick.usb import Bus, Stick, put_back
from homesim.store.spool import Spool

OURS, KEPT = Stick("1-1.2", SERIAL), Kept("1-1.2", SERIAL)
GONE = Path("/nonexistent/sms")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[SysfsTree]:
    with SysfsTree(tmp_path / "sys") as tree:
        yield tree


def plug(tree: SysfsTree, place: str, ids: str = SERIAL) -> Path:
    """Plug an emulated stick in; its port."""
    stick = Emulated()
    port = PtyPort(stick, tree.folder.with_name(f"sms-{place}"))
    tree.plug(stick, port, at=place, ids=ids)
    return port.path


def bus(tree: SysfsTree) -> Bus:
    return Bus(tree.folder)


class TestChoice:
    def test_the_port_says_which_one(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.3")
        port = plug(tree, "1-1.2")
        assert choose(bus(tree), port, Kept("1-1.3", SERIAL), "12d1:1506") == Found(bus(tree).at("1-1.2"))

    def test_nothing_of_two_without_a_port_and_a_memory(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.2")
        plug(tree, "1-1.3", STORAGE)
        found = choose(bus(tree), GONE, None, None)
        assert found.stick is None
        assert [stick.place for stick in found.candidates] == ["1-1.2", "1-1.3"]

    @pytest.mark.parametrize(("ids", "ours"), [(SERIAL, True), (STORAGE, True), (HILINK, False), ("12d1:1001", False)])
    def test_what_is_in_the_place_of_the_one_that_is_remembered(self, tree: SysfsTree, ids: str, ours: bool) -> None:
        plug(tree, "1-1.2", ids)
        plug(tree, "1-1.3")
        there = bus(tree).at("1-1.2")
        assert there is not None
        assert choose(bus(tree), GONE, KEPT, None) == (Found(there) if ours else Found(candidates=(there,)))

    def test_the_mode_that_it_was_reset_in_is_it_too(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.2", "12d1:1001")
        assert choose(bus(tree), GONE, Kept("1-1.2", SERIAL, "12d1:1001"), None).stick is not None

    @pytest.mark.parametrize("ids", ["12d1:1506", HILINK, STORAGE])
    def test_the_one_with_the_wanted_ids(self, tree: SysfsTree, ids: str) -> None:
        plug(tree, "1-1.2")
        plug(tree, "1-1.3", ids)
        assert choose(bus(tree), GONE, None, ids) == Found(bus(tree).at("1-1.3"))

    @pytest.mark.parametrize("ids", [HILINK, STORAGE])
    def test_another_mode_than_the_wanted_one_may_be_another_stick(self, tree: SysfsTree, ids: str) -> None:
        plug(tree, "1-1.3", ids)
        assert choose(bus(tree), GONE, None, SERIAL).stick is None

    def test_two_with_the_wanted_ids_are_two(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.2")
        plug(tree, "1-1.3")
        found = choose(bus(tree), GONE, None, SERIAL)
        assert (found.stick, len(found.candidates)) == (None, 2)

    def test_none_when_only_another_s_is_there(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.3")
        assert choose(bus(tree), GONE, KEPT, None, ["1-1.3"]) == Found(gone=OURS)

    def test_another_s_stick_in_our_place_is_not_ours(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.2")
        assert choose(bus(tree), GONE, KEPT, None, ["1-1.2"]) == Found()

    def test_what_is_in_elsewhere_is_not_it(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.3", STORAGE)
        assert choose(bus(tree), GONE, KEPT, None) == Found(gone=OURS)

    @pytest.mark.parametrize("place", ["usb1", "1-1", "1-1.1", "1-1.4"])
    def test_a_bystander_is_none(self, tree: SysfsTree, place: str) -> None:
        assert choose(bus(tree), GONE, Kept(place, SERIAL), None).stick is None

    def test_a_hub_is_none_whoever_makes_it(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.2")
        tree._layout.watch.set(tree.path("1-1.2") / "bDeviceClass", "09\n")
        assert choose(bus(tree), GONE, KEPT, None).stick is None

    def test_another_vendor_in_our_place_is_none(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.2", "0403:6001")
        assert choose(bus(tree), GONE, KEPT, None) == Found()

    def test_an_adapter_of_another_vendor_that_is_our_port_is_ours(self, tree: SysfsTree) -> None:
        port = plug(tree, "1-1.2", "0403:6001")
        assert choose(bus(tree), port, None, None) == Found(bus(tree).at("1-1.2"))

    def test_a_port_that_hangs_on_no_usb(self, tree: SysfsTree, tmp_path: Path) -> None:
        plug(tree, "1-1.2")
        with PtyPort(Emulated(), tmp_path / "hat") as port:
            assert choose(bus(tree), port.path, KEPT, SERIAL) == Found()

    def test_no_usb_at_all(self, tmp_path: Path) -> None:
        assert choose(Bus(tmp_path / "nothing"), GONE, KEPT, None) == Found(gone=OURS)
        assert not Bus(tmp_path / "nothing").low_voltage()

    def test_a_port_that_is_no_tty(self, tree: SysfsTree, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert bus(tree).of(tmp_path / "file") is None

    @pytest.mark.parametrize(
        "state",
        [{}, {"place": "1-1.2"}, {"place": "../../x", "ids": SERIAL}, {"place": "1-1.2", "ids": "12d1"},
         {"place": 5, "ids": []}, {"place": "1-1.2\n", "ids": SERIAL}, {"place": "usb1", "ids": SERIAL}],
    )  # fmt: skip
    def test_a_damaged_memory_is_none(self, state: dict[str, object], tmp_path: Path) -> None:
        spool = Spool(tmp_path)
        spool.save("stick", state)
        assert recall(spool) is None
        spool.save("stick", {"place": OURS.place, "ids": OURS.ids})
        assert recall(spool) == KEPT


class TestWrites:
    """Whoever is in the place at the moment of the write decides."""

    @pytest.mark.parametrize("place", ["usb1", "1-1", "1-1.1", "1-1.4", "1-1.3"])
    @pytest.mark.parametrize("step", [step for step in STEPS if step != "radio"])
    def test_no_step_touches_another_device(self, tree: SysfsTree, place: str, step: str) -> None:
        plug(tree, "1-1.3", "0403:6001")
        with pytest.raises(TryAgain, match="not touched"):
            Ladder(bus(tree), Stick(place, SERIAL), GONE).climb(step)
        assert tree.writes == []

    @pytest.mark.parametrize("place", ["1-1", "1-1.1", "1-1.4", "1-1.3"])
    @pytest.mark.parametrize(("attribute", "text"), [("authorized", "0"), ("disable", "1"), ("driver", "")])
    def test_nobody_else_is_put_back(self, tree: SysfsTree, place: str, attribute: str, text: str) -> None:
        plug(tree, "1-1.3", "0403:6001")
        if attribute == "driver":
            (tree.path(place) / "driver").unlink()
        else:  # as if somebody had it off on purpose; nobody listens to this write
            folder = tree.hub_port(place) if attribute == "disable" else tree.path(place)
            tree._layout.watch.set(folder / attribute, f"{text}\n")
        assert not put_back(bus(tree), Stick(place, SERIAL), GONE)
        assert tree.writes == []

    def test_a_driver_that_0_1_0_took_away_is_given_back(self, tree: SysfsTree) -> None:
        """Its step `bind`, killed in the middle."""
        port = plug(tree, "1-1.2")
        (tree.folder / "bus/usb/drivers/usb/unbind").write_text("1-1.2")
        tree.wait_for(lambda _: not port.exists())
        assert put_back(bus(tree), OURS, port)
        assert os.path.exists(port)
        assert (tree.path("1-1.2") / "driver").exists()

    def test_an_empty_place_gets_power_and_nothing_else(self, tree: SysfsTree) -> None:
        ladder = Ladder(bus(tree), Stick("1-1.5", SERIAL), GONE)
        assert STEPS[ladder.next_step(0, Answer(problem="silent"))] == "power"

    def test_no_stick_no_step(self, tree: SysfsTree) -> None:
        assert Ladder(bus(tree), None, GONE).next_step(0, Answer(problem="silent")) == len(STEPS)

    def test_what_cannot_be_written_is_a_line_in_the_log(
        self, tree: SysfsTree, caplog: pytest.LogCaptureFixture
    ) -> None:
        plug(tree, "1-1.2")
        tree.unreadable("1-1.2", "authorized")
        with caplog.at_level(logging.WARNING):
            bus(tree).authorize(OURS, on=False)
        assert "authorized: cannot write 0" in caplog.text


class TestVanishing:
    def test_what_dangles_is_not_there(self, tree: SysfsTree) -> None:
        tree.dangle("1-1.5")
        assert bus(tree).sticks() == []
        assert bus(tree).at("1-1.5") is None

    @pytest.mark.parametrize("attribute", ["idVendor", "idProduct", "bDeviceClass", "authorized"])
    def test_an_attribute_that_cannot_be_read(self, tree: SysfsTree, attribute: str) -> None:
        port = plug(tree, "1-1.2")
        tree.unreadable("1-1.2", attribute)
        bus(tree).of(port)
        bus(tree).sticks()
        put_back(bus(tree), OURS, GONE)
        assert tree.writes == []

    @pytest.mark.parametrize("garbage", ["", "\n\n", "12d1\n12d1\n", "\x00\xff\n", "x" * 4096, "0\n1\n"])
    @pytest.mark.parametrize("attribute", ["idVendor", "idProduct", "bDeviceClass", "authorized"])
    def test_an_attribute_full_of_garbage(self, tree: SysfsTree, attribute: str, garbage: str) -> None:
        port = plug(tree, "1-1.2")
        tree._layout.watch.set(tree.path("1-1.2") / attribute, garbage)
        bus(tree).of(port)
        assert all("\n" not in stick.ids for stick in bus(tree).sticks())
        put_back(bus(tree), OURS, GONE)
        assert tree.writes == []

    @pytest.mark.slow
    def test_a_device_that_comes_and_goes(self, tree: SysfsTree) -> None:
        port = plug(tree, "1-1.2")
        with tree.flickering("1-1.2"):
            for _ in range(1000):
                bus(tree).of(port)
                bus(tree).sticks()
                with contextlib.suppress(TryAgain):  # for the guard it is not there
                    bus(tree).restore(OURS)

    def test_a_dead_stick_reads_authorized(self, tree: SysfsTree) -> None:
        """usb.md: `authorized` reads 1 although no tty exists; that is no port, not one to wait for."""
        plug(tree, "1-1.2")
        tree.devices["1-1.2"].deaf_until = Cure.POWER
        bus(tree).authorize(OURS, on=False)
        tree.wait_for(lambda tree: not list(tree.path("1-1.2").glob("*:1.0")))
        bus(tree).authorize(OURS, on=True)
        assert tree.writes[-1][1] == "1"
        found = bus(tree).at("1-1.2")
        assert found is not None
        assert (found.mode, found.ttys) == ("serial", ())
        assert bus(tree).dead(found)
        assert not bus(tree).restore(OURS)

    def test_the_numbers_shift(self, tree: SysfsTree) -> None:
        port = plug(tree, "1-1.2")
        tree.numbers_shift = True
        bus(tree).authorize(OURS, on=False)
        tree.wait_for(lambda _: not port.exists())
        assert put_back(bus(tree), OURS, port)
        assert os.path.exists(port)
        found = bus(tree).of(port)
        assert found is not None
        assert found.ttys == ("ttyUSB1", "ttyUSB2", "ttyUSB3")
