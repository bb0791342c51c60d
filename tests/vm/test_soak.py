# SPDX-License-Identifier: GPL-2.0-or-later
"""A day in an hour: cron real, SMS at random times, random faults, Telegram out for a while.

    SOAK_MINUTES=60 SOAK_SMS=200 SOAK_SEED=1 make soak-vm

Every SMS must be in the chat; what is repeated must say so. Health looks each minute instead of every five.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from emulators.botapi.server import gateway, lost_answer, too_many, truncated
from emulators.stick.stick import Registration
from vm.house import House
from vm.huawei import Cure

pytestmark = pytest.mark.soak

MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
COUNT = int(os.environ.get("SOAK_SMS", "200"))
SEED = int(os.environ.get("SOAK_SEED", "1"))


def replug(house: House) -> None:
    house.stick.unplug()
    house.stick.plug(port=random.randrange(3))


FAULTS: dict[str, Callable[[House], object]] = {
    "answers lost": lambda house: house.api.order(lost_answer(), truncated()),
    "frozen": lambda house: house.stick.modem.faults.freeze(Cure.AUTHORIZE),
    "replug": replug,
    "Telegram away": lambda house: house.api.down(),
    "Telegram back": lambda house: house.api.up(),
    "frozen until power": lambda house: house.stick.modem.faults.freeze(Cure.POWER),
    "no network": lambda house: house.stick.modem.faults.register(Registration.DENIED, Cure.RADIO),
    "limit and gateway": lambda house: house.api.order(too_many(2), gateway()),
}
"""In an hour each comes at least once, and the first ones twice."""


def test_a_day_in_an_hour(cared: House) -> None:
    chance = random.Random(SEED)
    random.seed(SEED)
    begin = time.monotonic()
    times = sorted(chance.uniform(0, MINUTES * 60) for _ in range(COUNT))
    faults = itertools.islice(itertools.cycle(FAULTS), max(2, int(MINUTES / 5)))
    plan = sorted([(at, "sms") for at in times] + [(chance.uniform(0, MINUTES * 60), fault) for fault in faults])
    marks = []
    for at, what in plan:
        time.sleep(max(0.0, begin + at - time.monotonic()))  # the day's own pace, not a wait for anything
        if what == "sms":
            marks.append(cared.sms("Some news"))
        else:
            print(f"{at / 60:5.1f} min: {what}")
            FAULTS[what](cared)
    cared.api.up()
    cared.arrives(*marks, timeout=1800)
    cared.settled()
    counted = Counter(cared.times(mark) for mark in marks)
    print(f"in the chat so often: {dict(counted)}; possible repeats: {cared.times('possible repeat')}")
    print(*cared.alerts(), f"health's steps: {dict(Counter(cared.steps()))}", sep="\n")
    unsaid = [sent.text for sent in cared.api.sent if "possible repeat" not in sent.text]
    assert all(sum(mark in text for text in unsaid) <= 1 for mark in marks)
