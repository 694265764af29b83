# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Builders of what kube-scheduler sends."""

from __future__ import annotations

from typing import Any

from wire.report import CurvePoint, NodeFacts


def pod(uid: str = "uid-1", *, namespace: str = "team-a", cpu: str | None = "1", **spec: Any) -> dict[str, Any]:
    """A pod with one container; ``spec`` adds to its spec."""
    requests = {} if cpu is None else {"cpu": cpu, "memory": "64Mi"}
    return {
        "metadata": {"name": f"pod-{uid}", "namespace": namespace, "uid": uid},
        "spec": {"containers": [{"name": "main", "resources": {"requests": requests}}], **spec},
    }


def args(pod_object: dict[str, Any], *nodes: str) -> dict[str, Any]:
    """ExtenderArgs as a scheduler with nodeCacheCapable sends them."""
    return {"Pod": pod_object, "Nodes": None, "NodeNames": list(nodes)}


def facts(*, idle_w: float = 10, busy_w: float = 50, cpus: int = 4, busy: float = 0.0, error: float = 0.1) -> NodeFacts:
    """A node with a straight power curve."""
    return NodeFacts(
        cpus=cpus,
        busy_cpus=busy,
        curve=(CurvePoint(load_ratio=0, power_w=idle_w), CurvePoint(load_ratio=1, power_w=busy_w)),
        curve_error_ratio=error,
    )
