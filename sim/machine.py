# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A machine with RAPL counters that never was: a sysfs tree as the kernel lays it out, driven by a known load.

The tree holds ``class/powercap/intel-rapl:N`` (a package per socket) and ``intel-rapl:N:0`` (its memory), and the
marker without which no agent reads it. Counters advance by known watts and wrap; `truth_uj` keeps them unwrapped.
Files are written in place, one write each and always the same length, so that a reader sees an old value or a new one
and never a mix, also through a descriptor that it keeps open.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MARKER: Final = "penstock-simulated.json"

# What a two-socket Xeon shows: 2**18 J less one unit, which at 200 W wraps every 22 minutes.
_RANGE_UJ: Final = 262_143_328_850
# As long as any counter below 2**64 and the newline.
_WIDTH: Final = 21


@dataclass(frozen=True, slots=True)
class Shape:
    """How a simulated machine is built; watts per socket, package = idle + (max - idle) x load ** exponent."""

    sockets: int = 2
    idle_w: float = 30.0
    max_w: float = 180.0
    exponent: float = 1.1
    dram_idle_w: float = 4.0
    dram_max_w: float = 16.0
    max_energy_range_uj: int = _RANGE_UJ

    def __post_init__(self) -> None:
        if not 1 <= self.sockets <= 16:
            raise ValueError(f"sockets: {self.sockets} is not within 1..16")
        if not (0 <= self.idle_w <= self.max_w and 0 <= self.dram_idle_w <= self.dram_max_w):
            raise ValueError("idle_w, max_w: watts must not be negative, nor fall with load")
        if self.max_energy_range_uj < 1:
            raise ValueError("max_energy_range_uj: must be positive")

    def power_w(self, load_ratio: float) -> dict[str, float]:
        """Watts of each zone by its folder's name."""
        package_w = self.idle_w + (self.max_w - self.idle_w) * load_ratio**self.exponent
        dram_w = self.dram_idle_w + (self.dram_max_w - self.dram_idle_w) * load_ratio
        zones: dict[str, float] = {}
        for socket in range(self.sockets):
            zones[f"intel-rapl:{socket}"] = package_w
            zones[f"intel-rapl:{socket}:0"] = dram_w
        return zones


class Machine:
    """Writes the tree below ``root`` and moves its counters."""

    def __init__(self, root: Path, *, shape: Shape | None = None, start_uj: int = 0) -> None:
        """Creates the tree, or takes over one of ours. Raises FileExistsError where something else stands."""
        self.shape = shape or Shape()
        if root.exists() and any(root.iterdir()) and not (root / MARKER).is_file():
            raise FileExistsError(f"{root}: not empty, and without {MARKER} no simulated tree")
        self._powercap = root / "class" / "powercap"
        self._exact_uj = dict.fromkeys(self.shape.power_w(0.0), float(start_uj))
        self._start_uj = start_uj
        # The marker first: a tree without it might be taken for a real one.
        root.mkdir(parents=True, exist_ok=True)
        marker = {"simulated": True, "made_by": "penstock sim", "shape": asdict(self.shape)}
        (root / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
        for zone in self._exact_uj:
            self._make_zone(zone)
        self._write_counters()

    @property
    def truth_uj(self) -> dict[str, int]:
        """Energy since the machine was made by zone, never wrapped."""
        return {zone: int(exact) - self._start_uj for zone, exact in self._exact_uj.items()}

    def advance(self, elapsed_s: float, *, load_ratio: float) -> None:
        """Moves all counters by ``elapsed_s`` at ``load_ratio`` (0..1)."""
        if elapsed_s < 0 or not 0 <= load_ratio <= 1:
            raise ValueError(f"cannot run for {elapsed_s} s at a load of {load_ratio}")
        for zone, power_w in self.shape.power_w(load_ratio).items():
            self._exact_uj[zone] += power_w * elapsed_s * 1e6
        self._write_counters()

    def _make_zone(self, zone: str) -> None:
        folder = self._powercap / zone
        folder.mkdir(parents=True, exist_ok=True)
        package = zone.count(":") == 1
        limit_uw = round((self.shape.max_w if package else self.shape.dram_max_w) * 1e6)
        files = {
            "name": f"package-{zone.partition(':')[2]}" if package else "dram",
            "enabled": "1",
            "max_energy_range_uj": str(self.shape.max_energy_range_uj),
            "constraint_0_name": "long_term",
            "constraint_0_power_limit_uw": str(limit_uw),
            "constraint_0_max_power_uw": str(limit_uw),
            "constraint_0_time_window_us": "999424",
        }
        for name, content in files.items():
            (folder / name).write_text(content + "\n", encoding="ascii")

    def _write_counters(self) -> None:
        # The kernel's counter takes every value up to and including its range.
        period = self.shape.max_energy_range_uj + 1
        for zone, exact in self._exact_uj.items():
            text = str(int(exact) % period).ljust(_WIDTH - 1) + "\n"
            descriptor = os.open(self._powercap / zone / "energy_uj", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, text.encode("ascii"), 0)
            finally:
                os.close(descriptor)
