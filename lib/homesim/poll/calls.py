# SPDX-License-Identifier: GPL-2.0-or-later
"""Incoming calls: what the stick says while it rings becomes few messages. Pure: lines and times in, series out.

    RING  +CLIP  RING  +CLIP ... ^CEND     one try
    a caller's tries within SERIES         one series
    series that are due at one time        one message

A series is told when its first try is over, and once more when SERIES is over if there were further tries. Only one
message, when SERIES is over, would come too late for what calls are watched for: to ring back, and to copy the code
that some services put into the number they call from. No more than MOST messages in FLOOD: what comes on top waits,
and is told together when there is room again.

Times are seconds since the epoch, as a series outlives its run; one in the future was before a clock jump.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SERIES = 600.0  # seconds from a caller's first try
QUIET = 10.0  # seconds without RING after which a call is over: a Huawei MU509 rings each 5 s, and some say no more
MOST, FLOOD = 6, 600.0  # messages, seconds
STALE = 600.0  # seconds after which a call that a killed run left behind rings no more
APART = 100  # callers that are told apart
WITHHELD, UNKNOWN, OTHERS = "withheld number", "unknown number", "other numbers"

_END = ("NO CARRIER", "^CEND")
_LINES = ("RING", "+CRING", "+CLIP", *_END)  # V.250 6.3; TS 27.007 6.11, 7.11
# +CLIP: number,type,[subaddr],[satype],[alpha],CLI validity; +CPBR: index,number,type,text (TS 27.007 8.12)
_CALLER = re.compile(r'\+(?:CLIP: ?|CPBR: ?\d+,)"?(?P<number>[^",]*)"?,(?P<type>\d+)(?P<rest>.*)')


@dataclass
class Ringing:
    """The call that rings now."""

    began: float
    last: float  # RING
    rings: int = 1  # heard by this run
    caller: str = ""  # "" before +CLIP
    counted: bool = False  # as a try, because it was rejected
    tried: int = -1  # `rings` when we last tried to reject it


@dataclass
class Series:
    caller: str
    first: float  # try
    last: float
    tries: int = 0
    told: int = 0  # tries in a message
    rang: float = 0.0  # seconds in all
    exact: bool = True  # False: `rang` or more
    rejected: bool = False  # the last try


def concerns(line: str) -> bool:
    """Whether a line that the stick says on its own is about a call."""
    return line.startswith(_LINES)


def caller(line: str) -> str:
    """Whom +CLIP or +CPBR names: a number to dial, or one of WITHHELD, UNKNOWN."""
    found = _CALLER.match(line)
    if found and re.fullmatch(r"\+?[0-9*#]{1,40}", found["number"]):
        international = int(found["type"]) & 0x70 == 0x10  # type of number, TS 24.008 10.5.4.7
        return f"+{found['number'].lstrip('+')}" if international else found["number"]
    return WITHHELD if found and found["rest"].rpartition(",")[2].strip('" ') == "1" else UNKNOWN


def missed(answer: Sequence[str]) -> list[str] | None:
    """The callers in an answer to AT+CPBR; None when it says nothing."""
    if not answer or not (answer[-1] == "OK" or answer[-1].endswith("ERROR: 22")):  # not found, TS 27.007 9.2.1
        return None
    return [caller(line) for line in answer if line.startswith("+CPBR")]


class Calls:
    """What rings, what has rung, and what of it was told."""

    def __init__(self, state: dict[str, Any], now: float) -> None:
        """`state` is what `state` gave in an earlier run, or {}."""
        self.ringing: Ringing | None = None
        self.since: list[str] = []  # callers since the stick's own list of missed calls was read
        self._series: dict[str, Series] = {}
        self._told: list[float] = []
        try:
            self._series = {one["caller"]: Series(**one) for one in state.get("series", ())}
            self._told, self.since = [*state.get("told", ())], [*state.get("since", ())]
            if ringing := state.get("ringing"):
                fresh = 0 <= now - ringing["began"] < STALE
                self.ringing = Ringing(**ringing, last=now if fresh else ringing["began"], rings=0)
            self.listen(now)
        except (TypeError, LookupError):  # another version's
            self.ringing, self.since, self._series, self._told = None, [], {}, []

    def state(self) -> dict[str, Any]:
        """For the next run; {} when there is nothing to remember."""
        ringing = self.ringing and self.ringing.caller and asdict(self.ringing)
        kept = {key: ringing[key] for key in ("began", "caller", "counted")} if ringing else {}
        series = [asdict(one) for one in self._series.values()]
        state = {"ringing": kept, "series": series, "told": [*self._told], "since": self.since}
        return {key: value for key, value in state.items() if value}

    def hear(self, line: str, at: float) -> None:
        self.listen(at)
        call = self.ringing
        if line.startswith("+CLIP"):
            self._name(caller(line), at)
        elif line.startswith(_END):
            self._end(at, exact=True)
        elif call:
            call.last, call.rings = at, call.rings + 1
            call.caller = call.caller or UNKNOWN  # +CLIP would have followed the first RING
        else:
            self.ringing = Ringing(at, at)

    def listen(self, now: float) -> None:
        """A call that is QUIET is over, though the stick does not say so. What has no sequel is forgotten."""
        if self.ringing and not 0 <= now - self.ringing.last < QUIET:
            self._end(self.ringing.last, exact=False)
        # What was heard while the last message was made is from before it, and no reason to forget that.
        self._told = [at for at in self._told if abs(now - at) < FLOOD]
        self._series = {who: one for who, one in self._series.items() if one.tries > one.told or _open(one, now)}

    def rejected(self, now: float) -> None:
        """The stick has hung up. If it rings on, that is no further try."""
        if self.ringing and not self.ringing.counted:
            self._count(self.ringing, now, exact=self.ringing.rings > 0, rejected=True)
            self.ringing.counted = True

    def due(self, now: float) -> list[Series]:
        """What is to be told now, in one message; `tell` when that is done."""
        if len(self._told) >= MOST:
            return []
        return [one for one in self._series.values() if one.tries > one.told and not (one.told and _open(one, now))]

    def tell(self, series: Iterable[Series], now: float) -> None:
        self._told.append(now)
        for one in series:
            one.told = one.tries

    def _name(self, who: str, at: float) -> None:
        call = self.ringing
        if call and not call.counted and call.caller in ("", UNKNOWN):
            call.caller = who
        elif not call or call.caller != who:  # the next call, and not a word about the end of the one before
            began = call.last if call else at
            self._end(began, exact=False)
            self.ringing = Ringing(began, at, caller=who)

    def _end(self, at: float, *, exact: bool) -> None:
        if self.ringing and not self.ringing.counted:
            self._count(self.ringing, at, exact=exact, rejected=False)
        self.ringing = None

    def _count(self, call: Ringing, at: float, *, exact: bool, rejected: bool) -> None:
        who = call.caller or UNKNOWN
        self.since = [*self.since, who][-APART:]
        if who not in self._series and len(self._series) >= APART:
            who = OTHERS
        one = self._series.setdefault(who, Series(who, call.began, call.began))
        one.last, one.tries, one.rejected = call.began, one.tries + 1, rejected
        if exact or call.rings:  # else a killed run heard it, and nobody knows when it ended
            one.rang += max(0.0, at - call.began)
        one.exact &= exact


def _open(series: Series, now: float) -> bool:
    return 0 <= now - series.first < SERIES
