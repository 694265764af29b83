# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Meters read together: one that hangs or fails costs its own domains a gap and nobody else anything."""

from __future__ import annotations

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

pytestmark = pytest.mark.anyio

QUALITY = Quality("measured", 0.97, 1.03, "test")


class Scripted:
    """A meter of one domain that does what it is told."""

    def __init__(self, source: str, clock: ManualClock) -> None:
        self.source = source
        self.metered: tuple[Metered, ...] = (Metered(Domain("cpu", source), QUALITY, Counter(10**12, 1000.0)),)
        self.counter_uj = 0
        self.clock = clock
        self.before: Callable[[], None] = lambda: None
        self.unread = ""

    def read(self) -> tuple[Reading | Unread, ...]:
        self.before()
        if self.unread:
            return (Unread(f"cpu/{self.source}", self.unread),)
        now_ns = self.clock.monotonic_ns()
        return (Reading(f"cpu/{self.source}", now_ns, now_ns, counter_uj=self.counter_uj),)


def bank(*meters: Scripted, clock: ManualClock) -> Bank:
    cpu = CpuIdentity("", "", 0, 0, 1)
    survey = Survey(
        meters=meters, chosen={}, sources=(), cpu=cpu, table=Table(curves={}, microarchitectures=(), revision="")
    )
    return Bank(survey, clock=clock, vitals=Vitals(clock))


async def test_a_meter_that_hangs_delays_nobody() -> None:
    clock = ManualClock()
    good, bad = Scripted("good", clock), Scripted("bad", clock)
    release = threading.Event()
    both = bank(good, bad, clock=clock)
    both.advance(await both.read(timeout_s=5))

    def hang() -> None:
        release.wait(10)

    bad.before = hang
    clock.advance(5)
    good.counter_uj = bad.counter_uj = 5_000_000
    started = time.monotonic()
    taken = await both.read(timeout_s=0.1)
    assert time.monotonic() - started < 2
    drawn = both.advance(taken)
    assert drawn.energies[("good", "cpu/good")].energy_uj == 5_000_000
    assert drawn.lost[("bad", "cpu/bad")].reason == "deadline"
    release.set()
    bad.before = lambda: None
    clock.advance(5)
    drawn = both.advance(await both.read(timeout_s=5))
    assert drawn.lost[("bad", "cpu/bad")].reason == "no_base", "what came back late is a gap, not a spike"
    clock.advance(5)
    bad.counter_uj += 1_000_000
    drawn = both.advance(await both.read(timeout_s=5))
    assert drawn.energies[("bad", "cpu/bad")].energy_uj == 1_000_000
    both.close()


async def test_gaps_cover_all_the_time_that_has_no_energy() -> None:
    clock = ManualClock()
    meter = Scripted("m", clock)
    one = bank(meter, clock=clock)
    covered_ns = last_ns = 0
    started_ns = clock.monotonic_ns()
    for unread in ("", "", "vanished", "vanished", "", "", ""):
        meter.unread = unread
        drawn = one.advance(await one.read(timeout_s=5))
        assert {each.reason for each in drawn.lost.values()} <= {"vanished", "no_base"}
        covered_ns += sum(each.to_ns - each.from_ns for each in drawn.energies.values())
        covered_ns += sum(each.to_ns - each.from_ns for each in drawn.lost.values())
        last_ns = clock.monotonic_ns()
        clock.advance(5)
    assert covered_ns == last_ns - started_ns
    one.close()
