# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""From an agent's report to ledger rows: the one place where a report is added up.

Totals, live watts and what the fleet gets are all folds of these rows, so they cannot disagree. Over all rows of a
report the energies add up to its domains without a parent, and so do the loaded energies (with row ``unallocated``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from wire.apportion import apportion
from wire.report import ReportError
from wire.units import NS_PER_HOUR, NS_PER_S, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wire.report import DomainRow, Interval, Report

NODE_ROWS = ("dynamic", "shared", "static", "unattributed", "residual")
"""Rows whose energies add up to the meter; ``unallocated`` belongs to the loaded view."""

MAX_NODE_W = 1e6
"""No node draws a megawatt; what claims to is a broken counter or an attack on the 64-bit sums."""
_MAX_SUM_UJ = 2**53


class RowKey(NamedTuple):
    """What is kept apart all the way to the fleet."""

    namespace: str
    row: str
    component: str
    source: str
    kind: Kind


@dataclass(slots=True)
class Amounts:
    """Energies of one row, and the two parts of their uncertainty (METERING 3)."""

    energy_uj: int = 0
    loaded_uj: int = 0
    meter_error_uj: int = 0
    """Half width of the 95 % interval; adds linearly within a source."""
    share_error_uj2: float = 0.0
    """Square of the half width due to the split; adds up."""


class WorkloadKey(NamedTuple):
    """A pod by UID, or outside Kubernetes a cgroup by path; containers of a pod are one workload."""

    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class Share:
    """What one owner drew over the interval. Meter errors are added over sources too, which is never too narrow."""

    dynamic_uj: int = 0
    loaded_uj: int = 0
    meter_error_uj: float = 0.0
    share_error_uj2: float = 0.0


@dataclass(frozen=True, slots=True)
class Booking:
    """A report added up."""

    rows: Mapping[RowKey, Amounts]
    workloads: Mapping[WorkloadKey, Share]
    namespaces: Mapping[str, Share]
    energy_uj: int
    """Sum of the domains without a parent."""
    meter_error_by_source_uj: Mapping[str, int]
    """Of those domains; linear within a source, to be combined in quadrature across."""
    kinds: frozenset[Kind] = field(default_factory=frozenset)


def plausible(report: Report) -> None:
    """Raises ReportError for what is in its own range, field by field, and still must not get further.

    Energies that would endanger the 64-bit sums, and more than any node draws.
    """
    for name, amounts in (
        ("domains.energy_uj", [row.energy_uj for row in report.domains]),
        ("domains.unallocated_uj", [abs(row.unallocated_uj) for row in report.domains]),
        ("domains.meter_error_uj", [row.meter_error_uj for row in report.domains]),
        ("shares.loaded_uj", report.shares.loaded_uj),
    ):
        if sum(amounts) > _MAX_SUM_UJ:
            raise ReportError(name, f"adds up to {sum(amounts)} uJ, more than {_MAX_SUM_UJ} in one interval")
    power_w = sum(row.energy_uj for row in report.domains) * 1e3 / report.interval.elapsed_ns
    if power_w > MAX_NODE_W:
        raise ReportError("domains.energy_uj", f"is {power_w:.0f} W over the interval; no node draws that")


def book(report: Report) -> Booking:
    """Adds a checked report up."""
    by_domain: list[dict[str, Amounts]] = [{} for _ in report.domains]
    workloads: dict[WorkloadKey, Share] = {}
    namespaces: dict[str, Share] = {}
    columns, shares = report.workloads, report.shares
    keys = [WorkloadKey(*key) for key in zip(columns.namespace, columns.name, columns.uid, strict=True)]
    for key in keys:
        workloads.setdefault(key, Share())
        namespaces.setdefault(key.namespace, Share())
    meter_ratio = [row.meter_error_uj / row.energy_uj if row.energy_uj else 0.0 for row in report.domains]
    for workload, domain, dynamic_uj, loaded_uj, error_uj in zip(
        shares.workload, shares.domain, shares.dynamic_uj, shares.loaded_uj, shares.share_error_uj, strict=True
    ):
        key = keys[workload]
        for share in (workloads[key], namespaces[key.namespace]):
            share.dynamic_uj += dynamic_uj
            share.loaded_uj += loaded_uj
            share.meter_error_uj += dynamic_uj * meter_ratio[domain]
            share.share_error_uj2 += float(error_uj) ** 2
        amounts = by_domain[domain].setdefault(key.namespace, Amounts())
        amounts.energy_uj += dynamic_uj
        amounts.loaded_uj += loaded_uj
        amounts.share_error_uj2 += float(error_uj) ** 2

    parents = {row.parent for row in report.domains}
    rows: dict[RowKey, Amounts] = {}
    error_by_source: dict[str, int] = {}
    for domain_row, by_namespace in zip(report.domains, by_domain, strict=True):
        for name, amounts in _domain_rows(domain_row, by_namespace, parent=domain_row.domain in parents):
            key_of_row = RowKey(*name, domain_row.component, domain_row.source, domain_row.kind)
            _add(rows.setdefault(key_of_row, Amounts()), amounts)
        if domain_row.parent is None:
            error_by_source[domain_row.source] = error_by_source.get(domain_row.source, 0) + domain_row.meter_error_uj
    return Booking(
        rows=rows,
        workloads=workloads,
        namespaces=namespaces,
        energy_uj=sum(row.energy_uj for row in report.domains if row.parent is None),
        meter_error_by_source_uj=error_by_source,
        kinds=frozenset(row.kind for row in report.domains if row.parent is None),
    )


def _add(to: Amounts, amounts: Amounts) -> None:
    to.energy_uj += amounts.energy_uj
    to.loaded_uj += amounts.loaded_uj
    to.meter_error_uj += amounts.meter_error_uj
    to.share_error_uj2 += amounts.share_error_uj2


def _domain_rows(
    domain: DomainRow, by_namespace: Mapping[str, Amounts], *, parent: bool
) -> list[tuple[tuple[str, str], Amounts]]:
    """((namespace, row), amounts) of one domain; the meter's error goes along with the energy it vouches for."""
    found = [((namespace, "dynamic"), amounts) for namespace, amounts in by_namespace.items()]
    for row, energy_uj in (
        ("shared", domain.shared_uj),
        ("static", domain.static_uj),
        ("unattributed", sum(domain.unattributed_uj.values())),
        ("residual", domain.residual_uj),
    ):
        if energy_uj or (domain.meter_error_uj and row == ("residual" if parent else "unattributed")):
            found.append((("", row), Amounts(energy_uj=energy_uj)))
    if domain.unallocated_uj:
        found.append((("", "unallocated"), Amounts(loaded_uj=domain.unallocated_uj)))
    if domain.meter_error_uj:
        weights = [abs(amounts.energy_uj) for _, amounts in found]
        if not any(weights):
            weights = [int(name[1] in {"residual", "unattributed"}) for name, _ in found]
        for (_, amounts), error_uj in zip(found, apportion(domain.meter_error_uj, weights).tolist(), strict=True):
            amounts.meter_error_uj = error_uj
    return found


def shift_ns(interval: Interval, *, received_unix_ns: int, tolerance_ns: int = 5 * NS_PER_S) -> int:
    """What to add to the interval's wall times: a node whose clock runs ahead is placed by the receiver (LEDGER 1).

    A clock that runs behind looks like a late delivery and cannot be told from one here.
    """
    ahead_ns = interval.to_unix_ns - received_unix_ns
    return -ahead_ns if ahead_ns > tolerance_ns else 0


def hours(interval: Interval, *, shift: int = 0) -> list[tuple[int, int]]:
    """(start of the UTC hour in seconds, nanoseconds inside it) of the interval; at least one entry."""
    start_ns, end_ns = max(0, interval.from_unix_ns + shift), max(0, interval.to_unix_ns + shift)
    if end_ns <= start_ns:
        # Wall time was set back during the interval: all of it is placed where it began, for as long as it lasted.
        return [(start_ns // NS_PER_HOUR * 3600, interval.elapsed_ns)]
    found = []
    at_ns = start_ns
    while at_ns < end_ns:
        hour = at_ns // NS_PER_HOUR
        until_ns = min(end_ns, (hour + 1) * NS_PER_HOUR)
        found.append((hour * 3600, until_ns - at_ns))
        at_ns = until_ns
    return found


def split(amounts: Amounts, weights: Sequence[int]) -> list[Amounts]:
    """Splits one row over hours by time, each integer exactly."""
    if len(weights) == 1:
        return [amounts]
    total = sum(weights)
    return [
        Amounts(
            energy_uj=energy_uj,
            loaded_uj=loaded_uj,
            meter_error_uj=meter_error_uj,
            # An error scales with its energy, its square with the square.
            share_error_uj2=amounts.share_error_uj2 * (weight / total) ** 2,
        )
        for energy_uj, loaded_uj, meter_error_uj, weight in zip(
            _signed(amounts.energy_uj, weights),
            _signed(amounts.loaded_uj, weights),
            _signed(amounts.meter_error_uj, weights),
            weights,
            strict=True,
        )
    ]


def _signed(total: int, weights: Sequence[int]) -> list[int]:
    parts = apportion(abs(total), weights).tolist()
    return [-part for part in parts] if total < 0 else list(parts)
