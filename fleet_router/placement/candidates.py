# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Clusters as candidates, and the hard constraints: what fails one is rejected with a code, never just left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

# Fields of a value that is decoded from its JSON: their types must exist at run time.
from carbon.intensity import Rated  # noqa: TC001
from carbon.prices import Price  # noqa: TC001
from carbon.pue import Pue  # noqa: TC001
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from carbon.source import Ladder
    from fleet_router.placement.request import Ask
    from fleet_router.registry import Cluster


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the decision knows about one cluster at its moment."""

    cluster_id: str
    name: str
    zone: str
    pue: Pue
    price: Price | None
    carbon: Rated
    watts_per_cpu: float
    watts_per_cpu_error: float
    """Half width of the 95 % interval."""
    free_cpus: float
    memory_bytes: int
    nodes_fresh: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """A cluster that cannot take the workload, with a code for programs and a sentence for people."""

    name: str
    code: str
    reason: str


def candidates(clusters: Iterable[Cluster], *, ladder: Ladder, ask: Ask, now_unix_ns: int) -> tuple[Candidate, ...]:
    """All clusters with what the router knows about them now, in the order given."""
    now_unix_s = now_unix_ns // NS_PER_S
    found = []
    for cluster in clusters:
        tariff = cluster.tariff()
        found.append(
            Candidate(
                cluster_id=cluster.cluster_id,
                name=cluster.name,
                zone=cluster.zone,
                pue=cluster.pue(),
                price=tariff.price(at_unix_s=now_unix_s) if tariff is not None else None,
                carbon=ladder.rate_any(cluster.zone, at_unix_s=now_unix_s, method=ask.method),
                watts_per_cpu=cluster.watts_per_cpu,
                watts_per_cpu_error=cluster.watts_per_cpu_error,
                free_cpus=max(0.0, cluster.cpus - cluster.cpus_busy),
                memory_bytes=cluster.memory_bytes,
                nodes_fresh=cluster.nodes_fresh,
                age_s=cluster.age_s(now_unix_ns=now_unix_ns),
            )
        )
    return tuple(found)


def split(every: Iterable[Candidate], ask: Ask) -> tuple[tuple[Candidate, ...], tuple[Rejected, ...]]:
    """Candidates that satisfy all hard constraints, and the others with the first one that they fail."""
    kept, rejected = [], []
    for candidate in every:
        failed = _first_failure(candidate, ask)
        if failed is None:
            kept.append(candidate)
        else:
            rejected.append(Rejected(candidate.name, *failed))
    return tuple(kept), tuple(rejected)


def _first_failure(candidate: Candidate, ask: Ask) -> tuple[str, str] | None:
    if ask.clusters is not None and candidate.name not in ask.clusters:
        return "not_listed", "the request names other clusters"
    if candidate.age_s > ask.max_data_age_s:
        return "data_age", f"last heard of {candidate.age_s:.0f} s ago, the limit is {ask.max_data_age_s:g} s"
    if (residency := _residency(candidate, ask)) is not None:
        return "residency", residency
    if candidate.nodes_fresh == 0:
        return "no_nodes", "no node of it reports"
    # Where it runs already it has its capacity.
    if candidate.name != ask.current_cluster:
        if candidate.free_cpus < ask.cpus:
            return "capacity_cpus", f"{ask.cpus:g} CPUs wanted, {candidate.free_cpus:.2f} free"
        if 0 < candidate.memory_bytes < ask.memory_bytes:
            return "capacity_memory", f"{ask.memory_bytes} bytes wanted, the cluster has {candidate.memory_bytes}"
    if ask.power_w is None and candidate.watts_per_cpu <= 0:
        return "power_unknown", "it has not learned its watts per CPU; state workload.power_w to place without"
    if ask.require_carbon and (candidate.carbon.value is None or candidate.carbon.value.method != ask.method):
        return "carbon_unknown", candidate.carbon.reason
    return None


def _residency(candidate: Candidate, ask: Ask) -> str | None:
    if ask.zones is not None and candidate.zone not in ask.zones:
        return f"zone {candidate.zone or 'unknown'} is not among {', '.join(ask.zones)}"
    country = candidate.zone.split("-", 1)[0]
    if ask.countries is not None and country not in ask.countries:
        return f"country {country or 'unknown'} is not among {', '.join(ask.countries)}"
    return None
