# SPDX-License-Identifier: GPL-2.0-or-later
"""A HiLink stick as its web page shows it: /api/ in XML over HTTP, as strict as real ones were seen to be.

    with HilinkStick("E3372h-320") as stick:
        stick.deliver("Your code is 482913", "BANK")
        ...                                             # run the program with device = stick.url

Each request is recorded in `requests`; it meets the fault that was ordered for its path, if there is one, takes effect
and is answered. `on_request` is called in between, as with the stand-in of the Bot API.

Not simulated, as homesim makes no use of it: the encrypted bodies of 11.x, mobile data itself, Wi-Fi, SMS on the SIM.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from emulators.botapi.http import Request, Server, Wire
from emulators.hilink import answers
from emulators.hilink.firmware import FIRMWARES
from emulators.hilink.modem import NO_PIN, NO_SIM, READY, WANTS_PIN, WANTS_PUK, Modem
from emulators.hilink.session import Refused, Session
from emulators.hilink.store import MMS, Entry
from patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FIRMWARES", "NO_PIN", "NO_SIM", "READY", "WANTS_PIN", "WANTS_PUK", "Fault", "HilinkStick",
    "empty", "error", "hang", "lost_answer", "page", "redirect", "reset",
]  # fmt: skip



@dataclass(frozen=True)
class Fault:
    """What happens instead of the answer: `act` gets the connection and the answer, b"" if there is none.

    `effect`: whether the request is carried out all the same.
    """

    name: str
    act: Callable[[Wire, bytes], None]
    effect: bool = False


def error(code: int) -> Fault:
    return Fault(f"error {code}", lambda wire, _: wire.write(answers.http(answers.error(code))))


def reset() -> Fault:
    return Fault("reset", lambda wire, _: wire.reset())


def lost_answer() -> Fault:
    return Fault("lost answer", lambda wire, _: wire.reset(), effect=True)


def hang() -> Fault:
    """Taken and never answered, until the test ends it."""

    def act(wire: Wire, _: bytes) -> None:
        wire.wait(PATIENCE)
        wire.reset()

    return Fault("hang", act)


def page(text: str = "<!DOCTYPE html><html><head><title>Login</title></head></html>") -> Fault:
    """A page for people: of another device at this address, or of a stick that is offline."""
    return Fault("a page for people", lambda wire, _: wire.write(answers.http(text.encode())))


def redirect(where: str = "http://192.0.2.1/html/index.html") -> Fault:
    answer = answers.http(b"", status="302 Found", headers=[("Location", where)])
    return Fault("redirect", lambda wire, _: wire.write(answer))


def empty() -> Fault:
    return Fault("empty", lambda wire, _: wire.write(answers.http(b"")))


class HilinkStick:
    """The stick, its SIM and its network. Public methods may be called from any thread.

    To be changed at will: `modem` (what it knows), `latency` (seconds before each answer), `boots_in` (seconds that the
    page is away for a reboot), `frozen` (it takes connections and never answers), `on_request`. To be read: `requests`
    (their paths), `reboots`.
    """

    def __init__(
        self, firmware: str = "E3372h-320", *, password: str | None = None, user: str = "admin", latency: float = 0.0
    ) -> None:
        self.firmware = FIRMWARES[firmware]
        self.modem = Modem(self.firmware, password, user)
        self.latency = latency
        self.boots_in = 0.5
        self.requests: list[str] = []
        self.reboots = 0
        self.on_request: Callable[[str, str], None] | None = None
        self.frozen = False
        self._faults: list[tuple[str, Fault]] = []
        self._changed = threading.Condition(threading.RLock())  # guards all of the above
        self._server: Server | None = None
        self._port = 0

    # --- the network's and the owner's side ---

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_error: object) -> None:
        self.down()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """At the same address each time."""
        if self._server is None:
            self._server = Server(self._port, self._serve)
            self._port = self._server.port
            self._server.start()

    def down(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def reboot(self) -> None:
        """The page goes, and comes again; the SMS stay, sessions do not."""
        with self._changed:
            self.reboots += 1
            self.modem.sessions.forget()
        self.down()
        time.sleep(self.boots_in)
        self.up()

    def deliver(self, text: str, phone: str = "BANK", time: datetime | None = None) -> None:
        """An SMS from the air; while the box is full it waits in the network."""
        self._arrive(lambda: self.modem.store.put(phone, text, time or datetime.now()))

    @contextmanager
    def changing(self) -> Iterator[dict[int, Entry]]:
        """The entries of all boxes, by Index, to be changed at will."""
        with self._changed:
            yield self.modem.store.all

    def put(self, index: int, text: str, phone: str, time: datetime, kind: int) -> None:
        """Straight into a slot, whatever was there."""
        with self._changed:
            self.modem.store.lay(index, phone, text, time, kind)

    def deliver_part(self, key: object, number: int, total: int, text: str, phone: str = "BANK",
                     time: datetime | None = None) -> None:  # fmt: skip
        """One part, `number` from 1, of the long SMS `key`."""
        self._arrive(lambda: self.modem.store.put_part(key, number, total, phone, text, time or datetime.now()))

    def deliver_mms(self, phone: str = "MMS") -> None:
        self._arrive(lambda: self.modem.store.put(phone, "", datetime.now(), kind=MMS))

    def _arrive(self, put: Callable[[], object]) -> None:
        with self._changed:
            self.modem.waiting.append(put)
            self.modem.pull()
            self._changed.notify_all()

    def stored(self) -> list[bytes]:
        """The contents of the inbox as they are in the page."""
        with self._changed:
            return [entry.content for entry in self.modem.store.entries()]

    def waiting(self) -> int:
        with self._changed:
            return len(self.modem.waiting)

    def order(self, fault: Fault, path: str, times: int = 1) -> None:
        """The next requests of this path meet this fault."""
        with self._changed:
            self._faults += [(path, fault)] * times

    def clear(self) -> None:
        """Nothing that was ordered happens any more."""
        with self._changed:
            self._faults.clear()

    def wait_for(self, predicate: Callable[[HilinkStick], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: predicate(self), PATIENCE), f"{self.requests[-20:]}"

    # --- the page's side ---

    def _serve(self, wire: Wire, request: Request) -> None:
        path = request.path.removeprefix("/api/") if request.path.startswith("/api/") else request.path
        with self._changed:
            self.requests.append(path)
            fault = next((fault for wanted, fault in self._faults if wanted == path), None)
            if fault:
                self._faults.remove((path, fault))
            self._changed.notify_all()
        self._tell("received", path)
        if self.frozen:
            wire.wait(PATIENCE)
            wire.reset()
            return
        if self.latency:
            time.sleep(self.latency)
        answer = b"" if fault and not fault.effect else self._answer(request, path)
        self._tell("done", path)
        if fault:
            fault.act(wire, answer)
        else:
            wire.write(answer)
        self._tell("answered", path)
        if not self.firmware.keeps_alive or request.headers.get("Connection", "").lower() == "close":
            wire.close()
        if path == "device/control" and b"<Control>1<" in request.body and (not fault or fault.effect):
            threading.Thread(target=self.reboot, daemon=True).start()

    def _tell(self, phase: str, path: str) -> None:
        if self.on_request:
            self.on_request(phase, path)
        with self._changed:
            self._changed.notify_all()

    def _answer(self, request: Request, path: str) -> bytes:
        headers = [*self.firmware.headers, ("Connection", "Keep-Alive" if self.firmware.keeps_alive else "close")]
        try:
            if request.path in ("/", "/html/index.html"):
                return self._home(headers)
            body = self._api(request, path, headers)
        except Refused as e:
            body = answers.error(e.code, self.firmware)
        return answers.http(body, headers=headers)

    def _home(self, headers: list[tuple[str, str]]) -> bytes:
        with self._changed:
            session = self.modem.sessions.new()
            metas = [f'<meta name="csrf_token" content="{self.modem.sessions.token(session)}"/>' for _ in range(2)]
        cookie = "path=/;HttpOnly;" if self.firmware.pretty else " path=/; HttpOnly;"
        headers.append(("Set-Cookie", f"SessionID={session.name};{cookie}"))
        return answers.http(f"<!DOCTYPE html><html><head>{''.join(metas)}</head></html>".encode(), headers=headers)

    def _api(self, request: Request, path: str, headers: list[tuple[str, str]]) -> bytes:
        """The body of the answer; raise Refused. What changes something is done under the lock, one after the other."""
        cookie = re.search(r"SessionID=([^;]+)", request.headers.get("Cookie", ""))
        posted = request.headers.get("__RequestVerificationToken")
        with self._changed:
            if path == "webserver/SesTokInfo":
                session = self.modem.sessions.known(cookie[1] if cookie else None) or self.modem.sessions.new()
                known = {"SesInfo": f"SessionID={session.name}", "TokInfo": self.modem.sessions.token(session)}
                return answers.response(known, self.firmware)
            session = self.modem.sessions.get(cookie[1] if cookie else None, path)
            if path == "webserver/token":
                if self.firmware.old_token:
                    raise Refused(100002)
                return answers.response({"token": "0" * 32 + self.modem.sessions.token(session)}, self.firmware)
            with self._alone(session):
                if not request.body:
                    return self.modem.get(path, session)
                self.modem.sessions.spend(session, posted)
                logged_in = path in ("user/login", "user/authentication_login")
                try:
                    answer = self.modem.post(path, answers.fields(request.body), session, posted or "")
                except Refused:
                    headers.append(("__RequestVerificationToken", self.modem.sessions.token(session)))
                    raise
                tokens = [self.modem.sessions.token(session) for _ in range(30 if logged_in else 1)]
                headers.append(("__RequestVerificationToken", "#".join(tokens)))
                if logged_in:
                    names = ("__RequestVerificationTokenone", "__RequestVerificationTokentwo")
                    headers += zip(names, tokens[:2], strict=True)
                self._changed.notify_all()
                return answer

    @contextmanager
    def _alone(self, session: Session) -> Iterator[None]:
        """Requests of one session beside each other are refused (seen as 125003)."""
        if session.busy:
            raise Refused(125003)
        session.busy += 1
        try:
            yield
        finally:
            session.busy -= 1

