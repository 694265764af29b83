# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Counters wrap, reset, vanish and stand still: exact where unambiguous, a gap elsewhere, never invented."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.counter import Energy, Lost, State, advance, counted, integrate
from agent.meters.protocol import Counter, Reading

S = 1_000_000_000
COUNTER = Counter(range_uj=262_143_328_850, plausible_w=400.0, update_ns=1_000_000)


def read(at_s: float, counter_uj: int) -> Reading:
    at_ns = round(at_s * S)
    return Reading("cpu/socket-0", at_ns, at_ns, counter_uj=counter_uj)


def gauge(from_s: float, to_s: float, power_w: float) -> Reading:
    return Reading("platform/node", round(from_s * S), round(to_s * S), power_w=power_w)


@given(
    start=st.integers(0, 262_143_328_849),
    steps=st.lists(st.tuples(st.integers(1_000_000, 60 * S), st.floats(0, 399)), min_size=1, max_size=30),
)
def test_any_plausible_history_is_counted_exactly_through_wraps(start: int, steps: list[tuple[int, float]]) -> None:
    assert COUNTER.range_uj is not None
    truth_uj, at_ns = start, 0
    state, _ = advance(None, Reading("d", 0, 0, counter_uj=start), COUNTER)
    counted_uj = 0
    for elapsed_ns, power_w in steps:
        truth_uj += int(power_w * elapsed_ns * 1e-3)
        at_ns += elapsed_ns
        state, outcome = advance(state, Reading("d", at_ns, at_ns, counter_uj=truth_uj % COUNTER.range_uj), COUNTER)
        assert isinstance(outcome, Energy)
        counted_uj += outcome.energy_uj
    assert counted_uj == truth_uj - start


@given(
    values=st.lists(
        st.tuples(st.integers(-S, 600 * S), st.integers(-5, 300_000_000_000) | st.integers(0, 10_000_000)), max_size=40
    )
)
def test_no_sequence_of_readings_gives_more_than_the_plausible_power(values: list[tuple[int, int]]) -> None:
    state: State | None = None
    at_ns = 0
    for step_ns, counter_uj in values:
        at_ns += step_ns
        before = state
        state, outcome = advance(state, Reading("d", at_ns, at_ns, counter_uj=counter_uj), COUNTER)
        if isinstance(outcome, Energy):
            assert before is not None
            assert outcome.to_ns - outcome.from_ns == at_ns - before.last.to_ns > 0
            assert (
                0
                <= outcome.energy_uj
                <= COUNTER.plausible_w * (outcome.to_ns - outcome.from_ns + COUNTER.update_ns) * 1e-3
            )
        elif isinstance(outcome, Lost):
            assert outcome.reason


@pytest.mark.parametrize(
    ("before", "after", "elapsed_s", "expected"),
    [
        (1_000, 1_000, 5, 0),
        (1_000, 501_000_000, 5, 500_999_000),
        (262_143_328_000, 150, 5, 1_000),
        (5_000_000, 4_999_990, 5, "counter_reset"),
        (0, 3_000_000_000, 5, "implausible_power"),
        (0, 10, 3600, "ambiguous_wrap"),
        (100, 90, 3600, "ambiguous_wrap"),
        (0, 262_143_328_851, 5, "out_of_range"),
        (-1, 5, 5, "out_of_range"),
    ],
)
def test_a_step_is_exact_or_named(before: int, after: int, elapsed_s: int, expected: int | str) -> None:
    assert counted(before_uj=before, after_uj=after, elapsed_ns=elapsed_s * S, counter=COUNTER) == expected


def test_a_small_step_back_is_not_a_quarter_megajoule() -> None:
    state, _ = advance(None, read(0, 1_000_000), COUNTER)
    state, outcome = advance(state, read(5, 999_939), COUNTER)
    assert outcome == Lost("counter_reset", 0, 5 * S)
    _, outcome = advance(state, read(10, 1_999_939), COUNTER)
    assert outcome == Energy(1_000_000, 5 * S, 10 * S), "the step back itself is the new base"


def test_a_counter_without_a_range_that_falls_was_reset() -> None:
    assert counted(before_uj=9, after_uj=8, elapsed_ns=S, counter=Counter(None, 100.0)) == "counter_reset"


def test_two_readings_of_one_time_move_nothing() -> None:
    state, _ = advance(None, read(1, 100), COUNTER)
    again, outcome = advance(state, read(1, 900), COUNTER)
    assert again is state
    assert isinstance(outcome, Lost)


@given(powers=st.lists(st.floats(0, 5000), min_size=1, max_size=200), step_ns=st.integers(1, 10 * S))
def test_integrating_a_gauge_carries_what_rounding_keeps_back(powers: list[float], step_ns: int) -> None:
    total_uj, rest_uj = 0, 0.0
    for power_w in powers:
        whole_uj, rest_uj = integrate(power_w, elapsed_ns=step_ns, rest_uj=rest_uj)
        assert 0 <= rest_uj < 1.0000001
        total_uj += whole_uj
    exact_uj = sum(powers) * step_ns * 1e-3
    assert abs(total_uj + rest_uj - exact_uj) <= 1e-9 * exact_uj + 1e-3


def test_gauges_are_means_over_their_window_or_trapezoids_between_moments() -> None:
    state, _ = advance(None, gauge(0, 1, 10), None)
    state, outcome = advance(state, gauge(1, 3, 20), None)
    assert outcome == Energy(40_000_000, S, 3 * S)
    _, outcome = advance(state, gauge(4, 5, 20), None)
    assert outcome == Lost("window_missed", 3 * S, 5 * S)
    moments = [gauge(at, at, power) for at, power in ((0, 10), (2, 30))]
    for first, second in pairwise(moments):
        state, _ = advance(None, first, None)
        assert advance(state, second, None)[1] == Energy(40_000_000, 0, 2 * S)


@pytest.mark.parametrize("power_w", [float("nan"), float("inf"), -1.0])
def test_what_is_no_power_is_a_gap(power_w: float) -> None:
    state, _ = advance(None, gauge(0, 1, 10), None)
    assert advance(state, gauge(1, 2, power_w), None)[1] == Lost("not_a_power", S, 2 * S)


def test_two_moments_of_a_power_are_not_joined_across_any_distance() -> None:
    base = State(Reading("cpu/a", S, S, power_w=10.0))
    for apart_s, joined in ((3, True), (4, False)):
        end = S + apart_s * S
        _, outcome = advance(base, Reading("cpu/a", end, end, power_w=20.0), None, longest_ns=3 * S)
        assert isinstance(outcome, Energy) == joined
        assert joined or outcome == Lost("silent_too_long", S, end)
    windowed = Reading("cpu/a", S, 9 * S, power_w=20.0)
    assert isinstance(advance(base, windowed, None, longest_ns=3 * S)[1], Energy), "a mean over the time is no guess"


@given(
    watts=st.floats(min_value=0, max_value=390),
    reads_us=st.lists(st.integers(20, 5_000), min_size=2, max_size=60),
)
def test_reads_that_come_faster_than_the_counter_moves_lose_nothing(watts: float, reads_us: list[int]) -> None:
    """A counter that moves once a millisecond, read every 20 us to 5 ms: steps, but no gap."""
    now_ns, state, booked_uj = 10**12, None, 0
    first_uj = shown_uj = round(watts * 1e6)
    for pause_us in [0, *reads_us]:
        now_ns += pause_us * 1000
        shown_uj = first_uj + round(watts * ((now_ns - 10**12) // 1_000_000) * 1e3)
        reading = Reading(domain="cpu/socket-0", from_ns=now_ns, to_ns=now_ns, counter_uj=shown_uj)
        state, outcome = advance(state, reading, COUNTER)
        assert not isinstance(outcome, Lost)
        booked_uj += outcome.energy_uj if outcome is not None else 0
    assert booked_uj == shown_uj - first_uj
