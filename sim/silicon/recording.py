# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Turns what a run has kept into the tables of a trace.

An observer is taken to be perfect here: it sees all counters of every thread. A benchmark takes columns away to see
what a model makes of less.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.silicon.ledger import PLATFORM, domains

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.silicon.ledger import Interval
    from sim.silicon.machine import Machine
    from sim.silicon.work import Work
    from sim.silicon.zones import Zone

# Tasks have no process; their numbers start where no kernel thread's does.
_FIRST_PID: Final = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader of a meter saw: a counter, or watts."""

    meter: int
    at_ns: int
    counter_uj: int = -1
    power_w: float = float("nan")


def about(machine: Machine, work: Work, *, zones: Sequence[Zone], seed: int) -> dict[str, Any]:
    """What trace.json says; ``zones`` in the order of the readings' meters."""
    meters: list[dict[str, Any]] = [
        {"source": zone.folder, "domain": zone.domain, "range_uj": zone.max_energy_range_uj} for zone in zones
    ]
    if machine.meters.platform != "none":
        meters.append({"source": machine.meters.platform, "domain": PLATFORM, "range_uj": None})
    threads = work.threads
    first = {int(task): int(at) for at, task in reversed(list(enumerate(threads.task)))}
    return {
        "simulated": True,
        "seed": seed,
        "machine": {
            "name": machine.name,
            "vendor": machine.vendor,
            "model_name": machine.model_name,
            "family": machine.family,
            "model": machine.model,
            "base_ghz": machine.clocks.base_ghz,
            "long_w": machine.limits.long_w,
        },
        "cpus": [
            {"cpu": cpu, "core": int(core), "socket": int(socket), "sibling": int(sibling)}
            for cpu, (core, socket, sibling) in enumerate(
                zip(machine.core_of_cpu(), machine.socket_of_cpu(), machine.sibling_of_cpu(), strict=True)
            )
        ],
        "domains": [*domains(machine), PLATFORM],
        "meters": meters,
        "tasks": [
            {
                "task": task,
                "name": name,
                "pid": _FIRST_PID + task,
                "task_class": work.classes[threads.task_class[first[task]]].name if task in first else "",
            }
            for task, name in enumerate(work.tasks)
        ],
        "classes": [asdict(each) for each in work.classes],
    }


def columns(
    intervals: Sequence[Interval], readings: Sequence[Reading], work: Work
) -> dict[str, dict[str, NDArray[Any]]]:
    """The tables of `trace.TABLES` that a run can fill."""

    def joined(name: str, kind: type[Any] = np.int64) -> NDArray[Any]:
        return np.concatenate([getattr(each, name) for each in intervals] or [np.zeros(0)]).astype(kind)

    def numbers(name: str) -> NDArray[np.int64]:
        counts = [len(getattr(each, name)) for each in intervals]
        return np.repeat(np.array([each.number for each in intervals], dtype=np.int64), counts)

    def single(*names: str) -> dict[str, NDArray[Any]]:
        return {name: np.array([getattr(each, name) for each in intervals], dtype=np.int64) for name in names}

    thread = joined("thread", np.intp)
    rows = len(intervals[0].total_uj) if intervals else 0
    interval = np.array([each.number for each in intervals], dtype=np.int64)
    return {
        "intervals": {"interval": interval, **single("from_ns", "to_ns")},
        "observations": {
            "interval": numbers("thread"),
            "task": work.threads.task[thread].astype(np.int64),
            "cpu": work.threads.cpu[thread].astype(np.int64),
            "run_ns": joined("run_ns"),
            "overlap_ns": joined("overlap_ns"),
            "cycles": joined("cycles"),
            "instructions": joined("instructions"),
            "llc_misses": joined("misses"),
            "ghz2_ns": joined("ghz2_ns", np.float64),
        },
        "readings": {
            "meter": np.array([each.meter for each in readings], dtype=np.int64),
            "at_ns": np.array([each.at_ns for each in readings], dtype=np.int64),
            "counter_uj": np.array([each.counter_uj for each in readings], dtype=np.int64),
            "power_w": np.array([each.power_w for each in readings], dtype=np.float64),
        },
        "truth": {"interval": numbers("task"), **{name: joined(name) for name in ("task", "domain", "energy_uj")}},
        "shared": {
            "interval": numbers("total_uj"),
            "domain": np.tile(np.arange(rows, dtype=np.int64), len(intervals)),
            **{name: joined(name) for name in ("static_uj", "wake_uj", "thermal_uj", "total_uj")},
        },
        "platform": {"interval": interval, **single("ac_uj", "board_uj", "fan_uj", "loss_uj")},
    }
