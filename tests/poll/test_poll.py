# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/poll as its user runs it: from the stick to Telegram, whatever the stick and the SMS are like."""

from __future__ import annotations

import http.server
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

import pdus
from emulators.botapi import faults as api_faults
from emulators.botapi.server import Chat
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Sim, Stick, Trouble
from homesim import __version__
from homesim.process import ModemLock
from homesim.program import describe
from patience import PATIENCE, WATCHED, look_until
from poll import steps
from rig import BIN, ROOT, Rig, now
from terminal import Terminal

CODE = "Your code is 482913, never tell it to anybody"


def test_an_sms_reaches_the_chat_and_leaves_the_stick(rig: Rig) -> None:
    rig.stick.deliver(pdus.deliver(CODE, "BANK", time=now()))
    run = rig.poll()
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    [sent] = rig.api.sent
    assert sent.text.startswith(f"BANK\n{CODE}\nhome · ")
    assert sent.reply_markup == {"inline_keyboard": [[{"text": "Copy 482913", "copy_text": {"text": "482913"}}]]}
    assert [(e["type"], e["offset"], e["length"]) for e in sent.entities][:2] == [("bold", 0, 4), ("code", 18, 6)]
    assert "parse_mode" not in sent.request
    assert rig.stick.stored() == {}
    assert rig.entries("new") == []
    assert len(rig.entries("seen")) == 1


class TestPin:
    def test_a_wrong_pin_is_tried_once_until_the_configuration_changes(self, python: str) -> None:
        with Rig(python, pin="1234") as rig:
            rig.configure(modem='pin = "9999"')
            for _ in range(3):
                run = rig.poll()
                assert run.returncode == 78
                assert "PIN" in run.stderr
                assert "9999" not in run.stderr
                assert run.stderr.count("\n") == 1
            assert rig.stick.pin_tries_left == 2
            rig.configure(modem='pin = "1234"')
            assert rig.poll().returncode == 0
            assert rig.stick.pin_tries_left == 3
            assert not (rig.state / "pin-tried").exists()

    @pytest.mark.parametrize("profile", ["E3131", "E3531"])  # one says ^CPIN, one +CPINR
    def test_a_root_that_forgets_does_not_spend_the_last_tries(self, python: str, profile: str) -> None:
        """An overlay: each start is the first."""
        with Rig(python, profile=profile, pin="1234") as rig:
            rig.configure(modem='pin = "9999"')
            for _ in range(4):
                run = rig.poll()
                assert run.returncode == 78
                assert run.stderr.count("\n") == 1
                shutil.rmtree(rig.state)
                rig.stick.restart()
            assert rig.stick.pin_tries_left == 2
            assert "put the SIM into a telephone" in run.stderr

    def test_no_pin_is_never_guessed(self, python: str) -> None:
        with Rig(python, pin="1234") as rig:
            run = rig.poll()
            assert run.returncode == 78
            assert "set modem.home.pin" in run.stderr
            assert rig.stick.pin_tries_left == 3

    @pytest.mark.parametrize(
        ("sim", "code", "words"),
        [(Sim.PUK, 78, "PUK"), (Sim.ABSENT, 75, "no SIM"), (Sim.BUSY, 75, "not ready")],
    )
    def test_other_states_of_the_sim_are_said(self, rig: Rig, sim: Sim, code: int, words: str) -> None:
        rig.stick.faults.sim(sim)
        run = rig.poll()
        assert run.returncode == code
        assert words in run.stderr
        assert run.stderr.count("\n") == 1


class TestDeadStick:
    def test_no_port_is_said_in_one_line(self, rig: Rig) -> None:
        rig.port.unplug()
        run = rig.poll()
        assert run.returncode == 75
        assert run.stderr == (
            f"homesim-poll: {rig.folder}/sms: no such device; is the stick plugged in? run homesim-doctor\n"
        )

    def test_what_is_no_serial_port_is_said(self, rig: Rig) -> None:
        rig.configure(modem='device = "/dev/null"')
        run = rig.poll()
        assert run.returncode == 75
        assert "/dev/null: inappropriate ioctl for device" in run.stderr

    @pytest.mark.parametrize("silent", ["", pytest.param("CMGL", marks=pytest.mark.slow)])  # at once, or when it reads
    def test_a_dead_stick_holds_back_neither_the_spool_nor_an_incomplete_sms(self, rig: Rig, silent: str) -> None:
        rig.api.down()
        rig.stick.store("SM", None, pdus.deliver("kept"))
        rig.stick.store("SM", None, pdus.deliver("the one half", udh=[(0, bytes([8, 2, 1]))]))
        assert rig.poll().returncode == 75
        assert (len(rig.entries("new")), len(rig.entries("parts"))) == (1, 1)
        rig.api.up()
        rig.configure(poll="multipart_wait = 0")
        if silent:
            rig.stick.faults.on(silent, Trouble(silent=True))
        else:
            rig.stick.faults.freeze()
        assert rig.poll().returncode == 75
        assert "kept" in rig.api.text()
        assert "the one half" in rig.api.text()
        assert rig.entries("new") == []

    @pytest.mark.slow  # as long as a living stick may take for an answer
    @pytest.mark.parametrize("lists", [1, 2])  # ours, libgammu's
    def test_one_that_never_stops_talking_ends_the_run_and_loses_nothing(self, rig: Rig, lists: int) -> None:
        rig.stick.store("SM", None, pdus.deliver("before"))
        asked, over = 0, threading.Event()

        def talk(phase: str, text: str) -> None:
            nonlocal asked
            if phase == "received" and text == "AT+CMGL=4":
                asked += 1
                while asked == 2 * lists - 1 and not over.wait(0.001):  # each list is of both memories
                    rig.stick.say(b"what nobody has asked for")

        rig.stick.on_command = talk
        try:
            run = rig.poll()
        finally:
            over.set()
            rig.stick.on_command = None
        assert (run.returncode, run.stderr.count("\n")) == (75, 1)
        rig.stick.deliver(pdus.deliver("after"))
        assert rig.poll().returncode == 0
        assert [rig.api.text().count(word) for word in ("before", "after")] == [1, 1]

    def test_a_stick_pulled_out_while_a_run_lingers_comes_back(self, rig: Rig) -> None:
        with rig.lingering() as process:
            rig.port.unplug()
            _, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 75
            assert err.count("\n") == 1
        rig.port.plug()
        rig.stick.deliver(pdus.deliver("after the replug"))
        assert rig.poll().returncode == 0
        assert "after the replug" in rig.api.text()


class TestTelegram:
    def test_out_of_reach_keeps_everything(self, rig: Rig) -> None:
        rig.stick.store("SM", None, pdus.deliver("waits"))
        rig.api.down()
        run = rig.poll()
        assert run.returncode == 75
        assert run.stderr == "homesim-poll: Telegram: no connection; is the network up?; SMS are kept and sent later\n"
        assert rig.stick.stored() == {}
        rig.api.up()
        assert rig.poll().returncode == 0
        assert "possible repeat" not in rig.texts()[0]

    def test_a_refused_token_is_a_matter_of_configuration(self, rig: Rig) -> None:
        rig.stick.store("SM", None, pdus.deliver("waits"))
        rig.configure(telegram='token = "123456789:AAWrongWrongWrongWrongWrongWrongWrong1"')
        run = rig.poll()
        assert run.returncode == 78
        assert "set telegram.token" in run.stderr
        assert "AAWrong" not in run.stderr
        assert len(rig.entries("new")) == 1

    def test_what_a_server_says_is_not_trusted(self, rig: Rig) -> None:
        rig.stick.store("SM", None, pdus.deliver("waits"))
        rig.api.order(api_faults.refusal(403, f"Forbidden: /bot{rig.api.token}/sendMessage\n\ud800 " + "x" * 9999))
        run = rig.poll()
        assert run.returncode == 78
        assert run.stderr.count("\n") == 1
        assert len(run.stderr) < 500
        assert rig.api.token not in run.stderr

    def test_socks_without_pysocks_says_what_to_install(self, rig: Rig) -> None:
        rig.stick.store("SM", None, pdus.deliver("waits"))
        rig.configure(telegram='proxy = "socks5h://user:secretpw@127.0.0.1:1"')
        run = rig.poll()
        assert run.returncode in (75, 78)  # 75 where PySocks is installed and the proxy is not there
        assert run.returncode == 75 or "python3-socks" in run.stderr
        assert "secretpw" not in run.stderr


class TestLingering:
    def test_without_notices_and_counts_it_is_found_all_the_same(self, rig: Rig) -> None:
        rig.stick.faults.silent_arrivals = True
        rig.stick.faults.miscount(-1)
        with rig.lingering():
            rig.stick.deliver(pdus.deliver("unannounced", time=now()))
            rig.api.wait_for(lambda api: "unannounced" in api.text())

    def test_it_leaves_when_the_next_run_is_at_the_door(self, rig: Rig) -> None:
        with rig.lingering(2) as first:
            second = rig.start("--linger", f"{WATCHED:.0f}")
            assert first.wait(timeout=PATIENCE) == 0
            rig.stick.deliver(pdus.deliver("to the second", time=now()))
            rig.api.wait_for(lambda api: "to the second" in api.text())
            assert second.poll() is None

    @pytest.mark.slow
    def test_only_one_run_waits_at_the_door(self, rig: Rig) -> None:
        with rig.lingering() as first:
            waiting = rig.start("--linger", "5")
            look_until(ModemLock(rig.run_folder, "home").successor)
            waiting.send_signal(signal.SIGSTOP)  # or it may have left the door before the third comes to it
            third = rig.poll("--linger", "5")
            assert (third.returncode, third.stdout, third.stderr) == (0, "", "")
            waiting.send_signal(signal.SIGCONT)
            assert waiting.wait(timeout=PATIENCE) == 0
            assert first.poll() is None

    def test_an_idle_run_writes_nothing_below_the_state_folder(self, rig: Rig) -> None:
        rig.stick.deliver(pdus.deliver("before"))
        for number in range(2):  # parts that wait
            rig.stick.deliver(pdus.deliver("one half", udh=[(0, bytes([number, 2, 1]))]))
        assert rig.poll().returncode == 0
        before = _snapshot(rig)
        assert rig.poll("--linger", "7").returncode == 0
        assert _snapshot(rig) == before

    def test_requests_is_loaded_only_when_there_is_something_to_send(self, rig: Rig) -> None:
        def imports() -> list[str]:
            """What python3 -X importtime says that it has loaded."""
            run = rig.start("--linger", "0", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
            return [line.rpartition("|")[2].strip() for line in run.communicate(timeout=PATIENCE)[1].splitlines()]

        idle = imports()
        assert "gammu" in idle
        assert "requests" not in idle
        rig.stick.deliver(pdus.deliver("now"))
        assert "requests" in imports()
        assert "now" in rig.api.text()

    def test_the_status_tells_health_what_was_seen(self, rig: Rig) -> None:
        rig.stick.store("ME", None, pdus.deliver("x"))
        rig.stick.faults.on("CMGD", Trouble(answer="OK"))
        assert rig.poll().returncode == 0
        status = rig.status()
        assert status["sim"] == "READY"
        assert status["registration"] == "home"
        assert status["signal"] == 65
        assert status["memories"] == {"SM": {"used": 0, "size": 50}, "ME": {"used": 1, "size": 23}}
        assert status["spool"] == {"new": 0, "parts": 0, "failed": 0}
        assert status["error"] == ""
        assert status["answered"] <= status["updated"]
        answered = status["answered"]
        rig.stick.faults.freeze()
        assert rig.poll().returncode == 75
        status = rig.status()
        assert status["answered"] == answered
        assert "no answer" in status["error"]

    @steps.needs_strace
    def test_the_kernel_s_timer_is_set_before_the_port_is_opened(self, rig: Rig) -> None:
        log = rig.folder / "strace"
        run = rig.start("--linger", "0", command=("strace", "-f", "-o", str(log), "-e", "trace=setitimer,openat"))
        run.communicate(timeout=PATIENCE)
        before, _, after = log.read_text().partition(f'"{rig.folder}/sms"')
        assert "setitimer(ITIMER_REAL, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=90" in before
        assert "setitimer" not in after

    def test_the_deadline_ends_what_never_returns(self, python: str) -> None:
        """Two threads that hold each other up, in C: no Python handler would ever run."""
        program = (
            "import sys, threading; sys.path.insert(0, 'lib'); from homesim import process; process.deadline(0.2);"
            "lock = threading.Lock(); lock.acquire(); lock.acquire()"
        )
        ended = subprocess.run([python, "-c", program], cwd=ROOT, timeout=PATIENCE, check=False)
        assert ended.returncode == -signal.SIGALRM


@pytest.mark.slow
def test_a_person_waits_for_the_run_at_work_and_sees_his_own(rig: Rig) -> None:
    """What doctor's cures ask for: cron's runs are at work nearly always."""
    command = [rig.python, "-B", str(BIN / "poll"), "--config", str(rig.config), "--linger", "0"]
    with rig.lingering() as first, Terminal(command) as terminal:
        terminal.expect("another run is at work; waiting")
        first.kill()
        terminal.expect("home: watching")
        assert terminal.end() == 0


class TestSeveralModems:
    def test_a_frozen_stick_does_not_hold_up_the_other(self, rig: Rig) -> None:
        other = Stick("E303")
        with PtyPort(other, rig.folder / "other"):
            rig.configure(more=f'[modem.work]\ndevice = "{rig.folder}/other"\nchat_id = 5550002\n')
            rig.api.chats[5550002] = Chat(5550002)
            rig.stick.faults.freeze()
            other.deliver(pdus.deliver("from the other", time=now()))
            run = rig.poll()
            assert run.returncode == 75
            [sent] = rig.api.sent
            assert sent.chat_id == 5550002
            assert "\nwork · " in sent.text
            assert other.stored() == {}

    def test_one_can_be_named(self, rig: Rig) -> None:
        rig.configure(more='[modem.work]\ndevice = "/dev/null"\n')
        assert rig.poll("--modem", "home").returncode == 0
        assert rig.poll("--modem", "work").returncode == 75


class TestDryRun:
    def test_shows_and_changes_nothing(self, rig: Rig) -> None:
        rig.stick.deliver(pdus.deliver(CODE, "BANK", time=now()))
        rig.stick.deliver(pdus.deliver("half of it", udh=[(0, bytes([8, 2, 1]))]))
        before = rig.stick.stored()
        run = rig.poll("--dry-run")
        assert run.returncode == 0
        assert f"BANK\n{CODE}\nhome · " in run.stdout
        assert "[ Copy 482913 ]" in run.stdout
        assert "half of it" in run.stdout
        assert "incomplete" in run.stdout
        assert rig.stick.stored() == before
        assert not any("CMGD" in command.text for command in rig.stick.commands)
        assert rig.api.requests == []
        assert not rig.state.exists()

    def test_never_tries_a_pin(self, python: str) -> None:
        with Rig(python, pin="1234") as rig:
            rig.configure(modem='pin = "9999"')
            assert rig.poll("--dry-run").returncode == 75
            assert rig.stick.pin_tries_left == 3

    def test_works_beside_a_run_and_shows_the_spool(self, rig: Rig) -> None:
        rig.api.down()
        rig.stick.deliver(pdus.deliver("in the spool"))
        rig.poll()
        with rig.lingering():
            run = rig.poll("--dry-run")
            assert run.returncode == 0
            assert "in the spool" in run.stdout
            assert "another run holds the lock" in run.stdout


class TestPrivacy:
    SECRETS = ("482913", "never tell", "01701234567", "701234567")

    def test_nothing_secret_is_said_on_a_terminal_at_any_level(self, rig: Rig) -> None:
        """Through everything that can go wrong on the way."""
        pdu = pdus.deliver(CODE, "+491701234567", time=now())
        said = ""
        faults = [
            [api_faults.honest()],
            [api_faults.lost_answer()],
            [api_faults.gateway(502)],
            [api_faults.portal()],
            [api_faults.refusal(400, "Bad Request: no")] * 2,
        ]
        for number, some in enumerate(faults):
            rig.api.order(*some)
            rig.stick.deliver(pdus.deliver(CODE, "+491701234567", time=now() + timedelta(seconds=number)))
            said += rig.on_a_terminal("--linger", "0", "-v")
        rig.api.down()
        rig.stick.faults.on("CMGD", Trouble(answer="ERROR"))
        rig.stick.deliver(pdu)
        said += rig.on_a_terminal("--linger", "0", "-v")
        assert "forwarded" in said
        for secret in (*self.SECRETS, rig.api.token, rig.api.token.split(":")[1], pdu, pdu[30:]):
            assert secret not in said

    @pytest.mark.skipif(os.geteuid() != 0 or os.path.exists("/dev/log"), reason="a system log is here, or not root")
    def test_nothing_secret_reaches_the_system_log(self, rig: Rig) -> None:
        said = []

        def listen(log: socket.socket) -> None:
            while line := log.recv(65536):  # b"" is the end; other tests' runs may be heard too
                said.append(line.decode())

        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind("/dev/log")
            listener = threading.Thread(target=listen, args=[log])
            listener.start()
            try:
                rig.stick.deliver(pdus.deliver(CODE, "+491701234567", time=now()))
                process = rig.start("--linger", "0", "-v")
                assert process.communicate(timeout=PATIENCE) == ("", "")
            finally:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                    end.sendto(b"", "/dev/log")
                listener.join()
                os.unlink("/dev/log")
        ours = "".join(line for line in said if f"homesim-poll[{process.pid}]" in line)
        assert "home: forwarded 1" in ours
        for secret in (*self.SECRETS, rig.api.token):
            assert secret not in ours

    def test_no_other_user_can_read_anything(self, rig: Rig) -> None:
        rig.api.down()
        rig.stick.deliver(pdus.deliver(CODE))
        rig.stick.deliver(pdus.long_sms("x" * 300, reference=1)[0])
        rig.poll()
        for path in [rig.state, *rig.state.rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, path
        assert (rig.run_folder / "home.json").stat().st_mode & 0o077 == 0

    def test_the_process_list_shows_no_secret(self, rig: Rig) -> None:
        with rig.lingering() as process:
            for file in ("cmdline", "environ"):
                assert rig.api.token not in Path(f"/proc/{process.pid}/{file}").read_text()

    def test_a_bug_shows_its_traceback_without_values(self) -> None:
        try:
            try:
                raise KeyError(CODE)
            except KeyError:
                raise ValueError("123456789:AAFakeToken") from None
        except ValueError as error:
            said = describe(error)
        assert "ValueError" in said
        assert "test_poll.py" in said
        for secret in (*self.SECRETS, "AAFakeToken"):
            assert secret not in said.replace("raise KeyError(CODE)", "").replace('"123456789:AAFakeToken"', "")


class TestWays:
    """To Telegram through a proxy, and over IPv4 only."""

    def test_an_http_proxy_is_used(self, rig: Rig) -> None:
        seen = []

        class Proxy(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                path = self.path.removeprefix("http://api.telegram.invalid")
                request = urllib.request.Request(rig.api.url + path, body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request) as answer:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(answer.read())

            def log_message(self, *_: object) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            port = server.server_address[1]
            rig.configure(telegram=f'api_url = "http://api.telegram.invalid"\nproxy = "http://127.0.0.1:{port}"')
            rig.stick.deliver(pdus.deliver("through the proxy"))
            assert rig.poll().returncode == 0
            server.shutdown()
        assert "through the proxy" in rig.api.text()
        assert seen[0].startswith("http://api.telegram.invalid/bot")

    def test_the_environment_s_proxies_are_not(self, rig: Rig) -> None:
        rig.stick.deliver(pdus.deliver("straight"))
        process = rig.start("--linger", "0", env={**os.environ, "http_proxy": "http://127.0.0.1:1", "no_proxy": ""})
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "straight" in rig.api.text()

    def test_ipv4_alone_where_it_is_wanted(self, rig: Rig) -> None:
        """`localhost` stands for a name whose IPv6 address leads nowhere: the server listens on 127.0.0.1 only."""
        port = rig.api.url.rsplit(":", 1)[1]
        rig.configure(telegram=f'force_ipv4 = true\napi_url = "http://localhost:{port}"')
        rig.stick.deliver(pdus.deliver("by IPv4"))
        log = rig.folder / "strace"
        command = ("strace", "-f", "-o", str(log), "-e", "trace=connect") if not steps.strace_fails() else ()
        process = rig.start("--linger", "0", command=command)
        process.communicate(timeout=PATIENCE)
        assert "by IPv4" in rig.api.text()
        if command:
            assert "AF_INET6" not in "".join(line for line in log.read_text().splitlines() if port in line)


class TestCommandLine:
    def test_usage_errors(self, rig: Rig) -> None:
        assert rig.poll("--linger", "soon").returncode == 2
        assert rig.poll("--linger", "-1").returncode == 2
        run = rig.poll("--modem", "nobody")
        assert run.returncode == 2
        assert run.stderr == f"homesim-poll: --modem: no [modem.nobody] in {rig.config}\n"

    def test_help_and_version(self, rig: Rig) -> None:
        assert "--dry-run" in rig.poll("--help").stdout
        assert rig.poll("--version").stdout == f"homesim-poll {__version__}\n"

    def test_a_damaged_file_in_the_spool_stops_nothing(self, rig: Rig) -> None:
        rig.api.down()
        rig.stick.deliver(pdus.deliver("whole"))
        rig.poll()
        (rig.state / "new" / "20200101T000000Z-damaged.json").write_text('{"pdus": ["07')
        (rig.state / "parts" / "20200101T000000Z-binary.json").write_bytes(b"\xff\x00")
        rig.api.up()
        assert rig.poll().returncode == 0
        assert "whole" in rig.api.text()
        assert len(rig.entries("failed")) == 2
        assert rig.entries("new") == []

    def test_a_full_disk_leaves_the_sms_on_the_stick(self, rig: Rig) -> None:
        rig.poll()
        rig.stick.deliver(pdus.deliver("no room"))

        def no_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

        process = rig.start("--linger", "0", preexec_fn=no_room)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 75
        assert "SMS stay on the stick until there is room to write" in err
        assert len(rig.stick.stored()) == 1
        assert rig.entries("new") == []
        assert rig.poll().returncode == 0
        assert "no room" in rig.api.text()


def _snapshot(rig: Rig) -> list[tuple[str, int, int]]:
    paths = [rig.state, *rig.state.rglob("*")]
    return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_ino) for path in paths)
