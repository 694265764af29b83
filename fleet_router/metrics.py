# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""``/metrics`` of the fleet router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbing.exposition import Family, Sample
from plumbing.tasks import failures
from wire.units import NS_PER_S, UJ_PER_J

if TYPE_CHECKING:
    from carbon.source import Ladder
    from fleet_router.ingest import IngestCounters
    from fleet_router.views import View

from fleet_router.sums import rows_of


def families(view: View, *, ladder: Ladder, counters: IngestCounters, recommendations: int) -> tuple[Family, ...]:
    """All families; every cluster is a series, namespaces are not: their series belong to the clusters."""
    energy, power, fresh, seen, intensity, gaps = [], [], [], [], [], []
    for cluster in view.clusters:
        label = {"cluster": cluster.name}
        for row, energy_uj in rows_of(view.sums_of(cluster)).items():
            energy.append(Sample(energy_uj / UJ_PER_J, {**label, "row": row.removesuffix("_uj")}))
        if cluster.nodes_fresh > 0:
            power.append(Sample(cluster.power_w, label))
        for text, of_domain in (("interval", False), ("meter", True)):
            count = sum(each.intervals for each in view.gaps_of(cluster) if bool(each.domain) is of_domain)
            gaps.append(Sample(count, {**label, "of": text}))
        fresh.append(Sample(int(view.fresh(cluster)), label))
        seen.append(Sample(cluster.last_seen_unix_ns / NS_PER_S, label))
        rated = ladder.rate_any(cluster.zone, at_unix_s=view.as_of_unix_ns // NS_PER_S)
        if rated.value is not None:
            intensity.append(
                Sample(
                    rated.value.g_per_kwh,
                    {
                        **label,
                        "zone": cluster.zone,
                        "method": rated.value.method,
                        "rung": rated.rung,
                        "source": rated.value.source,
                    },
                )
            )
    return (
        # A gauge by type: the residual row is signed, so a row's joules may fall.
        Family(
            "penstock_fleet_energy_joules",
            "gauge",
            "Joules in the ledger by row; the rows of a cluster add up to what was metered.",
            tuple(energy),
        ),
        Family(
            "penstock_fleet_power_watts",
            "gauge",
            "Watts that the cluster last reported; absent without a fresh node.",
            tuple(power),
        ),
        # A gauge by type: what comes late fills a gap.
        Family(
            "penstock_fleet_gaps",
            "gauge",
            "What is not in the ledger: intervals that never came, and times in which a meter said nothing.",
            tuple(gaps),
        ),
        Family("penstock_fleet_cluster_fresh", "gauge", "1 while the cluster reports in time.", tuple(fresh)),
        Family("penstock_fleet_cluster_last_seen_timestamp_seconds", "gauge", "When it last reported.", tuple(seen)),
        Family(
            "penstock_fleet_intensity_grams_per_kilowatt_hour",
            "gauge",
            "Carbon intensity in use, absent where the zone has none.",
            tuple(intensity),
        ),
        Family(
            "penstock_fleet_reports_total",
            "counter",
            "Cluster reports by outcome.",
            tuple(Sample(counters.reports[name], {"outcome": name}) for name in ("taken", "refused", "failed")),
        ),
        Family(
            "penstock_fleet_ranges_total",
            "counter",
            "Ranges of intervals by fate; only booked and restated ones add energy.",
            tuple(
                Sample(counters.ranges[name], {"fate": name})
                for name in ("booked", "restated", "duplicate", "overlapping", "early")
            ),
        ),
        Family("penstock_fleet_recommendations_total", "counter", "Placement decisions.", (Sample(recommendations),)),
        Family(
            "penstock_task_failures_total",
            "counter",
            "Unexpected ends of long-lived tasks.",
            tuple(Sample(count, {"task": name}) for name, count in sorted(failures.items())),
        ),
    )
