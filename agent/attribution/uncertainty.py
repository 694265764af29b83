# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""How far a figure may be off, in the two parts of METERING 3.

``meter`` is the source's own error: common to everything it says, so it adds up linearly within one source.
``share`` is how the meter was split: nothing for the whole domain, independent between domains, so it adds up in
quadrature across them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.attribution.engine import DomainSplit

# Dynamic power at equal CPU time differed by a factor of 4.06 at the 90th percentile between kinds of work on a
# two-socket EPYC (seven kernels, TU Dresden). Two tasks with
# equal time and that factor between them are each off by (4.06 - 1) / (4.06 + 1) of what the ratio gives them.
_SPREAD: Final = (4.06 - 1) / (4.06 + 1)


def share_error_uj(dynamic_uj: NDArray[np.int64], pot_uj: int) -> NDArray[np.int64]:
    """Half widths (n,) for parts ``dynamic_uj`` (n,) of ``pot_uj`` split by CPU time.

    Scaled so that two equal parts get the spread above, the whole gets 0, and a small part up to twice the spread.
    """
    if pot_uj <= 0:
        return np.zeros(dynamic_uj.shape, dtype=np.int64)
    part = np.clip(dynamic_uj / pot_uj, 0.0, 1.0)
    return np.rint(dynamic_uj * (2 * _SPREAD) * (1.0 - part)).astype(np.int64)


def bounds(parts: Sequence[float], errors: Sequence[float], domains: Sequence[DomainSplit]) -> tuple[float, float]:
    """Low and high end of a sum of ``parts`` (one per domain) whose split may be off by ``errors`` (one per domain).

    Unit of the parts; the ends keep the asymmetry of each source's interval, and low is never below 0.
    """
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    for part, split in zip(parts, domains, strict=True):
        quality, source = split.energy.quality, split.energy.source
        low[source] = low.get(source, 0.0) + abs(part) * (1.0 - quality.low_ratio)
        high[source] = high.get(source, 0.0) + abs(part) * (quality.high_ratio - 1.0)
    total = math.fsum(parts)
    return max(0.0, total - math.hypot(*low.values(), *errors)), total + math.hypot(*high.values(), *errors)
