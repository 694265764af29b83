# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated reports keep the equations of the wire to the microjoule, and say that they are simulated."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cluster import build, step
from sim.reports import Stream, report
from wire.report import Interval, Report, check, decode, encode

T0_NS = 1_790_000_000_000_000_000


def reports(seed: int, *, nodes: int, pods: int, lengths_s: list[float]) -> list[Report]:
    cluster = build(seed=seed, nodes=nodes, pods=pods)
    made = []
    for sequence, elapsed_s in enumerate(lengths_s, start=1):
        cluster, done = step(cluster, elapsed_s)
        elapsed_ns = max(1, round(elapsed_s * 1e9))
        interval = Interval(from_unix_ns=T0_NS - elapsed_ns, to_unix_ns=T0_NS, elapsed_ns=elapsed_ns)
        for each in done:
            stream = Stream(node=each.node.name, boot_id="boot", stream="stream")
            made.append(report(each, stream=stream, sequence=sequence, interval=interval))
    return made


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**40),
    nodes=st.integers(1, 4),
    pods=st.integers(0, 80),
    lengths_s=st.lists(st.floats(1e-9, 3600.0), min_size=1, max_size=5),
)
def test_every_report_closes(seed: int, nodes: int, pods: int, lengths_s: list[float]) -> None:
    for each in reports(seed, nodes=nodes, pods=pods, lengths_s=lengths_s):
        check(each)
        assert all(row.unallocated_uj >= 0 for row in each.domains)


def test_a_report_survives_the_wire() -> None:
    for each in reports(1, nodes=3, pods=30, lengths_s=[2.0] * 5):
        assert decode(encode(each)) == each


def test_energy_is_the_curve_times_the_time() -> None:
    for each in reports(4, nodes=3, pods=40, lengths_s=[2.0] * 10):
        platform = each.domains[0]
        load = each.facts.busy_cpus / each.facts.cpus
        watts = [point.power_w for point in each.facts.curve]
        low, high = watts[int(load * 10)], watts[min(10, int(load * 10) + 1)]
        assert low * 2 - 1e-3 <= platform.energy_uj / 1e6 <= high * 2 + 1e-3


def test_simulated_joules_never_pass_for_real_ones() -> None:
    for each in reports(1, nodes=2, pods=20, lengths_s=[2.0]):
        assert each.facts.simulated
        assert {(row.source, row.kind) for row in each.domains} == {("simulated", "modelled")}
        assert all(name.startswith("sim-") for name in each.workloads.namespace)
        assert each.node.startswith("sim-node-")


def test_dynamic_energy_follows_cpu_time() -> None:
    (each,) = reports(6, nodes=1, pods=10, lengths_s=[2.0])
    count = len(each.workloads.run_ns)
    assert count > 3
    dynamic = each.shares.dynamic_uj[:count]
    for run_ns, energy_uj in zip(each.workloads.run_ns, dynamic, strict=True):
        assert energy_uj == pytest.approx(sum(dynamic) * run_ns / sum(each.workloads.run_ns), abs=1.5)


def test_an_empty_node_books_its_idle_watts_on_nobody() -> None:
    (each,) = reports(1, nodes=1, pods=0, lengths_s=[2.0])
    platform, cpu = each.domains
    assert platform.energy_uj == pytest.approx(each.facts.curve[0].power_w * 2e6, abs=2)
    assert cpu.static_uj == cpu.energy_uj == cpu.unallocated_uj
    assert not each.shares.workload
