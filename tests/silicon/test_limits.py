# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Turbo, power limits and heat: what a machine may not do for long, and what it may never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sim.silicon import presets
from sim.silicon.work import Change, Task
from tests.silicon.machines import at_ghz, busy, changed, flows, unlimited

if TYPE_CHECKING:
    from sim.silicon.flow import Flow, State


def package_w(made: list[tuple[State, Flow]], socket: int = 0) -> list[float]:
    return [float(flow.package_w[:, socket].mean()) for _, flow in made]


def test_turbo_falls_with_the_cores_that_are_busy() -> None:
    machine = presets.draw("xeon-1s", seed=1)
    ghz = []
    for cores in (1, 2, 4, 8):
        ((_, flow),) = flows(machine, busy("it", "spin", *range(cores)))
        ghz.append(float(flow.core_ghz[0]))
    assert ghz[:2] == pytest.approx([machine.clocks.one_core_ghz] * 2)
    assert ghz[1] > ghz[2] > ghz[3]
    assert ghz[3] == pytest.approx(machine.clocks.all_core_ghz)
    # The other socket's work takes nothing from this one's bins.
    two = presets.draw("epyc-2s", seed=1)
    ((_, flow),) = flows(two, busy("here", "spin", 0), busy("there", "spin", *range(32, 64)))
    assert flow.core_ghz[0] == pytest.approx(two.clocks.one_core_ghz)
    assert flow.core_ghz[32] == pytest.approx(two.clocks.all_core_ghz)


def test_wide_vectors_run_slower_than_the_rest_of_their_socket() -> None:
    machine = unlimited("xeon-2s")
    ((_, flow),) = flows(machine, busy("wide", "vector", 0), busy("narrow", "compute", 1))
    assert flow.core_ghz[0] < flow.core_ghz[1]


def test_a_burst_runs_above_the_long_limit_until_its_mean_reaches_it() -> None:
    """A Xeon E-2278G draws 95..99 W with all threads busy, later 80 W: its limit, with a constant near 28 s."""
    machine = changed(presets.draw("xeon-1s", seed=1), limits={"long_s": 28.0})
    made = flows(machine, busy("all", "compute", *range(16)), seconds=80.0)
    watts = package_w(made)
    assert watts[0] > 90
    above_s = next(at for at, each in enumerate(watts) if each < 85) / 10
    assert 10 < above_s < 60
    assert np.mean(watts[-100:]) == pytest.approx(80.0, abs=1.0)
    assert all(float(state.mean_w[0]) <= 80.0 + 1e-6 for state, _ in made)
    # Power falls while nothing about the load changed, and so does the frequency.
    assert made[-1][1].core_ghz[0] < made[0][1].core_ghz[0]


def test_a_rest_earns_another_burst() -> None:
    machine = changed(presets.draw("xeon-1s", seed=1), limits={"long_s": 5.0})
    first = Task(name="one", task_class="vector", threads=16, end_s=12.0)
    second = Task(name="two", task_class="vector", threads=16, start_s=30.0)
    watts = package_w(flows(machine, first, second, seconds=31.0))
    assert watts[119] < 85 < 100 < watts[305]


def test_no_step_exceeds_the_short_limit() -> None:
    for name in ("xeon-2s", "epyc-2s", "laptop"):
        machine = presets.draw(name, seed=2)
        made = flows(machine, busy("all", "vector", *range(machine.cpus)), seconds=3.0)
        assert max(float(flow.package_w.max()) for _, flow in made) <= machine.limits.short_w + 1e-9
        assert max(float(flow.package_w.max()) for _, flow in made) > 0.9 * machine.limits.long_w


def test_a_limit_that_is_lowered_during_the_run_is_met() -> None:
    machine = changed(presets.draw("xeon-1s", seed=1), limits={"long_s": 2.0})
    change = Change(at_s=5.0, what="long_w", value=40.0)
    watts = package_w(flows(machine, busy("all", "compute", *range(16)), changes=(change,), seconds=30.0))
    assert min(watts[:50]) > 70
    assert watts[51] < 41
    assert np.mean(watts[-50:]) == pytest.approx(40.0, abs=1.0)


def test_a_power_limit_of_one_socket_leaves_the_other_alone() -> None:
    machine = presets.draw("xeon-2s", seed=1)
    change = Change(at_s=0.0, what="long_w", value=90.0, where=(1,))
    made = flows(machine, busy("all", "compute", *range(128)), changes=(change,), seconds=10.0)
    assert package_w(made, 1)[-1] == pytest.approx(90, abs=4)
    assert package_w(made, 0)[-1] > 150


def test_heat_leaks_and_is_kept_below_its_limit() -> None:
    machine = changed(unlimited("laptop"), limits={"k_per_w": 2.0, "heat_s": 5.0, "ambient_c": 30.0})
    made = flows(machine, busy("all", "vector", *range(8)), seconds=30.0)
    (_, first), (state, last) = made[0], made[-1]
    assert last.thermal_w.mean() > first.thermal_w.mean() >= 0
    assert max(float(state.temp_c.max()) for state, _ in made) < machine.limits.highest_c + 1e-6
    assert float(state.temp_c[0]) > machine.limits.highest_c - 2
    assert last.core_ghz[0] < first.core_ghz[0]


def test_a_governor_that_follows_use_runs_light_loads_slowly() -> None:
    machine = presets.draw("laptop", seed=1)
    ghz = []
    for duty in (0.1, 0.3, 0.6, 1.0):
        ((_, flow),) = flows(machine, _spread(duty))
        ghz.append(float(flow.core_ghz[0]))
    assert ghz[0] < ghz[1] < ghz[2] < ghz[3]
    eager = changed(machine, clocks={"governor": "performance"})
    ((_, flow),) = flows(eager, _spread(0.1))
    assert flow.core_ghz[0] == pytest.approx(eager.clocks.one_core_ghz)


def _spread(duty_ratio: float) -> Task:
    return Task(name="it", task_class="compute", cpus=(0,), duty_ratio=duty_ratio, period_s=0.01)


def test_one_fast_core_among_slow_ones() -> None:
    machine = unlimited()
    slow = Change(at_s=0.0, what="ceiling_ghz", value=1.5, where=tuple(range(1, 8)))
    ((_, flow),) = flows(machine, busy("all", "compute", *range(8)), changes=(slow,))
    assert flow.core_ghz[0] == pytest.approx(machine.clocks.one_core_ghz)
    np.testing.assert_allclose(flow.core_ghz[1:8], 1.5)
    ((_, even),) = flows(machine, busy("all", "compute", *range(8)), changes=at_ghz(1.5))
    assert flow.core_j[0] > 2 * even.core_j[0]
