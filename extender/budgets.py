# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""PowerBudgets in force: what their namespaces draw, and whether one more pod fits (SCHEDULING 1 and 2).

The texts of refusals are constant for a pod and its limit. A figure in them would make the scheduler retry without
backoff.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from extender.windows import View, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from extender.prediction import Prediction
    from extender.rows import Booking, Share
    from extender.state import Live

Action = Literal["alert", "throttle", "reject"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A namespace's limit, as the extender needs it."""

    namespace: str
    name: str
    limit_w: float
    window_s: float = 60.0
    action: Action = "throttle"
    view: View = "dynamic"
    file: str = ""
    """Where it is written."""
    precedence: int = 0
    """Highest first when several are full."""

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def full(self) -> str:
        """The constant text of a refusal for want of room."""
        return f"PowerBudget {self.namespace}/{self.name} is full"

    @property
    def unmeasured(self) -> str:
        """The constant text of a refusal because nothing is known of the moment."""
        return f"PowerBudget {self.namespace}/{self.name} has no fresh measurement"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one budget says to one pod, with the figures it rests on."""

    budget: Budget
    measured_w: float
    """Mean over the budget's window, in its view."""
    held_w: float
    """Of pods that were let through and are not fully seen in measurements."""
    predicted_w: float
    """Of this pod: the median, for action reject the p90."""
    fresh: bool
    """Whether every node that the namespace was seen on has reported lately."""
    fits: bool

    @property
    def refusal(self) -> str:
        """The constant reason where this budget holds the pod, else empty."""
        if self.budget.action == "alert" or (self.fits and (self.fresh or self.budget.action != "reject")):
            return ""
        return self.budget.unmeasured if self.budget.action == "reject" and not self.fresh else self.budget.full


def predicted_w(budget: Budget, prediction: Prediction) -> float:
    """The end of a prediction that this budget counts with."""
    return prediction.high_w if budget.action == "reject" else prediction.median_w


def judge(budget: Budget, *, measured_w: float, held_w: float, prediction: Prediction, fresh: bool) -> Verdict:
    """Whether measured + held + predicted stay within the limit."""
    own_w = predicted_w(budget, prediction)
    return Verdict(
        budget=budget,
        measured_w=measured_w,
        held_w=held_w,
        predicted_w=own_w,
        fresh=fresh,
        fits=measured_w + held_w + own_w <= budget.limit_w,
    )


class BudgetMeter:
    """Mean power of a budget's namespace over its window: a window per node that the namespace was seen on."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._windows: dict[str, Window] = {}
        self._mean_w: dict[str, float] = {}
        self._sum_w = 0.0

    @property
    def nodes(self) -> Iterable[str]:
        """Nodes that the namespace was seen on within the window."""
        return self._windows.keys()

    @property
    def measured_w(self) -> float:
        """The sum over the nodes; a silent node counts with its last mean."""
        return max(0.0, self._sum_w)

    def covered_ns(self, node: str) -> int:
        """How much metered time of this node is in its window."""
        window = self._windows.get(node)
        return window.covered_ns if window else 0

    def expect(self, node: str) -> None:
        """The namespace ran on this node before this process started; until it reports, nothing is known of it."""
        self._windows.setdefault(node, Window(length_s=self.budget.window_s))
        self._mean_w.setdefault(node, 0.0)

    def feed(self, live: Live, share: Share | None) -> None:
        """Takes a node's interval; None = the namespace drew nothing in it."""
        if share is None and live.node not in self._windows:
            return
        window = self._windows.setdefault(live.node, Window(length_s=self.budget.window_s))
        window.add(
            from_ns=live.from_unix_ns,
            to_ns=live.to_unix_ns,
            elapsed_ns=live.elapsed_ns,
            dynamic_uj=share.dynamic_uj if share else 0,
            loaded_uj=share.loaded_uj if share else 0,
        )
        if share is None and window.empty:
            self.forget(live.node)
            return
        mean_w = window.mean_w(self.budget.view)
        self._sum_w += mean_w - self._mean_w.get(live.node, 0.0)
        self._mean_w[live.node] = mean_w

    def seed(self, live: Live) -> None:
        """Starts a budget that has just come into force from the node's latest interval."""
        draw = live.namespaces.get(self.budget.namespace)
        if draw is None:
            return
        window = self._windows.setdefault(live.node, Window(length_s=self.budget.window_s))
        per_w = live.elapsed_ns / 1e3
        window.add(
            from_ns=live.from_unix_ns,
            to_ns=live.to_unix_ns,
            elapsed_ns=live.elapsed_ns,
            dynamic_uj=round(draw.dynamic_w * per_w),
            loaded_uj=round(draw.loaded_w * per_w),
        )
        self._mean_w[live.node] = window.mean_w(self.budget.view)
        self.settle_rounding()

    def forget(self, node: str) -> None:
        """A node that no longer counts."""
        self._windows.pop(node, None)
        self._sum_w -= self._mean_w.pop(node, 0.0)

    def settle_rounding(self) -> None:
        """The running sum drifts by a rounding error a report; now and then it is added up anew."""
        self._sum_w = math.fsum(self._mean_w.values())


class Budgets:
    """All budgets in force, fed by every booked report."""

    def __init__(self) -> None:
        self._by_namespace: dict[str, tuple[BudgetMeter, ...]] = {}
        self._by_node: dict[str, set[BudgetMeter]] = {}

    def of(self, namespace: str) -> tuple[BudgetMeter, ...]:
        """The budgets of a namespace, highest precedence first, then by name."""
        return self._by_namespace.get(namespace, ())

    def all(self) -> list[BudgetMeter]:
        """All of them, by namespace and name."""
        return [meter for namespace in sorted(self._by_namespace) for meter in self._by_namespace[namespace]]

    def put_in_force(
        self, budgets: Iterable[Budget], *, lives: Mapping[str, Live], expected: Mapping[str, Iterable[str]]
    ) -> None:
        """Replaces the set. A budget that keeps name and window keeps what it has measured.

        ``lives``: latest intervals by node, which new budgets start from. ``expected``: silent nodes by namespace.
        """
        before = {meter.budget.key: meter for meter in self.all()}
        found: dict[str, list[BudgetMeter]] = {}
        for budget in sorted(budgets, key=lambda each: (each.namespace, -each.precedence, each.name)):
            meter = before.get(budget.key)
            if meter is not None and (meter.budget.window_s, meter.budget.view) == (budget.window_s, budget.view):
                meter.budget = budget
            else:
                meter = BudgetMeter(budget)
                for node in expected.get(budget.namespace, ()):
                    meter.expect(node)
                for live in lives.values():
                    meter.seed(live)
            found.setdefault(budget.namespace, []).append(meter)
        self._by_namespace = {namespace: tuple(meters) for namespace, meters in found.items()}
        self._by_node = {}
        for meter in self.all():
            for node in meter.nodes:
                self._by_node.setdefault(node, set()).add(meter)

    def feed(self, live: Live, booking: Booking) -> None:
        """Takes a booked report."""
        touched = self._by_node.setdefault(live.node, set())
        for namespace in booking.namespaces:
            touched.update(self.of(namespace))
        for meter in list(touched):
            meter.feed(live, booking.namespaces.get(meter.budget.namespace))
            if live.node not in meter.nodes:
                touched.discard(meter)

    def forget(self, node: str) -> None:
        """A node that no longer counts."""
        for meter in self._by_node.pop(node, ()):
            meter.forget(node)

    def settle_rounding(self) -> None:
        """See `BudgetMeter.settle_rounding`; called by the housekeeping timer."""
        for meter in self.all():
            meter.settle_rounding()
