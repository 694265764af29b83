# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Watts and speeds per class of work and frequency, worked out once per machine.

Switching power is C x V(f)^2 x (rate of work): a class that never waits works in proportion to f, one that waits for
memory does not, since its line takes as long at any clock. No exponent of frequency is put in anywhere; it comes out of
the voltage and the share of waiting: about 1.75 for compute and 0.5 for memory-bound work, traffic included, where the
voltage is an EPYC 7502's.

Two threads on one core draw the larger one's power plus a part of the smaller one's, ``q`` = the mean of both gains.
Each one's share is the mean of what it would add as the first and as the second (the Shapley value of the pair), which
for two of a kind is half of (1 + q) times the power of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.silicon.classes import TaskClass
    from sim.silicon.machine import Machine

LINE_BYTES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """K classes on one machine with P frequencies."""

    ghz: NDArray[np.float64]
    """(P,)"""
    alone_w: NDArray[np.float64]
    """(K, P) switching watts of a thread that has its core to itself."""
    beside_w: NDArray[np.float64]
    """(K, P, K) its share of the core's switching watts while the last index's class runs on the sibling."""
    rate_ratio: NDArray[np.float64]
    """(K, P) instructions per second relative to those at base frequency."""
    awake_w: NDArray[np.float64]
    """(P,) leakage of an awake core above that of an idle one, at idle temperature."""
    idle_leak_w: float
    """Leakage of one idle core."""
    highest: NDArray[np.intp]
    """(K,) the highest frequency of a class, as an index."""
    bins: NDArray[np.intp]
    """(cores per socket + 1,) the highest frequency with so many busy cores in the socket, as an index."""
    stall_ratio: NDArray[np.float64]
    smt_speed_ratio: NDArray[np.float64]
    instructions_per_s: NDArray[np.float64]
    """(K,) at base frequency, alone."""
    lines_per_s: NDArray[np.float64]
    """(K,) likewise."""
    disk_bytes_per_s: NDArray[np.float64]
    nic_bytes_per_s: NDArray[np.float64]


def build(machine: Machine, classes: Sequence[TaskClass]) -> Tables:
    """The tables of ``classes`` (at least one) on ``machine``."""
    clocks = machine.clocks
    ghz = machine.ghz()
    volt = clocks.volt_at_min + clocks.volt_per_ghz * (ghz - clocks.min_ghz)
    base_volt = clocks.volt_at_min + clocks.volt_per_ghz * (clocks.base_ghz - clocks.min_ghz)
    stall = _column(classes, "stall_ratio")
    rate = 1.0 / ((1.0 - stall)[:, None] * (clocks.base_ghz / ghz)[None, :] + stall[:, None])
    alone = machine.socket.core_w * _column(classes, "weight_ratio")[:, None] * (volt / base_volt) ** 2 * rate
    gain = _column(classes, "smt_gain_ratio")
    own = alone[:, :, None]
    other = alone.T[None, :, :]
    both = np.maximum(own, other) + (gain[:, None, None] + gain[None, None, :]) / 2 * np.minimum(own, other)
    instructions = _column(classes, "instructions_per_cycle") * clocks.base_ghz * 1e9
    one_core = clocks.one_core_ghz - _column(classes, "slowdown_ghz")
    return Tables(
        ghz=ghz,
        alone_w=alone,
        beside_w=(own + both - other) / 2,
        rate_ratio=rate,
        # Below the voltage at which idle cores of a machine without deep sleep wait, there is nothing left to add.
        awake_w=machine.socket.core_leak_w * np.maximum(0.0, volt / base_volt - machine.idle_leak_ratio()),
        idle_leak_w=machine.socket.core_leak_w * machine.idle_leak_ratio(),
        highest=_index(ghz, one_core),
        bins=_index(ghz, _bins_ghz(machine)),
        stall_ratio=stall,
        smt_speed_ratio=_column(classes, "smt_speed_ratio"),
        instructions_per_s=instructions,
        lines_per_s=instructions * _column(classes, "misses_per_kilo") / 1000.0,
        disk_bytes_per_s=_column(classes, "disk_bytes_per_s"),
        nic_bytes_per_s=_column(classes, "nic_bytes_per_s"),
    )


def _column(classes: Sequence[TaskClass], name: str) -> NDArray[np.float64]:
    return np.array([getattr(each, name) for each in classes], dtype=np.float64)


def _index(ghz: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.intp]:
    """The highest frequency not above each wanted one; the lowest where all are."""
    return np.maximum(0, np.searchsorted(ghz, wanted + 1e-9, side="right") - 1)


def _bins_ghz(machine: Machine) -> NDArray[np.float64]:
    clocks, cores = machine.clocks, machine.cores_per_socket
    # Two cores share the highest bin on most parts; from there it falls to the all-core one.
    busy = np.arange(cores + 1)
    part = np.clip((busy - 2) / max(1, cores - 2), 0.0, 1.0) if cores > 1 else np.zeros(cores + 1)
    return clocks.one_core_ghz - part * (clocks.one_core_ghz - clocks.all_core_ghz)
