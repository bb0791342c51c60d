# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim on a real Debian kernel: `make test-vm`."""
