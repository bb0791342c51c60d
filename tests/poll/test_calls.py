# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stick says about calls becomes few messages, and none is forgotten, however it rings and whoever kills us."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homesim.poll import calls
from homesim.poll.calls import FLOOD, MOST, OTHERS, QUIET, SERIES, UNKNOWN, WITHHELD, Calls, caller, concerns

T = 1_790_000_000.0
ANNA = '+CLIP: "+491701111111",145,,,,0'
BERT = '+CLIP: "030222222",129,,,,0'


def told(log: Calls, now: float) -> list[tuple[str, int, float, bool, bool]]:
    series = log.due(now)
    if series:
        log.tell(series, now)
    return [(one.caller, one.tries, round(one.rang, 3), one.exact, one.rejected) for one in series]


@pytest.mark.parametrize(
    ("line", "who"),
    [
        (ANNA, "+491701111111"),
        (BERT, "030222222"),
        ('+CLIP: "+48600000000",145,"",128,"",0', "+48600000000"),  # gammu issue 376
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
        ('+CPBR: 1,"+491701111111",145,"Anna"', "+491701111111"),
        ('+CPBR: 12,"030222222",129,""', "030222222"),
        ('+CPBR: 1,"",129,""', UNKNOWN),
    ],
)
def test_who_calls(line: str, who: str) -> None:
    assert caller(line) == who


def test_what_concerns_calls() -> None:
    for line in ("RING", "+CRING: VOICE", ANNA, "^CEND:1,0,104,16", "NO CARRIER"):
        assert concerns(line)
    for line in ('+CMTI: "SM",1', "^RSSI:20", "^CONN:1,0", "^ORIG:1,0", "+CREG: 1", ""):
        assert not concerns(line)


def test_the_list_of_missed_calls() -> None:
    lines = ['+CPBR: 1,"+491701111111",145,""', '+CPBR: 2,"030222222",129,""', "OK"]
    assert calls.missed(lines) == ["+491701111111", "030222222"]
    assert calls.missed(["OK"]) == calls.missed(["+CME ERROR: 22"]) == []
    for unclear in ((), ["ERROR"], ["+CME ERROR: 14"], [*lines[:1], "ERROR"]):
        assert calls.missed(unclear) is None


def test_one_call_that_ends_is_told_at_once() -> None:
    log = Calls({}, T)
    for at, line in ((0, "RING"), (0.1, ANNA), (5, "RING"), (5.1, ANNA)):
        log.hear(line, T + at)
    assert told(log, T + 6) == []
    log.hear("^CEND:1,0,104,16", T + 7)
    log.hear("NO CARRIER", T + 7.1)
    assert told(log, T + 7.1) == [("+491701111111", 1, 7, True, False)]
    assert told(log, T + 7.2) == []
    log.listen(T + 1000)
    assert told(log, T + 1000) == []
    assert log.state() == {"since": ["+491701111111"]}


def test_silence_ends_a_call_too() -> None:
    log = Calls({}, T)
    for at, line in ((0, "+CRING: VOICE"), (0.1, ANNA), (5, "+CRING: VOICE"), (5.1, ANNA)):
        log.hear(line, T + at)
    log.listen(T + 5 + QUIET - 0.1)
    assert told(log, T + 5 + QUIET - 0.1) == []
    log.listen(T + 5 + QUIET)
    assert told(log, T + 5 + QUIET) == [("+491701111111", 1, 5, False, False)]


def test_a_rejected_call_is_told_at_once_and_rings_on_as_the_same_try() -> None:
    log = Calls({}, T)
    log.hear("RING", T)
    log.hear(ANNA, T)
    log.rejected(T + 1)
    assert told(log, T + 1) == [("+491701111111", 1, 1, True, True)]
    for at, line in ((5, "RING"), (5, ANNA), (6, "^CEND:1,0,104,16")):
        log.hear(line, T + at)
    log.listen(T + SERIES)
    assert told(log, T + SERIES) == []


def test_a_series_is_told_once_more_when_its_time_is_over() -> None:
    log = Calls({}, T)
    for at in (0, 30, 60):
        for line in ("RING", ANNA, "^CEND:1,0,104,16"):
            log.hear(line, T + at)
        assert bool(told(log, T + at)) == (at == 0)
    log.listen(T + SERIES - 1)
    assert told(log, T + SERIES - 1) == []
    log.listen(T + SERIES)
    assert told(log, T + SERIES) == [("+491701111111", 3, 0, True, False)]
    log.hear("RING", T + SERIES + 1)
    log.hear(ANNA, T + SERIES + 1)
    log.rejected(T + SERIES + 2)
    assert told(log, T + SERIES + 2) == [("+491701111111", 1, 1, True, True)]


def test_two_callers_by_turns_are_two_series_also_without_a_word_between() -> None:
    log = Calls({}, T)
    first = []
    for at in range(0, 20, 5):
        log.hear("RING", T + at)
        log.hear(ANNA if at % 2 == 0 else BERT, T + at)
        first += told(log, T + at)
    log.listen(T + 15 + QUIET)
    first += told(log, T + 15 + QUIET)
    assert [who for who, *_ in first] == ["+491701111111", "030222222"]
    log.listen(T + SERIES + 10)
    assert [(who, tries) for who, tries, *_ in told(log, T + SERIES + 10)] == [("+491701111111", 2), ("030222222", 2)]


def test_without_clip_the_second_ring_makes_it_an_unknown_number() -> None:
    log = Calls({}, T)
    log.hear("RING", T)
    assert log.ringing
    assert log.ringing.caller == ""
    log.hear("RING", T + 5)
    assert log.ringing.caller == UNKNOWN
    log.hear(ANNA, T + 5.1)  # late, and better late than never
    assert log.ringing.caller == "+491701111111"
    log.hear("NO CARRIER", T + 6)
    assert told(log, T + 6) == [("+491701111111", 1, 6, True, False)]


def test_a_clock_that_jumps_holds_nothing_back() -> None:
    log = Calls({}, T)
    log.hear("RING", T)
    log.hear(ANNA, T)
    log.listen(T - 3600)
    assert [one[:3] for one in told(log, T - 3600)] == [("+491701111111", 1, 0)]
    log.listen(T + 86400 * 365)
    assert [key for key in log.state() if key != "since"] == []


def test_a_clock_that_is_set_back_starts_every_time_anew() -> None:
    log = Calls({}, T)
    for at in (T, T - 86400):  # the same caller, not in the same series
        for number in range(10, 10 + MOST):
            for line in ("RING", f'+CLIP: "{number}",129,,,,0', "NO CARRIER"):
                log.hear(line, at)
            assert told(log, at) == [(str(number), 1, 0, True, False)]


@pytest.mark.parametrize("state", [{"series": 1}, {"series": [{"caller": 1}]}, {"told": ["x"]}, {"ringing": {"x": 1}}])
def test_a_state_that_is_none_is_forgotten(state: dict[str, object]) -> None:
    assert Calls(state, T).state() == {}


def test_what_a_killed_run_knew_is_told_without_inventing_how_long() -> None:
    log = Calls({}, T)
    log.hear("RING", T)
    log.hear(ANNA, T)
    after = Calls(log.state(), T + 300)
    after.rejected(T + 300)
    assert told(after, T + 300) == [("+491701111111", 1, 0, False, True)]
    on = Calls(json.loads(json.dumps(after.state())), T + 301)
    for line in ("RING", ANNA, "NO CARRIER"):
        on.hear(line, T + 302)  # it was rejected, and counted, before
    assert told(on, T + 302 + SERIES) == []
    late = Calls(log.state(), T + 4000)
    assert told(late, T + 4000) == [("+491701111111", 1, 0, False, False)]
    on = Calls(log.state(), T + 3)
    on.hear("RING", T + 5)
    on.hear("NO CARRIER", T + 8)
    assert told(on, T + 8) == [("+491701111111", 1, 8, True, False)]


numbers = st.sampled_from([ANNA, BERT, "+CLIP:,129,,,,1", "+CLIP:,129,,,,2", ""]) | st.integers(10, 10**6).map(
    lambda number: f'+CLIP: "{number}",129,,,,0'
)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(storm=st.lists(st.tuples(numbers, st.booleans(), st.booleans(), st.floats(0.1, 20)), max_size=120))
def test_no_storm_floods_the_chat_or_loses_a_call(storm: list[tuple[str, bool, bool, float]]) -> None:
    """Calls of any number, rejected or not, ended by a word or not, the run killed and begun anew between any two."""
    log, now, tries, messages = Calls({}, T), T, 0, []
    for clip, reject, again, pause in storm:
        for line in filter(None, ("RING", clip, "" if clip else "RING")):
            log.hear(line, now)
        if reject:
            log.rejected(now + 0.05)
        log.hear("^CEND:1,0,104,16", now + 0.1)
        now += pause
        log.listen(now)
        if some := told(log, now):
            messages.append((now, some))
        if again:
            log = Calls(json.loads(json.dumps(log.state())), now)
        assert len(json.dumps(log.state())) < 50_000
    while log.due(now + FLOOD) or "series" in log.state():
        now += 60
        log.listen(now)
        if some := told(log, now):
            messages.append((now, some))
    times = [at for at, _ in messages]
    assert all(late - early >= FLOOD for early, late in zip(times, times[MOST:], strict=False))
    tries = sum(last for _, last in _last(messages))
    assert tries == len(storm)


def _last(messages: list[tuple[float, list[tuple[str, int, float, bool, bool]]]]) -> list[tuple[str, int]]:
    """Each series with the number of tries that was told last: one that is told again has them all."""
    found: list[tuple[str, int]] = []
    open_: dict[str, int] = {}
    for _, series in messages:
        for who, count, *_ in series:
            if count > 1 and who in open_ and found[open_[who]][1] < count:
                found[open_[who]] = (who, count)
            else:
                open_[who] = len(found)
                found.append((who, count))
    return found


def test_what_rings_while_the_one_before_is_told_makes_no_room_for_one_more() -> None:
    """Its lines are attended to after that message was made, and are older than it."""
    log, messages = Calls({}, T), 0
    for number in range(3 * MOST):
        for line in ("RING", f'+CLIP: "{number + 10}",129,,,,0', "^CEND:1,0,104,16"):
            log.hear(line, T + number)
        messages += bool(told(log, T + number + 1.5))
    assert messages == MOST


def test_callers_beyond_counting_are_told_as_others() -> None:
    log = Calls({}, T)
    for number in range(1000):
        log.hear("RING", T + number / 10)
        log.hear(f'+CLIP: "{number + 10000}",129,,,,0', T + number / 10)
        log.hear("NO CARRIER", T + number / 10)
    all_ = told(log, T + 100)
    assert len(all_) == calls.APART + 1
    assert all_[-1][:2] == (OTHERS, 900)


def test_what_was_heard_while_a_message_was_made_does_not_forget_it() -> None:
    """The lines of a storm wait while the disk is slow: they are from before the message."""
    log = Calls({}, T)
    for number in range(2 * MOST):
        log.hear("RING", T + number)
        log.hear(f'+CLIP: "+4930{number:05}",145', T + number)
        log.hear("NO CARRIER", T + number)
        told(log, T + number + 5)
    log.hear("RING", T + 2 * MOST)
    assert len(log.state()["told"]) == MOST
