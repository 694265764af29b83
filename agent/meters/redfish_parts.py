# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Redfish documents -> watts of parts: both sides of every supply and what they lose, processors, memory, fans.

A part counts where a document says what its watts cover: a member of Power#/PowerControl or a Sensor with a
PhysicalContext, a Processor with EnvironmentMetrics. Every other sensor of watts is listed and not used, and a
percentage is never a power. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent.meters.protocol import Quality
from agent.meters.redfish_supplies import is_power, resting, source_of, supply_side, value
from agent.meters.redfish_walk import link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.meters.protocol import Component
    from agent.meters.redfish_supplies import Supply
    from agent.meters.redfish_walk import Chassis, Document, Known, Layout

# 5 % above a fifth of a supply's rating and 15 % below: READ_PIN in the tables of the PMBus application profile for
# server power supplies, as supply specifications repeat them (Intel S5500WB technical product specification, 3.8.4).
SUPPLIES: Final = Quality(
    "measured", 0.95, 1.05, "the supplies' own meters: READ_PIN is specified to 5 % above 20 % load"
)
# At 94 % efficiency the 5 % of both sides are 1.6 times the loss between them.
_LOSS: Final = Quality("measured", 0.0, 2.6, "input less output, each to 5 %")
# A BMC gets the watts of a processor and its memory from the processor itself, which computes the memory's.
_ASKED: Final = Quality("estimated", 0.90, 1.10, "the part's own figure, passed on by the BMC")

# Redfish PhysicalContext v1_0_0 -> component. Voltage regulators and boards are left out: what they feed is unsaid.
_CONTEXTS: Final[Mapping[str, Component]] = {
    "CPU": "cpu",
    "CPUSubsystem": "cpu",
    "Memory": "dram",
    "MemorySubsystem": "dram",
    "GPU": "gpu",
    "GPUSubsystem": "gpu",
    "Fan": "fan",
    "CoolingSubsystem": "fan",
    "StorageDevice": "storage",
    "StorageSubsystem": "storage",
    "NetworkingDevice": "nic",
}
# PowerControl members that are a part of the machine say so in PhysicalContext or, on older Lenovo firmware, by name.
_CONTROLS: Final[Mapping[str, Component]] = {"CPU Sub-system Power": "cpu", "Memory Sub-system Power": "dram"}
_PROCESSORS: Final[Mapping[str, Component]] = {"CPU": "cpu", "GPU": "gpu"}
# Sensors of the whole machine whose context is missing or says only where they sit: OpenBMC's, and iDRAC's.
_TOTAL_SENSORS: Final = frozenset({"total_power", "power_total_power", "systemboardpwrconsumption"})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the machine, or power that flows ``through`` a supply."""

    component: Component
    scope: str
    quality: Quality
    uris: frozenset[str]
    power_w: float | None
    reason: str
    parent: str = "platform/node"
    through: bool = False

    @property
    def domain(self) -> str:
        """``component/scope``."""
        return f"{self.component}/{self.scope}"


@dataclass(frozen=True, slots=True)
class Passed:
    """Something that looks like power and is not used."""

    component: str
    scope: str
    reason: str


def of_the_whole(document: Document) -> bool:
    return document.get("PhysicalContext") == "Chassis" or str(document.get("Id", "")).lower() in _TOTAL_SENSORS


def component_of(member: Document) -> Component | None:
    """The part that a member of PowerControl is about; None for the whole machine, or for something unknown."""
    return _CONTEXTS.get(str(member.get("PhysicalContext"))) or _CONTROLS.get(str(member.get("Name")))


def members_of_power(known: Known, chassis: Chassis) -> Iterator[tuple[Document, str]]:
    """The members of a chassis' PowerControl, with what has to be asked for to get them."""
    power = link(chassis.document, "Power")
    given = known.document(power).get("PowerControl")
    for each in given if isinstance(given, Sequence) and not isinstance(given, str) else ():
        if isinstance(each, Mapping):
            yield each, known.asked(power)


def controls(known: Known, ours: Layout) -> Iterator[Part]:
    """The parts that Chassis/Power meters apart, once each."""
    seen: set[Component] = set()
    for chassis in ours.chassis:
        for member, asked in members_of_power(known, chassis):
            component = component_of(member)
            if component is None or component in seen:
                continue
            seen.add(component)
            given = value(member.get("PowerConsumedWatts"), asked)
            yield Part(component, "node", _ASKED, frozenset({asked}), given.number, given.reason)


def processors(known: Known, ours: Layout) -> Iterator[Part]:
    """Processors of our system that have environment metrics of their own."""
    for uri in known.collection(link(known.document(ours.system), "Processors")):
        document = known.document(uri)
        component = _PROCESSORS.get(str(document.get("ProcessorType")))
        metrics = link(document, "EnvironmentMetrics")
        watts, asked = known.document(metrics).get("PowerWatts"), known.asked(metrics)
        if component is not None and watts is not None:
            given = value(watts, asked, resting=resting(document))
            name = str(document.get("Id") or uri.rstrip("/").rsplit("/", 1)[-1])
            yield Part(component, name, _ASKED, frozenset({asked}), given.number, given.reason)


def flows(units: Sequence[Supply]) -> Iterator[Part]:
    """Both sides of every supply, and the loss of all where both sides of all that work are measured."""
    for each in units:
        inner = f"psu/{each.name}-input"
        for side, given, parent in (("input", each.input, "platform/node"), ("output", each.output, inner)):
            if given.number is None and (each.resting or given.reason == "no_sensor"):
                continue
            yield Part(
                component="psu",
                scope=f"{each.name}-{side}",
                quality=SUPPLIES,
                uris=frozenset({given.uri}),
                power_w=given.number,
                reason=given.reason,
                parent=parent,
                through=True,
            )
    working = [each for each in units if not each.resting or not each.silent]
    both = [
        (each.input.number, each.output.number)
        for each in working
        if each.input.number is not None and each.output.number is not None
    ]
    if not both:
        return
    uris = frozenset(uri for each in working for uri in (each.input.uri, each.output.uri))
    loss_w = sum(taken - given_out for taken, given_out in both)
    if len(both) < len(working):
        yield Part("psu", "loss", _LOSS, uris, None, "a_side_is_not_measured")
    elif loss_w < 0:
        yield Part("psu", "loss", _LOSS, uris, None, "output_above_input")
    else:
        yield Part("psu", "loss", _LOSS, uris, loss_w, "")


def sensed(known: Known, ours: Layout) -> tuple[list[Part], list[Passed]]:
    """Sensors of parts, and those that look like power and are passed over. Supplies and totals are others' concern."""
    shown = {
        uri.rstrip("/")
        for document in known.values()
        for name in ("PowerWatts", "InputPowerWatts", "OutputPowerWatts")
        if (uri := source_of(document.get(name)))
    }
    parts: list[Part] = []
    passed: list[Passed] = []
    for chassis in ours.chassis:
        for uri in known.collection(link(chassis.document, "Sensors")):
            document, asked = known.document(uri), known.asked(uri)
            if uri.rstrip("/") in shown or supply_side(document) is not None or of_the_whole(document):
                continue
            name = str(document.get("Id", ""))
            component = _CONTEXTS.get(str(document.get("PhysicalContext")))
            if is_power(document) and component is None:
                where = document.get("PhysicalContext") or "an unnamed place"
                passed.append(Passed("", name, f"watts of {where}: what they cover is not said"))
            elif is_power(document) and component is not None:
                given = value(document.get("Reading"), asked, resting=resting(document))
                parts.append(Part(component, name, _ASKED, frozenset({asked}), given.number, given.reason))
            elif _is_percentage(document) and (component not in (None, "fan") or "usage" in name.lower()):
                passed.append(Passed(component or "", name, "a percentage is not a power"))
    return parts, passed


def _is_percentage(document: Document) -> bool:
    return document.get("ReadingUnits") == "%" or document.get("ReadingType") == "Percent"
