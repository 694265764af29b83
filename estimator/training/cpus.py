# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Published systems by CPU: one curve per CPU, levels that were not published filled in from its nearest relatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from estimator.training.microarchitectures import Design, design_of
from estimator.training.specpower import DataError, Dataset, System

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

# An unidentified machine of today is no museum piece: Skylake-SP and EPYC are the oldest that clouds still rent widely.
RECENT_YEAR = 2017


@dataclass(frozen=True, slots=True, eq=False)
class Cpu:
    """All usable systems of one CPU: ``filled`` (systems, 11) has the unpublished levels interpolated."""

    key: str
    name: str
    design: Design
    makers: tuple[str, ...]
    published: NDArray[np.float64]
    filled: NDArray[np.float64]
    shape_of: str

    @property
    def curve(self) -> NDArray[np.float64]:
        """Median over systems, (11,)."""
        return median(self.filled)


def group(dataset: Dataset) -> list[Cpu]:
    """The systems by CPU, sorted by key, missing levels filled. Raises DataError for a CPU that no pattern knows."""
    by_key: dict[str, list[System]] = {}
    for system in dataset.systems:
        by_key.setdefault(system.cpu_key, []).append(system)
    designs: dict[str, Design] = {}
    for key in by_key:
        design = design_of(key)
        if design is None:
            raise DataError(f"CPU {key!r}: no pattern of estimator.training.microarchitectures knows it")
        designs[key] = design
    shapes = {
        key: median([_shape(each.watts_per_thread) for each in systems if each.has_levels])
        for key, systems in by_key.items()
        if any(each.has_levels for each in systems)
    }
    cpus = []
    for key, systems in sorted(by_key.items()):
        shape, shape_of = _nearest_shape(key, shapes, designs)
        published = np.stack([each.watts_per_thread for each in systems])
        idle, full = published[:, :1], published[:, -1:]
        filled = np.where(np.isfinite(published), published, idle + (full - idle) * shape)
        cpus.append(
            Cpu(
                key=key,
                name=_name(systems),
                design=designs[key],
                makers=tuple(each.maker for each in systems),
                published=published,
                filled=filled,
                shape_of=shape_of if np.isnan(published).any() else "",
            )
        )
    return cpus


def _name(systems: Sequence[System]) -> str:
    """What `cpu_key` makes of the name that such a CPU gives itself in ``/proc/cpuinfo``."""
    key = systems[0].cpu_key
    if key == "d2776nt":  # published as "Xeon-D 2776NT", calls itself "Xeon(R) D-2776NT"
        return "d-2776nt"
    return key


def _shape(watts: NDArray[np.float64]) -> NDArray[np.float64]:
    dynamic: NDArray[np.float64] = (watts - watts[0]) / (watts[-1] - watts[0])
    return dynamic


def _nearest_shape(
    key: str, shapes: dict[str, NDArray[np.float64]], designs: dict[str, Design]
) -> tuple[NDArray[np.float64], str]:
    own = designs[key]
    ladder: tuple[tuple[str, Callable[[str], bool]], ...] = (
        (key, lambda other: other == key),
        (own.name, lambda other: designs[other].name == own.name),
        (
            f"{own.vendor} since {RECENT_YEAR}",
            lambda other: designs[other].vendor == own.vendor and designs[other].year >= RECENT_YEAR,
        ),
        (f"any since {RECENT_YEAR}", lambda other: designs[other].year >= RECENT_YEAR),
    )
    for name, belongs in ladder:
        found = [shape for other, shape in shapes.items() if belongs(other)]
        if found:
            return median(found), name
    raise DataError(f"no system since {RECENT_YEAR} was published with all levels")


def median(rows: Sequence[NDArray[np.float64]] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Level by level over curves (n, 11), giving (11,)."""
    middle: NDArray[np.float64] = np.median(np.asarray(rows), axis=0)
    return middle


def by_design(cpus: Iterable[Cpu]) -> dict[str, list[Cpu]]:
    """The CPUs of each core design, in the order given."""
    designs: dict[str, list[Cpu]] = {}
    for cpu in cpus:
        designs.setdefault(cpu.design.name, []).append(cpu)
    return designs
