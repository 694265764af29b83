# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What one run costs on one candidate: energy, grams and money with all parts shown (LEDGER 4).

Every figure has two intervals. The printed one holds all uncertainty, at 95 %. The one for ranking leaves out what all
candidates share, because it cancels in a comparison: how long the run takes, and the error of its watts, which comes
from the caller or from one table of load curves that is off in the same direction everywhere. What stays is what is
wrong about one place alone: its zone's intensity, and a PUE that it does not state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from carbon.accounting import (
    Interval,
    carbon_cost,
    energy_cost,
    intensity_interval,
    linear_sum,
    product,
    pue_interval,
)
from carbon.pue import UNKNOWN

if TYPE_CHECKING:
    from carbon.prices import Price
    from fleet_router.placement.candidates import Candidate
    from fleet_router.placement.request import Ask, Duration

_Z90 = 1.2815515655446004  # standard normal quantile of 0.90
_Z95_BOTH = 1.959963984540054  # of 0.975: the ends of a 95 % interval

Unknown = Literal["carbon", "method", "price"]


@dataclass(frozen=True, slots=True)
class Cost:
    """One candidate, costed."""

    candidate: Candidate
    hours: Interval
    power_w: Interval
    it_kwh: Interval
    facility_kwh: Interval
    grams: Interval | None
    """None: the zone has no figure at all. A figure of another method than asked for is here and marked unknown."""
    energy_money: Decimal | None
    """None: no price, or one in a currency that the fleet does not count in."""
    carbon_money: Decimal | None
    move_money: Decimal
    delay_money: Decimal
    unknown: tuple[Unknown, ...]
    rank_grams: Interval | None
    rank_money: Interval
    """Of the parts that are known, without carbon."""
    rank_objective: Interval
    """Of the parts that are known, with carbon."""

    @property
    def money(self) -> Decimal:
        """What is paid to somebody: without the shadow price of carbon, and without a price that is not known."""
        return (self.energy_money or Decimal(0)) + self.move_money + self.delay_money

    @property
    def total_money(self) -> Decimal:
        """The objective: all known parts."""
        return self.money + (self.carbon_money or Decimal(0))


def run_hours(duration: Duration) -> Interval:
    """Mean duration and its 95 % interval; a log-normal's mean lies above its median."""
    sigma = math.log(duration.p90_hours / duration.p50_hours) / _Z90
    mean = duration.p50_hours * math.exp(sigma**2 / 2)
    low = duration.p50_hours * math.exp(-_Z95_BOTH * sigma)
    return Interval(mean, low, max(mean, duration.p50_hours * math.exp(_Z95_BOTH * sigma)))


def cost(candidate: Candidate, ask: Ask) -> Cost:
    """Costs a run that starts now."""
    hours = run_hours(ask.duration)
    if ask.power_w is not None:
        power_w = Interval.exact(ask.power_w)
    else:
        error_w = ask.cpus * candidate.watts_per_cpu_error
        power_w = Interval.around(ask.cpus * candidate.watts_per_cpu, half_width=error_w)
    pue = pue_interval(candidate.pue)
    it_kwh = product(power_w, hours).scaled(1e-3)
    facility_kwh = product(power_w, hours, pue).scaled(1e-3)
    rank_pue = pue if candidate.pue == UNKNOWN else Interval.exact(pue.value)
    rank_kwh = rank_pue.scaled(power_w.value * hours.value * 1e-3)

    value = candidate.carbon.value
    price = _price(candidate.price, ask.currency)
    unknown: list[Unknown] = []
    if value is None:
        unknown.append("carbon")
    elif value.method != ask.method:
        unknown.append("method")
    if price is None:
        unknown.append("price")

    grams = rank_grams = carbon_money = None
    rank_parts = [_money_interval(rank_kwh, price)]
    if value is not None:
        intensity = intensity_interval(value)
        grams = product(power_w, hours, pue, intensity).scaled(1e-3)
        if value.method == ask.method:
            rank_grams = product(rank_kwh, intensity)
            carbon_money = carbon_cost(grams.value, price_per_kg=ask.carbon_price_per_kg)
            rank_parts.append(rank_grams.scaled(float(ask.carbon_price_per_kg) / 1000))
    moves = ask.current_cluster is not None and candidate.name != ask.current_cluster
    move_money = ask.move_cost if moves else Decimal(0)
    move = Interval.exact(float(move_money))
    return Cost(
        candidate=candidate,
        hours=hours,
        power_w=power_w,
        it_kwh=it_kwh,
        facility_kwh=facility_kwh,
        grams=grams,
        energy_money=None if price is None else energy_cost(facility_kwh.value, price_per_kwh=price),
        carbon_money=carbon_money,
        move_money=move_money,
        # Every candidate starts now; waiting gets its price with the first source that knows more than a year's mean.
        delay_money=Decimal(0),
        unknown=tuple(unknown),
        rank_grams=rank_grams,
        rank_money=linear_sum((rank_parts[0], move)),
        rank_objective=linear_sum((*rank_parts, move)),
    )


def _price(price: Price | None, currency: str) -> Decimal | None:
    return price.per_kwh if price is not None and price.currency == currency else None


def _money_interval(facility_kwh: Interval, price: Decimal | None) -> Interval:
    if price is None:
        return Interval.exact(0.0)
    ends = sorted(float(price) * kwh for kwh in (facility_kwh.low, facility_kwh.high))
    return Interval(float(price) * facility_kwh.value, *ends)
