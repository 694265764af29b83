# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The pusher against a real socket: outages, refusals, two replicas."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from agent.publish import push
from agent.publish.push import Pusher
from agent.worker import Worker
from plumbing.outbox import Outbox
from plumbing.tasks import guard, stop
from tests.agent.extenders import FakeExtender
from tests.wire.reports import report
from wire.report import ProfileInForce, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wire.report import ReportAck

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(push, "_LONGEST_PAUSE_S", 0.05)


@pytest.fixture
def extender() -> Iterator[FakeExtender]:
    made = FakeExtender()
    yield made
    made.close()


class Bench:
    """An outbox and one pusher per URL."""

    def __init__(self, *urls: str, limit_bytes: int = 2**30) -> None:
        self.outbox = Outbox(None, targets=urls, limit_bytes=limit_bytes)
        self.worker = Worker("outbox", spares=0)
        self.acks: list[ReportAck] = []
        self.pushers = [
            Pusher(url, outbox=self.outbox, outbox_worker=self.worker, on_ack=self.acks.append, chance=random.Random(1))
            for url in urls
        ]
        self.tasks = [guard(f"push {each.url}", each.run, restart=False) for each in self.pushers]

    async def append(self, count: int) -> None:
        for _ in range(count):
            await self.worker.call(
                lambda: self.outbox.append(lambda sequence: encode(report(sequence=sequence, stream="s"))), timeout_s=5
            )
        for pusher in self.pushers:
            pusher.wake()

    async def delivered(self) -> None:
        await asyncio.wait_for(asyncio.gather(*(each.idle.wait() for each in self.pushers)), 10)

    async def close(self) -> None:
        await stop(*self.tasks)
        for pusher in self.pushers:
            pusher.close()
        self.worker.close()


async def test_reports_arrive_in_order_and_the_profile_comes_back(extender: FakeExtender) -> None:
    extender.books.profile = ProfileInForce(name="minimal", interval_s=7.0)
    bench = Bench(extender.url)
    await bench.append(20)
    await bench.delivered()
    assert [each.sequence for each in extender.books.booked] == list(range(1, 21))
    assert bench.acks[-1].profile.interval_s == 7.0
    assert bench.outbox.depth() == 0
    await bench.close()


async def test_an_outage_loses_nothing_and_doubles_nothing(extender: FakeExtender) -> None:
    port = extender.port
    bench = Bench(extender.url)
    await bench.append(3)
    await bench.delivered()
    extender.close()
    await bench.append(5)
    await asyncio.sleep(0.2)
    assert bench.pushers[0].counts.failed_total > 0
    again = FakeExtender(port=port)
    again.books = extender.books
    await bench.delivered()
    assert [each.sequence for each in again.books.booked] == list(range(1, 9))
    await bench.close()
    again.close()


async def test_a_poisoned_report_blocks_nobody(extender: FakeExtender) -> None:
    extender.books.poison = frozenset({2})
    bench = Bench(extender.url)
    await bench.append(4)
    await bench.delivered()
    assert [each.sequence for each in extender.books.booked] == [1, 3, 4]
    assert [(each.first, each.last) for each in extender.books.booked[1].dropped] == [(2, 2)]
    assert bench.pushers[0].counts.refused_total == 1
    await bench.close()


async def test_a_target_that_lost_its_disk_says_where_to_go_on(extender: FakeExtender) -> None:
    bench = Bench(extender.url)
    await bench.append(6)
    await bench.delivered()
    extender.books.watermarks["s"] = 4
    del extender.books.booked[4:]
    await bench.append(1)
    await bench.delivered()
    assert [each.sequence for each in extender.books.booked] == [1, 2, 3, 4, 7]
    assert [(each.first, each.last) for each in extender.books.booked[-1].dropped] == [(5, 6)]
    await bench.close()


async def test_a_full_outbox_declares_what_it_dropped(extender: FakeExtender) -> None:
    bench = Bench(extender.url, limit_bytes=20_000)
    await bench.append(1)
    await bench.delivered()
    extender.fail = [503] * 30
    await bench.append(30)
    extender.fail.clear()
    await bench.delivered()
    booked = [each.sequence for each in extender.books.booked]
    holes = {each for one in extender.books.booked for gap in one.dropped for each in range(gap.first, gap.last + 1)}
    assert booked[-1] == 31
    assert set(range(1, 32)) - set(booked) == holes != set()
    await bench.close()


async def test_a_dead_replica_does_not_delay_the_other(extender: FakeExtender) -> None:
    dead = FakeExtender()
    dead.close()
    bench = Bench(extender.url, dead.url)
    await bench.append(5)
    await asyncio.wait_for(bench.pushers[0].idle.wait(), 10)
    assert len(extender.books.booked) == 5
    assert bench.outbox.depth() == 5, "held for the dead one"
    await bench.close()


async def test_every_answer_that_is_not_yes_is_survived(extender: FakeExtender) -> None:
    extender.fail = [500, 503, 401, 404, 429, 200]
    bench = Bench(extender.url)
    await bench.append(2)
    await bench.delivered()
    assert [each.sequence for each in extender.books.booked] == [1, 2]
    assert extender.requests == 8
    await bench.close()
