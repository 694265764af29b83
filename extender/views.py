# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What people read, as plain values: made from the cluster's parts in one turn of the event loop, so of one moment."""

from __future__ import annotations

import heapq
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from extender.state import Draw, PowerSum, node_power, share_power
from extender.totals import NodeGaps, NodeTotals, Pair, watermark_items
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from extender.budgets import BudgetMeter, Verdict
    from extender.cluster import Cluster
    from extender.decisions import Decision
    from extender.policies import PolicyFault
    from extender.rows import WorkloadKey
    from wire.units import Kind

Document = dict[str, Any]


def rfc3339(unix_ns: int) -> str:
    """UTC with milliseconds."""
    return datetime.fromtimestamp(unix_ns // 1_000_000 / 1e3, tz=UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _power(power: PowerSum) -> Document:
    return {
        "power_w": power.power_w,
        "power_low_w": power.power_low_w,
        "power_high_w": power.power_high_w,
        "kind": power.kind,
    }


def _energy(totals: NodeTotals) -> Document:
    return {
        "energy_uj": totals.energy_uj,
        "rows": {f"{row}_uj": energy_uj for row, energy_uj in totals.rows_uj.items()},
        "loaded_rows": {"workloads_uj": totals.loaded_uj, "unallocated_uj": totals.unallocated_uj},
    }


def _list(cluster: Cluster, items: list[Document], **more: Any) -> Document:
    return {"as_of": rfc3339(cluster.clock.unix_ns()), "items": items, **more}


def cluster_document(cluster: Cluster) -> Document:
    """The whole cluster: watts of fresh nodes, all energy ever booked, budgets, policies, uplink."""
    now_ns = cluster.clock.monotonic_ns()
    fresh = cluster.state.fresh(now_ns=now_ns)
    return {
        "as_of": rfc3339(cluster.clock.unix_ns()),
        "name": cluster.settings.cluster_name,
        "cluster_id": cluster.cluster_id,
        **_power(node_power(fresh)),
        **_energy(cluster.totals.cluster()),
        "nodes": len(cluster.state.nodes),
        "nodes_fresh": len(fresh),
        "cpus": sum(live.facts.cpus for live in fresh),
        "busy_cpus": sum(live.facts.busy_cpus for live in fresh),
        "holds": len(cluster.holds),
        "budgets": [_budget(cluster, meter, now_ns=now_ns) for meter in cluster.budgets.all()],
        "policies": _policies(cluster),
        "uplink": _uplink(cluster),
        "watermarks": watermark_items(cluster.totals.watermarks),
    }


def _policies(cluster: Cluster) -> Document:
    folder = cluster.policies
    if folder is None:
        return {"revision": "", "problems": [], "notices": []}
    return {
        "revision": folder.revision,
        "problems": [_fault(fault) for fault in folder.faults],
        "notices": [_fault(notice) for notice in folder.notices],
    }


def _fault(fault: PolicyFault) -> Document:
    return {"file": fault.file, "line": fault.line, "field": fault.field, "reason": fault.reason}


def _uplink(cluster: Cluster) -> Document | None:
    status = cluster.uplink_status
    if status is None:
        return None
    return {
        "target": status.target,
        "connected": status.connected,
        "streams_aside": status.streams_aside,
        "waiting_reports": status.waiting,
        "last_error": status.last_error,
        "acked_as_of": rfc3339(status.acked_unix_ns) if status.acked_unix_ns else None,
    }


def _budget(cluster: Cluster, meter: BudgetMeter, *, now_ns: int) -> Document:
    budget = meter.budget
    held_w = cluster.holds.held_w(meter, now_ns=now_ns)
    fresh = meter.fresh(cluster.state.nodes, now_ns=now_ns)
    # Without a fresh measurement there is no figure, which is not the same as 0 W.
    measured_w = meter.measured_w if fresh else None
    return {
        "name": budget.name,
        "namespace": budget.namespace,
        "action": budget.action,
        "view": budget.view,
        "window_s": budget.window_s,
        "limit_w": budget.limit_w,
        "measured_w": measured_w,
        "held_w": held_w,
        "usage_ratio": None if measured_w is None else (measured_w + held_w) / budget.limit_w,
        "exceeded": None if measured_w is None else measured_w > budget.limit_w,
        "fresh": fresh,
    }


def namespaces_document(cluster: Cluster) -> Document:
    """All namespaces ever booked; watts as of each node's latest interval."""
    now_ns = cluster.clock.monotonic_ns()
    draws: dict[str, list[tuple[Draw, Kind]]] = defaultdict(list)
    workloads: dict[str, int] = defaultdict(int)
    for live in cluster.state.fresh(now_ns=now_ns):
        for namespace, draw in live.namespaces.items():
            draws[namespace].append((draw, live.kind))
        for key in live.workloads:
            workloads[key.namespace] += 1
    holds = cluster.holds.summary()
    items = [
        {
            "name": namespace,
            **_shares(draws[namespace]),
            **_pair(pair),
            "workloads": workloads[namespace],
            "holds": holds.get(namespace, (0, 0.0))[0],
            "budgets": [_budget(cluster, meter, now_ns=now_ns) for meter in cluster.budgets.of(namespace)],
        }
        for namespace, pair in sorted(cluster.totals.namespaces.items())
    ]
    return _list(cluster, items, watermarks=watermark_items(cluster.totals.watermarks))


def _shares(draws: list[tuple[Draw, Kind]]) -> Document:
    loaded_w = sum(draw.loaded_w for draw, _ in draws) if draws else None
    return _power(share_power(draws)) | {"loaded_power_w": loaded_w}


def _pair(pair: Pair) -> Document:
    return {"energy_uj": pair.dynamic_uj, "loaded_energy_uj": pair.loaded_uj}


def nodes_document(cluster: Cluster) -> Document:
    """All nodes ever booked."""
    items = [node_item(cluster, node) for node in sorted({*cluster.totals.nodes, *cluster.state.nodes.names()})]
    return _list(cluster, items, watermarks=watermark_items(cluster.totals.watermarks))


def node_item(cluster: Cluster, node: str) -> Document:
    """One node. A stale one shows its last watts, which no sum contains; a silent or gone one shows none."""
    now_ns = cluster.clock.monotonic_ns()
    live = cluster.state.snapshot().get(node)
    totals = cluster.totals.nodes.get(node, NodeTotals())
    gaps = cluster.totals.gaps.get(node, NodeGaps())
    power = node_power([live] if live else [])
    item = {
        "name": node,
        "status": cluster.state.status(node, now_ns=now_ns),
        "conflict": cluster.state.in_conflict(node, now_ns=now_ns),
        **_power(power),
        **_energy(totals),
        "lost_intervals": gaps.lost_intervals,
        "meter_gaps": sum(meter.gaps for meter in gaps.meters.values()),
    }
    if live is None:
        return item
    facts = live.facts
    return item | {
        "age_s": max(0.0, (now_ns - live.as_of_ns) / NS_PER_S),
        "interval_s": live.elapsed_ns / NS_PER_S,
        "cpus": facts.cpus,
        "busy_cpus": facts.busy_cpus,
        "memory_bytes": facts.memory_bytes,
        "cpu_model": facts.cpu_model,
        "simulated": facts.simulated,
        "sources": sorted(live.meter_error_by_source_w),
    }


def node_document(cluster: Cluster, node: str) -> Document | None:
    """One node with its namespaces and power curve; None where nobody ever heard of it."""
    if node not in cluster.totals.nodes and node not in cluster.state.nodes:
        return None
    live = cluster.state.snapshot().get(node)
    facts = live.facts if live else None
    return {
        "as_of": rfc3339(cluster.clock.unix_ns()),
        **node_item(cluster, node),
        "curve": [{"load_ratio": point.load_ratio, "power_w": point.power_w} for point in facts.curve] if facts else [],
        "curve_kind": facts.curve_kind if facts else None,
        "curve_error_ratio": facts.curve_error_ratio if facts else None,
        "namespaces": [
            {
                "name": namespace,
                **_shares([(live.namespaces[namespace], live.kind)] if live and namespace in live.namespaces else []),
                **_pair(pair),
            }
            for namespace, pair in sorted(cluster.totals.presence.get(node, {}).items())
        ],
        "gaps": _gaps(cluster.totals.gaps.get(node, NodeGaps())),
        "watermarks": watermark_items(cluster.totals.watermarks, nodes=[node]),
    }


def _gaps(gaps: NodeGaps) -> Document:
    """What is not in a node's totals: intervals that never came, and times in which a meter said nothing."""
    return {
        "lost_intervals": [
            {"reason": reason, "intervals": count} for reason, count in sorted(gaps.lost.items()) if count
        ],
        "restated_intervals": gaps.restated,
        "meters": [
            {
                "domain": domain,
                "reason": reason,
                "gaps": meter.gaps,
                "gap_s": meter.gap_ns / NS_PER_S,
                "last": rfc3339(meter.last_unix_ns),
            }
            for (domain, reason), meter in sorted(gaps.meters.items())
        ],
    }


def pods_document(cluster: Cluster, *, namespace: str | None, node: str | None, limit: int) -> Document:
    """Workloads within their retention, the hungriest first; outside Kubernetes ``uid`` is empty, the name a cgroup."""
    now_ns = cluster.clock.monotonic_ns()
    fresh = {live.node: live for live in cluster.state.fresh(now_ns=now_ns)}

    def drawn(on_node: str, key: WorkloadKey) -> tuple[Draw, Kind] | None:
        live = fresh.get(on_node)
        draw = live.workloads.get(key) if live else None
        return (draw, live.kind) if live and draw else None

    # Ranked by bare figures first: documents of 150,000 workloads would hold up the scheduler for seconds.
    ranked = []
    for (on_node, key), pair in cluster.totals.workloads.items():
        if namespace in {None, key.namespace} and node in {None, on_node}:
            found = drawn(on_node, key)
            ranked.append((-found[0].dynamic_w if found else 0.0, -pair.dynamic_uj, key, on_node))
    items = []
    for _, _, key, on_node in heapq.nsmallest(limit, ranked):
        found = drawn(on_node, key)
        items.append(
            {
                "name": key.name,
                "namespace": key.namespace,
                "uid": key.uid,
                "node": on_node,
                "live": found is not None,
                **_shares([found] if found else []),
                **_pair(cluster.totals.workloads[on_node, key]),
            }
        )
    return _list(cluster, items, total=len(ranked), watermarks=watermark_items(cluster.totals.watermarks))


def decision_document(decision: Decision) -> Document:
    """One decision with the figures that it rested on."""
    return {
        "as_of": rfc3339(decision.as_of_unix_ns),
        "name": decision.name,
        "namespace": decision.namespace,
        "uid": decision.uid,
        "result": decision.result,
        "reason": decision.reason,
        "nodes": decision.nodes,
        "predicted_w": decision.prediction.median_w,
        "predicted_high_w": decision.prediction.high_w,
        "prediction_basis": decision.prediction.basis,
        "limits": [_verdict(verdict) for verdict in decision.verdicts],
    }


def _verdict(verdict: Verdict) -> Document:
    budget = verdict.budget
    return {
        "name": f"PowerBudget {budget.namespace}/{budget.name}",
        "action": budget.action,
        "limit_w": budget.limit_w,
        "measured_w": verdict.measured_w,
        "held_w": verdict.held_w,
        "predicted_w": verdict.predicted_w,
        "fresh": verdict.fresh,
        "fits": verdict.fits,
    }


def decisions_document(cluster: Cluster, *, limit: int) -> Document:
    """The latest decisions, newest first."""
    items = [decision_document(decision) for decision, _ in zip(cluster.decisions.latest(), range(limit), strict=False)]
    return _list(cluster, items)
