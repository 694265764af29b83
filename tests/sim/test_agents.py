# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated agents against an extender that books, refuses, forgets and goes away."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
import pytest

from plumbing.clock import ManualClock
from plumbing.http import HttpClient, HttpError
from sim.agents import Agents
from sim.cluster import build
from wire.report import Report, ReportAck, check, decode
from wire.units import NS_PER_S

pytestmark = pytest.mark.anyio


@dataclass
class Extender:
    """Books in order per stream, as the wire promises."""

    watermarks: dict[str, int] = field(default_factory=dict)
    booked: list[Report] = field(default_factory=list)
    status: int = 200

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/reports"
        if self.status != 200:
            return httpx.Response(self.status, json={"status": self.status, "detail": "no"})
        got = decode(request.content)
        mark = self.watermarks.get(got.stream, got.sequence - 1)
        for gap in got.dropped:
            mark = max(mark, gap.last)
        if got.sequence > mark + 1:
            return httpx.Response(409, json={"status": 409, "expected_sequence": mark + 1})
        if got.sequence == mark + 1:
            mark += 1
            self.booked.append(got)
        self.watermarks[got.stream] = mark
        ack = ReportAck(acked_sequence=mark)
        return httpx.Response(200, content=json.dumps({"acked_sequence": ack.acked_sequence}))


def agents(extender: Extender, clock: ManualClock, *, nodes: int = 3, outbox_reports: int = 100) -> Agents:
    return Agents(
        build(seed=1, nodes=nodes, pods=20),
        http=HttpClient("http://extender", transport=httpx.MockTransport(extender.answer)),
        clock=clock,
        interval_s=2.0,
        run_id="test",
        outbox_reports=outbox_reports,
    )


async def test_every_interval_of_every_node_is_booked_once() -> None:
    extender, clock = Extender(), ManualClock()
    simulated = agents(extender, clock)
    for _ in range(5):
        clock.advance(2.0)
        simulated.tick()
        await simulated.deliver()
    assert simulated.waiting == 0
    assert sorted((each.node, each.sequence) for each in extender.booked) == [
        (f"sim-node-{at:03d}", sequence) for at in range(3) for sequence in range(1, 6)
    ]
    for each in extender.booked:
        check(each)
        assert each.interval.elapsed_ns == 2 * NS_PER_S


async def test_intervals_join_without_a_hole() -> None:
    extender, clock = Extender(), ManualClock()
    simulated = agents(extender, clock, nodes=1)
    for length_s in (2.0, 2.5, 30.0):
        clock.advance(length_s)
        simulated.tick()
    await simulated.deliver()
    intervals = [each.interval for each in extender.booked]
    assert [each.elapsed_ns / NS_PER_S for each in intervals] == [2.0, 2.5, 30.0]
    assert all(later.from_unix_ns == earlier.to_unix_ns for earlier, later in pairwise(intervals))


async def test_an_outage_loses_nothing() -> None:
    extender, clock = Extender(), ManualClock()
    simulated = agents(extender, clock)
    extender.status = 503
    for _ in range(10):
        clock.advance(2.0)
        simulated.tick()
        with pytest.raises(HttpError):
            await simulated.deliver()
    assert simulated.waiting == 30
    extender.status = 200
    await simulated.deliver()
    assert simulated.waiting == 0
    assert simulated.dropped == 0
    assert len(extender.booked) == 30


async def test_a_long_outage_is_declared() -> None:
    extender, clock = Extender(), ManualClock()
    simulated = agents(extender, clock, nodes=1, outbox_reports=3)
    clock.advance(2.0)
    simulated.tick()
    await simulated.deliver()
    for _ in range(8):
        clock.advance(2.0)
        simulated.tick()
    await simulated.deliver()
    assert [each.sequence for each in extender.booked] == [1, 7, 8, 9]
    assert [(gap.first, gap.last) for gap in extender.booked[1].dropped] == [(2, 6)]
    assert simulated.dropped == 5


async def test_an_extender_that_forgot_gets_the_gap_declared() -> None:
    extender, clock = Extender(), ManualClock()
    simulated = agents(extender, clock, nodes=1)
    for _ in range(4):
        clock.advance(2.0)
        simulated.tick()
        await simulated.deliver()
    (stream,) = extender.watermarks
    extender.watermarks[stream] = 2
    clock.advance(2.0)
    simulated.tick()
    await simulated.deliver()
    assert extender.booked[-1].sequence == 5
    assert [(gap.first, gap.last) for gap in extender.booked[-1].dropped] == [(3, 4)]
    assert simulated.waiting == 0


async def test_a_report_that_is_refused_is_not_sent_for_ever() -> None:
    extender, clock = Extender(), ManualClock()
    simulated = agents(extender, clock, nodes=1)
    extender.status = 422
    clock.advance(2.0)
    simulated.tick()
    await simulated.deliver()
    assert (simulated.waiting, simulated.dropped) == (0, 1)
    extender.status = 200
    clock.advance(2.0)
    simulated.tick()
    await simulated.deliver()
    assert [(gap.first, gap.last) for gap in extender.booked[0].dropped] == [(1, 1)]


async def test_a_clock_set_back_moves_the_interval_but_not_its_length() -> None:
    extender, clock = Extender(), ManualClock()
    simulated = agents(extender, clock, nodes=1)
    clock.advance(2.0)
    clock.jump(-3600.0)
    simulated.tick()
    await simulated.deliver()
    (interval,) = [each.interval for each in extender.booked]
    assert interval.elapsed_ns == 2 * NS_PER_S
    assert interval.to_unix_ns - interval.from_unix_ns == 2 * NS_PER_S


async def test_the_loops_recover_by_themselves() -> None:
    """Filled and pushed by their own loops, through an outage, in real time but short."""
    from plumbing.clock import SystemClock

    extender = Extender(status=503)
    simulated = Agents(
        build(seed=1, nodes=2, pods=4),
        http=HttpClient("http://extender", transport=httpx.MockTransport(extender.answer)),
        clock=SystemClock(),
        interval_s=0.02,
        run_id="loops",
    )
    loops = [asyncio.create_task(simulated.fill()), asyncio.create_task(simulated.push())]
    await asyncio.sleep(0.1)
    assert simulated.waiting > 0
    extender.status = 200
    async with asyncio.timeout(5):
        while len(extender.booked) < 10 or simulated.waiting > 4:  # noqa: ASYNC110 - the loops have no end to wait for
            await asyncio.sleep(0.02)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    assert simulated.dropped == 0
    sequences = [each.sequence for each in extender.booked if each.node == "sim-node-000"]
    assert sequences == list(range(1, len(sequences) + 1))
