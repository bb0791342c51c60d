# SPDX-License-Identifier: GPL-2.0-or-later
"""Only our device: what was never seen by the modem's own port, nor named, is told of and never touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic import PLACE, STEPS, Clinic
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Cure, Registration, Stick
from emulators.sysfs.tree import HILINK, SERIAL, STORAGE
from health.test_health import pulled_out
from health.test_health_runs import check, seen, silent
from homesim.health.faults import FAULTS
from patience import PATIENCE

UPLINK = "1-1.3"


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        clinic.configure(health="alert_after = 1")
        yield clinic


def plug(clinic: Clinic, place: str, ids: str) -> None:
    stick = Stick()
    clinic.tree.plug(stick, PtyPort(stick, clinic.folder / f"other-{place}"), at=place, ids=ids)


def gone(clinic: Clinic) -> None:
    """What poll says of a port that is not there."""
    seen(clinic, answered_boottime=0, error="no such device")


def alerts(clinic: Clinic) -> list[str]:
    """What waits to be sent: poll does not run here."""
    return [json.loads(path.read_text())["alert"] for path in sorted((clinic.state / "new").iterdir())]


def kept(clinic: Clinic) -> dict[str, object]:
    path = clinic.state / "stick"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def whole_ladder(clinic: Clinic) -> None:
    """Each step's turn, and a look after each peace."""
    for _ in range(2 * len(STEPS) + 4):
        clinic.later(3600)
        gone(clinic)
        assert clinic.health() == 75


def in_its_place(clinic: Clinic, ids: str) -> None:
    """The socket that ours was in, with something else of its maker in it."""
    seen(clinic)
    assert clinic.health() == 0
    pulled_out(clinic)
    plug(clinic, PLACE, ids)


def elsewhere(clinic: Clinic, *ids: str) -> None:
    """Where nobody has seen ours at work: a card restored, or a configuration by hand."""
    pulled_out(clinic)
    for place, each in zip((UPLINK, "1-1.5"), ids, strict=False):
        plug(clinic, place, each)


def taken_for_ours(clinic: Clinic) -> None:
    """0.1.0 remembered the uplink whenever it reset it; such a record says nothing of a port."""
    elsewhere(clinic, HILINK)
    clinic.state.mkdir(parents=True)
    (clinic.state / "stick").write_text(json.dumps({"place": UPLINK, "ids": HILINK}))


def several_named(clinic: Clinic) -> None:
    clinic.configure(health=f'alert_after = 1\nusb = "{HILINK}"')
    elsewhere(clinic, HILINK, HILINK)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("happens", "fault"),
    [
        (lambda c: elsewhere(c, HILINK), "unknown"),
        (lambda c: elsewhere(c, STORAGE), "unknown"),
        (lambda c: elsewhere(c, HILINK, STORAGE), "several"),
        (lambda c: in_its_place(c, HILINK), "unknown"),
        (lambda c: in_its_place(c, "12d1:1001"), "unknown"),
        (taken_for_ours, "unknown"),
        (several_named, "several"),
    ],
    ids=["a card", "a disk", "two", "a card in its place", "another in its place", "taken for ours", "several named"],
)
def test_what_nobody_knows_is_told_once_and_left_alone(
    clinic: Clinic, happens: Callable[[Clinic], object], fault: str
) -> None:
    """Whatever is asked for: each step's turn, a step by hand, and poll."""
    happens(clinic)
    before = kept(clinic)
    whole_ladder(clinic)
    process = clinic.start_health("--force-reset")
    assert "there is no step to take here" in process.communicate(timeout=PATIENCE)[1]
    [alert] = alerts(clinic)
    assert alert.startswith(FAULTS[fault].what)
    assert f"{FAULTS[fault].todo}." in alert
    assert "I am trying" not in alert
    clinic.poll()
    assert (process.returncode, clinic.tree.writes, kept(clinic)) == (75, [], before)


@pytest.mark.slow
class TestNeverSeen:
    @pytest.mark.parametrize("place", [UPLINK, PLACE])
    def test_nothing_is_put_back_that_somebody_has_off(self, clinic: Clinic, place: str) -> None:
        in_its_place(clinic, HILINK) if place == PLACE else elsewhere(clinic, HILINK)
        gone(clinic)
        for _ in range(3):
            check(clinic)
        clinic.tree.set(clinic.tree.path(place) / "authorized", "0")
        clinic.poll()
        assert check(clinic) == 75
        assert clinic.tree.writes == []

    def test_its_port_is_seen_and_it_is_ours(self, clinic: Clinic) -> None:
        clinic.tree.mode_switch = None
        clinic.tree.switch_mode(PLACE, STORAGE)
        gone(clinic)
        assert clinic.health() == 75
        clinic.tree.replug(PLACE)
        clinic.tree.switch_mode(PLACE, SERIAL)
        seen(clinic)
        assert clinic.health() == 0
        assert (kept(clinic)["place"], kept(clinic)["ids"]) == (PLACE, SERIAL)


@pytest.mark.slow
class TestAPortThatIsNotOnUsb:
    @pytest.mark.parametrize("ids", [HILINK, "12d1:1001"])
    @pytest.mark.parametrize("remembered", [False, True], ids=["", "taken for ours by 0.1.0"])
    def test_a_silent_one_leaves_the_uplink_beside_it_alone(self, clinic: Clinic, ids: str, remembered: bool) -> None:
        pulled_out(clinic)
        plug(clinic, UPLINK, ids)
        with PtyPort(clinic.stick, clinic.folder / "sms"):  # of a UART
            seen(clinic)
            assert clinic.health() == 0
            clinic.stick.faults.register(Registration.SEARCHING, Cure.RADIO)
            seen(clinic, registration="none")
            assert clinic.health() == 0  # its radio is all there is
            if remembered:
                (clinic.state / "stick").write_text(json.dumps({"place": UPLINK, "ids": ids}))
            silent(clinic)
            for _ in range(8):
                clinic.later(3600)
                silent(clinic)
                assert clinic.health() == 75
        assert clinic.tree.writes == []
        assert "From here there is nothing that I can do." in alerts(clinic)[-1]


@pytest.mark.slow
def test_one_that_nobody_knows_does_not_keep_another_modem_from_its_own(clinic: Clinic, tmp_path: Path) -> None:
    """Ours turns into a disk while `away`, which was never in, looks for a stick too."""
    clinic.configure(more=f'[modem.away]\ndevice = "{tmp_path}/none"\n')
    seen(clinic)
    assert clinic.health("--modem", "home") == 0
    clinic.tree.switch_mode(PLACE, STORAGE)
    gone(clinic)
    for _ in range(3):
        clinic.health("--modem", "away")
    assert clinic.tree.writes == []
    clinic.health("--modem", "home")
    clinic.health("--modem", "home")
    assert clinic.steps() == ["replay"]
