# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Redfish documents -> watts: what the whole machine draws by every way that a service tells it.

The ways, best first (rungs): an energy counter; what all supplies take in; the chassis'
environment metrics; a sensor of the chassis; Chassis/Power's control; what all supplies give out, which lacks their
own loss. One chassis is taken, never a sum of chassis (OpenBMC shows one total under every chassis), except that
supplies, which are things one can count, are added over all of ours. Pure; every sensor that is not understood is
listed and not used, and a percentage is never a power.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.meters.protocol import Quality
from agent.meters.redfish_parts import (
    SUPPLIES,
    Passed,
    component_of,
    controls,
    flows,
    members_of_power,
    of_the_whole,
    processors,
    sensed,
)
from agent.meters.redfish_supplies import is_power, resting, supplies, value
from agent.meters.redfish_walk import Known, layout, link, word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from agent.meters.redfish_parts import Part
    from agent.meters.redfish_supplies import Supply, Value
    from agent.meters.redfish_walk import Chassis, Documents, Layout

# Schemas do not say on which side of the supplies a total is taken. Published pairs of one moment: an iDRAC's board
# figure of 144 W beside 158 to 174 W into the supplies, another's 417 W beside 385.5 W; an iLO's total is the sum of
# what its supplies give out. So the truth was between 0.92 and 1.21 of the figure.
_TOTAL: Final = Quality("measured", 0.92, 1.21, "nobody says whether the supplies' own loss is in it")
_OUTPUT: Final = Quality("measured", 0.97, 1.21, "what the supplies give out: their own loss, 4 to 15 %, is missing")
# PhysicalContext of a PowerControl member that means the whole machine.
_WHOLE: Final = frozenset({None, "Chassis", "SystemBoard", "PowerSubsystem"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """The whole machine by one way: watts, or joules of a counter; ``reason`` where it has no figure now."""

    rung: str
    text: str
    quality: Quality
    uris: frozenset[str]
    """What has to be asked for to get it again."""
    power_w: float | None = None
    energy_j: float | None = None
    reason: str = ""

    @property
    def usable(self) -> bool:
        """Whether it has a figure."""
        return self.power_w is not None or self.energy_j is not None


@dataclass(frozen=True, slots=True)
class Findings:
    """All that the documents say about power. ``reason``: why they say nothing."""

    candidates: tuple[Candidate, ...] = ()
    parts: tuple[Part, ...] = ()
    passed: tuple[Passed, ...] = ()
    supplies: tuple[Supply, ...] = ()
    reason: str = ""

    def best(self, rung: str | None = None) -> Candidate | None:
        """The first candidate with a figure, or the one of ``rung`` whether it has one or not."""
        if rung is not None:
            return next((each for each in self.candidates if each.rung == rung), None)
        return next((each for each in self.candidates if each.usable), None)


def findings(documents: Documents, *, system: str = "") -> Findings:
    """Reads everything that ``documents`` (URI -> body) hold."""
    known = Known(documents)
    ours = layout(documents, system=system)
    if ours.reason:
        return Findings(reason=ours.reason)
    units = supplies(known, ours.chassis)
    passed = [
        Passed("platform", str(known.document(uri).get("Id", uri)), "this chassis holds other systems too")
        for uri in ours.shared
    ]
    candidates: list[Candidate] = []
    for way in _WAYS.values():
        made = list(way(known, ours, units))
        candidates.extend(made[:1])
        passed.extend(
            Passed("platform", each.text, "another chassis: nothing says that it is not inside the first one")
            for each in made[1:]
            if each.usable
        )
    parts = [*flows(units), *controls(known, ours), *processors(known, ours)]
    more, unknown = sensed(known, ours)
    taken = {part.domain for part in parts}
    parts += [each for each in more if each.domain not in taken]
    return Findings(tuple(candidates), tuple(parts), (*passed, *unknown), units)


def _candidate(rung: str, text: str, quality: Quality, given: Value) -> Candidate:
    figure = given.number
    if figure == 0:
        # This program runs on that machine: nought watts is what a service says that does not know yet.
        return Candidate(rung, text, quality, frozenset({given.uri}), reason="zero_while_running")
    return Candidate(rung, text, quality, frozenset({given.uri}), power_w=figure, reason=given.reason)


def _trees(ours: Layout, find: Callable[[Chassis], Candidate | None]) -> Iterator[Candidate]:
    """Per outermost chassis the first find in it, outer before inner; those with a figure come first."""
    found: list[Candidate] = []
    for tree in ours.trees():
        made = [each for each in map(find, tree) if each is not None]
        found.extend(sorted(made, key=lambda each: not each.usable)[:1])
    yield from sorted(found, key=lambda each: not each.usable)


def _energy(known: Known, ours: Layout, units: Sequence[Supply]) -> Iterator[Candidate]:
    del units

    def find(chassis: Chassis) -> Candidate | None:
        metrics = link(chassis.document, "EnvironmentMetrics")
        joules, asked = known.document(metrics).get("EnergyJoules"), known.asked(metrics)
        if joules is None:
            return None
        given = value(joules, asked)
        return Candidate(
            "energy-counter",
            f"EnergyJoules of chassis {chassis.id}",
            _TOTAL,
            frozenset({asked}),
            energy_j=given.number,
            reason=given.reason,
        )

    yield from _trees(ours, find)


def _sum(rung: str, given: Sequence[tuple[Supply, Value]], quality: Quality) -> Iterator[Candidate]:
    uris = frozenset(figure.uri for _, figure in given)
    silent = [each.name for each, figure in given if figure.number is None and not each.resting]
    total_w = sum(figure.number for _, figure in given if figure.number is not None)
    if all(figure.reason == "no_sensor" for _, figure in given):
        return
    text = f"{len(given)} supplies, {rung.removeprefix('supplies-')} side"
    if silent:
        yield Candidate(rung, text, quality, uris, reason=f"no_figure_of_supply_{silent[0]}")
    elif total_w == 0:
        yield Candidate(rung, text, quality, uris, reason="zero_while_running")
    else:
        yield Candidate(rung, text, quality, uris, power_w=total_w)


def _supplies_input(known: Known, ours: Layout, units: Sequence[Supply]) -> Iterator[Candidate]:
    del known, ours
    yield from _sum("supplies-input", [(each, each.input) for each in units], SUPPLIES)


def _supplies_output(known: Known, ours: Layout, units: Sequence[Supply]) -> Iterator[Candidate]:
    del known, ours
    yield from _sum("supplies-output", [(each, each.output) for each in units], _OUTPUT)


def _environment(known: Known, ours: Layout, units: Sequence[Supply]) -> Iterator[Candidate]:
    del units

    def find(chassis: Chassis) -> Candidate | None:
        metrics = link(chassis.document, "EnvironmentMetrics")
        watts = known.document(metrics).get("PowerWatts")
        if watts is None:
            return None
        text = f"EnvironmentMetrics of chassis {chassis.id}"
        return _candidate("environment-metrics", text, _TOTAL, value(watts, known.asked(metrics)))

    yield from _trees(ours, find)


def _sensor(known: Known, ours: Layout, units: Sequence[Supply]) -> Iterator[Candidate]:
    del units

    def find(chassis: Chassis) -> Candidate | None:
        for uri in known.collection(link(chassis.document, "Sensors")):
            document = known.document(uri)
            if is_power(document) and of_the_whole(document):
                given = value(document.get("Reading"), known.asked(uri), resting=resting(document))
                return _candidate("sensor", f"sensor {document.get('Id')} of chassis {chassis.id}", _TOTAL, given)
        return None

    yield from _trees(ours, find)


def _power_control(known: Known, ours: Layout, units: Sequence[Supply]) -> Iterator[Candidate]:
    del units

    def find(chassis: Chassis) -> Candidate | None:
        for member, asked in members_of_power(known, chassis):
            if component_of(member) is None and word(member, "PhysicalContext") in _WHOLE:
                text = f"{member.get('Name', 'PowerControl')} of chassis {chassis.id}"
                return _candidate("power-control", text, _TOTAL, value(member.get("PowerConsumedWatts"), asked))
        return None

    yield from _trees(ours, find)


_WAYS: Final[Mapping[str, Callable[[Known, Layout, Sequence[Supply]], Iterator[Candidate]]]] = {
    "energy-counter": _energy,
    "supplies-input": _supplies_input,
    "environment-metrics": _environment,
    "sensor": _sensor,
    "power-control": _power_control,
    "supplies-output": _supplies_output,
}

RUNGS: Final = tuple(_WAYS)
