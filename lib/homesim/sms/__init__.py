# SPDX-License-Identifier: GPL-2.0-or-later
"""What an SMS is: PDUs, what belongs together, what it says, its one-time code. Pure; it imports nothing of ours."""
