# SPDX-License-Identifier: GPL-2.0-or-later
"""homesim: your home SIM's SMS in your Telegram chat, wherever you are."""

__version__ = "0.1.0"
