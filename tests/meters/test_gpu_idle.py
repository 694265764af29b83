# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Idle levels: learned by state, lowest ten seconds, never above what was metered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.gpu_activity import Activity, Holder, Instance
from agent.meters.gpu_idle import IdleLevels, State, state_of

S = 1_000_000_000
states: st.SearchStrategy[State] = st.sampled_from(["empty", "held", "busy"])
steps = st.lists(st.tuples(states, st.integers(0, 7_000_000_000), st.integers(1, 20 * S)), max_size=40)


def taught(*steps: tuple[State, float, float]) -> IdleLevels:
    """Steps of (state, watts, seconds)."""
    levels = IdleLevels()
    for state, power_w, seconds in steps:
        levels = levels.learn(state, energy_uj=round(power_w * seconds * 1e6), elapsed_ns=round(seconds * S))
    return levels


def test_three_levels_are_learned_apart() -> None:
    levels = taught(("empty", 65.0, 10), ("held", 120.0, 10), ("busy", 400.0, 10))
    assert (levels.empty_w, levels.held_w, levels.busy_w) == (65.0, 120.0, 400.0)
    assert [levels.static_w(state) for state in ("empty", "held", "busy")] == [65.0, 120.0, 120.0]


def test_nothing_is_known_before_ten_seconds_of_one_state() -> None:
    levels = taught(("held", 100.0, 5), ("busy", 300.0, 5), ("held", 100.0, 9.9))
    assert (levels.held_w, levels.busy_w) == (None, None)
    assert levels.static_uj("held", energy_uj=100, elapsed_ns=S) is None


def test_a_gap_starts_the_window_anew() -> None:
    levels = taught(("held", 100.0, 6)).broken().learn("held", energy_uj=600_000_000, elapsed_ns=6 * S)
    assert levels.held_w is None


def test_the_tail_of_a_load_raises_no_level() -> None:
    assert taught(("held", 90.0, 10), ("held", 180.0, 10)).held_w == 90.0
    assert taught(("held", 180.0, 10), ("held", 90.0, 10)).held_w == 90.0


def test_a_gpu_that_is_always_busy_falls_back_on_its_empty_level_and_never_above_what_it_drew_at_work() -> None:
    assert taught(("empty", 60.0, 10), ("busy", 300.0, 10)).static_w("busy") == 60.0
    assert taught(("held", 120.0, 10), ("busy", 110.0, 10)).static_w("busy") == 110.0
    assert taught(("busy", 300.0, 10)).static_w("busy") is None


@given(steps=steps)
def test_a_level_is_the_lowest_mean_and_only_falls(steps: list[tuple[State, int, int]]) -> None:
    levels = IdleLevels()
    for state, energy_uj, elapsed_ns in steps:
        before = levels
        levels = levels.learn(state, energy_uj=energy_uj, elapsed_ns=elapsed_ns)
        for each in ("empty", "held", "busy"):
            was_w, is_w = before.level_w(each), levels.level_w(each)
            assert was_w is None or (is_w is not None and is_w <= was_w)
            assert is_w == was_w or each == state


@given(steps=steps, state=states, energy_uj=st.integers(0, 10**10), elapsed_ns=st.integers(1, 100 * S))
def test_static_is_never_above_the_interval(
    steps: list[tuple[State, int, int]], state: State, energy_uj: int, elapsed_ns: int
) -> None:
    levels = IdleLevels()
    for each, drawn_uj, ns in steps:
        levels = levels.learn(each, energy_uj=drawn_uj, elapsed_ns=ns)
    static_uj = levels.static_uj(state, energy_uj=energy_uj, elapsed_ns=elapsed_ns)
    assert static_uj is None or 0 <= static_uj <= energy_uj


@pytest.mark.parametrize(
    ("activity", "state"),
    [
        (Activity("gpu/a", 0, "exclusive"), "empty"),
        (Activity("gpu/a", 0, "exclusive", (Holder(pid=1, sm_ratio=0.0),)), "held"),
        (Activity("gpu/a", 0, "exclusive", (Holder(pid=1, sm_ratio=0.01),)), "busy"),
        (Activity("gpu/a", 0, "exclusive", (Holder(pid=1),)), "busy"),
        (Activity("gpu/a", 0, "time_sliced", (Holder(pid=1, sm_ratio=0.0), Holder(pid=2, sm_ratio=0.5))), "busy"),
        (Activity("gpu/a", 0, "mig", (), (Instance("i", 1, 1),)), "empty"),
        (Activity("gpu/a", 0, "mig", (Holder(pid=1, instance="i"),), (Instance("i", 1, 1, "", 0.0),)), "held"),
        (Activity("gpu/a", 0, "mig", (Holder(pid=1, instance="i"),), (Instance("i", 1, 1),)), "busy"),
        (Activity("gpu/a", 0, "mig", (), (Instance("i", 1, 1, "", 0.4),)), "busy"),
    ],
)
def test_states(activity: Activity, state: State) -> None:
    assert state_of(activity) == state
