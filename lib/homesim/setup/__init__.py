# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that asks, tries, and writes the configuration."""
