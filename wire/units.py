# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Units as constants and the few conversions that every room shares.

Energy is an integer number of microjoules wherever it is booked; watts, joules and kilowatt-hours are for people.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["measured", "estimated", "modelled"]
"""How a number came about: a physical sensor, a figure computed by hardware or firmware, or our software."""

KINDS: tuple[Kind, ...] = ("measured", "estimated", "modelled")
"""Best first. A sum is as good as the worst of its parts."""

UJ_PER_J = 1_000_000
UJ_PER_KWH = 3_600_000 * UJ_PER_J
NS_PER_S = 1_000_000_000
NS_PER_HOUR = 3600 * NS_PER_S


def watts(energy_uj: float, elapsed_ns: float) -> float:
    """Mean power in watts of ``energy_uj`` spent over ``elapsed_ns``; 0 where no time passed."""
    return energy_uj * 1e3 / elapsed_ns if elapsed_ns > 0 else 0.0


def kwh(energy_uj: int) -> float:
    """Kilowatt-hours for display; 64-bit floats hold a fleet-year to better than a millijoule per kilowatt-hour."""
    return energy_uj / UJ_PER_KWH


def worst_kind(kinds: list[Kind]) -> Kind:
    """The kind that a sum of parts of these ``kinds`` may claim; ``modelled`` for an empty sum."""
    return max(kinds, key=KINDS.index, default="modelled")
