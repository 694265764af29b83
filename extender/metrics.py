# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``/metrics`` of the extender. Every family adds up over its labels; the loaded view has families of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extender.state import node_power
from plumbing.exposition import Family, Sample
from plumbing.tasks import failures
from wire.units import UJ_PER_J

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from extender.cluster import Cluster


def families(cluster: Cluster) -> Iterator[Family]:
    """All families, of one moment."""
    now_ns = cluster.clock.monotonic_ns()
    yield from _power(cluster, now_ns=now_ns)
    yield from _energy(cluster)
    yield from _budgets(cluster, now_ns=now_ns)
    yield from _traffic(cluster)
    yield from _uplink(cluster)


def _gauge(name: str, text: str, *samples: Sample) -> Family:
    return Family(name=name, type="gauge", help=text, samples=samples)


def _counter(name: str, text: str, *samples: Sample) -> Family:
    return Family(name=name, type="counter", help=text, samples=samples)


def _counted(counts: Mapping[str, int], label: str) -> list[Sample]:
    return [Sample(count, {label: name}) for name, count in sorted(counts.items())]


def _power(cluster: Cluster, *, now_ns: int) -> Iterator[Family]:
    fresh = sorted(cluster.state.fresh(now_ns=now_ns), key=lambda live: live.node)
    whole = node_power(fresh)
    for name, text, value in (
        ("penstock_cluster_power_watts", "Meter power of fresh nodes; absent without one", whole.power_w),
        ("penstock_cluster_power_low_watts", "Lower end of its 95 % interval", whole.power_low_w),
        ("penstock_cluster_power_high_watts", "Upper end of its 95 % interval", whole.power_high_w),
    ):
        yield _gauge(name, text, *([] if value is None else [Sample(value)]))
    yield _gauge(
        "penstock_cluster_node_power_watts",
        "Meter power of each fresh node; kind is the worst of its meters",
        *(Sample(live.power_w, {"node": live.node, "kind": live.kind}) for live in fresh),
    )
    statuses = {"fresh": len(fresh), "stale": len(cluster.state.nodes) - len(fresh)}
    names = cluster.state.nodes.names()
    yield _gauge(
        "penstock_cluster_nodes_in_conflict",
        "Nodes whose name two agents use at the same time",
        Sample(sum(cluster.state.in_conflict(name, now_ns=now_ns) for name in names)),
    )
    yield _counter(
        "penstock_cluster_node_conflicts_total",
        "Intervals of a node that another of its streams had reported as well",
        *_counted(cluster.state.conflicts, "node"),
    )
    yield _gauge("penstock_cluster_nodes", "Nodes by whether they report", *_counted(statuses, "status"))
    dynamic_w: dict[str, float] = {}
    loaded_w: dict[str, float] = {}
    for live in fresh:
        for namespace, draw in live.namespaces.items():
            dynamic_w[namespace] = dynamic_w.get(namespace, 0.0) + draw.dynamic_w
            loaded_w[namespace] = loaded_w.get(namespace, 0.0) + draw.loaded_w
    for name, text, values in (
        ("penstock_cluster_namespace_power_watts", "Dynamic power by namespace", dynamic_w),
        ("penstock_cluster_namespace_loaded_power_watts", "Power with its share of idle, by namespace", loaded_w),
    ):
        yield _gauge(name, text, *(Sample(value, {"namespace": key}) for key, value in sorted(values.items())))


def _energy(cluster: Cluster) -> Iterator[Family]:
    whole = cluster.totals.cluster()
    yield _counter(
        "penstock_cluster_energy_joules_total",
        "Booked energy by ledger row; the rows add up to the meters",
        *(Sample(energy_uj / UJ_PER_J, {"row": row}) for row, energy_uj in whole.rows_uj.items()),
    )
    yield _counter(
        "penstock_cluster_node_energy_joules_total",
        "Booked meter energy by node",
        *(Sample(node.energy_uj / UJ_PER_J, {"node": name}) for name, node in sorted(cluster.totals.nodes.items())),
    )
    pairs = sorted(cluster.totals.namespaces.items())
    yield _counter(
        "penstock_cluster_namespace_energy_joules_total",
        "Booked dynamic energy by namespace",
        *(Sample(pair.dynamic_uj / UJ_PER_J, {"namespace": name}) for name, pair in pairs),
    )
    yield _counter(
        "penstock_cluster_namespace_loaded_energy_joules_total",
        "Booked energy with its share of idle, by namespace",
        *(Sample(pair.loaded_uj / UJ_PER_J, {"namespace": name}) for name, pair in pairs),
    )


def _budgets(cluster: Cluster, *, now_ns: int) -> Iterator[Family]:
    meters = [
        (meter, {"namespace": meter.budget.namespace, "budget": meter.budget.name, "action": meter.budget.action})
        for meter in cluster.budgets.all()
    ]
    yield _gauge(
        "penstock_cluster_budget_limit_watts",
        "Limit of a PowerBudget",
        *(Sample(meter.budget.limit_w, labels) for meter, labels in meters),
    )
    yield _gauge(
        "penstock_cluster_budget_measured_watts",
        "Mean power over the budget's window, in its view; absent while not every node concerned is fresh",
        *(
            Sample(meter.measured_w, labels)
            for meter, labels in meters
            if meter.fresh(cluster.state.nodes, now_ns=now_ns)
        ),
    )
    yield _gauge(
        "penstock_cluster_budget_held_watts",
        "Predicted watts of admitted pods that measurements do not show yet",
        *(Sample(cluster.holds.held_w(meter, now_ns=now_ns), labels) for meter, labels in meters),
    )
    yield _gauge("penstock_cluster_holds", "Pods with a hold", Sample(len(cluster.holds)))
    folder = cluster.policies
    yield _gauge(
        "penstock_cluster_policy_problems",
        "Problems in policy files; what they last said well stays in force",
        Sample(len(folder.faults) if folder else 0),
    )
    yield _counter(
        "penstock_cluster_decisions_total",
        "Answers to /filter by result",
        *_counted(cluster.decisions.counts, "result"),
    )


def _traffic(cluster: Cluster) -> Iterator[Family]:
    ingest, gaps = cluster.ingest, cluster.totals.gaps
    yield _counter(
        "penstock_cluster_reports_total",
        "Agent reports by what became of them",
        *_counted(ingest.counts, "outcome"),
    )
    yield _counter(
        "penstock_cluster_lost_intervals_total",
        "Intervals that streams ever declared or showed to be missing, with those that came after all",
        Sample(sum(each.lost_intervals + each.restated for each in gaps.values())),
    )
    yield _counter(
        "penstock_cluster_restated_intervals_total",
        "Of those, intervals that came after all and are booked",
        Sample(sum(each.restated for each in gaps.values())),
    )
    meters = {
        (node, reason): sum(meter.gaps for (_, why), meter in each.meters.items() if why == reason)
        for node, each in gaps.items()
        for _, reason in each.meters
    }
    yield _counter(
        "penstock_cluster_meter_gaps_total",
        "Intervals of a domain that nobody metered, by node and reason",
        *(Sample(count, {"node": node, "reason": reason}) for (node, reason), count in sorted(meters.items())),
    )
    yield _counter(
        "penstock_cluster_clock_ahead_reports_total",
        "Reports whose wall clock ran ahead, placed by the receiver's",
        Sample(ingest.replaced),
    )
    yield _counter("penstock_cluster_ledger_commits_total", "Committed batches", Sample(cluster.writer.commits))
    yield _counter("penstock_task_failures_total", "Unexpected ends of tasks", *_counted(failures, "task"))


def _uplink(cluster: Cluster) -> Iterator[Family]:
    status = cluster.uplink_status
    if status is None:
        return
    age_s = (cluster.clock.unix_ns() - status.oldest_unix_ns) / 1e9 if status.oldest_unix_ns else 0.0
    yield _gauge("penstock_cluster_uplink_connected", "1 while the fleet acknowledges", Sample(int(status.connected)))
    yield _gauge("penstock_cluster_uplink_waiting_reports", "Reports that the fleet lacks", Sample(status.waiting))
    yield _gauge("penstock_cluster_uplink_lag_seconds", "Age of the oldest of them", Sample(max(0.0, age_s)))
    yield _counter(
        "penstock_cluster_uplink_reports_total",
        "Cluster reports by what became of them",
        *_counted(status.reports, "outcome"),
    )
