# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in Telegram: the Bot API, and a message as it looks there."""
