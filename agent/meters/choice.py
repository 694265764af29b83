# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Which sources this machine has, which are used, and why the others are not.

Every known source is opened or has a reason why not; `selection` then chooses what is booked. The others stay open and
visible with their values, apart from a second look at the same registers, which is closed again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.errors import MeterError
from agent.files import read_bytes
from agent.meters import counter, perf_rapl, rapl, simulated
from agent.meters.opening import open_source
from agent.meters.protocol import Closable, Discovery, Metered, Reading, Skipped
from agent.meters.selection import PLATFORM, select
from agent.settings import METERS
from estimator.curves import CpuIdentity, Table
from plumbing.clock import Clock, SystemClock
from wire.units import watts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.meters.protocol import Meter
    from agent.settings import AgentSettings

# Long enough for several updates of a RAPL counter (1 ms) and two ticks of /proc/stat (10 ms), short for a person.
_SAMPLE_S: Final = 0.25
# Sources whose platform zone depends on how the board wires it up (METERING 2).
_WIRED: Final = (rapl.SOURCE, perf_rapl.SOURCE)


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


def survey(
    settings: AgentSettings,
    *,
    clock: Clock,
    table: Table | None = None,
    probe: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Survey:
    """Opens every source that may be used. Raises MeterError where a source that was asked for refuses.

    ``probe`` asks what is behind a network at once and keeps every source open, as a person wants it who looks.
    """
    cpu = _identity(Path(settings.procfs))
    table = table or Table.load()
    found = {name: open_source(name, settings, cpu=cpu, table=table, clock=clock, probe=probe) for name in METERS}
    return selected(found, cpu=cpu, table=table, keep=probe, sleep=sleep)


def selected(
    found: Mapping[str, Discovery],
    *,
    cpu: CpuIdentity,
    table: Table,
    keep: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Survey:
    """Chooses among what the sources found; ``keep`` leaves a second look at the same registers open."""
    meters = {name: each.meter for name, each in found.items() if each.meter is not None}
    candidates = [(name, metered) for name, meter in meters.items() for metered in meter.metered]
    implausible = {
        name: reason
        for name, meter in meters.items()
        if name in _WIRED and (reason := _implausible(meter, sleep)) is not None
    }
    choice = select(candidates, implausible=implausible)
    lines: list[Source] = []
    for name, each in found.items():
        if each.meter is not None:
            lines.extend(
                _used(name, metered, choice.refused.get((name, metered.domain.name))) for metered in each.meter.metered
            )
        lines.extend(_line(skipped) for skipped in each.skipped)
    perf = meters.get(perf_rapl.SOURCE)
    if perf is not None and not keep and all(source != perf_rapl.SOURCE for source, _ in choice.chosen.values()):
        if isinstance(perf, Closable):
            perf.close()
        del meters[perf_rapl.SOURCE]
    return Survey(tuple(meters.values()), choice.chosen, tuple(lines), cpu, table)


def _implausible(meter: Meter, sleep: Callable[[float], None]) -> str | None:
    """Why psys cannot be the whole machine: it counts less than the packages and the memory in it."""
    names = {each.domain.name for each in meter.metered}
    if PLATFORM not in names:
        return None
    before = _counts(meter)
    sleep(_SAMPLE_S)
    grown_uj: dict[str, int] = {}
    for domain, counter_uj in _counts(meter).items():
        kind = next(each.counter for each in meter.metered if each.domain.name == domain)
        step_uj = counter_uj - before.get(domain, counter_uj)
        grown_uj[domain] = step_uj + (kind.range_uj or 0) if step_uj < 0 and kind is not None else step_uj
    if PLATFORM not in grown_uj:
        return "psys cannot be read, so that it cannot be compared with its parts"
    parts_uj = sum(uj for domain, uj in grown_uj.items() if domain.partition("/")[0] in ("cpu", "dram"))
    if grown_uj[PLATFORM] >= parts_uj:
        return None
    return f"not plausible: psys counted {grown_uj[PLATFORM]} uJ while its packages and memory counted {parts_uj} uJ"


def _counts(meter: Meter) -> dict[str, int]:
    readings = (each for each in meter.read() if isinstance(each, Reading))
    return {each.domain: each.counter_uj for each in readings if each.counter_uj is not None}


def _identity(procfs: Path) -> CpuIdentity:
    try:
        return CpuIdentity.parse(read_bytes(str(procfs / "cpuinfo"), limit=4 << 20).decode("utf-8", "replace"))
    except OSError:
        return CpuIdentity(model_name="", vendor="", family=0, model=0, threads=0)


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


def discover(settings: AgentSettings, *, clock: Clock | None = None, sample_s: float = _SAMPLE_S) -> dict[str, Any]:
    """The list of all sources with their watts now, for ``penstock agent --discover``; reads each meter twice.

    A source that refuses is a line with its reason, not an error: this is the place to find out.
    """
    clock = clock or SystemClock()
    try:
        found = survey(settings, clock=clock, probe=True)
    except MeterError as error:
        refused = error
        without = tuple(name for name in settings.meters if name != simulated.SOURCE)
        found = survey(replace(settings, meters=without), clock=clock, probe=True)
        lines = tuple(
            replace(line, reason=str(refused)) if line.source == simulated.SOURCE else line for line in found.sources
        )
        found = replace(found, sources=lines)
    before = _readings(found.meters)
    time.sleep(sample_s)
    after = _readings(found.meters)
    power_w = {key: _power(before.get(key), reading, found) for key, reading in after.items()}
    for meter in found.meters:
        if isinstance(meter, Closable):
            meter.close()
    return listing(found.sources, power_w=power_w, unix_ns=clock.unix_ns())


def _readings(meters: tuple[Meter, ...]) -> dict[tuple[str, str], Reading]:
    return {(meter.source, each.domain): each for meter in meters for each in meter.read() if isinstance(each, Reading)}


def _power(before: Reading | None, after: Reading, found: Survey) -> float | None:
    if before is not None:
        counters = {each.domain.name: each.counter for meter in found.meters for each in meter.metered}
        _, outcome = counter.advance(counter.State(before), after, counters.get(after.domain))
        if isinstance(outcome, counter.Energy):
            return watts(outcome.energy_uj, outcome.to_ns - outcome.from_ns)
    # A gauge that is asked every few seconds says the same twice.
    return after.power_w


def listing(
    sources: tuple[Source, ...], *, power_w: Mapping[tuple[str, str], float | None], unix_ns: int
) -> dict[str, Any]:
    """The sources as a list document; ``power_w`` by (source, domain)."""
    return {
        "as_of": rfc3339(unix_ns),
        "items": [line.item(power_w.get((line.source, line.domain))) for line in sources],
    }


def rfc3339(unix_ns: int) -> str:
    """UTC with milliseconds."""
    seconds, rest_ns = divmod(unix_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest_ns // 1_000_000:03d}Z"
