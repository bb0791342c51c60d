# SPDX-License-Identifier: GPL-2.0-or-later
"""The web page of a HiLink stick: one request at a time, with the session, the token and the login that it wants.

    GET   the session's cookie
    POST  the cookie and a token, which is good once; the answer brings the next

Without a login each POST gets a session of its own. With one the session is the run's, and outlives it in the run
folder: a run that is killed leaves nobody locked out. A password is sent where the page asks for one, once a run, and
one that was refused is remembered and not tried again.

    NAME.login         in the run folder: the cookie of the session that is logged in
    password-tried     in the spool: as sim.py's
"""

from __future__ import annotations

import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeVar

import requests
from requests import exceptions
from urllib3.exceptions import HTTPError

from homesim.config import Modem
from homesim.errors import ConfigError, HomesimError, TryAgain
from homesim.stick import answers, password
from homesim.stick.answers import Fields, NotAPage, Refused
from homesim.stick.sim import Tried
from homesim.stick.status import RunFile
from homesim.store.spool import Spool

T = TypeVar("T")

ANSWER = 3.0  # seconds to connect, and between two octets of an answer
WHOLE = 15.0  # seconds for all of one
MOST = 1 << 22  # octets of one: fifty SMS of 39,015 characters at most are half of it
STATE = "password-tried"

# <code> of an <error>
NO_RIGHT, TOKENS = 100003, (125001, 125002, 125003)
_WRONG, _LOCKED, _TAKEN = (108001, 108002, 108006), (108007, 108010), (108003, 108005, 108009)
_HEADER = "__RequestVerificationToken"


class Page:
    """The page of one stick, for one thread. Each call raises HomesimError when nothing sound answers, and Refused."""

    def __init__(self, modem: Modem, spool: Spool | None, login: RunFile | None = None) -> None:
        """`spool` keeps which passwords were tried; None: none is. `login` keeps the session; None: it ends with us."""
        self._modem = modem
        self._tried = Tried(spool, STATE) if spool else None
        self._keep = login
        self._session = requests.Session()
        self._session.trust_env = False  # no proxies and no ~/.netrc from wherever cron got its environment
        self._tokens: deque[str] = deque()
        self._cookie = (login.load(str) if login else None) or ""
        self._inside = bool(self._cookie)  # the session is logged in, as far as we know
        self._logins = 0

    def get(self, path: str) -> Fields:
        return self._sound(lambda: answers.read(self._in_session(lambda: self._request(path))))

    def post(self, path: str, fields: Mapping[str, object], reader: Callable[[bytes], T], *, once: bool = False) -> T:
        """What `reader` (of answers.py) makes of the answer. `once`: not again for a bad session, which is no proof."""
        return self._sound(lambda: reader(self._in_session(lambda: self._post(path, fields), once=once)))

    def leave(self) -> None:
        """Log out, if we are in: the owner's browser is let in again."""
        if self._inside:
            try:
                self.post("user/logout", {"Logout": 1}, answers.read)
            except (HomesimError, Refused):
                pass  # it ends by itself after some minutes
        self._forget()

    def _sound(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except NotAPage:
            why = "something else than a HiLink stick answers there; is the address right?"
            raise TryAgain(self._modem.device, why, fault="not-a-page") from None
        except (exceptions.RequestException, HTTPError):  # requests lets some of the latter pass
            raise TryAgain(self._modem.device, "its page does not answer", fault="no-page") from None

    def _in_session(self, request: Callable[[], bytes], *, once: bool = False) -> bytes:
        """A session that has ended is begun anew, once; what needs a login gets one. Raise Refused for the rest."""
        for again in (True, True, False):
            octets = request()
            try:
                answers.refused(octets)
            except Refused as error:
                if again and error.code in TOKENS and not once:
                    self._forget()
                elif again and error.code == NO_RIGHT:
                    self._log_in()
                else:
                    raise
            else:
                return octets
        raise AssertionError  # the third time returns or raises

    def _post(self, path: str, fields: Mapping[str, object]) -> bytes:
        return self._request(path, answers.request(fields), self._token())

    def _token(self) -> str:
        """One that is fresh: of the login's, or of a session of its own."""
        if not (self._inside and self._tokens):
            self._begin()
        return self._tokens.popleft()

    def _begin(self) -> None:
        """A session and its token; of the one that is logged in a token more."""
        known = answers.read(self._request("webserver/SesTokInfo"))
        if not self._inside and (name := known.get("SesInfo", "")):
            self._cookie = name if name.startswith("SessionID=") else f"SessionID={name}"
        self._tokens = deque([known.get("TokInfo", "")])

    def _forget(self) -> None:
        """The session has ended."""
        self._cookie, self._inside = "", False
        self._tokens.clear()
        if self._keep:
            self._keep.save(None)

    def _request(self, path: str, body: bytes | None = None, token: str = "") -> bytes:
        """One exchange. The stick closes its connections when it likes, so each request has one of its own."""
        if body is None and not self._cookie and path != "webserver/SesTokInfo":
            self._begin()
        headers = {"Connection": "close"} | ({"Cookie": self._cookie} if self._cookie else {})
        if body is not None:
            headers |= {_HEADER: token, "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        url, method = f"{self._modem.page}/api/{path}", "GET" if body is None else "POST"
        until = time.monotonic() + WHOLE
        # Closed behind each answer, whatever the stick says of keeping it: its end is gone when it registers anew.
        with self._session, self._session.request(
            method, url, data=body, headers=headers, timeout=ANSWER, allow_redirects=False, stream=True
        ) as response:
            self._session.cookies.clear()
            octets = bytearray()
            for chunk in response.iter_content(1 << 14):
                octets += chunk
                if len(octets) > MOST or time.monotonic() > until:
                    raise NotAPage
            if response.status_code != 200:
                raise NotAPage
            self._spare(response.headers)
        return bytes(octets)

    def _spare(self, headers: Mapping[str, str]) -> None:
        """The tokens that an answer brings, and the session that a login may have changed."""
        if fresh := headers.get(_HEADER):
            self._tokens.extend(token for token in fresh.split("#") if token)
        if found := re.search(r"SessionID=[^;,\s]+", headers.get("Set-Cookie", "")):
            self._cookie = found[0]

    # --- login ---

    def _log_in(self) -> None:
        """Raise HomesimError when we do not get in."""
        device, key = self._modem.device, f"modem.{self._modem.name}.password"
        self._forget()
        state = answers.read(self._request("user/state-login"))
        if state.get("State") == "0":
            return
        if self._modem.password is None:
            raise ConfigError(device, f"its page wants a password; set {key}", fault="password")
        if state.get("lockstatus") == "1" or state.get("remainwaittime", "0") not in ("", "0"):
            raise TryAgain(device, "its page is locked for some minutes, after wrong passwords", fault="page-locked")
        secret = f"{self._modem.name} {self._modem.user} {self._modem.password}"
        if self._tried and self._tried.refused(secret):
            why = f"its page has refused the password, which is not tried again; correct {key}"
            raise ConfigError(device, why, fault="wrong-password")
        if self._tried is None:
            why = "its page wants a login, and who changes nothing makes none"
            raise TryAgain(device, why, fault="page-taken")
        if self._logins:
            raise TryAgain(device, "its page has ended the session; is somebody else logged in?", fault="page-taken")
        self._logins += 1
        self._tried.begin(secret)
        try:
            self._give_password(state, self._modem.password)
        except Refused as error:
            if error.code in _WRONG:
                self._tried.refuse(secret)
                why = f"its page refuses the password; correct {key}"
                raise ConfigError(device, why, fault="wrong-password") from None
            self._tried.clear()  # it was not looked at
            if error.code in _LOCKED:
                raise TryAgain(device, "its page is locked for some minutes", fault="page-locked") from None
            if error.code in _TAKEN:
                raise TryAgain(device, "somebody is logged in to its page", fault="page-taken") from None
            raise
        self._tried.clear()
        if self._keep:
            self._keep.save(self._cookie)

    def _give_password(self, state: Fields, secret: str) -> None:
        self._begin()
        if state.get("extern_password_type") == "1":
            self._scram(secret)
        else:
            token = self._tokens.popleft()
            kind = state.get("password_type", "4")
            given = password.hashed(self._modem.user, secret, token) if kind == "4" else password.plain(secret)
            asked = {"Username": self._modem.user, "Password": given, "password_type": kind}
            self._login_request("user/login", asked, token)

    def _scram(self, secret: str) -> None:
        """SCRAM (RFC 5802) as Huawei has it."""
        first = secrets.token_hex(32)
        asked = {"username": self._modem.user, "firstnonce": first, "mode": 1}
        said = answers.read(self._request("user/challenge_login", answers.request(asked), self._tokens.popleft()))
        server, rounds, salt = (said.get(name, "") for name in ("servernonce", "iterations", "salt"))
        sound = server.startswith(first) and re.fullmatch("([0-9a-fA-F]{2})+", salt)
        if not (sound and re.fullmatch("[0-9]{1,5}", rounds)):
            raise NotAPage
        proof = password.proof(secret, bytes.fromhex(salt), max(1, int(rounds)), f"{first},{server},{server}")
        if not self._tokens:
            self._begin()
        given = {"clientproof": proof, "finalnonce": server}
        self._login_request("user/authentication_login", given, self._tokens.popleft())

    def _login_request(self, path: str, fields: Mapping[str, object], token: str) -> None:
        self._inside = True  # the tokens that it brings are ours
        try:
            answers.read(self._request(path, answers.request(fields), token))
        except BaseException:
            self._inside = False
            raise
