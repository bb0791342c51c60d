# SPDX-License-Identifier: GPL-2.0-or-later
"""Never the wrong device: which stick on the bus is the modem's, and what is written to whom."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clinic import STEPS
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Cure
from emulators.stick.stick import Stick as Emulated
from emulators.sysfs.tree import HILINK, SERIAL, STORAGE, SysfsTree
from homesim.errors import TryAgain
from homesim.health.recovery import Port, Report, following
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


@dataclass(frozen=True)
class Case:
    """Which stick is the modem's, of those that are `plugged` in, each by place and ids."""

    plugged: dict[str, str]
    kept: Kept | None = KEPT
    wanted: str | None = None
    taken: tuple[str, ...] = ()
    port: str = ""  # the place of the one that has it
    stick: str = ""
    gone: Stick | None = None
    candidates: tuple[str, ...] = ()


CASES = {
    "its port says which one": Case({"1-1.3": SERIAL, "1-1.2": SERIAL}, Kept("1-1.3", SERIAL), "12d1:1506",
                                    port="1-1.2", stick="1-1.2"),
    "nothing of two is known": Case({"1-1.2": SERIAL, "1-1.3": STORAGE}, None, candidates=("1-1.2", "1-1.3")),
    "in its place": Case({"1-1.2": SERIAL, "1-1.3": SERIAL}, stick="1-1.2"),
    "in its place as a disk": Case({"1-1.2": STORAGE, "1-1.3": SERIAL}, stick="1-1.2"),
    "in its place a network card": Case({"1-1.2": HILINK, "1-1.3": SERIAL}, candidates=("1-1.2",)),
    "in its place another": Case({"1-1.2": "12d1:1001", "1-1.3": SERIAL}, candidates=("1-1.2",)),
    "in its place as it was reset": Case({"1-1.2": "12d1:1001"}, Kept("1-1.2", SERIAL, "12d1:1001"), stick="1-1.2"),
    "in its place another vendor's": Case({"1-1.2": "0403:6001"}),
    "in its place another modem's": Case({"1-1.2": SERIAL}, taken=("1-1.2",)),
    "another vendor's has its port": Case({"1-1.2": "0403:6001"}, None, port="1-1.2", stick="1-1.2"),
    "only another modem's": Case({"1-1.3": SERIAL}, taken=("1-1.3",), gone=OURS),
    "another one elsewhere": Case({"1-1.3": STORAGE}, gone=OURS),
    **{f"wanted, {ids}": Case({"1-1.2": SERIAL, "1-1.3": ids}, None, ids, stick="1-1.3")
       for ids in ("12d1:1506", HILINK, STORAGE)},
    **{f"wanted in another mode, {ids}": Case({"1-1.3": ids}, None, SERIAL, candidates=("1-1.3",))
       for ids in (HILINK, STORAGE)},
    "two are wanted": Case({"1-1.2": SERIAL, "1-1.3": SERIAL}, None, SERIAL, candidates=("1-1.2", "1-1.3")),
    **{f"a bystander, {place}": Case({}, Kept(place, SERIAL), gone=Stick(place, SERIAL) if hub else None)
       for place, hub in (("usb1", True), ("1-1", True), ("1-1.1", False), ("1-1.4", False))},
}  # fmt: skip


class TestChoice:
    @pytest.mark.parametrize("case", CASES.values(), ids=CASES)
    def test_which_one_it_is(self, tree: SysfsTree, case: Case) -> None:
        ports = {place: plug(tree, place, ids) for place, ids in case.plugged.items()}
        found = choose(bus(tree), ports.get(case.port, GONE), case.kept, case.wanted, case.taken)
        assert [stick.place for stick in (found.stick,) if stick] == [case.stick] * bool(case.stick)
        assert (found.gone, tuple(stick.place for stick in found.candidates)) == (case.gone, case.candidates)

    def test_a_hub_is_none_whoever_makes_it(self, tree: SysfsTree) -> None:
        plug(tree, "1-1.2")
        tree.set(tree.path("1-1.2") / "bDeviceClass", "09")
        assert choose(bus(tree), GONE, KEPT, None).stick is None

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
    @pytest.mark.parametrize("step", range(1, len(STEPS)), ids=STEPS[1:])
    def test_no_step_touches_another_device(self, tree: SysfsTree, place: str, step: int) -> None:
        plug(tree, "1-1.3", "0403:6001")
        with pytest.raises(TryAgain, match="not touched"):
            Port(bus(tree), Stick(place, SERIAL), GONE).steps[step].take()
        assert tree.writes == []

    @pytest.mark.parametrize("place", ["1-1", "1-1.1", "1-1.4", "1-1.3"])
    @pytest.mark.parametrize(("attribute", "text"), [("authorized", "0"), ("disable", "1"), ("driver", "")])
    def test_nobody_else_is_put_back(self, tree: SysfsTree, place: str, attribute: str, text: str) -> None:
        plug(tree, "1-1.3", "0403:6001")
        if attribute == "driver":
            (tree.path(place) / "driver").unlink()
        else:  # as if somebody had it off on purpose; nobody listens to this write
            folder = tree.hub_port(place) if attribute == "disable" else tree.path(place)
            tree.set(folder / attribute, text)
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
        steps = Port(bus(tree), Stick("1-1.5", SERIAL), GONE).steps
        assert [step.name for step in steps if step.fits(Report(problem="silent"))] == ["power"]

    def test_no_stick_no_step(self, tree: SysfsTree) -> None:
        steps = Port(bus(tree), None, GONE).steps
        assert following(steps, 0, Report(problem="silent")) == len(steps)

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
        tree.set(tree.path("1-1.2") / attribute, garbage)
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
