# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of energy, grams and money: pure, exact where it is booked, with intervals where it is not.

Uncertainty: factors of a product are independent of each other, so their relative half widths add in quadrature, for
the lower and the upper side apart; sums of figures that share a cause (one meter, one annual table) add linearly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from carbon.errors import CurrencyError
from wire.units import UJ_PER_KWH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from carbon.intensity import Intensity
    from carbon.pue import Pue

_G_PER_KG = Decimal(1000)
# 2**127 microjoules have 39 digits; ten more keep every quotient right at print.
_DIGITS = 50


@dataclass(frozen=True, slots=True)
class Interval:
    """An expected value and the ends of its 95 % interval, low <= value <= high, all in the unit of its name."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Interval:
        """A value without error."""
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, *, half_width: float) -> Interval:
        """``value`` plus or minus ``half_width``, not below 0: energy and grams are never negative."""
        return cls(value, max(0.0, value - half_width) if value >= 0 else value - half_width, value + half_width)

    def scaled(self, factor: float) -> Interval:
        """This times an exact, non-negative factor."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def overlaps(self, other: Interval) -> bool:
        """Whether some value lies in both."""
        return self.low <= other.high and other.low <= self.high

    def narrowed(self, ratio: float) -> Interval:
        """The interval of ``ratio`` times its half widths: another level of confidence for the same error."""
        return Interval(
            self.value, self.value - ratio * (self.value - self.low), self.value + ratio * (self.high - self.value)
        )


def product(*factors: Interval) -> Interval:
    """The product of independent, non-negative factors."""
    value = math.prod(factor.value for factor in factors)
    if value <= 0:
        return Interval(value, value, max(value, math.prod(factor.high for factor in factors)))
    below = math.sqrt(sum((1 - factor.low / factor.value) ** 2 for factor in factors))
    above = math.sqrt(sum((factor.high / factor.value - 1) ** 2 for factor in factors))
    return Interval(value, value * max(0.0, 1 - below), value * (1 + above))


def linear_sum(parts: Iterable[Interval]) -> Interval:
    """The sum of parts that err together."""
    low = value = high = 0.0
    for part in parts:
        value, low, high = value + part.value, low + part.low, high + part.high
    return Interval(value, low, high)


def intensity_interval(intensity: Intensity) -> Interval:
    """Grams per kWh."""
    return Interval(intensity.g_per_kwh, intensity.low_g_per_kwh, intensity.high_g_per_kwh)


def pue_interval(pue: Pue) -> Interval:
    """Facility kWh per IT kWh."""
    return Interval(pue.ratio, pue.low_ratio, pue.high_ratio)


def energy_interval_kwh(energy_uj: int, *, error_uj: float) -> Interval:
    """IT energy in kWh from booked microjoules and their 95 % half width."""
    return Interval.around(energy_uj / UJ_PER_KWH, half_width=error_uj / UJ_PER_KWH)


def grams(it_kwh: Interval, *, pue: Pue, intensity: Intensity) -> Interval:
    """grams = IT kWh x PUE x g/kWh."""
    return product(it_kwh, pue_interval(pue), intensity_interval(intensity))


def decimal_kwh(energy_uj: int) -> Decimal:
    """Booked energy as an unrounded decimal number of kWh; rounding is for print."""
    with localcontext(prec=_DIGITS):
        return Decimal(energy_uj) / UJ_PER_KWH


def decimal_of(number: float) -> Decimal:
    """The decimal number that a person sees when the float is printed: 0.1 is 0.1."""
    return Decimal(repr(float(number)))


def energy_cost(facility_kwh: float, *, price_per_kwh: Decimal) -> Decimal:
    """Money for energy; negative where the price is."""
    return decimal_of(facility_kwh) * price_per_kwh


def carbon_cost(emitted_g: float, *, price_per_kg: Decimal) -> Decimal:
    """Shadow price of emissions."""
    return decimal_of(emitted_g) / _G_PER_KG * price_per_kg


def total_money(parts: Iterable[tuple[Decimal, str]]) -> tuple[Decimal, str]:
    """The sum of amounts of one currency. Raises CurrencyError for two; an empty sum has no currency."""
    total, currency = Decimal(0), ""
    for amount, of in parts:
        if currency and of != currency:
            raise CurrencyError(f"cannot add {of} to {currency}: no exchange rate is known")
        total, currency = total + amount, of
    return total, currency
