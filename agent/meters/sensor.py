# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Sensors that are files: a counter in microjoules, a power in microwatts, or millivolts beside milliamperes.

The adapters (`hwmon`, `acpi`) decide what a file means; this module only reads it, and takes no value that cannot be
true: text that is no integer, a negative power, more watts than the component can draw, and 0 W for a whole machine
that is running this very program are all `Unread`, for that sensor alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from agent.files import read_int, reason_of
from agent.meters.protocol import Reading, Unread

if TYPE_CHECKING:
    from agent.meters.protocol import Component, Metered
    from plumbing.clock import Clock

Quantity = Literal["energy", "power", "volt_amp"]
"""Microjoules since some start, microwatts, or millivolts and milliamperes, whose product is microwatts."""

PLAUSIBLE_W: Final[dict[Component, float]] = {
    # A running machine may be eight 1 kW accelerators with their hosts (DGX H100: 10.2 kW rated), with room for more.
    "platform": 20_000.0,
    # Two GPUs of 1.2 kW and a CPU of 300 W on one board (GB200) come to 2.7 kW.
    "module": 4000.0,
    "gpu": 2000.0,
    # As for RAPL: no socket made draws a kilowatt, and no socket's memory 400 W.
    "cpu": 1000.0,
    "core": 1000.0,
    "uncore": 500.0,
    "soc": 500.0,
    # The largest supply of a common form factor (OCP ORv3 shelf modules) gives 5.5 kW.
    "psu": 8000.0,
    "dram": 400.0,
}
"""Most watts that a sensor of a component can mean; above it the value is not a reading."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """One domain and the files that give it; several parts are added, and one that fails leaves no sum.

    ``parts`` holds one path per part, or (voltage, current) for a product. ``scale`` multiplies the value exactly.
    ``window_ns`` is the averaging time of a power, 0 for one of the moment.
    """

    metered: Metered
    quantity: Quantity
    parts: tuple[tuple[str, ...], ...]
    scale: Fraction = Fraction(1)
    window_ns: int = 0

    def value(self) -> int | str:
        """Microjoules or microwatts now, or the reason why there are none."""
        total = 0
        for files in self.parts:
            try:
                numbers = [read_int(file) for file in files]
            except (OSError, ValueError) as error:
                return reason_of(error)
            if min(numbers) < 0:
                # A current that flows backwards, or a driver's error code in a signed register.
                return "negative"
            total += numbers[0] if len(numbers) == 1 else numbers[0] * numbers[1]
        value = total * self.scale.numerator // self.scale.denominator
        if self.quantity != "energy":
            component = self.metered.domain.component
            if value > PLAUSIBLE_W.get(component, max(PLAUSIBLE_W.values())) * 1e6:
                return "implausible_power"
            if value == 0 and component == "platform":
                return "no_power"
        return value


class SensorMeter:
    """Reads its sensors one after the other, each with its own time."""

    def __init__(self, *, source: str, sensors: tuple[Sensor, ...], clock: Clock, slow: bool = False) -> None:
        self.source = source
        self.slow = slow
        """Whether a read goes over a bus or through firmware, which takes milliseconds per sensor."""
        self.metered = tuple(sensor.metered for sensor in sensors)
        self._sensors = sensors
        self._clock = clock
        self._last_ns: dict[str, int] = {}

    def read(self) -> tuple[Reading | Unread, ...]:
        """All sensors; a mean over a window that does not reach back to the last reading counts as one moment."""
        return tuple(self._one(sensor) for sensor in self._sensors)

    def _one(self, sensor: Sensor) -> Reading | Unread:
        domain = sensor.metered.domain.name
        value = sensor.value()
        now_ns = self._clock.monotonic_ns()
        if isinstance(value, str):
            return Unread(domain, value)
        if sensor.quantity == "energy":
            return Reading(domain=domain, from_ns=now_ns, to_ns=now_ns, counter_uj=value)
        from_ns = now_ns - sensor.window_ns
        if from_ns > self._last_ns.get(domain, from_ns):
            # A 1 s mean read every 5 s is a sample of the power, not a hole of 4 s in the energy.
            from_ns = now_ns
        self._last_ns[domain] = now_ns
        return Reading(domain=domain, from_ns=from_ns, to_ns=now_ns, power_w=value / 1e6)
