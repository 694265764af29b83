# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine's meters show: energy registers that count in units, lag and wrap, and a slow gauge at the plug.

The true energy goes in, what a reader would see comes out: a gain per socket, noise, a register that moves every
millisecond and not quite on time, 32 bits of counts. Noise has a stream of random numbers of its own, so that a run
with one task less meters the rest with the same noise.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.silicon import supply
from sim.silicon.zones import Zone, zones

if TYPE_CHECKING:
    from sim.silicon.flow import Flow
    from sim.silicon.machine import Machine

_STREAM: Final = 3
_GAUGE_STREAM: Final = 4


class Registers:
    """The energy registers of all zones."""

    def __init__(self, machine: Machine, *, seed: int, start_count: int | None = None) -> None:
        """``start_count`` is what all registers hold; None draws it, for no machine was switched on just now."""
        self.zones = zones(machine)
        self._machine = machine
        self._generator = np.random.default_rng([seed, _STREAM])
        self._own = tuple(zone for zone in self.zones if not zone.twin_of)
        self._exact_uj: dict[str, float] = {}
        self._count: dict[str, int] = {}
        for zone in self._own:
            count = int(self._generator.integers(zone.counts)) if start_count is None else start_count
            self._count[zone.folder] = count
            self._exact_uj[zone.folder] = count * zone.unit_nj / 1000

    def advance(self, flow: Flow) -> None:
        """Adds what a block drew."""
        elapsed_s = flow.elapsed_s
        late = self._generator.random(len(self._own)) * self._machine.meters.update_s
        noise = self._generator.standard_normal(len(self._own))
        for at, zone in enumerate(self._own):
            energy_j, last_w = self._seen(zone, flow)
            if zone.kind == "package":
                energy_j += float(noise[at]) * self._machine.meters.noise_w * math.sqrt(elapsed_s)
            # No register ever falls; noise larger than the energy only holds it up.
            self._exact_uj[zone.folder] += max(0.0, energy_j) * 1e6
            shown_uj = self._exact_uj[zone.folder] - last_w * float(late[at]) * 1e6
            count = math.floor(shown_uj * 1000 / zone.unit_nj)
            self._count[zone.folder] = max(self._count[zone.folder], count)

    def counter_uj(self, zone: Zone) -> int:
        """What a reader of the zone sees."""
        return zone.shown_uj(self._count[zone.twin_of or zone.folder])

    def counted_uj(self, zone: Zone) -> int:
        """The same without wrapping, since the register's zero."""
        return self._count[zone.twin_of or zone.folder] * zone.unit_nj // 1000

    def set(self, folder: str, count: int) -> None:
        """Puts a register to a value: 0 after a suspend."""
        zone = next(each for each in self.zones if each.folder == folder)
        self._count[zone.twin_of or folder] = max(0, count)
        self._exact_uj[zone.twin_of or folder] = max(0, count) * zone.unit_nj / 1000

    def step_back(self, folder: str, counts: int) -> None:
        """Takes counts away, as firmware with a fault does, but never more than there are."""
        zone = next(each for each in self.zones if each.folder == folder)
        own = zone.twin_of or folder
        counts = min(counts, self._count[own])
        self._count[own] -= counts
        self._exact_uj[own] -= counts * zone.unit_nj / 1000

    def count(self, folder: str) -> int:
        """A register's value, not wrapped."""
        zone = next(each for each in self.zones if each.folder == folder)
        return self._count[zone.twin_of or folder]

    def _seen(self, zone: Zone, flow: Flow) -> tuple[float, float]:
        """Joules of the block as this register takes them, and its watts in the last step."""
        meters = self._machine.meters
        socket = zone.socket
        gain = meters.gain_ratio[min(socket, len(meters.gain_ratio) - 1)]
        if zone.kind == "package":
            watts = flow.package_w[:, socket] - (1.0 - meters.traffic_seen_ratio) * flow.traffic_w[:, socket]
            watts = gain * watts
        elif zone.kind == "dram":
            watts = np.maximum(0.0, meters.dram_gain_ratio * flow.dram_w[:, socket] + meters.dram_offset_w)
        elif zone.kind == "core":
            watts = gain * flow.core_zone_w[:, socket]
        elif zone.kind == "one_core":
            watts = np.full(len(flow.ac_w), gain * flow.core_w[socket * self._machine.cores_per_socket])
        elif zone.kind == "psys":
            watts = meters.platform_gain_ratio * flow.dc_w
        else:
            watts = np.zeros(len(flow.ac_w))  # no graphics on the chip
        return float(watts.sum()) * flow.step_s, float(watts[-1])


@dataclass(frozen=True, slots=True)
class Shown:
    """What the platform's meter shows from ``at_s`` on."""

    at_s: float
    input_w: float
    output_w: float


class Gauge:
    """The platform's power meter: a mean over a while, some time ago, in whole steps, now and then."""

    def __init__(self, machine: Machine, *, seed: int) -> None:
        self._meters = machine.meters
        self._generator = np.random.default_rng([seed, _GAUGE_STREAM])
        self._rest_w = supply.rest_w(machine)
        # (time, joules in, joules out) since the start; before it the machine was at rest.
        self._past: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)])
        self._next_s = self._meters.platform_period_s
        self.shown = self._look(0.0)

    def advance(self, flow: Flow) -> Shown | None:
        """Adds a block; a new value if one is due, which is then also ``shown``."""
        if self._meters.platform == "none":
            return None
        at_s, input_j, output_j = self._past[-1]
        now_s = at_s + flow.elapsed_s
        input_j += float(flow.ac_w.sum()) * flow.step_s
        output_j += float(flow.dc_w.sum()) * flow.step_s
        self._past.append((now_s, input_j, output_j))
        oldest_s = now_s - self._meters.platform_lag_s - self._meters.platform_mean_s - flow.elapsed_s
        while len(self._past) > 2 and self._past[1][0] <= oldest_s:
            self._past.popleft()
        if now_s < self._next_s - 1e-9:
            return None
        self._next_s += self._meters.platform_period_s
        self.shown = self._look(now_s)
        return self.shown

    def _look(self, now_s: float) -> Shown:
        meters = self._meters
        to_s = now_s - meters.platform_lag_s
        from_s = to_s - meters.platform_mean_s
        noise_w = meters.platform_noise_w * float(self._generator.standard_normal())
        watts: list[float] = []
        for side in (0, 1):
            mean_w = (self._joules(side, to_s) - self._joules(side, from_s)) / meters.platform_mean_s
            steps = round((mean_w * meters.platform_gain_ratio + noise_w) / meters.platform_step_w)
            watts.append(max(0.0, steps * meters.platform_step_w))
        return Shown(now_s, watts[0], watts[1])

    def _joules(self, side: int, at_s: float) -> float:
        if at_s < 0.0:
            return at_s * self._rest_w[side]
        return float(np.interp(at_s, [each[0] for each in self._past], [each[side + 1] for each in self._past]))
