# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated lives: the same seed, the same story; pods arrive, work, leave and are replaced; nodes never overflow."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cluster import Cluster, Node, NodeStep, build, step


def run(cluster: Cluster, *elapsed_s: float) -> tuple[Cluster, list[tuple[NodeStep, ...]]]:
    history = []
    for each in elapsed_s:
        cluster, done = step(cluster, each)
        history.append(done)
    return cluster, history


def test_the_seed_tells_the_whole_story() -> None:
    assert run(build(seed=7, nodes=5, pods=40), *[2.0] * 50) == run(build(seed=7, nodes=5, pods=40), *[2.0] * 50)
    assert build(seed=7, nodes=5, pods=40) != build(seed=8, nodes=5, pods=40)


def test_pods_leave_and_others_take_their_place() -> None:
    first = build(seed=1, nodes=10, pods=100)
    later, _ = run(first, *[5.0] * 60)
    left = {pod.uid for pod in first.pods} - {pod.uid for pod in later.pods}
    came = {pod.uid for pod in later.pods} - {pod.uid for pod in first.pods}
    assert len(later.pods) == 100
    assert left
    assert len(came) == len(left)
    assert all(pod.arrived_s > 0 for pod in later.pods if pod.uid in came)


def test_a_pod_lives_once_in_one_place_under_one_name() -> None:
    cluster = build(seed=3, nodes=4, pods=60)
    seen: dict[str, tuple[int, str, str]] = {}
    gone: set[str] = set()
    for _ in range(200):
        cluster, done = step(cluster, 3.0)
        here = {use.pod.uid: (at, use.pod.name, use.pod.namespace) for at, each in enumerate(done) for use in each.uses}
        assert not gone & set(here), "nobody comes back"
        for uid, identity in here.items():
            assert seen.setdefault(uid, identity) == identity
        gone |= set(seen) - set(here)
    assert gone
    assert len({(name, namespace) for _, name, namespace in seen.values()}) == len(seen)
    assert all(namespace.startswith("sim-") for _, _, namespace in seen.values())


def test_a_pod_is_charged_for_the_part_of_the_step_that_it_lived() -> None:
    cluster = build(seed=2, nodes=1, pods=1)
    (pod,) = cluster.pods
    _, (half,) = step(cluster, 2 * pod.ends_s())
    _, (whole,) = step(cluster, pod.ends_s())
    assert half.uses[0].cpu_s == pytest.approx(pod.cpus(pod.ends_s()) * pod.ends_s())
    assert whole.uses[0].cpu_s == pytest.approx(pod.cpus(pod.ends_s() / 2) * pod.ends_s())


def test_load_changes_over_time() -> None:
    _, history = run(build(seed=1, nodes=3, pods=30), *[10.0] * 30)
    loads = [each[0].busy_cpus for each in history]
    assert max(loads) > 1.1 * min(loads)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**40),
    nodes=st.integers(0, 6),
    pods=st.integers(0, 120),
    lengths=st.lists(st.floats(0.01, 500.0), min_size=1, max_size=8),
)
def test_no_node_is_ever_overfull(seed: int, nodes: int, pods: int, lengths: list[float]) -> None:
    cluster = build(seed=seed, nodes=nodes, pods=pods)
    for elapsed_s in lengths:
        cluster, done = step(cluster, elapsed_s)
        assert len(cluster.pods) == pods
        for at, each in enumerate(done):
            used_s = sum(use.cpu_s for use in each.uses)
            assert used_s <= each.node.cpus * elapsed_s * (1 + 1e-9)
            assert each.busy_cpus * elapsed_s == pytest.approx(used_s)
            assert 0 <= each.dynamic_w <= each.node.max_w - each.node.idle_w + 1e-9
            requested = sum(pod.request_cpus for pod in cluster.pods if pod.node == at)
            assert requested <= each.node.cpus


def test_power_rises_with_load_from_idle_to_full() -> None:
    for node in build(seed=5, nodes=50, pods=0).nodes:
        watts = [node.power_w(at / 20) for at in range(21)]
        assert watts[0] == node.idle_w
        assert watts[-1] == pytest.approx(node.max_w)
        assert all(later > earlier for earlier, later in pairwise(watts))
        assert node.power_w(7.0) == pytest.approx(node.max_w)


def test_time_does_not_stand_still() -> None:
    with pytest.raises(ValueError, match="must take time"):
        step(build(seed=1, nodes=1, pods=1), 0.0)


def test_nodes_are_named_in_order() -> None:
    names = [node.name for node in build(seed=1, nodes=3, pods=0).nodes]
    assert names == ["sim-node-000", "sim-node-001", "sim-node-002"]
    assert isinstance(build(seed=1, nodes=1, pods=0).nodes[0], Node)
