# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Means over a window, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.windows import Window

SECOND = 10**9


def _feed(window: Window, watts: list[float], *, step_s: float = 2.0) -> None:
    step_ns = round(step_s * SECOND)
    for at, each in enumerate(watts):
        uj = round(each * step_s * 1e6)
        window.add(from_ns=at * step_ns, to_ns=(at + 1) * step_ns, elapsed_ns=step_ns, dynamic_uj=uj, loaded_uj=2 * uj)


def test_an_empty_window_has_no_power() -> None:
    assert Window(length_s=10).mean_w("dynamic") == 0


def test_until_it_has_filled_the_mean_is_over_what_was_metered() -> None:
    window = Window(length_s=60)
    _feed(window, [10, 20])
    assert window.mean_w("dynamic") == pytest.approx(15)
    assert window.mean_w("loaded") == pytest.approx(30)
    assert window.covered_ns == 4 * SECOND


def test_what_is_older_does_not_count_and_the_edge_counts_in_part() -> None:
    window = Window(length_s=5)
    _feed(window, [100, 10, 20, 30])
    # 20 and 30 in full, half of the interval of 10 W.
    assert window.mean_w("dynamic") == pytest.approx((10 * 1 + 20 * 2 + 30 * 2) / 5)


def test_after_a_long_silence_it_starts_again() -> None:
    window = Window(length_s=10)
    _feed(window, [100, 100])
    window.add(from_ns=15 * SECOND, to_ns=17 * SECOND, elapsed_ns=2 * SECOND, dynamic_uj=2_000_000, loaded_uj=0)
    assert window.mean_w("dynamic") == pytest.approx(1)


@given(
    watts=st.lists(st.floats(0, 1000), min_size=1, max_size=300),
    length_s=st.integers(10, 120),
    step_s=st.sampled_from([0.5, 2.0, 10.0, 90.0]),
)
def test_the_mean_lies_within_what_was_drawn_and_memory_is_bounded(
    watts: list[float], length_s: int, step_s: float
) -> None:
    window = Window(length_s=length_s)
    _feed(window, watts, step_s=step_s)
    recent = watts[-max(1, int(length_s / step_s) + 2 + int(length_s / 60 / step_s)) :]
    assert min(recent) - 1e-5 <= window.mean_w("dynamic") <= max(recent) + 1e-5
    assert len(window._buckets) <= 122
    assert window.empty is (not any(round(each * step_s * 1e6) for each in watts[-len(recent) :]) or window.empty)
