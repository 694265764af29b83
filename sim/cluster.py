# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A cluster that never was: nodes with power curves of their own, pods that arrive, work unevenly and leave.

Pure: the state after any number of steps follows from the seed and the lengths of the steps. Every pod's life is drawn
from (seed, its number) alone, so that it does not depend on who else is there.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Class = Literal["service", "batch", "cron"]

# Share of pods by class. A service runs for hours with the time of day (here: of minutes, so that one can watch it),
# a batch job for minutes at full load, a cron job for seconds.
_CLASSES: tuple[tuple[Class, float], ...] = (("service", 0.6), ("batch", 0.3), ("cron", 0.1))
_NAMESPACES: dict[Class, tuple[str, ...]] = {
    "service": ("sim-shop", "sim-payments", "sim-search"),
    "batch": ("sim-batch", "sim-analytics"),
    "cron": ("sim-batch",),
}
_LIFE_S: dict[Class, tuple[float, float]] = {"service": (1800, 14400), "batch": (60, 900), "cron": (4, 40)}
# Published servers of 2017-2026 idle at 20-250 W and reach 200-1000 W in one or two sockets (estimator, load curves).
_SIZES: tuple[tuple[int, float, float], ...] = (
    (8, 25.0, 95.0),
    (16, 40.0, 180.0),
    (32, 60.0, 320.0),
    (64, 95.0, 540.0),
)


@dataclass(frozen=True, slots=True)
class Node:
    """One machine: watts = idle + (max - idle) x load ** exponent."""

    name: str
    cpus: int
    memory_bytes: int
    idle_w: float
    max_w: float
    exponent: float

    def power_w(self, load_ratio: float) -> float:
        """Watts at the plug; the load is held to 0..1."""
        return self.idle_w + self.dynamic_w(load_ratio)

    def dynamic_w(self, load_ratio: float) -> float:
        """Watts above idle."""
        load: float = min(1.0, max(0.0, load_ratio)) ** self.exponent
        return (self.max_w - self.idle_w) * load


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod's whole life, drawn when it arrives. ``node`` is an index, -1 while no node has room."""

    number: int
    name: str
    namespace: str
    uid: str
    request_cpus: float
    base_ratio: float
    swing_ratio: float
    period_s: float
    phase: float
    arrived_s: float
    life_s: float
    node: int = -1
    started_s: float = 0.0

    def cpus(self, time_s: float) -> float:
        """CPUs that it wants to use at a moment of the cluster's time; more than its request is allowed."""
        wave = math.sin(2 * math.pi * time_s / self.period_s + self.phase)
        return max(0.0, self.request_cpus * (self.base_ratio + self.swing_ratio * wave))

    def ends_s(self) -> float:
        """When it leaves; a pod that never started stays."""
        return self.started_s + self.life_s if self.node >= 0 else math.inf


@dataclass(frozen=True, slots=True)
class Cluster:
    """The state at ``time_s``; ``next_number`` is the next pod's."""

    seed: int
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    target_pods: int
    time_s: float = 0.0
    next_number: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """CPU time of one pod on its node during a step."""

    pod: Pod
    cpu_s: float


@dataclass(frozen=True, slots=True)
class NodeStep:
    """What one node did during a step: the truth that a report is made from."""

    node: Node
    elapsed_s: float
    busy_cpus: float
    dynamic_w: float
    uses: tuple[Use, ...]


def build(*, seed: int, nodes: int, pods: int) -> Cluster:
    """A cluster at time 0 whose services are in mid-life, so that the first minutes look like any others."""
    made = tuple(_node(seed, at) for at in range(nodes))
    arrived = tuple(_arrive(seed, number, 0.0) for number in range(pods))
    cluster = Cluster(seed=seed, nodes=made, pods=arrived, target_pods=pods, next_number=pods)
    placed = _place(cluster)
    aged = tuple(replace(pod, life_s=pod.life_s * _generator(seed, 2, pod.number).uniform(0.05, 1.0)) for pod in placed)
    return replace(cluster, pods=aged)


def step(cluster: Cluster, elapsed_s: float) -> tuple[Cluster, tuple[NodeStep, ...]]:
    """The state ``elapsed_s`` later, and what each node did meanwhile, in the order of the nodes.

    Loads are taken at the middle of the step; a pod that ends within it is charged for the part that it lived.
    """
    if not elapsed_s > 0:
        raise ValueError(f"a step must take time, not {elapsed_s} s")
    middle_s = cluster.time_s + elapsed_s / 2
    end_s = cluster.time_s + elapsed_s
    running: list[list[tuple[Pod, float]]] = [[] for _ in cluster.nodes]
    for pod in cluster.pods:
        if pod.node >= 0:
            lived_s = min(elapsed_s, max(0.0, pod.ends_s() - cluster.time_s))
            running[pod.node].append((pod, pod.cpus(middle_s) * lived_s))
    steps = tuple(_node_step(node, wanted, elapsed_s) for node, wanted in zip(cluster.nodes, running, strict=True))
    staying = tuple(pod for pod in cluster.pods if pod.ends_s() > end_s)
    missing = cluster.target_pods - len(staying)
    arrived = tuple(_arrive(cluster.seed, cluster.next_number + at, end_s) for at in range(missing))
    later = replace(cluster, pods=staying + arrived, time_s=end_s, next_number=cluster.next_number + max(0, missing))
    return replace(later, pods=_place(later)), steps


def _node_step(node: Node, wanted: list[tuple[Pod, float]], elapsed_s: float) -> NodeStep:
    total_s = sum(cpu_s for _, cpu_s in wanted)
    # A full node gives everybody the same share of what they ask for.
    share = min(1.0, node.cpus * elapsed_s / total_s) if total_s > 0 else 1.0
    busy_cpus = total_s * share / elapsed_s
    return NodeStep(
        node=node,
        elapsed_s=elapsed_s,
        busy_cpus=min(float(node.cpus), busy_cpus),
        dynamic_w=node.dynamic_w(busy_cpus / node.cpus),
        uses=tuple(Use(pod, cpu_s * share) for pod, cpu_s in wanted),
    )


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def _node(seed: int, at: int) -> Node:
    generator = _generator(seed, 0, at)
    cpus, idle_w, max_w = _SIZES[int(generator.integers(len(_SIZES)))]
    spread = float(generator.uniform(0.85, 1.15))
    return Node(
        name=f"sim-node-{at:03d}",
        cpus=cpus,
        memory_bytes=cpus * 4 * 2**30,
        idle_w=idle_w * spread,
        max_w=max_w * float(generator.uniform(0.9, 1.1)),
        exponent=float(generator.uniform(0.75, 1.25)),
    )


def _arrive(seed: int, number: int, time_s: float) -> Pod:
    generator = _generator(seed, 1, number)
    classes = [name for name, _ in _CLASSES]
    kind = classes[int(generator.choice(len(classes), p=[share for _, share in _CLASSES]))]
    namespaces = _NAMESPACES[kind]
    shortest_s, longest_s = _LIFE_S[kind]
    return Pod(
        number=number,
        name=f"{kind}-{number:06d}",
        namespace=namespaces[int(generator.integers(len(namespaces)))],
        uid=str(uuid.UUID(bytes=generator.bytes(16), version=4)),
        request_cpus=float(generator.choice([0.25, 0.5, 1.0, 2.0, 4.0], p=[0.2, 0.3, 0.3, 0.15, 0.05])),
        base_ratio=float(generator.uniform(0.2, 0.7) if kind == "service" else generator.uniform(0.8, 1.0)),
        swing_ratio=float(generator.uniform(0.05, 0.4) if kind == "service" else generator.uniform(0.0, 0.1)),
        period_s=float(generator.uniform(60, 600)),
        phase=float(generator.uniform(0, 2 * math.pi)),
        arrived_s=time_s,
        life_s=float(np.exp(generator.uniform(math.log(shortest_s), math.log(longest_s)))),
    )


def _place(cluster: Cluster) -> tuple[Pod, ...]:
    """Puts waiting pods on the node with the smallest requested share that has room; order of arrival decides."""
    if all(pod.node >= 0 for pod in cluster.pods):
        return cluster.pods
    cpus = np.array([node.cpus for node in cluster.nodes], dtype=np.float64)
    requested = np.zeros(len(cluster.nodes))
    for pod in cluster.pods:
        if pod.node >= 0:
            requested[pod.node] += pod.request_cpus
    placed: list[Pod] = []
    for pod in cluster.pods:
        if pod.node < 0 and cpus.size:
            share = (requested + pod.request_cpus) / cpus
            best = int(np.argmin(share))
            if share[best] <= 1.0:
                requested[best] += pod.request_cpus
                placed.append(replace(pod, node=best, started_s=cluster.time_s))
                continue
        placed.append(pod)
    return tuple(placed)
