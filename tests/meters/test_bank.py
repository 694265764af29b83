# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Meters read together: one that hangs or fails costs its own domains a gap and nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.meters.bank import Bank
from agent.meters.choice import Survey
from agent.meters.protocol import Counter, Domain, Metered, Quality, Reading, Unread
from agent.vitals import Vitals
from estimator.curves import CpuIdentity, Table
from plumbing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.meters.alignment import Aligned

pytestmark = pytest.mark.anyio

QUALITY = Quality("measured", 0.97, 1.03, "test")
TABLE = Table(curves={}, microarchitectures=(), revision="")


class Scripted:
    """A meter of one domain that does what it is told."""

    def __init__(self, source: str, clock: ManualClock, *, gauge: bool = False) -> None:
        self.source = source
        counter = None if gauge else Counter(10**12, 1000.0)
        self.metered: tuple[Metered, ...] = (Metered(Domain("cpu", source), QUALITY, counter),)
        self.gauge = gauge
        self.counter_uj = 0
        self.power_w = 10.0
        self.clock = clock
        self.before: Callable[[], None] = lambda: None
        self.unread = ""
        self.reads = 0
        self.closed = False

    def read(self) -> tuple[Reading | Unread, ...]:
        self.reads += 1
        self.before()
        if self.unread:
            return (Unread(f"cpu/{self.source}", self.unread),)
        now_ns = self.clock.monotonic_ns()
        if self.gauge:
            return (Reading(f"cpu/{self.source}", now_ns, now_ns, power_w=self.power_w),)
        return (Reading(f"cpu/{self.source}", now_ns, now_ns, counter_uj=self.counter_uj),)

    def close(self) -> None:
        self.closed = True


def hanging(release: threading.Event) -> Callable[[], None]:
    """Blocks until released."""

    def wait() -> None:
        release.wait(10)

    return wait


class Bench:
    """A bank on a clock that stands still, and the edges of its intervals."""

    def __init__(self, *meters: Scripted, clock: ManualClock) -> None:
        chosen = {each.metered[0].domain.name: (each.source, each.metered[0]) for each in meters}
        survey = Survey(meters=meters, chosen=chosen, sources=(), cpu=CpuIdentity("", "", 0, 0, 1), table=TABLE)
        self.clock = clock
        self.vitals = Vitals(clock)
        self.bank = Bank(survey, clock=clock, vitals=self.vitals)
        self.edge_ns = clock.monotonic_ns()

    async def interval(self, *, timeout_s: float = 5.0, seconds: float = 0.0) -> Aligned:
        """Reads everything and closes the interval up to now."""
        self.clock.advance(seconds)
        await self.bank.read(timeout_s=timeout_s)
        from_ns, self.edge_ns = self.edge_ns, self.clock.monotonic_ns()
        return self.bank.alignment.close(from_ns, self.edge_ns)


async def test_a_meter_that_hangs_delays_nobody_for_longer_than_its_first_deadline() -> None:
    clock = ManualClock()
    good, bad = Scripted("good", clock), Scripted("bad", clock)
    release = threading.Event()
    both = Bench(good, bad, clock=clock)
    await both.interval()
    bad.before = hanging(release)
    good.counter_uj = bad.counter_uj = 5_000_000
    first = await both.interval(timeout_s=0.1, seconds=5)
    assert first.drew["cpu/good"].energy_uj == 5_000_000
    assert "cpu/bad" not in first.drew
    assert [(gap.domain, gap.reason) for gap in first.missing] == [("cpu/bad", "deadline")]
    started = time.monotonic()
    for _ in range(5):
        good.counter_uj += 1_000_000
        after = await both.interval(timeout_s=0.5, seconds=1)
        assert after.drew["cpu/good"].energy_uj == 1_000_000
    assert time.monotonic() - started < 0.5, "nobody waits for one that is known to hang"
    release.set()
    bad.before = lambda: None
    seat = both.bank.seats[1]
    for _ in range(500):
        await seat.ask()
        if not seat.in_trouble:
            break
        await asyncio.sleep(0.01)
    await both.interval(seconds=1)
    bad.counter_uj += 1_000_000
    back = await both.interval(seconds=1)
    assert back.drew["cpu/bad"].energy_uj == 1_000_000, "what it counted while it hung is a gap, not a spike"
    assert both.vitals.abandoned()["meter-bad"] >= 1
    both.bank.close()


async def test_gaps_cover_all_the_time_that_has_no_energy() -> None:
    clock = ManualClock()
    meter = Scripted("m", clock)
    one = Bench(meter, clock=clock)
    covered_ns = gap_ns = 0
    await one.interval()
    for unread in ("", "vanished", "vanished", "", "", ""):
        meter.unread = unread
        done = await one.interval(seconds=5)
        assert {each.reason for each in done.missing} <= {"vanished", "no_base"}
        covered_ns += sum(each.elapsed_ns for each in done.drew.values())
        gap_ns += sum(each.to_ns - each.from_ns for each in done.missing)
    assert (covered_ns, gap_ns) == (15 * 10**9, 15 * 10**9)
    one.bank.close()


async def test_moments_of_a_gauge_are_joined_over_a_few_periods_and_no_further() -> None:
    clock = ManualClock()
    gauge = Scripted("acpi", clock, gauge=True)
    one = Bench(gauge, clock=clock)
    await one.interval()
    gauge.power_w = 30.0
    assert (await one.interval(seconds=9)).drew["cpu/acpi"].energy_uj == 180_000_000, "three periods of the slow tier"
    gauge.power_w = 10.0
    night = await one.interval(seconds=8 * 3600)
    assert not night.drew
    assert [gap.reason for gap in night.missing] == ["silent_too_long"]
    assert (await one.interval(seconds=3)).drew["cpu/acpi"].energy_uj == 30_000_000
    one.bank.close()


async def test_a_read_asked_for_during_another_begins_after_it_and_is_shared() -> None:
    clock = ManualClock()
    meter = Scripted("m", clock)
    release = threading.Event()
    meter.before = hanging(release)
    bank = Bench(meter, clock=clock).bank
    (seat,) = bank.seats
    first = seat.ask()
    await asyncio.sleep(0.02)
    second, third = seat.ask(), seat.ask()
    assert second is third
    assert second is not first
    release.set()
    await asyncio.wait((first, second), timeout=5)
    assert meter.reads == 2
    bank.close()


async def test_an_edge_reads_counters_and_does_not_wait_for_gauges() -> None:
    clock = ManualClock()
    counter, gauge, far = Scripted("rapl", clock), Scripted("acpi", clock, gauge=True), Scripted("dcgm", clock)
    release = threading.Event()
    gauge.before = hanging(release)
    bank = Bench(counter, gauge, far, clock=clock).bank
    started = time.monotonic()
    taken = await bank.edge(timeout_s=1)
    assert time.monotonic() - started < 0.5
    assert set(taken.readings) == {("rapl", "cpu/rapl")}
    assert far.reads == 0, "a meter behind a network is asked at its own pace alone"
    release.set()
    await asyncio.sleep(0.05)
    assert gauge.reads == 1
    bank.close()


async def test_an_idle_node_is_left_alone_and_one_that_moves_is_not() -> None:
    clock = ManualClock()
    meter = Scripted("rapl-powercap", clock)
    bank = Bench(meter, clock=clock).bank
    waited: list[float] = []

    async def nap(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) >= len(script):
            raise asyncio.CancelledError
        clock.advance(seconds)
        meter.counter_uj += round(script[len(waited)] * seconds * 1e6)

    # Watts from one read to the next: idle, a load comes and stays.
    script = [10.0, 10.0, 10.0, 60.0, 60.0, *[60.0] * 40]
    with contextlib.suppress(asyncio.CancelledError):
        await bank.poll(bank.seats[0], sleep=nap)
    assert waited[:3] == [1.0, 1.0, 1.0]
    assert waited[3:33] == [pytest.approx(0.1)] * 30, "full pace for three seconds after power moved"
    assert waited[-1] == 1.0
    bank.wanted()
    bank.close()


async def test_what_meters_hold_open_is_given_back_in_their_own_threads() -> None:
    meter = Scripted("m", ManualClock())
    bank = Bench(meter, clock=meter.clock).bank
    await bank.read(timeout_s=1)
    await bank.leave()
    assert meter.closed
