# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The clusters that ever reported: where they stand, what is free in them, and how old that knowledge is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from carbon.prices import FlatTariff, Price
from carbon.pue import Pue, site_pue
from fleet_router.schema import clusters, gaps, meter_gaps, watermarks
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from carbon.prices import Tariff


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster as it last described itself. 0 and "" mean that it did not say."""

    cluster_id: str
    name: str
    """Unique in the fleet: where two clusters share a name, each carries the start of its id."""
    replica: str
    first_seen_unix_ns: int
    last_seen_unix_ns: int
    zone: str
    pue_ratio: float
    price_per_kwh: str
    currency: str
    meter_includes_facility: bool
    nodes: int
    nodes_fresh: int
    cpus: float
    cpus_busy: float
    memory_bytes: int
    power_w: float
    watts_per_cpu: float
    watts_per_cpu_error: float
    capacity_as_of_unix_ns: int

    def age_s(self, *, now_unix_ns: int) -> float:
        """Seconds since the capacity was last described, by the router's own clock."""
        return max(0.0, (now_unix_ns - self.capacity_as_of_unix_ns) / NS_PER_S)

    def pue(self) -> Pue:
        """The site's power usage effectiveness."""
        return site_pue(self.pue_ratio, meter_includes_facility=self.meter_includes_facility)

    def tariff(self) -> Tariff | None:
        """What a kWh costs there; None where the site did not say."""
        if not self.price_per_kwh:
            return None
        return FlatTariff(Price(per_kwh=Decimal(self.price_per_kwh), currency=self.currency))


def read_clusters(connection: Connection) -> tuple[Cluster, ...]:
    """All clusters, sorted by name."""
    rows: list[dict[str, Any]] = [dict(row._mapping) for row in connection.execute(select(clusters))]
    times = Counter(row["name"] for row in rows)
    for row in rows:
        if times[row["name"]] > 1:
            row["name"] = f"{row['name']}-{row['cluster_id'][:8]}"
    return tuple(sorted((Cluster(**row) for row in rows), key=lambda each: (each.name, each.cluster_id)))


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Up to which interval the totals of one stream count."""

    cluster_id: str
    node: str
    boot_id: str
    stream: str
    sequence: int
    to_unix_ns: int


def read_watermarks(connection: Connection, *, cluster_id: str | None = None) -> tuple[StreamPosition, ...]:
    """All streams, sorted."""
    columns = (
        watermarks.c.cluster_id,
        watermarks.c.node,
        watermarks.c.boot_id,
        watermarks.c.stream,
        watermarks.c.sequence,
        watermarks.c.to_unix_ns,
    )
    query = select(*columns).order_by(*columns)
    if cluster_id is not None:
        query = query.where(watermarks.c.cluster_id == cluster_id)
    return tuple(StreamPosition(*row) for row in connection.execute(query))


@dataclass(frozen=True, slots=True)
class GapSum:
    """What is not in a node's energy, for one reason: lost intervals of the node, or of one domain (``domain``)."""

    cluster_id: str
    node: str
    domain: str
    """Empty where whole intervals are missing."""
    reason: str
    intervals: int
    """Lost intervals; of a domain, gaps of any length."""
    gap_ns: int
    """How long; 0 where whole intervals are missing: nobody knows how long they were."""


def read_gaps(connection: Connection) -> tuple[GapSum, ...]:
    """All of them, sorted."""
    lost = select(
        gaps.c.cluster_id, gaps.c.node, gaps.c.reason, func.sum(gaps.c.last_sequence - gaps.c.first_sequence + 1)
    ).group_by(gaps.c.cluster_id, gaps.c.node, gaps.c.reason)
    unmetered = select(
        meter_gaps.c.cluster_id,
        meter_gaps.c.node,
        meter_gaps.c.domain,
        meter_gaps.c.reason,
        func.count(),
        # Of floats: a made-up length must not make the sum leave 64 bits, where SQLite raises.
        func.total(meter_gaps.c.to_unix_ns - meter_gaps.c.from_unix_ns),
    ).group_by(meter_gaps.c.cluster_id, meter_gaps.c.node, meter_gaps.c.domain, meter_gaps.c.reason)
    found = [GapSum(cluster, node, "", reason, count, 0) for cluster, node, reason, count in connection.execute(lost)]
    found += [
        GapSum(cluster, node, domain, reason, count, round(length_ns))
        for cluster, node, domain, reason, count, length_ns in connection.execute(unmetered)
    ]
    return tuple(sorted(found, key=lambda each: (each.cluster_id, each.node, each.domain, each.reason)))


def newest_interval_unix_ns(connection: Connection) -> int:
    """The end of the newest interval in the ledger; 0 while it is empty."""
    return int(connection.execute(select(func.max(watermarks.c.to_unix_ns))).scalar() or 0)
