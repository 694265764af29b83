# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Two more truths than the physical one: what the machine would have drawn without a task, and Shapley shares.

Both run the machine again with the same seed and the same placement. They include what the physical truth keeps apart:
the uncore that would have slept, the turbo that the others would have had, the supply's other efficiency. They differ,
and which one is fair is a policy; all are published.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from sim.silicon import engine, tables
from sim.silicon.flow import at_rest
from sim.silicon.ledger import domains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from sim.silicon.work import PlacedScript

# Beyond this many players all 2**n coalitions are too many, and orders are drawn.
EXACT_PLAYERS = 8
STEP_S = 0.01
BLOCK_STEPS = 10


def energy_j(placed: PlacedScript, seconds: float, *, step_s: float = STEP_S) -> NDArray[np.float64]:
    """(D + 1,) joules of every domain, and of the platform at the plug, over ``seconds`` from rest."""
    machine = placed.machine
    sheet = tables.build(machine, placed.classes)
    state = at_rest(machine)
    total = np.zeros(len(domains(machine)) + 1)
    steps, done = round(seconds / step_s), 0
    while done < steps:
        count = min(BLOCK_STEPS, steps - done)
        rows = placed.rows(from_s=done * step_s, step_s=step_s, steps=count)
        conditions = placed.conditions(done * step_s)
        state, flow = engine.block(machine, sheet, placed.threads, state, rows, conditions, step_s=step_s)
        total[: machine.sockets] += flow.package_w.sum(axis=0) * step_s
        total[machine.sockets : -2] += flow.dram_w.sum(axis=0) * step_s
        total[-2] += float(flow.device_w.sum()) * step_s
        total[-1] += float(flow.ac_w.sum()) * step_s
        done += count
    return total


def counterfactual_uj(placed: PlacedScript, seconds: float) -> NDArray[np.int64]:
    """(tasks, D + 1) what the machine drew more because of each task; negative where it held others back."""
    whole = energy_j(placed, seconds)
    rows = [whole - energy_j(placed.without((task,)), seconds) for task in range(len(placed.tasks))]
    return np.round(np.array(rows).reshape(len(rows), len(whole)) * 1e6).astype(np.int64)


def shapley_uj(
    placed: PlacedScript,
    seconds: float,
    *,
    players: Sequence[Sequence[int]] | None = None,
    orders: int = 200,
    seed: int = 0,
) -> NDArray[np.int64]:
    """(players, D + 1) Shapley shares; a player is a group of tasks, by default every task is one.

    Exact up to `EXACT_PLAYERS`, else the mean over ``orders`` drawn orders. Either way the shares add up to what the
    machine drew beyond its idle self, to the last microjoule.
    """
    groups = (
        [tuple(group) for group in players] if players is not None else [(each,) for each in range(len(placed.tasks))]
    )
    known: dict[frozenset[int], NDArray[np.float64]] = {}

    def worth(present: Iterable[int]) -> NDArray[np.float64]:
        key = frozenset(present)
        if key not in known:
            absent = [task for at, group in enumerate(groups) if at not in key for task in group]
            known[key] = energy_j(placed.without(absent), seconds)
        return known[key]

    count = len(groups)
    if count == 0:
        return np.zeros(
            (
                0,
                len(worth(())),
            ),
            dtype=np.int64,
        )
    exact = _exact(count, worth) if count <= EXACT_PLAYERS else _drawn(count, worth, orders=orders, seed=seed)
    shares = np.round(exact * 1e6).astype(np.int64)
    caused = np.round((worth(range(count)) - worth(())) * 1e6).astype(np.int64)
    # Rounding leaves some microjoules; they go where they matter least.
    for domain, missing in enumerate(caused - shares.sum(axis=0)):
        shares[np.argmax(np.abs(shares[:, domain])), domain] += missing
    return shares


def _exact(count: int, worth: Callable[[Iterable[int]], NDArray[np.float64]]) -> NDArray[np.float64]:
    shares = np.zeros((count, len(worth(()))))
    for player in range(count):
        others = [each for each in range(count) if each != player]
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for coalition in combinations(others, size):
                shares[player] += weight * (worth((*coalition, player)) - worth(coalition))
    return shares


def _drawn(
    count: int, worth: Callable[[Iterable[int]], NDArray[np.float64]], *, orders: int, seed: int
) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    shares = np.zeros((count, len(worth(()))))
    for _ in range(orders):
        before = worth(())
        order = generator.permutation(count)
        for at, player in enumerate(order):
            after = worth(int(each) for each in order[: at + 1])
            shares[player] += (after - before) / orders
            before = after
    return shares
