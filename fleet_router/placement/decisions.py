# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""A decision as a document: made from its inputs alone, kept with them, and the same bytes whenever it is replayed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, insert, select

from fleet_router.placement.candidates import Candidate, Rejected, split
from fleet_router.placement.cost import cost
from fleet_router.placement.ranking import Ranked, rank, ranks_by_carbon
from fleet_router.placement.request import Ask  # noqa: TC001  (decoded from JSON: needed at run time)
from fleet_router.schema import decisions
from fleet_router.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from carbon.accounting import Interval
    from fleet_router.placement.cost import Cost

_MONEY_PLACES = Decimal("0.000001")
_KIND = "modelled"  # a prediction, whatever the watts per CPU were learned from


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a decision depends on. Two equal inputs give equal bytes."""

    as_of_unix_ns: int
    ask: Ask
    candidates: tuple[Candidate, ...]
    software_version: str

    def encode(self) -> bytes:
        """As kept in the store."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> Inputs:
        """From the store."""
        return msgspec.json.decode(body, type=cls)


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and what it was made from."""

    decision_id: str
    inputs: bytes
    answer: bytes
    first: str


def decide(inputs: Inputs) -> Decision:
    """Ranks the candidates. Pure: no clock, no store, no random order."""
    body = inputs.encode()
    decision_id = hashlib.sha256(body).hexdigest()[:32]
    ask = inputs.ask
    kept, rejected = split(inputs.candidates, ask)
    ranked = rank([cost(candidate, ask) for candidate in kept], ask)
    document = {
        "as_of": rfc3339(inputs.as_of_unix_ns),
        "decision_id": decision_id,
        "workload": ask.workload,
        "items": [_item(each, inputs) for each in ranked],
        "rejected": [{"name": each.name, "code": each.code, "reason": each.reason} for each in rejected],
        **_against_baseline(ranked, ask),
        "explanation": _explain(ranked, rejected, ask),
        "provenance": _provenance(ranked, inputs),
    }
    answer = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    return Decision(decision_id, inputs=body, answer=answer, first=ranked[0].cost.candidate.name if ranked else "")


def _item(ranked: Ranked, inputs: Inputs) -> dict[str, Any]:
    of, ask = ranked.cost, inputs.ask
    candidate = of.candidate
    power = of.power_w
    return {
        "name": candidate.name,
        "rank": ranked.rank,
        "tie": ranked.tie,
        "start": rfc3339(inputs.as_of_unix_ns),
        "stay": candidate.name == ask.current_cluster,
        "zone": candidate.zone,
        "power_w": _figure(power.value),
        "power_low_w": _figure(power.low),
        "power_high_w": _figure(power.high),
        "kind": _KIND,
        "expected_duration_hours": _interval(of.hours),
        "energy_uj": round(of.it_kwh.value * 3.6e12),
        "energy_low_uj": round(of.it_kwh.low * 3.6e12),
        "energy_high_uj": round(of.it_kwh.high * 3.6e12),
        "expected_facility_kwh": _interval(of.facility_kwh),
        "pue": {"ratio": candidate.pue.ratio, "source": candidate.pue.source},
        "grams": _grams(of),
        "cost": _money_parts(of, ask),
        "unknown": list(of.unknown),
    }


def _grams(of: Cost) -> dict[str, Any]:
    rated = of.candidate.carbon
    value = rated.value
    if value is None or of.grams is None:
        return {"value": None, "low": None, "high": None, "method": None, "rung": rated.rung, "reason": rated.reason}
    return {
        **_interval(of.grams),
        "method": value.method,
        "basis": value.basis,
        "boundary": value.boundary,
        "rung": rated.rung,
        "g_per_kwh": _figure(value.g_per_kwh),
        "source": value.source,
        "vintage": value.vintage,
        "licence": value.licence,
        "reason": rated.reason,
    }


def _money_parts(of: Cost, ask: Ask) -> dict[str, Any]:
    return {
        "currency": ask.currency,
        "energy": _money(of.energy_money),
        "carbon": _money(of.carbon_money),
        "delay": _money(of.delay_money),
        "move": _money(of.move_money),
        "total": _money(of.total_money),
        "complete": not of.unknown,
    }


def _against_baseline(ranked: Sequence[Ranked], ask: Ask) -> dict[str, Any]:
    """The baseline is staying; for a workload that runs nowhere yet, the mean over all feasible clusters."""
    if not ranked:
        return {"baseline": None, "saving": None}
    best = ranked[0].cost
    here = [each.cost for each in ranked if each.cost.candidate.name == ask.current_cluster]
    pool = here or [each.cost for each in ranked]
    grams = [each.rank_grams.value for each in pool if each.rank_grams is not None]
    paid = [each.money for each in pool if "price" not in each.unknown]
    base_g = sum(grams) / len(grams) if grams else None
    base_money = sum(paid, Decimal(0)) / len(paid) if paid else None
    best_g = best.rank_grams.value if best.rank_grams is not None else None
    best_money = best.money if "price" not in best.unknown else None
    return {
        "baseline": {
            "definition": f"stay in {ask.current_cluster}" if here else "mean of the feasible clusters with a figure",
            "grams": _figure(base_g),
            "money": _money(base_money),
            "currency": ask.currency,
        },
        "saving": {
            "grams": _figure(None if base_g is None or best_g is None else base_g - best_g),
            "money": _money(None if base_money is None or best_money is None else base_money - best_money),
            "currency": ask.currency,
        },
    }


def _explain(ranked: Sequence[Ranked], rejected: Sequence[Rejected], ask: Ask) -> str:
    if not ranked:
        return f"No cluster is feasible; {len(rejected)} rejected." if rejected else "No cluster has reported yet."
    first = ranked[0].cost
    name = first.candidate.name
    said = [f"{name} is first of {len(ranked)} feasible"]
    if first.grams is not None and "method" not in first.unknown:
        said.append(f"with {first.grams.value:.1f} g expected ({ask.method})")
    elif ranks_by_carbon(ask):
        said.append(f"though its carbon is not comparable: {first.candidate.carbon.reason}")
    else:
        said.append("on price, its carbon is unknown")
    tied = [each.cost.candidate.name for each in ranked[1:] if each.tie == ranked[0].tie]
    if tied:
        said.append(f"tied with {', '.join(tied[:5])}{' and more' if len(tied) > 5 else ''}")
    if "price" in first.unknown:
        said.append(f"its energy price is unknown in {ask.currency}")
    return ", ".join(said) + "."


def _provenance(ranked: Sequence[Ranked], inputs: Inputs) -> dict[str, Any]:
    ask = inputs.ask
    values = [each.cost.candidate.carbon.value for each in ranked]
    sources = sorted({(value.source, value.vintage, value.licence) for value in values if value is not None})
    return {
        "method": ask.method,
        "basis": "average",
        "objective": list(ask.lexicographic) or "money",
        "carbon_price_per_kg": _money(ask.carbon_price_per_kg),
        "currency": ask.currency,
        "duration": {
            "p50_hours": _figure(ask.duration.p50_hours),
            "p90_hours": _figure(ask.duration.p90_hours),
            "kind": ask.duration.kind,
        },
        "power": "stated by the caller" if ask.power_w is not None else "CPUs times each cluster's watts per CPU",
        "level": 0.95,
        "sources": [{"source": source, "vintage": vintage, "licence": licence} for source, vintage, licence in sources],
        "software_version": inputs.software_version,
    }


def _interval(of: Interval) -> dict[str, float | None]:
    return {"value": _figure(of.value), "low": _figure(of.low), "high": _figure(of.high)}


def _figure(value: float | None) -> float | None:
    """Nine significant digits: beyond any meter, short of a float's noise."""
    return None if value is None else float(f"{value:.9g}")


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.quantize(_MONEY_PLACES):f}"


def keep(connection: Connection, decision: Decision, *, workload: str, now_unix_ns: int, limit: int) -> None:
    """Stores a decision once, and lets the oldest beyond ``limit`` go."""
    known = select(decisions.c.decision_id).where(decisions.c.decision_id == decision.decision_id)
    if connection.execute(known).scalar() is not None:
        return
    connection.execute(
        insert(decisions).values(
            decision_id=decision.decision_id,
            created_unix_ns=now_unix_ns,
            workload=workload,
            first=decision.first,
            inputs=decision.inputs,
            answer=decision.answer,
        )
    )
    newest = select(decisions.c.created_unix_ns).order_by(decisions.c.created_unix_ns.desc()).offset(limit).limit(1)
    oldest_to_go = connection.execute(newest).scalar()
    if oldest_to_go is not None:
        connection.execute(delete(decisions).where(decisions.c.created_unix_ns <= oldest_to_go))
