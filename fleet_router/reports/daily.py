# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The daily report: from ledger rows and factors to a document, without clock, store or random order (LEDGER 3).

Energy stays an integer; kWh and grams are rounded where they are printed. Every line belongs to a team, which is
``__unallocated__`` until teams exist, and the loaded view's lines of a cluster add up to what was metered in it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from carbon.accounting import Interval, decimal_kwh, decimal_of, energy_interval_kwh, grams, linear_sum
from fleet_router.sums import meter_error_uj, rows_of, share_and_meter_error_uj
from fleet_router.times import HOUR_S, rfc3339
from wire.units import KINDS, NS_PER_HOUR, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from decimal import Decimal

    from carbon.intensity import Method, Rated
    from carbon.pue import Pue
    from fleet_router.sums import LedgerSum, Seen

UNALLOCATED = "__unallocated__"
METHODOLOGY = "daily-1"
"""Changes whenever the same rows would give another figure."""


@dataclass(frozen=True, slots=True)
class Account:
    """One cluster with the factors that its energy of the period is multiplied by."""

    cluster_id: str
    name: str
    pue: Pue
    carbon: Rated


@dataclass(frozen=True, slots=True)
class Gap:
    """Intervals that were declared lost during the period; their energy is unknown and not filled in."""

    cluster_id: str
    node: str
    boot_id: str
    stream: str
    first_sequence: int
    last_sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class Period:
    """A UTC day, up to the newest interval in the ledger where that lies within it."""

    day: date
    from_unix_s: int
    to_unix_s: int
    until_unix_ns: int


@dataclass(frozen=True, slots=True)
class DailyInputs:
    """All that a report depends on; equal inputs give equal bytes."""

    period: Period
    accounts: tuple[Account, ...]
    rows: tuple[LedgerSum, ...]
    """By cluster, namespace, row, component, source and kind, over the day."""
    seen: tuple[Seen, ...]
    gaps: tuple[Gap, ...]
    method: Method
    software_version: str


def report_id(day: date) -> str:
    """One report a day, which is rewritten until its month closes."""
    return f"daily-{day.isoformat()}"


def document(inputs: DailyInputs) -> dict[str, Any]:
    """The report as plain values in a fixed order."""
    by_cluster: dict[str, list[LedgerSum]] = defaultdict(list)
    for row in inputs.rows:
        by_cluster[row.cluster_id].append(row)
    accounts = sorted(inputs.accounts, key=lambda each: each.name)
    clusters = [_cluster(each, by_cluster[each.cluster_id], inputs) for each in accounts]
    lines = [line for each in accounts for line in _lines(each, by_cluster[each.cluster_id])]
    return {
        "report_id": report_id(inputs.period.day),
        "title": f"Energy and carbon of {inputs.period.day.isoformat()} (UTC)",
        "status": "provisional",
        "period": {
            "day": inputs.period.day.isoformat(),
            "from": rfc3339(inputs.period.from_unix_s * NS_PER_S),
            "to": rfc3339(inputs.period.to_unix_s * NS_PER_S),
            "data_until": rfc3339(inputs.period.until_unix_ns) if inputs.period.until_unix_ns else None,
        },
        "totals": _totals(accounts, clusters, inputs),
        "clusters": clusters,
        "teams": _teams(lines),
        "lines": lines,
        "gaps": [_gap(each, accounts) for each in inputs.gaps],
        "methodology": _methodology(inputs),
    }


def to_json(report: dict[str, Any]) -> bytes:
    """The bytes that are kept and hashed."""
    return json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n"


def _totals(accounts: Sequence[Account], clusters: Sequence[dict[str, Any]], inputs: DailyInputs) -> dict[str, Any]:
    rows = rows_of(inputs.rows)
    energy_uj = sum(rows.values())
    known = [each for each in clusters if each["location_based_g"] is not None]
    facility_kwh = sum(each["facility_kwh"] for each in clusters)
    emitted = linear_sum(_as_interval(each["location_based_g"]) for each in known)
    covered_kwh = sum(each["facility_kwh"] for each in known)
    return {
        "energy_uj": energy_uj,
        "energy_error_uj": round(meter_error_uj(inputs.rows)),
        "rows": rows,
        "it_kwh": _print(decimal_kwh(energy_uj)),
        "facility_kwh": round(facility_kwh, 9),
        "location_based_g": _interval(emitted) if known else None,
        "carbon_covered_ratio": round(covered_kwh / facility_kwh, 6) if facility_kwh > 0 else None,
        "coverage": _coverage(accounts, inputs.rows, inputs),
    }


def _cluster(account: Account, rows: Sequence[LedgerSum], inputs: DailyInputs) -> dict[str, Any]:
    by_row = rows_of(rows)
    energy_uj = sum(by_row.values())
    error_uj = meter_error_uj(rows)
    return {
        "name": account.name,
        "cluster_id": account.cluster_id,
        "energy_uj": energy_uj,
        "energy_error_uj": round(error_uj),
        "rows": by_row,
        "it_kwh": _print(decimal_kwh(energy_uj)),
        "pue": asdict(account.pue),
        "facility_kwh": _print(decimal_kwh(energy_uj) * decimal_of(account.pue.ratio)),
        "factor": _factor(account.carbon),
        "location_based_g": _emitted(account, energy_uj, error_uj),
        "coverage": _coverage([account], rows, inputs),
    }


def _lines(account: Account, rows: Sequence[LedgerSum]) -> list[dict[str, Any]]:
    """One line per namespace, and one for what no workload has a claim on; loaded energy adds up to the cluster's."""
    grouped: dict[str, list[LedgerSum]] = defaultdict(list)
    for row in rows:
        if row.namespace or row.row == "unallocated":
            grouped[row.namespace or UNALLOCATED].append(row)
    lines = []
    for namespace in sorted(grouped):
        parts = grouped[namespace]
        loaded_uj = sum(part.loaded_uj for part in parts)
        error_uj = share_and_meter_error_uj(parts)
        lines.append(
            {
                "cluster": account.name,
                "team": UNALLOCATED,
                "namespace": namespace,
                "energy_uj": sum(part.energy_uj for part in parts),
                "loaded_energy_uj": loaded_uj,
                "energy_error_uj": round(error_uj),
                "it_kwh": _print(decimal_kwh(loaded_uj)),
                "facility_kwh": _print(decimal_kwh(loaded_uj) * decimal_of(account.pue.ratio)),
                "location_based_g": _emitted(account, loaded_uj, error_uj),
            }
        )
    return lines


def _teams(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        grouped[line["team"]].append(line)
    teams = []
    for team, mine in sorted(grouped.items()):
        known = [line for line in mine if line["location_based_g"] is not None]
        emitted = linear_sum(_as_interval(line["location_based_g"]) for line in known)
        teams.append(
            {
                "name": team,
                "energy_uj": sum(line["energy_uj"] for line in mine),
                "loaded_energy_uj": sum(line["loaded_energy_uj"] for line in mine),
                "location_based_g": _interval(emitted) if known else None,
            }
        )
    return teams


def _emitted(account: Account, energy_uj: int, error_uj: float) -> dict[str, float] | None:
    if account.carbon.value is None:
        return None
    it_kwh = energy_interval_kwh(max(energy_uj, 0), error_uj=error_uj)
    return _interval(grams(it_kwh, pue=account.pue, intensity=account.carbon.value))


def _factor(carbon: Rated) -> dict[str, Any]:
    value = carbon.value
    if value is None:
        return {"zone": carbon.zone, "g_per_kwh": None, "rung": carbon.rung, "reason": carbon.reason}
    return {"rung": carbon.rung, **asdict(value)}


def _coverage(accounts: Sequence[Account], rows: Iterable[LedgerSum], inputs: DailyInputs) -> dict[str, Any]:
    """Shares of energy by kind, and of node-hours that were metered: of every node seen that day, from its start."""
    by_kind: dict[str, int] = dict.fromkeys(KINDS, 0)
    for row in rows:
        # Magnitudes: a negative residual takes away from the total but not from what was metered.
        by_kind[row.kind] += abs(row.energy_uj)
    all_uj = sum(by_kind.values())
    ids = {each.cluster_id for each in accounts}
    mine = [each for each in inputs.seen if each.cluster_id in ids]
    end_ns = min(inputs.period.to_unix_s * NS_PER_S, inputs.period.until_unix_ns)
    length_ns = max(0, end_ns - inputs.period.from_unix_s * NS_PER_S)
    expected_ns = len({(each.cluster_id, each.node) for each in mine}) * length_ns
    seen_ns = sum(min(each.seen_ns, HOUR_S * NS_PER_S) for each in mine)
    return {
        "energy_ratio_by_kind": {kind: round(part / all_uj, 6) if all_uj else None for kind, part in by_kind.items()},
        "node_hours_seen": round(seen_ns / NS_PER_HOUR, 6),
        "node_hours_expected": round(expected_ns / NS_PER_HOUR, 6),
        "node_hours_ratio": round(min(1.0, seen_ns / expected_ns), 6) if expected_ns else None,
    }


def _gap(gap: Gap, accounts: Iterable[Account]) -> dict[str, Any]:
    names = {each.cluster_id: each.name for each in accounts}
    return {
        "cluster": names.get(gap.cluster_id, gap.cluster_id),
        "node": gap.node,
        "boot_id": gap.boot_id,
        "stream": gap.stream,
        "first_sequence": gap.first_sequence,
        "last_sequence": gap.last_sequence,
        "reason": gap.reason,
        "fill": "none: its energy is unknown and is not in the totals",
    }


def _methodology(inputs: DailyInputs) -> dict[str, Any]:
    return {
        "version": METHODOLOGY,
        "software_version": inputs.software_version,
        "carbon": f"location-based, {inputs.method} average factors; facility kWh = IT kWh x PUE, applied once",
        "uncertainty": "95 % intervals; meter errors add linearly within a source and in quadrature across sources, "
        "splits and factors of a product in quadrature, annual factors linearly across clusters",
        "rows_sha256": _digest([asdict(row) for row in inputs.rows]),
        "factors_sha256": _digest([asdict(each) for each in inputs.accounts]),
        "seen_sha256": _digest([asdict(each) for each in inputs.seen]),
    }


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _print(value: Decimal) -> float:
    """kWh to a nano: 3.6 mJ, below a joule and above a float's noise in a fleet-day."""
    return float(round(value, 9))


def _interval(of: Interval) -> dict[str, float]:
    return {"value": round(of.value, 6), "low": round(of.low, 6), "high": round(of.high, 6), "level": 0.95}


def _as_interval(printed: dict[str, float]) -> Interval:
    return Interval(printed["value"], printed["low"], printed["high"])
