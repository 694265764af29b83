# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The agents of the simulated nodes: every interval a report per node, pushed until the extender has it on its disk.

They keep the same promises as real ones (sequences without undeclared holes, at least once, drops declared), but share
one process, one connection pool and one pause when the extender is away.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import msgspec

from plumbing.http import HttpError, HttpStatusError
from sim.cluster import step
from sim.outbox import Outbox
from sim.reports import Stream, report
from wire.report import Interval, ReportAck
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from plumbing.clock import Clock
    from plumbing.http import HttpClient
    from sim.cluster import Cluster

log = logging.getLogger(__name__)

# Ten minutes at 2 s: longer than an extender takes to come back, small enough for thousands of nodes in memory.
_OUTBOX_REPORTS = 300
_CONNECTIONS = 16
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0


class AgentsError(RuntimeError):
    """An answer of the extender that makes no sense."""


class Agents:
    """One outbox per simulated node, and the loop that fills and the loop that empties them."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        http: HttpClient,
        clock: Clock,
        interval_s: float,
        run_id: str,
        outbox_reports: int = _OUTBOX_REPORTS,
    ) -> None:
        self.cluster = cluster
        self._http = http
        self._clock = clock
        self._interval_s = interval_s
        self._streams = tuple(
            Stream(node=node.name, boot_id=f"sim-{run_id}", stream=f"sim-{run_id}-{at}")
            for at, node in enumerate(cluster.nodes)
        )
        self._outboxes = tuple(Outbox(limit=outbox_reports) for _ in cluster.nodes)
        self._from_ns = clock.monotonic_ns()
        self._filled = asyncio.Event()
        self._pause = random.Random()

    @property
    def waiting(self) -> int:
        """Reports that are not acknowledged yet."""
        return sum(len(outbox) for outbox in self._outboxes)

    @property
    def dropped(self) -> int:
        """Reports that will never be delivered."""
        return sum(outbox.dropped for outbox in self._outboxes)

    def tick(self) -> None:
        """Closes the interval that began with the last tick: one report per node."""
        to_ns, to_unix_ns = self._clock.monotonic_ns(), self._clock.unix_ns()
        elapsed_ns = to_ns - self._from_ns
        if elapsed_ns <= 0:
            return
        self.cluster, steps = step(self.cluster, elapsed_ns / NS_PER_S)
        # Wall time places an interval, the monotonic clock measures it: a clock that is set in between moves both ends.
        interval = Interval(from_unix_ns=to_unix_ns - elapsed_ns, to_unix_ns=to_unix_ns, elapsed_ns=elapsed_ns)
        for done, stream, outbox in zip(steps, self._streams, self._outboxes, strict=True):
            outbox.put(report(done, stream=stream, sequence=outbox.next_sequence, interval=interval))
        self._from_ns = to_ns
        self._filled.set()

    async def fill(self) -> None:
        """Ticks for ever at the interval, without drift."""
        next_ns = self._clock.monotonic_ns()
        while True:
            next_ns += round(self._interval_s * NS_PER_S)
            delay_s = (next_ns - self._clock.monotonic_ns()) / NS_PER_S
            if delay_s < 0:
                # Too slow for the interval: intervals get longer, none is made up.
                next_ns, delay_s = self._clock.monotonic_ns(), 0.0
            await asyncio.sleep(delay_s)
            self.tick()

    async def push(self) -> None:
        """Delivers for ever; while the extender is away it is asked less and less often."""
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._filled.wait()
            self._filled.clear()
            try:
                await self.deliver()
            except HttpError as error:
                log.warning("The extender takes no reports", extra={"reason": str(error), "waiting": self.waiting})
                await asyncio.sleep(pause_s * self._pause.uniform(0.5, 1.0))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                self._filled.set()
            else:
                pause_s = _FIRST_PAUSE_S

    async def deliver(self) -> None:
        """Sends what waits, oldest first, several nodes at a time. Raises HttpError when nobody answers."""
        gate = asyncio.Semaphore(_CONNECTIONS)

        async def one(outbox: Outbox) -> None:
            async with gate:
                while (body := outbox.head()) is not None:
                    await self._send(outbox, body)

        results = await asyncio.gather(*(one(outbox) for outbox in self._outboxes if outbox), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _send(self, outbox: Outbox, body: bytes) -> None:
        try:
            answer = await self._http.post("/v1/reports", body)
        except HttpStatusError as error:
            if error.transient:
                raise
            if error.status == 409 and (expected := _expected_sequence(error.body)) is not None:
                before = outbox.head()
                outbox.rewind(expected)
                if outbox.head() != before:
                    return
            # The same report will be refused for ever; the next one declares it as dropped.
            log.error("The extender refuses a report", extra={"reason": str(error)})
            outbox.drop_head()
            return
        try:
            ack = msgspec.json.decode(answer.body, type=ReportAck)
        except msgspec.DecodeError as error:
            raise AgentsError(f"no acknowledgement: {error}") from error
        outbox.acknowledge(ack.acked_sequence)


class _OutOfOrder(msgspec.Struct):
    expected_sequence: int


def _expected_sequence(body: bytes) -> int | None:
    try:
        return max(1, msgspec.json.decode(body, type=_OutOfOrder).expected_sequence)
    except msgspec.DecodeError:
        return None
