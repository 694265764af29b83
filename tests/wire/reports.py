# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Builders of agent reports for tests of both ends of the wire."""

from __future__ import annotations

from wire.report import CurvePoint, DomainRow, Interval, NodeFacts, Report, ShareColumns, WorkloadColumns

T0_NS = 1_790_000_000_000_000_000


def facts() -> NodeFacts:
    """Four CPUs, 10 W idle and 50 W busy, straight line."""
    return NodeFacts(
        cpus=4, busy_cpus=1.0, curve=(CurvePoint(load_ratio=0, power_w=10), CurvePoint(load_ratio=1, power_w=50))
    )


def report(
    *,
    node: str = "node-a",
    sequence: int = 1,
    stream: str = "stream-1",
    boot_id: str = "boot-1",
    interval_s: float = 2.0,
    start_ns: int | None = None,
    dynamic_uj: tuple[int, ...] = (3_000_000, 1_000_000),
    static_uj: int = 20_000_000,
    namespace: str = "host",
) -> Report:
    """One interval of a node with a single platform domain and one workload per entry of ``dynamic_uj``."""
    length_ns = round(interval_s * 1e9)
    start = T0_NS + (sequence - 1) * length_ns if start_ns is None else start_ns
    count = len(dynamic_uj)
    total = sum(dynamic_uj) + static_uj
    return Report(
        node=node,
        boot_id=boot_id,
        stream=stream,
        sequence=sequence,
        interval=Interval(from_unix_ns=start, to_unix_ns=start + length_ns, elapsed_ns=length_ns),
        facts=facts(),
        domains=[
            DomainRow(
                domain="platform/share",
                component="platform",
                scope="share",
                source="modelled",
                kind="modelled",
                energy_uj=total,
                static_uj=static_uj,
                unallocated_uj=static_uj,
                meter_error_uj=total // 4,
                model="cpu_time_ratio",
            )
        ],
        workloads=WorkloadColumns(
            namespace=[namespace] * count,
            name=[f"/work-{at}" for at in range(count)],
            uid=[""] * count,
            container=[""] * count,
            run_ns=[1_000_000] * count,
        ),
        shares=ShareColumns(
            workload=list(range(count)),
            domain=[0] * count,
            dynamic_uj=list(dynamic_uj),
            loaded_uj=list(dynamic_uj),
            share_error_uj=[0] * count,
        ),
    )
