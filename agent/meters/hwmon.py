# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Power sensors of the board through ``<sysfs>/class/hwmon`` (Documentation/ABI/testing/sysfs-class-hwmon).

hwmon says that something is in microwatts, never of what. The meaning comes from `chips` by chip name and label, or
from an operator's declaration; anything else is listed as unknown and not used. Per domain an energy counter comes
before a mean power, that before a power of the moment, and that before volts times amperes, which are paired by chip
and never by guess. Two sensors of equal rank that claim one domain are both refused: to add or to choose would be one.

hwmon numbers change from boot to boot, so a sensor is named by its device: ``ina226@1-0040/power1``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from agent.files import read_int, reason_of
from agent.meters import chips
from agent.meters.chips import Meaning, Refused
from agent.meters.hwmon_channels import channels, number_of, text_of
from agent.meters.protocol import Counter, Discovery, Domain, Metered, Quality, Skipped
from agent.meters.quality import rapl_quality
from agent.meters.sensor import PLAUSIBLE_W, Sensor, SensorMeter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.meters.declared import Declared
    from agent.meters.hwmon_channels import Channel
    from estimator.curves import CpuIdentity
    from plumbing.clock import Clock

SOURCE: Final = "hwmon"

# An operator's word for a rail says nothing about the board's shunt.
_DECLARED_ERROR: Final = 0.05
_MANY: Final = 16


@dataclass(frozen=True, slots=True)
class Claim:
    """A channel with its meaning."""

    channel: Channel
    meaning: Meaning
    factor: Fraction = Fraction(1)

    @property
    def domain(self) -> str:
        """``component/scope``."""
        return f"{self.meaning.component}/{self.meaning.scope}"


def discover(
    sysfs: Path, *, cpu: CpuIdentity, clock: Clock, declarations: Sequence[Declared] = (), source: str = SOURCE
) -> Discovery:
    """Finds the sensors with a meaning and lists the others with the reason."""
    claims: list[Claim] = []
    skipped: list[Skipped] = []
    spoken: set[Declared] = set()
    alike: dict[tuple[str, str, str], list[Channel]] = {}
    supplies: set[str] = set()
    for channel in channels(sysfs):
        if chips.is_supply(channel.chip):
            supplies.add(f"{channel.chip}@{channel.device}")
        word = next((each for each in declarations if _is_about(each, channel)), None)
        if word is not None:
            spoken.add(word)
        answer = _meaning(channel, word)
        if isinstance(answer, Refused):
            if channel.chip != "power_meter":  # the ACPI meter lists its own
                alike.setdefault((channel.chip, answer.component, answer.reason), []).append(channel)
        elif reason := _unusable(channel):
            skipped.append(Skipped(source, f"{channel.shown}: {reason}", answer.component, answer.scope, answer.kind))
        else:
            claims.append(Claim(channel, answer, word.factor if word else Fraction(1)))
    claims, repeated = _on_packages(claims, sysfs, source=source)
    claims, doubled = _one_per_domain(claims, source=source)
    skipped.extend((*repeated, *doubled))
    for (_, component, reason), members in alike.items():
        # Each unknown sensor by its id, which a declaration needs; sixty cores in one line.
        several = len(members) > (_MANY if component == "unknown" else 1)
        for member in members[:1] if several else members:
            more = f" and {len(members) - 1} more like it" if several else ""
            skipped.append(Skipped(source, f"{member.shown}{more}: {reason}", component, member.device))
    for word in declarations:
        if word not in spoken:
            at = f"@{word.device}" if word.device else ""
            missing = f"{word.chip}{at}/{word.channel}: declared, but not on this machine"
            skipped.append(Skipped(source, missing, word.domain.component, word.domain.scope))
    claims, partial = _whole_sums(claims, supplies, source=source)
    skipped.extend(partial)
    sensors = _sensors(claims, cpu=cpu)
    if not sensors:
        if not skipped:
            skipped.append(Skipped(source, "no power sensor here, ACPI power meters apart"))
        return Discovery(None, tuple(skipped))
    slow = any(chips.is_slow(claim.channel.chip) for claim in claims)
    return Discovery(SensorMeter(source=source, sensors=sensors, clock=clock, slow=slow), tuple(skipped))


def _is_about(word: Declared, channel: Channel) -> bool:
    return (word.chip, word.channel) == (channel.chip, channel.name) and word.device in (None, channel.device)


def _meaning(channel: Channel, word: Declared | None) -> Meaning | Refused:
    """The chip table's answer; a declaration fills in what it does not know, and never what it refuses for a reason."""
    answer = chips.classify(channel.chip, channel.label, unit=channel.unit, device=channel.device)
    if not channel.files and not (isinstance(answer, Refused) and answer.component != "unknown"):
        return Refused("unknown", "a current, and nothing says which voltage belongs to it")
    if word is None or (isinstance(answer, Refused) and answer.component != "unknown"):
        return answer
    return Meaning(
        component=word.domain.component,
        scope=word.domain.scope,
        kind="measured",
        error_ratio=_DECLARED_ERROR,
        origin="declared in the setting hwmon_sensors",
    )


def _unusable(channel: Channel) -> str | None:
    if not channel.enabled:
        return f"switched off: its {channel.name}_enable, or that of its voltage, is 0"
    for file in channel.files:
        try:
            read_int(file)
        except (OSError, ValueError) as error:
            # Denied stays denied; what fails today may read tomorrow and is kept, with gaps until then.
            if reason_of(error) == "permission_denied":
                return "permission denied"
    return None


def _on_packages(claims: list[Claim], sysfs: Path, *, source: str) -> tuple[list[Claim], list[Skipped]]:
    """Socket for NUMA node: amd_energy counts nodes and calls them sockets, so with NPS4 each socket shows four times.

    Its channel N reads a CPU of node N (drivers/hwmon/amd_energy.c); that CPU's package is the socket.
    """
    nodes = sum(each.meaning.scope.startswith("numa-") for each in claims)
    kept: list[Claim] = []
    skipped: list[Skipped] = []
    taken: dict[tuple[str, int], str] = {}
    for claim in claims:
        meaning, channel = claim.meaning, claim.channel
        if not meaning.scope.startswith("numa-"):
            kept.append(claim)
            continue
        package = 0 if nodes == 1 else _package(sysfs, int(meaning.scope.removeprefix("numa-")))
        if package is None:
            reason = "this driver counts NUMA nodes, and sysfs does not say which socket this one is on"
        elif first := taken.get((channel.device, package)):
            reason = f"shows the socket of {first} again: the driver counts NUMA nodes"
        else:
            taken[channel.device, package] = channel.label
            kept.append(replace(claim, meaning=replace(meaning, scope=f"socket-{package}")))
            continue
        skipped.append(Skipped(source, f"{channel.shown}: {reason}", meaning.component, meaning.scope, meaning.kind))
    return kept, skipped


def _package(sysfs: Path, node: int) -> int | None:
    system = sysfs / "devices" / "system"
    cpus = text_of(system / "node" / f"node{node}" / "cpulist")
    first = re.match(r"\d+", cpus)
    return number_of(system / "cpu" / f"cpu{first[0]}" / "topology" / "physical_package_id") if first else None


def _one_per_domain(claims: list[Claim], *, source: str) -> tuple[list[Claim], list[Skipped]]:
    domains: dict[str, list[Claim]] = {}
    for claim in claims:
        domains.setdefault(claim.domain, []).append(claim)
    kept: list[Claim] = []
    skipped: list[Skipped] = []
    for domain, members in domains.items():
        best = min(each.channel.rank for each in members)
        first = [each for each in members if each.channel.rank == best]
        for claim in members:
            if claim.channel.rank > best:
                reason = f"{first[0].channel.shown} is a better reading of {domain}"
            elif len(first) > 1:
                others = ", ".join(each.channel.shown for each in first if each is not claim)
                reason = f"claims {domain} as {others} does, and nothing says which is right"
            else:
                kept.append(claim)
                continue
            meaning = claim.meaning
            skipped.append(
                Skipped(source, f"{claim.channel.shown}: {reason}", meaning.component, meaning.scope, meaning.kind)
            )
    return kept, skipped


def _whole_sums(claims: list[Claim], supplies: set[str], *, source: str) -> tuple[list[Claim], list[Skipped]]:
    """Takes the sum away where one supply of the machine does not tell its input: a part of a sum is no total."""
    told = {f"{each.channel.chip}@{each.channel.device}" for each in claims if each.meaning.sum_into}
    silent = sorted(supplies - told)
    if not told or not silent:
        return claims, []
    kept = [replace(each, meaning=replace(each.meaning, sum_into=None)) for each in claims]
    reason = f"no sum of the supplies: {', '.join(silent)} does not tell its input power"
    return kept, [Skipped(source, reason, "platform", "node", "measured")]


def _sensors(claims: list[Claim], *, cpu: CpuIdentity) -> tuple[Sensor, ...]:
    sums: dict[str, list[Claim]] = {}
    for claim in claims:
        if claim.meaning.sum_into:
            sums.setdefault(claim.meaning.sum_into, []).append(claim)
    # A sensor of the whole is better than a sum of parts that may not be all.
    sums = {name: parts for name, parts in sums.items() if name not in {each.domain for each in claims}}
    there = {each.domain for each in claims} | set(sums)
    out = [_sum(name, parts) for name, parts in sums.items()]
    out.extend(_sensor(claim, there=there, cpu=cpu) for claim in claims)
    # Parents before their children, as everywhere.
    return tuple(sorted(out, key=lambda each: (_depth(each, out), each.metered.domain.name)))


def _depth(sensor: Sensor, sensors: list[Sensor]) -> int:
    parents = {each.metered.domain.name: each.metered.domain.parent for each in sensors}
    depth, parent = 0, sensor.metered.domain.parent
    while parent is not None and depth < len(parents):
        depth, parent = depth + 1, parents.get(parent)
    return depth


def _sensor(claim: Claim, *, there: set[str], cpu: CpuIdentity) -> Sensor:
    meaning, channel = claim.meaning, claim.channel
    component, parent = meaning.component, _container(claim, there)
    if meaning.inside and parent is None:
        # Nothing measures the whole, so its parts stand for themselves.
        component = {"core": "cpu", "uncore": "soc"}.get(component, component)  # type: ignore[assignment]
    return Sensor(
        metered=Metered(
            domain=Domain(component, meaning.scope, parent),
            quality=_quality(claim, cpu),
            counter=Counter(range_uj=None, plausible_w=PLAUSIBLE_W[component])
            if channel.quantity == "energy"
            else None,
            through=component == "psu",
        ),
        quantity=channel.quantity,
        parts=(channel.files,),
        scale=claim.factor,
        window_ns=channel.window_ns,
    )


def _container(claim: Claim, there: set[str]) -> str | None:
    inside = claim.meaning.inside
    if inside is None or inside in there:
        return inside
    # A module stands between a socket and the machine only where there is one.
    return "platform/node" if inside.startswith("module/") and "platform/node" in there else None


def _quality(claim: Claim, cpu: CpuIdentity) -> Quality:
    meaning, channel = claim.meaning, claim.channel
    if channel.chip in ("amd_energy", "zenergy"):
        return replace(rapl_quality("cpu", cpu), origin=f"{channel.shown}: {meaning.origin}")
    return Quality(
        kind=meaning.kind,
        low_ratio=1.0 - meaning.error_ratio,
        high_ratio=1.0 + meaning.error_ratio,
        origin=f"{channel.shown}: {meaning.origin}",
    )


def _sum(name: str, parts: list[Claim]) -> Sensor:
    component, _, scope = name.partition("/")
    first = parts[0].meaning
    return Sensor(
        metered=Metered(
            domain=Domain(component, scope),  # type: ignore[arg-type]
            quality=Quality(
                kind=first.kind,
                low_ratio=1.0 - first.error_ratio,
                high_ratio=1.0 + first.error_ratio,
                origin=f"sum of {', '.join(each.channel.id for each in parts)}: {first.origin}",
            ),
        ),
        quantity=parts[0].channel.quantity,
        parts=tuple(each.channel.files for each in parts),
    )
