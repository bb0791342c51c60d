# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/setup as its user runs it: at a terminal, and with options and no terminal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pdus
from emulators.botapi import faults as api_faults
from emulators.botapi.server import BotApi, Chat
from emulators.stick.stick import Registration, Sim, Stick, Trouble
from emulators.sysfs.tree import HILINK, SERIAL, STORAGE, SysfsTree
from homesim import config
from homesim.chat.telegram import Bot
from homesim.chat.updates import Updates
from homesim.errors import ConfigError, TryAgain
from homesim.setup import arrival, link, ports
from homesim.setup.configfile import Draft
from homesim.stick.usb import Bus
from patience import PATIENCE
from rig import BIN, ROOT, Rig, now
from terminal import Terminal

EXAMPLE = (ROOT / "config.toml.example").read_text()
WRONG = "123456789:AAwrongwrongwrongwrongwrongwrongwr"
OTHER = -1001234567890


@pytest.fixture
def fresh(rig: Rig) -> Rig:
    """As make install leaves it: the example, here with its own folders and server."""
    return unlinked(rig)


def unlinked(rig: Rig) -> Rig:
    text = EXAMPLE.replace('# api_url = "https://api.telegram.org"', f'api_url = "{rig.api.url}"')
    for key in ("state", "run", "sysfs"):
        text = re.sub(rf'# {key} = ".*"', f'{key} = "{rig.folder}/{key}"', text)
    rig.config.write_text(text)
    rig.api.chats.clear()
    return rig


def command(rig: Rig, *arguments: str) -> list[str]:
    return [rig.python, "-B", str(BIN / "setup"), "--config", str(rig.config), *arguments]


def at_terminal(rig: Rig, *arguments: str, **environment: str) -> Terminal:
    return Terminal(command(rig, *arguments), environment)


def without_terminal(rig: Rig, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(rig, *arguments), input=typed, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def device(rig: Rig) -> str:
    return str(rig.folder / "sms")


def code(terminal: Terminal, kind: str = "start") -> str:
    """The code of the link for a kind of chat."""
    found = terminal.expect(rf"\?{kind}=(\S+)\s")[1]
    terminal.expect("Waiting")
    return found


@contextlib.contextmanager
def left_alone(rig: Rig) -> Iterator[None]:
    """The old configuration is the very same file afterwards, and nothing lies beside it."""
    before = (rig.config.read_bytes(), rig.config.stat().st_ino, rig.config.stat().st_mode)
    yield
    assert (rig.config.read_bytes(), rig.config.stat().st_ino, rig.config.stat().st_mode) == before
    assert list(rig.folder.glob(".config*")) == []


class TestAtTheTerminal:
    def test_from_a_fresh_install_to_a_real_sms(self, python: str) -> None:
        with Rig(python, pin="1234") as rig, at_terminal(unlinked(rig), "--device", device(rig)) as terminal:
            terminal.answer("PIN:", "12")
            terminal.answer("4 to 8 digits.*\n.*PIN:", "1234")
            terminal.expect(r"SIM open, Test Network, registered at home, signal good \(65 %\), 0 SMS on it")
            terminal.answer("BotFather[^$]*The token:", "nonsense")
            terminal.answer("telegram.token: expected.*\n.*The token:", WRONG)
            terminal.answer("does not know the token.*\n.*The token:", rig.api.token)
            terminal.expect("The bot is @homesim_test_bot")
            rig.api.user_says(5550001, f"/start {code(terminal)}", name="An\x1b[2Jna\u202e\r\nThat is you.")
            terminal.answer(r"opened by An \[2Jna   That is you\., in a private chat\.\s+Is that you\?", "y")
            terminal.answer("is written.\\s*Wait for a real SMS\\?", "")
            cron(rig, terminal)
            rig.stick.deliver(pdus.deliver("Your code is 482913", "BANK"))
            terminal.expect("It is in the chat[^$]*From now on")
            assert terminal.end() == 0
            assert [text.split("\n")[0] for text in rig.texts()][1:] == ["BANK"]
            settings = config.load(rig.config)
            assert (settings.telegram.token, settings.telegram.chat_id) == (rig.api.token, 5550001)
            assert (settings.modems["home"].pin, settings.modems["home"].device) == ("1234", device(rig))
            assert rig.config.stat().st_mode & 0o777 == 0o600
            hidden = ("1234\r", rig.api.token, WRONG, "\x1b", "\u202e")  # the last two a terminal would obey
            assert [word for word in hidden if word in terminal.text] == []

    @pytest.mark.slow
    def test_only_an_sms_that_comes_now_is_taken_for_the_real_one(self, rig: Rig) -> None:
        """Not what was on the stick, nor a call, nor what a run does that began before the file was written."""
        rig.stick.store("SM", None, pdus.deliver("an old one", time=now()))
        with at_terminal(rig, "--chat-id", "5550001") as terminal:
            terminal.expect("Keep it")
            before = rig.start("--linger", "600")
            rig.api.wait_for(lambda api: "an old one" in api.text())
            terminal.type("")
            terminal.answer("real SMS", "")
            rig.stick.store("SM", None, pdus.deliver("another old one", time=now()))
            rig.api.wait_for(lambda api: "another old one" in api.text())
            assert "Send an SMS" not in terminal.text
            before.kill()
            cron(rig, terminal)
            rig.stick.call("+4930123456")
            rig.api.wait_for(lambda api: "+4930123456" in api.text())
            assert "It is in the chat." not in terminal.text
            rig.stick.deliver(pdus.deliver("the real one", time=now()))
            terminal.expect("It is in the chat.")
            assert "the real one" in rig.api.text()
            assert terminal.end() == 0

    def test_again_it_keeps_what_is_not_changed(self, rig: Rig) -> None:
        rig.configure(poll="linger = 7   # mine\n# my own words", telegram="topic_id = 9")
        before = rig.config.read_text()
        rig.api.chats[OTHER] = Chat(OTHER, "supergroup", "Family", topics=frozenset({7, 9}))
        with at_terminal(rig, "--wait", "0") as terminal:
            terminal.answer("Keep it", "")
            terminal.answer("go to the chat 5550001. Keep it", "n")
            rig.api.user_says(OTHER, f"/start@homesim_test_bot {code(terminal, 'startgroup')}", topic_id=7)
            terminal.answer(r'Anna, in the supergroup "Family"\.\s+Is that you', "y")
            assert terminal.end() == 0
        assert rig.config.read_text() == before.replace("5550001", str(OTHER)).replace("topic_id = 9", "topic_id = 7")
        assert (rig.api.sent[-1].chat_id, rig.api.sent[-1].topic_id) == (OTHER, 7)

    def test_only_the_exact_code_from_the_right_kind_of_chat_counts(self, rig: Rig) -> None:
        with at_terminal(rig, "--wait", "0") as terminal:
            terminal.answer("Keep it", "")
            rig.api.user_says(666, "/start before-the-link-was-shown")
            terminal.answer("Keep it", "n")
            right = code(terminal)
            [group] = re.findall(r"startgroup=(\S+)", terminal.text)
            wrong = [right[:-1], right + "x", right.swapcase(), "", f"{right} {right}", f"é{right}", group]
            for number, text in enumerate(wrong):
                rig.api.user_says(7000 + number, f"/start {text}")
            rig.api.user_says(7100, right)
            rig.api.user_says(OTHER, f"/start@homesim_test_bot {right}", name="Mallory")
            rig.api.user_says(OTHER, f"/startled {group}", name="Mallory")
            rig.api.user_says(5550001, f"/start {right}")
            assert terminal.expect("It was opened by (.*)\r")[1] == "Anna, in a private chat."
            terminal.answer("Is that you", "y")
            assert terminal.end() == 0
        assert config.load(rig.config).telegram.chat_id == 5550001

    def test_somebody_else_is_refused_and_the_link_is_dead(self, rig: Rig) -> None:
        with left_alone(rig), at_terminal(rig) as terminal:
            terminal.answer("Keep it", "")
            terminal.answer("Keep it", "n")
            rig.api.user_says(666, f"/start {code(terminal)}", name="Mallory")
            terminal.answer(r"opened by Mallory.*\s+Is that you", "")  # Enter is no
            assert terminal.end() == 78
        assert rig.api.sent == []

    @pytest.mark.slow
    def test_a_hiccup_does_not_kill_the_link(self, rig: Rig) -> None:
        with at_terminal(rig, "--wait", "0", PYTHONIOENCODING="ascii") as terminal:  # nor what it cannot show
            terminal.answer("Keep it", "")
            rig.api.order(api_faults.honest(), api_faults.gateway(502))
            terminal.answer("Keep it", "n")
            shown = code(terminal)
            rig.api.wait_for(lambda api: not api.faults)
            rig.api.user_says(5550001, f"/start {shown}", name="Анна")
            terminal.answer(r"by \?\?\?\?, in a private chat\.\s+Is that you", "y")
            assert terminal.end() == 0

    def test_another_reader_of_the_bot_is_named(self, rig: Rig) -> None:
        with left_alone(rig), at_terminal(rig) as terminal:
            terminal.answer("Keep it", "")
            rig.api.order(api_faults.honest(), api_faults.refusal(409, "Conflict: another getUpdates"))
            terminal.answer("Keep it", "n")
            terminal.expect("HTTP 409 .*another program reads this bot's messages")
            assert terminal.end() == 78

    @pytest.mark.parametrize(
        "prompt", ["token:", *(pytest.param(p, marks=pytest.mark.slow) for p in ("PIN:", "Waiting", "Is that you"))]
    )
    def test_ctrl_c_leaves_file_and_terminal_as_they_were(self, python: str, prompt: str) -> None:
        with Rig(python, pin="1234") as rig:
            options = ["--device", device(rig)]
            if prompt != "PIN:":
                options += ["--pin-file", secret(rig, "1234")]
            with left_alone(unlinked(rig)), at_terminal(rig, *options) as terminal:
                if prompt == "Is that you":
                    terminal.answer("token:", rig.api.token)
                    rig.api.user_says(5550001, f"/start {code(terminal)}")
                elif prompt == "Waiting":
                    terminal.answer("token:", rig.api.token)
                terminal.expect(prompt)
                assert terminal.interrupt() == 130
                terminal.expect("Stopped. .* is as it was.")
                assert terminal.echoes()

    @pytest.mark.slow
    def test_ctrl_c_while_it_waits_for_an_sms_says_that_the_file_is_written(self, rig: Rig) -> None:
        with at_terminal(rig, "--wait", "60", "--chat-id", "5550001") as terminal:
            terminal.answer("Keep it", "")
            terminal.expect("First what is on the stick")
            assert terminal.interrupt() == 130
            terminal.expect("Stopped. .* is written.")

    @pytest.mark.slow
    def test_it_waits_for_a_run_that_is_under_way(self, rig: Rig) -> None:
        with rig.lingering() as run, at_terminal(rig, "--wait", "0", "--chat-id", "5550001") as terminal:
            terminal.expect("another run is at work; waiting")
            run.kill()
            terminal.answer("SIM open[^$]*Keep it", "")
            assert terminal.end() == 0

    def test_several_sticks_are_asked_for(self, rig: Rig) -> None:
        rig.config.write_text(rig.config.read_text() + '[modem.cabin]\ndevice = "/dev/none"\n')
        with at_terminal(rig, "--wait", "0") as terminal:
            terminal.answer("1  home\\s+2  cabin\\s+Which stick", "3")
            terminal.answer("Which stick", "1")
            terminal.answer("Keep it", "")
            terminal.answer("Keep it", "")
            assert terminal.end() == 0


def cron(rig: Rig, terminal: Terminal) -> None:
    """Its next run of homesim-poll, which setup waits for."""
    terminal.expect("First what is on the stick")
    rig.start("--linger", "600")
    terminal.expect("Send an SMS")


@pytest.mark.parametrize(
    ("before", "exit_code", "words"),
    [
        (True, 0, "cron: has not run homesim-poll for two minutes; run it by hand: sudo homesim-poll"),
        (False, 75, "homesim-poll: {device}: "),
        (False, 0, "the SMS: none has come within 0 s"),
    ],
)
def test_when_no_sms_comes_it_says_why(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, before: bool, exit_code: int, words: str
) -> None:
    """cron has not run poll since the file was written; poll cannot reach the stick; none came."""
    assert arrival.CRON == 120
    monkeypatch.setattr(arrival, "CRON", 0.5)
    since = time.time()
    if exit_code:
        rig.port.unplug()
    assert rig.poll().returncode == exit_code
    with pytest.raises(TryAgain) as caught:
        arrival.wait(config.load(rig.config), "home", time.time() if before else since, 0.5, lambda _: None)
    assert str(caught.value).startswith(words.format(device=device(rig)))


def secret(rig: Rig, text: str) -> str:
    """A file that holds it."""
    file = rig.folder / "secret"
    file.write_text(f"{text}\n")
    return str(file)


class TestWithOptions:
    def test_a_fresh_install_without_questions(self, python: str) -> None:
        with Rig(python, pin="1234") as rig:
            unlinked(rig).api.chats[5550001] = Chat(5550001)
            run = without_terminal(
                rig, "--modem", "cabin", "--device", device(rig), "--pin-file", secret(rig, "1234"),
                "--token-file", "-", "--chat-id", "5550001", typed=f"{rig.api.token}\n",
            )  # fmt: skip
            assert (run.returncode, run.stderr) == (0, "")
            assert list(config.load(rig.config).modems) == ["cabin"]
            assert "in “cabin”" in rig.api.text()
            rig.stick.deliver(pdus.deliver("Your code is 482913", "BANK"))
            assert rig.poll().returncode == 0
            assert "482913" in rig.texts()[1]
            assert rig.api.token not in run.stdout

    def test_it_remembers_the_stick_whose_port_answered(self, rig: Rig) -> None:
        """Health's first check may find it without one, and the network may come later."""
        rig.stick.faults.register(Registration.DENIED)
        with SysfsTree(rig.folder / "sys") as tree:
            tree.plug(rig.stick, rig.port)
            rig.configure(more=f'sysfs = "{tree.folder}"\n')
            run = without_terminal(rig, "--chat-id", str(rig.api.chat_id))
            assert (run.returncode, "SIM open, refused by the network" in run.stdout) == (0, True)
            assert tree.writes == []
        kept = json.loads((rig.state / "stick").read_text())
        assert (kept["place"], kept["ids"]) == ("1-1.2", "12d1:155e")

    def test_what_it_asks_for_may_be_missing(self, rig: Rig) -> None:
        rig.config.write_text(re.sub("(token|chat_id) = .*", "", rig.config.read_text()))
        options = ["--device", device(rig), "--token-file", secret(rig, rig.api.token), "--chat-id", "5550001"]
        assert without_terminal(rig, *options).returncode == 0
        assert rig.config.read_text().count("token = ") == 1

    def test_another_stick_is_added(self, rig: Rig) -> None:
        before = rig.config.read_text()
        run = without_terminal(rig, "--modem", "cabin", "--device", device(rig))
        assert run.returncode == 78  # home's port
        other = rig.folder / "other"
        other.symlink_to(os.readlink(device(rig)))
        run = without_terminal(rig, "--modem", "cabin", "--device", str(other))
        assert (run.returncode, run.stderr) == (0, "")
        assert rig.config.read_text() == f'{before}\n[modem.cabin]\ndevice = "{other}"\n'

    def test_a_stick_with_its_own_chat_changes_that_one(self, rig: Rig) -> None:
        rig.configure(modem="chat_id = 77")
        rig.api.chats[78] = Chat(78)
        assert without_terminal(rig, "--chat-id", "78").returncode == 0
        settings = config.load(rig.config)
        assert (settings.telegram.chat_id, settings.modems["home"].chat_id) == (5550001, 78)
        assert [sent.chat_id for sent in rig.api.sent] == [78]
        assert without_terminal(rig, "--chat-id", "78", "--topic-id", "3").returncode == 78

    @pytest.mark.slow
    def test_a_token_file_makes_room_for_a_token(self, rig: Rig) -> None:
        rig.configure(telegram='token_file = "token"')
        rig.config.write_text(re.sub("token = .*\n", "", rig.config.read_text()))
        (rig.folder / "token").write_text(WRONG)
        (rig.folder / "token").chmod(0o600)
        assert without_terminal(rig).returncode == 78
        assert without_terminal(rig, "--token-file", secret(rig, rig.api.token)).returncode == 0
        assert "# token_file" in rig.config.read_text()
        assert config.load(rig.config).telegram.token == rig.api.token

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ((), "--token-file"),
            (("--token-file", "SECRET"), "--chat-id"),
            (("--token-file", "/none/such"), "--token-file: /none/such: No such file"),
            (("--topic-id", "3"), "needs --chat-id"),
        ],
    )
    def test_what_is_missing_is_named(self, fresh: Rig, arguments: tuple[str, ...], named: str) -> None:
        given = [secret(fresh, fresh.api.token) if a == "SECRET" else a for a in arguments]
        with left_alone(fresh):
            run = without_terminal(fresh, "--device", device(fresh), *given)
        assert run.returncode == 2
        assert named in run.stderr

    def test_only_one_at_a_time(self, rig: Rig) -> None:
        with at_terminal(rig) as terminal:
            terminal.expect("Keep it")
            run = without_terminal(rig)
            assert (run.returncode, "another one is at work" in run.stderr) == (75, True)


REFUSALS: dict[str, tuple[Callable[[Rig], object], tuple[str, ...], int, str]] = {
    "a wrong token": (lambda rig: secret(rig, WRONG), ("--token-file", "SECRET"), 78, "does not know the token"),
    "no token": (lambda rig: secret(rig, "hello"), ("--token-file", "SECRET"), 78, "expected what BotFather gave"),
    "a revoked token": (lambda rig: setattr(rig.api, "revoked", True), (), 78, "does not know the token"),
    "an unknown chat": (lambda _: None, ("--chat-id", "666"), 78, "chat not found"),
    "a chat that blocks": (
        lambda rig: rig.api.chats.update({5550001: Chat(5550001, trouble="blocked")}), (), 78, "press Start"
    ),
    "an unknown topic": (
        lambda rig: rig.api.chats.update({OTHER: Chat(OTHER, "supergroup", topics=frozenset({4}))}),
        ("--chat-id", str(OTHER), "--topic-id", "3"), 78, "message thread not found",
    ),
    "a login page": (lambda rig: rig.api.order(api_faults.redirect()), (), 75, "is there a login page"),
    "no network": (lambda rig: rig.api.down(), (), 75, "is the network up?"),
    "no stick": (lambda rig: rig.port.unplug(), ("--device", "/none/such"), 75, "no such device"),
    "no SIM": (lambda rig: rig.stick.faults.sim(Sim.ABSENT), (), 75, "no SIM in the stick"),
    "a silent stick": (lambda rig: rig.stick.faults.freeze(), (), 75, "no answer to AT"),
}  # fmt: skip


QUICK = ("a wrong token", "an unknown chat", "a login page", "no SIM")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in REFUSALS]
)
def test_what_is_not_right_is_refused_and_the_old_configuration_stays(rig: Rig, name: str) -> None:
    break_it, arguments, exit_code, words = REFUSALS[name]
    break_it(rig)
    arguments = tuple(str(rig.folder / "secret") if a == "SECRET" else a for a in arguments)
    with left_alone(rig):
        run = without_terminal(rig, *arguments)
    assert (run.returncode, words in run.stderr) == (exit_code, True), run.stderr
    assert run.stderr.startswith("homesim-setup: ")
    assert len(run.stderr.splitlines()) == 1
    assert [token for token in (rig.api.token, WRONG) if token in run.stdout + run.stderr] == []


class TestThePin:
    def test_a_wrong_one_is_tried_once_and_never_by_another_run(self, python: str) -> None:
        """The file's PIN is refused, then the person's: cron must not try the file's again, it is the third."""
        with Rig(python, pin="1234") as rig:
            rig.configure(modem='pin = "1111"')
            assert rig.poll().returncode == 78
            with left_alone(rig):
                run = without_terminal(rig, "--pin-file", secret(rig, "2222"))
            assert (run.returncode, "the SIM refuses its PIN" in run.stderr) == (78, True)
            for _ in range(2):
                assert rig.poll().returncode == 78
                assert without_terminal(rig, "--pin-file", secret(rig, "2222")).returncode == 78
            assert rig.stick.pin_tries_left == 1
            assert without_terminal(rig, "--pin-file", secret(rig, "1234")).returncode == 0
            assert rig.stick.pin_tries_left == 3
            assert not (rig.state / "pin-tried").exists()

    def test_one_that_was_refused_is_asked_for_again(self, python: str) -> None:
        with Rig(python, pin="1234") as rig:
            rig.configure(modem='pin = "1111"')
            assert rig.poll().returncode == 78
            with at_terminal(rig, "--wait", "0", "--chat-id", "5550001") as terminal:
                terminal.answer("PIN:", "1234")
                terminal.answer("Keep it", "")
                assert terminal.end() == 0
            assert config.load(rig.config).modems["home"].pin == "1234"
            assert "1111" not in rig.config.read_text()
            assert rig.stick.pin_tries_left == 3

    def test_it_is_needed_and_there_is_none(self, python: str) -> None:
        with Rig(python, pin="1234") as rig, left_alone(rig):
            run = without_terminal(rig)
            assert (run.returncode, "--pin-file" in run.stderr) == (2, True)
            assert rig.stick.pin_tries_left == 3


def test_without_rights_it_says_so(rig: Rig) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("not root, or no setpriv(1)")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    rig.folder.chmod(0o755)
    with left_alone(rig):
        run = subprocess.run([*nobody, *command(rig)], capture_output=True, text=True, check=False)
    if "Permission denied" in run.stderr:
        pytest.skip("nobody cannot reach this checkout")
    assert (run.returncode, "run it as root" in run.stderr) == (78, True), run.stderr


def minimal(folder: Path) -> str:
    text = '[telegram]\ntoken = "123456789:AAyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"\nchat_id = 5\n'
    text += '[modem.home]\ndevice = "/dev/sms"\n'
    (folder / "config.toml").write_text(text)
    (folder / "config.toml").chmod(0o600)
    return text


class TestTheFile:
    """What lines can change, and what they cannot."""

    def draft(self, folder: Path, text: str) -> Draft:
        (folder / "config.toml").write_bytes(text.encode())
        return Draft(folder / "config.toml")

    def saved(self, draft: Draft) -> str:
        draft.save()
        return draft.path.read_bytes().decode()

    def test_the_example_keeps_its_comments(self, tmp_path: Path) -> None:
        draft = self.draft(tmp_path, EXAMPLE)
        assert draft.fresh
        draft.change("telegram", topic_id=12)
        assert self.saved(draft) == EXAMPLE.replace("# topic_id = 7 ", "topic_id = 12 ")
        draft.change("telegram", topic_id=None)
        draft.change("modem.home", device="/dev/sms-1-1.2", pin="4321", chat_id=-100)
        expected = EXAMPLE.replace("# topic_id = 7 ", "# topic_id = 12 ").replace('"/dev/sms"', '"/dev/sms-1-1.2"')
        expected = expected.replace('# pin = "1234"', 'pin = "4321"')
        expected = expected.replace("# chat_id = -1001234567890", "chat_id = -100")
        assert self.saved(draft) == expected

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("chat_id = 5\n", "chat_id = 6\n"),
            ("chat_id=5# mine\n", "chat_id = 6# mine\n"),
            ("  chat_id\t=   5   # mine = 5\n", "chat_id = 6   # mine = 5\n"),
            ("# chat_id = 1\nchat_id = 5\n# chat_id = 2\n", "# chat_id = 1\nchat_id = 6\n# chat_id = 2\n"),
            ("chat_id = 5\r\n", "chat_id = 6\r\n"),
            ("chat_id = 0x5\n", "chat_id = 6\n"),
            ("chat_id = 5\n# [telegram]\n# chat_id = 3\n", "chat_id = 6\n# [telegram]\n# chat_id = 3\n"),
        ],
    )
    def test_a_line(self, tmp_path: Path, old: str, new: str) -> None:
        text = minimal(tmp_path)
        draft = self.draft(tmp_path, text.replace("chat_id = 5\n", old))
        draft.change("telegram", chat_id=6)
        assert self.saved(draft) == text.replace("chat_id = 5\n", new)

    TOKEN = '"123456789:AAyyyyyyyyyyyyyyyyyyyyyyyyy"'

    @pytest.mark.parametrize(
        "telegram",
        [
            f"telegram = {{token = {TOKEN}, chat_id = 5}}",
            f"telegram.token = {TOKEN}\ntelegram.chat_id = 5",
            f'[telegram]\n"token" = {TOKEN}\n"chat_id" = 5',
            f'[telegram]\ntoken = {TOKEN}\nproxy = """\\\nhttp://x/\\\nchat_id=1"""\nchat_id = 5',
        ],
    )
    def test_a_layout_that_lines_cannot_change_is_refused(self, tmp_path: Path, telegram: str) -> None:
        text = f'{telegram}\n[modem.home]\ndevice = "/dev/sms"\n'
        draft = self.draft(tmp_path, text)
        with pytest.raises(ConfigError, match=r"set chat_id of \[telegram\] by hand"):
            draft.change("telegram", chat_id=6)
        assert self.saved(draft) == text

    def test_what_makes_no_configuration_is_not_taken(self, tmp_path: Path) -> None:
        text = minimal(tmp_path)
        draft = self.draft(tmp_path, text)
        assert not draft.fresh
        with pytest.raises(ConfigError, match=r"modem\.home\.pin"):
            draft.change("modem.home", pin="12\n[health]\nping_url = 'http://evil'")
        assert self.saved(draft) == text

    def test_mistakes_that_it_does_not_ask_for_are_the_owner_s(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="colour"):
            self.draft(tmp_path, minimal(tmp_path) + "colour = 3\n")
        with pytest.raises(ConfigError, match="not TOML"):
            self.draft(tmp_path, minimal(tmp_path) + "colour = \n")

    def test_no_file_and_one_that_others_read(self, tmp_path: Path) -> None:
        draft = Draft(tmp_path / "etc" / "homesim" / "config.toml")
        assert draft.fresh
        draft.change("telegram", token=WRONG, chat_id=3)
        draft.save()
        assert config.load(draft.path).telegram.chat_id == 3
        draft.path.chmod(0o644)
        Draft(draft.path).save()
        assert config.load(draft.path).telegram.chat_id == 3

    def test_it_is_replaced_whole_and_link_and_owner_stay(self, tmp_path: Path) -> None:
        minimal(tmp_path)
        (tmp_path / "config.toml").rename(tmp_path / "real")
        (tmp_path / "config.toml").symlink_to("real")
        if os.geteuid() == 0:
            os.chown(tmp_path / "real", 65534, 65534)
        before = (tmp_path / "real").stat()
        Draft(tmp_path / "config.toml").save()
        assert (tmp_path / "config.toml").is_symlink()
        after = (tmp_path / "real").stat()
        assert (after.st_uid, after.st_mode & 0o777) == (before.st_uid, 0o600)
        assert after.st_ino != before.st_ino  # replaced, so that a kill leaves one of the two: poll/test_kill.py


def test_a_code_that_comes_late_is_refused(tmp_path: Path) -> None:
    """Opened in time, it would be taken; the answer that holds it comes after the end."""
    with BotApi() as api:
        updates = Updates(Bot(config.Telegram(api.token, 1, None, api.url, None, False, None)), tmp_path)
        api.order(api_faults.honest(), api_faults.slow(1.2))

        def opened(*lines: str) -> None:
            [private] = re.findall(r"\?start=(\S+)", "\n".join(lines))
            api.user_says(5550001, f"/start {private}")

        with pytest.raises(TryAgain, match="nobody has opened it in time"):
            link.link(updates, "homesim_test_bot", opened, within=1)
        assert link.link(updates, "homesim_test_bot", opened, within=30).id == 5550001
    assert link.WITHIN == 600


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[SysfsTree]:
    """A bus, and beside it a /dev for the names that udev gives."""
    (tmp_path / "dev/serial/by-path").mkdir(parents=True)
    with SysfsTree(tmp_path / "sys") as tree:
        yield tree


class TestFind:
    def plug(self, tree: SysfsTree, place: str, *names: str, ids: str = SERIAL) -> None:
        port = tree.folder.parent / f"port-{place}"
        tree.plug(Stick(), port, place, ids)
        for name in names:
            (tree.folder.parent / "dev" / name).symlink_to(port)

    def find(self, tree: SysfsTree, wanted: str = "gone", *others: str) -> list[str]:
        dev = tree.folder.parent / "dev"
        found = ports.find(Bus(tree.folder), str(dev / wanted), [str(dev / name) for name in others], dev)
        return [str(Path(name).relative_to(dev)) for name in found]

    def test_the_one_that_is_known_else_dev_sms_else_by_path(self, tree: SysfsTree) -> None:
        path = "serial/by-path/x-if00-port0"
        self.plug(tree, "1-1.2", path, "mine")
        assert self.find(tree, "mine") == ["mine"]
        assert self.find(tree) == [path]
        (tree.folder.parent / "dev/sms").symlink_to("mine")
        assert self.find(tree) == ["sms"]

    def test_of_two_each_by_a_name_of_its_own(self, tree: SysfsTree) -> None:
        self.plug(tree, "1-1.2", "sms", "sms-1-1.2")
        self.plug(tree, "1-1.3", "sms-1-1.3")
        assert self.find(tree) == ["sms-1-1.2", "sms-1-1.3"]
        assert self.find(tree, "gone", "sms") == ["sms-1-1.3"]

    @pytest.mark.parametrize(("ids", "mode"), [(STORAGE, "storage"), (HILINK, "hilink"), (SERIAL, "serial")])
    def test_a_stick_without_a_port_is_named(self, tree: SysfsTree, ids: str, mode: str) -> None:
        self.plug(tree, "1-1.2", ids=ids)
        with pytest.raises(TryAgain, match=f"{ids} at USB 1-1.2: has no port for SMS, its mode is {mode}"):
            self.find(tree)

    def test_none(self, tree: SysfsTree) -> None:
        with pytest.raises(TryAgain, match="no stick is in"):
            self.find(tree)


def test_a_stick_that_freezes_in_the_middle_ends_in_a_sentence(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rig.stick.faults.on("COPS", Trouble(silent=True))
    monkeypatch.setattr(ports, "LIMIT", 1.0)
    monkeypatch.setattr(ports, "PATIENCE", 0.0)
    settings = config.load(rig.config)
    with pytest.raises(TryAgain, match="stopped answering; pull it out"):
        ports.look(settings, settings.modems["home"], print)
    assert capfd.readouterr().err == ""
