# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/poll with less patience for an answer of Telegram's: what it waits for comes at once here, or never.

    hasty_poll.py PYTHON -B BIN/poll ARGUMENTS
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    program = Path(sys.argv[3]).resolve()
    del sys.argv[:3]
    sys.path.insert(0, str(program.parent.parent / "lib"))
    from homesim.chat import telegram
    from homesim.poll import main

    telegram.CONNECT, telegram.READ, telegram.PROBE = 1.0, 2.0, 2.0
    main.main()
