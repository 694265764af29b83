# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The power supplies of a machine: what each takes in and gives out, from any of three places a service puts it.

    PowerSubsystem/PowerSupplies/N/Metrics    InputPowerWatts, OutputPowerWatts (PowerSupplyMetrics v1_1_2)
    Sensors                                   PhysicalContext PowerSupply with PhysicalSubContext Input or Output; or
                                              OpenBMC's names ps0_input_power, psu1_output_power, which carry neither
    Power#/PowerSupplies (Power v1_7_3)       PowerInputWatts, PowerOutputWatts, else LastPowerOutputWatts

Volts times amperes are not used: at alternating current they are apparent power. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from agent.meters.redfish_walk import followable, link, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.meters.redfish_walk import Chassis, Document, Known

# Resource.Status.State of a supply that is not expected to give a figure (schema Resource v1_19_0).
_RESTING: Final = frozenset(
    {"Absent", "Deferring", "Disabled", "InTest", "Qualified", "Quiesced", "StandbyOffline", "Starting",
     "UnavailableOffline", "Updating"}
)  # fmt: skip
_NAMED: Final = re.compile(r"^(?:power_)?(?P<supply>psu?\d+)_(?P<side>input|output)_power$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Value:
    """A number of watts or joules, or why there is none; ``uri`` is what was asked for to get it."""

    number: float | None
    reason: str
    uri: str


@dataclass(frozen=True, slots=True)
class Supply:
    """One power supply. ``resting``: it is absent or switched off, so that silence of it is no gap."""

    name: str
    resting: bool
    input: Value
    output: Value

    @property
    def efficiency_ratio(self) -> float | None:
        """Output over input where both are measured and there is something to divide."""
        taken, given = self.input.number, self.output.number
        return given / taken if taken and given is not None else None

    @property
    def silent(self) -> bool:
        """Whether neither side gives a figure."""
        return self.input.number is None and self.output.number is None


def value(given: Any, uri: str, *, resting: bool = False) -> Value:
    """What ``given`` says. Null is no reading, nor is 0 of something that is switched off."""
    if isinstance(given, Mapping):
        given = given.get("Reading")
    if given is None:
        return Value(None, "null", uri)
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        return Value(None, "not_a_number", uri)
    if given < 0:
        return Value(None, "negative", uri)
    if given == 0 and resting:
        return Value(None, "switched_off", uri)
    return Value(float(given), "", uri)


def member(document: Document, name: str, uri: str, *, resting: bool = False) -> Value:
    """`value` of a property; one that the document does not have is no sensor, which null is."""
    return value(document[name], uri, resting=resting) if name in document else Value(None, "no_sensor", uri)


def resting(document: Document) -> bool:
    """Whether ``Status.State`` says that no figure is to be expected."""
    return word(document, "Status", "State") in _RESTING


def absent(document: Document) -> bool:
    """Whether ``Status.State`` says that there is nothing."""
    return word(document, "Status", "State") == "Absent"


def supplies(known: Known, chassis: Sequence[Chassis]) -> tuple[Supply, ...]:
    """Every supply of the machine once, from the first place that has figures."""
    for place in (_subsystem, _sensors, _legacy):
        found: dict[str, Supply] = {}
        for each in chassis:
            for uri, supply in place(known, each):
                # Two chassis may show one supply under one URI; two supplies of two chassis may share a name.
                if uri not in found:
                    taken = any(other.name == supply.name for other in found.values())
                    found[uri] = replace(supply, name=f"{each.id}-{supply.name}") if taken else supply
        if any(not supply.silent for supply in found.values()):
            return (*found.values(), *_unseen(known, chassis, seen=len(found)))
    return ()


def _unseen(known: Known, chassis: Sequence[Chassis], *, seen: int) -> Iterator[Supply]:
    """Supplies that the service lists beyond those with figures: without them, no sum is of all."""
    listed = {
        uri
        for each in chassis
        for uri in known.collection(link(known.document(link(each.document, "PowerSubsystem")), "PowerSupplies"))
        if not absent(known.document(uri)) and not resting(known.document(uri))
    }
    for uri in sorted(listed)[seen:]:
        none = Value(None, "no_sensor", known.asked(uri))
        yield Supply(name=_name(known.document(uri).get("Id"), uri), resting=False, input=none, output=none)


def _subsystem(known: Known, chassis: Chassis) -> list[tuple[str, Supply]]:
    subsystem = known.document(link(chassis.document, "PowerSubsystem"))
    found: list[tuple[str, Supply]] = []
    for uri in known.collection(link(subsystem, "PowerSupplies")):
        document = known.document(uri)
        if uri not in known or absent(document):
            continue
        metrics = link(document, "Metrics")
        figures, asked = known.document(metrics), known.asked(metrics or uri)
        off = resting(document)
        found.append(
            (
                uri,
                Supply(
                    name=_name(document.get("Id"), uri),
                    resting=off,
                    input=member(figures, "InputPowerWatts", asked, resting=off),
                    output=member(figures, "OutputPowerWatts", asked, resting=off),
                ),
            )
        )
    return found


def _sensors(known: Known, chassis: Chassis) -> list[tuple[str, Supply]]:
    sides: dict[str, dict[str, Value]] = {}
    for uri in known.collection(link(chassis.document, "Sensors")):
        document = known.document(uri)
        if is_power(document) and (found := supply_side(document)):
            supply, side = found
            given = value(document.get("Reading"), known.asked(uri), resting=resting(document))
            sides.setdefault(supply, {})[side] = given
    none = Value(None, "no_sensor", chassis.uri)
    return [
        (
            f"{chassis.uri}#{name}",
            Supply(name=name, resting=False, input=each.get("input", none), output=each.get("output", none)),
        )
        for name, each in sorted(sides.items())
    ]


def is_power(document: Document) -> bool:
    """Whether a Sensor document is about watts; percentages and volt-amperes are not."""
    return document.get("ReadingType") == "Power" and word(document, "ReadingUnits") in ("W", None)


def supply_side(document: Document) -> tuple[str, str] | None:
    """Which supply a sensor belongs to and whether it is its ``input`` or ``output``; None where it says neither."""
    name = str(document.get("Id", ""))
    if match := _NAMED.match(name):
        return match["supply"], match["side"].lower()
    side = str(document.get("PhysicalSubContext", "")).lower()
    if document.get("PhysicalContext") == "PowerSupply" and side in ("input", "output"):
        return re.sub(r"[_. -]*(input|output)[_. -]*power$", "", name, flags=re.IGNORECASE) or name, side
    return None


def _legacy(known: Known, chassis: Chassis) -> list[tuple[str, Supply]]:
    power = link(chassis.document, "Power") or ""
    asked = known.asked(power)
    given = known.document(power).get("PowerSupplies")
    found: list[tuple[str, Supply]] = []
    for at, each in enumerate(given if isinstance(given, Sequence) and not isinstance(given, str) else ()):
        if not isinstance(each, Mapping) or absent(each):
            continue
        off = resting(each)
        output = "LastPowerOutputWatts" if each.get("PowerOutputWatts") is None else "PowerOutputWatts"
        found.append(
            (
                f"{power.rstrip('/')}#{at}",
                Supply(
                    name=_name(each.get("MemberId"), str(at)),
                    resting=off,
                    input=member(each, "PowerInputWatts", asked, resting=off),
                    output=member(each, output, asked, resting=off),
                ),
            )
        )
    return found


def _name(given: Any, uri: str) -> str:
    return str(given) if isinstance(given, str) and given else uri.rstrip("/").rsplit("/", 1)[-1]


def source_of(given: Any) -> str | None:
    """The sensor that an excerpt is taken from (DataSourceUri)."""
    return followable(given.get("DataSourceUri")) if isinstance(given, Mapping) else None
