# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshot -> report: the same integers in the columns of `wire.report`, without rows that say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.attribution.uncertainty import share_error_uj
from wire.report import DomainRow, Interval, Report, ShareColumns, WorkloadColumns

if TYPE_CHECKING:
    from agent.attribution.engine import DomainSplit
    from agent.store.snapshot import Snapshot


def report(snapshot: Snapshot) -> Report:
    """The interval at workload level. Shares of neither view are left out: absent means 0."""
    dynamic_uj = snapshot.by_workload(snapshot.dynamic_uj)
    loaded_uj = snapshot.by_workload(snapshot.loaded_uj)
    error_uj = np.zeros_like(dynamic_uj)
    for at, split in enumerate(snapshot.domains):
        error_uj[:, at] = share_error_uj(dynamic_uj[:, at], split.dynamic_pot_uj)
    workload, domain = np.nonzero((dynamic_uj > 0) | (loaded_uj > 0))
    return Report(
        node=snapshot.origin.node,
        boot_id=snapshot.origin.boot_id,
        stream=snapshot.origin.stream,
        sequence=snapshot.sequence,
        interval=Interval(
            from_unix_ns=snapshot.span.from_unix_ns,
            to_unix_ns=snapshot.span.to_unix_ns,
            elapsed_ns=snapshot.span.elapsed_ns,
        ),
        facts=snapshot.facts,
        domains=[_row(split) for split in snapshot.domains],
        workloads=WorkloadColumns(
            namespace=[each.namespace for each in snapshot.workloads],
            name=[each.name for each in snapshot.workloads],
            uid=[each.uid for each in snapshot.workloads],
            container=[each.container for each in snapshot.workloads],
            run_ns=snapshot.by_workload(snapshot.rows["run_ns"]).tolist(),
        ),
        shares=ShareColumns(
            workload=workload.tolist(),
            domain=domain.tolist(),
            dynamic_uj=dynamic_uj[workload, domain].tolist(),
            loaded_uj=loaded_uj[workload, domain].tolist(),
            share_error_uj=error_uj[workload, domain].tolist(),
        ),
        gaps=list(snapshot.gaps),
    )


def _row(split: DomainSplit) -> DomainRow:
    energy = split.energy
    return DomainRow(
        domain=energy.domain.name,
        component=energy.domain.component,
        scope=energy.domain.scope,
        source=energy.source,
        kind=energy.quality.kind,
        energy_uj=energy.energy_uj,
        parent=split.parent,
        static_uj=split.static_uj,
        shared_uj=split.shared_uj,
        unattributed_uj=split.unattributed_uj,
        residual_uj=split.residual_uj,
        unallocated_uj=split.unallocated_uj,
        meter_error_uj=split.meter_error_uj,
        model=split.model,
    )
