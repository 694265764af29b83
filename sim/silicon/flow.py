# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine hands on: what a machine remembers between blocks, and what happened in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.silicon.machine import Machine


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What a machine remembers between blocks, (sockets,) each."""

    temp_c: NDArray[np.float64]
    mean_w: NDArray[np.float64]
    """Exponential mean of the package with the limit's time constant."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """What happened in a block of n steps; R threads ran, S sockets."""

    step_s: float
    thread: NDArray[np.intp]
    """(R,) indices into `Threads`; the columns below are sums over the block."""
    run_s: NDArray[np.float64]
    overlap_s: NDArray[np.float64]
    """Of ``run_s`` with the sibling busy."""
    ghz_s: NDArray[np.float64]
    """Frequency x time: thousands of millions of cycles."""
    ghz2_s: NDArray[np.float64]
    instructions: NDArray[np.float64]
    misses: NDArray[np.float64]
    core_j: NDArray[np.float64]
    """Switching, and the leakage of keeping the core awake."""
    traffic_j: NDArray[np.float64]
    """Uncore and memory controller."""
    dram_j: NDArray[np.float64]
    device_j: NDArray[np.float64]
    wake_w: NDArray[np.float64]
    """(n, S), as all below that have two dimensions."""
    thermal_w: NDArray[np.float64]
    dynamic_w: NDArray[np.float64]
    traffic_w: NDArray[np.float64]
    """Part of ``dynamic_w``."""
    package_w: NDArray[np.float64]
    dram_w: NDArray[np.float64]
    core_zone_w: NDArray[np.float64]
    """All cores of the socket with their leakage: the part of the package that its core counter shows."""
    fan_w: float
    device_w: NDArray[np.float64]
    """(n,)"""
    dc_w: NDArray[np.float64]
    ac_w: NDArray[np.float64]
    core_w: NDArray[np.float64]
    """(cores,) mean over the block, awake leakage included."""
    core_ghz: NDArray[np.float64]
    """(cores,) mean frequency while busy; the lowest where nothing ran."""

    @property
    def elapsed_s(self) -> float:
        """Length of the block."""
        return self.step_s * len(self.ac_w)


def at_rest(machine: Machine) -> State:
    """A machine that has had nothing to do for long."""
    return State(
        temp_c=np.full(machine.sockets, machine.idle_c()),
        mean_w=np.full(machine.sockets, machine.static_w()),
    )
