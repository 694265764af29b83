# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The ladder of `estimator.curves`, judged on CPUs that each rung has not seen; `left_out` says what that means."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from estimator.training.cpus import RECENT_YEAR, by_design, median
from estimator.training.left_out import Factors, LeftOut, Score, coverage, errors, factors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from estimator.training.cpus import Cpu

# Curves of more CPUs than this are judged like this: beyond it the median hardly depends on one more.
_MOST_OTHERS = 4
_MOST_SETS = 60
# A vendor with fewer left-out CPUs than this borrows the errors of all vendors: its own say too little about tails.
_LEAST_CPUS_OF_VENDOR = 20


@dataclass(frozen=True, slots=True)
class Judged:
    """One line of the table that a run prints: a rung (and what of it), its interval and its score."""

    rung: str
    part: str
    factors: Factors
    score: Score


def left_out_makers(cpus: Sequence[Cpu]) -> list[LeftOut]:
    """Rung ``cpu``: each maker's systems predicted by each other maker's with the same CPU."""
    samples = []
    for cpu in cpus:
        by_maker = {
            maker: [at for at, each in enumerate(cpu.makers) if each == maker] for maker in sorted(set(cpu.makers))
        }
        pairs = [
            errors(cpu.key, truths=list(cpu.published[mine]), predictions=[median(cpu.filled[other])])
            for maker, mine in by_maker.items()
            for another, other in by_maker.items()
            if maker != another
        ]
        if pairs:
            samples.append(LeftOut(cpu.key, np.concatenate([pair.log_ratio for pair in pairs])))
    return samples


def left_out_cpus(cpus: Sequence[Cpu], *, others: int) -> list[LeftOut]:
    """Rung ``microarchitecture``: each CPU by medians of ``others`` CPUs of its design, `_MOST_OTHERS` meaning all."""
    samples = []
    for cpu in cpus:
        rest = [other.curve for other in cpus if other.design is cpu.design and other is not cpu]
        if len(rest) < others:
            continue
        sets = [tuple(rest)] if others == _MOST_OTHERS else list(combinations(rest, others))
        # Evenly spaced where there are very many: a CPU weighs the same however many sets speak of it.
        sets = sets[:: -(-len(sets) // _MOST_SETS)]
        samples.append(errors(cpu.key, truths=list(cpu.published), predictions=[median(each) for each in sets]))
    return samples


def left_out_designs(cpus: Sequence[Cpu], *, same_vendor: bool) -> list[LeftOut]:
    """Rung ``vendor`` (by the vendor's other designs) or ``any`` (by the designs of the other vendors)."""
    recent = [cpu for cpu in cpus if cpu.design.year >= RECENT_YEAR]
    designs = by_design(recent)
    samples = []
    for cpu in recent:
        others = [
            median([other.curve for other in members])
            for name, members in designs.items()
            if name != cpu.design.name and (members[0].design.vendor == cpu.design.vendor) is same_vendor
        ]
        if others:
            samples.append(errors(cpu.key, truths=list(cpu.published), predictions=[median(others)]))
    return samples


def judge(cpus: Sequence[Cpu]) -> dict[tuple[str, str], Judged]:
    """Interval and score of every rung, and where a rung has parts (CPUs in the curve, vendor) of each part."""
    vendor_of = {cpu.key: cpu.design.vendor for cpu in cpus}
    vendors = left_out_designs(cpus, same_vendor=True)
    samples: dict[tuple[str, str], list[LeftOut]] = {("cpu", ""): left_out_makers(cpus)}
    for others in range(1, _MOST_OTHERS + 1):
        samples["microarchitecture", part_of(others)] = left_out_cpus(cpus, others=others)
    for vendor in sorted(set(vendor_of.values())):
        own = [sample for sample in vendors if vendor_of[sample.cpu_key] == vendor]
        samples["vendor", vendor] = own if len(own) >= _LEAST_CPUS_OF_VENDOR else vendors
    samples["any", ""] = left_out_designs(cpus, same_vendor=False)
    return {
        (rung, part): Judged(rung=rung, part=part, factors=factors(each), score=coverage(each))
        for (rung, part), each in samples.items()
    }


def part_of(cpus: int) -> str:
    """The part of rung ``microarchitecture`` that a curve of so many CPUs belongs to."""
    return f"{cpus} cpu" + "s" * (cpus > 1) if cpus < _MOST_OTHERS else f"{_MOST_OTHERS} cpus or more"
