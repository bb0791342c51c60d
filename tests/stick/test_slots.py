# SPDX-License-Identifier: GPL-2.0-or-later
"""What sticks make of the SMS that they hold, and bin/poll of that: torn, under other headers, not hex, never freed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import pdus
from clinic import Clinic
from emulators.stick.stick import Trouble, headed, instead, torn
from homesim.stick.commands import Content, listed, read
from rig import Rig

EACH_LIBGAMMU = True
TEXT = "every character of this"
SMS = pdus.deliver(TEXT)
RSSI, BOOT = "^RSSI:19", "^BOOT:35323129,0,0,0,26"


def a_minute_later(rig: Rig) -> None:
    """As if what was torn then had been so for a minute."""
    file = rig.run_folder / "home.json"
    fields = json.loads(file.read_text())
    fields["torn"] = {slot: since and since - 61 for slot, since in fields["torn"].items()}
    file.write_text(json.dumps(fields))


def deletes(rig: Rig) -> int:
    return sum("CMGD" in command.text for command in rig.stick.commands)


def _glued(line: str) -> str:
    """Without the line end that it should begin with."""
    return line if line.startswith("+") else f"{line[:31]}{RSSI}\r\n{line[31:]}"


class TestTorn:
    @pytest.mark.parametrize(
        "tear", [torn(RSSI), torn(BOOT, RSSI, at=5), _glued], ids=["a line", "two lines", "glued"]
    )
    def test_by_lines_at_the_same_place_each_time(self, rig: Rig, tear: Callable[[str], str]) -> None:
        rig.stick.faults.on("CMG[LR]", Trouble(line=tear))
        rig.stick.store("SM", None, SMS)
        rig.stick.store("SM", None, pdus.deliver("another one"))
        rig.stick.store("ME", None, pdus.deliver("in the stick"))
        run = rig.poll()
        assert (run.returncode, run.stderr) == (0, "")
        said = "\n".join(rig.texts())
        assert [text for text in (TEXT, "another one", "in the stick") if f"\n{text}\n" not in said] == []
        assert "cannot be decoded" not in said
        assert rig.stick.stored() == {}

    @pytest.mark.parametrize("header", ["+CMGL: {index},{stat},,\r\n{length}", "+CMGL: \r\n{index},{stat},,{length}"])
    def test_in_its_header(self, rig: Rig, header: str) -> None:
        rig.stick.faults.on("CMGL", Trouble(line=headed(header)))
        rig.stick.store("SM", 7, SMS)
        assert rig.poll().returncode == 0
        assert f"\n{TEXT}\n" in rig.api.text()
        assert rig.stick.stored() == {}

    def test_what_is_not_whole_is_read_again_and_never_deleted(self, rig: Rig) -> None:
        """Nor told, as long as it may pass."""
        rig.stick.faults.on("CMG[LR]", Trouble(cut=10))
        rig.stick.store("SM", None, SMS)
        for _ in range(2):
            assert rig.poll().returncode == 0
        assert (rig.texts(), deletes(rig)) == ([], 0)
        rig.stick.faults.clear()
        assert rig.poll().returncode == 0
        assert [text.split("\n")[1] for text in rig.texts()] == [TEXT]
        assert rig.stick.stored() == {}
        assert rig.status()["torn"] == {}

    def test_what_never_gets_whole_is_told_once_and_kept(self, rig: Rig) -> None:
        rig.stick.store("SM", 0, SMS)
        for cut in (10, 10, 12, 14):  # not always torn at the same place
            rig.stick.faults.clear()
            rig.stick.faults.on("CMG[LR]", Trouble(cut=cut))
            assert rig.poll().returncode == 0
            a_minute_later(rig)
        [told] = rig.texts()
        assert SMS[:-10] in told
        assert (rig.status()["stuck"], rig.status()["hidden"], deletes(rig)) == (1, 0, 0)
        rig.stick.faults.clear()
        assert rig.poll().returncode == 0
        assert TEXT in rig.texts()[1]
        assert rig.stick.stored() == {}
        assert rig.status()["stuck"] == 0

    def test_half_of_a_part_is_no_part(self, rig: Rig) -> None:
        """It would stand in the way of the whole one."""
        half, other = pdus.long_sms("a long message " * 15, reference=7)
        rig.configure(poll="multipart_wait = 9999")
        rig.stick.store("SM", 0, half)
        rig.stick.faults.on("CMG[LR]", Trouble(cut=10))
        rig.poll()
        a_minute_later(rig)
        rig.poll()
        assert rig.entries("parts") == []
        rig.stick.faults.clear()
        rig.stick.store("SM", None, other)
        rig.poll()
        assert ("a long message " * 15).strip() in rig.api.text()


class TestHeaders:
    @pytest.mark.parametrize(
        "header",
        [
            "+CMGR: ,,{length}",
            "+CMGR: {length}",
            "+CMGR:{stat} , , {length} ",
            '+CMGR: {stat},"Bank, your",{length}',
            "+CMGR: {stat}",
            "+CMGL:   {index} , {stat} , , {length}",
            "+CMGL:{index},{stat},{length}",
            '+CMGL: {index},{stat},"1, 2",{length}',
            "+CMGL: {index},{stat},,",
            "+CMGL: {length}",
            "+CMGL:",
        ],
    )  # fmt: skip
    def test_any_form_is_read_told_and_freed(self, rig: Rig, header: str) -> None:
        rig.stick.faults.on(header[1:5], Trouble(line=headed(header)))
        rig.stick.store("SM", 3, SMS)
        rig.stick.store("SM", 30, pdus.deliver("behind it"))
        rig.stick.store("ME", 1, pdus.deliver("in the stick"))
        run = rig.poll()
        assert (run.returncode, run.stderr) == (0, "")
        assert [text for text in (TEXT, "behind it", "in the stick") if f"\n{text}\n" not in rig.api.text()] == []
        assert len(rig.texts()) == 3 or rig.api.text().count(TEXT) == 1
        assert rig.stick.stored() == {}

    def test_without_any_length_it_is_told_and_kept(self, rig: Rig) -> None:
        rig.stick.faults.on("CMGL", Trouble(line=headed("+CMGL: {index},{stat}")))
        rig.stick.faults.on("CMGR", Trouble(line=headed("+CMGR:")))
        rig.stick.store("SM", 3, SMS)
        rig.poll()
        assert rig.texts() == []
        for _ in range(2):
            a_minute_later(rig)
            assert rig.poll().returncode == 0
        assert [text.split("\n")[1] for text in rig.texts()] == [TEXT]
        assert (rig.status()["stuck"], deletes(rig)) == (1, 0)

    def test_pure(self) -> None:
        assert listed(["+CMGL: 1,0,,23", "OK"]) == {1: Content()}
        assert listed(["+CMS ERROR: 500"]) is None
        assert listed(["OK"]) == {}
        assert read(["+CMGR: 0,,0", "OK"]) == read(["OK"]) == read(["ERROR"]) == Content()
        assert not read(["+CMGR: 0,,0", "0791", "OK"]).whole
        assert read(['+CMGR: "REC READ","+4930"', "Hello", "OK"]) == Content('+CMGR: "REC READ","+4930"\nHello')


def test_what_is_not_hex_is_told_as_it_stands_once(rig: Rig) -> None:
    strange = f"{SMS[:2]}XX{SMS[4:]}"
    rig.stick.faults.on("CMG[LR]", Trouble(line=instead(SMS, strange)))
    rig.stick.store("SM", 0, SMS)
    rig.stick.store("SM", 1, pdus.deliver("a good one"))
    assert rig.poll().returncode == 0
    assert [text.split("\n")[1] for text in rig.texts()] == ["a good one"]
    for _ in range(3):
        a_minute_later(rig)
        assert rig.poll().returncode == 0
    assert len(rig.texts()) == 2
    assert strange in rig.texts()[1]
    assert list(rig.stick.stored()) == [("SM", 0)]
    assert (rig.status()["stuck"], rig.status()["hidden"]) == (1, 0)


def test_hex_in_two_cases_is_the_same(rig: Rig) -> None:
    rig.stick.faults.on("CMGR", Trouble(line=lambda line: line if line[0] == "+" else line.lower()))
    rig.stick.store("SM", None, SMS)
    assert rig.poll().returncode == 0
    assert TEXT in rig.api.text()
    assert rig.stick.stored() == {}


def test_what_was_sent_from_the_stick_is_not_said_to_be_unsent(rig: Rig) -> None:
    """An E3131 lists one so: `+CMGL: 0,3,,18`. In the PDU the two are the same."""
    rig.stick.store("SM", 0, pdus.submit("sent long ago"), stat=3)
    assert rig.poll().returncode == 0
    [told] = rig.texts()
    assert "sent long ago" in told
    assert "never sent" not in told
    assert "stored on the stick; shown is its recipient" in told


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [Trouble(answer="OK"), Trouble(answer="ERROR"), Trouble(answer="+CMS ERROR: 500")])
def test_what_is_not_let_go_is_a_fault_with_a_name(python: str, trouble: Trouble) -> None:
    """Told once, whatever becomes of it; nothing is reset, and the stick is not asked for ever."""
    with Clinic(python) as clinic:
        clinic.stick.faults.on("CMGD", trouble)
        clinic.stick.store("SM", 0, SMS)
        clinic.poll()
        for _ in range(4):
            assert clinic.check() == 75
        assert deletes(clinic) <= 2 * (1 + 2 * 4)  # two a run, of which a check has two
        assert clinic.status()["stuck"] == 1
        assert clinic.steps() == []
        assert not any("CFUN=4" in command.text or "CFUN=0" in command.text for command in clinic.stick.commands)
        clinic.stick.faults.clear()
        assert clinic.check() == 0
        clinic.poll()
        alert, over = clinic.alerts()
        assert alert.startswith("The stick began to keep an SMS that cannot be taken off it")
        assert "All is well again" in over
