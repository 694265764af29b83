# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic: exact where it is booked, intervals that hold their value, money that keeps its currency."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbon.accounting import (
    Interval,
    carbon_cost,
    decimal_kwh,
    decimal_of,
    energy_cost,
    energy_interval_kwh,
    grams,
    linear_sum,
    product,
    total_money,
)
from carbon.errors import CurrencyError
from carbon.intensity import Intensity
from carbon.prices import FlatTariff, Price
from carbon.pue import INCLUDED, UNKNOWN, site_pue
from wire.units import UJ_PER_KWH


def intensity(g_per_kwh: float, low: float, high: float) -> Intensity:
    return Intensity(
        zone="DE",
        start_unix_s=0,
        step_s=3600,
        g_per_kwh=g_per_kwh,
        low_g_per_kwh=low,
        high_g_per_kwh=high,
        method="direct",
        basis="average",
        boundary="consumption",
        source="test",
        vintage="1",
        licence="Apache-2.0",
    )


positive = st.floats(1e-6, 1e9)
intervals = st.builds(
    lambda value, below, above: Interval(value, value * (1 - below), value * (1 + above)),
    positive,
    st.floats(0, 1),
    st.floats(0, 3),
)


@given(factors=st.lists(intervals, min_size=1, max_size=4))
def test_a_product_holds_its_value_and_is_no_wider_than_the_worst_case(factors: list[Interval]) -> None:
    found = product(*factors)
    assert found.low <= found.value <= found.high
    assert found.low >= 0
    widest = max((factor.high / factor.value for factor in factors), default=1.0)
    assert found.high / found.value >= widest * (1 - 1e-12)


def test_independent_factors_add_in_quadrature() -> None:
    found = product(Interval(10.0, 7.0, 13.0), Interval(2.0, 1.2, 2.8))
    # 30 % and 40 % give 50 %.
    assert (found.value, found.low, found.high) == pytest.approx((20.0, 10.0, 30.0))


def test_sums_of_a_common_cause_add_linearly() -> None:
    assert linear_sum([Interval(1, 0, 3), Interval(2, 1, 5)]) == Interval(3, 1, 8)
    assert linear_sum([]) == Interval(0, 0, 0)


def test_nothing_times_something_is_nothing() -> None:
    found = product(Interval.exact(0.0), Interval(300.0, 200.0, 400.0))
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    clean = product(Interval.exact(2.0), Interval(0.0, 0.0, 20.0))
    assert (clean.value, clean.high) == (0.0, 40.0)


def test_intervals_overlap_where_a_value_lies_in_both() -> None:
    assert Interval(2, 1, 3).overlaps(Interval(4, 3, 5))
    assert not Interval(2, 1, 3).overlaps(Interval(4, 3.1, 5))
    assert Interval(10, 0, 30).narrowed(0.5) == Interval(10, 5, 20)


def test_grams_are_kwh_times_pue_times_intensity() -> None:
    it_kwh = energy_interval_kwh(5 * UJ_PER_KWH, error_uj=0)
    exact = grams(it_kwh, pue=INCLUDED, intensity=intensity(300.0, 300.0, 300.0))
    assert exact == Interval(1500.0, 1500.0, 1500.0)
    facility = grams(it_kwh, pue=site_pue(1.4, meter_includes_facility=False), intensity=intensity(300.0, 240.0, 360.0))
    assert facility.value == pytest.approx(2100.0)
    assert facility.low < 2100.0 * 0.8 < 2100.0 * 1.2 < facility.high


def test_pue_is_applied_once_and_saying_nothing_is_no_advantage() -> None:
    assert site_pue(1.4, meter_includes_facility=True) is INCLUDED
    assert site_pue(0.0, meter_includes_facility=False) is UNKNOWN
    stated = site_pue(1.02, meter_includes_facility=False)
    assert stated.low_ratio == 1.0
    assert UNKNOWN.ratio > site_pue(1.1, meter_includes_facility=False).ratio


@given(energy_uj=st.integers(0, 2**90))
def test_kwh_lose_nothing_before_print(energy_uj: int) -> None:
    assert round(decimal_kwh(energy_uj) * UJ_PER_KWH) == energy_uj


def test_money_is_decimal_and_keeps_its_currency() -> None:
    assert energy_cost(2.0, price_per_kwh=Decimal("0.1")) == Decimal("0.20")
    assert energy_cost(2.0, price_per_kwh=Decimal("-0.05")) == Decimal("-0.10")
    assert carbon_cost(1500.0, price_per_kg=Decimal("0.1")) == Decimal("0.15")
    assert decimal_of(0.1) == Decimal("0.1")
    assert total_money([(Decimal(1), "EUR"), (Decimal("0.5"), "EUR")]) == (Decimal("1.5"), "EUR")
    assert total_money([]) == (Decimal(0), "")
    with pytest.raises(CurrencyError, match="USD"):
        total_money([(Decimal(1), "EUR"), (Decimal(1), "USD")])
    price = Price(per_kwh=Decimal("0.3"), currency="EUR")
    assert FlatTariff(price).price(at_unix_s=0) is price
