# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/poll as its user runs it: from the stick to Telegram."""

from __future__ import annotations

import pdus
import pytest
from rig import Rig, now


def test_an_sms_reaches_the_chat_and_leaves_the_stick(rig: Rig) -> None:
    rig.stick.deliver(pdus.deliver("Your code is 482913", "BANK", time=now()))
    run = rig.poll()
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    [sent] = rig.api.sent
    assert sent.text.startswith("BANK\nYour code is 482913\nhome · ")
    assert sent.reply_markup == {
        "inline_keyboard": [[{"text": "Copy 482913", "copy_text": {"text": "482913"}}]]
    }
    assert rig.stick.stored() == {}
    assert rig.entries("new") == []
