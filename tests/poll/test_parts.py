# SPDX-License-Identifier: GPL-2.0-or-later
"""Long SMS come out once, whole and right, in whatever order, how often and with whatever losses they came."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

import pdus
from homesim.poll.reassemble import Reassembly
from homesim.sms import message, pdu
from homesim.sms.concat import NEAR, Group, Part, gather
from homesim.store.entry import Entry
from homesim.store.spool import Spool

SETTINGS = settings(deadline=None, derandomize=True, max_examples=80)
CENTRES = [pdus.SMSC, "+491710760001"]


@dataclass(frozen=True)
class Long:
    """A long SMS as somebody sent it."""

    sender: str
    reference: int
    start: float  # seconds after pdus.TIME
    text: str
    pdus: tuple[str, ...]


# Strategies

characters = st.sampled_from("ab 🙂😀ж€\u0301")  # emoji are cut in two below
senders = st.sampled_from(["+491701234567", "Bank"])
references = st.sampled_from([0, 7, 255])


@st.composite
def longs(draw: st.DrawFn, start: float, reference: int | None = None, sender: str | None = None) -> Long:
    """In 2 to 5 parts, cut anywhere between 16-bit units, each part at most NEAR seconds behind the one before."""
    text = draw(st.text(characters, min_size=2, max_size=12))
    units = text.encode("utf-16-be", "surrogatepass")
    places = st.integers(0, len(units) // 2).map(lambda place: place * 2)
    cuts = [0, *sorted(draw(st.lists(places, min_size=1, max_size=4))), len(units)]
    sender = draw(senders) if sender is None else sender
    reference = draw(references) if reference is None else reference
    parts = pdus.long_sms(
        [units[a:b] for a, b in pairwise(cuts)],
        sender,
        reference=reference,
        alphabet="ucs2",
        time=pdus.TIME + timedelta(seconds=start),
        time_step=timedelta(seconds=draw(st.integers(0, int(NEAR)))),
        smsc=draw(st.permutations(CENTRES)),
    )
    return Long(sender, reference, start, text, tuple(parts))


@st.composite
def conversations(draw: st.DrawFn, *, reuse: bool) -> list[Long]:
    """Several messages; with `reuse` few references, used again hours later, else each its own."""
    hours = draw(st.lists(st.floats(1, 30), min_size=1, max_size=4))
    starts = [float(int(3600 * sum(hours[: place + 1]))) for place in range(len(hours))]
    return [draw(longs(start, None if reuse else place)) for place, start in enumerate(starts)]


@st.composite
def crowds(draw: st.DrawFn) -> list[Long]:
    """Several messages at the same time, told apart by sender or reference."""
    keys = draw(st.lists(st.tuples(senders, references), min_size=2, max_size=5, unique=True))
    return [draw(longs(draw(st.integers(0, 60)), reference, sender)) for sender, reference in keys]


def parts_of(texts: Iterable[str]) -> list[Part]:
    """As the spool keeps them: a PDU that comes again is the same file."""
    return [Part(name, text, 0) for name, text in {message.name([text]): text for text in texts}.items()]


def text_of(group: Group) -> str:
    return message.read([part.pdu for part in group.parts]).text


def holds_each_once(groups: list[Group], parts: list[Part]) -> None:
    found = Counter(part.name for group in groups for part in (*group.parts, *group.copies))
    assert found == Counter(part.name for part in parts)
    for group in groups:
        places = [pdu.decode(part.pdu).part.number for part in group.parts]
        assert places == sorted(set(places))
        assert len(places) == len(group.parts)


def by_another_centre(text: str) -> str:
    octets = bytes.fromhex(text)
    return (pdus.service_centre("+12063130025") + octets[1 + octets[0] :]).hex().upper()


# gather


@SETTINGS
@given(conversations(reuse=True) | crowds(), st.data())
def test_whole_messages_come_out_once_and_right(sent: list[Long], data: st.DataObject) -> None:
    every = [text for long in sent for text in long.pdus]
    again = data.draw(st.lists(st.sampled_from(every), max_size=4))
    parts = parts_of(data.draw(st.permutations([*every, *again, *map(by_another_centre, again)])))
    groups = gather(parts)
    holds_each_once(groups, parts)
    assert Counter(map(text_of, groups)) == Counter(long.text for long in sent)
    assert all(group.complete and group.certain and not group.copies for group in groups)


@SETTINGS
@given(conversations(reuse=False) | crowds(), st.data())
def test_losses_leave_exactly_their_gaps(sent: list[Long], data: st.DataObject) -> None:
    every = [(number, text) for number, long in enumerate(sent) for text in long.pdus]
    kept = data.draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    parts = parts_of(text for _, text in kept)
    groups = gather(parts)
    holds_each_once(groups, parts)
    expected = set()
    for number in {number for number, _ in kept}:
        long = sent[number]
        there = [(number, text) in kept for text in long.pdus]
        missing = tuple(place for place, is_there in enumerate(there, 1) if not is_there)
        expected.add((frozenset(text for text in long.pdus if (number, text) in kept), missing))
    got = {
        (frozenset(pdus_of(group)), message.read(pdus_of(group)).missing): group.complete
        for group in groups
    }
    assert set(got) == expected
    assert all(complete == (not missing) for (_, missing), complete in got.items())


def pdus_of(group: Group) -> list[str]:
    return [part.pdu for part in group.parts]


@SETTINGS
@given(conversations(reuse=True), st.data())
def test_what_is_certain_is_one_message_whatever_is_lost(sent: list[Long], data: st.DataObject) -> None:
    owner = {text: long for long in sent for text in long.pdus}
    parts = parts_of(data.draw(st.lists(st.sampled_from(sorted(owner)), min_size=1, unique=True)))
    groups = gather(parts)
    holds_each_once(groups, parts)
    for group in groups:
        if group.certain:
            assert text_of(group) == owner[group.parts[0].pdu].text


@SETTINGS
@given(longs(0, 7, "Bank"), longs(2 * 3600, 7, "Bank"), st.data())
@example(
    Long("Bank", 7, 0, "AABB", tuple(pdus.long_sms(["AA", "BB"], "Bank", reference=7))),
    Long(
        "Bank",
        7,
        7200,
        "CCDD",
        tuple(pdus.long_sms(["CC", "DD"], "Bank", reference=7, time=pdus.TIME + timedelta(hours=2))),
    ),
    None,
)
def test_never_are_two_messages_hours_apart_made_one(first: Long, second: Long, data: st.DataObject | None) -> None:
    """A text that nobody sent is worse than two with gaps."""
    if data:
        lost = [data.draw(st.sampled_from(long.pdus)) for long in (first, second)]
    else:
        lost = [first.pdus[1], second.pdus[0]]
    owner = {text: long.text for long in (first, second) for text in long.pdus}
    for group in gather(parts_of(text for text in owner if text not in lost)):
        assert len({owner[text] for text in pdus_of(group)}) == 1


@SETTINGS
@given(longs(0, 7), st.data(), st.integers(1, 600))
def test_a_part_that_comes_again_under_a_later_time_is_no_second_message(
    long: Long, data: st.DataObject, seconds: int
) -> None:
    """It is another file, so `gather` must know it; beyond NEAR it is a message of its own with gaps."""
    text = data.draw(st.sampled_from(long.pdus))
    parts = parts_of([*long.pdus, stamped(text, seconds_of(long.pdus[-1]) + seconds)])
    groups = gather(parts)
    holds_each_once(groups, parts)
    assert [text_of(group) for group in groups if group.complete] == [long.text]
    if seconds_of(long.pdus[-1]) + seconds - seconds_of(text) <= NEAR:
        assert len(groups) == 1


def seconds_of(text: str) -> int:
    """Its SMSC time, in seconds after pdus.TIME."""
    time = message.read([text]).time
    assert time
    return int((time - pdus.TIME).total_seconds())


def stamped(text: str, seconds: int) -> str:
    """The same SMS with another SMSC time."""
    old, new = (
        pdus.timestamp(pdus.TIME + timedelta(seconds=when)).hex().upper() for when in (seconds_of(text), seconds)
    )
    assert text.count(old) == 1
    return text.replace(old, new)


# Arriving one by one


@settings(SETTINGS, max_examples=30)
@given(conversations(reuse=True), st.data())
def test_parts_that_arrive_one_by_one_make_each_message_once(sent: list[Long], data: st.DataObject) -> None:
    """As from a stick: each part is stored as it comes, now and then again, and joined from the spool."""
    every = [text for long in sent for text in long.pdus]
    again = data.draw(st.lists(st.sampled_from(every), max_size=3))
    with tempfile.TemporaryDirectory(dir=_fast()) as folder:
        spool = Spool(Path(folder) / "home")
        for text in data.draw(st.permutations([*every, *again])):
            arrive(spool, text)
        texts = [message.read(entry.pdus).text for entry in spool.entries("new")]
        assert spool.count("parts") == 0
    assert Counter(texts) == Counter(long.text for long in sent)


def test_a_message_with_the_beginning_of_the_one_before_is_not_its_copy(tmp_path: Path) -> None:
    """A sender with one reference for all repeats its first words within NEAR; the last part comes a little later."""
    spool = Spool(tmp_path / "home")
    later = pdus.TIME + timedelta(seconds=60)
    one = pdus.long_sms(["Dear customer, ", "your code is 111111"], "Bank", reference=1)
    two = pdus.long_sms(["Dear customer, ", "your code is 222222"], "Bank", reference=1, time=later)
    arrive(spool, *one, two[0])
    arrive(spool, two[1])
    texts = [message.read(entry.pdus).text for entry in spool.entries("new")]
    assert texts == ["Dear customer, your code is 111111", "Dear customer, your code is 222222"]


def arrive(spool: Spool, *texts: str) -> None:
    """Store PDUs as fetch does, then join."""
    for text in texts:
        if not spool.known(name := message.name([text])):
            spool.put("parts", Entry(name, (text,), received=time.time()))
    reassembly = Reassembly(spool, wait=600)
    while reassembly.behind():
        reassembly.step()


def _fast() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
