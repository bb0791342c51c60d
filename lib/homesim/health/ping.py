# SPDX-License-Identifier: GPL-2.0-or-later
"""A dead man's switch, as healthchecks.io defines it: who is not pinged for a while tells the owner.

URL for success, URL/fail for a failure with the reason in the body (healthchecks' HTTP API).
"""

from __future__ import annotations

import logging
import threading

WAIT = 10.0  # seconds
TRIES = 2

log = logging.getLogger(__name__)


def ping(url: str, problems: str) -> None:
    """Tell it. Returns after WAIT at the latest, and never raises: this is nobody's work."""
    thread = threading.Thread(target=_ping, args=(url, problems), daemon=True)
    thread.start()
    thread.join(WAIT)
    if thread.is_alive():
        log.warning("ping_url: no answer within %.0f s", WAIT)


def _ping(url: str, problems: str) -> None:
    import urllib.request  # 30 ms of CPU, only for those who use it

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    target = f"{url.rstrip('/')}/fail" if problems else url
    for _ in range(TRIES):
        try:
            with opener.open(target, data=problems.encode() or None, timeout=WAIT / TRIES):
                return
        except Exception as error:  # http.client has its own: the server may say anything
            reason = type(error).__name__  # its text may hold the URL, and who has that can ping
    log.warning("ping_url: %s", reason)
