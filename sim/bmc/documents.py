# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a simulated server draws, and the pieces that Redfish documents are made of.

Every vendor's documents are written from one `Draw`, so that whoever reads them can be checked against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Tree = dict[str, dict[str, Any]]
"""URI -> document."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Watts into and out of one supply."""

    input_w: float
    output_w: float


@dataclass(frozen=True, slots=True)
class Draw:
    """One moment of a server with two supplies, the second in cold redundancy: plugged in, giving nothing.

    The default is the pattern that public listings of two-supply servers show (one at some 390 W, one at 5 to 12 W in
    and 0 out), in figures of our own.
    """

    supplies: tuple[Flow, ...] = (Flow(402.0, 376.0), Flow(8.0, 0.0))
    cpu_w: float = 171.0
    dram_w: float = 43.0
    fan_w: float = 22.0
    energy_kwh: float = 1234.567

    @property
    def input_w(self) -> float:
        """Drawn from the mains."""
        return sum(each.input_w for each in self.supplies)

    @property
    def output_w(self) -> float:
        """Given to the board."""
        return sum(each.output_w for each in self.supplies)


def ref(uri: str) -> dict[str, str]:
    """A link."""
    return {"@odata.id": uri}


def resource(uri: str, kind: str, identity: str, name: str, **more: Any) -> dict[str, Any]:
    """A document of the schema ``kind``, such as ``Power.v1_7_1.Power``."""
    return {"@odata.id": uri, "@odata.type": f"#{kind}", "Id": identity, "Name": name, **more}


def collection(uri: str, kind: str, *members: str) -> dict[str, Any]:
    """A collection of links."""
    return {
        "@odata.id": uri,
        "@odata.type": f"#{kind}.{kind}",
        "Name": kind,
        "Members": [ref(member) for member in members],
        "Members@odata.count": len(members),
    }


def status(state: str = "Enabled", health: str | None = "OK") -> dict[str, str | None]:
    """Resource.Status."""
    return {"State": state, "Health": health}


def excerpt(value: float | None, source: str) -> dict[str, Any]:
    """A Sensor excerpt with the sensor that it is taken from."""
    return {"DataSourceUri": source, "Reading": value}
