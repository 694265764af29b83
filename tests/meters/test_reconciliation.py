# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Platform against components: a learned expectation, absent where there is nothing to learn it from."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters.reconciliation import Reconciler, Sums, independent, psu_loss_w
from wire.units import NS_PER_S

SECONDS = 5


def sums(platform_w: float, components_w: float, *, seconds: int = SECONDS, apart: bool = True) -> Sums:
    return Sums(round(platform_w * seconds * 1e6), round(components_w * seconds * 1e6), seconds * NS_PER_S, apart)


def after(*each: Sums | None) -> Reconciler:
    made = Reconciler()
    for number, one in enumerate(each):
        made = made.plus(one, to_ns=(number + 1) * SECONDS * NS_PER_S)
    return made


def minutes(*loads_w: float, error: float = 0.0, intercept_w: float = 57.0, slope: float = 1.14) -> list[Sums]:
    """A two-socket EPYC as published: 57 W + 1.14 x, one minute at each load."""
    return [sums((intercept_w + slope * load) * (1 + error), load) for load in loads_w for _ in range(60 // SECONDS)]


def test_the_published_machine_is_learned_and_agrees_with_itself() -> None:
    made = after(*minutes(90, 150, 210, 300, 120, 180, 250))
    now = made.now(sums(57 + 1.14 * 200, 200))
    assert now.windows == 7
    assert now.intercept_w == pytest.approx(57.0, abs=0.01)
    assert now.slope == pytest.approx(1.14, abs=1e-4)
    assert now.reconciliation_error_ratio == pytest.approx(0.0, abs=1e-6)
    assert now.residual_w == pytest.approx(57 + 0.14 * 200)
    assert now.residual_ratio == pytest.approx(85 / 285)


def test_a_platform_that_drifts_is_seen_and_so_is_the_trend() -> None:
    good = minutes(*[90, 150, 210, 300, 120] * 4)
    made = after(*good, *minutes(150, error=0.10))
    now = made.now(None)
    assert now.reconciliation_error_ratio == pytest.approx(0.10 / 1.10, abs=0.005)
    assert now.residual_w is None
    worse = after(*good, *(each for n in range(20) for each in minutes(100 + 10 * n, error=0.01 * n))).now(None)
    assert worse.error_trend_per_hour is not None
    assert worse.error_trend_per_hour > 0.05


def test_an_hour_of_nonsense_does_not_bend_what_was_learned() -> None:
    noise = random.Random(7)
    made = after(*(each for _ in range(80) for each in minutes(noise.uniform(80, 300), error=noise.gauss(0, 0.01))))
    stuck = [sums(600.0, noise.uniform(80, 300)) for _ in range(30 * 12)]
    bent = made
    for each in stuck:
        bent = bent.plus(each, to_ns=0)
    assert made.fit is not None
    assert bent.fit is not None
    assert bent.fit.expected_w(150) == pytest.approx(made.fit.expected_w(150), rel=0.10)


def test_without_a_second_instrument_there_is_no_error_and_it_is_not_0() -> None:
    same = [sums(200, 150, apart=False)] * 200
    now = after(*same).now(same[-1])
    assert now.reconciliation_error_ratio is None
    assert now.windows == 0
    assert now.residual_w == pytest.approx(50.0), "the residual is information all the same"
    assert not independent("rapl-powercap", ["rapl-powercap"])
    assert not independent("rapl-perf", ["rapl-powercap", "nvml"])
    assert not independent("simulated", ["simulated"])
    assert not independent("acpi", [])
    assert independent("acpi", ["rapl-powercap", "nvml"])


def test_a_gap_breaks_the_window_that_is_being_filled() -> None:
    almost = [sums(200, 150)] * 11
    assert not after(*almost, None, *almost).windows
    assert len(after(*almost, sums(200, 150)).windows) == 1


def test_a_machine_that_never_changes_its_load_has_an_offset_and_no_slope() -> None:
    now = after(*minutes(*[100.0] * 8)).now(None)
    assert now.slope == 1.0
    assert now.intercept_w == pytest.approx(71.0)
    assert now.reconciliation_error_ratio == pytest.approx(0.0, abs=1e-6)


@given(
    loads=st.lists(st.floats(1, 1000), min_size=5, max_size=20),
    platform=st.lists(st.floats(1, 2000), min_size=5, max_size=20),
)
def test_any_figures_give_finite_ratios_and_bounded_memory(loads: list[float], platform: list[float]) -> None:
    made = Reconciler()
    for _ in range(20):
        for load, whole in zip(loads, platform, strict=False):
            made = made.plus(sums(whole, load, seconds=60), to_ns=0)
    now = made.now(None)
    assert len(made.windows) <= 240
    assert now.slope is not None
    assert now.slope >= 0
    assert now.reconciliation_error_ratio is not None
    assert 0 <= now.reconciliation_error_ratio < float("inf")


def test_supplies_lose_what_goes_in_less_what_comes_out_and_only_where_both_are_measured() -> None:
    both: dict[str, float | None] = {
        "psu/a-input": 154.0, "psu/a-output": 138.0, "psu/b-input": 130.0, "psu/b-output": 114.0
    }  # fmt: skip
    assert psu_loss_w(both) == pytest.approx(32.0)
    assert psu_loss_w(both | {"psu/b-output": None}) is None
    assert psu_loss_w({name: w for name, w in both.items() if name != "psu/b-output"}) is None
    assert psu_loss_w(both | {"psu/b-output": 300.0}) is None
    assert psu_loss_w({}) is None
