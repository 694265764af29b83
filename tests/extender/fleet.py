# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A fleet router for tests: the real gRPC server over loopback, with a ledger that takes every interval once."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from wire import fleet_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Stream = tuple[str, str, str]


@dataclass
class FakeFleet:
    """Books ranges that begin right after their stream's watermark; the switches below make it fail."""

    watermarks: dict[Stream, int] = field(default_factory=dict)
    missing: dict[Stream, set[int]] = field(default_factory=dict)
    meter_gaps: list[tuple[str, str, int, int]] = field(default_factory=list)
    energy_uj: int = 0
    loaded_uj: int = 0
    booked: int = 0
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    last: fleet_pb2.ClusterReport = field(default_factory=fleet_pb2.ClusterReport)
    reports: int = 0
    lose_acks: int = 0
    """How many acknowledgements get lost after booking: the stream breaks instead."""
    refuse_node: str = ""
    """Reports with a range of this node are refused as a whole."""
    choke_on_node: str = ""
    """Reports with a range of this node end the stream without an answer."""
    port: int = 0

    def take(self, report: fleet_pb2.ClusterReport) -> fleet_pb2.ClusterAck:
        """Books a report."""
        self.last, self.reports = report, self.reports + 1
        if self.refuse_node and any(each.node == self.refuse_node for each in report.ranges):
            return fleet_pb2.ClusterAck(number=report.number, error="ranges[0].rows: not to our taste")
        named: set[Stream] = set()
        for gap in report.gaps:
            stream = (gap.node, gap.boot_id, gap.stream)
            named.add(stream)
            if gap.first_sequence == self.watermarks.get(stream, 0) + 1:
                self.watermarks[stream] = gap.last_sequence
                self.missing.setdefault(stream, set()).update(range(gap.first_sequence, gap.last_sequence + 1))
                self.gaps.append((gap.first_sequence, gap.last_sequence, gap.reason))
        for each in report.ranges:
            stream = (each.node, each.boot_id, each.stream)
            named.add(stream)
            sequences = set(range(each.first_sequence, each.last_sequence + 1))
            new = each.first_sequence == self.watermarks.get(stream, 0) + 1
            if new or sequences <= self.missing.get(stream, set()):
                self.missing.setdefault(stream, set()).difference_update(sequences)
                self.watermarks[stream] = max(self.watermarks.get(stream, 0), each.last_sequence)
                self.meter_gaps += [(gap.domain, gap.reason, gap.from_unix_ns, gap.to_unix_ns) for gap in each.gaps]
                self.booked += each.last_sequence - each.first_sequence + 1
                self.energy_uj += sum(row.energy_uj for row in each.rows)
                self.loaded_uj += sum(row.loaded_uj for row in each.rows)
        return fleet_pb2.ClusterAck(
            number=report.number,
            watermarks=[
                fleet_pb2.Watermark(node=node, boot_id=boot_id, stream=stream, sequence=sequence)
                for (node, boot_id, stream), sequence in self.watermarks.items()
                if (node, boot_id, stream) in named
            ],
        )

    async def report_cluster(self, messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """The service method."""
        async for message in messages:
            report = fleet_pb2.ClusterReport.FromString(message)
            if self.choke_on_node and any(each.node == self.choke_on_node for each in report.ranges):
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much")
            ack = self.take(report)
            if self.lose_acks > 0:
                self.lose_acks -= 1
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the network went away")
            yield ack.SerializeToString()

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[FakeFleet]:
        """Listens on a free port."""
        server = grpc.aio.server()
        handler = grpc.stream_stream_rpc_method_handler(self.report_cluster)
        service = grpc.method_handlers_generic_handler("penstock.fleet.v1.Fleet", {"ReportCluster": handler})
        server.add_generic_rpc_handlers((service,))
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)

    async def until(self, intervals: int) -> None:
        """Waits until so many intervals are booked."""
        await eventually(lambda: self.booked >= intervals)


async def eventually(holds: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    """Looks every 10 ms until ``holds`` does."""
    for _ in range(round(timeout_s * 100)):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to hold")
