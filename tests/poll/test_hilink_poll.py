# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/poll on a HiLink stick: as on any other, nothing is lost, and nothing is there twice without a word."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

import pdus
from clinic import Clinic
from emulators.botapi.server import reset
from emulators.hilink.stick import FIRMWARES, hang
from page_rig import PageRig
from patience import PATIENCE, WATCHED, look_until
from poll import steps
from rig import now

PASSWORD = "s3cret&Word"
WORKERS = 4  # rigs at once: a run mostly waits
DUE = datetime(2026, 11, 20, 9, 30, 15)
CHANGING = ("sms/delete-sms", "user/login", "user/challenge_login", "user/authentication_login", "user/logout")


@pytest.fixture
def rig(python: str) -> Iterator[PageRig]:
    with PageRig(python) as rig:
        yield rig


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "password"])
@pytest.mark.parametrize("name", FIRMWARES)
def test_every_stick_is_read_and_emptied(python: str, name: str, password: str | None) -> None:
    if password and FIRMWARES[name].login.name == "NONE":
        pytest.skip("such a stick was not seen with a password")
    with PageRig(python, name, password) as rig:
        for number in range(3):
            rig.hilink.deliver(f"Hello {number} <&>", f"+4915112345{number}")
        rig.hilink.deliver("Your code is 482913", "BANK", DUE)
        run = rig.poll()
        assert (run.returncode, run.stderr) == (0, "")
        assert rig.hilink.stored() == []
        chat = rig.api.text()
        assert [text for text in ("Hello 0 <&>", "Hello 1 <&>", "Hello 2 <&>", "482913") if text not in chat] == []
        assert "home · 2026-11-20 09:30:15" in chat
        assert any("482913" in str(sent.reply_markup) for sent in rig.api.sent)
        assert not rig.hilink.modem.sessions.logged_in
        assert rig.poll().returncode == 0
        assert rig.api.text() == chat


def test_one_that_comes_is_forwarded_while_a_run_watches(rig: PageRig) -> None:
    with lingering(rig):
        rig.hilink.deliver("Your code is 482913", "BANK")
        rig.api.wait_for(lambda api: "482913" in api.text())
        rig.hilink.wait_for(lambda stick: not stick.stored())


@contextlib.contextmanager
def lingering(rig: PageRig) -> Iterator[None]:
    """As Rig.lingering, for a run that lists by the page."""
    before = len(rig.hilink.requests)
    process = rig.start("--linger", f"{WATCHED:.0f}")
    rig.hilink.wait_for(lambda stick: "sms/sms-list" in stick.requests[before:])
    yield
    process.kill()
    process.wait()


def test_a_long_sms_is_one_message_and_its_parts_are_left_alone(python: str) -> None:
    """It is not touched before the stick has joined it, and then for as long as it takes; a code goes before it."""
    with PageRig(python) as rig, lingering(rig):
        for number in (2, 1):
            rig.hilink.deliver_part("a", number, 2, f"part {number}. ", "LONG")
        rig.hilink.deliver("Your code is 482913", "BANK")
        rig.api.wait_for(lambda api: "482913" in api.text())
        assert "part" not in rig.api.text()
        rig.api.wait_for(lambda api: "part 1. part 2." in api.text())
        rig.hilink.wait_for(lambda stick: not stick.stored())
        assert len(rig.api.sent) == 2


def test_the_same_twice_at_once_is_two_and_again_is_one(rig: PageRig) -> None:
    for _ in range(2):
        rig.hilink.deliver("The pump is broken", "ALARM", DUE)
    assert rig.poll().returncode == 0
    assert rig.api.text().count("The pump is broken") == 2
    assert rig.hilink.stored() == []


def test_from_port_to_page_and_back_repeats_and_loses_nothing(rig: PageRig) -> None:
    rig.api.order(reset(), times=99)
    rig.hilink.deliver("by its page")
    assert rig.poll().returncode == 75
    Clinic.configure(rig)
    rig.stick.store("SM", None, pdus.deliver("by its port", time=now()))
    assert rig.poll().returncode == 75
    rig.configure()
    rig.api.faults.clear()
    for _ in range(3):
        assert rig.poll().returncode == 0
    assert [rig.api.text().count(text) for text in ("by its page", "by its port")] == [1, 1]


def test_a_page_that_vanishes_ends_the_run_and_the_next_goes_on(rig: PageRig) -> None:
    rig.hilink.deliver("kept")
    rig.hilink.down()
    run = rig.poll()
    assert (run.returncode, run.stderr) == (75, f"homesim-poll: {rig.hilink.url}: its page does not answer\n")
    rig.hilink.up()
    assert rig.poll().returncode == 0
    assert "kept" in rig.api.text()


@pytest.mark.slow
def test_a_page_that_hangs_ends_the_run(rig: PageRig) -> None:
    rig.hilink.order(hang(), "sms/sms-list")
    rig.hilink.deliver("kept")
    assert rig.poll().returncode == 75
    assert rig.poll().returncode == 0
    assert "kept" in rig.api.text()


def test_a_dry_run_changes_nothing(rig: PageRig) -> None:
    rig.hilink.deliver("Your code is 482913", "BANK")
    run = rig.poll("--dry-run")
    assert run.returncode == 0
    assert "482913" in run.stdout
    assert len(rig.hilink.stored()) == 1
    assert rig.api.sent == []
    assert not any(path in CHANGING for path in rig.hilink.requests)


def test_a_dry_run_logs_in_nowhere(python: str) -> None:
    with PageRig(python, password=PASSWORD) as rig:
        run = rig.poll("--dry-run")
        assert (run.returncode, "wants a login" in run.stderr) == (75, True)
        assert rig.hilink.modem.sessions.logins == 0


def test_no_secret_is_told(python: str) -> None:
    with PageRig(python, password="s3cret&Word") as rig:
        rig.hilink.deliver("Your code is 482913", "BANK")
        process = rig.start("--linger", "0", "--verbose")
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert [secret for secret in ("s3cret", "482913", "SessionID") if secret in err] == []
        assert [path for path in rig.run_folder.iterdir() if path.stat().st_size and path.stat().st_mode & 0o077] == []


@pytest.mark.slow
def test_an_idle_run_asks_for_the_count_alone(rig: PageRig) -> None:
    """Each second; a list at the start and each minute."""
    with lingering(rig):
        look_until(lambda: rig.hilink.requests.count("sms/sms-count") > 20)
    lists, counts = (rig.hilink.requests.count(f"sms/sms-{what}") for what in ("list", "count"))
    assert lists <= 3
    assert counts > 20
    assert len(rig.hilink.requests) < counts + 3 * lists + 15


# --- killed at each step --------------------------------------------------------------------------


def texts(rig: PageRig) -> list[str]:
    """What lies ready: two that are the same, and a code."""
    rig.hilink.deliver("The pump is broken", "ALARM", DUE)
    rig.hilink.deliver("The pump is broken", "ALARM", DUE)
    rig.hilink.deliver("Your code is 482913", "BANK")
    return ["The pump is broken", "The pump is broken", "Your code is 482913"]


def problems(rig: PageRig, wanted: list[str]) -> list[str]:
    """After the next run."""
    rig.api.quiet()  # what was in flight may land after the kill
    flying = "".join(sent.text for sent in rig.api.sent[-1:])
    run = rig.poll()
    found = [f"exit {run.returncode}: {run.stderr}"] if run.returncode else []
    blocks = [block for sent in rig.texts() for block in sent.split("\n\n")]
    for text in set(wanted):
        having = [block for block in blocks if text in block]
        said = [block for block in having if "possible repeat" in block]
        if not wanted.count(text) <= len(having) <= wanted.count(text) + len(said):
            found.append(f"{text!r} is there {len(having)} times, {len(said)} said to be repeats")
        if len(having) > wanted.count(text) and (len(said) > 1 or text not in flying):
            found.append(f"{text!r} is repeated and was not in flight")
    if left := rig.hilink.stored():
        found.append(f"left on the stick: {left}")
    if rig.hilink.modem.sessions.logged_in:
        found.append("somebody is still logged in")
    return [*found, *(f"left in {folder}/" for folder in ("new", "parts", "failed") if rig.entries(folder))]


def killed_in_request(python: str, nth: int, phase: str, password: str | None) -> list[str]:
    """What is wrong after a kill at this phase of the nth request to the page."""
    with PageRig(python, "E8372h-320" if password else "E3372h-320", password) as rig:
        wanted = texts(rig)
        count = 0
        process = None

        def on(now: str, _path: str) -> None:
            nonlocal count
            count += now == "received"
            if count == nth and now == phase:
                look_until(lambda: process is not None)
                assert process
                process.kill()
                process.wait()

        rig.hilink.on_request = on
        process = rig.start("--linger", "0")
        process.communicate(timeout=PATIENCE)
        rig.hilink.on_request = None
        return [f"request {nth} {phase}: {wrong}" for wrong in problems(rig, wanted)]


@pytest.mark.slow
@pytest.mark.parametrize("password", [None, PASSWORD], ids=["open", "password"])
def test_killed_at_each_request_and_run_again(python: str, password: str | None) -> None:
    with PageRig(python, "E8372h-320" if password else "E3372h-320", password) as rig:
        texts(rig)
        assert rig.poll().returncode == 0
        count = len(rig.hilink.requests)
    assert count > 12
    at = [(nth, phase) for nth in range(1, count + 1) for phase in ("received", "done")]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = pool.map(lambda where: killed_in_request(python, where[0], where[1], password), at)
    assert [wrong for one in found for wrong in one] == []


@pytest.mark.slow
@steps.needs_strace
def test_killed_at_each_file_step_and_run_again(python: str) -> None:
    with PageRig(python) as rig:
        texts(rig)
        recorded = [step for step in steps.record(rig).steps if isinstance(step, steps.FileStep)]
    wanted = [step for step in recorded if re.match("state/", step.path) and "/tmp/" not in step.path]
    assert len(wanted) > 5

    def killed(step: steps.FileStep) -> list[str]:
        with PageRig(python) as rig:
            lying = texts(rig)
            steps.kill(rig, step)
            return [f"{step}: {wrong}" for wrong in problems(rig, lying)]

    with ThreadPoolExecutor(WORKERS) as pool:
        assert [wrong for one in pool.map(killed, wanted) for wrong in one] == []
