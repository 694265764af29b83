# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""RAPL through powercap: every zone of every socket, read from ``<sysfs>/class/powercap``.

Zones are named by the kernel: ``package-0`` or ``package-0-die-1`` at the top, ``psys`` beside them, and ``core``,
``uncore``, ``dram`` below a package. Package contains core and uncore, so those two are read for the list and never
booked; dram is a domain of its own. The mmio interface shows the same counters a second time and is dropped where the
MSR zone of that name exists. Energy files are readable by root alone (0400) since the PLATYPUS mitigation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.files import IntegerFile, read_int, read_text, reason_of
from agent.meters.protocol import Counter, Discovery, Domain, Metered, Reading, Skipped, Unread
from agent.meters.quality import rapl_quality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.meters.protocol import Component, Quality
    from estimator.curves import CpuIdentity
    from plumbing.clock import Clock

SOURCE: Final = "rapl-powercap"

# Where a zone states no limit (AMD, most DRAM): no socket made draws a kilowatt, no socket's memory 400 W.
_PLAUSIBLE_W: Final[dict[str, float]] = {"cpu": 1000.0, "dram": 400.0, "platform": 4000.0}

# The counter moves about every millisecond (Intel SDM volume 3, "RAPL interfaces"); ten leave room for jitter. A tree
# that `sim` writes moves every 100 ms, or later where the machine is busy.
_UPDATE_NS: Final = 10_000_000
_SIMULATED_UPDATE_NS: Final = 500_000_000

_ZONE: Final = re.compile(r"^(?P<control>[a-z][a-z-]*):(?P<top>\d+)(?::(?P<sub>\d+))?$")
_PACKAGE: Final = re.compile(r"^package-(?P<socket>\d+)(?:-die-(?P<die>\d+))?$")


@dataclass(frozen=True, slots=True)
class Zone:
    """One powercap folder and what it stands for; an unknown name has no component."""

    path: Path
    control: str
    name: str
    component: Component | None
    scope: str

    @property
    def mmio(self) -> bool:
        """Whether this is the memory-mapped twin of a zone."""
        return self.control.endswith("-mmio")


def zones(powercap: Path) -> Iterator[Zone]:
    """Every zone under ``powercap`` in kernel order; a folder without a readable name is passed over."""
    found: list[tuple[str, int, int, Path]] = []
    for path in powercap.iterdir() if powercap.is_dir() else ():
        if match := _ZONE.match(path.name):
            found.append((match["control"], int(match["top"]), int(match["sub"] or -1), path))
    tops: dict[tuple[str, int], str] = {}
    psys = 0
    for control, top, sub, path in sorted(found, key=lambda each: each[:3]):
        try:
            name = read_text(str(path / "name"))
        except OSError:
            continue
        if sub < 0:
            package = _PACKAGE.match(name)
            if package:
                scope = f"socket-{package['socket']}" + (f"-die-{package['die']}" if package["die"] else "")
                tops[control, top] = scope
                yield Zone(path, control, name, "cpu", scope)
            elif name == "psys":
                yield Zone(path, control, name, "platform", "node" if psys == 0 else f"psys-{psys}")
                psys += not control.endswith("-mmio")
            elif name == "dram":
                yield Zone(path, control, name, "dram", f"zone-{top}")
            else:
                yield Zone(path, control, name, None, f"zone-{top}")
            continue
        scope = tops.get((control, top), f"zone-{top}")
        component: Component | None = {"core": "core", "uncore": "uncore", "dram": "dram"}.get(name)  # type: ignore[assignment]
        yield Zone(path, control, name, component, scope)


class RaplMeter:
    """Reads the counters of the zones that were found."""

    def __init__(self, *, source: str, zones: tuple[tuple[Zone, Metered], ...], clock: Clock) -> None:
        self.source = source
        self.metered = tuple(metered for _, metered in zones)
        self._files = tuple((metered.domain.name, IntegerFile(str(zone.path / "energy_uj"))) for zone, metered in zones)
        self._clock = clock

    def read(self) -> tuple[Reading | Unread, ...]:
        """All zones one after the other, each with its own time."""
        out: list[Reading | Unread] = []
        for domain, file in self._files:
            try:
                counter_uj = file.read()
            except (OSError, ValueError) as error:
                out.append(Unread(domain, reason_of(error)))
                continue
            now_ns = self._clock.monotonic_ns()
            out.append(Reading(domain=domain, from_ns=now_ns, to_ns=now_ns, counter_uj=counter_uj))
        return tuple(out)

    def close(self) -> None:
        """Gives the descriptors back."""
        for _, file in self._files:
            file.close()


def discover(sysfs: Path, *, cpu: CpuIdentity, clock: Clock, source: str = SOURCE) -> Discovery:
    """Finds the zones to book and lists the others with the reason."""
    powercap = sysfs / "class" / "powercap"
    known = list(zones(powercap))
    if not known:
        return Discovery(None, (Skipped(source, "no powercap zones: this machine shows no RAPL"),))
    original = {(zone.name, zone.scope): zone for zone in known if not zone.mmio}
    chosen: list[tuple[Zone, Metered]] = []
    skipped: list[Skipped] = []
    names: set[str] = set()
    for zone in known:
        quality = rapl_quality(zone.component or "cpu", cpu)
        reason = _why_not(zone, original)
        if reason is None and (zone.component is None or f"{zone.component}/{zone.scope}" in names):
            reason = f"{zone.path.name} is a second zone called {zone.name}"
        if reason is not None or zone.component is None:
            skipped.append(Skipped(source, reason or "", zone.component or zone.name, zone.scope, quality.kind))
            continue
        metered = _metered(zone, quality, update_ns=_UPDATE_NS if source == SOURCE else _SIMULATED_UPDATE_NS)
        names.add(metered.domain.name)
        chosen.append((zone, metered))
    if not chosen:
        return Discovery(None, tuple(skipped))
    return Discovery(RaplMeter(source=source, zones=tuple(chosen), clock=clock), tuple(skipped))


def _why_not(zone: Zone, original: dict[tuple[str, str], Zone]) -> str | None:
    if zone.component is None:
        return f"zone {zone.path.name} is called {zone.name!r}, which says nothing known"
    if zone.mmio and (twin := original.get((zone.name, zone.scope))):
        return f"same counter as {twin.path.name}"
    try:
        read_int(str(zone.path / "energy_uj"))
    except (OSError, ValueError) as error:
        # A zone that is denied stays denied; one that fails today may read tomorrow and is kept, with gaps until then.
        if reason_of(error) == "permission_denied":
            return "permission denied: energy_uj needs root or a mount that grants it"
        if reason_of(error) == "vanished":
            return "has no energy_uj"
    return None


def _metered(zone: Zone, quality: Quality, *, update_ns: int) -> Metered:
    assert zone.component is not None
    return Metered(
        domain=Domain(zone.component, zone.scope),
        quality=quality,
        counter=Counter(range_uj=_range_uj(zone), plausible_w=_plausible_w(zone), update_ns=update_ns),
    )


def _range_uj(zone: Zone) -> int | None:
    try:
        value = read_int(str(zone.path / "max_energy_range_uj"))
    except (OSError, ValueError):
        return None
    return value if value > 0 else None


def _plausible_w(zone: Zone) -> float:
    """Highest power the zone can mean: its largest limit, or twice its rated power (METERING 7)."""
    limits_w = [0.0]
    for file in zone.path.glob("constraint_*_power_limit_uw"):
        limits_w.append(_watts(file))
    limits_w.append(2 * _watts(zone.path / "constraint_0_max_power_uw"))
    return max(limits_w) or _PLAUSIBLE_W.get(zone.component or "cpu", _PLAUSIBLE_W["cpu"])


def _watts(file: Path) -> float:
    try:
        return max(0, read_int(str(file))) / 1e6
    except (OSError, ValueError):
        return 0.0
