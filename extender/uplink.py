# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The stream to the fleet router: gRPC, one cluster report at a time, each waited for.

The fleet's acknowledgement moves its watermark in the ledger, forwards or back, and only then are reports deleted. So
whatever is lost on the way is sent again, and what the fleet has lost is declared as a gap once it is no longer here.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from extender.errors import UplinkLost
from extender.ledger import StreamKey
from extender.ranges import fill
from wire import fleet_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from extender.ledger import Ledger, Waiting
    from extender.writer import Writer

log = logging.getLogger(__name__)

METHOD = "/penstock.fleet.v1.Fleet/ReportCluster"

_POLL_S = 1.0
# A report without new intervals still tells capacity, which the fleet calls stale otherwise.
_HEARTBEAT_S = 5.0
_ACK_TIMEOUT_S = 15.0
_LONGEST_PAUSE_S = 30.0
# A stream that the fleet refuses on its own is tried again after this; its reports wait, up to their retention.
_ASIDE_S = 60.0
# gRPC refuses messages over 4 MiB; a range of one stream is some 3 kB per hour and 10 namespaces.
_STREAMS = 500
_REPORTS = 2000


@dataclass(slots=True)
class UplinkStatus:
    """For people: whether the fleet hears us."""

    target: str
    connected: bool = False
    last_error: str = ""
    """What keeps the fleet from hearing us, or from taking some stream; empty while it takes everything."""
    streams_aside: int = 0
    """Streams that wait on their own because the fleet did not take them."""
    reports: Counter[str] = field(default_factory=Counter)
    """Cluster reports by what became of them: taken, refused, lost."""
    waiting: int = 0
    """Reports in the ledger that the fleet has not acknowledged."""
    oldest_unix_ns: int = 0
    """When the oldest of them came; 0 = none waits."""
    acked_unix_ns: int = 0


class Uplink:
    """Sends what waits in the ledger until cancelled."""

    def __init__(
        self,
        *,
        target: str,
        writer: Writer,
        head: Callable[[], fleet_pb2.ClusterReport],
        now_unix_ns: Callable[[], int],
        poll_s: float = _POLL_S,
        aside_s: float = _ASIDE_S,
    ) -> None:
        """``head`` makes a cluster report with everything but number, ranges and gaps."""
        self.status = UplinkStatus(target=target)
        self._writer = writer
        self._head = head
        self._now_unix_ns = now_unix_ns
        self._poll_s = poll_s
        self._number = 0
        self._streams = _STREAMS
        self._aside_s = aside_s
        self._aside: dict[StreamKey, tuple[float, str]] = {}
        """Streams that the fleet does not take: until when they are left out (loop time), and why."""
        self._in_flight: frozenset[StreamKey] = frozenset()
        """Streams with ranges in a report that was sent and not acknowledged."""
        self._suspects: tuple[frozenset[StreamKey], str] | None = None
        """Those of a report with which the connection was lost, and the error. Whether the report was why shows when
        one without ranges gets through."""
        self._losses = 0
        """Connections lost in a row with ranges in flight."""

    async def run(self) -> None:
        """Connects, sends, and connects again after a pause that doubles up to half a minute."""
        pause_s = self._poll_s
        while True:
            acked_before = self.status.reports["taken"]
            try:
                # Loopback or a mesh that encrypts; certificates come with the fleet's own authentication.
                async with grpc.aio.insecure_channel(self.status.target) as channel:
                    await self._serve(channel)
            except (grpc.aio.AioRpcError, grpc.aio.UsageError, UplinkLost, TimeoutError) as error:
                self._lost(error)
            if self.status.reports["taken"] > acked_before:
                pause_s = self._poll_s
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _lost(self, error: Exception) -> None:
        text = str(error.details()) if isinstance(error, grpc.aio.AioRpcError) else str(error) or type(error).__name__
        self.status.reports["lost"] += 1
        if self.status.connected or text != self.status.last_error:
            log.warning("The fleet at %s does not hear us: %s", self.status.target, text)
        self.status.connected = False
        self.status.last_error = text
        if self._in_flight:
            self._suspects = (self._in_flight, text)
            self._in_flight = frozenset()
            self._losses += 1

    async def _serve(self, channel: Any) -> None:
        call = channel.stream_stream(
            METHOD,
            request_serializer=fleet_pb2.ClusterReport.SerializeToString,
            response_deserializer=fleet_pb2.ClusterAck.FromString,
        )()
        self._number = 0
        idle_s = _HEARTBEAT_S
        while True:
            waiting = await self._look() if self._suspects is None else []
            if not waiting and idle_s < _HEARTBEAT_S:
                await asyncio.sleep(self._poll_s)
                idle_s += self._poll_s
                continue
            report = await self._report(waiting)
            self._in_flight = _streams_of(report)
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the answer.
            async with asyncio.timeout(_ACK_TIMEOUT_S):
                ack = await _exchange(call, report)
            self._in_flight = frozenset()
            moved = await self._take(ack, sent=report)
            self._judge_suspects()
            idle_s = 0.0
            # With a backlog the next report follows at once.
            await asyncio.sleep(0.0 if moved and len(waiting) >= self._streams else self._poll_s)

    async def _look(self) -> list[Waiting]:
        streams = self._streams
        each = max(1, _REPORTS // streams)
        now_s = asyncio.get_running_loop().time()
        self._aside = {key: aside for key, aside in self._aside.items() if aside[0] > now_s}
        but = frozenset(self._aside)
        waiting, backlog = await self._writer.submit(
            lambda ledger: (ledger.waiting(streams=streams, reports_each=each, but=but), ledger.backlog())
        )
        self.status.waiting, self.status.oldest_unix_ns = backlog
        return waiting

    async def _report(self, waiting: list[Waiting]) -> fleet_pb2.ClusterReport:
        report = self._head()
        self._number += 1
        report.number = self._number
        for key, why in (await asyncio.to_thread(fill, report, waiting)).items():
            self._set_aside(key, why)
        return report

    async def _take(self, ack: fleet_pb2.ClusterAck, *, sent: fleet_pb2.ClusterReport) -> int:
        if ack.number != sent.number:
            raise UplinkLost(f"report {sent.number} was answered by the acknowledgement of {ack.number}")
        # Of a stream that we sent and it does not name, the fleet has nothing (its store was lost): begin again.
        watermarks: dict[StreamKey, int] = {}
        if not ack.error:
            parts: list[fleet_pb2.NodeRange | fleet_pb2.StreamGap] = [*sent.ranges, *sent.gaps]
            watermarks = {StreamKey(part.node, part.boot_id, part.stream): 0 for part in parts}
        watermarks |= {StreamKey(mark.node, mark.boot_id, mark.stream): mark.sequence for mark in ack.watermarks}
        looked_at = (
            []
            if ack.error
            else [
                (StreamKey(part.node, part.boot_id, part.stream), part.first_sequence, part.last_sequence)
                for part in sent.ranges
            ]
        )

        def follow(ledger: Ledger) -> int:
            moved = ledger.fleet_has(watermarks.items())
            ledger.fleet_took(looked_at)
            return moved

        moved = await self._writer.submit(follow)
        self.status.connected = True
        if ack.error:
            self.status.reports["refused"] += 1
            if ack.error != self.status.last_error:
                log.warning("The fleet refuses what we report: %s", ack.error)
            self.status.last_error = ack.error
            self._shrink(_streams_of(sent), ack.error)
        else:
            self.status.reports["taken"] += 1
            self.status.acked_unix_ns = self._now_unix_ns()
            self.status.last_error = next((why for _, why in reversed(self._aside.values())), "")
            if sent.ranges:
                self._losses = 0
                self._streams = min(_STREAMS, 2 * self._streams)
        self.status.streams_aside = len(self._aside)
        return moved

    def _judge_suspects(self) -> None:
        """A report without ranges got through: the one before it was lost for what it carried, or with the network."""
        if self._suspects is None:
            return
        (streams, why), self._suspects = self._suspects, None
        # A fleet that restarts breaks one connection; a report that breaks it does so again.
        if self._losses > 1:
            self._shrink(streams, why)

    def _shrink(self, streams: frozenset[StreamKey], why: str) -> None:
        """Whatever it is, it is in a part of these streams: with fewer at a time the others get through, and the one
        that is left alone with it waits.
        """
        self._streams = max(1, min(self._streams, len(streams)) // 2)
        if len(streams) == 1:
            self._set_aside(next(iter(streams)), why)

    def _set_aside(self, key: StreamKey, why: str) -> None:
        self._aside[key] = (asyncio.get_running_loop().time() + self._aside_s, why)
        self.status.streams_aside = len(self._aside)
        self.status.last_error = why


def _streams_of(report: fleet_pb2.ClusterReport) -> frozenset[StreamKey]:
    return frozenset(StreamKey(each.node, each.boot_id, each.stream) for each in report.ranges)


async def _exchange(call: Any, report: fleet_pb2.ClusterReport) -> fleet_pb2.ClusterAck:
    """Sends one report and waits for its acknowledgement. Raises UplinkLost, or AioRpcError."""
    try:
        await call.write(report)
    except asyncio.InvalidStateError as error:
        # grpc.aio's way to say that the call was over before we wrote; why is in its status.
        raise UplinkLost(await call.details() or "the fleet ended the stream") from error
    ack = await call.read()
    if ack is grpc.aio.EOF:
        raise UplinkLost("the fleet ended the stream")
    assert isinstance(ack, fleet_pb2.ClusterAck)
    return ack
