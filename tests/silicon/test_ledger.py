# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The truth: to the last microjoule, per interval and domain, and what a perfect observer saw beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.silicon import presets
from sim.silicon.run import Run
from sim.silicon.work import Script, Task, place
from tests.silicon.machines import KINDS, busy, changed, scripts, unlimited

if TYPE_CHECKING:
    from sim.silicon.ledger import Interval
    from sim.silicon.machine import Machine


def run_of(machine: Machine, *tasks: Task, seconds: float = 2.0, seed: int = 1, **more: Any) -> Run:
    made = Run(machine, place(Script(tasks, KINDS), machine), seed=seed, **more)
    made.advance(seconds)
    return made


def caused_uj(interval: Interval, *, domains: int) -> list[int]:
    return [int(interval.energy_uj[interval.domain == domain].sum()) for domain in range(domains)]


@settings(max_examples=20)
@given(data=st.data(), name=st.sampled_from(presets.NAMES), interval_s=st.sampled_from([0.05, 0.3, 1.0]))
def test_every_microjoule_has_an_owner(data: st.DataObject, name: str, interval_s: float) -> None:
    machine = presets.draw(name, seed=1)
    script = data.draw(scripts(cpus=machine.cpus))
    run = Run(machine, place(script, machine), seed=1, interval_s=interval_s)
    run.advance(1.5)
    assert len(run.intervals) == int(1.5 / interval_s + 1e-9)
    for interval in run.intervals:
        caused = caused_uj(interval, domains=len(interval.total_uj))
        parts = caused + interval.static_uj + interval.wake_uj + interval.thermal_uj
        assert parts.tolist() == interval.total_uj.tolist()
        rest_uj = interval.board_uj + interval.fan_uj + interval.loss_uj
        assert int(interval.total_uj.sum()) + rest_uj == interval.ac_uj
        assert min(interval.energy_uj.min(initial=0), interval.static_uj.min(), interval.loss_uj) >= 0


def test_rounding_never_drifts_from_the_watts() -> None:
    machine = changed(unlimited(), limits={"k_per_w": 0.0})
    run = run_of(machine, busy("it", "compute", 0), seconds=9.0, interval_s=0.03)
    assert run.flow is not None
    total_uj = sum(int(interval.total_uj[0]) for interval in run.intervals)
    exact_uj = float(run.flow.package_w[0, 0]) * len(run.intervals) * 0.03 * 1e6
    assert total_uj == pytest.approx(exact_uj, abs=2)


def test_who_did_nothing_caused_nothing() -> None:
    idle = Task(name="idle", task_class="vector", duty_ratio=0.0)
    late = Task(name="late", task_class="vector", start_s=1.0)
    run = run_of(presets.draw("laptop", seed=1), idle, late, busy("it", "compute", 0))
    assert 0 not in run.intervals[0].task
    assert 1 not in run.intervals[0].task
    assert 1 in run.intervals[1].task


def test_a_task_is_charged_on_the_socket_where_it_runs() -> None:
    machine = presets.draw("epyc-2s", seed=1)
    run = run_of(machine, busy("first", "compute", 0), busy("second", "memory", 32))
    interval = run.intervals[0]
    charged = {(int(task), int(domain)) for task, domain in zip(interval.task, interval.domain, strict=True)}
    assert charged == {(0, 0), (1, 1), (1, 3), (0, 2)}
    assert interval.wake_uj[0] == pytest.approx(machine.socket.wake_w * 1e6, abs=2)


def test_an_observer_sees_time_cycles_and_overlap() -> None:
    machine = unlimited()
    run = run_of(machine, busy("a", "compute", 0), busy("b", "memory", 64, duty_ratio=0.4), busy("c", "spin", 1))
    interval = run.intervals[0]
    ghz = machine.clocks.one_core_ghz
    run_ns = dict(enumerate(interval.run_ns.tolist()))
    assert run_ns == pytest.approx({0: 1e9, 1: 4e8, 2: 1e9}, abs=2)
    # Both siblings report the same overlap.
    assert interval.overlap_ns.tolist() == pytest.approx([4e8, 4e8, 0], abs=2)
    np.testing.assert_allclose(interval.cycles, interval.run_ns * ghz, rtol=1e-6)
    np.testing.assert_allclose(interval.ghz2_ns, interval.run_ns * ghz**2, rtol=1e-6)
    assert interval.misses[1] > 30 * interval.misses[0]
    per_cycle = interval.instructions / interval.cycles
    assert per_cycle[0] > per_cycle[2] > per_cycle[1]


@settings(max_examples=10)
@given(data=st.data())
def test_time_is_never_more_than_there_is(data: st.DataObject) -> None:
    machine = presets.draw("vm", seed=1)
    run = run_of(machine, *data.draw(scripts(cpus=machine.cpus, most=8)).tasks)
    for interval in run.intervals:
        cpu = run._work.threads.cpu[interval.thread]
        busy_ns = np.bincount(cpu, weights=interval.run_ns, minlength=machine.cpus)
        assert busy_ns.max() <= 1e9 * (1 - machine.steal_ratio) + 100
        assert (interval.overlap_ns <= interval.run_ns + 1).all()


def test_the_same_seed_is_the_same_run_however_it_is_advanced() -> None:
    machine = presets.draw("xeon-1s", seed=3)
    tasks = (busy("a", "vector", *range(16)), Task(name="b", task_class="compute", start_s=0.5, duty_ratio=0.3))
    whole = run_of(machine, *tasks, seed=3, seconds=4.0)
    parts = run_of(machine, *tasks, seed=3, seconds=0.0)
    for _ in range(40):
        parts.advance(0.1)
    other = run_of(machine, *tasks, seed=4, seconds=4.0)
    for name in ("energy_uj", "cycles", "total_uj"):
        ours, theirs = ([getattr(each, name).tolist() for each in run.intervals] for run in (whole, parts))
        assert ours == theirs
    zones = whole.registers.zones
    counters = [[run.registers.counter_uj(zone) for zone in zones] for run in (whole, parts, other)]
    assert counters[0] == counters[1] != counters[2]


def test_ten_thousand_short_tasks_all_get_their_energy() -> None:
    machine = presets.draw("xeon-2s", seed=1)
    tasks = tuple(
        Task(name=f"t{at}", task_class="compute", start_s=at * 2e-4, end_s=at * 2e-4 + 3e-3) for at in range(10_000)
    )
    run = run_of(machine, *tasks, seconds=3.0)
    energy_uj = np.zeros(10_000, dtype=np.int64)
    for interval in run.intervals:
        cores = interval.domain < machine.sockets
        np.add.at(energy_uj, interval.task[cores], interval.energy_uj[cores])
    assert (energy_uj > 0).all()
    assert energy_uj.max() < 4 * energy_uj.min()


def test_time_that_is_less_than_a_step_waits() -> None:
    run = run_of(presets.draw("vm", seed=1), seconds=0.0)
    for _ in range(10):
        run.advance(0.004)
    assert run.time_s == pytest.approx(0.04)
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="elapsed_s: cannot run"):
            run.advance(wrong)


def test_old_intervals_are_forgotten() -> None:
    run = run_of(presets.draw("vm", seed=1), busy("it", "spin", 0), seconds=5.0, most_intervals=2)
    assert [each.number for each in run.intervals] == [3, 4]
    assert run.trace().tables["intervals"]["interval"].tolist() == [3, 4]
