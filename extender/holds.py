# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Holds: predicted watts of pods that were let through and are not yet fully seen in measurements (SCHEDULING 5).

One hold per pod, by namespace and UID: a caller who makes up a UID reaches only its own namespace's. Unseen it counts
with its whole prediction and ends after 15 minutes. Once the pod is in a report, only what it falls short of its
prediction is counted on top of the measured mean, for two windows; then the mean alone counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from extender.windows import Window
from wire.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extender.budgets import Budget, BudgetMeter, Budgets
    from extender.ledger import HoldRow
    from extender.rows import Booking
    from extender.state import Live

PodKey = tuple[str, str]
"""namespace, UID"""

# Binding a volume alone may take 10 minutes.
HOLD_NS = 15 * 60 * NS_PER_S
SETTLING_WINDOWS = 2
_DEFAULT_WINDOW_S = 60.0


@dataclass(slots=True, eq=False)
class Hold:
    """One pod's hold; ``seen_ns`` and ``node`` are set by the first report that has the pod."""

    row: HoldRow
    ends_ns: int
    """On the monotonic clock."""
    node: str = ""
    windows: dict[float, Window] = field(default_factory=dict)

    def charge_w(self, meter: BudgetMeter) -> float:
        """What this hold adds to the measured mean of a budget of its namespace."""
        budget = meter.budget
        whole_w = self.row.high_w if budget.action == "reject" else self.row.median_w
        return max(0.0, whole_w - self._contribution_w(budget, covered_ns=meter.covered_ns(self.node)))

    def _contribution_w(self, budget: Budget, *, covered_ns: int) -> float:
        """What of the budget's measured mean is this pod's."""
        window = self.windows.get(budget.window_s)
        if window is None or covered_ns <= 0:
            return 0.0
        return window.energy_uj(budget.view) * 1e3 / covered_ns


class Holds:
    """All holds; belongs to the event loop, so that check and hold are one step."""

    def __init__(self) -> None:
        self._by_pod: dict[PodKey, Hold] = {}
        self._by_namespace: dict[str, dict[str, Hold]] = {}

    def __len__(self) -> int:
        return len(self._by_pod)

    def restore(self, rows: Iterable[HoldRow], *, now_ns: int, now_unix_ns: int) -> None:
        """After a restart: as unseen, for what is left of their time. A clock set back cannot lengthen it."""
        for row in rows:
            age_ns = max(0, now_unix_ns - row.made_unix_ns)
            self._put(Hold(row=row, ends_ns=now_ns + HOLD_NS - age_ns))

    def put(self, row: HoldRow, *, now_ns: int) -> Hold:
        """Holds; a hold of the same pod is replaced."""
        self.release((row.namespace, row.uid))
        hold = Hold(row=row, ends_ns=now_ns + HOLD_NS)
        self._put(hold)
        return hold

    def _put(self, hold: Hold) -> None:
        self._by_pod[hold.row.namespace, hold.row.uid] = hold
        self._by_namespace.setdefault(hold.row.namespace, {})[hold.row.uid] = hold

    def get(self, pod: PodKey) -> Hold | None:
        """The pod's hold."""
        return self._by_pod.get(pod)

    def release(self, pod: PodKey) -> bool:
        """Ends a pod's hold; False if there was none."""
        if self._by_pod.pop(pod, None) is None:
            return False
        namespace, uid = pod
        siblings = self._by_namespace[namespace]
        del siblings[uid]
        if not siblings:
            del self._by_namespace[namespace]
        return True

    def held_w(self, meter: BudgetMeter, *, now_ns: int, but: str = "") -> float:
        """Watts held against a budget, without those of the pod ``but`` of its namespace."""
        return sum(
            hold.charge_w(meter)
            for uid, hold in self._by_namespace.get(meter.budget.namespace, {}).items()
            if uid != but and hold.ends_ns > now_ns
        )

    def feed(self, live: Live, booking: Booking, *, budgets: Budgets, now_ns: int) -> None:
        """Takes a booked report: pods in it that have a hold begin to settle."""
        for key, share in booking.workloads.items():
            hold = self._by_pod.get((key.namespace, key.uid)) if key.uid else None
            if hold is None:
                continue
            if not hold.node:
                lengths_s = {meter.budget.window_s for meter in budgets.of(key.namespace)} or {_DEFAULT_WINDOW_S}
                hold.node = live.node
                hold.windows = {length_s: Window(length_s=length_s) for length_s in lengths_s}
                hold.ends_ns = now_ns + round(SETTLING_WINDOWS * max(lengths_s) * NS_PER_S)
            for window in hold.windows.values():
                window.add(
                    from_ns=live.from_unix_ns,
                    to_ns=live.to_unix_ns,
                    elapsed_ns=live.elapsed_ns,
                    dynamic_uj=share.dynamic_uj,
                    loaded_uj=share.loaded_uj,
                )

    def end_expired(self, *, now_ns: int) -> list[PodKey]:
        """Ends what has run out and returns whose it was."""
        over = [pod for pod, hold in self._by_pod.items() if hold.ends_ns <= now_ns]
        for pod in over:
            self.release(pod)
        return over

    def summary(self) -> dict[str, tuple[int, float]]:
        """Namespace -> (how many holds, their medians in watts)."""
        return {
            namespace: (len(holds), sum(hold.row.median_w for hold in holds.values()))
            for namespace, holds in self._by_namespace.items()
        }
