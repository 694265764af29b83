# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The modelled meter: load over measured time through the curve, its interval, and its idle watts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.meters import modelled
from agent.meters.counter import Energy, State, advance
from agent.meters.protocol import Reading, Unread
from estimator.curves import CpuIdentity, Curve, Table
from plumbing.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

CURVE = Curve(
    name="any", load_ratio=np.linspace(0, 1, 11), watts_per_thread=np.linspace(1, 6, 11), low_ratio=0.5, high_ratio=2.0,
    systems=3, source="test",
)  # fmt: skip
TABLE = Table(
    curves={"cpu": {}, "microarchitecture": {}, "vendor": {}, "any": {"any": CURVE}},
    microarchitectures=(),
    revision="t",
)
CPU = CpuIdentity("Nobody's CPU", "nobody", 1, 1, 4)


def write_stat(procfs: Path, *, busy: int, idle: int, steal: int = 0) -> None:
    procfs.mkdir(exist_ok=True)
    (procfs / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")


def read(meter: modelled.ModelledMeter) -> Reading:
    (reading,) = meter.read()
    assert isinstance(reading, Reading)
    return reading


def test_power_follows_load_and_steal_is_not_load(tmp_path: Path) -> None:
    clock = ManualClock()
    write_stat(tmp_path, busy=0, idle=0)
    found = modelled.discover(tmp_path, table=TABLE, cpu=CPU, clock=clock)
    assert isinstance(found.meter, modelled.ModelledMeter)
    (metered,) = found.meter.metered
    assert metered.domain.name == "platform/share"
    assert (metered.quality.kind, metered.quality.low_ratio, metered.quality.high_ratio) == ("modelled", 0.5, 2.0)
    assert metered.quality.error_ratio == 1.0
    before = read(found.meter)
    clock.advance(10)
    write_stat(tmp_path, busy=1000, idle=2000, steal=1000)
    after = read(found.meter)
    _, outcome = advance(State(before), after, metered.counter)
    assert isinstance(outcome, Energy)
    # A quarter of the time was worked: 4 threads at 1 + 0.25 x 5 W for 10 s.
    assert outcome.energy_uj == 90_000_000
    assert after.static_w == 4.0


def test_reads_closer_than_two_ticks_wait_for_each_other(tmp_path: Path) -> None:
    clock = ManualClock()
    write_stat(tmp_path, busy=0, idle=0)
    meter = modelled.discover(tmp_path, table=TABLE, cpu=CPU, clock=clock).meter
    assert isinstance(meter, modelled.ModelledMeter)
    first = read(meter)
    clock.advance(0.005)
    assert read(meter) == first
    clock.advance(0.045)
    assert read(meter).counter_uj == 200_000, "50 ms of 4 W: no time is lost by asking often"


def test_once_a_load_is_known_every_read_covers_its_own_moment(tmp_path: Path) -> None:
    clock = ManualClock()
    write_stat(tmp_path, busy=0, idle=0)
    meter = modelled.discover(tmp_path, table=TABLE, cpu=CPU, clock=clock).meter
    assert isinstance(meter, modelled.ModelledMeter)
    clock.advance(10)
    write_stat(tmp_path, busy=1000, idle=3000)
    before = read(meter)
    clock.advance(0.004)
    after = read(meter)
    assert after.to_ns == clock.monotonic_ns(), "the end of an interval lies between two reads of the counter"
    assert after.counter_uj is not None
    assert before.counter_uj is not None
    assert after.counter_uj - before.counter_uj == 36_000, "4 ms at the 9 W that were known"


def test_an_unreadable_stat_is_a_gap_and_a_missing_one_no_meter(tmp_path: Path) -> None:
    write_stat(tmp_path, busy=0, idle=0)
    meter = modelled.discover(tmp_path, table=TABLE, cpu=CPU, clock=ManualClock()).meter
    assert meter is not None
    (tmp_path / "stat").unlink()
    assert meter.read() == (Unread("platform/share", "vanished"),)
    found = modelled.discover(tmp_path, table=TABLE, cpu=CPU, clock=ManualClock())
    assert found.meter is None
    assert "no load" in found.skipped[0].reason


@pytest.mark.parametrize("busy", [0, 50, 100])
def test_the_packaged_table_gives_every_load_a_power(tmp_path: Path, busy: int) -> None:
    clock = ManualClock()
    write_stat(tmp_path, busy=0, idle=0)
    meter = modelled.discover(tmp_path, table=Table.load(), cpu=CPU, clock=clock).meter
    assert isinstance(meter, modelled.ModelledMeter)
    clock.advance(1)
    write_stat(tmp_path, busy=busy, idle=100 - busy)
    counter_uj = read(meter).counter_uj
    assert counter_uj is not None
    assert counter_uj >= meter.static_w * 1e6 - 1
