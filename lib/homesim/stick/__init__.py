# SPDX-License-Identifier: GPL-2.0-or-later
"""What is behind a modem: a stick with a port, its SIM, and the USB device that it is."""
