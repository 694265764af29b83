# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One closed interval, never changed again: node, namespaces, workloads and processes whose integers agree.

Rows are the processes that ran. Every coarser level is a sum of their integers, so that levels agree bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.meters.reconciliation import Reconciliation
from agent.observe.protocol import EXITED, KERNEL_THREAD
from agent.workloads.identity import identify, kernel
from wire.units import worst_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from agent.attribution.engine import Attribution, DomainSplit
    from agent.observe.protocol import Observation
    from agent.workloads.identity import Workload
    from wire.report import Gap, NodeFacts
    from wire.units import Kind


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose interval it is."""

    node: str
    boot_id: str
    stream: str


@dataclass(frozen=True, slots=True)
class Span:
    """When: placed by wall time, measured by the monotonic clock."""

    from_unix_ns: int
    to_unix_ns: int
    elapsed_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A closed interval. ``rows`` (n,), ``workload_of`` (n,) indices into ``workloads`` (w,), energies (n, d)."""

    origin: Origin
    sequence: int
    span: Span
    facts: NodeFacts
    domains: tuple[DomainSplit, ...]
    workloads: tuple[Workload, ...]
    rows: NDArray[Any]
    comms: tuple[str, ...]
    workload_of: NDArray[np.int64]
    dynamic_uj: NDArray[np.int64]
    loaded_uj: NDArray[np.int64]
    gaps: tuple[Gap, ...]
    processes: int
    reconciliation: Reconciliation = field(default_factory=Reconciliation)

    @property
    def roots(self) -> tuple[int, ...]:
        """Indices of the domains that no other contains: only these are ever added up."""
        return tuple(at for at, split in enumerate(self.domains) if split.parent is None)

    @property
    def energy_uj(self) -> int:
        """The node's energy."""
        return sum(self.domains[at].energy.energy_uj for at in self.roots)

    @property
    def timely_uj(self) -> int:
        """What the node drew in this interval: its energy without what late readings brought of earlier ones."""
        return sum(self.domains[at].energy.timely_uj for at in self.roots)

    @property
    def kind(self) -> Kind:
        """The kind that the node's total may claim."""
        return worst_kind([self.domains[at].energy.quality.kind for at in self.roots])

    def by_workload(self, columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sums per-row ``columns`` (n, d) or (n,) to workloads (w, d) or (w,)."""
        return grouped(columns, self.workload_of, len(self.workloads))

    def rows_uj(self) -> dict[str, int]:
        """The node's ledger; its values sum to `energy_uj`."""
        return {
            "dynamic_uj": sum(split.dynamic_uj for split in self.domains),
            "shared_uj": sum(split.shared_uj for split in self.domains),
            "static_uj": sum(split.static_uj for split in self.domains),
            "unattributed_uj": sum(sum(split.unattributed_uj.values()) for split in self.domains),
            "residual_uj": sum(split.residual_uj for split in self.domains),
        }


def grouped(columns: NDArray[np.int64], group_of: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """Integer sums of ``columns`` (n, ...) by ``group_of`` (n,), giving (groups, ...)."""
    out = np.zeros((groups, *columns.shape[1:]), dtype=np.int64)
    np.add.at(out, group_of, columns)
    return out


def workloads_of(observation: Observation) -> tuple[tuple[Workload, ...], NDArray[np.int64]]:
    """The workloads that ran, and for each row which one is its own. Kernel threads are one workload."""
    index: dict[Workload, int] = {}
    rows = observation.rows
    of_cgroup: dict[int, int] = {}
    for cgroup in np.unique(rows["cgroup"][rows["kind"] != KERNEL_THREAD]).tolist():
        workload = identify(observation.cgroups[cgroup])
        of_cgroup[cgroup] = index.setdefault(workload, len(index))
    kernel_at = index.setdefault(kernel(), len(index)) if (rows["kind"] == KERNEL_THREAD).any() else -1
    lookup = np.full(len(observation.cgroups) + 1, -1, dtype=np.int64)
    for cgroup, at in of_cgroup.items():
        lookup[cgroup] = at
    return tuple(index), np.where(rows["kind"] == KERNEL_THREAD, kernel_at, lookup[rows["cgroup"]]).astype(np.int64)


def compose(
    *,
    origin: Origin,
    sequence: int,
    span: Span,
    facts: NodeFacts,
    attribution: Attribution,
    observation: Observation,
    gaps: tuple[Gap, ...],
    reconciliation: Reconciliation | None = None,
) -> Snapshot:
    """Puts an interval together; ``observation.rows`` are those that ``attribution`` split over."""
    workloads, workload_of = workloads_of(observation)
    return Snapshot(
        origin=origin,
        sequence=sequence,
        span=span,
        facts=facts,
        domains=attribution.domains,
        workloads=workloads,
        rows=observation.rows,
        comms=observation.comms,
        workload_of=workload_of,
        dynamic_uj=attribution.dynamic_uj,
        loaded_uj=attribution.loaded_uj,
        gaps=gaps,
        processes=observation.processes,
        reconciliation=reconciliation or Reconciliation(),
    )


def process_name(row: Any, comms: tuple[str, ...]) -> str:
    """The command name of a row; a name in brackets is no process but what is known to have been one."""
    return "[exited]" if int(row["kind"]) == EXITED else comms[int(row["comm"])]


def columns_by_domain(snapshot: Snapshot) -> Mapping[str, int]:
    """Domain name -> column."""
    return {split.energy.domain.name: at for at, split in enumerate(snapshot.domains)}
