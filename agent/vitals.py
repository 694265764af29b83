# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""How well the agent's own parts are doing: read by metrics and readiness, written by the loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.worker import Worker
    from plumbing.clock import Clock


@dataclass(slots=True)
class PartVitals:
    """One meter, observer or writer."""

    success: bool = False
    duration_ns: int = 0
    last_success_ns: int | None = None
    failures_total: int = 0
    reason: str = ""


@dataclass(slots=True)
class Vitals:
    """All of them. Times are monotonic nanoseconds."""

    clock: Clock
    parts: dict[str, PartVitals] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    intervals_total: int = 0
    gaps_total: Counter[str] = field(default_factory=Counter)
    edge_gap_ns: int = 0
    provisional: int = 0
    last_interval_ns: int | None = None

    def note(self, part: str, *, started_ns: int, reason: str = "") -> None:
        """Records one call of ``part``; an empty ``reason`` is success."""
        now_ns = self.clock.monotonic_ns()
        each = self.parts.setdefault(part, PartVitals())
        each.duration_ns = now_ns - started_ns
        each.success = not reason
        each.reason = reason
        if reason:
            each.failures_total += 1
        else:
            each.last_success_ns = now_ns

    def age_s(self, at_ns: int | None) -> float:
        """Seconds since a monotonic time; infinite where it never came."""
        return (self.clock.monotonic_ns() - at_ns) / 1e9 if at_ns is not None else float("inf")

    def abandoned(self) -> dict[str, int]:
        """Calls left behind, by worker."""
        return {worker.name: worker.abandoned_total for worker in self.workers}
