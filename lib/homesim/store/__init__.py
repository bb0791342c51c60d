# SPDX-License-Identifier: GPL-2.0-or-later
"""What is on disk and in the run folder: the only room where anything becomes durable."""
