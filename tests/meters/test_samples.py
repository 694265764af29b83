# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Moments become readings over time, and no time that nobody looked at gets any energy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.meters.counter import Energy, State, advance
from agent.meters.protocol import Reading, Unread
from agent.meters.samples import Samples
from wire.units import NS_PER_S


def test_two_moments_make_their_mean_over_the_time_between() -> None:
    samples = Samples(longest_s=30)
    first = samples.reading("platform/node", at_ns=0, power_w=100.0)
    second = samples.reading("platform/node", at_ns=5 * NS_PER_S, power_w=200.0)
    assert first == Reading("platform/node", 0, 0, power_w=100.0)
    assert second == Reading("platform/node", 0, 5 * NS_PER_S, power_w=150.0)


def test_the_same_moment_again_is_the_same_reading() -> None:
    samples = Samples(longest_s=30)
    samples.reading("platform/node", at_ns=0, power_w=100.0)
    reading = samples.reading("platform/node", at_ns=NS_PER_S, power_w=120.0)
    assert samples.reading("platform/node", at_ns=NS_PER_S, power_w=999.0) is reading


def test_a_long_silence_is_a_gap_and_then_it_goes_on() -> None:
    samples = Samples(longest_s=30)
    samples.reading("platform/node", at_ns=0, power_w=100.0)
    after = samples.reading("platform/node", at_ns=60 * NS_PER_S, power_w=100.0)
    assert after == Unread("platform/node", "silent_too_long")
    later = samples.reading("platform/node", at_ns=65 * NS_PER_S, power_w=200.0)
    assert later == Reading("platform/node", 60 * NS_PER_S, 65 * NS_PER_S, power_w=150.0)


def test_what_is_forgotten_starts_anew() -> None:
    samples = Samples(longest_s=30)
    samples.reading("platform/node", at_ns=0, power_w=100.0)
    samples.forget(("platform/node", "psu/loss"))
    reading = samples.reading("platform/node", at_ns=NS_PER_S, power_w=300.0)
    assert reading == Reading("platform/node", NS_PER_S, NS_PER_S, power_w=300.0)


@given(st.lists(st.tuples(st.integers(1, 90 * NS_PER_S), st.floats(0, 20_000)), min_size=1, max_size=40))
def test_energy_is_the_trapezoid_of_moments_that_belong_together(steps: list[tuple[int, float]]) -> None:
    samples = Samples(longest_s=30)
    state: State | None = None
    booked_uj, wanted_uj, at_ns = 0, 0.0, 0
    last: tuple[int, float] | None = None
    for step_ns, watts in steps:
        at_ns += step_ns
        reading = samples.reading("platform/node", at_ns=at_ns, power_w=watts)
        if isinstance(reading, Unread):
            assert last is not None
            assert step_ns > 30 * NS_PER_S
            state = None  # as the bank of meters does it
        else:
            based = state is not None
            state, outcome = advance(state, reading, None)
            if based:
                assert last is not None
                assert isinstance(outcome, Energy)
                wanted_uj += (last[1] + watts) / 2 * step_ns / 1000
                booked_uj += outcome.energy_uj
        last = (at_ns, watts)
    assert abs(booked_uj - wanted_uj) <= len(steps) + wanted_uj * 1e-9
