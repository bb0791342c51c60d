# SPDX-License-Identifier: GPL-2.0-or-later
"""What an emulated stick remembers: settings, SIM, selected memories, slots."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from emulators.stick.calls import Call
from emulators.stick.faults import Faults, Registration, Sim
from emulators.stick.profiles import Profile
from emulators.stick.store import Store

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "+CMGF": "0",
        "+CMEE": "0",
        "+CSCS": '"IRA"',
        "+CNMI": "0,0,0,0,0",
        "+CREG": "0",
        "+CGREG": "0",
        "+CEREG": "0",
        "+CFUN": "1",
        "+CLIP": "0",
        "+CRC": "0",
        "+CUSD": "0",
        "^CURC": "1",
    }
)
"""Commands that only store what they are set to, and that at power-on."""


class State:
    """One stick's memory. The slots outlive a restart, all the rest starts anew."""

    def __init__(self, profile: Profile, pin: str | None, faults: Faults) -> None:
        self.profile = profile
        self.faults = faults
        self.store = Store(profile.sizes)
        self.pin_tries_left = 3
        self._pin = pin
        self.call: Call | None = None
        """The call that rings."""
        self.power_on()

    def power_on(self) -> None:
        self.echo = True
        self.settings = dict(SETTINGS)
        self.memories = [self.profile.receive_memory] * 3
        """<mem1> read and delete, <mem2> write and send, <mem3> receive (27.005 section 3.1)."""
        self.unlocked = self._pin is None
        self.restart_due = False
        self.radio_cycled = False

    @property
    def receive_memory(self) -> str:
        return self.memories[2]

    @property
    def sim(self) -> Sim:
        if self.faults.sim_state is not None:
            return self.faults.sim_state
        if self.pin_tries_left == 0:
            return Sim.PUK
        return Sim.READY if self.unlocked else Sim.PIN

    def unlock(self, pin: str) -> bool:
        """Try a PIN; False, and one try less, when it is wrong."""
        if pin != self._pin:
            self.pin_tries_left -= 1
            return False
        self.pin_tries_left = 3
        self.unlocked = True
        return True

    @property
    def registration(self) -> Registration:
        """What +CREG says: no network without radio or SIM."""
        if self.settings["+CFUN"] != "1" or self.sim is not Sim.READY:
            return Registration.OFF
        return self.faults.registration

    def registration_text(self, name: str) -> str:
        """<stat>, with the cell if AT+CREG=2 asked for it (27.007 section 7.2)."""
        cell = ",4CA,81DE445" if self.settings[name] == "2" else ""
        return f"{self.registration:d}{cell if self.registration.in_service else ''}"

    def asks_for(self, mt: str) -> bool:
        """Whether AT+CNMI=<mode>,<mt> asks for this treatment of an SMS (27.005 section 3.4.1)."""
        mode, asked = [*self.settings["+CNMI"].split(","), "0"][:2]
        return mode != "0" and asked == mt
