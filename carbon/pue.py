# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Power usage effectiveness: facility kWh = IT kWh x PUE, applied once and never on top of a facility meter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pue:
    """A ratio with the ends of its 95 % interval and where it comes from."""

    ratio: float
    low_ratio: float
    high_ratio: float
    source: str


INCLUDED = Pue(ratio=1.0, low_ratio=1.0, high_ratio=1.0, source="the meter includes the facility")

# Published figures of cloud regions run from 1.1 to 1.46 (Cloud Carbon Footprint's provider means, AWS by region 2024);
# a site that states none gets the middle with that whole spread, so that saying nothing is never an advantage.
UNKNOWN = Pue(ratio=1.28, low_ratio=1.1, high_ratio=1.46, source="not stated: spread of published cloud figures")

# An annual PUE hides seasons: about 5 % of the overhead-inclusive ratio either way for air-cooled sites.
_STATED_ERROR_RATIO = 0.05


def site_pue(pue_ratio: float, *, meter_includes_facility: bool) -> Pue:
    """The PUE of a site that states ``pue_ratio``, where 0 means that it states none."""
    if meter_includes_facility:
        return INCLUDED
    if pue_ratio <= 0:
        return UNKNOWN
    error = pue_ratio * _STATED_ERROR_RATIO
    return Pue(
        ratio=pue_ratio,
        low_ratio=max(1.0, pue_ratio - error),
        high_ratio=pue_ratio + error,
        source="stated by the site",
    )
