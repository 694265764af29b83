# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Scripts: duty cycles to the nanosecond, threads on cpus, too much for one cpu, and a run with one task less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.silicon import presets
from sim.silicon.work import Change, Script, Task, place
from tests.silicon.machines import KINDS, busy, changed, flows, scripts, unlimited

LAPTOP = presets.draw("laptop", seed=1)


def shares(task: Task, *, seconds: float = 2.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(steps,) what the first thread wants of each step of 10 ms."""
    rows = place(Script((task,), KINDS), LAPTOP).rows(from_s=0.0, step_s=0.01, steps=round(seconds * 100))
    return rows.share[:, 0] if rows.thread.size else np.zeros(round(seconds * 100))


@given(
    start_s=st.floats(0, 2),
    life_s=st.floats(0, 2),
    duty=st.floats(0, 1),
    period_s=st.floats(0.005, 3),
    phase=st.floats(-2, 2),
)
def test_a_duty_cycle_is_exact_over_whole_periods(
    start_s: float, life_s: float, duty: float, period_s: float, phase: float
) -> None:
    task = Task(
        name="it",
        task_class="spin",
        start_s=start_s,
        end_s=start_s + life_s,
        duty_ratio=duty,
        period_s=period_s,
        phase_ratio=phase,
    )
    worked = shares(task, seconds=4.0)
    assert (worked >= 0).all()
    assert (worked <= 1).all()
    steps = np.arange(400) * 0.01
    assert not worked[steps >= start_s + life_s].any()
    assert not worked[steps + 0.01 <= start_s].any()
    # Within its life it works duty x time, less or more by a part of one period.
    assert abs(worked.sum() * 0.01 - duty * life_s) <= period_s * duty + 1e-6


def test_a_burst_lies_where_the_script_puts_it() -> None:
    worked = shares(Task(name="it", task_class="spin", duty_ratio=0.25, period_s=0.4, phase_ratio=0.5))
    assert worked[:20].sum() == 0
    np.testing.assert_allclose(worked[20:30], 1.0)
    assert worked[30:60].sum() == pytest.approx(0, abs=1e-6)


@given(st.data())
def test_rows_do_not_depend_on_how_time_is_cut(data: st.DataObject) -> None:
    placed = place(data.draw(scripts(cpus=LAPTOP.cpus)), LAPTOP)
    cut = data.draw(st.integers(1, 99))
    whole = np.zeros((100, len(placed.threads.task)))
    rows = placed.rows(from_s=0.0, step_s=0.01, steps=100)
    whole[:, rows.thread] = rows.share
    parts = np.zeros_like(whole)
    for from_step, steps in ((0, cut), (cut, 100 - cut)):
        rows = placed.rows(from_s=from_step * 0.01, step_s=0.01, steps=steps)
        parts[from_step : from_step + steps, rows.thread] = rows.share
    np.testing.assert_allclose(parts, whole, atol=1e-7)


def test_threads_take_idle_cores_before_siblings() -> None:
    placed = place(Script((Task(name="it", task_class="spin", threads=8),), KINDS), LAPTOP)
    assert placed.threads.cpu.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    late = Task(name="late", task_class="spin", start_s=5.0)
    early = Task(name="early", task_class="spin", threads=2, end_s=4.0)
    placed = place(Script((late, early), KINDS), LAPTOP)
    assert placed.threads.cpu.tolist() == [0, 0, 1]


def test_a_cpu_gives_no_more_than_it_has() -> None:
    machine = unlimited()
    tasks = (
        busy("a", "spin", 0),
        busy("b", "compute", 0),
        Task(name="c", task_class="spin", cpus=(0,), duty_ratio=0.5),
    )
    ((_, flow),) = flows(machine, *tasks)
    assert flow.run_s.sum() == pytest.approx(0.1)
    assert flow.run_s[0] == pytest.approx(flow.run_s[1])
    ((_, flow),) = flows(changed(machine, steal_ratio=0.5), busy("a", "spin", 0))
    assert flow.run_s[0] == pytest.approx(0.05)


def test_an_offline_cpu_runs_nothing() -> None:
    changes = (
        Change(at_s=0.1, what="online", value=0, where=(0,)),
        Change(at_s=0.2, what="online", value=1, where=(0,)),
    )
    made = flows(unlimited(), busy("a", "spin", 0), changes=changes, seconds=0.3)
    assert [flow.run_s.sum() for _, flow in made] == pytest.approx([0.1, 0.0, 0.1])


def test_without_a_task_the_others_stay_where_they_are() -> None:
    script = Script(tuple(Task(name=f"t{at}", task_class="spin") for at in range(6)), KINDS)
    placed = place(script, LAPTOP)
    without = placed.without((2,))
    assert without.threads.cpu.tolist() == placed.threads.cpu.tolist()
    rows = without.rows(from_s=0.0, step_s=0.01, steps=10)
    assert without.threads.task[rows.thread].tolist() == [0, 1, 3, 4, 5]


def test_a_wrong_script_names_the_field() -> None:
    with pytest.raises(ValueError, match="task_class: 'dance'"):
        Script((Task(name="it", task_class="dance"),), KINDS)
    with pytest.raises(ValueError, match="tasks: need names"):
        Script((Task(name="it", task_class="spin"), Task(name="it", task_class="spin")), KINDS)
    with pytest.raises(ValueError, match="cpus: this machine has"):
        place(Script((Task(name="it", task_class="spin", cpus=(8,)),), KINDS), LAPTOP)
    with pytest.raises(ValueError, match="long_w: where"):
        place(Script((), KINDS, (Change(at_s=0, what="long_w", value=5, where=(1,)),)), LAPTOP)
    for wrong in ({"threads": 0}, {"start_s": 2.0, "end_s": 1.0}, {"duty_ratio": 1.5}, {"period_s": 0.0}):
        with pytest.raises(ValueError, match="it: "):
            Task(name="it", task_class="spin", **wrong)
