# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Meters of the simulated machine: units, wraps, gain, noise, and a gauge that is late."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.silicon import presets, supply
from sim.silicon.registers import Gauge, Registers
from sim.silicon.zones import zones
from tests.silicon.machines import busy, changed, flows

XEON = presets.draw("xeon-2s", seed=1)
TRUE = changed(
    XEON, meters={"gain_ratio": (1.0,), "noise_w": 0.0, "dram_gain_ratio": 1.0, "dram_offset_w": 0.0, "update_s": 0.0}
)


def test_units_and_ranges_are_those_that_real_machines_show() -> None:
    shown = {zone.folder: zone.max_energy_range_uj for zone in zones(XEON)}
    assert shown["intel-rapl:0"] == 262_143_328_850
    assert shown["intel-rapl:0:0"] == 65_712_999_613
    assert {zone.max_energy_range_uj for zone in zones(presets.draw("epyc-2s", seed=1))} == {65_532_610_987}


def test_a_register_wraps_exactly_at_its_range() -> None:
    registers = Registers(TRUE, seed=1, start_count=0)
    zone = registers.zones[0]
    registers.set(zone.folder, zone.counts - 1)
    assert registers.counter_uj(zone) == zone.max_energy_range_uj
    registers.set(zone.folder, zone.counts)
    assert registers.counter_uj(zone) == 0
    registers.set(zone.folder, zone.counts + 2)
    assert registers.counter_uj(zone) == 122


@settings(max_examples=20)
@given(bits=st.integers(14, 32), seed=st.integers(0, 1000), blocks=st.integers(1, 15))
def test_deltas_modulo_the_register_add_up_and_never_pass_the_range(bits: int, seed: int, blocks: int) -> None:
    machine = changed(presets.draw("xeon-1s", seed=seed), meters={"counter_bits": bits})
    registers = Registers(machine, seed=seed)
    first = {zone.folder: registers.counted_uj(zone) for zone in registers.zones}
    (_, flow), *_ = flows(machine, busy("it", "compute", 0), seconds=0.1)
    small = replace(flow, step_s=1e-5)
    for _ in range(blocks):
        before = {zone.folder: (registers.counter_uj(zone), registers.count(zone.folder)) for zone in registers.zones}
        registers.advance(small)
        for zone in registers.zones:
            shown = registers.counter_uj(zone)
            assert 0 <= shown <= zone.max_energy_range_uj
            counts = registers.count(zone.folder) - before[zone.folder][1]
            assert 0 <= counts < zone.counts
            seen = (shown - before[zone.folder][0]) % (zone.counts * zone.unit_nj // 1000)
            assert abs(seen - counts * zone.unit_nj // 1000) <= 1
    for zone in registers.zones:
        assert registers.counted_uj(zone) >= first[zone.folder]


def test_true_meters_show_the_truth_to_one_unit() -> None:
    registers = Registers(TRUE, seed=1, start_count=0)
    made = flows(TRUE, busy("it", "memory", 0, 1, 2), seconds=2.0)
    for _, flow in made:
        registers.advance(flow)
    for zone in registers.zones:
        power_w = [flow.package_w if zone.kind == "package" else flow.dram_w for _, flow in made]
        energy_uj = sum(each[:, zone.socket].sum() for each in power_w) * 0.01 * 1e6
        assert registers.counted_uj(zone) == pytest.approx(energy_uj, abs=2 * zone.unit_nj / 1000)


def test_each_socket_has_a_gain_of_its_own_and_memory_an_offset() -> None:
    machine = changed(TRUE, meters={"gain_ratio": (0.97, 1.03), "dram_offset_w": 2.0})
    registers, true = Registers(machine, seed=1, start_count=0), Registers(TRUE, seed=1, start_count=0)
    for _, flow in flows(TRUE, busy("it", "compute", 0, 32), seconds=1.0):
        registers.advance(flow)
        true.advance(flow)
    ratio = [registers.counted_uj(zone) / true.counted_uj(zone) for zone in registers.zones if zone.kind == "package"]
    assert ratio == pytest.approx([0.97, 1.03], abs=1e-5)
    offset_uj = [registers.counted_uj(zone) - true.counted_uj(zone) for zone in registers.zones if zone.kind == "dram"]
    assert offset_uj == pytest.approx([2e6, 2e6], rel=1e-3)


def test_noise_has_the_stated_size_and_no_register_ever_falls() -> None:
    machine = changed(TRUE, meters={"noise_w": 5.0})
    registers = Registers(machine, seed=1, start_count=0)
    (_, flow), *_ = flows(TRUE, seconds=0.1)
    zone = registers.zones[0]
    counted = [registers.counted_uj(zone)]
    for _ in range(2000):
        registers.advance(flow)
        counted.append(registers.counted_uj(zone))
    assert min(np.diff(counted)) >= 0
    per_second_w = np.diff(counted[::10]) / 1e6
    assert per_second_w.mean() == pytest.approx(TRUE.static_w(), abs=1.5)
    assert 3.5 < per_second_w.std() < 6.5


def test_the_memory_mapped_twin_shows_the_same_register() -> None:
    machine = presets.draw("xeon-1s", seed=1)
    registers = Registers(machine, seed=4)
    for _, flow in flows(machine, seconds=0.3):
        registers.advance(flow)
    by_folder = {zone.folder: registers.counter_uj(zone) for zone in registers.zones}
    assert by_folder["intel-rapl-mmio:0"] == by_folder["intel-rapl:0"] > 0


def test_psys_covers_its_packages_and_one_core_is_less_than_all() -> None:
    laptop = presets.draw("laptop", seed=1)
    registers = Registers(laptop, seed=1, start_count=0)
    for _, flow in flows(laptop, busy("it", "compute", 0, 1), seconds=1.0):
        registers.advance(flow)
    counted = {zone.name: registers.counted_uj(zone) for zone in registers.zones}
    assert counted["psys"] > counted["package-0"] > counted["core"] > counted["uncore"] == 0


def test_an_amd_package_counter_misses_memory_traffic() -> None:
    machine = changed(
        presets.draw("epyc-2s", seed=1), meters={"gain_ratio": (1.0,), "noise_w": 0.0, "traffic_seen_ratio": 0.5}
    )
    registers = Registers(machine, seed=1, start_count=0)
    ((_, flow),) = flows(machine, busy("it", "memory", *range(8)))
    registers.advance(flow)
    seen_w = registers.counted_uj(registers.zones[0]) / 1e5
    lost_w = flow.package_w[:, 0].mean() - seen_w
    assert lost_w == pytest.approx(0.5 * flow.traffic_w[:, 0].mean(), abs=0.5)
    assert lost_w > 2


def test_the_gauge_is_late_and_in_steps() -> None:
    machine = changed(
        XEON,
        meters={
            "platform_gain_ratio": 1.0,
            "platform_noise_w": 0.0,
            "platform_lag_s": 3.0,
            "platform_mean_s": 2.0,
            "platform_step_w": 1.0,
        },
    )
    gauge = Gauge(machine, seed=1)
    rest_w = round(supply.rest_w(machine)[0])
    assert gauge.shown.input_w == rest_w
    shown = {}
    for _, flow in flows(machine, busy("it", "compute", *range(64)), seconds=10.0):
        if (new := gauge.advance(flow)) is not None:
            shown[round(new.at_s)] = new.input_w
    assert sorted(shown) == list(range(1, 11))
    # Three seconds of lag, then two in which the mean fills.
    assert shown[3] == rest_w < shown[4] < shown[5] <= shown[10]
    assert shown[4] == pytest.approx((shown[3] + shown[5]) / 2, rel=0.02)
    assert all(each == int(each) for each in shown.values())


def test_the_same_seed_gives_the_same_readings() -> None:
    readings = []
    for seed in (1, 1, 2):
        registers = Registers(XEON, seed=seed)
        for _, flow in flows(XEON, seconds=0.2):
            registers.advance(flow)
        readings.append([registers.counter_uj(zone) for zone in registers.zones])
    assert readings[0] == readings[1] != readings[2]
