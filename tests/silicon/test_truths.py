# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The other two truths: the run without a task, and the Shapley shares."""

from __future__ import annotations

import numpy as np
import pytest

from sim.silicon import presets, truths
from sim.silicon.run import Run
from sim.silicon.work import PlacedScript, Script, Task, place
from tests.silicon.machines import KINDS, busy, changed, unlimited

LAPTOP = presets.draw("laptop", seed=1)


def placed(*tasks: Task, machine_seed: int = 1) -> PlacedScript:
    return place(Script(tasks, KINDS), presets.draw("laptop", seed=machine_seed))


def test_alone_a_task_causes_all_but_idle() -> None:
    script = placed(busy("it", "compute", 0))
    (row,) = truths.counterfactual_uj(script, 1.0)
    idle_j = truths.energy_j(script.without((0,)), 1.0)
    np.testing.assert_allclose(row / 1e6, truths.energy_j(script, 1.0) - idle_j, atol=1e-6)
    assert idle_j[0] == pytest.approx(script.machine.static_w())
    run = Run(script.machine, script, seed=1)
    run.advance(1.0)
    interval = run.intervals[0]
    # The physical truth keeps the uncore's step and heat apart; the counterfactual does not.
    physical_uj = int(interval.energy_uj[interval.domain == 0].sum())
    assert physical_uj + interval.wake_uj[0] + interval.thermal_uj[0] == pytest.approx(row[0], abs=3)


def test_where_nothing_is_shared_all_truths_agree() -> None:
    machine = changed(unlimited("epyc-2s"), socket={"wake_w": 0.0}, limits={"k_per_w": 0.0})
    script = place(Script((busy("a", "compute", 0), busy("b", "vector", 1)), KINDS), machine)
    run = Run(machine, script, seed=1)
    run.advance(1.0)
    interval = run.intervals[0]
    physical_uj = [int(interval.energy_uj[(interval.task == task) & (interval.domain == 0)].sum()) for task in (0, 1)]
    assert truths.counterfactual_uj(script, 1.0)[:, 0].tolist() == pytest.approx(physical_uj, abs=3)
    assert truths.shapley_uj(script, 1.0)[:, 0].tolist() == pytest.approx(physical_uj, abs=3)


def test_siblings_are_charged_as_shapley_would() -> None:
    machine = changed(
        unlimited("epyc-2s"), socket={"wake_w": 0.0, "core_leak_w": 0.0, "line_nj": 0.0}, limits={"k_per_w": 0.0}
    )
    script = place(Script((busy("a", "compute", 0), busy("b", "spin", 64)), KINDS), machine)
    run = Run(machine, script, seed=1)
    run.advance(1.0)
    interval = run.intervals[0]
    physical_uj = [int(interval.energy_uj[(interval.task == task) & (interval.domain == 0)].sum()) for task in (0, 1)]
    assert truths.shapley_uj(script, 1.0)[:, 0].tolist() == pytest.approx(physical_uj, abs=3)
    # Without either, the other would have had the core to itself: less than half of it was caused by one alone.
    assert truths.counterfactual_uj(script, 1.0)[:, 0].sum() < 0.95 * sum(physical_uj)


def test_shapley_shares_are_whole_symmetric_and_give_nothing_for_nothing() -> None:
    twins = (busy("a", "spin", 0), busy("b", "spin", 1))
    script = placed(*twins, Task(name="idle", task_class="vector", duty_ratio=0.0), busy("hog", "vector", 2))
    shares = truths.shapley_uj(script, 0.5)
    whole_j = truths.energy_j(script, 0.5) - truths.energy_j(script.without(range(4)), 0.5)
    assert shares.sum(axis=0).tolist() == np.round(whole_j * 1e6).astype(int).tolist()
    np.testing.assert_allclose(shares[0], shares[1], atol=4)
    assert np.abs(shares[2]).max() <= 4
    assert shares[3, 0] > shares[0, 0] > 0


def test_drawn_orders_come_close_to_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    script = placed(busy("a", "compute", 0), busy("b", "vector", 4), busy("c", "memory", 1))
    exact = truths.shapley_uj(script, 0.2)
    monkeypatch.setattr(truths, "EXACT_PLAYERS", 2)
    drawn = truths.shapley_uj(script, 0.2, orders=200, seed=5)
    assert drawn[:, -1].sum() == exact[:, -1].sum()
    np.testing.assert_allclose(drawn[:, 0], exact[:, 0], rtol=0.1)
    assert (
        truths.shapley_uj(script, 0.2, orders=20, seed=5).tolist()
        == truths.shapley_uj(script, 0.2, orders=20, seed=5).tolist()
    )


def test_players_may_be_groups() -> None:
    script = placed(busy("a", "compute", 0), busy("b", "compute", 1), busy("c", "spin", 2))
    shares = truths.shapley_uj(script, 0.2, players=[(0, 1), (2,)])
    assert shares.shape == (2, 4)
    assert shares[0, 0] > shares[1, 0]
    assert truths.shapley_uj(placed(), 0.2).shape == (0, 4)


def test_what_a_limit_takes_from_one_it_gives_to_the_others() -> None:
    """Under a power limit the others speed up when one is gone: what each caused adds up to little."""
    machine = changed(presets.draw("xeon-1s", seed=1), limits={"long_w": 60.0, "long_s": 0.5})
    tasks = tuple(busy(f"t{cpu}", "vector", cpu) for cpu in range(8))
    script = place(Script(tasks, KINDS), machine)
    caused = truths.counterfactual_uj(script, 3.0)
    shapley_like = (truths.energy_j(script, 3.0) - truths.energy_j(script.without(range(8)), 3.0))[0] * 1e6
    assert caused[:, 0].sum() < 0.3 * shapley_like
