# SPDX-License-Identifier: GPL-2.0-or-later
"""What is told and when, in an incident that the clock, a restart or a damaged file gets into the way of."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homesim.health import alert, incident
from homesim.health.diagnosis import diagnose
from homesim.health.evidence import Evidence
from homesim.health.faults import FAULTS, Fault
from homesim.health.incident import DAY, Incident
from homesim.process import boottime
from homesim.stick import status
from homesim.stick.status import Seen
from homesim.stick.usb import Stick
from homesim.store import records
from homesim.store.spool import Spool

SILENT, PIN, NO_SIM = FAULTS["silent"], FAULTS["pin"], FAULTS["no-sim"]
MINUTE = 60.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "state")


def said(spool: Spool) -> list[str]:
    return [entry.alert for entry in spool.entries("new")]


def check(spool: Spool, faults: Sequence[Fault], alert_after: int = 2) -> Incident:
    """What an unhealthy check keeps and tells, five minutes after the one before."""
    known = incident.load(spool) or incident.begin(faults[0], 0, 0)
    known = replace(known, checks=known.checks + 1, since=known.since - 5 * MINUTE)
    return alert.keep(spool, known, faults, alert_after)


def change(spool: Spool, **fields: object) -> None:
    spool.save("incident", {**(spool.load(dict, "incident") or {}), **fields})


class TestTelling:
    @pytest.mark.parametrize("alert_after", [1, 2, 3])
    def test_it_is_told_once_after_so_many_checks(self, spool: Spool, alert_after: int) -> None:
        for number in range(1, 7):
            check(spool, [SILENT], alert_after)
            assert len(said(spool)) == (number >= alert_after)

    def test_nothing_is_told_of_what_was_over_before(self, spool: Spool) -> None:
        alert.end(spool, check(spool, [SILENT]), 3)
        assert said(spool) == []
        assert incident.load(spool) is None

    def test_a_stick_that_comes_and_goes_tells_nothing_of_a_single_bad_check(self, spool: Spool) -> None:
        for _ in range(5):
            alert.end(spool, check(spool, [SILENT]), 0)
        assert said(spool) == []

    def test_a_line_a_day(self, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        later = boottime()
        monkeypatch.setattr(incident, "boottime", lambda: later)  # this machine may be up for less than a day
        for _ in range(3):
            known = check(spool, [SILENT])
        later += DAY - MINUTE
        check(spool, [SILENT])
        assert len(said(spool)) == 1
        later += 2 * MINUTE
        known = check(spool, [SILENT])
        assert known.age == pytest.approx(DAY + MINUTE + 5 * 5 * MINUTE)
        check(spool, [SILENT])
        _, daily = said(spool)
        assert daily.startswith("It is not over yet. The stick stopped answering on 20")

    def test_what_a_person_must_do_is_told_when_it_turns_up(self, spool: Spool) -> None:
        for _ in range(3):
            check(spool, [SILENT])
        for _ in range(3):
            check(spool, [PIN])
        first, second = said(spool)
        assert "PIN" not in first
        assert second.startswith(SILENT.what)
        assert f"{PIN.what}." in second
        assert f"{PIN.todo}." in second

    def test_what_a_reset_may_cure_is_not_told_twice(self, spool: Spool) -> None:
        for fault in (SILENT, SILENT, NO_SIM, SILENT):
            check(spool, [fault])
        assert len(said(spool)) == 1

    def test_what_helped_and_what_waited_is_told(self, spool: Spool) -> None:
        known = replace(check(spool, [SILENT], 1), tried=("radio", "authorize", "bind", "power"))
        alert.end(spool, replace(known, since=boottime() - 200 * MINUTE), 2)
        last = said(spool)[-1]
        assert "I switched its radio off and on and reset it twice and cut its power." in last
        assert "after 3 hours. 2 SMS had waited." in last

    def test_an_alert_that_a_kill_cut_short_is_told_once(self, spool: Spool) -> None:
        change(spool, alert="It is so.", name="20260101T000000Z-000000-alert")
        for _ in range(2):
            incident.finish(spool)
        assert said(spool) == ["It is so."]
        spool.done("20260101T000000Z-000000-alert")
        change(spool, alert="It is so.", name="20260101T000000Z-000000-alert")
        incident.finish(spool)
        assert said(spool) == []


class TestBackOff:
    def test_it_doubles_up_to_an_hour_and_never_ends(self, spool: Spool) -> None:
        known, pauses = check(spool, [SILENT]), []
        for _ in range(1100):  # six weeks of a stick that nothing cures
            known = known.climbed()
            pauses.append(round(known.not_before - boottime()) / MINUTE)
        assert pauses[:5] == [10, 20, 40, 60, 60]
        assert set(pauses[5:]) == {60}
        assert known.step == 0


class TestClock:
    def test_another_boot_keeps_the_incident_and_what_was_told(self, spool: Spool) -> None:
        for _ in range(2):
            check(spool, [SILENT])
        change(spool, boot="another", since=1e6, told=1e6, not_before=1e8, began=time.time() - 20 * MINUTE)
        known = incident.load(spool)
        assert known is not None
        assert known.age == pytest.approx(20 * MINUTE, abs=5)
        assert known.not_before == 0
        check(spool, [SILENT])
        assert len(said(spool)) == 1

    @pytest.mark.parametrize("began", [0.0, 300.0, 4294967295.0], ids=["1970", "1970, after a while", "2106"])
    def test_no_age_is_taken_from_a_clock_that_jumped(self, spool: Spool, began: float) -> None:
        check(spool, [SILENT])
        change(spool, boot="another", since=5.0, began=began)
        known = incident.load(spool)
        assert known is not None
        assert known.age == pytest.approx(0, abs=5)

    def test_the_time_told_is_right_though_the_clock_was_set_since(self, spool: Spool) -> None:
        check(spool, [SILENT], 3)
        change(spool, began=120.0)  # it began in 1970, by the clock of a Pi that had no network yet
        check(spool, [SILENT], 2)
        assert "1970" not in said(spool)[0]
        assert said(spool)[0].startswith(f"{SILENT.what} at ")

    @pytest.mark.parametrize("wall", [0.0, 4294967295.0])
    def test_wall_times_in_the_status_mean_nothing(self, wall: float) -> None:
        now = 5000.0
        fields = {"updated": wall, "answered": wall, "started": wall, "answered_boottime": now - 20}
        assert faults_of({**fields, "updated_boottime": now - 20, "registration": "home"}, now) == []

    def test_what_another_boot_left_is_as_old_as_this_one(self) -> None:
        fields = {"updated_boottime": 90000.0, "answered_boottime": 90000.0}
        assert faults_of(fields, 100) == []
        assert faults_of(fields, 200) == ["poll"]


def faults_of(fields: dict[str, Any], now: float = 5000.0) -> list[str]:
    status = records.of(Seen, fields) or Seen()
    seen = Evidence(device="/dev/sms", stick=Stick("1-1.2", "12d1:155e"), status=status, boottime=now)
    findings = diagnose(seen)
    assert all(0 <= finding.age <= now for finding in findings)
    return [finding.fault.key for finding in findings if finding.fault and finding.fault.what]


JUNK = [None, True, -1, 10**300, -(10**300), 1e308, float("nan"), float("inf"), "", "x", [], [5], {}, {"x": 5}]


class TestDamage:
    """json.loads takes NaN and Infinity too."""

    @pytest.mark.parametrize("junk", JUNK, ids=repr)
    @pytest.mark.parametrize("key", [*Incident.__dataclass_fields__, "alert", "name", "unknown"])
    def test_a_damaged_incident_never_raises(self, spool: Spool, key: str, junk: object) -> None:
        for _ in range(2):
            check(spool, [SILENT])
        change(spool, **{key: junk})
        incident.finish(spool)
        known = check(spool, [SILENT, PIN])
        incident.save(spool, known.climbed())
        alert.end(spool, known, 0)
        assert incident.load(spool) is None

    @pytest.mark.parametrize("key", Incident.__dataclass_fields__)
    def test_an_incident_with_a_field_missing(self, spool: Spool, key: str) -> None:
        check(spool, [SILENT])
        state = spool.load(dict, "incident") or {}
        spool.save("incident", {name: value for name, value in state.items() if name != key})
        check(spool, [SILENT])

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'"x"', b"9" * 5000, b"{}"])
    def test_files_of_garbage_are_no_files(self, spool: Spool, content: bytes) -> None:
        (spool.root / "incident").write_bytes(content)
        (spool.root / "home.json").write_bytes(content)
        assert incident.load(spool) is None
        assert status.read(spool.root, "home") == Seen()
        check(spool, [SILENT])

    @pytest.mark.parametrize("junk", JUNK, ids=repr)
    @pytest.mark.parametrize("key", Seen.__dataclass_fields__)
    def test_a_damaged_status_never_raises(self, spool: Spool, key: str, junk: object) -> None:
        (spool.root / "home.json").write_text(json.dumps({"answered_boottime": boottime(), key: junk}))
        read = records.to(status.read(spool.root, "home"))
        assert isinstance(read["stored"], int)
        faults_of(read, boottime())
        faults_of({**read, "answered_boottime": 0.0, "updated_boottime": boottime()}, boottime())

    @pytest.mark.parametrize("junk", JUNK, ids=repr)
    @pytest.mark.parametrize("key", ["used", "size", "SM"])
    def test_a_damaged_count_never_raises(self, key: str, junk: object) -> None:
        memory = junk if key == "SM" else {"used": 1, "size": 41, key: junk}
        faults_of({"answered_boottime": 4990.0, "memories": {"SM": memory}})
