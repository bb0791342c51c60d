# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stick says about calls becomes few messages, and none is forgotten, however it rings and whoever kills us.

First line by line, then on the emulated stick, while SMS come and go.
"""

from __future__ import annotations

import json
import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pdus
from emulators.stick.stick import ENDS, PROFILES, Stick, Trouble
from homesim.chat.render import OURS
from homesim.poll.calls import (
    APART,
    MOST,
    OTHERS,
    QUIET,
    WINDOW,
    Caller,
    History,
    due,
    expire,
    hear,
)  # fmt: skip
from homesim.poll.watch import LOOK
from homesim.stick.commands import news
from homesim.stick.driver import UNKNOWN, WITHHELD, Ended, Rings
from homesim.store import records
from homesim.store.spool import Spool
from patience import PATIENCE, look_until
from poll import steps
from rig import Rig, now

T = 1_790_000_000.0
CLIP_ANNA = '+CLIP: "+491701111111",145,,,,0'
CLIP_BERT = '+CLIP: "030222222",129,,,,0'
END = "^CEND:1,0,104,16"


def said(line: str) -> Rings | Ended:
    what = news(line)
    assert isinstance(what, Rings | Ended)
    return what


def after(history: History, *lines: str, at: float) -> History:
    history = expire(history, at)
    for line in lines:
        history = hear(history, said(line), at)
    return hear(history, None, at)


def report(history: History, now: float) -> tuple[History, list[str]]:
    """What is left, and who is in the message that is due, if any."""
    told = {who: Caller(one.at, one.rejected, now) for who, one in due(history).items()}
    return History(history.ringing, history.callers | told), list(told)


@pytest.mark.parametrize(
    ("line", "who"),
    [
        (CLIP_ANNA, "+491701111111"),
        (CLIP_BERT, "030222222"),
        ('+CLIP: "+48600000000",145,"",128,"",0', "+48600000000"),  # gammu bug 376
        ('+CLIP: "48600000000",145,"",128,"",0', "+48600000000"),
        ('+CLIP:"82882690",129,,,,0', "82882690"),  # manual of the MC509
        ('+CLIP: "517083663",129,,,"",0', "517083663"),
        ('+CLIP: "*100#",129', "*100#"),
        ("+CLIP:,129,,,,1", WITHHELD),  # manual of the EM770W
        ('+CLIP: "",128,,,,1', WITHHELD),
        ('+CLIP: "",128,"",,"",1', WITHHELD),
        ("+CLIP:,129,,,,2", UNKNOWN),
        ('+CLIP: "",128', UNKNOWN),
        ('+CLIP: "Bank",208,,,,0', UNKNOWN),
        ('+CLIP: "' + "9" * 99 + '",129,,,,0', UNKNOWN),
        ("+CLIP: ", UNKNOWN),
    ],
)
def test_who_calls(line: str, who: str) -> None:
    assert news(line) == Rings(who)


@pytest.mark.parametrize(
    ("lines", "callers"),
    [
        (["RING"], []),
        (["RING", CLIP_ANNA], ["+491701111111"]),
        ([CLIP_ANNA], ["+491701111111"]),
        (["RING", CLIP_ANNA, "RING", CLIP_ANNA, END], ["+491701111111"]),
        (["RING", CLIP_ANNA, END, "RING", CLIP_ANNA, END], ["+491701111111"]),
        (["+CRING: VOICE", CLIP_ANNA, "+CRING: VOICE", CLIP_BERT], ["+491701111111", "030222222"]),  # no END
        (["RING", "RING"], [UNKNOWN]),  # +CLIP would have come
        (["RING", END], [UNKNOWN]),
        (["RING", "RING", CLIP_ANNA], [UNKNOWN, "+491701111111"]),  # late, and better late than never
        (["NO CARRIER", END], []),
    ],
)
def test_who_is_reported(lines: list[str], callers: list[str]) -> None:
    history = History()
    for number, line in enumerate(lines):
        history = hear(history, said(line), T + number)
    assert list(history.callers) == callers
    assert bool(history.ringing) == (not lines[-1].startswith(("NO CARRIER", END)))


def test_silence_ends_a_call_too() -> None:
    history = after(History(), "RING", at=T)
    assert hear(history, None, T + QUIET - 0.1).ringing == history.ringing
    over = hear(history, None, T + QUIET)
    assert (over.ringing, list(over.callers)) == (None, [UNKNOWN])
    assert hear(history, None, T - 1).ringing is None  # the clock was set back


def test_a_call_keeps_its_beginning_while_it_rings() -> None:
    history = History()
    for at in range(0, 100, 5):
        history = after(history, "RING", CLIP_ANNA, at=T + at)
    assert history.ringing
    assert (history.ringing.began, history.ringing.last) == (T, T + 95)


def test_a_caller_is_reported_once_in_ten_minutes() -> None:
    history, told = report(after(History(), "RING", CLIP_ANNA, at=T), T + 1)
    assert told == ["+491701111111"]
    for at in (30, 300, WINDOW):
        history, told = report(after(history, END, "RING", CLIP_ANNA, at=T + at), T + at)
        assert told == []
    history, told = report(after(history, END, at=T + WINDOW + 1), T + WINDOW + 1)
    assert (told, history) == ([], History())
    assert report(after(history, "RING", CLIP_ANNA, at=T + WINDOW + 9), T + WINDOW + 9)[1] == ["+491701111111"]


def test_a_clock_that_is_set_back_starts_every_time_anew() -> None:
    history = History()
    for at in (T, T - 86400):
        for number in range(10, 10 + MOST):
            history, told = report(after(history, "RING", f'+CLIP: "{number}",129,,,,0', END, at=at), at + number / 100)
            assert told == [str(number)]


def test_callers_beyond_counting_are_reported_as_others() -> None:
    history = History()
    for number in range(1000):
        history = after(history, "RING", f'+CLIP: "{number + 10000}",129,,,,0', END, at=T + number / 10)
    assert len(history.callers) == APART + 1
    assert list(history.callers)[-1] == OTHERS


numbers = st.sampled_from([CLIP_ANNA, "+CLIP:,129,,,,1", "+CLIP:,129,,,,2"]) | st.integers(10, 10 + APART - 3).map(
    lambda number: f'+CLIP: "{number}",129,,,,0'
)


@given(storm=st.lists(st.tuples(numbers, st.booleans(), st.floats(0.1, 20)), max_size=120))
def test_no_storm_floods_the_chat_or_loses_a_caller(storm: list[tuple[str, bool, float]]) -> None:
    """Calls of many numbers, ended by a word or not, the run killed and begun anew between any two."""
    history, now, told, messages = History(), T, set[str](), []
    for clip, ends, pause in storm:
        history = after(history, "RING", clip, *([END] if ends else []), at=now)
        now += pause
        history, some = report(records.read(History, json.dumps(records.to(history)).encode()) or History(), now)
        told |= {*some}
        messages += [now] if some else []
        assert len(json.dumps(records.to(history))) < 10_000
    assert {news(clip) for clip, *_ in storm} == {Rings(who) for who in told | {*due(expire(history, now + WINDOW))}}
    assert all(late - early >= WINDOW for early, late in zip(messages, messages[MOST:], strict=False))


# --- on the emulated stick ---

ANNA, BERT = "+491701111111", "030222222"
CODE = "Your code is 482913, never tell it to anybody"
LATENCY = 5.0  # seconds: the main job's at most
DELAY = 2.2  # seconds: in a storm
STORM = 60  # calls
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


def age(rig: Rig, seconds: float) -> None:
    """As if what is known of calls were from so long ago; no run must be at work."""
    path = rig.run_folder / "home.calls"
    state = json.loads(path.read_text())
    for one in state["callers"].values():
        one["at"] -= seconds
        one["reported"] -= seconds
    if ringing := state["ringing"]:
        state["ringing"] = ringing | {key: ringing[key] - seconds for key in ("began", "last")}
    path.write_text(json.dumps(state))


@pytest.mark.parametrize(
    "profile", [pytest.param(name, marks=[] if name == "E3372" else pytest.mark.slow) for name in sorted(PROFILES)]
)
def test_a_call_is_rejected_and_reported_and_stalls_nothing(python: str, profile: str) -> None:
    with Rig(python, profile=profile) as rig, rig.lingering():
        for line in STALL[:2]:
            rig.stick.say(line)
        call = rig.stick.call(ANNA, every=60)
        [text] = wait_for_calls(rig, 1)
        assert re.fullmatch(
            rf"\{ANNA} called at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d \S+, rejected\nhome", text
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


def test_without_clip_it_is_rejected_at_its_second_ring(rig: Rig) -> None:
    rig.stick.faults.on("CLIP", Trouble(answer="ERROR"))
    with rig.lingering():
        call = rig.stick.call(ANNA, every=2)
        assert "Unknown number called" in wait_for_calls(rig, 1)[0]
        assert call.over.wait(PATIENCE)
        assert (call.rejected, call.rung) == (True, 2)
    assert rig.api.sent[0].reply_markup is None


def test_callers_by_turns_are_reported_once_in_ten_minutes_and_then_forgotten(rig: Rig) -> None:
    with rig.lingering():
        for number in (ANNA, BERT, ANNA, BERT):
            assert rig.stick.call(number).over.wait(PATIENCE)
        assert arrives_in_time(rig)
        first, second = wait_for_calls(rig, 2)
        assert (ANNA in first, BERT in second) == (True, True)
        rig.settle()
    assert rig.poll().returncode == 0
    assert len(calls(rig)) == 2
    age(rig, WINDOW)
    with rig.lingering():  # the next run
        rig.stick.call(ANNA)
        assert ANNA in wait_for_calls(rig, 3)[2]
        rig.settle()
    age(rig, 3600)
    assert rig.poll().returncode == 0
    assert not (rig.run_folder / "home.calls").exists()
    assert len(calls(rig)) == 3


class TestHangingUp:
    @pytest.mark.parametrize(("refused", "rejected"), [(r"CHUP$", True), (r"CHUP$|^ATH$", False)])
    def test_ath_where_chup_is_refused_and_where_both_are_it_rings_out(
        self, rig: Rig, refused: str, rejected: bool
    ) -> None:
        rig.stick.faults.on(refused, Trouble(answer="ERROR"))
        with rig.lingering():
            call = rig.stick.call(ANNA, rings=3, every=0.5)
            [text] = wait_for_calls(rig, 1)
            assert call.over.wait(PATIENCE)
            assert (", rejected" in text, call.rejected) == (rejected, rejected)
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
    def test_where_it_may_ring_only_what_never_ends_is_ended(self, rig: Rig, wanted: str) -> None:
        """By a later run than it began in."""
        rig.configure(modem=f'calls = "{wanted}"')
        with rig.lingering():
            call = rig.stick.call(ANNA, rings=10**6, every=0.5)
            rig.stick.wait_for(lambda _: call.rung == 2)
            assert arrives_in_time(rig)
            if wanted == "report":
                assert re.fullmatch(rf"\{ANNA} called at [^,]*\nhome", wait_for_calls(rig, 1)[0])
        assert not any(c.text in ("AT+CHUP", "ATH") for c in rig.stick.commands)
        state = json.loads((rig.run_folder / "home.calls").read_text())
        state["ringing"]["began"] -= 120
        (rig.run_folder / "home.calls").write_text(json.dumps(state))
        with rig.lingering():
            assert call.over.wait(PATIENCE)
            assert call.rejected
        assert len(calls(rig)) == (wanted == "report")


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
            rig.stick.wait_for(lambda _: count == 2)
            rig.stick.on_command = None

    def test_before_the_run_has_begun_and_no_number_is_in_its_log(self, rig: Rig) -> None:
        call = rig.stick.call(ANNA, every=0.05, rings=10**6)
        said = rig.on_a_terminal("--linger", "0", "-v")
        assert call.over.wait(PATIENCE)
        assert (call.rejected, len(calls(rig))) == (True, 1)
        assert re.search(r"call of \d{8}T\d{6}Z stored", said)
        assert ANNA[-6:] not in said


class TestStorm:
    @pytest.mark.slow
    def test_it_neither_delays_sms_nor_floods_the_chat(self, python: str) -> None:
        """Each call right after the one before, of changing and of withheld numbers, until SMS have come between."""
        rung, enough = threading.Event(), threading.Event()

        def callers(stick: Stick) -> None:
            number = 0
            while number < STORM or not enough.is_set():
                call = stick.call("" if number % 3 == 0 else f"+4930{100000 + number}", every=0.4, rings=2)
                call.over.wait(PATIENCE)
                number += 1
                if number == STORM:
                    rung.set()

        with Rig(python, latency=0.02) as rig, rig.lingering():
            begin = time.monotonic()
            thread = threading.Thread(target=callers, args=(rig.stick,), daemon=True)
            thread.start()
            latencies: list[float] = []
            while len(latencies) < 3 or not rung.is_set():
                time.sleep(PACE)
                latencies.append(rig.deliver(f"SMS number {len(latencies)}."))
            enough.set()
            thread.join()
            seconds = time.monotonic() - begin
            rig.stick.wait_for(lambda stick: not stick.stored())
            rig.settle()
            assert rig.prompt(max(latencies), DELAY), latencies
            reports = calls(rig)
            assert len(reports) <= MOST + seconds / 600 * (MOST + 1)
            assert sum(report.count(" called at ") for report in reports) >= MOST  # some share a message
            state = json.loads((rig.run_folder / "home.calls").read_text())
            assert len(state["callers"]) > STORM / 3  # the others rang while one was being rejected

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


@steps.needs_strace
class TestTheCard:
    """Anybody can call, for nothing: what it costs the card is what is told."""

    @pytest.mark.parametrize(
        ("callers", "messages"),
        [([ANNA] * 10, 1), pytest.param([f"+4930{100000 + n}" for n in range(3 * MOST)], MOST, marks=pytest.mark.slow)],
        ids=["one", "many"],
    )
    def test_calls_cost_what_their_messages_do(self, python: str, callers: list[str], messages: int) -> None:
        one = fsyncs(python, [ANNA])
        assert 0 < fsyncs(python, callers) <= messages * one

    def test_what_an_older_version_left_on_the_card_goes(self, rig: Rig) -> None:
        spool = Spool(rig.state)
        spool.save("calls", {"series": [{"caller": ANNA, "tries": 2}]})
        spool.save("missed", {"callers": [ANNA]})
        assert rig.poll().returncode == 0
        assert not {"calls", "missed"} & {path.name for path in rig.state.iterdir()}
        assert calls(rig) == []


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
