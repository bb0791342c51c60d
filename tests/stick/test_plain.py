# SPDX-License-Identifier: GPL-2.0-or-later
"""Sticks that libgammu does not start on are read by plain AT, and one left at a prompt is called back."""

from __future__ import annotations

import json

import pytest

import pdus
from clinic import Clinic
from doctor.system import System
from emulators.stick.stick import Registration, Sim, Trouble
from homesim.process import boottime
from poll.test_poll import CODE
from rig import Rig, now

EACH_LIBGAMMU = True
REFUSED = [("PORTSEL", "ERROR"), ("CURC", "ERROR"), ("PORTSEL", "COMMAND NOT SUPPORT"), ("CFUN=1", "+CME ERROR: 14")]


class TestWithoutLibgammu:
    @pytest.mark.parametrize(("command", "answer"), REFUSED)
    def test_a_stick_that_refuses_what_it_begins_with_is_read(self, rig: Rig, command: str, answer: str) -> None:
        rig.stick.faults.on(command, Trouble(answer=answer))
        rig.stick.store("SM", 0, pdus.deliver(CODE, "BANK", time=now()))
        rig.stick.store("ME", 3, pdus.deliver("in the stick"))
        run = rig.poll()
        assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
        assert CODE in rig.api.text()
        assert "in the stick" in rig.api.text()
        assert rig.stick.stored() == {}
        status = rig.status()
        assert status["reader"] == "plain AT"
        assert (status["registration"], status["operator"], status["signal"]) == ("home", "Test Network", 65)
        assert status["memories"]["SM"] == {"used": 0, "size": 50}

    def test_the_words_are_the_same(self, rig: Rig) -> None:
        """Whoever reads the stick."""
        for state in Registration:
            rig.stick.faults.register(state)
            seen = []
            for trouble in (None, Trouble(answer="ERROR")):
                if trouble:
                    rig.stick.faults.on("PORTSEL", trouble)
                assert rig.poll().returncode == 0
                status = rig.status()
                seen.append((status["registration"], status["signal"] is None))
                assert status["reader"] == ("plain AT" if trouble else "libgammu")
            assert seen[0] == seen[1]
            rig.stick.faults.clear()

    @pytest.mark.slow
    @pytest.mark.parametrize("latency", [0.3, 0.8])
    def test_a_slow_stick_is_read(self, python: str, latency: float) -> None:
        """libgammu 1.45.1 gets out of step with some, and then sees memories that have no room at all."""
        with Rig(python, latency=latency) as rig:
            rig.stick.store("SM", None, pdus.deliver(CODE, "BANK", time=now()))
            run = rig.poll()
            assert (run.returncode, run.stderr) == (0, "")
            assert CODE in rig.api.text()
            assert rig.stick.stored() == {}

    def test_what_arrives_is_forwarded_at_once(self, rig: Rig) -> None:
        rig.stick.faults.on("PORTSEL", Trouble(answer="ERROR"))
        with rig.lingering():
            rig.stick.deliver(pdus.deliver(CODE, "BANK", time=now()))
            rig.api.wait_for(lambda api: CODE in api.text())

    def test_a_terminal_and_doctor_are_told(self, rig: Rig) -> None:
        rig.stick.faults.on("PORTSEL", Trouble(answer="ERROR"))
        assert "read by plain AT, as libgammu does not start" in rig.on_a_terminal("--linger", "0")
        system = System(rig)
        rig.poll()
        [answer] = [finding for finding in system.findings() if finding["station"] == "answer"]
        assert "read by plain AT" in answer["says"]
        assert answer["ok"]

    @pytest.mark.parametrize("name", ["nonsense", "fbus", "proxyphonet", "at12x", "dku2at-foo"])
    def test_a_wrong_connection_is_a_matter_of_configuration(self, rig: Rig, name: str) -> None:
        rig.configure(modem=f'connection = "{name}"')
        run = rig.poll()
        assert run.returncode == 78
        assert "modem.home.connection" in run.stderr
        assert run.stderr.count("\n") == 1


class TestLeftAtAPrompt:
    """Another program said AT+CMGS and went. All that is typed there is the text of an SMS."""

    @pytest.mark.parametrize("latency", [0.0, pytest.param(0.3, marks=pytest.mark.slow)])
    def test_poll_reads_on_and_nothing_is_sent(self, python: str, latency: float) -> None:
        with Rig(python, latency=latency) as rig:
            rig.stick.left_at_prompt()
            rig.stick.store("SM", None, pdus.deliver(CODE, "BANK", time=now()))
            run = rig.poll()
            assert (run.returncode, run.stderr) == (0, "")
            assert CODE in rig.api.text()
            assert rig.stick.sent == []

    @pytest.mark.parametrize("answer", [b"ERROR", b"OK", b"COMMAND NOT SUPPORT"])
    @pytest.mark.parametrize("echo", [True, False])
    def test_a_stick_that_dislikes_esc_gets_by(self, rig: Rig, answer: bytes, echo: bool) -> None:
        rig.stick.faults.escape_answer = answer
        rig.stick.faults.on("^AT$", Trouble(echo=echo))
        rig.stick.store("SM", None, pdus.deliver(CODE, "BANK", time=now()))
        run = rig.poll()
        assert (run.returncode, run.stderr) == (0, "")
        assert CODE in rig.api.text()
        assert [command.text for command in rig.stick.commands].count("AT+CPIN?") == 1  # in step from the first on

    def test_health_sees_a_living_stick(self, python: str) -> None:
        """Poll was killed, say, and health comes first."""
        with Clinic(python) as clinic:
            assert clinic.check() == 0
            clinic.stick.left_at_prompt()
            file = clinic.run_folder / "home.json"
            told = {"error": "the stick stopped answering", "answered_boottime": max(0.0, boottime() - 400)}
            file.write_text(json.dumps(json.loads(file.read_text()) | told | {"updated_boottime": boottime()}))
            before = len(clinic.stick.commands)
            clinic.health()
            assert "AT+CPIN?" in [command.text for command in clinic.stick.commands[before:]]
            assert clinic.check() == 0
            assert (clinic.steps(), clinic.stick.sent) == ([], [])

    def test_doctor_sees_one_too(self, rig: Rig) -> None:
        system = System(rig)
        rig.stick.left_at_prompt()
        findings = system.findings()
        assert [finding for finding in findings if finding["ok"] is not True] == []
        assert rig.stick.sent == []

    def test_another_sim_state_is_no_other_story(self, rig: Rig) -> None:
        rig.stick.left_at_prompt()
        rig.stick.faults.sim(Sim.ABSENT)
        run = rig.poll()
        assert run.returncode == 75
        assert "no SIM" in run.stderr
