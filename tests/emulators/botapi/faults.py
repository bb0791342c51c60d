# SPDX-License-Identifier: GPL-2.0-or-later
"""What networks and servers do wrong, for BotApi.order().

A `Fault` takes the place of one honest answer. Its `delivers` says whether the message reaches
the chat all the same: that, and not the status, is what a sender can not know.

    fault                    what the client sees                               in the chat
    honest()                 the answer (fills a gap between two faults)        yes
    hang()                   nothing, until release(), down() or its time-out   no
    reset()                  connection reset                                   no
    lost_answer()            connection closed (reset=True: reset), no answer   yes
    slow(seconds)            the answer, late                                   yes
    endless(pause)           a header without end, an octet at a time           yes
    truncated()              half a body, then the connection closes            yes
    too_many(retry_after)    429 with parameters and Retry-After                no
    refusal(code, text)      any 4xx or 5xx with the Bot API's JSON             no
    gateway(code)            502, 504, ... with nginx' HTML                     no, or delivers=True
    redirect()               302 to a page that says 200 OK                     no
    portal()                 200 with a captive portal's HTML                   no
    nested()                 200 with very many brackets                       no
    not_ok()                 200 with {"ok": false}                             no
    empty_400()              bare 400, no body, connection closed               no
"""

from collections.abc import Callable
from dataclasses import dataclass
from http.client import responses

from emulators.botapi.http import HTML_TYPE, Wire, bare_answer, error_answer, http_answer

LOGIN_PATH = "/login"  # where redirect() leads; BotApi answers it with PORTAL
PORTAL = b"<html><head><title>Welcome</title></head><body>OK, please log in.</body></html>\n"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong; `play` gets the honest answer, or b"" if it does not deliver."""

    name: str
    delivers: bool
    play: Callable[[Wire, bytes], None]


def honest() -> Fault:
    return Fault("honest", True, Wire.write)


def hang() -> Fault:
    def play(wire: Wire, _answer: bytes) -> None:
        wire.wait()
        wire.close()

    return Fault("hang", False, play)


def reset() -> Fault:
    return Fault("reset", False, lambda wire, _answer: wire.reset())


def lost_answer(reset: bool = False) -> Fault:
    return Fault("lost answer", True, lambda wire, _answer: wire.reset() if reset else wire.close())


def slow(seconds: float) -> Fault:
    def play(wire: Wire, answer: bytes) -> None:
        wire.wait(seconds)
        wire.write(answer)

    return Fault("slow answer", True, play)


def endless(pause: float = 0.02) -> Fault:
    def play(wire: Wire, answer: bytes) -> None:
        status, *_ = answer.partition(b"\r\n")
        for octet in status + b"\r\nX-Header: ":
            wire.write(bytes([octet]))
        while not wire.wait(pause):
            wire.write(b"x")
        wire.close()

    return Fault("endless headers", True, play)


def truncated() -> Fault:
    def play(wire: Wire, answer: bytes) -> None:
        head, gap, body = answer.partition(b"\r\n\r\n")
        wire.write(head + gap + body[: len(body) // 2])
        wire.close()

    return Fault("truncated body", True, play)


def _canned(name: str, answer: bytes, delivers: bool = False, close: bool = False) -> Fault:
    def play(wire: Wire, _answer: bytes) -> None:
        wire.write(answer)
        if close:
            wire.close()

    return Fault(name, delivers, play)


def too_many(retry_after: int) -> Fault:
    text = f"Too Many Requests: retry after {retry_after}"
    return refusal(429, text, retry_after=retry_after)


def refusal(code: int, description: str, **parameters: int) -> Fault:
    """`description` goes out word for word, prefix and all."""
    return _canned(f"{code} {description}", error_answer(code, description, parameters))


def gateway(code: int = 502, delivers: bool = False) -> Fault:
    """nginx', or a firewall's own: a 502 comes before Telegram has seen the request; a 504 may hide a delivery."""
    title = f"{code} {responses[code]}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return _canned(title, http_answer(code, page.encode(), HTML_TYPE), delivers)


def redirect() -> Fault:
    return _canned("302 redirect", http_answer(302, b"", headers={"Location": LOGIN_PATH}))


def portal() -> Fault:
    return _canned("200 captive portal", http_answer(200, PORTAL, HTML_TYPE))


def not_ok() -> Fault:
    return _canned("200 not ok", http_answer(200, b'{"ok":false}'))


def nested() -> Fault:
    """JSON that Python's parser gives up at with RecursionError."""
    return _canned("200 nested", http_answer(200, b"[" * 20_000))


def empty_400() -> Fault:
    return bare(400)


def bare(status: int) -> Fault:
    """What the HTTP layer itself answers to a request that it can't read."""
    return _canned(f"bare {status}", bare_answer(status), close=True)
