# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may ask a HiLink stick what: sessions, tokens that are good once, and its login."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from emulators.hilink.firmware import Firmware, Login

ITERATIONS = 100
MISSES = 5  # wrong passwords until it locks itself
LOCKED = 60.0  # seconds; recorded with remainwaittime in minutes, the first is 1
IDLE = 300.0  # seconds until a login is over
LIST = 30  # tokens that a login brings

BAD_SESSION, BAD_TOKEN, NO_RIGHT = 125002, 125003, 100003
WRONG, LOCKED_OUT, TAKEN = 108006, 108007, 108003
FREE = frozenset({
    "webserver/SesTokInfo", "webserver/token", "user/hilink_login", "user/state-login", "user/login",
    "user/challenge_login", "user/authentication_login", "sms/sms-count", "monitoring/status",
    "monitoring/check-notifications", "net/current-plmn", "pin/status", "device/basic_information",
})  # without login  # fmt: skip


class Refused(Exception):
    """With the code of an `<error>`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Session:
    name: str
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=64))
    nonces: str = ""  # "firstnonce,servernonce,servernonce" of a login that has begun
    busy: int = 0


class Sessions:
    """Not locked: its stick is. `password` None: there is no login."""

    def __init__(
        self, firmware: Firmware, password: str | None, user: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.firmware = firmware
        self.password = password
        self.user = user
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._in: Session | None = None
        self._used = 0.0
        self._misses = 0
        self._until = 0.0
        self._salt = secrets.token_hex(32)
        self.logins = 0  # that were tried

    def new(self) -> Session:
        """The older ones stay; how many a stick keeps is not known."""
        session = Session(_letters(128))
        self._sessions[session.name] = session
        while len(self._sessions) > 50:
            del self._sessions[next(iter(self._sessions))]
        return session

    def known(self, name: str | None) -> Session | None:
        return self._sessions.get(name or "")

    def forget(self) -> None:
        """As behind a reboot."""
        self._sessions.clear()
        self._in = None

    def token(self, session: Session) -> str:
        token = _letters(32)
        session.tokens.append(token)
        return token

    def get(self, name: str | None, path: str) -> Session:
        """The session of a request, if it may make it; raise Refused."""
        if name not in self._sessions:
            raise Refused(BAD_SESSION)
        session = self._sessions[name or ""]
        if session is self._in and self.logged_in:
            self._used = self._clock()
        elif self.password is not None and path not in FREE:
            raise Refused(NO_RIGHT)
        return session

    @staticmethod
    def spend(session: Session, token: str | None) -> None:
        """A POST takes one token, which is good for no other; raise Refused."""
        if token not in session.tokens:
            raise Refused(BAD_TOKEN)
        session.tokens.remove(token or "")

    @property
    def logged_in(self) -> bool:
        """Whether somebody is; after a while of idleness nobody is."""
        if self._in and self._clock() - self._used > IDLE:
            self._in = None
        return self._in is not None

    def is_in(self, session: Session | None) -> bool:
        return self.logged_in and session is self._in

    @property
    def locked_for(self) -> float:
        return max(0.0, self._until - self._clock())

    def login(self, session: Session, fields: dict[str, str], token: str) -> None:
        """password_type 4 (user/login); raise Refused."""
        self._begin()
        if self.firmware.login is Login.NONE and self.password is None:
            raise Refused(100002)
        inner = base64.b64encode(hashlib.sha256((self.password or "").encode()).hexdigest().encode())
        outer = hashlib.sha256(self.user.encode() + inner + token.encode()).hexdigest().encode()
        right = fields.get("Username") == self.user and fields.get("password_type") == "4"
        self._end(session, right and fields.get("Password") == base64.b64encode(outer).decode())

    def challenge(self, session: Session, fields: dict[str, str]) -> dict[str, str]:
        """user/challenge_login; raise Refused."""
        if self.firmware.login is not Login.SCRAM:
            raise Refused(100002)
        self._begin()
        if len(fields.get("firstnonce", "")) != 64 or fields.get("mode") != "1":
            raise Refused(100005)
        if fields.get("username") != self.user:
            raise Refused(WRONG)
        server = fields["firstnonce"] + _letters(32)
        session.nonces = f"{fields['firstnonce']},{server},{server}"
        return {"salt": self._salt, "servernonce": server, "iterations": str(ITERATIONS), "modeselected": "1",
                "newType": "0"}  # fmt: skip

    def authenticate(self, session: Session, fields: dict[str, str]) -> None:
        """user/authentication_login; raise Refused."""
        if self.firmware.login is not Login.SCRAM:
            raise Refused(100002)
        self._begin()
        nonces, session.nonces = session.nonces, ""
        if not nonces or fields.get("finalnonce") != nonces.rpartition(",")[2]:
            raise Refused(WRONG)
        self._end(session, fields.get("clientproof") == proof(self.password or "", self._salt, nonces))

    def logout(self, session: Session) -> None:
        if session is self._in:
            self._in = None

    def _begin(self) -> None:
        self.logins += 1
        if self.locked_for:
            raise Refused(LOCKED_OUT)

    def _end(self, session: Session, right: bool) -> None:
        if not right:
            self._misses += 1
            if self._misses >= MISSES:
                self._misses, self._until = 0, self._clock() + LOCKED
                raise Refused(LOCKED_OUT)
            raise Refused(WRONG)
        if self.logged_in and session is not self._in and not self.firmware.takes_over:
            raise Refused(TAKEN)
        self._in, self._used, self._misses = session, self._clock(), 0


def proof(password: str, salt: str, nonces: str) -> str:
    """The clientproof of a SCRAM login, hex. Huawei has the two arguments of each HMAC the other way round."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ITERATIONS)
    key = hmac.digest(b"Client Key", salted, "sha256")
    signature = hmac.digest(nonces.encode(), hashlib.sha256(key).digest(), "sha256")
    return bytes(a ^ b for a, b in zip(key, signature, strict=True)).hex()


def _letters(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
