# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Which sources this machine has, which are used, and why the others are not.

Per component the best usable source is chosen (METERING 2): exact scope before wider, counter before power, kind,
then uncertainty. With the three sources of this version that comes to: RAPL, or its simulated twin, for cpu, dram and
platform; the modelled platform share only where nothing is metered at all, because it would otherwise wrap a guess
around a measurement and call the difference residual.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.errors import MeterError
from agent.files import read_bytes
from agent.meters import counter, modelled, rapl, simulated
from agent.meters.protocol import Discovery, Metered, Reading, Skipped
from agent.settings import METERS
from estimator.curves import CpuIdentity, Table
from plumbing.clock import Clock, SystemClock
from wire.units import watts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.meters.protocol import Meter
    from agent.settings import AgentSettings

# Long enough for several updates of a RAPL counter (1 ms) and two ticks of /proc/stat (10 ms), short for a person.
_SAMPLE_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Source:
    """One line of the discovery: a domain of a source, or what was passed over."""

    source: str
    component: str
    scope: str
    kind: str
    usable: bool
    chosen: bool
    reason: str

    @property
    def domain(self) -> str:
        """``component/scope``."""
        return f"{self.component}/{self.scope}"

    def item(self, power_w: float | None) -> dict[str, Any]:
        """The line in the shape of DESIGN 11; a source without a reading has the value null."""
        return {
            "name": f"{self.source}:{self.domain}" if self.component else self.source,
            "source": self.source,
            "component": self.component,
            "scope": self.scope,
            "kind": self.kind,
            "value": power_w,
            "unit": "W",
            "usable": self.usable,
            "chosen": self.chosen,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Survey:
    """All sources of a machine. ``chosen`` are the domains to book, parents before their children."""

    meters: tuple[Meter, ...]
    chosen: Mapping[str, tuple[str, Metered]]
    """Domain name -> (source, what it is)."""
    sources: tuple[Source, ...]
    cpu: CpuIdentity
    table: Table

    @property
    def simulated(self) -> bool:
        """Whether any joule booked is simulated."""
        return any(source == simulated.SOURCE for source, _ in self.chosen.values())


def survey(settings: AgentSettings, *, clock: Clock, table: Table | None = None) -> Survey:
    """Opens every source that may be used. Raises MeterError where a source that was asked for refuses."""
    cpu = _identity(Path(settings.procfs))
    table = table or Table.load()
    meters: list[Meter] = []
    lines: list[Source] = []
    chosen: dict[str, tuple[str, Metered]] = {}
    for name in METERS:
        if name not in settings.meters:
            lines.append(_line(Skipped(name, _unasked(name))))
            continue
        found = _open(name, settings, cpu=cpu, table=table, clock=clock)
        if found.meter is not None:
            meters.append(found.meter)
            for metered in found.meter.metered:
                reason = _refusal(name, metered, chosen)
                if reason is None:
                    chosen[metered.domain.name] = (name, metered)
                lines.append(_used(name, metered, reason))
        lines.extend(_line(each) for each in found.skipped)
    return Survey(tuple(meters), _contained(chosen), tuple(lines), cpu, table)


def _open(name: str, settings: AgentSettings, *, cpu: CpuIdentity, table: Table, clock: Clock) -> Discovery:
    if name == rapl.SOURCE:
        return rapl.discover(Path(settings.sysfs), cpu=cpu, clock=clock)
    if name == simulated.SOURCE:
        return simulated.discover(Path(settings.simulated_root), cpu=cpu, clock=clock)
    return modelled.discover(Path(settings.procfs), table=table, cpu=cpu, clock=clock)


def _identity(procfs: Path) -> CpuIdentity:
    try:
        return CpuIdentity.parse(read_bytes(str(procfs / "cpuinfo"), limit=4 << 20).decode("utf-8", "replace"))
    except OSError:
        return CpuIdentity(model_name="", vendor="", family=0, model=0, threads=0)


def _unasked(name: str) -> str:
    if name == simulated.SOURCE:
        return "not asked for: settings meters and simulated_root name a simulated tree"
    return "not asked for in the setting meters"


def _refusal(name: str, metered: Metered, chosen: Mapping[str, tuple[str, Metered]]) -> str | None:
    if metered.domain.component in ("core", "uncore"):
        return "contained in the package of its socket"
    if name == modelled.SOURCE and chosen:
        return f"{', '.join(sorted({source for source, _ in chosen.values()}))} meters this machine"
    if other := chosen.get(metered.domain.name):
        return f"{other[0]} comes first for {metered.domain.name}"
    return None


def _used(name: str, metered: Metered, refusal: str | None) -> Source:
    quality = metered.quality
    reason = refusal or (
        f"best source of {metered.domain.component}; 95 % within {quality.low_ratio:.2f}..{quality.high_ratio:.2f} of "
        f"the value: {quality.origin}"
    )
    return Source(
        source=name,
        component=metered.domain.component,
        scope=metered.domain.scope,
        kind=quality.kind,
        usable=True,
        chosen=refusal is None,
        reason=reason,
    )


def _line(skipped: Skipped) -> Source:
    return Source(
        source=skipped.source,
        component=skipped.component,
        scope=skipped.scope,
        kind=skipped.kind or "",
        usable=False,
        chosen=False,
        reason=skipped.reason,
    )


def _contained(chosen: Mapping[str, tuple[str, Metered]]) -> dict[str, tuple[str, Metered]]:
    """Puts cpu and dram below the platform where there is one, so that nothing is ever added up twice."""
    platform = next((name for name, (_, each) in chosen.items() if each.domain.component == "platform"), None)
    if platform is None:
        return dict(chosen)
    below = {
        name: (source, replace(each, domain=replace(each.domain, parent=platform)))
        for name, (source, each) in chosen.items()
        if each.domain.component in ("cpu", "dram", "gpu")
    }
    return {platform: chosen[platform]} | {name: each for name, each in chosen.items() if name not in below} | below


def discover(settings: AgentSettings, *, clock: Clock | None = None, sample_s: float = _SAMPLE_S) -> dict[str, Any]:
    """The list of all sources with their watts now, for ``penstock agent --discover``; reads each meter twice.

    A source that refuses is a line with its reason, not an error: this is the place to find out.
    """
    clock = clock or SystemClock()
    try:
        found = survey(settings, clock=clock)
    except MeterError as error:
        refused = error
        without = tuple(name for name in settings.meters if name != simulated.SOURCE)
        found = survey(replace(settings, meters=without), clock=clock)
        lines = tuple(
            replace(line, reason=str(refused)) if line.source == simulated.SOURCE else line for line in found.sources
        )
        found = replace(found, sources=lines)
    before = _readings(found.meters)
    time.sleep(sample_s)
    after = _readings(found.meters)
    power_w = {key: _power(before[key], reading, found) for key, reading in after.items() if key in before}
    return listing(found, power_w=power_w, unix_ns=clock.unix_ns())


def _readings(meters: tuple[Meter, ...]) -> dict[tuple[str, str], Reading]:
    return {(meter.source, each.domain): each for meter in meters for each in meter.read() if isinstance(each, Reading)}


def _power(before: Reading, after: Reading, found: Survey) -> float | None:
    counters = {each.domain.name: each.counter for meter in found.meters for each in meter.metered}
    _, outcome = counter.advance(counter.State(before), after, counters.get(after.domain))
    if not isinstance(outcome, counter.Energy):
        return None
    return watts(outcome.energy_uj, outcome.to_ns - outcome.from_ns)


def listing(found: Survey, *, power_w: Mapping[tuple[str, str], float | None], unix_ns: int) -> dict[str, Any]:
    """The sources as a list document; ``power_w`` by (source, domain)."""
    return {
        "as_of": rfc3339(unix_ns),
        "items": [line.item(power_w.get((line.source, line.domain))) for line in found.sources],
    }


def rfc3339(unix_ns: int) -> str:
    """UTC with milliseconds."""
    seconds, rest_ns = divmod(unix_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest_ns // 1_000_000:03d}Z"
