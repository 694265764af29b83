# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""How often a meter is asked, and how long it may take (DESIGN 4, METERING 7).

Tiers bound the age of gauges and of the figures shown. They are not what an interval's energy rests on: counters are
read at its edges besides, whatever their tier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from agent.meters.protocol import Meter

Tier = Literal["fast", "medium", "slow", "heartbeat"]

PERIOD_S: Final[dict[Tier, float]] = {"fast": 0.1, "medium": 0.5, "slow": 3.0, "heartbeat": 5.0}

IDLE_PERIOD_S: Final = 1.0
"""Of the fast and the medium tier while nothing moves and nobody asks: reads at 10 Hz wake sleeping sockets."""

DEADLINE_S: Final[dict[Tier, float]] = {
    "fast": 1.0,
    "medium": 1.0,
    # An ACPI method or eight PMBus supplies may take a second on a busy bus.
    "slow": 3.0,
    # A BMC has 5 s per document and may begin one at the end of its time; pyghmi gives up after some ten seconds.
    "heartbeat": 15.0,
}

_OF_SOURCE: Final[dict[str, Tier]] = {
    "rapl-powercap": "fast",
    "rapl-perf": "fast",
    "simulated": "fast",
    "hwmon": "medium",
    "acpi": "slow",
    "nvml": "medium",
    "gpu-sysfs": "medium",
    "modelled": "medium",
    "dcgm": "heartbeat",
    "redfish": "heartbeat",
    "ipmi": "heartbeat",
    "prometheus": "heartbeat",
}


def tier_of(meter: Meter) -> Tier:
    """The tier of a meter's source; sensors behind a slow bus are asked less often than their source."""
    tier = _OF_SOURCE.get(meter.source, "fast")
    return "slow" if tier == "medium" and getattr(meter, "slow", False) else tier


def period_s(tier: Tier, *, lively: bool) -> float:
    """Seconds between two reads. ``lively``: power moves, or somebody asks."""
    return PERIOD_S[tier] if lively else max(PERIOD_S[tier], IDLE_PERIOD_S)
