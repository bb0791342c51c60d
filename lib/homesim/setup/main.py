# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim-setup: asks what the configuration needs, tries each answer, and writes it when all of them are right.

    the stick: port, SIM, network  ->  the bot: its token  ->  the chat: a one-time link  ->  a test message
    ->  the file, in one step  ->  a real SMS, if wanted

Until that one step the old configuration is as it was, whatever happens.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from homesim import config, process, program
from homesim.chat.render import OURS
from homesim.chat.telegram import Bot
from homesim.chat.updates import Updates
from homesim.errors import EXIT_OK, ConfigError, TryAgain, UsageError
from homesim.program import tell
from homesim.setup import arrival, link, ports, prompt
from homesim.setup.configfile import Draft
from homesim.stick import sim
from homesim.stick.driver import State
from homesim.stick.usb import Bus
from homesim.store.spool import Spool

NAME = "homesim-setup"
EXIT_STOPPED = 130  # what a shell makes of Ctrl-C
WAIT = 180.0  # seconds for a real SMS, if it is asked for at the terminal
CRON = Path("/etc/cron.d/homesim")

_BOTFATHER = (
    "",
    "A bot of your own carries the SMS. In Telegram, open https://t.me/BotFather,",
    "send it /newbot, and choose a name, and a user name that ends in bot.",
    "It answers with a token like 123456789:AA..., which is as good as a password.",
)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    program.leave(program.main(NAME, lambda: setup(argv)))


def setup(argv: Sequence[str] | None) -> int:
    arguments = _arguments(argv)
    draft = Draft(arguments.config)
    if not process.ModemLock(draft.settings.paths.run, ".setup").take(wait=0):
        raise TryAgain(draft.path, "another one is at work on it")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # getpass has the terminal's echo to put back
    try:
        return _Setup(arguments, draft).run()
    except (KeyboardInterrupt, EOFError):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        tell("", f"Stopped. {draft.path} is {'written' if draft.saved else 'as it was'}.")
        return EXIT_STOPPED


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = program.parser(
        NAME,
        description="Link the stick to a Telegram chat: asks, tries each answer, and writes the configuration when all "
        "are right. Run again it keeps what you do not change.",
        epilog="What an option gives is not asked; without a terminal nothing is, and what FILE has is kept. A secret "
        "is never an option itself, where every program could read it. Exit codes: 0 done; 2 usage; 75 try again "
        "(the stick or Telegram is out of reach); 78 an answer is not right; 130 Ctrl-C. Unless it says that it has "
        "written FILE, FILE is as it was.",
        modem="the stick's name, which stands below each message; another one is added",
        logs=False,
    )
    add = parser.add_argument
    add("--device", metavar="PORT", help="the stick's port, as /dev/sms")
    add("--pin-file", metavar="FILE", help="a file that holds the SIM's PIN; -: a line of standard input")
    add("--token-file", metavar="FILE", help="a file that holds the bot's token; -: a line of standard input")
    add("--chat-id", type=int, metavar="N", help="the chat, if you know its number: then no link is needed")
    add("--topic-id", type=int, metavar="N", help="the topic of the group --chat-id")
    add("--wait", type=program.seconds, metavar="SECONDS", help="how long to wait for a real SMS at the end; 0: do not")
    arguments = parser.parse_args(argv)
    if arguments.topic_id is not None and arguments.chat_id is None:
        parser.error("--topic-id: needs --chat-id")
    return arguments


class _Setup:
    """One run: each step puts what it has found into the draft."""

    def __init__(self, arguments: argparse.Namespace, draft: Draft) -> None:
        self._given = arguments
        self._draft = draft
        self._name = ""

    def run(self) -> int:
        self._name = self._modem()
        self._stick()
        bot, username = self._bot()
        self._chat(bot, username)
        self._test(bot)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # it is written and said, or neither
        self._draft.save()
        since = time.time()
        tell(f"{self._draft.path} is written.")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        seconds = self._given.wait
        if seconds is None:
            seconds = WAIT if prompt.yes("Wait for a real SMS?", default=prompt.there()) else 0
        if seconds:
            arrival.wait(self._draft.settings, self._name, since, seconds, tell)
        self._farewell()
        return EXIT_OK

    def _modem(self) -> str:
        """Which of the sticks in the file it is about, or a new one."""
        given: str | None = self._given.modem
        names = list(self._draft.settings.modems)
        if self._draft.fresh and given and given not in names:
            self._draft.rename(given)
        return given or prompt.choose("Which stick?", "--modem", names)

    def _stick(self) -> None:
        modems = self._draft.settings.modems
        table = f"modem.{self._name}"
        if (device := self._given.device) is None:
            others = [modem.device for name, modem in modems.items() if name != self._name]
            known = None if self._draft.fresh or self._name not in modems else modems[self._name].device
            found = ports.find(Bus(self._draft.settings.paths.sysfs), known, others)
            device = prompt.choose("Which port?", "--device", found)
        self._draft.change(table, device=device)
        if file := self._given.pin_file:
            self._draft.change(table, pin=prompt.secret("The SIM's PIN:", "--pin-file", file))
        elif prompt.there() and self._refused():
            self._draft.change(table, pin=None)
        tell(f"The stick at {device}: asking it, which takes some seconds ...")
        if (seen := self._look()).sim != "READY":
            tell("A SIM locks after three wrong PINs in a row. This one is tried once.")
            prompt.until_right(
                lambda: self._draft.change(table, pin=prompt.secret("The SIM's PIN:", "--pin-file"))
            )
            seen = self._look()
        tell(f"SIM open, {seen.network}, {seen.used} SMS on it")

    def _look(self) -> State:
        return ports.look(self._draft.settings, self._settings(), tell)

    def _settings(self) -> config.Modem:
        return self._draft.settings.modems[self._name]

    def _refused(self) -> bool:
        return sim.refused(self._settings(), Spool(self._draft.settings.paths.state / self._name, read_only=True))

    def _bot(self) -> tuple[Bot, str]:
        if file := self._given.token_file:
            return self._with_token(prompt.secret("The token:", "--token-file", file))
        if not self._draft.fresh:
            bot = Bot(self._draft.settings.telegram)
            try:
                name = link.username(bot)
            except ConfigError as error:
                if not prompt.there():
                    raise
                tell(str(error))
            else:
                if prompt.yes(f"The bot is @{name}. Keep it?", default=True):
                    return bot, name
        tell(*_BOTFATHER)
        return prompt.until_right(lambda: self._with_token(prompt.secret("The token:", "--token-file")))

    def _with_token(self, token: str) -> tuple[Bot, str]:
        self._draft.change("telegram", token=token, token_file=None)
        bot = Bot(self._draft.settings.telegram)
        name = link.username(bot)
        tell(f"The bot is @{name}.")
        return bot, name

    def _chat(self, bot: Bot, username: str) -> None:
        own = self._settings().chat_id  # another chat than the other sticks'
        chat, topic = self._given.chat_id, self._given.topic_id
        if chat is None:
            known = own or self._draft.settings.telegram.chat_id
            if not self._draft.fresh and prompt.yes(f"SMS go to the chat {known}. Keep it?", default=True):
                return
            chat, topic = _link(bot, username, self._draft.settings.paths.run)
        if own is None:
            self._draft.change("telegram", chat_id=chat, topic_id=topic)
        elif topic is None:
            self._draft.change(f"modem.{self._name}", chat_id=chat)
        else:
            raise ConfigError(f"modem.{self._name}.chat_id", "a stick with a chat of its own can have no topic")

    def _test(self, bot: Bot) -> None:
        """Before the file is written: a chat that the bot cannot write to is not right."""
        chat, topic_id = self._draft.settings.telegram.chat(self._settings())
        topic = {"message_thread_id": topic_id} if topic_id else {}
        text = f"{OURS}: from now on, SMS to the SIM in “{self._name}” come here."
        bot.ask("sendMessage", chat_id=chat, text=text, **topic)
        tell("A test message is in the chat.")

    def _farewell(self) -> None:
        tell(
            "",
            "From now on cron starts homesim-poll each minute, and an SMS is in the chat within seconds. When the",
            "power or the network goes, SMS wait and come later. homesim-doctor says what is wrong when none come;",
            "homesim-setup changes the stick, the bot or the chat.",
        )
        if not CRON.exists():
            tell(f"But there is no {CRON} yet: sudo make install (or crontab.example) has cron start it.")


def _link(bot: Bot, username: str, run: Path) -> tuple[int, int | None]:
    """The chat that a person opens the link in, and says is theirs."""
    if not prompt.there():
        raise UsageError("--chat-id", "is needed: there is no terminal to link a chat at")
    chat = link.link(Updates(bot, run), username, tell)
    tell(f"It was opened by {chat.who}.")
    if not prompt.yes("Is that you?", default=False):
        raise ConfigError("the chat", "not yours, so the link is dead; run homesim-setup again for a new one")
    return chat.id, chat.topic_id
