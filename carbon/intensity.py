# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""One carbon figure and everything needed to question it (LEDGER 2).

One gram is not one gram: lifecycle over direct is 1.2 to 3.5 for the same zone and year, and publishers differ by a
factor of two. So a figure never travels without its method, basis, boundary, source and vintage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["direct", "lifecycle"]
"""What is counted: combustion in the plant alone, or building and fuel supply too."""
Basis = Literal["average", "marginal"]
Boundary = Literal["production", "consumption", "unstated"]
"""Whether imports are counted; some publishers do not say."""
Rung = Literal["forecast", "yesterday", "hour_of_week", "annual", "none"]
"""How good a stand-in for the hour asked for a value is, best first. ``none``: there is no value."""

METHODS: tuple[Method, ...] = ("direct", "lifecycle")
RUNGS: tuple[Rung, ...] = ("forecast", "yesterday", "hour_of_week", "annual", "none")


@dataclass(frozen=True, slots=True)
class Intensity:
    """Grams of CO2 equivalent per kWh of electricity in a zone, for ``step_s`` seconds from ``start_unix_s``."""

    zone: str
    start_unix_s: int
    step_s: int
    g_per_kwh: float
    low_g_per_kwh: float
    high_g_per_kwh: float
    """Ends of the 95 % interval for use at the time that was asked for, which may lie outside the value's own."""
    method: Method
    basis: Basis
    boundary: Boundary
    source: str
    vintage: str
    """Which edition of the source says so; values are restated."""
    licence: str
    estimated: bool = False
    """The source itself filled this value in."""


@dataclass(frozen=True, slots=True)
class Rated:
    """The answer to "what does a kWh emit there then": a value and its rung, or rung ``none`` and why."""

    zone: str
    rung: Rung
    value: Intensity | None
    reason: str
