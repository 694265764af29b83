# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Machines by name: another one per seed, the same one for the same seed, and all of them plausible."""

from __future__ import annotations

import time

import numpy as np
import pytest

from sim.silicon import classes, presets, supply
from sim.silicon.run import Run
from sim.silicon.work import Script, Task, place
from sim.spec import MACHINES
from tests.silicon.machines import KINDS, changed, flows


def test_settings_know_the_machines() -> None:
    assert MACHINES == presets.NAMES
    with pytest.raises(ValueError, match="'toaster' is no machine"):
        presets.draw("toaster", seed=1)


@pytest.mark.parametrize("name", presets.NAMES)
def test_a_seed_is_a_machine(name: str) -> None:
    assert presets.draw(name, seed=7) == presets.draw(name, seed=7)
    assert len({repr(presets.draw(name, seed=seed)) for seed in range(10)}) == 10
    assert classes.draw(7) == classes.draw(7)
    assert classes.draw(7) != classes.draw(8)


@pytest.mark.parametrize(
    ("name", "idle_w", "wall_w"),
    [
        ("xeon-2s", (48, 90), (100, 260)),
        ("xeon-1s", (6, 12), (30, 80)),
        ("laptop", (0.6, 1.6), (5, 15)),
        ("epyc-2s", (68, 86), (120, 260)),
        ("vm", (1, 3), (2, 12)),
    ],
)
def test_idle_power_is_what_such_machines_show(
    name: str, idle_w: tuple[float, float], wall_w: tuple[float, float]
) -> None:
    for seed in range(10):
        machine = presets.draw(name, seed=seed)
        assert idle_w[0] <= machine.sockets * machine.static_w() <= idle_w[1]
        assert wall_w[0] <= supply.rest_w(machine)[0] <= wall_w[1]


def test_wall_power_follows_the_packages_nearly_in_a_line() -> None:
    """Two EPYC 7502: 57 W + 1.14 x RAPL."""
    machine = presets.draw("epyc-2s", seed=1)
    package_w, wall_w = [], []
    for threads in (0, 16, 32, 64, 128):
        tasks = (Task(name="it", task_class="compute", threads=threads),) if threads else ()
        *_, (_, flow) = flows(machine, *tasks, seconds=1.0)
        package_w.append(float(flow.package_w.mean(axis=0).sum()))
        wall_w.append(float(flow.ac_w.mean()))
    slope, offset = np.polyfit(package_w, wall_w, 1)
    assert 1.0 < slope < 1.35
    assert 30 < offset < 130


@pytest.mark.parametrize(
    ("part", "values", "field"),
    [
        ("clocks", {"base_ghz": 9.9}, "all_core_ghz"),
        ("clocks", {"volt_per_ghz": -1.0}, "volt_per_ghz"),
        ("socket", {"memory_bytes_per_s": 0.0}, "memory_bytes_per_s"),
        ("socket", {"core_w": float("nan")}, "core_w"),
        ("limits", {"short_w": 1.0}, "short_w"),
        ("board", {"efficiency_ratio": (0.9,)}, "efficiency_ratio"),
        ("meters", {"counter_bits": 64}, "counter_bits"),
    ],
)
def test_a_wrong_machine_names_the_field(part: str, values: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        changed(presets.draw("laptop", seed=1), **{part: values})


def test_a_second_of_a_large_machine_costs_little() -> None:
    """Under 50 ms on an ordinary core; the bound here leaves room for slow ones."""
    machine = presets.draw("xeon-2s", seed=1)
    tasks = tuple(
        Task(name=f"t{at}", task_class=classes.NAMES[at % 4], duty_ratio=0.3 + 0.05 * (at % 10), period_s=0.3)
        for at in range(machine.cpus)
    )
    run = Run(machine, place(Script(tasks, KINDS), machine), seed=1)
    costs = []
    for _ in range(3):
        begun = time.process_time()
        run.advance(1.0)
        costs.append(time.process_time() - begun)
    assert min(costs) < 0.15
