# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Law 1: to the last microjoule, in every domain, at every level, in both views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given

from agent.attribution.engine import NO_TASK_TIME, Attribution, UnexplainedTime, attribute
from agent.attribution.views import claimed
from agent.observe.protocol import PROCESS
from agent.publish.report import report
from agent.store.snapshot import Origin, Snapshot, Span, compose
from agent.store.totals import Totals
from tests.attribution.intervals import ELAPSED_NS, domain, observation, rows, some_domains, some_rows, some_time
from wire.report import NodeFacts, check, decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.attribution.engine import DomainEnergy

CAPACITY_NS = 4 * ELAPSED_NS


def split(domains: list[DomainEnergy], these: NDArray[Any], time: UnexplainedTime) -> Attribution:
    return attribute(domains, these, unexplained=time, capacity_ns=CAPACITY_NS)


def snapshot(domains: list[DomainEnergy], these: NDArray[Any], time: UnexplainedTime, *, sequence: int = 1) -> Snapshot:
    return compose(
        origin=Origin("node-a", "boot-1", "stream-1"),
        sequence=sequence,
        span=Span(10**18, 10**18 + ELAPSED_NS, ELAPSED_NS),
        facts=NodeFacts(cpus=4),
        attribution=split(domains, these, time),
        observation=observation(these),
        gaps=(),
    )


@given(domains=some_domains(), these=some_rows, time=some_time)
def test_every_domain_is_the_sum_of_its_rows(
    domains: list[DomainEnergy], these: NDArray[Any], time: UnexplainedTime
) -> None:
    done = split(domains, these, time)
    assert (done.dynamic_uj >= 0).all()
    assert (done.loaded_uj >= done.dynamic_uj).all()
    children_uj = sum(each.energy_uj for each in domains if each.domain.parent)
    for at, each in enumerate(done.domains):
        loaded_uj = int(done.loaded_uj[:, at].sum()) + each.unallocated_uj
        if each.is_parent:
            assert each.energy.energy_uj == children_uj + each.residual_uj
            assert loaded_uj == each.residual_uj
            assert not done.dynamic_uj[:, at].any()
            if each.residual_uj < 0:
                assert not done.loaded_uj[:, at].any(), "a negative residual is never shared out"
        else:
            booked = each.dynamic_uj + each.static_uj + each.shared_uj + sum(each.unattributed_uj.values())
            assert booked == each.energy.energy_uj == loaded_uj
            assert each.dynamic_uj == int(done.dynamic_uj[:, at].sum())
            assert 0 <= each.static_uj <= each.energy.energy_uj


@given(domains=some_domains(), these=some_rows, time=some_time)
def test_all_levels_agree_bit_for_bit_and_the_wire_accepts_them(
    domains: list[DomainEnergy], these: NDArray[Any], time: UnexplainedTime
) -> None:
    made = snapshot(domains, these, time)
    assert made.energy_uj == sum(made.rows_uj().values())
    assert made.by_workload(made.dynamic_uj).sum() == made.dynamic_uj.sum() == made.rows_uj()["dynamic_uj"]
    unallocated_uj = sum(each.unallocated_uj for each in made.domains)
    assert int(made.loaded_uj.sum()) + unallocated_uj == made.energy_uj
    sent = report(made)
    check(sent)
    assert decode(encode(sent)) == sent
    totals = Totals(0, 0).plus(made).plus(made)
    assert totals.energy_uj == 2 * made.energy_uj
    dynamic_uj = totals.rows_uj["dynamic_uj"]
    assert dynamic_uj == sum(each.dynamic_uj for each in totals.namespaces.values())
    assert dynamic_uj == sum(each.sum.dynamic_uj for each in totals.workloads.values())
    assert dynamic_uj == sum(part.dynamic_uj for part, _ in totals.processes.values())
    loaded_uj = sum(each.sum.loaded_uj for each in totals.workloads.values())
    assert loaded_uj + totals.unallocated_uj == totals.energy_uj


@given(domains=some_domains(), these=some_rows, time=some_time)
def test_the_order_of_rows_changes_nobody_by_more_than_a_microjoule(
    domains: list[DomainEnergy], these: NDArray[Any], time: UnexplainedTime
) -> None:
    turned = split(domains, these[::-1], time).dynamic_uj[::-1]
    straight = split(domains, these, time).dynamic_uj
    # Above 2**53 floats cannot tell microjoules apart; the parts here stay below 2**50.
    assert (np.abs(turned - straight) <= 1).all()


def test_without_any_task_time_nobody_is_charged() -> None:
    done = split([domain(energy_uj=1000, static_uj=300)], rows(), UnexplainedTime())
    assert done.domains[0].unattributed_uj == {NO_TASK_TIME: 700}
    assert done.domains[0].static_uj == 300


def test_energy_follows_time_and_time_of_nobody_is_named() -> None:
    these = rows((1, 0, PROCESS, 3_000), (2, 1, PROCESS, 1_000))
    time = UnexplainedTime(interrupt_ns=3_000, stolen_ns=1_000, lost_ns=2_000)
    done = split([domain(energy_uj=1100, static_uj=100)], these, time)
    assert done.dynamic_uj[:, 0].tolist() == [300, 100]
    assert done.domains[0].unattributed_uj == {"interrupts": 300, "lost": 200, "stolen": 100}
    share = split([domain("platform", "share", energy_uj=900, static_uj=0)], these, time)
    assert share.domains[0].unattributed_uj == {"interrupts": 300, "lost": 200}, "a share holds no stolen watts"


def test_the_loaded_view_leaves_idle_capacity_unallocated() -> None:
    half = np.array([CAPACITY_NS / 4, CAPACITY_NS / 4])
    assert claimed(1000, half, capacity_ns=CAPACITY_NS).tolist() == [250, 250]
    assert claimed(1000, 3 * half, capacity_ns=CAPACITY_NS).tolist() == [500, 500], "never more than there is"
    assert claimed(1000, np.zeros(2), capacity_ns=CAPACITY_NS).tolist() == [0, 0]
