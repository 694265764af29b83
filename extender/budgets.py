# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""PowerBudgets in force: what their namespaces draw, and whether one more pod fits (SCHEDULING 1 and 2).

The texts of refusals are constant for a pod and its limit. A figure in them would make the scheduler retry without
backoff.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from extender.windows import View, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from extender.ledger import StreamKey
    from extender.nodes import NodeTable
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
    """Whether every node that the namespace was seen on has reported lately, and any node at all."""
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


@dataclass(slots=True)
class _OnNode:
    """A budget's namespace on one node: a window per numbering, because two agents may use one name."""

    windows: dict[StreamKey, Window] = field(default_factory=dict)
    """Empty where the namespace is expected here and nothing has been heard yet."""
    mean_w: float = 0.0


class BudgetMeter:
    """Mean power of a budget's namespace over its window, summed over the nodes that the namespace was seen on."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._nodes: dict[str, _OnNode] = {}
        self._missing: set[str] = set()
        """Nodes that were forgotten while the namespace drew power there. They count no watts, but a hard budget stays
        closed until they report or an operator says that they are gone."""
        self._sum_w = 0.0

    @property
    def nodes(self) -> Iterable[str]:
        """Nodes that the namespace was seen on within the window."""
        return self._nodes.keys()

    @property
    def watched(self) -> Iterable[str]:
        """Nodes whose reports concern this budget, missing ones included."""
        return self._nodes.keys() | self._missing

    @property
    def measured_w(self) -> float:
        """The sum over the nodes; a silent node counts with its last mean."""
        return max(0.0, self._sum_w)

    def fresh(self, table: NodeTable, *, now_ns: int) -> bool:
        """Whether `measured_w` is of this moment: every node concerned is heard, and at least one node of all."""
        if self._missing and self.budget.action == "reject":
            return False
        return table.any_fresh(now_ns=now_ns) and table.all_fresh(self._nodes, now_ns=now_ns)

    def covered_ns(self, node: str) -> int:
        """How much metered time of this node is in its window; of several numberings the longest."""
        found = self._nodes.get(node)
        return max((window.covered_ns for window in found.windows.values()), default=0) if found else 0

    def expect(self, node: str) -> None:
        """The namespace ran on this node before this process started; until it reports, nothing is known of it."""
        self._nodes.setdefault(node, _OnNode())

    def miss(self, node: str) -> None:
        """As `expect`, of a node that has been silent for so long that it counts no more."""
        self._missing.add(node)

    def feed(self, live: Live, share: Share | None, *, fresh: bool) -> None:
        """Takes a node's interval; ``share`` None = the namespace drew nothing in it.

        One that is not ``fresh`` (a backlog) never ends that something is expected of the node.
        """
        if live.node in self._missing:
            self._missing.discard(live.node)
            self.expect(live.node)
        elif share is None and live.node not in self._nodes:
            return
        found = self._nodes.setdefault(live.node, _OnNode())
        for stream in live.ended:
            found.windows.pop(stream, None)
        if live.succeeds is not None and live.succeeds in found.windows:
            found.windows.setdefault(live.stream, found.windows.pop(live.succeeds))
        if share is not None:
            found.windows.setdefault(live.stream, Window(length_s=self.budget.window_s))
        window = found.windows.get(live.stream)
        if window is not None:
            window.add(
                from_ns=live.from_unix_ns,
                to_ns=live.to_unix_ns,
                elapsed_ns=live.elapsed_ns,
                dynamic_uj=share.dynamic_uj if share else 0,
                loaded_uj=share.loaded_uj if share else 0,
            )
            if share is None and window.empty:
                del found.windows[live.stream]
        if fresh and not found.windows:
            self._drop(live.node)
        else:
            self._settle(found)

    def _settle(self, found: _OnNode) -> None:
        mean_w = sum(window.mean_w(self.budget.view) for window in found.windows.values())
        self._sum_w += mean_w - found.mean_w
        found.mean_w = mean_w

    def seed(self, live: Live) -> None:
        """Starts a budget that has just come into force from the node's latest interval."""
        draw = live.namespaces.get(self.budget.namespace)
        if draw is None:
            return
        per_w = live.elapsed_ns / 1e3
        window = Window(length_s=self.budget.window_s)
        window.add(
            from_ns=live.from_unix_ns,
            to_ns=live.to_unix_ns,
            elapsed_ns=live.elapsed_ns,
            dynamic_uj=round(draw.dynamic_w * per_w),
            loaded_uj=round(draw.loaded_w * per_w),
        )
        found = self._nodes.setdefault(live.node, _OnNode())
        found.windows[live.stream] = window
        self._settle(found)

    def forget(self, node: str) -> None:
        """A node that has been silent for so long that its last mean counts no more; what it draws now is unknown."""
        found = self._nodes.get(node)
        if found is not None and (found.mean_w > 0 or not found.windows):
            self._missing.add(node)
        self._drop(node)

    def dismiss(self, node: str) -> None:
        """A node that is gone: nothing is expected of it."""
        self._missing.discard(node)
        self._drop(node)

    def _drop(self, node: str) -> None:
        found = self._nodes.pop(node, None)
        if found is not None:
            self._sum_w -= found.mean_w

    def settle_rounding(self) -> None:
        """The running sum drifts by a rounding error a report; now and then it is added up anew."""
        self._sum_w = math.fsum(found.mean_w for found in self._nodes.values())


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
        self,
        budgets: Iterable[Budget],
        *,
        lives: Mapping[str, Live],
        expected: Callable[[Budget], Iterable[str]],
        missing: Callable[[Budget], Iterable[str]],
    ) -> None:
        """Replaces the set. A budget that keeps name and window keeps what it has measured.

        ``lives``: latest intervals by node, which new budgets start from. ``expected``, ``missing``: nodes on which a
        budget's namespace was when they fell silent, those that still count and those that do not.
        """
        before = {meter.budget.key: meter for meter in self.all()}
        found: dict[str, list[BudgetMeter]] = {}
        for budget in sorted(budgets, key=lambda each: (each.namespace, -each.precedence, each.name)):
            meter = before.get(budget.key)
            if meter is not None and (meter.budget.window_s, meter.budget.view) == (budget.window_s, budget.view):
                meter.budget = budget
            else:
                meter = BudgetMeter(budget)
                for node in expected(budget):
                    meter.expect(node)
                for node in missing(budget):
                    meter.miss(node)
                for live in lives.values():
                    meter.seed(live)
            found.setdefault(budget.namespace, []).append(meter)
        self._by_namespace = {namespace: tuple(meters) for namespace, meters in found.items()}
        self._by_node = {}
        for meter in self.all():
            for node in meter.watched:
                self._by_node.setdefault(node, set()).add(meter)

    def feed(self, live: Live, booking: Booking, *, now_ns: int) -> None:
        """Takes a booked report."""
        fresh = live.fresh(now_ns=now_ns)
        touched = self._by_node.setdefault(live.node, set())
        for namespace in booking.namespaces:
            touched.update(self.of(namespace))
        for meter in list(touched):
            meter.feed(live, booking.namespaces.get(meter.budget.namespace), fresh=fresh)
            if live.node not in meter.nodes:
                touched.discard(meter)

    def forget(self, node: str) -> None:
        """A node that has been silent for too long to count."""
        concerned = self._by_node.pop(node, set())
        for meter in concerned:
            meter.forget(node)
        if missed := {meter for meter in concerned if node in meter.watched}:
            self._by_node[node] = missed

    def dismiss(self, node: str) -> None:
        """A node that is gone."""
        for meter in self._by_node.pop(node, ()):
            meter.dismiss(node)

    def settle_rounding(self) -> None:
        """See `BudgetMeter.settle_rounding`; called by the housekeeping timer."""
        for meter in self.all():
            meter.settle_rounding()
