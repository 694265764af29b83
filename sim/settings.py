# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the simulator. It listens nowhere: it meets the roles only as the world does."""

from __future__ import annotations

import math
from dataclasses import dataclass

from plumbing.setting import setting
from sim.spec import MACHINES, MOST_NODES, MOST_PODS

LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class SimSettings:
    """What one simulator runs with. Raises ValueError naming the field."""

    extender: str = setting("http://127.0.0.1:8080", "Base URL of the extender that the simulated nodes report to.")
    nodes: int = setting(10, "Simulated nodes; 0 for a simulated machine alone.")
    pods: int = setting(100, "Simulated pods that run at any time; those that end are replaced.")
    seed: int = setting(1, "The same seed gives the same nodes and the same pods with the same lives.")
    interval_s: float = setting(2.0, "Length of an interval in seconds.")
    machine_root: str = setting("", "Folder for the sysfs tree of a simulated machine; empty writes none.")
    machine: str = setting("xeon-2s", "Kind of simulated machine: xeon-2s, xeon-1s, laptop, epyc-2s or vm.")
    machine_load: str = setting("host", "Load of the simulated machine: this host's (host), or a ratio from 0 to 1.")
    machine_trace: str = setting(
        "", "Folder for a trace with the machine's truth, its last hour at most, written at the end; empty writes none."
    )
    log_level: str = setting("info", "debug, info, warning or error.")
    parent_pid: int = setting(0, "End when this process ends; 0 follows nobody.")

    def __post_init__(self) -> None:
        if not 0 <= self.nodes <= MOST_NODES:
            raise ValueError(f"nodes: {self.nodes} is not within 0..{MOST_NODES}")
        if not 0 <= self.pods <= MOST_PODS:
            raise ValueError(f"pods: {self.pods} is not within 0..{MOST_PODS}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed: {self.seed} is not within 0..2**63-1")
        if not (math.isfinite(self.interval_s) and 0.2 <= self.interval_s <= 3600):
            raise ValueError(f"interval_s: {self.interval_s} is not within 0.2..3600 s")
        if not self.extender.startswith(("http://", "https://")):
            raise ValueError(f"extender: {self.extender!r} is not the base URL of an extender")
        if self.log_level not in LEVELS:
            raise ValueError(f"log_level: {self.log_level!r} is none of {', '.join(LEVELS)}")
        if self.machine not in MACHINES:
            raise ValueError(f"machine: {self.machine!r} is none of {', '.join(MACHINES)}")
        if self.machine_trace and not self.machine_root:
            raise ValueError("machine_trace: needs machine_root, for without it there is no machine")
        if self.fixed_load is None and self.machine_load != "host":
            raise ValueError(f"machine_load: {self.machine_load!r} is neither 'host' nor a ratio from 0 to 1")

    @property
    def fixed_load(self) -> float | None:
        """The scripted load of the machine, None where it follows the host."""
        try:
            ratio = float(self.machine_load)
        except ValueError:
            return None
        return ratio if 0 <= ratio <= 1 else None
