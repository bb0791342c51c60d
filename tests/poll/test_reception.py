# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to the home number, on the emulated stick, while SMS come and go."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time

import pytest

import pdus
from emulators.stick.stick import ENDS, PROFILES, Stick, Trouble
from homesim.chat.render import OURS
from homesim.poll.calls import MOST, SERIES
from homesim.poll.watch import LOOK
from homesim.store.spool import Spool
from patience import PATIENCE, look_until
from poll import steps
from rig import ROOT, Rig, now

ANNA, BERT = "+491701111111", "030222222"
CODE = "Your code is 482913, never tell it to anybody"
# bin/poll -v, its log on stderr
LOGGING = """
import logging, sys
sys.path.insert(0, "lib")
logging.basicConfig(level=logging.DEBUG)
from homesim import program
from homesim.poll import main
program.log_to = lambda *_, **__: None
program.leave(main.poll(["--linger", "0", "--config", sys.argv[1]]))
"""
LATENCY = 5.0  # seconds: the main job's at most
DELAY = 2.0  # seconds that a storm may add
PACE = 1.7  # seconds between two SMS while a storm lasts: more often they would wait for Telegram's limit
STALL = b"^CONN:1,0", b"^ORIG:1,0", b"^CEND:1,0,104,16"  # each stalls a bare libgammu for up to 40 s


def calls(rig: Rig) -> list[str]:
    """The messages about calls."""
    return [text.split("\n", 1)[1] for text in rig.texts() if text.startswith(f"{OURS}\n")]


def wait_for_calls(rig: Rig, count: int) -> list[str]:
    rig.api.wait_for(lambda _: len(calls(rig)) >= count)
    return calls(rig)


def arrives_in_time(rig: Rig) -> bool:
    """Whether an SMS gets through whatever goes on."""
    return rig.prompt(rig.deliver(CODE), LATENCY)


def tries(rig: Rig, number: str) -> int:
    """How often a number has called and rings no more, by what the run has on disk."""
    state = json.loads((rig.run_folder / "home.calls").read_text())
    return sum(one["tries"] for one in state.get("series", []) if one["caller"] == number and not state.get("ringing"))


def age(rig: Rig, seconds: float) -> None:
    """As if what is known of calls were from so long ago; no run must be at work."""
    path = rig.run_folder / "home.calls"
    state = json.loads(path.read_text())
    for one in state.get("series", []):
        one["first"] -= seconds
    state["told"] = [at - seconds for at in state.get("told", [])]
    path.write_text(json.dumps(state))


@pytest.mark.parametrize(
    "profile", [pytest.param(name, marks=[] if name == "E3372" else pytest.mark.slow) for name in sorted(PROFILES)]
)
def test_a_call_is_rejected_and_told_and_stalls_nothing(python: str, profile: str) -> None:
    with Rig(python, profile=profile) as rig, rig.lingering():
        for line in STALL[:2]:
            rig.stick.say(line)
        call = rig.stick.call(ANNA, every=60)
        [text] = wait_for_calls(rig, 1)
        assert re.fullmatch(
            rf"\{ANNA} called at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d \S+, rang for \d+ s, rejected\nhome", text
        )
        assert call.over.wait(PATIENCE)
        assert (call.rejected, call.rung) == (True, 1)
        assert arrives_in_time(rig)
        assert calls(rig) == [text]
        [sent] = [sent for sent in rig.api.sent if ANNA in sent.text]
        buttons = [{"text": f"Copy {digits}", "copy_text": {"text": digits}} for digits in ("1111", "111111")]
        assert sent.reply_markup == {"inline_keyboard": [buttons]}
        assert [entity["type"] for entity in sent.entities] == ["bold", "italic"]  # clients link the number
        rig.settle()


def test_a_ring_does_not_wait_for_the_next_look(rig: Rig) -> None:
    """If it did, each would; on a busy machine one may."""
    begun: list[float] = []

    def rings(phase: str, text: str) -> None:
        """The last thing that a look asks: then the run sleeps for a second."""
        if phase == "answered" and '"ME"' in text:
            rig.stick.on_command = None
            begun.append(time.monotonic())
            rig.stick.call(ANNA)

    def taken() -> list[float]:
        ended = [command.time_monotonic for command in rig.stick.commands if command.text == "AT+CHUP"]
        return [end - begin for begin, end in zip(begun, ended, strict=False)]

    with rig.lingering():
        for count in range(1, 20):
            rig.stick.on_command = rings
            rig.stick.wait_for(lambda _: len(taken()) == count)  # noqa: B023
            if min(taken()) < LOOK / 2:
                return
    raise AssertionError(taken())


def test_the_caller_s_number_may_be_withheld_unknown_or_late(rig: Rig) -> None:
    with rig.lingering():
        rig.stick.call("")
        assert "Withheld number called" in wait_for_calls(rig, 1)[0]
        rig.stick.call(clip=b"+CLIP:,129,,,,2")
        assert "Unknown number called" in wait_for_calls(rig, 2)[1]
        rig.stick.faults.on("CLIP", Trouble(answer="ERROR"))
    assert [sent.reply_markup for sent in rig.api.sent] == [None, None]


def test_without_clip_it_is_rejected_at_its_second_ring(rig: Rig) -> None:
    rig.stick.faults.on("CLIP", Trouble(answer="ERROR"))
    with rig.lingering():
        call = rig.stick.call(ANNA, every=2)
        assert "Unknown number called" in wait_for_calls(rig, 1)[0]
        assert call.over.wait(PATIENCE)
        assert (call.rejected, call.rung) == (True, 2)


def test_a_series_is_one_message_at_once_and_one_when_it_is_over(rig: Rig) -> None:
    with rig.lingering():
        rig.stick.call(ANNA)
        wait_for_calls(rig, 1)
        for _ in range(2):
            assert rig.stick.call(ANNA).over.wait(PATIENCE)
        assert arrives_in_time(rig)
        rig.stick.call(BERT)
        assert "030222222 called at" in wait_for_calls(rig, 2)[1]
        rig.settle()
    age(rig, SERIES)
    with rig.lingering():  # the next run
        again = wait_for_calls(rig, 3)[2]
        assert re.match(rf"\{ANNA} called 3 times from .* to .*, rang for \d+ s in all, rejected\n", again)
        call = rig.stick.call(ANNA)  # a new series
        assert re.match(rf"\{ANNA} called at ", wait_for_calls(rig, 4)[3])
        assert call.over.wait(PATIENCE)


def test_two_callers_by_turns_are_two_messages(rig: Rig) -> None:
    with rig.lingering():
        for number in (ANNA, BERT, ANNA, BERT):
            assert rig.stick.call(number).over.wait(PATIENCE)
        assert arrives_in_time(rig)
        first, second = wait_for_calls(rig, 2)
        rig.stick.wait_for(lambda _: tries(rig, BERT) == 2)
        assert (ANNA in first, BERT in second) == (True, True)
        rig.settle()
    age(rig, SERIES)
    with rig.lingering():
        both = wait_for_calls(rig, 3)[2]
        assert re.match(rf"\{ANNA} called 2 times from .*\n{BERT} called 2 times from .*\nhome", both)


class TestConfiguration:
    def test_report_lets_it_ring_out(self, rig: Rig) -> None:
        rig.configure(modem='calls = "report"')
        with rig.lingering():
            call = rig.stick.call(ANNA, rings=10**6, every=0.5)
            rig.stick.wait_for(lambda _: call.rung == 2)
            assert arrives_in_time(rig)
            assert not call.over.is_set()
            call.give_up()
            [text] = wait_for_calls(rig, 1)
            assert not call.rejected
            assert re.match(rf"\{ANNA} called at .*, rang for \d+ s\n", text)
            assert not any(c.text in ("AT+CHUP", "ATH") for c in rig.stick.commands)

    def test_ignore_says_nothing(self, rig: Rig) -> None:
        rig.configure(modem='calls = "ignore"')
        with rig.lingering():
            call = rig.stick.call(ANNA, rings=2, every=0.3)
            assert call.over.wait(PATIENCE)
            assert arrives_in_time(rig)
            assert (call.rejected, call.rung) == (False, 2)
            rig.settle()
        assert calls(rig) == []
        age(rig, 3600)
        assert rig.poll().returncode == 0
        assert not (rig.run_folder / "home.calls").exists()


class TestHangingUp:
    def test_ath_where_chup_is_refused(self, rig: Rig) -> None:
        rig.stick.faults.on(r"CHUP$", Trouble(answer="ERROR"))
        with rig.lingering():
            call = rig.stick.call(ANNA, every=60)
            assert "rejected" in wait_for_calls(rig, 1)[0]
            assert call.over.wait(PATIENCE)
            assert call.rung == 1

    def test_where_both_are_refused_it_rings_out_and_is_told(self, rig: Rig) -> None:
        rig.stick.faults.on(r"CHUP$|^ATH$", Trouble(answer="ERROR"))
        with rig.lingering():
            rig.stick.call(ANNA, rings=3, every=0.5)
            [text] = wait_for_calls(rig, 1)
            assert "rejected" not in text
            assert arrives_in_time(rig)

    @pytest.mark.slow
    def test_a_stick_that_only_says_that_it_did_is_one_try_and_seen_by_health(self, rig: Rig) -> None:
        with rig.lingering():
            call = rig.stick.call(ANNA, rings=10**6, every=0.5, deaf=True)
            assert arrives_in_time(rig)
            rig.stick.wait_for(lambda _: call.rung >= 8)
            look_until(lambda: rig.status().get("call", 0) >= 2)
            call.give_up()
            assert call.over.wait(PATIENCE)
            assert len(calls(rig)) == 1
        assert sum(c.text == "AT+CHUP" for c in rig.stick.commands) >= 8  # at each RING

    @pytest.mark.parametrize("wanted", ["report", "ignore"])
    def test_what_never_ends_is_ended_however_it_is_configured(self, rig: Rig, wanted: str) -> None:
        """It began in an earlier run."""
        rig.configure(modem=f'calls = "{wanted}"')
        with rig.lingering():
            call = rig.stick.call(ANNA, rings=10**6, every=0.5)
            rig.stick.wait_for(lambda _: call.rung == 2)
            assert arrives_in_time(rig)
        state = json.loads((rig.run_folder / "home.calls").read_text())
        state["ringing"]["began"] -= 120
        (rig.run_folder / "home.calls").write_text(json.dumps(state))
        with rig.lingering():
            assert call.over.wait(PATIENCE)
            assert call.rejected
            if wanted == "report":
                assert re.search(r"rang for 1\d\d s, rejected", wait_for_calls(rig, 1)[0])
        assert len(calls(rig)) == (wanted == "report")

    @pytest.mark.slow
    def test_a_stick_that_does_not_say_when_a_call_is_over(self, rig: Rig) -> None:
        rig.configure(modem='calls = "report"')
        with rig.lingering():
            rig.stick.call(ANNA, rings=2, every=1, ends=())
            [text] = wait_for_calls(rig, 1)
            assert "rang for 1 s or more" in text


class TestInTheMiddle:
    """A call while libgammu or we are at work on the stick."""

    @pytest.mark.parametrize("phase", ["received", "done"])
    @pytest.mark.parametrize(
        "command", ["CMGL", "CMGD", *(pytest.param(name, marks=pytest.mark.slow) for name in ("CMGR", "CPMS"))]
    )
    def test_of_listing_and_deleting(self, python: str, command: str, phase: str) -> None:
        with Rig(python, latency=0.02) as rig:
            for number in range(10):
                rig.stick.store("SM", None, pdus.deliver(f"number {number}.", time=now()))

            def rings(when: str, text: str) -> None:
                if when == phase and command in text:
                    rig.stick.on_command = None
                    rig.stick.call(ANNA)

            rig.stick.on_command = rings
            with rig.lingering():
                assert arrives_in_time(rig)
                rig.stick.wait_for(lambda stick: not stick.stored())
                rig.api.wait_for(lambda api: all(f"number {n}." in api.text() for n in range(10)))
                assert "rejected" in wait_for_calls(rig, 1)[0]

    @pytest.mark.slow
    def test_while_many_are_deleted_it_does_not_wait_for_the_last(self, python: str) -> None:
        with Rig(python, latency=0.05) as rig:
            for number in range(40):
                rig.stick.store("SM", None, pdus.deliver(f"old {number}", time=now()))
            with rig.lingering():
                rig.stick.wait_for(lambda stick: sum("CMGD" in c.text for c in stick.commands) >= 2)
                rig.stick.call(ANNA)
                rig.stick.wait_for(lambda stick: not stick.stored())
            asked = [command.text for command in rig.stick.commands]
            assert any("CMGD" in text for text in asked[asked.index("AT+CHUP") :])

    def test_of_rejecting_the_one_before(self, rig: Rig) -> None:
        """All that is said of the second is said before the first, and then the second, is known to be rejected."""
        count = 0
        rings = (b"RING", f'+CLIP: "{ANNA}",145,,,,0'.encode())
        with rig.lingering():

            def rejecting(phase: str, text: str) -> None:
                nonlocal count
                if text == "AT+CHUP" and phase == "done":
                    count += 1
                    for line in (*ENDS, *(rings if count == 1 else ())):
                        rig.stick.say(line)

            rig.stick.on_command = rejecting
            for line in rings:
                rig.stick.say(line)
            rig.stick.wait_for(lambda _: count == 2 and tries(rig, ANNA) == 2)
            rig.stick.on_command = None

    def test_before_the_run_has_begun(self, rig: Rig) -> None:
        call = rig.stick.call(ANNA, every=0.05, rings=10**6)
        assert rig.poll().returncode == 0
        assert call.over.wait(PATIENCE)
        assert call.rejected
        assert len(calls(rig)) == 1


class TestStorm:
    @pytest.mark.slow
    def test_it_neither_delays_sms_nor_floods_the_chat(self, python: str) -> None:
        storm(python, count=60)

    def test_an_sms_goes_before_calls_that_wait(self, rig: Rig) -> None:
        rig.api.down()
        with rig.lingering():
            assert rig.stick.call(ANNA).over.wait(PATIENCE)
            look_until(lambda: rig.status()["telegram"])  # the call is in the spool, and was tried in vain
            rig.stick.deliver(pdus.deliver("no code in it", "BANK", time=now()))
            rig.stick.wait_for(lambda stick: not stick.stored())
            rig.api.up()
            wait_for_calls(rig, 1)
        assert ["no code in it" in text for text in rig.texts()] == [True, False]


@pytest.mark.skipif(bool(steps.strace_fails()), reason=f"strace: {steps.strace_fails()}")
class TestTheCard:
    """Anybody can call, for nothing: what it costs the card is what is told."""

    def test_ten_calls_of_one_caller_cost_what_one_does(self, python: str) -> None:
        one, ten = (fsyncs(python, [ANNA] * count) for count in (1, 10))
        assert (one > 0, ten) == (True, one)

    @pytest.mark.slow
    def test_many_callers_cost_what_so_many_messages_do(self, python: str) -> None:
        one, many = (fsyncs(python, [f"+4930{100000 + n}" for n in range(count)]) for count in (1, 3 * MOST))
        assert many <= MOST * one

    def test_ten_calls_are_told_in_two_messages(self, rig: Rig) -> None:
        with rig.lingering():
            for _ in range(10):
                assert rig.stick.call(ANNA, every=0.2).over.wait(PATIENCE)
            rig.settle()
        assert len(calls(rig)) == 1
        age(rig, SERIES)
        assert rig.poll().returncode == 0
        assert len(calls(rig)) == 2
        assert f"{ANNA} called 10 times from " in calls(rig)[1]

    def test_what_an_older_version_left_on_the_card_is_taken_over_once(self, rig: Rig) -> None:
        at = time.time() - 3600
        series = {"caller": ANNA, "first": at, "last": at, "tries": 2, "told": 1, "rang": 1.0, "exact": True}
        Spool(rig.state).set_state("calls", {"series": [series | {"rejected": True}], "told": [at]})
        for _ in range(2):
            assert rig.poll().returncode == 0
        assert not (rig.state / "calls").exists()
        assert len(calls(rig)) == 1


def fsyncs(python: str, callers: list[str]) -> int:
    """How many files a run in which these call one after another makes durable for that."""
    with Rig(python) as rig:
        assert rig.poll().returncode == 0  # which makes the folders
        log = rig.folder / "strace"
        trace = ("strace", "-D", "-f", "-q", "-y", "-o", str(log), "-e", "trace=fsync,fdatasync")
        process = rig.start("--linger", "600", command=trace)
        rig.stick.wait_for(lambda stick: [command.text for command in stick.commands].count("AT+CPIN?") > 1)
        for caller in callers:
            assert rig.stick.call(caller, every=0.2).over.wait(PATIENCE)
        wait_for_calls(rig, min(len(set(callers)), MOST))
        rig.settle()
        process.kill()
        process.communicate()
        return len(re.findall(r"sync\(\d+<[^>]*/state/home/tmp/[^>]*call", log.read_text()))


def storm(python: str, count: int) -> list[float]:
    """So many calls, each right after the one before, of changing and of withheld numbers, and SMS now and then; the
    latencies of these.
    """
    over = threading.Event()

    def callers(stick: Stick) -> None:
        for number in range(count):
            call = stick.call("" if number % 3 == 0 else f"+4930{100000 + number}", every=0.4, rings=2)
            call.over.wait(PATIENCE)
        over.set()

    with Rig(python, latency=0.02) as rig, rig.lingering():
        quiet = [rig.deliver(f"quiet {number}.") for number in range(3)]
        begin = time.monotonic()
        thread = threading.Thread(target=callers, args=(rig.stick,))
        thread.start()
        latencies: list[float] = []
        while not over.wait(PACE):
            latencies.append(rig.deliver(f"SMS number {len(latencies)}."))
        thread.join()
        seconds = time.monotonic() - begin
        rig.stick.wait_for(lambda stick: not stick.stored())
        rig.settle()
        assert rig.prompt(max(latencies), max(quiet) + DELAY), (quiet, latencies)
        reports = calls(rig)
        assert MOST - 1 <= len(reports) <= MOST + seconds / 600 * (MOST + 1)
        state = json.loads((rig.run_folder / "home.calls").read_text())
        waiting = sum(one["tries"] for one in state["series"] if not one["told"])
        assert waiting + len(reports) > count / 2  # the others rang while one was being rejected
    return latencies


class TestMissed:
    """What the stick lists of calls that came while no run watched. Only a profile that may have such a list has it."""

    def test_is_told_once(self, python: str) -> None:
        with Rig(python, profile="E1752") as rig:
            rig.stick.miss(ANNA)
            rig.stick.miss(BERT)
            for _ in range(2):
                assert rig.poll().returncode == 0
            [text] = calls(rig)
            assert text == f"Missed while nobody watched, as the stick lists it:\n{BERT}\n{ANNA}\nhome"
            rig.stick.miss(BERT)
            assert rig.poll().returncode == 0
            assert calls(rig)[1:] == [f"Missed while nobody watched, as the stick lists it:\n{BERT}\nhome"]
            assert rig.api.sent[1].reply_markup == {
                "inline_keyboard": [
                    [{"text": f"Copy {digits}", "copy_text": {"text": digits}} for digits in ("2222", "222222")]
                ]
            }

    def test_what_a_run_saw_is_not_missed(self, python: str) -> None:
        with Rig(python, profile="E1752") as rig:
            with rig.lingering():
                call = rig.stick.call(ANNA)
                assert len(wait_for_calls(rig, 1)) == 1
                assert call.over.wait(PATIENCE)
                rig.settle()
            rig.stick.miss(BERT)
            assert rig.poll().returncode == 0
            assert calls(rig)[1:] == [f"Missed while nobody watched, as the stick lists it:\n{BERT}\nhome"]

    def test_what_rang_on_into_the_gap_between_two_runs_is_told_once(self, python: str) -> None:
        with Rig(python, profile="E1752") as rig:
            rig.configure(modem='calls = "report"')
            with rig.lingering():
                call = rig.stick.call(ANNA, rings=10**6, every=0.2)
                rig.stick.wait_for(lambda _: (rig.run_folder / "home.calls").exists())
            call.hang_up()
            assert call.over.wait(PATIENCE)
            assert rig.poll().returncode == 0
            assert calls(rig) == []  # it may ring on: there was no silence yet
            state = json.loads((rig.run_folder / "home.calls").read_text())
            state["ringing"]["began"] -= 3600
            (rig.run_folder / "home.calls").write_text(json.dumps(state))
            for _ in range(2):
                assert rig.poll().returncode == 0
            [text] = calls(rig)
            assert re.match(rf"\{ANNA} called at .*, rang for 1 s or more\n", text)

    def test_a_list_that_cannot_be_read_now_is_not_an_empty_one(self, python: str) -> None:
        with Rig(python, profile="E1752") as rig:
            rig.stick.miss(ANNA)
            assert rig.poll().returncode == 0
            rig.stick.faults.on("CPBR", Trouble(answer="+CME ERROR: 14"), times=1)
            for _ in range(2):
                assert rig.poll().returncode == 0
            assert len(calls(rig)) == 1

    def test_nothing_is_written_where_there_is_none(self, rig: Rig) -> None:
        rig.stick.miss(ANNA)
        assert rig.poll().returncode == 0
        assert calls(rig) == []
        assert not (rig.state / "missed").exists()
        assert not (rig.run_folder / "home.calls").exists()

    def test_ignore_ignores_it(self, python: str) -> None:
        with Rig(python, profile="E1752") as rig:
            rig.configure(modem='calls = "ignore"')
            rig.stick.miss(ANNA)
            assert rig.poll().returncode == 0
            assert calls(rig) == []


def test_the_state_is_removed_when_nothing_can_follow(rig: Rig) -> None:
    with rig.lingering():
        rig.stick.call(ANNA)
        wait_for_calls(rig, 1)
        rig.settle()
    assert rig.poll().returncode == 0
    age(rig, 3600)
    assert rig.poll().returncode == 0
    assert not (rig.run_folder / "home.calls").exists()
    assert len(calls(rig)) == 1


def test_no_number_is_in_a_log(rig: Rig) -> None:
    rig.stick.call(ANNA, every=0.05, rings=10**6)
    process = subprocess.Popen(
        [rig.python, "-c", LOGGING, str(rig.config)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said = process.communicate(timeout=PATIENCE)[0]
    assert len(calls(rig)) == 1
    assert re.search(r"call of \d{8}T\d{6}Z stored", said)
    assert ANNA[-6:] not in said


