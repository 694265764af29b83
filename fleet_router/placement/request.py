# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""What a caller asks of the router, checked by pydantic at the edge, and the same as a plain value for the core."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from carbon.intensity import Method

Objective = Literal["carbon", "cost"]
Name = Annotated[str, Field(min_length=1, max_length=253)]
Money = Annotated[Decimal, Field(ge=0, le=Decimal("1e9"), allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False)]

# A caller who says nothing about duration gets a wide, stated guess: the order of batch-like VM jobs in the Azure trace
# of the data sets (median 0.6 h, 90th percentile 11 h).
DEFAULT_P50_HOURS = 1.0
DEFAULT_P90_HOURS = 8.0


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Workload(_Strict):
    """What shall run."""

    name: Name
    cpus: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
    memory_bytes: Annotated[int, Field(ge=0, lt=2**62)] | None = None
    duration_hours: Hours | None = Field(default=None, description="Known duration; else give p50 and p90, or neither.")
    duration_p50_hours: Hours | None = None
    duration_p90_hours: Hours | None = None
    power_w: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = Field(
        default=None, description="Mean IT watts if known; else the cluster's own watts per CPU are used."
    )
    current_cluster: Name | None = Field(default=None, description="Where it runs now; staying is then a candidate.")

    @model_validator(mode="after")
    def _one_duration(self) -> Workload:
        spread = (self.duration_p50_hours, self.duration_p90_hours)
        if self.duration_hours is not None and spread != (None, None):
            raise ValueError("duration_hours excludes duration_p50_hours and duration_p90_hours")
        p50, p90 = spread
        if (p50 is None) != (p90 is None):
            raise ValueError("duration_p50_hours and duration_p90_hours belong together")
        if p50 is not None and p90 is not None and not p50 <= p90 <= 100 * p50:
            raise ValueError("duration_p90_hours must be from 1 to 100 times duration_p50_hours")
        return self


class Constraints(_Strict):
    """What a candidate must satisfy, whatever it saves."""

    zones: list[Name] | None = Field(default=None, max_length=1000, description="Grid zones allowed, such as DE or FR.")
    countries: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] | None = Field(
        default=None, max_length=300, description="ISO 3166 codes allowed; compared with the first part of the zone."
    )
    max_data_age_s: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] | None = None
    require_carbon: bool = Field(default=False, description="Reject clusters whose zone has no comparable figure.")


class PlacementRequest(_Strict):
    """Body of ``POST /v1/placements:recommend``."""

    workload: Workload
    clusters: list[Name] | None = Field(
        default=None, min_length=1, max_length=10_000, description="Only these; default all."
    )
    constraints: Constraints = Constraints()
    carbon_price_per_kg: Money | None = Field(
        default=None, description="Shadow price; default: the fleet's. 0 is allowed."
    )
    move_cost: Money = Field(Decimal(0), description="Money for leaving current_cluster: data, warm-up, dwell.")
    lexicographic: list[Objective] | None = Field(
        None, min_length=1, max_length=2, description="Rank by these in order instead of by one sum of money."
    )
    method: Method = Field("direct", description="The one carbon method that this ranking compares by.")

    @model_validator(mode="after")
    def _no_objective_twice(self) -> PlacementRequest:
        if self.lexicographic is not None and len(set(self.lexicographic)) != len(self.lexicographic):
            raise ValueError("lexicographic names an objective twice")
        return self


@dataclass(frozen=True, slots=True)
class Duration:
    """Hours that a run takes: a log-normal distribution through its median and 90th percentile."""

    p50_hours: float
    p90_hours: float
    kind: Literal["stated", "distribution", "default"]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request with every default filled in: with the candidates, all that a decision depends on."""

    workload: str
    cpus: float
    memory_bytes: int
    power_w: float | None
    duration: Duration
    current_cluster: str | None
    clusters: tuple[str, ...] | None
    zones: tuple[str, ...] | None
    countries: tuple[str, ...] | None
    max_data_age_s: float
    require_carbon: bool
    method: Method
    carbon_price_per_kg: Decimal
    move_cost: Decimal
    currency: str
    lexicographic: tuple[Objective, ...]
    """Empty: one objective in money."""


def ask(request: PlacementRequest, *, carbon_price_per_kg: Decimal, currency: str, max_data_age_s: float) -> Ask:
    """The request as a value; what it leaves open is filled from the fleet's settings."""
    workload, limits = request.workload, request.constraints
    return Ask(
        workload=workload.name,
        cpus=workload.cpus,
        memory_bytes=workload.memory_bytes or 0,
        power_w=workload.power_w,
        duration=_duration(workload),
        current_cluster=workload.current_cluster,
        clusters=_sorted(request.clusters),
        zones=_sorted(limits.zones),
        countries=_sorted(limits.countries),
        max_data_age_s=max_data_age_s if limits.max_data_age_s is None else limits.max_data_age_s,
        require_carbon=limits.require_carbon,
        method=request.method,
        carbon_price_per_kg=carbon_price_per_kg if request.carbon_price_per_kg is None else request.carbon_price_per_kg,
        move_cost=request.move_cost,
        currency=currency,
        lexicographic=tuple(request.lexicographic or ()),
    )


def _duration(workload: Workload) -> Duration:
    if workload.duration_hours is not None:
        return Duration(workload.duration_hours, workload.duration_hours, kind="stated")
    if workload.duration_p50_hours is not None and workload.duration_p90_hours is not None:
        return Duration(workload.duration_p50_hours, workload.duration_p90_hours, kind="distribution")
    return Duration(DEFAULT_P50_HOURS, DEFAULT_P90_HOURS, kind="default")


def _sorted(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(set(names)))
