# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What an operator says that a sensor measures, where no table can know: the setting ``hwmon_sensors``.

ina226@1-0040/power1=platform/node        this device's power is the machine's
ltc4151/curr1=platform/node*0.5           volts times amperes; the board's shunt is 2 mOhm, not the 1 of the driver
scmi_sensors/energy3=cpu/socket-0         the third energy channel of the firmware
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, get_args

from agent.meters.protocol import Component, Domain

_DECLARATION: Final = re.compile(
    r"^(?P<chip>[^@/=*\s]+)(?:@(?P<device>[^/=*\s]+))?/(?P<channel>(?:energy|power|curr)\d+)"
    r"=(?P<component>[a-z]+)/(?P<scope>[a-z0-9][a-z0-9.-]{0,62})(?:\*(?P<factor>\d{1,6}(?:\.\d{1,6})?))?$"
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What an operator says that a sensor measures; ``device`` None is the chip wherever it is."""

    chip: str
    device: str | None
    channel: str
    domain: Domain
    factor: Fraction


def declared(text: str) -> Declared:
    """Reads ``CHIP[@DEVICE]/CHANNEL=COMPONENT/SCOPE[*FACTOR]``. Raises ValueError that says what is wrong."""
    match = _DECLARATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not CHIP[@DEVICE]/CHANNEL=COMPONENT/SCOPE[*FACTOR]")
    component = match["component"]
    if component not in get_args(Component):
        raise ValueError(f"{text!r}: {component!r} is not one of {', '.join(get_args(Component))}")
    factor = Fraction(match["factor"] or 1)
    if factor <= 0:
        raise ValueError(f"{text!r}: the factor must be above 0")
    return Declared(
        chip=match["chip"],
        device=match["device"],
        channel=match["channel"],
        domain=Domain(component, match["scope"]),  # type: ignore[arg-type]
        factor=factor,
    )
