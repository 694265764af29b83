# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Candidates for placement tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from carbon.intensity import Intensity, Method, Rated
from carbon.prices import Price
from carbon.pue import site_pue
from fleet_router.placement.candidates import Candidate
from fleet_router.placement.decisions import Decision, Inputs, decide
from fleet_router.placement.request import Ask, PlacementRequest, ask
from tests.fleet.clients import NOW_NS


def intensity(g_per_kwh: float, *, zone: str = "DE", error_ratio: float = 0.2, method: Method = "direct") -> Rated:
    """An annual figure of 2024."""
    value = Intensity(
        zone=zone,
        start_unix_s=1_704_067_200,
        step_s=366 * 86400,
        g_per_kwh=g_per_kwh,
        low_g_per_kwh=g_per_kwh * (1 - error_ratio),
        high_g_per_kwh=g_per_kwh * (1 + error_ratio),
        method=method,
        basis="average",
        boundary="unstated",
        source="test",
        vintage="2024",
        licence="Apache-2.0",
    )
    return Rated(zone=zone, rung="annual", value=value, reason="test has a figure")


def no_intensity(zone: str = "XX") -> Rated:
    """A zone in no table."""
    return Rated(zone=zone, rung="none", value=None, reason=f"no figure for zone {zone!r}")


def candidate(
    name: str,
    *,
    carbon: Rated | None = None,
    price: str | None = "0.30",
    currency: str = "EUR",
    watts_per_cpu: float = 8.0,
    free_cpus: float = 12.0,
    age_s: float = 1.0,
    nodes_fresh: int = 2,
) -> Candidate:
    """A fresh cluster with room, 300 g/kWh and a price."""
    rated = intensity(300.0) if carbon is None else carbon
    return Candidate(
        cluster_id=f"id-{name}",
        name=name,
        zone=rated.zone,
        pue=site_pue(1.2, meter_includes_facility=False),
        price=None if price is None else Price(per_kwh=Decimal(price), currency=currency),
        carbon=rated,
        watts_per_cpu=watts_per_cpu,
        watts_per_cpu_error=watts_per_cpu / 10,
        free_cpus=free_cpus,
        memory_bytes=64 * 2**30,
        nodes_fresh=nodes_fresh,
        age_s=age_s,
    )


def question(**changes: Any) -> Ask:
    """Four CPUs for two hours; ``changes`` are fields of the request, workload fields under ``workload``."""
    workload = {"name": "train", "cpus": 4, "duration_hours": 2} | changes.pop("workload", {})
    request = PlacementRequest.model_validate({"workload": workload} | changes)
    return ask(request, carbon_price_per_kg=Decimal("0.1"), currency="EUR", max_data_age_s=30.0)


def decided(*candidates: Candidate, **changes: Any) -> Decision:
    """The decision on these candidates."""
    return decide(Inputs(NOW_NS, question(**changes), candidates, software_version="0.0.0-test"))
