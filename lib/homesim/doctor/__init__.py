# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that goes along the path of an SMS and names what holds it up, with the cure."""
