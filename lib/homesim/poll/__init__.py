# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that moves SMS from the stick to the store and from the store to the chat."""
