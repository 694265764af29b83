# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""The static part of a metered domain: the lowest ten-second mean seen while the node was under 10 % load.

Learned per domain, never guessed as energy times idleness. Before it is learned the static part is 0 and the interval
says that it is unknown. A revision acts forward only. A source that states its own static watts is believed instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wire.units import watts

WINDOW_NS: Final = 10_000_000_000
MOST_LOAD_RATIO: Final = 0.10


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of one domain, and the window that is being filled."""

    static_w: float | None = None
    window_uj: int = 0
    window_ns: int = 0

    def learn(self, *, energy_uj: int, elapsed_ns: int, load_ratio: float) -> Baseline:
        """One interval more; a busy one empties the window, because a mean over it would hold work."""
        if load_ratio >= MOST_LOAD_RATIO or elapsed_ns <= 0:
            return Baseline(self.static_w)
        window_uj, window_ns = self.window_uj + energy_uj, self.window_ns + elapsed_ns
        if window_ns < WINDOW_NS:
            return Baseline(self.static_w, window_uj, window_ns)
        mean_w = watts(window_uj, window_ns)
        return Baseline(mean_w if self.static_w is None else min(self.static_w, mean_w))


def static_uj(static_w: float | None, *, energy_uj: int, elapsed_ns: int) -> int | None:
    """The static part of an interval, never above its energy; None where it is not known."""
    if static_w is None:
        return None
    return min(int(static_w * elapsed_ns * 1e-3), energy_uj)
