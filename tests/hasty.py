# SPDX-License-Identifier: GPL-2.0-or-later
"""A program with less patience: what it waits for comes at once here, or never; on a busy machine soon.

    hasty.py [PYTHON -B] BIN/health|BIN/poll --config FILE ...
"""

from __future__ import annotations

import sys
from pathlib import Path

from patience import busy

if __name__ == "__main__":
    del sys.argv[: sys.argv.index("--config") - 1]
    program = Path(sys.argv[0]).resolve()
    sys.path.insert(0, str(program.parent.parent / "lib"))
    if program.name == "poll":
        from homesim.chat import telegram
        from homesim.poll.main import main

        telegram.CONNECT, telegram.READ, telegram.PROBE = 1.0, 2.0, 2.0
    else:
        from homesim import process
        from homesim.health import recovery
        from homesim.health.main import main
        from homesim.stick import probe, usb

        times = 4 if busy() else 1
        recovery.PAUSE = recovery.PAUSE_POWER = 0.3 * times  # sysfs_tree sees one write of two that come too close
        process.HAND_OVER = 2.0 * times
        recovery.SETTLE = usb.RETURN = 2.0 * times
        recovery.ANSWER = recovery.REGISTER = 0.2 * times
        recovery.AGAIN = 1.5 * times
        probe.ANSWER = 1.0 * times
    main()
