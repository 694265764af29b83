# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The PMU ``power`` as sysfs shows it, and a kernel that counts for it.

Shape: Documentation/ABI/testing/sysfs-bus-event_source-devices-events and -format; names, codes and scale of
arch/x86/events/rapl.c.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.meters.perf_event import Count
from tests.meters.hwmon_trees import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

CODES = {"energy-cores": 1, "energy-pkg": 2, "energy-ram": 3, "energy-gpu": 4, "energy-psys": 5}
SCALE = "2.3283064365386962890625e-10"
KIND = 12


def pmu(sysfs: Path, events: Iterable[str], *, cpumask: str, packages: Mapping[int, tuple[int, int]]) -> Path:
    """``packages``: CPU -> (package, die)."""
    power = sysfs / "bus" / "event_source" / "devices" / "power"
    write(power, {"type": KIND, "cpumask": cpumask})
    write(power / "format", {"event": "config:0-7"})
    for name in events:
        code = f"event=0x{CODES[name]:02x}"
        write(power / "events", {name: code, f"{name}.unit": "Joules", f"{name}.scale": SCALE})
    for cpu, (package, die) in packages.items():
        topology = sysfs / "devices" / "system" / "cpu" / f"cpu{cpu}" / "topology"
        write(topology, {"physical_package_id": package, "die_id": die})
    return power


def dual_xeon(sysfs: Path) -> Path:
    """Two Xeons with memory, their first CPUs 0 and 32."""
    return pmu(sysfs, ("energy-pkg", "energy-ram"), cpumask="0,32", packages={0: (0, 0), 32: (1, 0)})


@dataclass(slots=True)
class Silicon:
    """Counters of a machine in 2**-32 J, by (config, cpu); what is opened counts from there."""

    joules: dict[tuple[int, int], float] = field(default_factory=dict)
    refused: dict[tuple[int, int], int] = field(default_factory=dict)
    away: set[int] = field(default_factory=set)
    """File descriptors whose CPU is gone: wanted, not counting."""
    broken: set[int] = field(default_factory=set)
    opened: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    kinds: set[int] = field(default_factory=set)
    enabled_ns: int = 0
    missed_ns: dict[int, int] = field(default_factory=dict)

    def draw(self, watts: Mapping[tuple[int, int], float], *, seconds: float) -> None:
        """Time passes."""
        for key, power_w in watts.items():
            self.joules[key] = self.joules.get(key, 0.0) + power_w * seconds
        self.enabled_ns += round(seconds * 1e9)
        for fd in self.away:
            self.missed_ns[fd] = self.missed_ns.get(fd, 0) + round(seconds * 1e9)

    def open(self, *, kind: int, config: int, cpu: int) -> int:
        """A counter that starts at 0."""
        if code := self.refused.get((config, cpu)):
            raise OSError(code, os.strerror(code))
        self.kinds.add(kind)
        fd = 100 + len(self.opened)
        self.opened[fd] = (config, cpu, self.joules.get((config, cpu), 0.0))
        return fd

    def read(self, fd: int) -> Count:
        """Its value now."""
        if fd in self.broken or fd not in self.opened:
            raise OSError(errno.ENODATA, "perf event: in error state")
        config, cpu, base_j = self.opened[fd]
        value = int((self.joules.get((config, cpu), 0.0) - base_j) * 2**32)
        return Count(value, self.enabled_ns, self.enabled_ns - self.missed_ns.get(fd, 0))

    def close(self, fd: int) -> None:
        """Gives it back."""
        del self.opened[fd]
