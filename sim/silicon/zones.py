# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The powercap zones of a machine, named and placed as the kernel's RAPL drivers do.

Shapes: Documentation/power/powercap/powercap.rst; a package's parts in the order core, uncore, dram, as
drivers/powercap/intel_rapl_common.c numbers them among those that exist; psys beside the packages on client parts; the
memory-mapped twin that client parts show; on Zen a package and one core below it, without limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sim.silicon.machine import Machine, ZoneKind

_PARTS: Final[tuple[ZoneKind, ...]] = ("core", "one_core", "uncore", "dram")
_NAMES: Final[dict[ZoneKind, str]] = {"core": "core", "one_core": "core", "uncore": "uncore", "dram": "dram"}


@dataclass(frozen=True, slots=True)
class Zone:
    """One folder of powercap. ``domain`` is the component and scope that it stands for."""

    folder: str
    name: str
    kind: ZoneKind
    socket: int
    domain: str
    unit_nj: int
    bits: int
    twin_of: str = ""
    """The folder whose register this one shows a second time."""

    @property
    def counts(self) -> int:
        """How many counts the register holds."""
        return 1 << self.bits

    @property
    def max_energy_range_uj(self) -> int:
        """The highest value that it shows: one count less than where it wraps."""
        return self.shown_uj(self.counts - 1)

    def shown_uj(self, count: int) -> int:
        """What the driver makes of a register's value."""
        return count % self.counts * self.unit_nj // 1000


def zones(machine: Machine) -> tuple[Zone, ...]:
    """All zones, packages first; none where the machine shows no RAPL."""
    meters = machine.meters
    wanted = meters.zones
    made: list[Zone] = []

    def add(folder: str, kind: ZoneKind, name: str, socket: int, domain: str, *, twin_of: str = "") -> None:
        unit_nj = meters.dram_unit_nj if kind == "dram" else meters.unit_nj
        made.append(Zone(folder, name, kind, socket, domain, unit_nj, meters.counter_bits, twin_of))

    for socket in range(machine.sockets):
        top = f"intel-rapl:{socket}"
        if "package" in wanted:
            add(top, "package", f"package-{socket}", socket, f"cpu/socket-{socket}")
        for number, kind in enumerate(each for each in _PARTS if each in wanted):
            component = "core" if kind in ("core", "one_core") else kind
            scope = f"socket-{socket}" + ("-one" if kind == "one_core" else "")
            add(f"{top}:{number}", kind, _NAMES[kind], socket, f"{component}/{scope}")
    if "psys" in wanted:
        add(f"intel-rapl:{machine.sockets}", "psys", "psys", 0, "platform/node")
    if "mmio" in wanted:
        for socket in range(machine.sockets):
            of = f"intel-rapl:{socket}"
            add(f"intel-rapl-mmio:{socket}", "mmio", f"package-{socket}", socket, f"cpu/socket-{socket}", twin_of=of)
    return tuple(made)
