# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Takes cluster reports over gRPC: ``/penstock.fleet.v1.Fleet/ReportCluster``, one stream per extender replica.

Every report is answered by one ack once it is on disk. What breaks the contract is answered with the field's name and
leaves nothing behind; the stream stays open. A ledger that cannot be written ends the stream with UNAVAILABLE, and the
extender keeps its outbox.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from sqlalchemy.exc import DatabaseError

from fleet_router.booking import book
from fleet_router.check import check
from fleet_router.errors import ReportRefused
from plumbing.server import Address, ListenError
from wire import fleet_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleet_router.booking import Outcome
    from fleet_router.store import Store
    from plumbing.clock import Clock

log = logging.getLogger(__name__)

SERVICE = "penstock.fleet.v1.Fleet"
METHOD = "ReportCluster"

# 5,000 nodes with 50 namespaces and 6 rows each are about 12 MB after an outage of an hour.
_LARGEST_MESSAGE_BYTES = 32 * 2**20
_STOP_GRACE_S = 1.0


@dataclass(slots=True)
class IngestCounters:
    """What arrived since the process started."""

    reports: Counter[str] = field(default_factory=Counter)
    """``taken``, ``refused`` or ``failed``."""
    ranges: Counter[str] = field(default_factory=Counter)
    """By fate, as in `fleet_router.booking.Outcome`."""


class Ingest:
    """The gRPC server. Raises ListenError where the port is taken."""

    def __init__(self, store: Store, *, clock: Clock, address: Address) -> None:
        self._store = store
        self._clock = clock
        self._wanted = address
        self._server: Any = None
        self.address = address
        self.counters = IngestCounters()

    async def start(self) -> None:
        """Listens; `address` then holds the port that was taken."""
        self._server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES),
                # Without this a second router would share the port, and reports, with the first.
                ("grpc.so_reuseport", 0),
            )
        )
        handler = grpc.stream_stream_rpc_method_handler(self._report_cluster)  # bytes in, bytes out
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        host = f"[{self._wanted.host}]" if ":" in self._wanted.host else self._wanted.host
        try:
            port = self._server.add_insecure_port(f"{host}:{self._wanted.port}")
        except RuntimeError as error:
            raise ListenError(
                f"cannot listen on {self._wanted} for gRPC; choose another port or --port-offset"
            ) from error
        self.address = Address(self._wanted.host, port)
        await self._server.start()

    async def stop(self) -> None:
        """Ends open streams after a moment; what they were told is on disk."""
        if self._server is not None:
            await self._server.stop(_STOP_GRACE_S)

    async def _report_cluster(self, messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for message in messages:
            try:
                ack = await self.take(message)
            except DatabaseError as error:
                self.counters.reports["failed"] += 1
                log.exception("The ledger could not be written")
                await context.abort(grpc.StatusCode.UNAVAILABLE, f"the fleet's ledger cannot be written: {error.orig}")
                raise
            yield ack.SerializeToString()

    async def take(self, message: bytes) -> pb.ClusterAck:
        """Checks and books one report; the ack says what was wrong or where its streams stand."""
        report = pb.ClusterReport()
        now_unix_ns = self._clock.unix_ns()
        try:
            try:
                report.ParseFromString(message)
            except DecodeError as error:
                raise ReportRefused("report", "is not a ClusterReport") from error
            check(report, now_unix_ns=now_unix_ns)
            outcome: Outcome = await self._store.write(lambda writer: book(writer, report, now_unix_ns=now_unix_ns))
        except ReportRefused as refused:
            self.counters.reports["refused"] += 1
            log.warning("Refused a report", extra={"cluster": report.cluster_name[:80], "reason": str(refused)})
            return pb.ClusterAck(number=report.number, error=str(refused))
        self.counters.reports["taken"] += 1
        self.counters.ranges += outcome.ranges
        return pb.ClusterAck(
            number=report.number,
            watermarks=[
                pb.Watermark(node=each.node, boot_id=each.boot_id, stream=each.stream, sequence=each.sequence)
                for each in outcome.watermarks
            ],
        )
