# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that knows whether an SMS would arrive, and brings the stick back when it would not."""
