# SPDX-License-Identifier: GPL-2.0-or-later
"""One message that does not get through, whatever the way it fails, as bin/poll sends it: the others go on."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import timedelta

import pytest

import pdus
from emulators.botapi import server
from emulators.botapi.server import Fault
from homesim.sms import message
from homesim.store.entry import Entry
from homesim.store.spool import Spool
from patience import PATIENCE
from rig import ROOT, Rig, now

BAD, BAD_TOO = "<script>", "<script>too"
REFUSAL = server.refusal(400, "Bad Request: MESSAGE_ODD")


def bad(request: server.Request) -> bool:
    return "script" in request.params.get("text", "")


def sending(request: server.Request) -> bool:
    return request.method == "sendMessage"


def receive(rig: Rig, *texts: str, age: timedelta = timedelta(hours=1)) -> None:
    """SMS that wait, a second apart. From the stick the first would be on their way before the last are there."""
    for number, text in enumerate(texts):
        wait(rig, pdus.deliver(text, "NEWS", time=now() - age + timedelta(seconds=number)))


def wait(rig: Rig, *made: str) -> None:
    Spool(rig.state).put("new", Entry(message.name(made), made, received=time.time()))


def poll(rig: Rig) -> subprocess.CompletedProcess[str]:
    """One look of bin/poll that does not wait half a minute for an answer."""
    process = rig.start("--linger", "0", command=(rig.python, "-B", str(ROOT / "tests/hasty.py")))
    out, err = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def bodies(rig: Rig) -> list[str]:
    return [line for text in rig.texts() for line in text.split("\n") if line.startswith(("good", "<", "Telegram"))]


WAYS = [
    server.gateway(403),
    server.gateway(400),
    server.gateway(413),
    server.gateway(502),
    server.reset(),
    server.lost_answer(),
    server.hang(),
    server.endless(),
    server.empty_400(),
    server.portal(),
    server.redirect(),
    server.refusal(500, "Internal Server Error"),
]


@pytest.mark.parametrize(
    "fault", [WAYS[0], *(pytest.param(way, marks=pytest.mark.slow) for way in WAYS[1:])], ids=lambda fault: fault.name
)
def test_whatever_the_way_it_fails_the_others_go_first(fault: Fault, rig: Rig) -> None:
    """Eleven wait behind two. They are kept, and go when they can."""
    good = [f"good {number}" for number in range(11)]
    receive(rig, BAD, BAD_TOO, *good)
    rig.api.always(bad, fault)
    run = poll(rig)
    assert run.returncode == 75
    assert list(dict.fromkeys(body for body in bodies(rig) if "script" not in body)) == good  # a pack may have arrived
    assert rig.entries("failed") == []
    assert len(rig.entries("new")) == 2
    assert "SMS" in rig.status()["telegram"]
    assert poll(rig).returncode == 75
    tries = sum(map(bad, rig.api.requests))
    receive(rig, "good, later")
    poll(rig)
    assert "good, later" in bodies(rig)
    assert sum(map(bad, rig.api.requests)) <= tries + 2
    rig.api.relent()
    (rig.state / "suspects").unlink()  # the time that it waits is over
    assert poll(rig).returncode == 0
    assert {BAD, BAD_TOO} <= {*bodies(rig)}
    assert rig.entries("new") == []
    assert not (rig.state / "suspects").exists()


@pytest.mark.slow
def test_requests_that_are_too_long_for_the_way_are_made_short(rig: Rig) -> None:
    """Two packs of short SMS would go, and one is tried; a long one stays behind the short ones after it."""
    short = [f"good {number} " + "x" * 140 for number in range(20)]
    receive(rig, *short)
    wait(rig, *pdus.long_sms("long " * 300, "NEWS", reference=1, time=now() - timedelta(hours=2)))
    rig.api.always(lambda request: len(request.body) > 1400, server.hang())
    poll(rig)
    assert poll(rig).returncode == 75
    assert sorted(bodies(rig)) == sorted(short)  # what was in no pack goes first
    assert sum(request.params.get("text", "").count("good") > 1 for request in rig.api.requests) == 1
    assert len(rig.entries("new")) == 1


@pytest.mark.parametrize(
    ("fault", "doubt"),
    [(server.reset(), True), (server.gateway(400), False), (server.empty_400(), False), (server.gateway(403), False)],
    ids=["reset", "400", "empty 400", "403"],
)
def test_an_outage_risks_one_message_refuses_none_and_keeps_the_order(fault: Fault, doubt: bool, rig: Rig) -> None:
    """Whatever stands between here and Telegram."""
    good = [f"good {number}" for number in range(3)]
    receive(rig, *good)
    rig.api.always(lambda _: True, fault)
    for _ in range(2):
        run = poll(rig)
        assert run.returncode == 75
        assert "not Telegram's" in run.stderr or doubt
    tried = [request.params["text"] for request in rig.api.requests if sending(request)]
    assert len(tried) == (1 if doubt else 2)  # once, or once a run
    assert len({*tried}) == 1
    rig.api.relent()
    assert poll(rig).returncode == 0
    assert bodies(rig) == good
    assert ["possible repeat" in text for text in rig.texts()] == [doubt, False, False]
    assert rig.entries("failed") == []


def test_a_code_that_comes_does_not_wait_behind_what_fails(rig: Rig) -> None:
    """What failed twice is left alone for a while, by each run: a code that came then would wait for its time-out."""
    receive(rig, BAD)
    rig.api.always(bad, server.hang())
    for _ in range(2):
        assert poll(rig).returncode == 75
    [(name, (faults, at, wait))] = json.loads((rig.state / "suspects").read_text()).items()
    assert (faults, f"{name}.json") == (2, *rig.entries("new"))
    assert wait > 2
    (rig.state / "suspects").write_text(json.dumps({name: [faults, at, 3000]}))  # a machine may be slow
    before = len(rig.api.requests)
    receive(rig, "good: 482913 is your code", age=timedelta())
    assert poll(rig).returncode == 75
    [sent] = filter(sending, rig.api.requests[before:])
    assert "482913" in sent.params["text"]


class TestALoneMessage:
    @pytest.mark.parametrize(
        "words", ["need administrator rights in the channel chat", "SOMETHING_NEW", "message is too long"]
    )
    def test_a_chat_that_takes_nothing_is_no_fault_of_the_message(self, words: str, rig: Rig) -> None:
        receive(rig, "good")
        rig.api.always(sending, server.refusal(400, f"Bad Request: {words}"))
        for _ in range(2):
            run = poll(rig)
            assert run.returncode == 78
            assert words in run.stderr
            assert words in rig.status()["telegram"]
            assert len(rig.entries("new")) == 1
            assert rig.entries("failed") == []
        rig.api.relent()
        assert poll(rig).returncode == 0
        assert bodies(rig) == ["good"]

    def test_it_is_not_set_aside_before_its_owner_was_told(self, rig: Rig) -> None:
        """The alert's answer is lost: it may be there, so it comes again and says so."""
        receive(rig, BAD)
        rig.api.always(bad, REFUSAL)
        rig.api.always(lambda r: "refuses" in r.params.get("text", ""), server.lost_answer())
        assert poll(rig).returncode == 75
        assert len(rig.entries("new")) == 1
        rig.api.relent()
        rig.api.always(bad, REFUSAL)
        assert poll(rig).returncode == 0
        assert ["possible repeat" in text for text in rig.texts()] == [False, True]
        [failed] = rig.entries("failed")
        assert rig.entries("new") == []
        rig.api.relent()
        (rig.state / "failed" / failed).rename(rig.state / "new" / failed)
        assert poll(rig).returncode == 0
        assert bodies(rig)[-1] == BAD
