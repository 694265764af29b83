# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Sums of ledger rows as Python integers: exact at any size, grouped by whatever columns the reader needs."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import func, select

from fleet_router.check import FIRST_VIEW
from fleet_router.schema import hourly, seen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

Column = Literal["cluster_id", "hour_unix", "namespace", "row", "component", "source", "kind"]


@dataclass(frozen=True, slots=True)
class LedgerSum:
    """Energy of all ledger rows that share the columns asked for; the other columns are empty."""

    energy_uj: int
    loaded_uj: int
    meter_error_uj: int
    share_error_uj2: float
    cluster_id: str = ""
    hour_unix: int = 0
    namespace: str = ""
    row: str = ""
    component: str = ""
    source: str = ""
    kind: str = ""


def ledger_sums(
    connection: Connection,
    *,
    by: tuple[Column, ...],
    from_unix_s: int | None = None,
    to_unix_s: int | None = None,
    cluster_id: str | None = None,
) -> tuple[LedgerSum, ...]:
    """Sums over the hours that begin in [from, to), sorted by the columns of ``by``.

    The database adds upper and lower halves apart: 2**31 rows fit before either leaves 64 bits.
    """
    columns = [hourly.c[name] for name in by]
    halves = []
    for name in ("energy_uj", "loaded_uj", "meter_error_uj"):
        value = hourly.c[name]
        halves += [func.sum(value.bitwise_rshift(32)), func.sum(value.bitwise_and(0xFFFFFFFF))]
    query = select(*columns, *halves, func.sum(hourly.c.share_error_uj2)).group_by(*columns).order_by(*columns)
    if from_unix_s is not None:
        query = query.where(hourly.c.hour_unix >= from_unix_s)
    if to_unix_s is not None:
        query = query.where(hourly.c.hour_unix < to_unix_s)
    if cluster_id is not None:
        query = query.where(hourly.c.cluster_id == cluster_id)
    found = []
    for row in connection.execute(query):
        *key, e_high, e_low, l_high, l_low, m_high, m_low, share = row
        if e_high is None:
            continue
        found.append(
            LedgerSum(
                energy_uj=_join(e_high, e_low),
                loaded_uj=_join(l_high, l_low),
                meter_error_uj=_join(m_high, m_low),
                share_error_uj2=float(share),
                **dict(zip(by, key, strict=True)),
            )
        )
    return tuple(found)


def _join(high: int, low: int) -> int:
    return (int(high) << 32) + int(low)


def rows_of(sums: Iterable[LedgerSum]) -> dict[str, int]:
    """Energy by ledger row, in the order of the ledger equation; their sum is what was metered."""
    rows = {f"{name}_uj": 0 for name in ("dynamic", "shared", "static", "unattributed", "residual")}
    for each in sums:
        if each.row in FIRST_VIEW:
            rows[f"{each.row}_uj"] += each.energy_uj
    return rows


def meter_error_uj(sums: Iterable[LedgerSum]) -> float:
    """Half width of a whole domain's energy: linear within one source, in quadrature across (METERING 3)."""
    by_source: dict[str, int] = defaultdict(int)
    for each in sums:
        by_source[each.source] += each.meter_error_uj
    return math.sqrt(sum(float(error) ** 2 for error in by_source.values()))


def share_and_meter_error_uj(sums: Iterable[LedgerSum]) -> float:
    """Half width of a part's energy: the meter's error, and how the meter was split."""
    parts = tuple(sums)
    return math.hypot(meter_error_uj(parts), math.sqrt(sum(each.share_error_uj2 for each in parts)))


@dataclass(frozen=True, slots=True)
class Seen:
    """For how long one node was metered within one hour."""

    cluster_id: str
    hour_unix: int
    node: str
    seen_ns: int


def node_hours(
    connection: Connection, *, from_unix_s: int, to_unix_s: int | None = None, cluster_id: str | None = None
) -> tuple[Seen, ...]:
    """Node-hours of the hours that begin in [from, to), sorted."""
    columns = (seen.c.cluster_id, seen.c.hour_unix, seen.c.node, seen.c.seen_ns)
    query = select(*columns).where(seen.c.hour_unix >= from_unix_s).order_by(*columns)
    if to_unix_s is not None:
        query = query.where(seen.c.hour_unix < to_unix_s)
    if cluster_id is not None:
        query = query.where(seen.c.cluster_id == cluster_id)
    return tuple(Seen(*row) for row in connection.execute(query))
