# SPDX-License-Identifier: GPL-2.0-or-later
"""Many that wait, as bin/poll sends them: what one message costs, in which order they go, and what is none of them."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import statistics
import time
from datetime import timedelta
from pathlib import Path

import pytest

import pdus
from homesim.sms import message
from homesim.store.entry import Entry
from homesim.store.spool import Spool
from patience import PATIENCE, WATCHED
from poll import steps
from rig import Rig, now


def fill(rig: Rig, count: int, *, first: int = 0) -> list[str]:
    """Old SMS that wait, written as put() would, but for the fsyncs; their texts."""
    spool = Spool(rig.state)
    texts = [f"<{number:05}> " + "x" * 20 for number in range(first, first + count)]
    for number, text in enumerate(texts, first):
        made = (pdus.deliver(text, "NEWS", time=pdus.TIME + timedelta(seconds=number)),)
        entry = {"pdus": made, "received": time.time()}
        (spool.root / "new" / f"{message.name(made)}.json").write_text(json.dumps(entry))
    return texts


def sent_texts(rig: Rig) -> list[str]:
    return re.findall(r"<\d{5}> x+", "\n".join(rig.texts()))


@pytest.mark.slow
class TestGrowth:
    MESSAGES = 9

    def cost(self, python: str, waiting: int, folder: Path) -> tuple[float, float]:
        """CPU nanoseconds and files opened below the spool, for one message of a few: the median of what each took."""
        with Rig(python) as rig:
            fill(rig, waiting)
            trace = folder / f"trace-{waiting}"
            seen: list[tuple[int, int]] = []

            def look(phase: str, _: object) -> None:
                if phase == "received" and len(seen) <= self.MESSAGES:
                    tasks = Path(f"/proc/{poll()}/task").glob("*/schedstat")
                    opened = sum("/state/" in line for line in trace.read_text().splitlines())
                    seen.append((sum(int(task.read_text().split()[0]) for task in tasks), opened))

            def poll() -> int:
                return int(Path(f"/proc/{strace.pid}/task/{strace.pid}/children").read_text())

            rig.api.on_request = look
            command = ("strace", "-f", "-o", str(trace), "-e", "trace=openat")
            strace = rig.start("--linger", f"{WATCHED:.0f}", command=command)
            try:
                rig.api.wait_for(lambda _: len(seen) > self.MESSAGES)
            finally:
                os.kill(poll(), signal.SIGKILL)
                strace.communicate()
            took = [(then[0] - before[0], then[1] - before[1]) for before, then in itertools.pairwise(seen)]
            return statistics.median(cpu for cpu, _ in took), statistics.median(opened for _, opened in took)

    @steps.needs_strace
    def test_a_message_costs_the_same_whether_few_wait_or_10000(self, python: str, tmp_path: Path) -> None:
        """What fits into so many messages is read and cleared, and no more."""
        cpu, opened = self.cost(python, 400, tmp_path)
        cpu_many, opened_many = self.cost(python, 10_000, tmp_path)
        print(f"{cpu:.0f} {opened:.0f}; with 10,000: {cpu_many:.0f} {opened_many:.0f}")
        assert opened_many < opened * 1.2
        assert cpu_many < cpu * 3  # a CPU second of a machine that others use varies by half; linear is 25

    def test_a_run_in_an_outage_lists_no_10000_names_each_time_it_looks(self, python: str, tmp_path: Path) -> None:
        with Rig(python) as rig:
            fill(rig, 2000)
            rig.api.down()
            trace = tmp_path / "trace"
            run = rig.start("--linger", "8", command=("strace", "-f", "-o", str(trace), "-e", "trace=getdents64"))
            run.communicate(timeout=PATIENCE)
            full = [line for line in trace.read_text().splitlines() if re.search(r"\) = \d{5,}$", line)]
            assert 0 < len(full) <= 50  # a listing of 2000 takes five; the run looks at its status some 20 times


class TestOrder:
    def test_sms_of_one_second_go_as_they_came(self, rig: Rig) -> None:
        moment = now() - timedelta(hours=1)
        texts = [f"number {number}" for number in range(12)]
        rig.api.down()
        for number, text in enumerate(texts):
            rig.stick.store("SM", number, pdus.deliver(text, "NEWS", time=moment))
        assert rig.poll().returncode == 75
        rig.api.up()
        assert rig.poll().returncode == 0
        assert re.findall(r"number \d+", rig.api.text()) == texts
        assert len(rig.texts()) == 1

    def test_they_are_shown_in_that_order(self, rig: Rig) -> None:
        moment = now() - timedelta(hours=1)
        for number in range(8):
            made = (pdus.deliver(f"number {number}", "NEWS", time=moment),)
            Spool(rig.state).put("new", Entry(message.name(made), made, received=time.time()))
        assert re.findall(r"number (\d)", rig.poll("--dry-run").stdout) == list("01234567")


class TestByHand:
    @pytest.mark.slow
    def test_what_is_put_back_by_hand_goes_while_many_wait(self, rig: Rig) -> None:
        """And what health puts there, which is another process too."""
        fill(rig, 400)
        [back] = fill(rig, 1, first=70000)
        name = max((rig.state / "new").iterdir())
        name.rename(rig.state / "failed" / name.name)
        rig.start("--linger", f"{WATCHED:.0f}")
        rig.api.wait_for(lambda api: len(api.sent) >= 2)
        code = (pdus.deliver("482913 is your code", "BANK", time=now()),)
        Spool(rig.state).put("new", Entry(message.name(code), code, received=time.time()))
        (rig.state / "failed" / name.name).rename(name)
        rig.api.wait_for(lambda api: "482913" in api.text())
        assert len(sent_texts(rig)) < 400
        rig.api.wait_for(lambda api: back in api.text())

    @pytest.mark.parametrize(
        "leftover", ["2026-a.json~", "2026-a.json.save", ".2026-a.json.swp", ".2026-a.json", "#2026-a.json#", "4913"]
    )
    @pytest.mark.parametrize("folder", ["new", "parts", "failed"])
    def test_what_an_editor_leaves_is_neither_counted_nor_touched(self, folder: str, leftover: str, rig: Rig) -> None:
        Spool(rig.state)
        file = rig.state / folder / leftover
        file.write_text("{}")
        os.utime(file, (1, 1))
        assert rig.poll().returncode == 0
        assert rig.status()["spool"] == {"new": 0, "parts": 0, "failed": 0}
        assert Spool(rig.state, read_only=True).waiting() == (0, 0)
        assert file.read_text() == "{}"
