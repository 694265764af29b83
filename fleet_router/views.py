# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What the API, the page and the metrics show, taken from the ledger at one moment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carbon.accounting import energy_interval_kwh, grams
from fleet_router.registry import read_clusters, read_gaps, read_watermarks
from fleet_router.sums import (
    LedgerSum,
    ledger_sums,
    meter_error_uj,
    node_hours,
    rows_of,
    share_and_meter_error_uj,
)
from fleet_router.times import HOUR_S, rfc3339
from wire.units import KINDS, NS_PER_S, Kind, watts, worst_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from carbon.intensity import Rated
    from carbon.source import Ladder
    from fleet_router.registry import Cluster, GapSum, StreamPosition

# The newest hour that a cluster reported may be the one before the current.
_RECENT_S = 2 * HOUR_S


@dataclass(frozen=True, slots=True)
class View:
    """The fleet at one moment: all figures and watermarks are of the same transaction."""

    as_of_unix_ns: int
    clusters: tuple[Cluster, ...]
    stale_after_s: float
    sums: tuple[LedgerSum, ...]
    """By cluster, row, source and kind, over all time."""
    recent: tuple[LedgerSum, ...]
    """By cluster, hour, namespace, row, source and kind, over the current and the last hour."""
    recent_seen_ns: dict[tuple[str, int], int]
    """(cluster, hour) -> the longest that any of its nodes was metered in it."""
    watermarks: tuple[StreamPosition, ...]
    gaps: tuple[GapSum, ...] = ()

    def gaps_of(self, cluster: Cluster) -> tuple[GapSum, ...]:
        """The part of `gaps` that is this cluster's."""
        return tuple(each for each in self.gaps if each.cluster_id == cluster.cluster_id)

    def fresh(self, cluster: Cluster) -> bool:
        """Whether it reported lately."""
        return cluster.age_s(now_unix_ns=self.as_of_unix_ns) <= self.stale_after_s

    def sums_of(self, cluster: Cluster) -> tuple[LedgerSum, ...]:
        """The part of `sums` that is this cluster's."""
        return tuple(each for each in self.sums if each.cluster_id == cluster.cluster_id)

    def recent_of(self, cluster: Cluster) -> tuple[LedgerSum, ...]:
        """The part of `recent` in the newest hour of this cluster."""
        mine = [each for each in self.recent if each.cluster_id == cluster.cluster_id]
        newest = max((each.hour_unix for each in mine), default=0)
        return tuple(each for each in mine if each.hour_unix == newest)


def take(connection: Connection, *, now_unix_ns: int, stale_after_s: float) -> View:
    """Reads the fleet in the transaction of ``connection``."""
    since = now_unix_ns // NS_PER_S // HOUR_S * HOUR_S - _RECENT_S + HOUR_S
    longest: dict[tuple[str, int], int] = defaultdict(int)
    for each in node_hours(connection, from_unix_s=since):
        key = (each.cluster_id, each.hour_unix)
        longest[key] = max(longest[key], each.seen_ns)
    return View(
        as_of_unix_ns=now_unix_ns,
        clusters=read_clusters(connection),
        stale_after_s=stale_after_s,
        sums=ledger_sums(connection, by=("cluster_id", "row", "source", "kind")),
        recent=ledger_sums(
            connection, by=("cluster_id", "hour_unix", "namespace", "row", "source", "kind"), from_unix_s=since
        ),
        recent_seen_ns=dict(longest),
        watermarks=read_watermarks(connection),
        gaps=read_gaps(connection),
    )


def fleet(view: View) -> dict[str, Any]:
    """The whole fleet. Watts are those of clusters that reported lately; joules are everybody's."""
    fresh = [each for each in view.clusters if view.fresh(each)]
    recent = tuple(row for each in fresh for row in view.recent_of(each))
    return {
        "as_of": rfc3339(view.as_of_unix_ns),
        "name": "fleet",
        **_power(_sum_w(fresh), recent),
        "clusters": len(view.clusters),
        "clusters_fresh": len(fresh),
        "nodes": sum(each.nodes for each in view.clusters),
        "nodes_fresh": sum(each.nodes_fresh for each in fresh),
        **_energy(view.sums),
        "watermarks": watermark_items(view.watermarks, names=_names(view)),
    }


def cluster(view: View, which: Cluster, *, ladder: Ladder) -> dict[str, Any]:
    """One cluster as a list item."""
    sums = view.sums_of(which)
    rated = ladder.rate_any(which.zone, at_unix_s=view.as_of_unix_ns // NS_PER_S)
    pue = which.pue()
    return {
        "name": which.name,
        "cluster_id": which.cluster_id,
        "fresh": view.fresh(which),
        "last_seen": rfc3339(which.last_seen_unix_ns),
        **_power(_sum_w([which]), view.recent_of(which)),
        "nodes": which.nodes,
        "nodes_fresh": which.nodes_fresh,
        "cpus": which.cpus,
        "cpus_busy": which.cpus_busy,
        "memory_bytes": which.memory_bytes,
        "watts_per_cpu": which.watts_per_cpu,
        "watts_per_cpu_error": which.watts_per_cpu_error,
        **_energy(sums),
        "lost_intervals": sum(each.intervals for each in view.gaps_of(which) if not each.domain),
        "meter_gaps": sum(each.intervals for each in view.gaps_of(which) if each.domain),
        "site": {
            "zone": which.zone,
            "pue_ratio": pue.ratio,
            "pue_source": pue.source,
            "price_per_kwh": which.price_per_kwh or None,
            "currency": which.currency or None,
            "meter_includes_facility": which.meter_includes_facility,
        },
        "intensity": intensity(rated),
        "grams": _grams(which, sums, rated),
    }


def cluster_detail(view: View, which: Cluster, *, ladder: Ladder) -> dict[str, Any]:
    """One cluster with its streams."""
    mine = [each for each in view.watermarks if each.cluster_id == which.cluster_id]
    return {
        "as_of": rfc3339(view.as_of_unix_ns),
        **cluster(view, which, ladder=ladder),
        "kinds": _by_kind(view.sums_of(which)),
        "gaps": [_gap(each) for each in view.gaps_of(which)],
        "watermarks": watermark_items(mine, names={}),
    }


def _gap(gap: GapSum) -> dict[str, Any]:
    if not gap.domain:
        return {"node": gap.node, "domain": None, "reason": gap.reason, "lost_intervals": gap.intervals}
    return {
        "node": gap.node,
        "domain": gap.domain,
        "reason": gap.reason,
        "gaps": gap.intervals,
        "gap_s": gap.gap_ns / NS_PER_S,
    }


def namespaces(view: View, sums: Iterable[LedgerSum]) -> list[dict[str, Any]]:
    """Namespaces over all clusters, by energy; ``sums`` are by cluster, namespace, row, source and kind."""
    names = _names(view)
    recent = [row for each in view.clusters for row in view.recent_of(each)]
    power_w = _namespace_power_w(view, recent)
    grouped: dict[str, list[LedgerSum]] = defaultdict(list)
    for each in sums:
        if each.namespace:
            grouped[each.namespace].append(each)
    items = []
    for name, parts in grouped.items():
        energy_uj = sum(part.energy_uj for part in parts)
        half = share_and_meter_error_uj(parts)
        power, error_ratio = power_w.get(name), min(1.0, half / energy_uj) if energy_uj else 0.0
        items.append(
            {
                "name": name,
                "clusters": sorted({names[part.cluster_id] for part in parts}),
                "power_w": power,
                "power_low_w": None if power is None else power * (1 - error_ratio),
                "power_high_w": None if power is None else power * (1 + error_ratio),
                "kind": None if power is None else _worst(parts),
                "energy_uj": energy_uj,
                "energy_error_uj": round(half),
                "loaded_energy_uj": sum(part.loaded_uj for part in parts),
            }
        )
    return sorted(items, key=lambda item: (-int(item["energy_uj"]), str(item["name"])))


def _namespace_power_w(view: View, recent: Iterable[LedgerSum]) -> dict[str, float]:
    """Mean dynamic watts over what was metered of each cluster's newest hour: the ledger knows hours, not seconds."""
    power: dict[str, float] = defaultdict(float)
    for each in recent:
        if each.namespace:
            seen_ns = view.recent_seen_ns.get((each.cluster_id, each.hour_unix), 0)
            power[each.namespace] += watts(each.energy_uj, seen_ns)
    return power


def intensity(rated: Rated) -> dict[str, Any]:
    """A carbon figure with its provenance, or rung ``none`` and why."""
    value = rated.value
    if value is None:
        return {"zone": rated.zone, "g_per_kwh": None, "rung": rated.rung, "reason": rated.reason}
    return {
        "zone": value.zone,
        "g_per_kwh": value.g_per_kwh,
        "low_g_per_kwh": value.low_g_per_kwh,
        "high_g_per_kwh": value.high_g_per_kwh,
        "method": value.method,
        "basis": value.basis,
        "boundary": value.boundary,
        "source": value.source,
        "vintage": value.vintage,
        "licence": value.licence,
        "estimated": value.estimated,
        "start": rfc3339(value.start_unix_s * NS_PER_S),
        "step_s": value.step_s,
        "rung": rated.rung,
        "reason": rated.reason,
    }


def watermark_items(positions: Iterable[StreamPosition], *, names: dict[str, str]) -> list[dict[str, Any]]:
    """Streams in the shape that every answer with totals has; with the cluster's name where ``names`` holds it."""
    return [
        {
            **({"cluster": names[each.cluster_id]} if each.cluster_id in names else {}),
            "node": each.node,
            "boot_id": each.boot_id,
            "stream": each.stream,
            "sequence": each.sequence,
        }
        for each in positions
    ]


def _names(view: View) -> dict[str, str]:
    return {each.cluster_id: each.name for each in view.clusters}


def _energy(sums: Iterable[LedgerSum]) -> dict[str, Any]:
    parts = tuple(sums)
    rows = rows_of(parts)
    return {
        "energy_uj": sum(rows.values()),
        "energy_error_uj": round(meter_error_uj(parts)),
        "rows": rows,
        "unallocated_uj": sum(each.loaded_uj for each in parts if each.row == "unallocated"),
    }


def _sum_w(clusters: Iterable[Cluster]) -> float | None:
    """Watts of those with a node that reported; None where there is none, which is not 0 W."""
    known = [each.power_w for each in clusters if each.nodes_fresh > 0]
    return sum(known) if known else None


def _power(power_w: float | None, recent: Sequence[LedgerSum]) -> dict[str, Any]:
    """Watts of now, with the relative uncertainty and the worst kind of the newest hour's ledger."""
    if power_w is None:
        return dict.fromkeys(("power_w", "power_low_w", "power_high_w", "kind"))
    energy_uj = sum(rows_of(recent).values())
    ratio = meter_error_uj(recent) / energy_uj if energy_uj > 0 else 1.0
    return {
        "power_w": power_w,
        "power_low_w": max(0.0, power_w * (1 - ratio)),
        "power_high_w": power_w * (1 + ratio),
        "kind": _worst(recent),
    }


def _worst(parts: Iterable[LedgerSum]) -> Kind:
    found = {each.kind for each in parts}
    return worst_kind([kind for kind in KINDS if kind in found])


def _by_kind(sums: Iterable[LedgerSum]) -> list[dict[str, Any]]:
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for each in sums:
        totals[(each.source, each.kind)] += each.energy_uj
    return [
        {"source": source, "kind": kind, "energy_uj": energy_uj} for (source, kind), energy_uj in sorted(totals.items())
    ]


def _grams(which: Cluster, sums: Sequence[LedgerSum], rated: Rated) -> dict[str, Any] | None:
    """Grams of all energy so far, with the factor known now; reports take each hour's own."""
    if rated.value is None:
        return None
    energy_uj = sum(rows_of(sums).values())
    emitted = grams(
        energy_interval_kwh(energy_uj, error_uj=meter_error_uj(sums)), pue=which.pue(), intensity=rated.value
    )
    return {"value": emitted.value, "low": emitted.low, "high": emitted.high, "method": rated.value.method}
