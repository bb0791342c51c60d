# SPDX-License-Identifier: GPL-2.0-or-later
"""Every case of the corpus: decoded and joined, and read from a stick through each libgammu unharmed."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from homesim.chat import render
from homesim.sms import message
from homesim.sms.concat import Part, gather
from homesim.sms.pdu import decode
from patience import PATIENCE
from rig import ROOT

EACH_LIBGAMMU = True
CORPUS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus.json").read_text())


def messages(found: list[str]) -> list[tuple[message.Message, list[str]]]:
    """What a person gets, once all waiting is over, of PDUs found on a stick; in SMSC-time order."""
    unique = {message.name([text]): text for text in found}
    single = [[text] for text in unique.values() if not _long(text)]
    parts = [Part(name, text, 0) for name, text in unique.items() if _long(text)]
    joined = [[part.pdu for part in group.parts] for group in gather(parts)]
    return [(message.read(texts), texts) for texts in sorted([*single, *joined], key=message.name)]


def _hex(text: str) -> bool:
    """Whether a modem can hold it: only octets."""
    return len(text) % 2 == 0 and set(text) <= set("0123456789abcdefABCDEF") and text != ""


def _long(text: str) -> bool:
    return decode(text).part.total > 1


@pytest.mark.parametrize("case", CORPUS, ids=[case["name"] for case in CORPUS])
def test_means_what_was_sent(case: dict[str, Any]) -> None:
    got = messages(case["pdus"])
    assert len(got) == len(case["expect"])
    left = list(got)
    for expect in case["expect"]:
        match = next((pair for pair in left if not _differences(expect, *pair)), None)
        assert match, "\n".join(str(_differences(expect, *pair)) for pair in left)
        left.remove(match)
    for read, _ in got:
        for draft in render.render(read, "home"):
            assert 0 < render.units(draft.text) <= render.LIMIT


def _differences(expect: dict[str, Any], got: message.Message, texts: list[str]) -> list[tuple[object, object]]:
    time = got.time.isoformat() if got.time else None
    pairs = [
        (expect["kind"], got.kind),
        (expect["sender"], got.sender),
        (expect["time"], time),
        (expect.get("flash", False), got.flash),
        (tuple(expect.get("missing", ())), got.missing),
    ]
    if got.kind in ("sms", "silent", "submit"):
        pairs.append((expect.get("text", ""), got.text))
    words = [expect.get("text", ""), expect.get("status", "")]
    if mms := expect.get("mms"):
        words += [mms.get("sender", ""), mms.get("subject", "")]
        words += [f"{max(1, round(mms['size'] / 1024))} KB"] if mms.get("size") else []
    words += expect.get("says", ())
    if got.kind == "undecodable" or (got.kind == "push" and "says" not in expect):
        words += texts
    pairs += [(word, got.text) for word in words if word not in got.text]
    return [pair for pair in pairs if pair[0] != pair[1]]


# What smspdudecoder 2.2 does not know, by the beginning of the cases' names.
UNKNOWN_TO_SMSPDUDECODER = (
    *("gsm7-unknown", "gsm7-escape", "gsm7-final-escape"),  # escapes without a character
    *("turkish", "spanish", "portuguese", "language-twice"),  # national language tables
    *("language-single-here", "language-locking-here"),
    *("ucs2-odd", "ucs2-one", "ucs2-lone", "ucs2-final-high", "ucs2-swapped-pair", "ucs2-high"),
    *("dcs-84", "dcs-88", "dcs-A8", "dcs-F9", "dcs-FB", "dcs-FD", "real-dcs-fb"),  # reserved DCS
    *("dcs-04", "dcs-07", "dcs-14", "dcs-15", "dcs-17", "dcs-44", "dcs-F4", "dcs-F5", "dcs-F6"),
    "8bit",  # it leaves 8-bit data as bytes
    *("name-7", "name-digits-space", "name-newline"),  # an '@' grows on 7 letters
    *("number-star", "number-abc", "number-international-none"),  # digits A to E, no digits
    *("time-", "digit-"),  # it raises at invalid stamps
    *("udh-element-cut", "long-element", "long-missing", "real-first-of-two"),
    *("mwi-", "mti-3"),
)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case["name"])
        for case in CORPUS
        if [message["kind"] for message in case["expect"]] == ["sms"]
        and len(case["pdus"]) == 1
        and not case["name"].startswith(UNKNOWN_TO_SMSPDUDECODER)
    ],
)
def test_smspdudecoder_reads_the_same(case: dict[str, Any]) -> None:
    try:
        from smspdudecoder import easy
    except ImportError as error:  # 2.2 with bitstring 5 is installed, and yet cannot be imported
        pytest.skip(str(error))
    (wanted,) = case["expect"]
    read = easy.read_incoming_sms(case["pdus"][0])
    assert (read["sender"], read["content"]) == (wanted["sender"], wanted["text"])
    assert wanted["time"] is not None
    assert read["date"] == datetime.fromisoformat(wanted["time"])


READER = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
import gammu
from homesim.config import Modem as Settings
from emulators.stick.pty_port import PtyPort
from emulators.stick.stick import Stick
from homesim.stick.serial import Serial

stick, out = Stick("E3372"), {}
path = Path(sys.argv[3])
with PtyPort(stick, path):
    driver = Serial(Settings("home", str(path), "dku2at", "at", None, None, "hangup", "admin", None, None), None)
    driver.open()
    for number, texts in json.load(sys.stdin):
        for place, text in enumerate(texts):
            stick.store("ME" if place % 3 == 2 else "SM", None, text)
        found = driver.slots(driver.memories())
        out[number] = sorted(stored.pdu for stored in found)
        if not all(driver.delete(stored) for stored in found) or stick.stored():
            out[number].append("not deleted")
    print(json.dumps(out), flush=True)
    import os
    os._exit(0)
"""


def test_is_read_and_deleted_through_libgammu(python: str, tmp_path: Path) -> None:
    """What libgammu makes of a message is nobody's business: its PDU comes out as it went in."""
    cases = [(case["name"], [text for text in case["pdus"] if _hex(text)]) for case in CORPUS]
    arguments = [python, "-c", READER, str(ROOT / "lib"), str(ROOT / "tests"), str(tmp_path / "sms")]
    done = subprocess.run(
        arguments, input=json.dumps(cases), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    got = json.loads(done.stdout)
    wrong = {name: got[name] for name, texts in cases if got[name] != sorted(text.upper() for text in texts)}
    assert wrong == {}
