# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Kubernetes quantities are exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extender.errors import QuantityError
from extender.quantities import parse

NANO = Fraction(1, 10**9)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", Fraction(0)),
        ("1", Fraction(1)),
        ("100m", Fraction(1, 10)),
        ("0.1", Fraction(1, 10)),
        (".5", Fraction(1, 2)),
        ("2.", Fraction(2)),
        ("+3k", Fraction(3000)),
        ("-1Ki", Fraction(-1024)),
        ("1.5Gi", Fraction(3 * 2**29)),
        ("1E", Fraction(10**18)),
        ("1Ei", Fraction(2**60)),
        ("1e3", Fraction(1000)),
        ("12E-1", Fraction(6, 5)),
        ("250u", Fraction(1, 4000)),
        ("7n", 7 * NANO),
        ("0.1n", NANO),
        ("-0.1n", -NANO),
        ("1e-99999", NANO),
        ("1e99999", Fraction(2**63 - 1)),
        ("16Ei", Fraction(2**63 - 1)),
        ("-16Ei", Fraction(1 - 2**63)),
        ("0e999999", Fraction(0)),
        (2, Fraction(2)),
        (0.5, Fraction(1, 2)),
        (1e-05, Fraction(1, 100_000)),
    ],
)
def test_values(text: str | float, value: Fraction) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "one", "1K", "1mi", "1ki", "--1", "1e", "1e1.5", ".", "0x10", "1_000", "١", "1" * 129]
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(QuantityError):
        parse(text)


@given(st.integers(0, 10**12))
def test_millis_are_thousandths(millis: int) -> None:
    assert parse(f"{millis}m") == Fraction(millis, 1000)


@given(st.text(alphabet="0123456789.+-eEnumkMGTPi ", max_size=20))
def test_it_never_fails_in_another_way_and_never_leaves_its_range(text: str) -> None:
    try:
        value = parse(text)
    except QuantityError:
        return
    assert abs(value) < 2**63
    assert (value / NANO).denominator == 1
