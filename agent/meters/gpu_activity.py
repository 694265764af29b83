# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Who uses a GPU and how busy it is: what a share of its energy rests on. Values only; meters fill them.

A GPU is named by what stays with the board: NVIDIA's UUID, or the PCI address where a driver gives no UUID. Index 3
may be another board after one was lost, and two vendors both have a 0. MIG instances have no meter of their own: their
domain is the parent's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from agent.meters.protocol import Meter, Unread

if TYPE_CHECKING:
    from collections.abc import Sequence

Sharing = Literal["exclusive", "time_sliced", "mig"]
"""One process at a time, several in turn, or cut into instances."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process (from NVML) or a pod's container (from the labels of dcgm-exporter) that has a GPU or a slice of it."""

    pid: int = 0
    """In the host's PID namespace; 0 where only the pod is known. Valid for the time of this reading, as PIDs are."""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    memory_bytes: int | None = None
    sm_ratio: float | None = None
    """Largest share of the multiprocessors' time in any sample since the last reading; None where nobody counts it."""
    instance: str = ""
    """Scope of the MIG instance that it runs in."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One MIG device: a compute instance of a GPU instance."""

    scope: str
    gpu_instance: int
    slices: int
    """Of the parent's ``slices`` compute slices."""
    profile: str = ""
    active_ratio: float | None = None
    """Share of time in which the graphics or compute engine was active, of this instance alone."""


@dataclass(frozen=True, slots=True)
class Activity:
    """One GPU between the last reading and ``at_ns`` (monotonic)."""

    domain: str
    at_ns: int
    sharing: Sharing
    holders: tuple[Holder, ...] = ()
    instances: tuple[Instance, ...] = ()
    slices: int = 0
    """Compute slices that the whole GPU can be cut into; 0 without MIG."""


@runtime_checkable
class GpuMeter(Meter, Protocol):
    """A meter that also knows who holds its GPUs. ``activity`` blocks, like ``read``."""

    def activity(self) -> tuple[Activity | Unread, ...]: ...


def completed(first: Activity, second: Activity) -> Activity:
    """``first`` with the instance activity and the pods that only ``second`` knows, for one GPU.

    NVML knows processes, DCGM engine activity per instance on GPUs older than Hopper. Holders of ``second`` are taken
    where ``first`` sees nobody in that instance (a process in a foreign PID namespace stays invisible to NVML).
    """
    known = {each.gpu_instance: each for each in second.instances}
    instances = tuple(
        replace(each, active_ratio=known[each.gpu_instance].active_ratio)
        if each.active_ratio is None and each.gpu_instance in known
        else each
        for each in first.instances
    )
    scopes = {each.gpu_instance: each.scope for each in reversed(first.instances)}
    numbers = {each.scope: each.gpu_instance for each in second.instances}
    held = {each.instance for each in first.holders}
    added = tuple(
        replace(each, instance=scope)
        for each in second.holders
        if (scope := scopes.get(numbers.get(each.instance, -1), each.instance)) not in held
    )
    return replace(first, instances=instances, holders=first.holders + added)


def by_domain(activities: Sequence[Activity | Unread]) -> dict[str, Activity]:
    """What could be read, by domain name."""
    return {each.domain: each for each in activities if isinstance(each, Activity)}
