# SPDX-License-Identifier: GPL-2.0-or-later
"""What an emulated stick remembers: settings, SIM, selected memories, slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emulators.stick.calls import Call
from emulators.stick.faults import Faults, Registration, Sim
from emulators.stick.profiles import Profile
from emulators.stick.store import Store


@dataclass(frozen=True)
class Setting:
    """A command that only stores what it is set to: the answer to =? and the value at power-on."""

    test: str
    default: str


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "+CMGF": Setting("(0-1)", "0"),
        "+CMEE": Setting("(0-2)", "0"),
        "+CSCS": Setting('("IRA","UCS2","GSM")', '"IRA"'),
        "+CNMI": Setting("(0-2),(0-3),(0,2),(0-2),(0,1)", "0,0,0,0,0"),
        "+CREG": Setting("(0-2)", "0"),
        "+CGREG": Setting("(0-2)", "0"),
        "+CEREG": Setting("(0-2)", "0"),
        "+CFUN": Setting("(0-1,4),(0-1)", "1"),
        "+CLIP": Setting("(0-1)", "0"),
        "+CRC": Setting("(0-1)", "0"),
        "+CCWA": Setting("(0-1)", "0"),
        "+CUSD": Setting("(0-2)", "0"),
        "^CURC": Setting("(0-1)", "1"),
    }
)


class State:
    """One stick's memory. The slots outlive a restart, all the rest starts anew."""

    def __init__(self, profile: Profile, pin: str | None, faults: Faults) -> None:
        self.profile = profile
        self.faults = faults
        self.store = Store(profile.sizes, profile.first_slot)
        self.pin_tries_left = 3
        self._pin = pin
        self.call: Call | None = None
        """The call that rings."""
        self.power_on()

    def power_on(self) -> None:
        self.reset_settings()
        self.memories = [self.profile.receive_memory] * 3
        """<mem1> read and delete, <mem2> write and send, <mem3> receive (27.005 section 3.1)."""
        self.unlocked = self._pin is None
        self.restart_due = False
        self.radio_cycled = False

    def reset_settings(self) -> None:
        """ATZ and AT&F, V.250 section 6.1."""
        self.echo = True
        self.settings = {name: setting.default for name, setting in SETTINGS.items()}
        self.operator_format = 0

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
