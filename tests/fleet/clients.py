# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Cluster reports, and a cluster that sends them over real gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio

from fleet_router.booking import book
from fleet_router.check import check
from fleet_router.ingest import METHOD, SERVICE
from plumbing.clock import ManualClock
from wire import fleet_pb2 as pb
from wire.units import NS_PER_HOUR, NS_PER_S

if TYPE_CHECKING:
    from fleet_router.booking import Outcome
    from fleet_router.store import Store
    from plumbing.server import Address

NOW_NS = ManualClock().unix
HOUR = NOW_NS // NS_PER_HOUR * 3600
STEP_NS = 2 * NS_PER_S


def energy_rows(*, scale: int = 1, hour: int = HOUR, kind: int = pb.KIND_MODELLED) -> list[pb.EnergyRow]:
    """7 J of dynamic in two namespaces, 20 J static, 1 J shared, 0.5 J unattributed, -0.25 J residual."""

    def row(name: str, *, namespace: str = "", energy: int = 0, loaded: int = 0) -> pb.EnergyRow:
        return pb.EnergyRow(
            hour_unix=hour,
            namespace=namespace,
            row=name,
            component="platform",
            source="modelled",
            kind=kind,  # type: ignore[arg-type]
            energy_uj=energy * scale,
            loaded_uj=loaded * scale,
            meter_error_uj=abs(energy) * scale // 4,
            share_error_uj2=float(scale) ** 2,
        )

    return [
        row("dynamic", namespace="host", energy=4_000_000, loaded=10_000_000),
        row("dynamic", namespace="web", energy=3_000_000, loaded=6_000_000),
        row("static", energy=20_000_000),
        row("shared", energy=1_000_000),
        row("unattributed", energy=500_000),
        row("residual", energy=-250_000),
        row("unallocated", loaded=12_250_000),
    ]


UNIT_UJ = 28_250_000
"""What `energy_rows` adds up to for scale 1."""


def node_range(
    first: int, last: int, *, node: str = "node-a", stream: str = "s1", scale: int | None = None
) -> pb.NodeRange:
    """Intervals first..last; each interval n adds ``n`` times the unit, so that sums tell which were taken."""
    total = sum(range(first, last + 1)) if scale is None else scale
    return pb.NodeRange(
        node=node,
        boot_id="boot-1",
        stream=stream,
        first_sequence=first,
        last_sequence=last,
        from_unix_ns=HOUR * NS_PER_S,
        to_unix_ns=HOUR * NS_PER_S + last * STEP_NS,
        rows=energy_rows(scale=total),
        hours=[pb.HourSeen(hour_unix=HOUR, seen_ns=(last - first + 1) * STEP_NS)],
    )


def gap(first: int, last: int, *, node: str = "node-a", stream: str = "s1") -> pb.StreamGap:
    """Sequences that will never come."""
    return pb.StreamGap(
        node=node, boot_id="boot-1", stream=stream, first_sequence=first, last_sequence=last, reason="outbox_full"
    )


def report(
    *ranges: pb.NodeRange,
    gaps: tuple[pb.StreamGap, ...] = (),
    cluster_id: str = "c-1",
    name: str = "alpha",
    number: int = 2,
    zone: str = "DE",
    pue_ratio: float = 1.2,
    price: float | None = 0.3,
    currency: str = "EUR",
    cpus: float = 16.0,
    cpus_busy: float = 4.0,
    watts_per_cpu: float = 8.0,
    watts_per_cpu_error: float = 1.0,
    power_w: float = 100.0,
) -> pb.ClusterReport:
    """A report of a cluster with two fresh nodes."""
    return pb.ClusterReport(
        cluster_id=cluster_id,
        cluster_name=name,
        replica="replica-0",
        number=number,
        site=pb.Site(
            zone=zone,
            pue_ratio=pue_ratio,
            price_per_kwh=price or 0.0,
            price_known=price is not None,
            currency=currency if price is not None else "",
        ),
        capacity=pb.Capacity(
            nodes=2,
            nodes_fresh=2,
            cpus=cpus,
            cpus_busy=cpus_busy,
            memory_bytes=64 * 2**30,
            power_w=power_w,
            watts_per_cpu=watts_per_cpu,
            watts_per_cpu_error=watts_per_cpu_error,
            as_of_unix_ns=NOW_NS,
        ),
        ranges=ranges,
        gaps=gaps,
    )


def take(store: Store, message: pb.ClusterReport, *, now_unix_ns: int = NOW_NS) -> Outcome:
    """Checks and books, as the gRPC server does."""
    check(message, now_unix_ns=now_unix_ns)
    return store.write_now(lambda connection: book(connection, message, now_unix_ns=now_unix_ns))


class Cluster:
    """One extender replica's connection to a fleet router."""

    def __init__(self, address: Address) -> None:
        self._channel = grpc.aio.insecure_channel(str(address))
        self._call: Any = self._channel.stream_stream(
            f"/{SERVICE}/{METHOD}",
            request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
            response_deserializer=pb.ClusterAck.FromString,
        )()

    async def send(self, message: pb.ClusterReport | bytes) -> pb.ClusterAck:
        """Sends one message and waits for its ack."""
        await self._call.write(message)
        ack = await self._call.read()
        assert isinstance(ack, pb.ClusterAck)
        return ack

    async def close(self) -> None:
        """Ends the stream."""
        if not self._call.done():
            await self._call.done_writing()
            while await self._call.read() is not grpc.aio.EOF:
                pass
        await self._channel.close()
