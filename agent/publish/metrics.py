# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agent's metrics: joule counters first, watts for people, and how well the agent itself is doing.

Made from closed intervals alone: a scrape never reads hardware.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbing import tasks
from plumbing.exposition import Family, Sample
from wire.units import UJ_PER_J, watts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.ledger import Held
    from agent.publish.push import Delivered
    from agent.store.snapshot import Snapshot
    from agent.store.totals import Totals, WorkloadTotal
    from agent.vitals import Vitals


def families(
    *, latest: Snapshot | None, totals: Totals, held: Held, vitals: Vitals, delivered: Mapping[str, Delivered]
) -> Iterable[Family]:
    """All families of one scrape."""
    yield from _energy(totals)
    if latest is not None:
        yield from _power(latest)
        yield from _reconciled(latest)
    yield from _itself(vitals, held, delivered)


def _energy(totals: Totals) -> Iterable[Family]:
    domains = [
        ({"component": each.component, "scope": each.scope, "source": each.source, "kind": each.kind}, each)
        for each in totals.domains.values()
    ]
    yield _counter(
        "penstock_node_energy_joules_total",
        "Energy by domain. A domain may contain others (platform over cpu and dram): never add up over component.",
        [Sample(each.energy_uj / UJ_PER_J, labels) for labels, each in domains],
    )
    yield _counter(
        "penstock_node_static_energy_joules_total",
        "Part of a domain's energy that is drawn with no work.",
        [Sample(each.static_uj / UJ_PER_J, labels) for labels, each in domains],
    )
    yield _counter(
        "penstock_node_unattributed_energy_joules_total",
        "Part of a domain's energy that belongs to no workload, such as interrupts.",
        [Sample(each.unattributed_uj / UJ_PER_J, labels) for labels, each in domains],
    )
    yield Family(
        "penstock_node_residual_energy_joules",
        "gauge",
        "Energy of a domain beyond the domains it contains; signed, so not a counter.",
        tuple(Sample(each.residual_uj / UJ_PER_J, labels) for labels, each in domains),
    )
    yield _counter(
        "penstock_namespace_energy_joules_total",
        "Energy drawn because of the namespace's work (dynamic view).",
        [Sample(part.dynamic_uj / UJ_PER_J, {"namespace": name}) for name, part in totals.namespaces.items()],
    )
    yield _counter(
        "penstock_namespace_loaded_energy_joules_total",
        "Energy of the namespace with its share of static and residual (loaded view).",
        [Sample(part.loaded_uj / UJ_PER_J, {"namespace": name}) for name, part in totals.namespaces.items()],
    )
    workloads = [
        (_labels(each) | {"component": component}, part)
        for each in totals.workloads.values()
        for component, part in each.parts.items()
    ]
    yield _counter(
        "penstock_workload_energy_joules_total",
        "Energy drawn because of the workload (dynamic view).",
        [Sample(part.dynamic_uj / UJ_PER_J, labels) for labels, part in workloads],
    )
    yield _counter(
        "penstock_workload_loaded_energy_joules_total",
        "Energy of the workload with its share of static and residual (loaded view).",
        [Sample(part.loaded_uj / UJ_PER_J, labels) for labels, part in workloads],
    )
    yield Family(
        "penstock_node_energy_created_timestamp_seconds",
        "gauge",
        "When the joule counters began at 0.",
        (Sample(totals.created_unix_ns / 1e9),),
    )


def _labels(workload: WorkloadTotal) -> dict[str, str]:
    return {
        "namespace": workload.namespace,
        "workload": workload.name,
        "pod_uid": workload.uid,
        "container_id": workload.container,
    }


def _power(latest: Snapshot) -> Iterable[Family]:
    domains = []
    bounds = []
    for split in latest.domains:
        energy = split.energy
        labels = {"component": energy.domain.component, "scope": energy.domain.scope, "source": energy.source,
                  "kind": energy.quality.kind}  # fmt: skip
        power_w = watts(energy.timely_uj, energy.elapsed_ns)
        domains.append(Sample(power_w, labels))
        bounds.append(Sample(power_w * energy.quality.low_ratio, labels | {"bound": "low"}))
        bounds.append(Sample(power_w * energy.quality.high_ratio, labels | {"bound": "high"}))
    yield Family("penstock_node_power_watts", "gauge", "Mean power over the last interval.", tuple(domains))
    yield Family("penstock_node_power_bound_watts", "gauge", "Ends of the 95 % interval of the power.", tuple(bounds))
    dynamic = latest.by_workload(latest.dynamic_uj).sum(axis=1).tolist()
    by_namespace: dict[str, int] = {}
    for workload, energy_uj in zip(latest.workloads, dynamic, strict=True):
        by_namespace[workload.namespace] = by_namespace.get(workload.namespace, 0) + energy_uj
    yield Family(
        "penstock_namespace_power_watts",
        "gauge",
        "Mean power over the last interval (dynamic view).",
        tuple(
            Sample(watts(energy_uj, latest.span.elapsed_ns), {"namespace": name})
            for name, energy_uj in by_namespace.items()
        ),
    )
    yield Family("penstock_node_busy_cpus", "gauge", "CPUs at work, mean over the last interval.",
                 (Sample(latest.facts.busy_cpus),))  # fmt: skip
    yield Family("penstock_node_processes", "gauge", "Processes alive at the last scan.",
                 (Sample(latest.processes),))  # fmt: skip


def _reconciled(latest: Snapshot) -> Iterable[Family]:
    """No sample where there is nothing to say it by: absent is not 0."""
    now = latest.reconciliation
    for name, text, value in (
        ("penstock_node_residual_watts", "Power that no component explains; information, not an error.",
         now.residual_w),
        ("penstock_node_residual_ratio", "The same as a part of the platform's power.", now.residual_ratio),
        ("penstock_node_reconciliation_error_ratio",
         "How far the platform's meter is from what those of its components let expect, over the last whole minute.",
         now.reconciliation_error_ratio),
        ("penstock_node_reconciliation_error_trend_per_hour", "How that error moves.", now.error_trend_per_hour),
        ("penstock_node_psu_loss_watts", "What goes in of all supplies less what comes out.", now.psu_loss_w),
    ):  # fmt: skip
        yield Family(name, "gauge", text, (Sample(value),) if value is not None else ())


def _itself(vitals: Vitals, held: Held, delivered: Mapping[str, Delivered]) -> Iterable[Family]:
    parts = vitals.parts.items()
    yield Family(
        "penstock_agent_part_success",
        "gauge",
        "1 if the meter or observer gave everything it has the last time.",
        tuple(Sample(int(each.success), {"part": name}) for name, each in parts),
    )
    yield Family(
        "penstock_agent_part_duration_seconds",
        "gauge",
        "How long the last call took.",
        tuple(Sample(each.duration_ns / 1e9, {"part": name}) for name, each in parts),
    )
    yield Family(
        "penstock_agent_part_staleness_seconds",
        "gauge",
        "Age of the last success.",
        tuple(Sample(vitals.age_s(each.last_success_ns), {"part": name}) for name, each in parts),
    )
    yield _counter(
        "penstock_agent_part_failures_total",
        "Calls that gave less than everything.",
        [Sample(each.failures_total, {"part": name}) for name, each in parts],
    )
    yield Family(
        "penstock_agent_provisional_intervals",
        "gauge",
        "Intervals that wait for a slow meter before they close.",
        (Sample(vitals.provisional),),
    )
    yield _counter(
        "penstock_agent_abandoned_calls_total",
        "Calls that missed their deadline and were left behind.",
        [Sample(count, {"worker": name}) for name, count in vitals.abandoned().items()],
    )
    yield _counter("penstock_agent_intervals_total", "Intervals closed.", [Sample(vitals.intervals_total)])
    yield _counter(
        "penstock_agent_gaps_total",
        "Intervals of a domain that nobody metered.",
        [Sample(count, {"reason": reason}) for reason, count in vitals.gaps_total.items()],
    )
    yield Family(
        "penstock_agent_edge_gap_seconds",
        "gauge",
        "Time between the meter readings before and after the last drain: how far energy and run time lie apart.",
        (Sample(vitals.edge_gap_ns / 1e9),),
    )
    yield Family("penstock_agent_last_interval_age_seconds", "gauge", "Age of the newest closed interval.",
                 (Sample(vitals.age_s(vitals.last_interval_ns)),))  # fmt: skip
    yield Family("penstock_agent_outbox_messages", "gauge", "Reports held for a target.",
                 (Sample(held.messages),))  # fmt: skip
    yield Family("penstock_agent_outbox_bytes", "gauge", "Bytes of reports held.", (Sample(held.size_bytes),))
    yield _counter("penstock_agent_outbox_dropped_total", "Reports dropped because the outbox was full.",
                   [Sample(held.dropped_total)])  # fmt: skip
    for name, text, field in (
        ("accepted", "Reports that the target has on its disk.", "accepted_total"),
        ("failed", "Tries that the target did not answer, or not usefully.", "failed_total"),
        ("refused", "Reports that the target refused for good; declared as dropped.", "refused_total"),
    ):
        yield _counter(
            f"penstock_agent_reports_{name}_total",
            text,
            [Sample(getattr(counts, field), {"target": url}) for url, counts in delivered.items()],
        )
    yield _counter(
        "penstock_task_failures_total",
        "Unexpected ends of a task; it was started again.",
        [Sample(count, {"task": name}) for name, count in tasks.failures.items()],
    )


def _counter(name: str, text: str, samples: list[Sample]) -> Family:
    return Family(name, "counter", text, tuple(samples))
