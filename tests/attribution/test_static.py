# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The static part is what an idle machine drew, never a share of a busy one's energy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.attribution.static import Baseline, static_uj

S = 1_000_000_000


def learn(*intervals: tuple[float, float, float]) -> Baseline:
    """From (seconds, watts, load)."""
    baseline = Baseline()
    for seconds, power_w, load_ratio in intervals:
        baseline = baseline.learn(
            energy_uj=round(power_w * seconds * 1e6), elapsed_ns=round(seconds * S), load_ratio=load_ratio
        )
    return baseline


def test_ten_quiet_seconds_are_needed() -> None:
    assert learn((5, 20, 0.05)).static_w is None
    assert learn((5, 20, 0.05), (5, 30, 0.05)).static_w == 25.0


def test_a_busy_interval_starts_the_window_anew() -> None:
    assert learn((5, 20, 0.05), (5, 90, 0.5), (5, 20, 0.05)).static_w is None
    assert learn(*[(5, 90, 0.9)] * 10).static_w is None


def test_the_lowest_mean_stays() -> None:
    assert learn((10, 20, 0.0), (10, 30, 0.0), (10, 25, 0.0)).static_w == 20.0
    assert learn((10, 20, 0.0), (10, 12, 0.0)).static_w == 12.0


@given(static_w=st.none() | st.floats(0, 1e5), energy_uj=st.integers(0, 2**50), elapsed_ns=st.integers(1, 3600 * S))
def test_never_above_the_energy_and_never_guessed(static_w: float | None, energy_uj: int, elapsed_ns: int) -> None:
    part_uj = static_uj(static_w, energy_uj=energy_uj, elapsed_ns=elapsed_ns)
    if static_w is None:
        assert part_uj is None
    else:
        assert part_uj is not None
        assert 0 <= part_uj <= energy_uj
