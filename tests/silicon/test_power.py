# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The physics: what work draws, alone, beside a sibling, at another frequency, and that the books close."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.silicon import classes, presets, supply
from sim.silicon.classes import TaskClass
from sim.silicon.work import Task
from tests.silicon.machines import KINDS, at_ghz, busy, changed, flows, scripts, unlimited


def dynamic_w(*args: object, **kwargs: object) -> float:
    (_, flow), *_ = flows(*args, **kwargs)  # type: ignore[arg-type]
    return float(flow.dynamic_w.mean(axis=0).sum())


@settings(max_examples=30)
@given(data=st.data(), name=st.sampled_from(presets.NAMES), seed=st.integers(0, 50))
def test_the_whole_is_the_sum_of_its_parts(data: st.DataObject, name: str, seed: int) -> None:
    machine = presets.draw(name, seed=seed)
    script = data.draw(scripts(cpus=machine.cpus))
    for _, flow in flows(machine, *script.tasks, seconds=1.0):
        package_w = machine.static_w() + flow.wake_w + flow.thermal_w + flow.dynamic_w
        np.testing.assert_allclose(flow.package_w, package_w, rtol=1e-12)
        caused_j = flow.core_j.sum() + flow.traffic_j.sum()
        assert caused_j == pytest.approx(flow.dynamic_w.sum() * flow.step_s, rel=1e-9, abs=1e-12)
        dram_j = (flow.dram_w - machine.socket.dram_idle_w).sum() * flow.step_s
        assert flow.dram_j.sum() == pytest.approx(dram_j, rel=1e-9, abs=1e-9)
        dc_w = flow.package_w.sum(axis=1) + flow.dram_w.sum(axis=1) + flow.device_w + machine.board.board_w
        np.testing.assert_allclose(flow.dc_w, dc_w + flow.fan_w, rtol=1e-12)
        np.testing.assert_allclose(flow.ac_w * supply.efficiency_ratio(machine.board, flow.dc_w), flow.dc_w, rtol=1e-12)
        assert (flow.core_zone_w <= flow.package_w + 1e-9).all()
        for column in (flow.core_j, flow.traffic_j, flow.dram_j, flow.device_j, flow.thermal_w, flow.wake_w):
            assert (column >= 0).all()


def test_a_machine_with_nothing_to_do_draws_its_idle_power() -> None:
    for name in presets.NAMES:
        machine = presets.draw(name, seed=3)
        (_, flow), *_, (state, last) = flows(machine, seconds=2.0)
        np.testing.assert_allclose(flow.package_w, machine.static_w())
        np.testing.assert_allclose(last.ac_w, supply.rest_w(machine)[0])
        np.testing.assert_allclose(state.temp_c, machine.idle_c())


@pytest.mark.parametrize("task_class", classes.NAMES)
def test_power_rises_with_frequency(task_class: str) -> None:
    machine = unlimited("xeon-2s")
    watts = [
        dynamic_w(machine, busy("it", task_class, 0, 1, 64), changes=at_ghz(float(ghz))) for ghz in machine.ghz()[::3]
    ]
    # A vector task may not reach the highest ones.
    assert all(later >= earlier for earlier, later in itertools.pairwise(watts))
    assert watts[-1] > 1.1 * watts[0]


@pytest.mark.parametrize(("task_class", "low", "high"), [("compute", 1.70, 1.80), ("memory", 0.40, 0.75)])
def test_the_exponent_of_frequency_comes_out_of_the_voltage(task_class: str, low: float, high: float) -> None:
    """Two EPYC 7502, from 1.5 to 2.5 GHz: 1.74..1.77 for compute-bound kernels, about 0.56 for memory-bound ones."""
    machine = changed(
        unlimited("epyc-2s"),
        clocks={"volt_at_min": 0.80, "volt_per_ghz": 0.17},
        socket={"core_leak_w": 0.0, "core_w": 1.33, "line_nj": 11.0},
    )
    middle = TaskClass(
        name="memory", weight_ratio=0.5, stall_ratio=0.8, instructions_per_cycle=0.5, misses_per_kilo=60.0
    )
    kinds = (*(each for each in KINDS if each.name != "memory"), middle)
    slow, fast = (dynamic_w(machine, busy("it", task_class, 0), kinds=kinds, changes=at_ghz(ghz)) for ghz in (1.5, 2.5))
    assert low <= math.log(fast / slow) / math.log(2.5 / 1.5) <= high


def test_power_rises_with_activity() -> None:
    machine = unlimited()
    compute = KINDS[0]
    watts = []
    for activity in (0.0, 0.5, 1.0, 2.0):
        kind = compute.scaled(activity, name="it")
        watts.append(dynamic_w(machine, busy("it", "it", 0, 64), kinds=(*KINDS, kind)))
    assert all(later > earlier for earlier, later in itertools.pairwise(watts))


def test_equal_cpu_time_may_mean_three_times_the_watts() -> None:
    """The median of seven kernels on an EPYC is a factor of 3.25; it is within reach of what seeds draw."""
    spread = []
    for seed in range(20):
        machine = unlimited("epyc-2s", seed=seed)
        drawn = classes.draw(seed)
        watts = {
            each.name: dynamic_w(machine, busy("it", each.name, 0), kinds=drawn, changes=at_ghz(2.5)) for each in drawn
        }
        spread.append(max(watts.values()) / min(watts.values()))
    assert min(spread) > 1.8
    assert max(spread) >= 3.25
    assert 2.4 < float(np.median(spread)) < 4.5


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_second_thread_of_a_kind_adds_its_gain(kind: TaskClass) -> None:
    machine = changed(unlimited(), socket={"core_leak_w": 0.0, "line_nj": 0.0})
    one = dynamic_w(machine, busy("a", kind.name, 0))
    two = dynamic_w(machine, busy("a", kind.name, 0), busy("b", kind.name, 64))
    assert two / one == pytest.approx(1 + kind.smt_gain_ratio, rel=1e-9)
    ((_, flow),) = flows(machine, busy("a", kind.name, 0), busy("b", kind.name, 64))
    assert flow.core_j[0] == pytest.approx(flow.core_j[1])


@given(
    first=st.sampled_from(classes.NAMES),
    second=st.sampled_from(classes.NAMES),
    shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_a_sibling_never_lowers_the_power_of_a_core(first: str, second: str, shares: tuple[float, float]) -> None:
    machine = changed(unlimited(), socket={"line_nj": 0.0})
    kinds = tuple(TaskClass(**{**{f: getattr(k, f) for f in k.__slots__}, "slowdown_ghz": 0.0}) for k in KINDS)
    one = busy("a", first, 0, duty_ratio=shares[0])
    alone = dynamic_w(machine, one, kinds=kinds)
    both = dynamic_w(machine, one, busy("b", second, 64, duty_ratio=shares[1]), kinds=kinds)
    assert both >= alone - 1e-9


def test_the_first_core_wakes_the_uncore_of_its_socket_alone() -> None:
    machine = unlimited()
    ((_, flow),) = flows(machine, busy("one", "spin", 0))
    np.testing.assert_allclose(flow.wake_w, [[machine.socket.wake_w, 0.0]] * 10)
    ((_, flow),) = flows(machine, busy("many", "spin", *range(8)))
    np.testing.assert_allclose(flow.wake_w[:, 0], machine.socket.wake_w)
    ((_, flow),) = flows(machine, busy("tick", "spin", 0, duty_ratio=0.2))
    assert flow.wake_w[:, 0].mean() == pytest.approx(0.2 * machine.socket.wake_w)


def test_without_deep_sleep_idle_costs_more_and_waking_nothing() -> None:
    deep = presets.draw("epyc-2s", seed=1)
    shallow = changed(deep, socket={"deep_idle": False})
    assert shallow.static_w() > deep.static_w() + deep.socket.wake_w
    ((_, flow),) = flows(shallow, busy("one", "compute", 0))
    assert not flow.wake_w.any()
    # The same work on the same machine draws less on top, for part of it is there already.
    ((_, asleep),) = flows(deep, busy("one", "compute", 0))
    assert flow.core_j.sum() < asleep.core_j.sum()


def test_memory_bandwidth_saturates_and_only_who_waits_for_it_slows_down() -> None:
    machine = unlimited()
    limit = machine.socket.memory_bytes_per_s
    used = []
    for cores in (1, 8, 16, 32):
        ((_, flow),) = flows(machine, busy("it", "memory", *range(cores)))
        used.append(flow.misses.sum() * 64 / 0.1)
    assert all(later > earlier for earlier, later in itertools.pairwise(used))
    assert used[-1] < 1.35 * limit
    assert used[-1] < 0.95 * 32 * used[0]
    ((_, alone),) = flows(machine, busy("it", "spin", 0))
    ((_, beside),) = flows(machine, busy("it", "spin", 0), busy("hog", "memory", *range(1, 32)))
    assert beside.instructions[0] == pytest.approx(alone.instructions[0])


def test_disks_and_network_draw_by_their_use() -> None:
    machine = unlimited()
    writer = TaskClass(name="writer", weight_ratio=0.1, disk_bytes_per_s=machine.board.disk_bytes_per_s)
    sender = TaskClass(name="sender", weight_ratio=0.1, nic_bytes_per_s=10 * machine.board.nic_bytes_per_s)
    ((_, flow),) = flows(machine, busy("w", "writer", 0), busy("s", "sender", 1), kinds=(writer, sender))
    by_thread = dict(zip(flow.thread.tolist(), (flow.device_j / 0.1).tolist(), strict=True))
    assert by_thread[0] == pytest.approx(machine.board.disk_active_w)
    # More than the line takes is not sent.
    assert by_thread[1] == pytest.approx(machine.board.nic_active_w)


def test_supplies_are_worst_when_nearly_empty_and_fans_follow_heat() -> None:
    machine = presets.draw("xeon-2s", seed=1)
    rated_w = machine.board.supplies * machine.board.supply_rated_w
    ratio = supply.efficiency_ratio(machine.board, np.array([0.03, 0.2, 0.5, 1.0]) * rated_w)
    assert ratio[0] < ratio[1] < ratio[2] > ratio[3]
    assert 0.88 < ratio[1] < 0.95
    assert supply.fan_w(machine, 20.0) == machine.board.fan_idle_w
    assert machine.board.fan_idle_w < supply.fan_w(machine, 70.0) < supply.fan_w(machine, 95.0)
    assert supply.fan_w(machine, 200.0) == machine.board.fan_full_w


def test_a_class_has_limits() -> None:
    for field, value in (
        ("weight_ratio", -1.0),
        ("stall_ratio", 1.1),
        ("misses_per_kilo", math.nan),
        ("smt_speed_ratio", 0.0),
    ):
        with pytest.raises(ValueError, match=f"^{field}: "):
            TaskClass(**{"name": "x", "weight_ratio": 1.0, field: value})  # type: ignore[arg-type]


def test_a_core_switches_work_within_a_step() -> None:
    machine = unlimited()
    half = [
        Task(name=name, task_class=name, cpus=(0,), duty_ratio=0.5, period_s=0.01) for name in ("compute", "vector")
    ]
    ((_, flow),) = flows(machine, *half)
    assert flow.run_s.tolist() == pytest.approx([0.05, 0.05])
    assert flow.core_j[1] > 1.5 * flow.core_j[0]
