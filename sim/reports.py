# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a simulated node did, in the words of a real agent's report, exact to the microjoule.

Two domains as on a server with a socket meter and a board meter: ``platform/node`` contains ``cpu/socket-0``, and
what is left between them (fans, memory, power supply) is its residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.apportion import apportion
from wire.report import (
    CurvePoint,
    DomainRow,
    Interval,
    NodeFacts,
    Report,
    ShareColumns,
    WorkloadColumns,
)
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from sim.cluster import Node, NodeStep

# Of a server at the plug, about 40 % of idle and 85 % of what work adds is drawn by the sockets (our choice, in the
# range of published pairs of socket and wall readings).
_CPU_OF_IDLE = 0.40
_CPU_OF_DYNAMIC = 0.85
# Kernel threads and interrupts: real agents never see every cycle belong to a workload.
_KERNEL_OF_DYNAMIC = 0.02
_METER_ERROR = 0.02
_SHARE_ERROR = 0.05
# Half width that a curve learned from such a meter would claim.
_CURVE_ERROR = 0.05

_PLATFORM, _CPU = 0, 1


@dataclass(frozen=True, slots=True)
class Stream:
    """Identity of one simulated agent's reports."""

    node: str
    boot_id: str
    stream: str


def report(step: NodeStep, *, stream: Stream, sequence: int, interval: Interval) -> Report:
    """One closed interval. Energies follow ``interval.elapsed_ns``, not the length that the model's step had."""
    elapsed_s = interval.elapsed_ns / NS_PER_S
    static_uj = round(step.node.idle_w * _CPU_OF_IDLE * elapsed_s * 1e6)
    above_idle_uj = round(step.dynamic_w * _CPU_OF_DYNAMIC * elapsed_s * 1e6)
    kernel_uj = round(above_idle_uj * _KERNEL_OF_DYNAMIC)
    uses = sorted(step.uses, key=lambda use: use.pod.number)
    weights = [use.cpu_s for use in uses]
    # Nobody ran: what little the model gives above idle is nobody's.
    if not any(weight > 0 for weight in weights):
        kernel_uj = above_idle_uj
    dynamic_uj = apportion(above_idle_uj - kernel_uj, weights)
    cpu_uj = static_uj + above_idle_uj
    platform_uj = max(cpu_uj, round((step.node.idle_w + step.dynamic_w) * elapsed_s * 1e6))
    residual_uj = platform_uj - cpu_uj
    # Loaded: own dynamic energy, and of static, kernel and residual the share that the pod's request reserves.
    claims = [use.pod.request_cpus for use in uses]
    unclaimed = max(0.0, step.node.cpus - sum(claims))
    static_shares = _shares(static_uj + kernel_uj, claims, unclaimed)
    residual_shares = _shares(residual_uj, claims, unclaimed)
    loaded_uj = [int(own) + shared for own, shared in zip(dynamic_uj, static_shares, strict=True)]
    count = len(uses)
    return Report(
        node=stream.node,
        boot_id=stream.boot_id,
        stream=stream.stream,
        sequence=sequence,
        interval=interval,
        facts=_facts(step),
        domains=[
            DomainRow(
                domain="platform/node",
                component="platform",
                scope="node",
                source="simulated",
                kind="modelled",
                energy_uj=platform_uj,
                residual_uj=residual_uj,
                unallocated_uj=residual_uj - sum(residual_shares),
                meter_error_uj=round(platform_uj * _METER_ERROR),
            ),
            DomainRow(
                domain="cpu/socket-0",
                component="cpu",
                scope="socket-0",
                source="simulated",
                kind="modelled",
                parent="platform/node",
                energy_uj=cpu_uj,
                static_uj=static_uj,
                unattributed_uj={"kernel": kernel_uj},
                unallocated_uj=cpu_uj - sum(loaded_uj),
                meter_error_uj=round(cpu_uj * _METER_ERROR),
                model="cpu_time_ratio",
            ),
        ],
        workloads=WorkloadColumns(
            namespace=[use.pod.namespace for use in uses],
            name=[use.pod.name for use in uses],
            uid=[use.pod.uid for use in uses],
            container=["main"] * count,
            run_ns=[round(use.cpu_s * NS_PER_S) for use in uses],
        ),
        shares=ShareColumns(
            workload=list(range(count)) * 2,
            domain=[_CPU] * count + [_PLATFORM] * count,
            dynamic_uj=[int(own) for own in dynamic_uj] + [0] * count,
            loaded_uj=loaded_uj + residual_shares,
            share_error_uj=[round(int(own) * _SHARE_ERROR) for own in dynamic_uj] + [0] * count,
        ),
    )


def _shares(total_uj: int, claims: list[float], unclaimed: float) -> list[int]:
    """What each claim gets of ``total_uj``; the part of ``unclaimed`` is left over for the caller to book."""
    if not claims:
        return []
    return [int(part) for part in apportion(total_uj, [*claims, unclaimed])[:-1]]


def _facts(step: NodeStep) -> NodeFacts:
    return NodeFacts(
        cpus=step.node.cpus,
        cpu_model=f"Simulated {step.node.cpus}-thread processor",
        memory_bytes=step.node.memory_bytes,
        busy_cpus=step.busy_cpus,
        curve=_curve(step.node),
        curve_kind="modelled",
        curve_error_ratio=_CURVE_ERROR,
        simulated=True,
    )


def _curve(node: Node) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(load_ratio=at / 10, power_w=node.power_w(at / 10)) for at in range(11))
