# SPDX-License-Identifier: GPL-2.0-or-later
"""From the spool to the strict stand-in and its faults: nothing lost, nothing repeated without saying so.

Delivery and its HTTP run as they are, in this process; only the pause between two messages is left out, except
where the pace itself is looked at.
"""

from __future__ import annotations

import gc
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pdus
from emulators.botapi import server
from emulators.botapi.server import BotApi, Chat, Fault
from homesim import config
from homesim.chat import telegram
from homesim.chat.destination import MAX_WAIT
from homesim.errors import ConfigError, HomesimError, TryAgain
from homesim.poll.backlog import ALONE
from homesim.poll.deliver import Delivery
from homesim.sms import message
from homesim.store.entry import Entry
from homesim.store.spool import Spool
from rig import now

GROUP, SUPERGROUP, TOPIC = -4001, -1001557912345, 7
LONG = 4 * 3600.0  # seconds: longer than any test
REPEAT = "possible repeat"
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest.fixture(scope="module", autouse=True)
def no_collection() -> Iterator[None]:
    """A nested answer takes the parser to the end of the stack, where a finalizer of other tests' cannot run."""
    gc.disable()
    yield
    gc.enable()


class Sending:
    """A spool, a chat and a way to run Delivery on them, as often as wanted."""

    def __init__(self, api: BotApi, folder: Path, *, chat_id: int | None = None, topic_id: int | None = None) -> None:
        self.api = api
        self.spool = Spool(folder / "home")
        self.telegram = config.Telegram(api.token, chat_id or api.chat_id, topic_id, api.url, None, False, None)
        self.modem = config.Modem("home", "/dev/sms", "dku2at", "at", None, None, "hangup", "admin", None, None)
        self.slept: list[float] = []

    def put(self, text: str, *, time: datetime = pdus.TIME, sender: str = "Bank") -> Entry:
        """An SMS that waits, a long one in parts."""
        if len(text) > 60:
            made = pdus.long_sms(text, sender, reference=1, time=time, time_step=timedelta(0))
        else:
            made = [pdus.deliver(text, sender, time=time)]
        entry = Entry(message.name(made), tuple(made), received=time.timestamp())
        self.spool.put("new", entry)
        return entry

    def run(self, *, sleep: Callable[[float], None] | None = None) -> tuple[HomesimError | None, float | None]:
        """One run of the program, long after the one before: its problem, and when to try again."""
        self.spool.save("suspects", {name: [1, 0, 0] for name in (self.spool.load(dict, "suspects") or {})})
        delivery = Delivery(self.spool, self.telegram, self.modem)
        pause = delivery.send_waiting(time.monotonic() + LONG, sleep or self.slept.append)
        return delivery.problem, pause

    def wait_is_over(self) -> None:
        self.spool.save("not-before", {})

    def names(self, folder: str) -> list[str]:
        return [entry.name for entry in self.spool.entries(folder)]

    def texts(self) -> list[str]:
        return [sent.text for sent in self.api.sent]

    def bodies(self) -> list[str]:
        """What the chat's messages say, between the line of the sender and that of the modem."""
        return [re.sub(r"^[^\n]*\n|\n[^\n]*$", "", text) for text in self.texts()]


@pytest.fixture
def api() -> Iterator[BotApi]:
    with BotApi() as api:
        yield api


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        yield Path(folder)


@pytest.fixture
def sending(api: BotApi, folder: Path) -> Sending:
    return Sending(api, folder)


# What the Bot API answers, and what becomes of a message then

NOT_DELIVERED = [
    server.gateway(502),
    server.gateway(503),
    server.too_many(0),
    server.redirect(),
    server.refusal(409, "Conflict: terminated by other getUpdates request"),
]
PERHAPS_DELIVERED = [
    server.reset(),
    server.lost_answer(),
    server.lost_answer(reset=True),
    server.truncated(),
    server.portal(),
    server.not_ok(),
    server.nested(),
    server.gateway(504),
    server.gateway(504, delivers=True),
    server.gateway(500),
    server.refusal(500, "Internal Server Error: restart"),
]
CONFIGURATION = [
    server.refusal(401, "Unauthorized"),
    server.refusal(401, "Unauthorized: invalid token specified"),
    server.refusal(403, "Forbidden: bot was blocked by the user"),
    server.refusal(403, "Forbidden: bot can't initiate conversation with a user"),
    server.refusal(404, "Not Found"),
    server.refusal(421, "Misdirected Request: unallowed token specified"),
    server.refusal(400, "Bad Request: chat not found"),
    server.refusal(400, "Bad Request: chat_id is empty"),
    server.refusal(400, "Logged out"),
    server.refusal(400, "Bad Request: not enough rights to send text messages to the chat"),
    server.refusal(400, "Bad Request: have no rights to send a message"),
    server.refusal(400, "Bad Request: CHAT_RESTRICTED"),
    server.refusal(400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
    server.refusal(400, "Bad Request: TOPIC_CLOSED"),
]
REFUSED = [
    server.refusal(413, "Request Entity Too Large"),
    server.refusal(400, "Bad Request: message is too long"),
    server.refusal(400, "Bad Request: BUTTON_COPY_TEXT_INVALID"),
    server.refusal(400, "Bad Request: entity begins after the end of the text at UTF-16 offset 9"),
]


def name_of(fault: Fault) -> str:
    return fault.name


@pytest.mark.parametrize("fault", NOT_DELIVERED, ids=name_of)
def test_what_was_not_delivered_stays_and_is_sent_again_unmarked(fault: Fault, sending: Sending) -> None:
    entry = sending.put("hello")
    sending.api.order(fault)
    assert type(sending.run()[0]) is TryAgain
    assert sending.names("new") == [entry.name]
    assert not sending.texts()
    assert sending.run() == (None, None)
    assert sending.bodies() == ["hello"]
    assert REPEAT not in sending.api.text()
    assert sending.spool.sent(entry.name)


@pytest.mark.parametrize("fault", PERHAPS_DELIVERED, ids=name_of)
@pytest.mark.parametrize("same_run", [True, False])
def test_what_was_perhaps_delivered_is_marked_as_possible_repeat(
    fault: Fault, same_run: bool, sending: Sending
) -> None:
    entry = sending.put("hello")
    sending.api.order(fault)
    delivery = Delivery(sending.spool, sending.telegram, sending.modem)
    delivery.send_waiting(time.monotonic() + LONG)
    assert type(delivery.problem) is TryAgain
    assert sending.names("new") == [entry.name]
    if same_run:
        end = time.monotonic() + 60
        while delivery.problem and time.monotonic() < end:
            time.sleep(delivery.send_waiting(time.monotonic() + LONG) or 0.05)
        assert delivery.problem is None
    else:
        assert sending.run() == (None, None)
    *first, last = sending.texts()
    assert len(first) == fault.delivers
    assert REPEAT in last
    assert not any(REPEAT in text for text in first)
    assert sending.spool.sent(entry.name)
    assert not sending.names("new")
    sending.put("another", time=now())
    sending.run()
    assert REPEAT not in sending.texts()[-1]


def test_a_server_that_says_nothing(sending: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram, "READ", 0.05)
    sending.put("hello")
    sending.api.order(server.hang())
    assert type(sending.run()[0]) is TryAgain
    sending.api.release()
    monkeypatch.undo()
    assert sending.run() == (None, None)
    assert [REPEAT in text for text in sending.texts()] == [True]


@pytest.mark.parametrize("fault", CONFIGURATION, ids=name_of)
def test_what_a_person_must_change_keeps_everything_and_tries_no_more(fault: Fault, sending: Sending) -> None:
    names = [sending.put(f"hello {number}", time=pdus.TIME + timedelta(seconds=number)).name for number in range(2)]
    sending.api.order(fault)
    delivery = Delivery(sending.spool, sending.telegram, sending.modem)
    for _ in range(3):
        delivery.send_waiting(time.monotonic() + LONG)
    assert isinstance(delivery.problem, ConfigError)
    assert sending.api.token not in str(delivery.problem)
    assert len(sending.api.requests) == 1
    assert sending.names("new") == names
    assert not sending.names("failed")
    assert sending.run() == (None, None)
    assert sending.bodies() == ["hello 0", "hello 1"]
    assert REPEAT not in sending.api.text()


@pytest.mark.parametrize("fault", REFUSED, ids=name_of)
def test_a_refused_message_is_tried_plain_then_set_aside_and_the_next_goes_on(fault: Fault, sending: Sending) -> None:
    first, _ = sending.put("Your code is 482913"), sending.put("good", time=pdus.TIME + timedelta(seconds=1))
    sending.api.order(fault, times=2)
    assert sending.run() == (None, None)
    plain = sending.api.requests[1].params
    assert "entities" not in plain
    assert "reply_markup" not in plain
    told, good = sending.bodies()
    assert good == "good"
    assert "Telegram refuses the SMS of 2026-" in told
    assert "482913" not in told
    assert "Bank" not in told
    (failed,) = sending.spool.entries("failed")
    assert (failed.name, failed.pdus) == (first.name, first.pdus)
    assert failed.reason in told
    assert fault.name.split(" ")[-1] in failed.reason
    assert sending.api.token not in failed.reason
    assert not sending.names("new")
    assert not sending.spool.sent(first.name)


@pytest.mark.parametrize("fault", REFUSED, ids=name_of)
def test_what_is_taken_plain_is_sent(fault: Fault, sending: Sending) -> None:
    sending.put("Your code is 482913")
    sending.api.order(fault)
    assert sending.run() == (None, None)
    assert sending.bodies() == ["Your code is 482913"]
    assert not sending.api.sent[0].entities
    assert not sending.names("failed")


def test_a_group_that_became_a_supergroup(api: BotApi, folder: Path) -> None:
    api.chats = {
        GROUP: Chat(GROUP, "group", migrated_to=SUPERGROUP),
        SUPERGROUP: Chat(SUPERGROUP, "supergroup"),
    }
    sending = Sending(api, folder, chat_id=GROUP)
    for number in range(2):
        sending.put(f"hello {number}")
        assert sending.run() == (None, None)
    assert sending.bodies() == ["hello 0", "hello 1"]
    assert [request.params["chat_id"] for request in api.requests] == list(map(str, [GROUP, SUPERGROUP, SUPERGROUP]))
    assert REPEAT not in api.text()
    moved = Sending(api, folder, chat_id=SUPERGROUP)  # the configuration is put right
    moved.put("hello 2")
    assert moved.run() == (None, None)


def test_a_topic_that_is_gone(api: BotApi, folder: Path) -> None:
    api.chats = {SUPERGROUP: Chat(SUPERGROUP, "supergroup", topics=frozenset({TOPIC}))}
    for topic, expected in ((TOPIC, TOPIC), (TOPIC + 1, None)):
        sending = Sending(api, folder, chat_id=SUPERGROUP, topic_id=topic)
        sending.put(f"hello {topic}")
        assert sending.run() == (None, None)
        assert api.sent[-1].topic_id == expected
    assert REPEAT not in api.text()


# Waiting


@pytest.mark.parametrize(("asked", "waited"), [(1, 1), (30, 30), (10**9, MAX_WAIT)])
def test_retry_after_outlives_the_run(asked: int, waited: float, sending: Sending) -> None:
    sending.put("hello")
    sending.api.order(server.too_many(asked))
    problem, pause = sending.run()
    assert type(problem) is TryAgain
    assert pause is not None
    assert 0 < waited - pause < 0.9 or pause == waited
    problem, pause = sending.run()
    assert type(problem) is TryAgain
    assert len(sending.api.requests) == 1
    sending.wait_is_over()
    assert sending.run() == (None, None)
    assert REPEAT not in sending.api.text()


@pytest.mark.parametrize("ahead", [-10 * 365 * 86400.0, -1.0, MAX_WAIT + 60, 10 * 365 * 86400.0])
def test_a_clock_that_jumped_does_not_make_it_wait(ahead: float, sending: Sending) -> None:
    sending.put("hello")
    sending.spool.save("not-before", {"time": time.time() + ahead})
    assert sending.run() == (None, None)
    assert sending.bodies() == ["hello"]


# Order


def test_order_is_that_of_the_smsc_and_a_fresh_code_goes_first_and_alone(sending: Sending) -> None:
    moment = now()
    texts = ["third", "first", "second", "fourth", "fifth"]
    ages = {"first": 900, "second": 800, "third": 700, "fourth": 100, "fifth": 50}
    for text in texts:
        sending.put(text, time=moment - timedelta(seconds=ages[text]))
    sending.put("Your old code is 111111", time=moment - timedelta(seconds=850))
    sending.put("Your code is 482913", time=moment - timedelta(seconds=30))
    assert sending.run() == (None, None)
    code, packed = sending.texts()
    assert "482913" in code
    assert sending.api.sent[0].reply_markup
    places = [packed.index(word) for word in ("first", "111111", "second", "third", "fourth", "fifth")]
    assert places == sorted(places)


def test_what_comes_meanwhile_and_is_urgent_overtakes(sending: Sending) -> None:
    for number in range(3):
        sending.put(f"old {number}", time=pdus.TIME + timedelta(seconds=number))

    def arrive(phase: str, _: object) -> None:
        if phase == "received" and len(sending.api.requests) == 1:
            sending.put("Your code is 482913", time=now())

    sending.api.on_request = arrive
    assert sending.run() == (None, None)
    assert [body[:5] for body in sending.bodies()] == ["old 0", "Your ", "old 1", "old 2"]


# Many


def spans(sent: server.Sent, kind: str) -> list[str]:
    """What the entities of a kind span."""
    units = sent.text.encode("utf-16-le")
    found = [entity for entity in sent.entities if entity["type"] == kind]
    return [units[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le") for e in found]


def test_a_backlog_goes_out_in_few_messages_each_sms_whole(folder: Path) -> None:
    """300 in seconds, at a pace that Telegram bears, and with their formatting: it keeps 100 entities a message."""
    with BotApi(rate=True) as strict:
        sending = Sending(strict, folder)
        wanted = [f"<{number:03}> 🙂" + "x" * 20 for number in range(300)]
        for number, text in enumerate(wanted):
            sending.put(text, time=pdus.TIME + timedelta(seconds=number), sender=f"+4930{number:03}")
        assert sending.run(sleep=time.sleep) == (None, None)
        assert len(strict.requests) == len(strict.sent) <= 10
        assert [line for text in sending.texts() for line in text.split("\n") if line in set(wanted)] == wanted
        assert [one for sent in strict.sent for one in spans(sent, "bold")] == [f"+4930{n:03}" for n in range(300)]
        assert not sending.names("new")


def test_a_message_refused_in_a_pack_takes_no_other_with_it(sending: Sending) -> None:
    entries = [sending.put(f"m{number}", time=pdus.TIME + timedelta(seconds=number)) for number in range(8)]

    def refuse_after_the_third(phase: str, request: server.Request) -> None:
        if phase == "done" and "\nm2\n" in request.params["text"]:
            sending.api.order(REFUSED[2], times=2)

    sending.api.order(REFUSED[2])  # all of them together
    sending.api.on_request = refuse_after_the_third
    assert sending.run() == (None, None)
    assert [body for body in sending.bodies() if body[0] == "m"] == [f"m{number}" for number in (0, 1, 2, 4, 5, 6, 7)]
    assert sending.names("failed") == [entries[3].name]


@pytest.mark.parametrize("fault", [server.lost_answer(), server.gateway(502)], ids=name_of)
def test_of_a_pack_that_failed_each_goes_alone(fault: Fault, sending: Sending) -> None:
    for number in range(ALONE + 2):
        sending.put(f"m{number}", time=pdus.TIME + timedelta(seconds=number))
    sending.api.order(fault)
    sending.run()
    assert sending.run() == (None, None)
    assert len(sending.api.sent) == ALONE + 2 + fault.delivers
    assert [text.count(REPEAT) for text in sending.texts()[fault.delivers :]] == [fault.delivers] * (ALONE + 2)


def test_a_fresh_code_that_fails_for_ever_lets_the_others_go(sending: Sending) -> None:
    """Its service centre's clock is ahead, so fresh it is for hours."""
    sending.put("482913 is your code", time=now() + timedelta(hours=2))
    for number in range(ALONE - 1):
        sending.put(f"m{number}", time=pdus.TIME + timedelta(seconds=number))
    sending.api.always(lambda request: "482913" in request.params.get("text", ""), server.gateway(502))
    problem, _ = sending.run()
    assert type(problem) is TryAgain
    assert sending.bodies() == ["m0", "m1"]


# Split messages

WORDS = " ".join(f"word{number:04}" for number in range(1200))  # three messages


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("fault", [server.gateway(502), server.too_many(1), server.lost_answer()], ids=name_of)
def test_a_split_message_goes_on_at_the_part_that_failed(part: int, fault: Fault, sending: Sending) -> None:
    """And repeats no other, but that one if it may have arrived."""
    sending.put(WORDS)
    sending.api.order(*[server.honest()] * part, fault)
    assert type(sending.run()[0]) is TryAgain
    sending.wait_is_over()
    assert sending.run() == (None, None)
    bodies = sending.bodies()
    assert len(bodies) == 3 + fault.delivers
    if fault.delivers:
        assert bodies.pop(part) == bodies[part]
    assert "".join(bodies) == WORDS


def test_a_very_long_message_keeps_the_pace(folder: Path) -> None:
    """It has more parts than Telegram takes at once."""
    with BotApi(rate=True) as strict:
        sending = Sending(strict, folder)
        text = (WORDS * 3)[:22500]
        sending.put(text)
        assert sending.run(sleep=time.sleep) == (None, None)
        assert len(strict.requests) == len(strict.sent) == 6
        assert "".join(sending.bodies()) == text


# What a kill or a full disk leaves


def disk_fails_after(sending: Sending, count: int) -> None:
    """Run until message `count` is in the chat; right then seen/ is gone, and the run ends."""
    seen = sending.spool.root / "seen"
    away = seen.with_name("seen.away")

    def fail(phase: str, _: object) -> None:
        if phase == "done" and len(sending.api.sent) == count:
            seen.rename(away)

    sending.api.on_request = fail
    with pytest.raises(TryAgain):
        sending.run()
    sending.api.on_request = None
    away.rename(seen)


def test_a_pack_that_arrived_takes_none_with_it_that_was_not_in_it(sending: Sending) -> None:
    """One in doubt, never delivered, waits behind a pack of older ones that came late and leave it no room."""
    sending.put("in doubt " * 40, time=now())
    sending.api.order(server.reset())
    sending.run()
    for number in range(ALONE + 1):
        sending.put(f"{number} " + "x" * 880, time=pdus.TIME + timedelta(seconds=number))
    disk_fails_after(sending, 1)
    sending.run()
    assert "in doubt" in sending.api.text()


# Any faults in any order

any_faults = st.sampled_from([server.honest(), *NOT_DELIVERED, *PERHAPS_DELIVERED, *CONFIGURATION[:3]])
ORDERLY = {fault.name for fault in (server.honest(), server.too_many(0), *CONFIGURATION[:3])}  # no message's fault
arrivals = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(arrivals, st.lists(any_faults, max_size=8), st.booleans())
def test_whatever_fails_everything_arrives_and_only_what_was_in_doubt_twice(
    counts: list[int], faults: list[Fault], refused: bool
) -> None:
    with BotApi() as api, tempfile.TemporaryDirectory(dir=FAST) as folder:
        sending = Sending(api, Path(folder))
        api.order(*faults)
        wanted: list[str] = []
        for count in counts:
            for _ in range(count):
                wanted.append(f"<{len(wanted)}>")
                sending.put(wanted[-1], time=pdus.TIME + timedelta(seconds=len(wanted)))
            sending.run()
        for _ in faults:
            sending.run()
            assert Counter(sending.names("failed")) == Counter()
        api.faults.clear()
        if refused:
            sending.put("bad", time=pdus.TIME + timedelta(days=1))
            api.order(REFUSED[2], times=2)
        assert sending.run() == (None, None)
        assert not sending.names("new")
        assert len(sending.names("failed")) == refused
        found = [(sms_text, REPEAT in sms_text) for text in sending.texts() for sms_text in text.split("\n\n")]
        in_doubt = sum(fault in PERHAPS_DELIVERED for fault in faults)
        for text in wanted:
            marks = [marked for sms_text, marked in found if f"\n{text}\n" in sms_text]
            assert 1 <= len(marks) <= 1 + in_doubt
            assert all(marks[1:])
        if {fault.name for fault in faults} <= ORDERLY:
            first_places = [sending.api.text().index(f"\n{text}\n") for text in wanted]
            assert first_places == sorted(first_places)
