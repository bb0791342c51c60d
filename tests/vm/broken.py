# SPDX-License-Identifier: GPL-2.0-or-later
"""What each case is there for, broken: make break-vm. A case that passes all the same proves nothing, and fails there.

One line of what `make install` has put into the guest is changed, by sed(1), when the case begins; where the stick
has to be in use first, then.
"""

from __future__ import annotations

from vm.guest import Guest

LIB = "/usr/local/lib/homesim/lib/homesim"
USB = f"{LIB}/stick/usb.py"
RULE = "/etc/udev/rules.d/78-homesim.rules"
SWITCH = "/etc/usb_modeswitch.d/12d1:1f01"

BROKEN = {
    # plug
    "test_cold_plug": (SWITCH, "s/^HuaweiAltMode=1//"),
    "test_setup_with_its_options": (f"{LIB}/setup/configfile.py", "s/files.replace(path, self._text)/pass/"),
    "test_link_survives_change_and_bind": (RULE, 's/^ACTION=="remove", GOTO/ACTION!="add", GOTO/'),
    "test_replug_while_poll_lingers": (f"{LIB}/stick/at.py", "s/self.problem = error/self.problem = None/"),
    "test_another_usb_port": (RULE, 's/^SUBSYSTEM=="tty"/&, KERNELS=="1-1"/'),
    "test_numbers_that_shift": (RULE, 's/^SUBSYSTEM=="tty"/&, KERNEL=="ttyUSB0"/'),
    "test_hilink": (USB, 's/else "hilink"/else "serial"/'),
    "test_modem_manager_keeps_off": (RULE, 's/ENV{ID_MM_DEVICE_IGNORE}="1"/ENV{.NOTHING}="1"/'),
    "test_two_sticks": (USB, 's/return self.at(folder.name)/return self.at("1-2")/'),
    # heal
    "test_freeze_that_authorized_cures": (USB, 's|"authorized", "1" if on else "0"|"authorized", "1"|'),
    "test_freeze_that_only_power_cures": (USB, 's|/ "disable").exists()|/ "absent").exists()|'),
    "test_freeze_that_only_a_hand_cures": (f"{LIB}/health/alert.py", 's/"" if known.unknown else/"" if True else/'),
    "test_back_in_storage_mode_after_a_reset": (SWITCH, "s/^HuaweiAltMode=1//"),
    "test_killed_between_off_and_on": (USB, "s/if stick is None or device.exists() or .*/if True:/"),
    "test_a_stick_that_is_really_dead": (USB, "s/except OSError as error:/except KeyError as error:/"),
    # power cut
    "test_power_cut[when_it_deletes]": (f"{LIB}/store/files.py", "s/os.fsync(descriptor)/pass/"),
    "test_power_cut[when_it_waits]": (f"{LIB}/store/files.py", "s/os.fsync(descriptor)/pass/"),
    "test_power_cut[when_telegram_has_it]": (
        f"{LIB}/poll/deliver.py", 's/self._spool.save("attempt", attempt)/pass/'
    ),
    # soak
    "test_a_day_in_an_hour": (f"{LIB}/poll/deliver.py", "s/ \\* (entry.name in self._attempt)/ * 0/"),
}  # fmt: skip
"""The file, and what is done to it, by the name of the case."""


def sabotage(guest: Guest, case: str) -> None:
    """Break it."""
    file, change = BROKEN[case]
    guest.check(f"cp '{file}' /tmp/whole && sed -i '{change}' '{file}' && ! cmp -s '{file}' /tmp/whole")
    if file == RULE:
        guest.check("udevadm control --reload")
