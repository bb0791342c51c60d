# SPDX-License-Identifier: GPL-2.0-or-later
"""bin/health with less patience: what it waits for comes at once here, or never; on a busy machine soon.

    hasty.py BIN/health ARGUMENTS
"""

from __future__ import annotations

import sys
from pathlib import Path

from patience import busy

if __name__ == "__main__":
    program = Path(sys.argv.pop(1)).resolve()
    sys.path.insert(0, str(program.parent.parent / "lib"))
    from homesim import process
    from homesim.health import main, recovery
    from homesim.stick import probe, usb

    times = 4 if busy() else 1
    recovery.PAUSE = recovery.PAUSE_POWER = 0.3 * times  # sysfs_tree sees one write of two that come too close
    process.HAND_OVER = 2.0 * times
    recovery.SETTLE = usb.RETURN = 2.0 * times
    recovery.ANSWER = recovery.REGISTER = 0.2 * times
    probe.ANSWER = 1.0 * times
    main.main()
