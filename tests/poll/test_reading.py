# SPDX-License-Identifier: GPL-2.0-or-later
"""What is odd in the SMS of networks and strangers, as it looks in the chat: through bin/poll."""

from __future__ import annotations

import json
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import pdus
from homesim.sms import message, pdu
from rig import Rig

CORPUS: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "corpus/corpus.json").read_text())
# The cases of the corpus that show it, by the beginning of their names.
ODD = {
    "time stamps with digits that are none": ("digit-", "long-digit-times", "real-report-digits"),
    "languages without a table": ("language-6", "language-single-here", "language-locking-here", "real-language"),
    "pushes": ("mms-trailing-", "push-si-full", "push-si-parts", "push-si-broken", "push-sl", "push-text"),
    "cut off": ("cut-", "length-udl-", "udh-too-long-", "real-cut-submit"),
    "message waiting": ("mwi-udh-", "mwi-cphs-", "real-cphs"),
}


@pytest.mark.parametrize("names", ODD.values(), ids=ODD)
def test_what_is_odd_is_shown_as_far_as_it_goes(rig: Rig, names: tuple[str, ...]) -> None:
    """Each message with its sender, its time and its words; in one entry, and what cannot be read as it came."""
    cases = [case for case in CORPUS if case["name"].startswith(names) and all(map(_has_tpdu, case["pdus"]))]
    for number, text in enumerate(dict.fromkeys(text for case in cases for text in case["pdus"])):
        rig.stick.store("SM" if number % 3 else "ME", None, text)
    run = rig.poll()
    assert (run.returncode, run.stderr) == (0, "")
    assert rig.stick.stored() == {}
    assert rig.entries("new") == rig.entries("parts") == rig.entries("failed") == []
    shown = messages(rig)
    missing = [(case["name"], e) for case in cases for e in case["expect"] if not _shown(e, case["pdus"], shown)]
    assert missing == []
    assert not [text for text in shown if "fromhex" in text or "Error" in text or " index " in text]


def messages(rig: Rig) -> list[str]:
    """The chat a message at a time, also where several went out in one: each begins in bold."""
    found = []
    for sent in rig.api.sent:
        octets = sent.text.encode("utf-16-le")
        starts = [entity["offset"] * 2 for entity in sent.entities if entity["type"] == "bold"]
        found += [octets[start:end].decode("utf-16-le") for start, end in pairwise([*starts, len(octets)])]
    return found


def _has_tpdu(text: str) -> bool:
    """Else a slot that holds it was not read whole (tests/stick/test_slots.py)."""
    try:
        return bool(pdu.tpdu(text))
    except ValueError:
        return False


def _shown(expect: dict[str, Any], found: list[str], shown: list[str]) -> bool:
    words = [*expect.get("says", ()), expect.get("text", ""), expect.get("status", "")]
    words += [expect.get("mms", {}).get("sender", "")]
    if expect["kind"] == "undecodable" or (expect["kind"] == "push" and "says" not in expect):
        words += found
    stamp = f"{datetime.fromisoformat(expect['time']):%Y-%m-%d %H:%M:%S %Z}" if expect["time"] else "no valid time"
    first, words = f"{expect['sender'] or '(no sender)'}\n", [*words, f"\nhome · {stamp}"]
    return any(text.startswith(first) and all(word in text for word in words) for text in shown)


def test_a_stamp_that_is_read_now_and_was_not_before(rig: Rig) -> None:
    """Such an SMS had another name: one that is on the stick still is shown once more, never twice, and never lost."""
    alone = pdus.deliver("Hello", scts="6211222143A540")
    parts = [
        pdus.deliver(text, udh=[pdus.concat(7, 2, number)], scts=f"6211222143{number}5F0")
        for number, text in enumerate(("one ", "two"), 1)
    ]
    rig.poll()
    (rig.state / "seen" / before(alone)).touch()
    waits = {"pdus": parts[:1], "received": time.time()}
    (rig.state / "parts" / f"{before(parts[0])}.json").write_text(json.dumps(waits))
    for text in (alone, *parts):
        rig.stick.store("SM", None, text)
    for _ in range(2):
        assert rig.poll().returncode == 0
        rig.stick.store("SM", None, alone)
    assert sorted(text.split("\n")[1] for text in messages(rig)) == ["Hello", "one two"]
    assert rig.entries("new") == []


def before(pdu: str) -> str:
    """The name of an SMS without a valid time."""
    return f"00000000T000000Z-{message.name([pdu]).partition('-')[2]}"
