# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the agent. This module imports no more than the lean process may hold.

``penstock agent`` fills the dataclass from flags, environment and YAML; ``python -m agent`` gets the result as JSON.
"""

from __future__ import annotations

import math
import re
import socket
from dataclasses import dataclass

from plumbing.setting import setting

METERS = ("rapl-powercap", "simulated", "modelled")
"""Every source that this version knows, best first."""

LEVELS = ("debug", "info", "warning", "error")

_LONGEST_NAME = 253  # of a Kubernetes object
_LONGEST_INTERVAL_S = 3600.0
_SHORTEST_INTERVAL_S = 0.2


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one agent runs with. Raises ValueError naming the field."""

    node: str = setting("", "Name of this node, as Kubernetes calls it; empty is the host name in lower case.")
    host: str = setting("127.0.0.1", "Address to listen on; loopback unless told otherwise.")
    port: int = setting(28283, "TCP port of metrics and queries; 0 takes a free one.")
    interval_s: float = setting(5.0, "Length of an interval in seconds; an extender may send another one.")
    targets: tuple[str, ...] = setting((), "Base URLs of extenders; each gets every report.")
    state: str = setting("", "Folder of the outbox and of the totals; empty keeps both in memory, bounded.")
    procfs: str = setting("/proc", "Root of procfs; in a container the host's, mounted elsewhere.")
    sysfs: str = setting("/sys", "Root of sysfs.")
    cgroupfs: str = setting("/sys/fs/cgroup", "Root of the cgroup file systems, v2 or v1.")
    meters: tuple[str, ...] = setting(
        ("rapl-powercap", "modelled"), "Sources that may be used: rapl-powercap, simulated, modelled."
    )
    simulated_root: str = setting("", "Root of a tree that `penstock sim` writes; read by the meter `simulated` alone.")
    ring_length: int = setting(120, "Closed intervals kept in memory for queries over a window.")
    outbox_limit_bytes: int = setting(64 * 2**20, "Bytes of unsent reports to keep; beyond it the oldest are dropped.")
    log_level: str = setting("info", "debug, info, warning or error.")
    parent_pid: int = setting(0, "End when this process ends; 0 follows nobody.")

    def __post_init__(self) -> None:
        if self.node and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", self.node):
            raise ValueError(f"node: {self.node!r} is not a DNS-1123 name")
        if len(self.node) > _LONGEST_NAME:
            raise ValueError(f"node: longer than {_LONGEST_NAME} characters")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is not within 0..65535")
        if not (math.isfinite(self.interval_s) and _SHORTEST_INTERVAL_S <= self.interval_s <= _LONGEST_INTERVAL_S):
            raise ValueError(
                f"interval_s: {self.interval_s} is not within {_SHORTEST_INTERVAL_S}..{_LONGEST_INTERVAL_S} s"
            )
        for target in self.targets:
            if not re.fullmatch(r"https?://[^/\s?#]+/?", target):
                raise ValueError(f"targets: {target!r} is not a base URL such as http://extender:8080")
        for meter in self.meters:
            if meter not in METERS:
                raise ValueError(f"meters: {meter!r} is not one of {', '.join(METERS)}")
        if "simulated" in self.meters and not self.simulated_root:
            raise ValueError("simulated_root: the meter 'simulated' needs the root of a simulated tree")
        if not 1 <= self.ring_length <= 100_000:
            raise ValueError(f"ring_length: {self.ring_length} is not within 1..100000")
        if self.outbox_limit_bytes < 2**16:
            raise ValueError(f"outbox_limit_bytes: {self.outbox_limit_bytes} is less than {2**16}")
        if self.log_level not in LEVELS:
            raise ValueError(f"log_level: {self.log_level!r} is not one of {', '.join(LEVELS)}")

    @property
    def node_name(self) -> str:
        """The node's name; a host name that is no DNS-1123 name is made one."""
        return self.node or dns_name(socket.gethostname())


def dns_name(host_name: str) -> str:
    """``host_name`` in lower case, with what DNS-1123 does not know replaced by hyphens."""
    cleaned = re.sub(r"[^a-z0-9.-]", "-", host_name.lower())[:_LONGEST_NAME].strip("-.")
    return cleaned or "localhost"
