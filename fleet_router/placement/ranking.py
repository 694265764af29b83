# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Orders costed candidates: unknown never above known, ties to the cheaper, then the current, then by name.

Ranking compares intervals at one standard error, while what is printed is 95 %: where those do not overlap, the lower
candidate is the better one with about five chances in six or more, and a stricter test would call almost everything a
tie as long as only annual figures are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from carbon.accounting import Interval
    from fleet_router.placement.cost import Cost
    from fleet_router.placement.request import Ask

ONE_SIGMA_OF_95 = 1 / 1.959963984540054
"""A 95 % half width times this is one standard error."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate at its place; candidates of one ``tie`` could not be told apart by the objective."""

    cost: Cost
    rank: int
    tie: int


def rank(costs: Iterable[Cost], ask: Ask) -> tuple[Ranked, ...]:
    """Best first; the same for any order of ``costs``."""
    left = sorted(costs, key=lambda each: (_tier(each, ask), _objective(each, ask).value, each.candidate.name))
    ordered: list[Ranked] = []
    tie = 0
    while left:
        leader = left[0]
        reach = _objective(leader, ask).narrowed(ONE_SIGMA_OF_95)
        tied = [
            each
            for each in left
            if _tier(each, ask) == _tier(leader, ask)
            and _objective(each, ask).narrowed(ONE_SIGMA_OF_95).overlaps(reach)
        ]
        tie += 1
        for each in sorted(tied, key=lambda each: _tie_key(each, ask)):
            ordered.append(Ranked(cost=each, rank=len(ordered) + 1, tie=tie))
        taken = {id(each) for each in tied}
        left = [each for each in left if id(each) not in taken]
    return tuple(ordered)


def ranks_by_carbon(ask: Ask) -> bool:
    """Whether carbon is what this ranking is about, so that a cluster without a figure must not win."""
    return ask.lexicographic[0] == "carbon" if ask.lexicographic else ask.carbon_price_per_kg > 0


def _tier(each: Cost, ask: Ask) -> tuple[int, int]:
    """0 where all that the objective needs is known; figures of another method before none at all."""
    carbon = 2 if "carbon" in each.unknown else 1 if "method" in each.unknown else 0
    price = int("price" in each.unknown)
    if ask.lexicographic:
        return (carbon, 0) if ask.lexicographic[0] == "carbon" else (price, 0)
    return (carbon if ranks_by_carbon(ask) else 0, price)


def _objective(each: Cost, ask: Ask) -> Interval:
    if not ask.lexicographic:
        return each.rank_objective
    if ask.lexicographic[0] == "cost":
        return each.rank_money
    return each.rank_grams if each.rank_grams is not None else each.rank_money


def _tie_key(each: Cost, ask: Ask) -> tuple[int, float | Decimal, bool, str]:
    stays = each.candidate.name == ask.current_cluster
    if ask.lexicographic and ask.lexicographic[0] == "cost":
        known = each.rank_grams is not None
        second: float | Decimal = each.rank_grams.value if each.rank_grams is not None else 0.0
        return (0 if known else 1, second if len(ask.lexicographic) > 1 else 0.0, not stays, each.candidate.name)
    return (int("price" in each.unknown), each.money, not stays, each.candidate.name)
