# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""PowerBudget: how many watts the pods of a namespace may draw, and what happens at the limit.

All budgets that select a pod apply to it. What already runs is never slowed or killed by a budget.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gitops.kinds.base import Fields, Kind, LabelSelector, NamespacedMeta, Precedence


class PowerBudgetSpec(Fields):
    """The fields under ``spec``; each field's description is its line in the reference."""

    limit_watts: Annotated[
        float,
        Field(gt=0, le=1e9, description="Watts that the selected pods together may draw, as a mean over the window."),
    ]
    window_seconds: Annotated[
        int,
        Field(
            ge=10,
            le=3600,
            description="Seconds over which the mean is taken that is compared with the limit (10-3600).",
        ),
    ] = 60
    action: Annotated[
        Literal["alert", "throttle", "reject"],
        Field(
            description=(
                "alert: report only. throttle: hold new pods while the expected watts do not fit; pods pass when "
                "Penstock is away. reject: hold while the upper end of the expectation does not fit; pods wait when "
                "Penstock is away."
            )
        ),
    ] = "throttle"
    view: Annotated[
        Literal["dynamic", "loaded"],
        Field(
            description=(
                "dynamic: watts drawn because of the pods' work. loaded: with a share of what the nodes draw anyway. "
                "Action reject needs dynamic."
            )
        ),
    ] = "dynamic"
    enforcement: Annotated[
        Literal["extender", "gate"],
        Field(description="extender: decided when a pod is scheduled. gate: by a scheduling gate put on at creation."),
    ] = "extender"
    preempt_lower_priority: Annotated[
        bool,
        Field(description="Evict the fewest watts of lower priority in the namespace for a pod that would not fit."),
    ] = False
    precedence: Annotated[
        Precedence, Field(description="Order in which budgets are named when several are full; highest first.")
    ] = 0
    selector: Annotated[
        LabelSelector, Field(description="Pods of the namespace that count and are held; empty: all.")
    ] = LabelSelector()

    @field_validator("view")
    @classmethod
    def _reject_counts_dynamic(cls, view: str, info: ValidationInfo) -> str:
        if view != "dynamic" and info.data.get("action") == "reject":
            raise PydanticCustomError(
                "view", "action reject needs view dynamic: a share of idle power is nobody's doing"
            )
        return view

    @field_validator("enforcement", "preempt_lower_priority")
    @classmethod
    def _alert_never_blocks(cls, value: Any, info: ValidationInfo) -> Any:
        if value in ("gate", True) and info.data.get("action") == "alert":
            raise PydanticCustomError("alert", "action alert never holds a pod, so this cannot have an effect")
        return value


class PowerBudget(Kind):
    """A limit in watts for (some of) the pods of one namespace."""

    kind: Literal["PowerBudget"]
    metadata: NamespacedMeta
    spec: PowerBudgetSpec
