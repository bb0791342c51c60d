# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/health as it is called: its options, what it says, who waits for whom, and who is left alone."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinic import PLACE, STEPS, Clinic
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Registration, Sim, Stick, Trouble
from emulators.sysfs.tree import HILINK, SERIAL, STORAGE, Cure
from health.test_health import pulled_out
from health.test_health_ping import SECRET, Switch, switch
from homesim.chat.render import OURS
from homesim.health.faults import FAULTS
from homesim.process import ModemLock, boottime
from patience import PATIENCE
from rig import BIN

__all__ = ["switch"]
SILENT = FAULTS["silent"].what


@pytest.fixture
def clinic(python: str) -> Iterator[Clinic]:
    with Clinic(python) as clinic:
        yield clinic


def seen(clinic: Clinic, **fields: object) -> None:
    """As if poll had run: a healthy status, but for these."""
    now = boottime()
    healthy = {"modem": "home", "updated_boottime": now, "answered_boottime": now,
               "sim": "READY", "registration": "home", "memories": {"SM": {"used": 0, "size": 50}},
               "hidden": 0, "stored": 0, "error": "", "telegram": ""}  # fmt: skip
    clinic.run_folder.mkdir(exist_ok=True, mode=0o700)
    (clinic.run_folder / "home.json").write_text(json.dumps({**healthy, **fields}))


def silent(clinic: Clinic, until: Cure = Cure.NEVER) -> None:
    """The stick is frozen, and poll has seen it."""
    clinic.stick.faults.freeze(until)
    seen(clinic, answered_boottime=max(0.0, boottime() - 400), error="the stick stopped answering")


def check(clinic: Clinic, *arguments: str) -> int:
    """Five minutes later; poll ran and saw what it saw before."""
    clinic.later()
    status = clinic.status()
    seen(clinic, answered_boottime=status["answered_boottime"], error=status["error"])
    return clinic.health(*arguments)


def contents(folder: Path) -> dict[str, Any]:
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
            for path in folder.rglob("*") if not path.is_symlink() and (path.is_file() or path.is_dir())}  # fmt: skip


def on_terminal(clinic: Clinic, *arguments: str) -> tuple[int, list[str]]:
    """Run it with its error output on a terminal: exit code, lines."""
    master, slave = pty.openpty()
    command = [clinic.python, "-B", str(BIN / "health"), "--config", str(clinic.config), *arguments]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        shown = b""
        try:
            while octets := os.read(master, 4096):
                shown += octets
        except OSError:  # EIO: the last one has hung up
            pass
    os.close(master)
    return process.returncode, shown.decode().splitlines()


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [(["--nonsense"], 2), (["--modem", "other"], 2), (["--config", "/nowhere"], 78), (["--version"], 0)],
    )
    def test_exit_codes(self, clinic: Clinic, arguments: list[str], code: int) -> None:
        process = clinic.start_health(*arguments)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == code

    def test_a_terminal_is_told_each_station(self, clinic: Clinic) -> None:
        seen(clinic, operator="Telekom.de", signal=61)
        code, lines = on_terminal(clinic)
        assert code == 0
        assert [line.split(": ")[1] for line in lines] == [
            "stick", "port", "answer", "SIM", "network", "call", "memory", "power", "spool"]  # fmt: skip
        assert lines[0].startswith("home: stick: 12d1:155e at USB 1-1.2, serial: tty")
        assert "home: network: Telekom.de, registered at home, signal good (61 %)" in lines

    @pytest.mark.slow
    def test_no_text_token_or_address_is_shown(self, clinic: Clinic, switch: Switch) -> None:
        clinic.configure(health=f'ping_url = "{switch.url}"\nalert_after = 1')
        switch.status = 500
        text = clinic.arrive()
        clinic.api.down()
        clinic.poll()
        silent(clinic)
        code, lines = on_terminal(clinic, "--verbose")
        assert code == 75
        assert any("ping_url" in line for line in lines)
        told = "\n".join([*lines, *(body for _, body in switch.told)])
        assert [secret for secret in (text, clinic.api.token, SECRET) if secret in told] == []

    @pytest.mark.parametrize(
        "happens", ["well", "silent", "storage", "back-off", pytest.param("top of the ladder", marks=pytest.mark.slow)]
    )
    def test_a_dry_run_touches_nothing(self, clinic: Clinic, happens: str) -> None:
        seen(clinic)
        assert clinic.health() == 0  # makes the folders
        if happens != "well":
            silent(clinic)
            assert clinic.health() == 75
        if happens == "storage":
            clinic.tree.switch_mode(PLACE, STORAGE)
        change(clinic, step=len(STEPS) + 1 if happens == "top of the ladder" else None)
        change(clinic, not_before=boottime() + 600 if happens == "back-off" else None)
        written = list(clinic.tree.writes)
        before = contents(clinic.folder)
        asked = len(clinic.stick.commands)
        code, lines = on_terminal(clinic, "--dry-run")
        assert code == (0 if happens == "well" else 75)
        assert any("would" in line for line in lines) == (happens != "well")
        assert contents(clinic.folder) == before
        assert len(clinic.stick.commands) == asked
        assert clinic.tree.writes == written

    def test_a_dry_run_before_the_first_run_makes_no_folder(self, clinic: Clinic) -> None:
        clinic.health("--dry-run")
        assert not clinic.state.exists()
        assert not clinic.run_folder.exists()

    @pytest.mark.parametrize(("fault", "step"), [(None, "radio"), (Cure.AUTHORIZE, "authorize")])
    def test_a_forced_reset(self, clinic: Clinic, fault: Cure | None, step: str) -> None:
        if fault:
            clinic.stick.faults.freeze(fault)
        assert clinic.health("--force-reset") == 0
        assert clinic.steps() == [step] * (step != "radio")
        assert ("AT+CFUN=1" in [command.text for command in clinic.stick.commands]) == (step == "radio")
        assert clinic.texts() == []


def change(clinic: Clinic, **fields: object) -> None:
    path = clinic.state / "incident"
    wanted = {key: value for key, value in fields.items() if value is not None}
    if path.exists() and wanted:
        path.write_text(json.dumps({**json.loads(path.read_text()), **wanted}))


class TestLadder:
    @pytest.mark.slow
    def test_cured_by_none(self, clinic: Clinic) -> None:
        """Each step once and one a check, then peace, longer each time; counted on disk."""
        seen(clinic)
        assert clinic.health() == 0
        silent(clinic)
        rounds, tried = [], 0
        for _ in range(3):
            taken: list[str] = []
            while not taken or clinic.incident()["step"]:
                assert check(clinic) == 75
                assert len(clinic.steps()) - tried <= 1
                taken += clinic.steps()[tried:]
                tried = len(clinic.steps())
            rounds.append(taken)
            pause = clinic.incident()["not_before"] - boottime()
            assert pause == pytest.approx(600 * 2 ** (len(rounds) - 1), abs=30)
            asked = len(clinic.stick.commands)
            for _ in range(int(pause // 300) - 1):
                assert check(clinic) == 75
            assert len(clinic.steps()) == tried
            assert len(clinic.stick.commands) == asked
            clinic.later(300)
        assert rounds == [["authorize", "power"]] * 3
        assert len(list((clinic.state / "new").iterdir())) == 2  # it, and once that a hand is needed; poll sent neither

    @pytest.mark.slow
    def test_the_step_is_on_disk_before_it_is_taken(self, clinic: Clinic) -> None:
        seen(clinic)
        clinic.health()
        silent(clinic)
        kept: list[int] = []
        clinic.tree.on_write = lambda *_: kept.append(clinic.incident()["step"])
        check(clinic)
        assert kept[0] == STEPS.index("authorize") + 2


class TestOtherDevices:
    @pytest.mark.slow
    def test_each_modem_heals_only_its_own(self, clinic: Clinic) -> None:
        """Ours is pulled out, the other one loses its port: it must not be taken for ours."""
        other = Stick()
        path = clinic.folder / "other"
        port = PtyPort(other, path)
        clinic.tree.plug(other, port, at="1-1.3")
        clinic.configure(more=f'[modem.away]\ndevice = "{path}"\n')
        seen(clinic)
        (clinic.run_folder / "away.json").write_bytes((clinic.run_folder / "home.json").read_bytes())
        assert clinic.health() == 0  # remembers both
        pulled_out(clinic)
        clinic.tree.switch_mode("1-1.3", HILINK)
        for _ in range(5):
            assert clinic.health("--modem", "home") == 75
        assert clinic.tree.writes_to("1-1.3") == []
        assert clinic.tree.writes_to(PLACE) != []

    @pytest.mark.slow
    @pytest.mark.parametrize("usb", ["", f'usb = "{SERIAL}"'])
    @pytest.mark.parametrize("ids", [HILINK, "12d1:1001"])
    def test_an_uplink_is_not_ours_when_ours_is_gone(self, clinic: Clinic, tmp_path: Path, ids: str, usb: str) -> None:
        uplink = Stick()
        clinic.tree.plug(uplink, PtyPort(uplink, tmp_path / "uplink"), at="1-1.3", ids=ids)
        clinic.configure(health=f"alert_after = 1\n{usb}")
        seen(clinic)
        assert clinic.health() == 0
        pulled_out(clinic)
        seen(clinic, answered_boottime=0, error="no such device")
        for _ in range(3):
            assert check(clinic) == 75
        assert clinic.tree.writes_to("1-1.3") == []
        assert clinic.steps() == ["power"]  # of the port that ours was in
        alerts = [json.loads(entry.read_text())["alert"] for entry in sorted((clinic.state / "new").iterdir())]
        assert len(alerts) == 2  # the second when no step was left
        assert all(alert.startswith(FAULTS["absent"].what) for alert in alerts)


class TestDisk:
    @pytest.mark.slow
    @pytest.mark.parametrize("ill", ["full", "read-only"])
    def test_one_that_takes_nothing_is_told_all_the_same(self, clinic: Clinic, ill: str) -> None:
        """Once, and as soon as there is a way to the chat: the spool cannot carry it."""
        seen(clinic)
        assert clinic.health() == 0
        command = ("prlimit", "--fsize=0") if ill == "full" else read_only(clinic)
        clinic.api.down()
        silent(clinic)
        for _ in range(4):
            process = clinic._start([*command, clinic.python, "-B", str(BIN / "health")])
            err = process.communicate(timeout=PATIENCE)[1]
            assert process.returncode == 75
            assert "home/incident: file too large" in err or "home/incident: read-only file system" in err
            clinic.api.up()
        [sent] = clinic.api.sent
        assert sent.text.startswith(f"{OURS}\nThe disk takes nothing, so SMS stay on the stick")
        assert clinic.tree.writes == []  # no step that a kill could make one for ever


def read_only(clinic: Clinic) -> tuple[str, ...]:
    """A command before a program: it sees the spool on a file system that was remounted."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, str(clinic.state.parent))


class TestPoll:
    @pytest.mark.slow
    def test_one_that_lingers_hands_over(self, clinic: Clinic) -> None:
        clinic.configure(poll="linger = 2")
        silent(clinic, Cure.AUTHORIZE)
        clinic.stick.faults.thaw()
        with clinic.lingering(2) as poll:
            status = clinic.status()
            (clinic.run_folder / "home.json").write_text(json.dumps({**status, "registration": "none"}))
            assert clinic.health() in (0, 75)
            assert poll.wait(PATIENCE) == 0
        assert clinic.poll().returncode == 0

    @pytest.mark.slow
    def test_one_that_was_kept_out_has_not_stopped_running(self, clinic: Clinic) -> None:
        """A step takes its time, cron starts health each minute: poll gets no turn and writes nothing."""
        silent(clinic)
        clinic.shift(clinic.run_folder / "home.json", 140, "updated_boottime")
        assert clinic.health() == 75  # looks itself
        clinic.shift(clinic.run_folder / "home.json", 140, "updated_boottime")
        assert clinic.health() == 75
        assert clinic.steps() == ["authorize", "power"]
        assert clinic.incident()["needs"] == []

    @pytest.mark.slow
    def test_one_that_has_not_run_since_a_cure_gets_its_time(self, clinic: Clinic) -> None:
        silent(clinic, Cure.AUTHORIZE)
        assert clinic.health() == 0
        assert clinic.health() == 0  # cured, and poll has not shown its SMS yet
        assert clinic.incident() == {}
        clinic.later()
        seen(clinic, answered_boottime=clinic.status()["answered_boottime"], error="the stick stopped answering")
        assert clinic.health() == 75  # nor after five minutes

    @pytest.mark.slow
    def test_one_that_does_not_hand_over_is_left(self, clinic: Clinic) -> None:
        """Its end is the kernel's."""
        clinic.configure(poll="linger = 0")
        silent(clinic)
        assert clinic.health() == 75
        taken = list(clinic.tree.writes)
        assert ModemLock(clinic.run_folder, "home").take(0)
        try:
            silent(clinic)
            assert clinic.health() == 75
        finally:
            release()
        assert clinic.tree.writes == taken

    def test_each_modem_s_process_has_its_deadline(self, clinic: Clinic) -> None:
        """A child of fork has no interval timer; and whoever still runs holds the pipe."""
        clinic.configure(more=f'[modem.away]\ndevice = "{clinic.folder}/away"\n')
        assert clinic.health() == 75
        silent(clinic)
        assert ModemLock(clinic.run_folder, "home").take(0)
        try:
            program = f"import sys; sys.path.insert(0, {str(BIN.parent / 'lib')!r}); " \
                "from homesim.health import main; main.LIMIT = 2.0; main.main()"  # fmt: skip
            command = [clinic.python, "-B", "-c", program, "--config", str(clinic.config)]
            subprocess.run(command, stdout=subprocess.PIPE, timeout=PATIENCE, check=False)
        finally:
            release()

    def test_two_checks_at_once_are_one(self, clinic: Clinic) -> None:
        seen(clinic)
        clinic.health()
        silent(clinic)
        assert ModemLock(clinic.run_folder, "home.health").take(0)
        try:
            assert clinic.health() == 75
            assert clinic.incident() == {}
        finally:
            release()


def release() -> None:
    """A ModemLock ends with its process; here that is the tests'."""
    for turn in ModemLock._taken:
        turn._lock.release(force=True)
    ModemLock._taken.clear()


class TestSwitch:
    @pytest.mark.parametrize("hangs", [False, True])
    def test_it_is_told_and_changes_nothing(self, clinic: Clinic, switch: Switch, hangs: bool) -> None:
        clinic.configure(health=f'ping_url = "{switch.url}"')
        seen(clinic)
        assert clinic.health() == 0
        assert switch.told == [(f"/{SECRET}", "")]
        clinic.tree.under_voltage()
        if hangs:
            switch.status = 500
        assert clinic.health() == 75
        assert switch.told[1] == (f"/{SECRET}/fail", "power: the Pi gets too low a voltage now")
        clinic.tree.under_voltage(False)
        assert clinic.health() == 0

    def test_a_check_that_fails_is_no_success(self, clinic: Clinic, switch: Switch) -> None:
        """Without any finding: the disk takes nothing."""
        clinic.configure(health=f'ping_url = "{switch.url}"')
        seen(clinic)
        (clinic.state / "tmp").mkdir(parents=True)
        (clinic.state / "stick").mkdir()  # cannot be replaced by a file
        process = clinic.start_health()
        assert "homesim-health: " in process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 75
        assert [path for path, _ in switch.told] == [f"/{SECRET}/fail"]

    def test_a_token_that_is_refused_goes_to_it_and_not_to_the_chat(self, clinic: Clinic, switch: Switch) -> None:
        clinic.configure(health=f'ping_url = "{switch.url}"\nalert_after = 1')
        seen(clinic, telegram="Telegram: HTTP 401 Unauthorized; SMS are kept")
        (clinic.state / "new").mkdir(parents=True)
        entry = clinic.state / "new/20260101T000000Z-x.json"
        entry.write_text("{}")
        os.utime(entry, (0, 0))
        assert clinic.health() == 75
        [(path, body)] = switch.told
        assert path == f"/{SECRET}/fail"
        assert "401" in body
        assert clinic.api.token not in body
        assert clinic.incident() == {}
        assert [p.name for p in (clinic.state / "new").iterdir()] == [entry.name]


@pytest.mark.slow
@pytest.mark.parametrize("garbage", [b"\0\xff\xfe\r\n", b"\r\n+CPIN: READY\r\nOK\r\n", b"x" * 5000, b"\r\nERROR\r\n"])
def test_a_stick_that_answers_garbage_is_no_bug(clinic: Clinic, garbage: bytes) -> None:
    seen(clinic)
    clinic.health()
    clinic.stick.faults.on("", Trouble(before_answer=garbage, inside_answer=garbage, after_answer=garbage))
    clinic.stick.faults.sim(Sim.BUSY)
    clinic.stick.faults.register(Registration.UNKNOWN)
    seen(clinic, answered_boottime=0.0, error="the stick stopped answering")
    for _ in range(3):
        assert clinic.health() in (0, 75)
