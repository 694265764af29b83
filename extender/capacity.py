# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the fleet needs to know of the cluster to place work in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from extender.prediction import marginal_w
from extender.state import node_power
from wire import fleet_pb2

if TYPE_CHECKING:
    from extender.state import ClusterState


def capacity(state: ClusterState, *, now_ns: int, now_unix_ns: int) -> fleet_pb2.Capacity:
    """Sums over fresh nodes; marginal watts are the mean over them, weighted by CPUs, 0 where no curve is known."""
    lives = state.fresh(now_ns=now_ns)
    view = state.nodes.view([live.node for live in lives], now_ns=now_ns)
    weights = np.where(view.usable, view.cpus, 0.0)
    per_cpu_w = marginal_w(view, 1.0)
    known = float(weights.sum())
    return fleet_pb2.Capacity(
        nodes=len(state.nodes),
        nodes_fresh=len(lives),
        cpus=sum(live.facts.cpus for live in lives),
        cpus_busy=sum(live.facts.busy_cpus for live in lives),
        memory_bytes=sum(live.facts.memory_bytes for live in lives),
        power_w=node_power(lives).power_w or 0.0,
        watts_per_cpu=float((per_cpu_w * weights).sum()) / known if known else 0.0,
        watts_per_cpu_error=float((per_cpu_w * view.curve_error_ratio * weights).sum()) / known if known else 0.0,
        as_of_unix_ns=now_unix_ns,
    )
