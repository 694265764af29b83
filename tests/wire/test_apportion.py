# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Law 1: a split adds up to the whole, to the last microjoule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.apportion import apportion

weights = st.lists(st.floats(min_value=0, max_value=1e18, allow_nan=False), min_size=1, max_size=60)


@given(total=st.integers(0, 2**53), shares=weights)
def test_parts_add_up_and_none_is_negative(total: int, shares: list[float]) -> None:
    if max(shares) == 0:
        return
    parts = apportion(total, shares)
    assert int(parts.sum()) == total
    assert (parts >= 0).all()
    assert all(part == 0 for part, share in zip(parts, shares, strict=True) if share == 0)


@given(total=st.integers(0, 2**40), shares=st.lists(st.integers(0, 2**20), min_size=1, max_size=60))
def test_no_part_is_a_microjoule_from_its_share(total: int, shares: list[int]) -> None:
    if sum(shares) == 0:
        return
    parts = apportion(total, shares)
    for part, share in zip(parts, shares, strict=True):
        # Compared in exact integer arithmetic: |part - total * share / sum| < 1.
        assert abs(int(part) * sum(shares) - total * share) < sum(shares)


@given(
    total=st.integers(0, 2**40),
    shares=st.lists(st.integers(1, 2**20), min_size=2, max_size=20, unique=True),
    seed=st.integers(0, 99),
)
def test_order_of_rows_does_not_matter_where_shares_differ(total: int, shares: list[int], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(shares))
    straight = apportion(total, shares)
    shuffled = apportion(total, np.asarray(shares)[order])
    # Distinct weights can still have equal remainders; those rows may swap a single microjoule.
    assert int(np.abs(shuffled - straight[order]).max()) <= 1
    assert int(shuffled.sum()) == total


def test_largest_remainders_get_the_rest() -> None:
    assert apportion(100, [1, 1, 1]).tolist() == [34, 33, 33]
    assert apportion(10, [6, 3, 1]).tolist() == [6, 3, 1]
    assert apportion(7, [0, 5, 5]).tolist() == [0, 4, 3]


def test_nothing_to_split_over_nobody_is_empty() -> None:
    assert apportion(0, []).tolist() == []
    assert apportion(0, [0.0, 0.0]).tolist() == [0, 0]


@pytest.mark.parametrize("shares", [[], [0.0], [0.0, 0.0]])
def test_energy_without_anybody_to_pay_is_an_error(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="no positive weight"):
        apportion(1, shares)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_bad_weights_are_errors(bad: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        apportion(1, [1.0, bad])


def test_a_negative_total_is_an_error() -> None:
    with pytest.raises(ValueError, match="negative total"):
        apportion(-1, [1.0])
